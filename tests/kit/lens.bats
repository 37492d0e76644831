# The lens: it shows what a program waits for and makes its calls fail, and the
# program does not notice. lens_probe and lens_clocks make the hard calls.

setup() {
    load ../helpers
    TRACE=$BATS_TEST_TMPDIR/trace
    TIMELINE=$KIT_BUILD/tools/timeline
    export KIT_TRACE=$TRACE
    # sh itself runs without the lens, and so do bound and valgrind.
    printf '#!/bin/sh\nexport LD_LIBRARY_PATH="%s/tools"\n%s exec "$@"\n' \
        "$KIT_BUILD" LD_PRELOAD=interpose.so >"$BATS_FILE_TMPDIR/lens"
    chmod +x "$BATS_FILE_TMPDIR/lens"
    KIT_UNDER=$BATS_FILE_TMPDIR/lens use kit
}

teardown() {
    [[ -z ${started-} ]] || wait "$started" || true
}

# without_lens PROGRAM [ARG...]: PROGRAM is a path below $KIT_BUILD.
without_lens() {
    "$KIT_BUILD/tools/bound" "$KIT_BUILD/$1" "${@:2}"
}

# draw: the picture of the trace, which must fit on a terminal.
draw() {
    run -0 "$TIMELINE" "$TRACE"
    assert_equal "$(awk 'length > 78' <<<"$output")" ""
}

# malformed VARIABLE VALUE COLUMN WORDS: refused, and the caret is there.
malformed() {
    run -2 env "$1=$2" lens_probe nap
    assert_line --index 0 "$1: $4"
    assert_line --index 1 "    $2"
    assert_line --index 2 "$(printf '%*s^' "$((3 + $3))" '')"
    assert_equal "${#lines[@]}" 3
}

# Without numbers, the order of lines, and the name of a scratch directory.
same_in_each_run() {
    sed -e 's/ dir=.*//' -e 's/[0-9]//g' | sort
}

@test "a traced run prints what an untraced one prints, for every program" {
    local program name expected seen=0
    for program in "$KIT_BUILD"/chapters/*/*; do
        [[ -x $program ]] || continue
        name=${program#"$KIT_BUILD/"}
        run without_lens "$name"
        expected="exit code $status, $(same_in_each_run <<<"$output")"
        rm -f "$TRACE"
        run "$KIT_BUILD/tools/bound" "$BATS_FILE_TMPDIR/lens" "$program"
        assert_equal "exit code $status, $(same_in_each_run <<<"$output")" \
            "$expected"
        draw
        seen=$((seen + 1))
    done
    ((seen > 0)) || fail "no programs in $KIT_BUILD/chapters"
}

@test "hard calls print the same under the lens" {
    for kind in family descriptors signals pointers full pending send; do
        run -0 without_lens kit/lens_probe "$kind"
        expected=$output
        rm -f "$TRACE"
        run -0 lens_probe "$kind"
        assert_equal "$output" "$expected"
    done
}

@test "the trace goes on when the program closes every descriptor" {
    run -0 lens_probe descriptors
    run -0 tail -n 1 "$TRACE"
    assert_output --regexp " end kill pid=[0-9]+ sig=0 = 0$"
    run -0 grep -c '^[.]\|^probe' "$TRACE" || true
    assert_output 0
}

@test "a reader of the trace that goes away does not harm the program" {
    mkfifo "$TRACE"
    exec {reader}<>"$TRACE"
    lens_probe flood {reader}>&- 3>&- >"$BATS_TEST_TMPDIR/out" &
    local flood=$!
    read -r -u "$reader" line # the rest does not fit: it waits for us
    assert_regex "$line" "^kit-trace 1 "
    exec {reader}>&-
    wait "$flood"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" "probe: child status=0"
}

@test "a slow reader of the trace misses no line" {
    start_traced lens_probe flood
    read_event
    run -0 grep -c ' poll ' <&"$events" # far more than a pipe holds
    assert_output 20000
}

@test "EINTR injected once into svsem_timed is one bar that ends in EINTR" {
    local program
    program=$(echo "$KIT_BUILD"/chapters/*/svsem_timed)
    run -3 "$KIT_BUILD/tools/bound" "$BATS_FILE_TMPDIR/lens" "$program" 1ms 2ms
    waiter=$(awk '$3 == "waiter" && $6 == "semtimedop" { print $2; exit }' \
        "$TRACE")
    rm "$TRACE"
    KIT_FAULT="${waiter%:*}/semtimedop:EINTR+10ms" \
        run -1 "$KIT_BUILD/tools/bound" "$BATS_FILE_TMPDIR/lens" \
        "$program" 1ms 2ms
    draw
    assert_line --regexp '^waiter .*semtimedop 1ms.*EINTR'
    assert_line --regexp '  waiter +semtimedop 1ms .* EINTR, injected$'
    assert_equal "$(grep -c EINTR <<<"$output")" 2 # the bar, and its line below
}

@test "a deadline loop with three EINTR shows four bars, each shorter" {
    KIT_FAULT='semtimedop:EINTR+20ms@1-3;semtimedop:EAGAIN@4' \
        run -3 lens_probe deadline
    draw
    # at, who, call, limit, took, result
    run -0 awk '/ who  / { listed = 1; next }
        listed { printf "%s %s; ", $4 + 0 < last + 0 || !last ? "shorter" : $4, $6
            last = $4 }' <<<"$output"
    assert_output "shorter EINTR,; shorter EINTR,; shorter EINTR,; \
shorter EAGAIN,; "
}

@test "a wait is drawn with its limit, its result and its end" {
    cat >"$TRACE" <<'END'
kit-trace 1 1000000000 0 pid=10 keeper
1000000000 0:0 keeper 1 end fork child=0.1 = 11
1000000000 0.1:0 keeper 1 end fork = 0
1001000000 0:0 keeper 2 begin semtimedop set=1 ops=0/-1 limit=100ms
1001000000 0.1:0 guardian 2 begin read fd=3 len=1 limit=none
1031000000 0:0 keeper 2 end semtimedop set=1 ops=0/-1 limit=100ms = -1 EINTR
1031100000 0:0 keeper 3 begin semtimedop set=1 ops=0/-1 limit=69.9ms
1061000000 0:0 keeper 3 end semtimedop set=1 ops=0/-1 limit=69.9ms = -1 EINTR
1061100000 0:0 keeper 4 end fork child=0.2 = 12
1061200000 0:0 keeper 5 begin semtimedop set=1 ops=0/-1 limit=39.8ms
1061200000 0.2:0 helper 5 end semop set=1 ops=0/+1 limit=nowait = 0
1061300000 0.2:0 helper 6 end send fd=3 len=9 flags=0 limit=nowait = -1 EAGAIN
1061400000 0.2:0 helper 7 begin nanosleep limit=500ms
1101000000 0:0 keeper 5 end semtimedop set=1 ops=0/-1 limit=39.8ms = -1 EAGAIN
1110000000 0:0 keeper 6 end waitpid pid=12 options=0 limit=nowait = 12
1120000000 0:0 keeper 7 begin write fd=1 len=1 limit=none
END
    draw
    assert_output "\
keeper, 130ms

        0         20ms       40ms      60ms       80ms       100ms     120ms
        |         |          |         |          |          |         |
keeper  [===============] semtimedop 100ms EINTR.............|
                        [===============] semtimedop 69.9ms EINTR
                                        [semtimedop 39.8ms===] EAGAIN
                                            write none never came back [=====>

helper                                  * semop 0/+1
                                        x send EAGAIN
        nanosleep 500ms never came back [=========================>

      at  who     call                         took  result
     1ms  keeper  semtimedop 100ms             30ms  EINTR
  31.1ms  keeper  semtimedop 69.9ms          29.9ms  EINTR
  61.2ms  keeper  semtimedop 39.8ms          39.8ms  EAGAIN
  61.3ms  helper  send                            -  EAGAIN
  61.4ms  helper  nanosleep 500ms            48.6ms  never came back
   120ms  keeper  write none                   10ms  never came back"
}

@test "calls that are alike share a row; a killed one ends when it is collected" {
    cat >"$TRACE" <<'END'
kit-trace 1 1000000000 0 pid=10 pair
1000000000 0:0 pair 1 end fork child=0.1 = 11
1000000000 0.1:0 guardian 1 end setsid = 11
1000000000 0:0 pair 2 begin waitpid pid=11 options=0 limit=none
1010000000 0:0 pair 2 end waitpid pid=11 options=0 limit=none = 11
1010000000 0:0 pair 3 end fork child=0.2 = 12
1010000000 0.2:0 mate 1 begin semop set=1 ops=0/-1 limit=none
1020000000 0:0 pair 4 begin poll fd=3 of=1 limit=10ms
1030000000 0:0 pair 4 end poll fd=3 of=1 limit=10ms = 0
1040000000 0:0 pair 5 end send fd=3 len=9 flags=0 limit=nowait = 9
1040000000 0:0 pair 6 begin poll fd=3 of=1 limit=10ms
1050000000 0:0 pair 6 end poll fd=3 of=1 limit=10ms = 0
1060000000 0:0 pair 7 end send fd=3 len=9 flags=0 limit=nowait = 9
1060000000 0:0 pair 8 end kill pid=12 sig=SIGKILL = 0
1060000000 0:0 pair 9 end waitpid pid=12 options=0 limit=nowait = 12
1100000000 0:0 pair 10 end close fd=3 = 0
END
    draw
    assert_output "\
pair, 100ms

      0             20ms          40ms          60ms          80ms       100ms
      |             |             |             |             |              |
pair                [======]      [======] poll 10ms x2 0
                                  *             * send x2
                                                * kill SIGKILL

mate         [semop none========================> never came back

      at  who   call                         took  result
    10ms  mate  semop none                   50ms  never came back
    20ms  pair  poll 10ms x2                 20ms  0"
}

@test "an injected failure is not early, and the call is not made" {
    KIT_FAULT='semtimedop:EIDRM+30ms@1' run -0 lens_probe signals
    # The alarm came after 10 ms, and did not cut the delay short.
    assert_line "probe: rc=-1 errno=EIDRM handled=1"
    run -0 awk '$6 == "semtimedop" { print $1 }' "$TRACE"
    assert_at_least 30000000 "$((lines[1] - lines[0]))"
}

@test "a fault strikes the named process, from call N to call M" {
    KIT_FAULT='0.1/poll:ENOMEM@2-4;0/poll:EINVAL@4999-' run -0 lens_probe flood
    run -0 awk '/ end poll / && / injected$/ { print $2, $(NF - 1) }' "$TRACE"
    assert_equal "$(sort <<<"$output")" "0.1:0 ENOMEM
0.1:0 ENOMEM
0.1:0 ENOMEM
0:0 EINVAL
0:0 EINVAL"
}

@test "a send that is cut short moves that much and no more" {
    KIT_FAULT='send:short=10@1;send:short=30@2' run -0 lens_probe send
    assert_output "probe: sent=10
probe: sent=30
probe: sent=60"
    run -0 grep -c ' injected$' "$TRACE"
    assert_output 2
}

@test "fork can fail, and a child's first call counts as its first" {
    KIT_FAULT='fork:EAGAIN@2' run -1 lens_probe family
    assert_line "lens_probe: fork: Resource temporarily unavailable"
    run -0 grep -c ' fork = -1 EAGAIN injected$' "$TRACE"
    assert_output 1 # the child's second is a wait
}

@test "a rule for all processes spares the guardian" {
    KIT_FAULT='semctl:EPERM;semtimedop:EAGAIN' run -3 lens_probe deadline
    set=$(sed -n 's/.* semget .* = //p' "$TRACE")
    run ! set_exists "$set"
}

@test "a malformed KIT_FAULT or KIT_CLOCK is refused, and the place is shown" {
    unset KIT_TRACE
    local call="no call of this name is known that could fail"
    local end="the end, or ';' and one more, is needed here"
    malformed KIT_FAULT 'semtimedopp:EINTR' 1 "$call"
    malformed KIT_FAULT 'send:EPIPE;printf:EIO' 12 "$call"
    malformed KIT_FAULT '0.1/:EIO' 5 "$call"
    malformed KIT_FAULT 'alarm:EIO' 1 "$call"
    malformed KIT_FAULT 'send' 5 "':' and an errno, or short=BYTES, are needed here"
    malformed KIT_FAULT 'send:EAGAINN' 6 "no errno of this name is known"
    malformed KIT_FAULT 'poll:short=3' 6 "no errno of this name is known"
    malformed KIT_FAULT 'send:EINTR+30@1' 14 \
        "a unit is needed here: h, s, ms or us"
    malformed KIT_FAULT 'send:EINTR@0' 12 \
        "a number from 1 to 1000000000 is needed here"
    malformed KIT_FAULT 'send:EINTR@3-2' 15 \
        "this range ends before it begins"
    malformed KIT_FAULT 'send:EINTR@1,send:EIO' 13 "$end"
    malformed KIT_FAULT 'send:EINTR;' 12 "$end"
    malformed KIT_CLOCK 'monotonic:+1h' 1 \
        "'realtime:' or 'boottime:' is needed here"
    malformed KIT_CLOCK 'realtime:1h' 10 "'+' or '-' is needed here"
    malformed KIT_CLOCK 'realtime:+1h@' 14 \
        "a number from 1 to 1000000000 is needed here"
}

@test "a trace that cannot be written is refused at once" {
    KIT_TRACE=$BATS_TEST_TMPDIR/no/such run -2 lens_probe nap
    assert_output \
        "KIT_TRACE: $BATS_TEST_TMPDIR/no/such: No such file or directory"
}

@test "fork, threads and exec keep their lanes" {
    run -0 lens_probe family
    # Two threads of the first child; its child; a program that the second
    # child became; two that no fork() bore, with their pids.
    run -0 awk '/ end nanosleep / { sub(/p[0-9]+/, "p<n>", $2); print $2, $3 }' \
        "$TRACE"
    assert_equal "$(sort <<<"$output")" "0.1.1:0 twins
0.1:1 twins
0.1:2 twins
0.2:0 exe
0.p<n>:0 exe
0.p<n>:0 exe"
    draw
}

@test "lanes of one name are told apart by their path, and by their thread" {
    cat >"$TRACE" <<'END'
kit-trace 1 1000000000 0 pid=10 crew
1000000000 0:0 crew 1 begin poll fd=3 of=1 limit=none
1000000000 0:1 crew 2 begin sem_wait limit=none
1010000000 0:1 crew 2 end sem_wait limit=none = 0
1010000000 0.1:0 crew 1 begin read fd=3 len=1 limit=none
1020000000 0:0 crew 1 end poll fd=3 of=1 limit=none = 1
1030000000 0.1:0 crew 1 end read fd=3 len=1 limit=none = 1
1030000000 0.2:0 mate 1 begin pause limit=none
1040000000 0.2:0 mate 1 end pause limit=none = -1 EINTR
END
    draw
    for lane in "crew 0 " "crew 0:1 " "crew 0[.]1 " "mate "; do
        assert_line --regexp "^$lane +([^ ].*)?\\["
    done
}

@test "two processes that write 10,000 lines at once mix none" {
    run -0 lens_probe flood
    local args='( [a-z]+=[a-zA-Z0-9.]+)*'
    run ! grep -vE "^kit-trace 1 [0-9]+ 0 pid=[0-9]+ lens_probe$|^[0-9]+ \
0(.1)?:0 lens_probe [0-9]+ (begin|end) [a-z]+$args( = [0-9]+)?$" "$TRACE"
    run -0 awk '$6 == "poll" { n[$2 " " $5]++ }
        END { for (i in n) print i, n[i] }' "$TRACE"
    assert_equal "$(sort <<<"$output")" "0.1:0 begin 5000
0.1:0 end 5000
0:0 begin 5000
0:0 end 5000"
}

@test "a stepped clock moves its readers, and nothing else" {
    declare -A before
    local reader n sec
    while read -r _ reader n sec; do
        [[ $reader == reader=* ]] && before[$reader$n]=${sec#sec=}
    done < <(without_lens kit/lens_clocks)
    KIT_CLOCK='realtime:+1h@5' run -0 lens_clocks
    assert_equal "$(grep -c waiter= <<<"$output")" 14
    while read -r _ reader n sec; do
        [[ $reader == reader=* ]] || continue
        local moved=$((${sec#sec=} - ${before[$reader$n]})) expected=0
        case $reader$n in
        *MONOTONIC* | *BOOTTIME* | *n=1) ;;
        *) expected=3600 ;;
        esac
        assert_between $((expected - 2)) $((expected + 30)) "$moved"
    done <<<"$output"
}

@test "an absolute wait on a stepped clock ends when that clock says so" {
    # Were the step not taken from them, the first would end at once, and the
    # second in an hour; were it taken from CLOCK_MONOTONIC, vice versa.
    for step in -1h +1h; do
        KIT_CLOCK="realtime:$step;boottime:$step" run -0 lens_clocks
        refute_output --partial early=1
        assert_equal "$(grep -c 'waiter=.*early=0$' <<<"$output")" 14
    done
}

@test "under valgrind the lens works too" {
    command -v valgrind >/dev/null || lacks valgrind
    run -0 without_lens kit/lens_probe signals
    expected=$output
    KIT_TIME_SCALE=10 run -0 "$KIT_BUILD/tools/bound" valgrind --quiet \
        --trace-children=yes --log-file="$BATS_TEST_TMPDIR/valgrind.%p" \
        "$BATS_FILE_TMPDIR/lens" "$KIT_BUILD/kit/lens_probe" signals
    assert_equal "$output" "$expected"
    run -0 cat "$BATS_TEST_TMPDIR"/valgrind.*
    assert_output ""
    draw
    assert_line --regexp 'semtimedop 10s .*EINTR$'
}

@test "a wait that never came back is an open bar" {
    start_traced lens_probe hang
    until [[ -n ${reading-} && -n ${waiting-} ]]; do
        read_event
        case $event in
        "kit-trace 1 "*) pid=$(field pid "$event") ;;
        *" begin waitpid "*) waiting=1 ;;
        *" begin read "*) reading=1 ;;
        esac
    done
    kill -KILL "$pid"
    cat <&"$events" >"$BATS_TEST_TMPDIR/rest" # until all have ended
    draw
    assert_line --regexp '^lens_probe .*waitpid none.*never came back.*>$'
    assert_line --regexp '^silent .*read none.*never came back.*>$'
}

@test "an empty, cut or foreign trace is one clear line" {
    cd "$BATS_TEST_TMPDIR"
    run -0 lens_probe nap
    : >empty.t
    echo "Dear Sir or Madam" >letter.t
    head -c -5 trace >cut.t
    (cat trace && echo "Yours faithfully") >signed.t
    cat trace trace | sed '2,$s/pid=/pid=9/' >twice.t
    told() {
        run -1 "$TIMELINE" "$1"
        assert_output --regexp "^timeline: $1: $2$"
        assert_equal "${#lines[@]}" 1
    }
    told empty.t "empty, nothing was traced"
    told letter.t "not a trace of the lens"
    told cut.t "cut short in line [0-9]+"
    told signed.t "line [0-9]+ is not of the lens"
    told twice.t "line [0-9]+ begins a second run: give each its own file"
    told no-such.t "No such file or directory"
    run -2 "$TIMELINE"
    assert_output "usage: timeline [--svg FILE] TRACE"
}

@test "the same trace gives the same drawing, and a picture with words" {
    KIT_FAULT='semtimedop:EINTR@1-3;semtimedop:EAGAIN@4' \
        run -3 lens_probe deadline
    draw
    drawing=$output
    for copy in a b; do
        run -0 "$TIMELINE" --svg "$BATS_TEST_TMPDIR/$copy.svg" "$TRACE"
        assert_equal "$output" "$drawing"
    done
    cmp "$BATS_TEST_TMPDIR"/{a,b}.svg
    run -0 cat "$BATS_TEST_TMPDIR/a.svg"
    assert_line --regexp '^<title id="title">lens_probe: .*</title>$'
    assert_line --regexp '^ +[0-9.]+ms  lens_probe  semtimedop 10s .* EINTR, injected$'
    assert_line --regexp 'class="failed"'
    assert_line --regexp '>EAGAIN</text>$'
    assert_line "</svg>"
    refute_output --partial "<script"
    assert_equal "$(grep -o 'https*:' <<<"$output")" "http:" # the name space
}

@test "after_call returns when a call of the running program has ended so" {
    exec {lock}>"$BATS_TEST_TMPDIR/lock"
    flock "$lock"
    start_traced sh -c 'exec lens_probe lock <"$0/lock" >"$0/out"' \
        "$BATS_TEST_TMPDIR"
    after_call flock EAGAIN
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" ""
    flock --unlock "$lock"
    after_call flock 0
    run ! after_call flock EAGAIN # it has ended: no need to wait for the guard
    assert_output "no flock has ended with EAGAIN"
    wait "$started"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" "probe: acquired"
    run ! grep ' begin flock ' "$TRACE" # LOCK_NB: it cannot wait
}

@test "whatever a program calls is either in the lens's table or known here" {
    command -v nm >/dev/null || lacks nm
    # Not for the lens: they do not wait, and failing them teaches nothing, or
    # they are no system calls. sigprocmask and the like cannot fail.
    local others='^(_.*|str.*|mem.*|.*printf|.*scanf|put.*|f(open|close|gets|puts|
        |flush|write|read|eof|error)|getline|errx?|warnx?|v?(err|warn)x?|
        |(.*_)?exit|abort|atexit|malloc|calloc|realloc|free|qsort|getopt(_long)?|
        |(get|(un)?set)env|environ|opt(arg|ind|opt|err)|std(in|out|err)|
        |set(v|line)buf|to(upper|lower)|perror|s?rand|s?random|
        |get(pid|ppid|tid|uid|itimer|rusage|rlimit|pgrp|sockname)|setrlimit|
        |sig(empty|fill|add|del)set|sigismember|sigprocmask|sigpending|
        |pthread_(self|sigmask|detach|equal|.*attr_.*)|
        |pthread_(mutex|cond|barrier)_(init|destroy)|pthread_mutex_consistent|
        |sem_getvalue|sysconf|
        |(open|read|close|rewind)dir|dirfd|(f|l)?stat|isatty|ttyname|
        |localtime_r|readlinkat|sched_yield|clock_getres|nice|(get|set)priority|uname|
        |glob(free)?|gnu_dev_.*)$'
    others=${others//$'|\n        |'/|}
    wrapped=$(nm -D --defined-only "$KIT_BUILD/tools/interpose.so" |
        awk '$2 == "T" { print $3 }')
    run -0 grep -c . <<<"$wrapped"
    for program in "$KIT_BUILD"/{chapters,solutions}/*/*; do
        [[ -x $program ]] || continue
        run -0 nm -D --undefined-only "$program"
        calls=$(awk '{ sub(/@.*/, "", $NF); print $NF }' <<<"$output")
        unknown=$(grep -vxF "$wrapped" <<<"$calls" | grep -vE "$others" || true)
        [[ -z $unknown ]] || fail "${program##*/} calls $unknown: add it to \
tests/tools/interpose_calls.h, or to the list in this test"
        seen=1
    done
    [[ -n ${seen-} ]] || fail "no programs in $KIT_BUILD"
}

@test "what tracing costs" {
    # Told, not tested: a number of one machine on one day.
    plain=$(field semtimedop_ns "$(without_lens kit/lens_probe costs)")
    traced=$(field semtimedop_ns "$(lens_probe costs)")
    run -0 grep -c ' begin semtimedop ' "$TRACE"
    assert_output 5000
    echo "# a call that may wait, two lines: $((traced - plain)) ns" >&3
}
