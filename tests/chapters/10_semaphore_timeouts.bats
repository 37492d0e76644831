# Chapter 10: who holds everyone up, and what the report can know of it.

setup_file() {
    load ../helpers
    # What the programs of the chapter do not show: tests/kit builds it too, but
    # not for us.
    ${CC:-cc} -std=c11 -O1 -g -U_FORTIFY_SOURCE -pthread \
        "$KIT_TOP/tests/kit/timed_sem_probe.c" \
        -o "$BATS_FILE_TMPDIR/timed_sem_probe"
}

setup() {
    load ../helpers
    use chapters/10_semaphore_timeouts
    cd "$BATS_TEST_TMPDIR" || return
}

# lens FAULT PROGRAM [ARG...]: run it with this fault and its calls in trace.
lens() {
    trace=$BATS_TEST_TMPDIR/trace
    [[ -e $KIT_BUILD/tools/interpose.so ]] || lacks "the lens"
    ! grep -q __asan_init "$KIT_BUILD/chapters/10_semaphore_timeouts/$2" ||
        skip "not with an address sanitizer"
    rm -f "$trace"
    run "$KIT_BUILD/tools/bound" env KIT_TRACE="$trace" KIT_FAULT="$1" \
        LD_LIBRARY_PATH="$KIT_BUILD/tools" LD_PRELOAD=interpose.so \
        "$KIT_BUILD/chapters/10_semaphore_timeouts/$2" "${@:3}"
}

# probe KIND [ARG]: run tests/kit/timed_sem_probe.c.
probe() {
    run -0 "$KIT_BUILD/tools/bound" ${KIT_UNDER:+"$KIT_UNDER"} \
        "$BATS_FILE_TMPDIR/timed_sem_probe" "$@"
}

# reports EVENT: read the reporter's lines of this event into told.
reports() {
    mapfile -t told < <(grep "^reporter: $1 " <<<"$output" || true)
}

@test "a wait goes on after each report, and each says for whom it waits" {
    run -0 index_rebuild
    reports still_waiting
    assert_equal "${#told[@]}" 3
    here=$(grep -n 'timed_sem_acquire(table, INDEX, 0)' \
        "$KIT_TOP/chapters/10_semaphore_timeouts/index_rebuild.c")
    for line in "${told[@]}"; do
        assert_regex "$line" ' waiter=user\[[0-9]+\] at=index_rebuild\.c:[0-9]+ '
        assert_regex "$line" ' holder=indexer\[[0-9]+\] state=sleeping '
        assert_regex "$line" " taken_at=index_rebuild\.c:${here%%:*} stamp=1$"
    done
    assert_line --partial "user: opened semaphore=index "
}

@test "each report comes when a slice is over, and not before" {
    run -0 index_rebuild 35ms
    reports still_waiting
    for i in 0 1 2; do
        assert_at_least $((35 * (i + 1))) "$(field waited_ms "${told[i]}")"
        assert_at_least $((35 * (i + 1))) "$(field held_ms "${told[i]}")"
    done
}

@test "after the last report a line says so, and the end counts what was left out" {
    run -0 index_rebuild
    reports suppressing
    assert_equal "${#told[@]}" 1
    reports acquired
    assert_equal "$(field reports "${told[0]}")" 3
    assert_at_least 1 "$(field suppressed "${told[0]}")"
    probe reuse # many slices, and one report
    reports gave_up
    assert_equal "$(field reports "${told[0]}")" 1
    assert_at_least 2 "$(field suppressed "${told[0]}")"
}

@test "a wait that was reported ends with one line that says how" {
    run -0 index_rebuild
    reports acquired
    assert_equal "${#told[@]}" 1
    assert_at_least 120 "$(field waited_ms "${told[0]}")"
    run -3 index_rebuild 100ms 250ms
    reports gave_up
    assert_equal "${#told[@]}" 1
    assert_at_least 250 "$(field waited_ms "${told[0]}")"
    # It is written when the user has ended, and the indexer may have, too.
    assert_regex "${told[0]}" ' errno=EAGAIN holder=(indexer\[[0-9]+\] state=|nobody )'
    reports acquired
    assert_equal "${#told[@]}" 0
}

@test "a wait that is shorter than a slice is not reported" {
    run -3 index_rebuild 60s 20ms
    assert_line --partial "user: gave_up errno=EAGAIN "
    refute_line --partial "reporter: "
}

@test "the numbers of the lines have no gaps, and each has its time" {
    before=$(date +%s)
    run -0 index_rebuild
    reports '[a-z_]*'
    for i in "${!told[@]}"; do
        assert_equal "$(field sq "${told[i]}")" $((i + 1))
        time=$(field time "${told[i]}")
        assert_regex "$time" '^[0-9]+\.[0-9]{3}$'
        assert_at_least "$before" "${time%.*}"
    done
}

@test "a waiter that is reported has waited in one call" {
    lens '' index_rebuild
    assert_equal "$status" 0
    run grep -cE ' user [0-9]+ begin semtimedop .* limit=[0-9]' "$trace"
    assert_output 1
}

@test "who waits once keeps its place, who waits again and again loses it" {
    run -0 keeps_its_place
    assert_line --index 0 "waits_once: came=AB slice_ms=5000 served=AB"
    assert_line --index 1 "waits_again: came=AB slice_ms=8 served=BA"
}

@test "a signal makes the limit neither longer nor shorter" {
    # The first is the try; the user is the process that waits.
    lens '' index_rebuild
    user=$(awk '$3 == "user" { split($2, who, ":"); print who[1]; exit }' "$trace")
    lens "$user/semtimedop:EINTR+20ms@2-4" index_rebuild 60s 300ms
    [[ $status -eq 3 ]] || fail "$output"
    assert_at_least 300 "$(field waited_ms "${lines[2]}")"
    # Each wait after an interruption got what was left, and no more.
    run awk '$3 == "user" && / begin semtimedop .*limit=[0-9]/ {
                 sub(/.*limit=/, ""); print $0 + 0 }' "$trace"
    assert_equal "${#lines[@]}" 4
    for i in 1 2 3; do
        awk -v a="${lines[i - 1]}" -v b="${lines[i]}" \
            'BEGIN { exit !(b > 0 && b <= a - 20) }' ||
            fail "a wait got more than was left: $output"
    done
}

# says PROGRAM LINE...: it prints these lines, among others.
says() {
    [[ -s $BATS_FILE_TMPDIR/$1 ]] || {
        run -0 "$1"
        printf '%s\n' "$output" >"$BATS_FILE_TMPDIR/$1"
    }
    output=$(<"$BATS_FILE_TMPDIR/$1")
    mapfile -t lines <<<"$output"
    for line in "${@:2}"; do
        assert_line "$line"
    done
}

@test "who has crashed is reported as gone, and SEM_UNDO gives back at once" {
    says crashed_holder \
        "releases: undo=no report=none repaired_by=itself orphaned=0" \
        "crashes: undo=no report=gone repaired_by=hand orphaned=1" \
        "crashes: undo=yes report=none repaired_by=undo orphaned=1"
}

@test "a crash handler that lingers looks like work, and SEM_UNDO has to wait" {
    says crashed_holder \
        "lingers: undo=no report=sleeping,gone repaired_by=kill,hand orphaned=1" \
        "lingers: undo=yes report=sleeping repaired_by=kill,undo orphaned=1"
}

@test "who ends and has forgotten to release is as one who has crashed" {
    says crashed_holder \
        "forgets: undo=no report=gone repaired_by=hand orphaned=1" \
        "forgets: undo=yes report=none repaired_by=undo orphaned=1"
}

@test "a slow holder and one that will never be done look the same" {
    says slow_holder \
        "computes: report=running released_by=itself" \
        "loops: report=running released_by=kill" \
        "reads: report=sleeping released_by=itself" \
        "forgets: report=sleeping released_by=kill"
}

@test "who is stopped is reported as stopped, and goes on with SIGCONT" {
    says slow_holder "is_stopped: report=stopped released_by=SIGCONT"
}

@test "a holder killed at any moment leaves a table that the next can use" {
    kills=${KIT_UNDER:+20}
    probe holders "${kills:=60}"
    assert_regex "$output" \
        "^probe: holders killed=$kills orphaned=[0-9]+ unfinished=[0-9]+$"
    # Some at least had it when they were killed.
    [[ -n ${KIT_UNDER-} ]] || assert_at_least 1 "$(field orphaned "$output")"
}

@test "a waiter killed at any moment leaves a slot that the next can use" {
    kills=${KIT_UNDER:+20}
    probe waiters "${kills:=100}"
    assert_output --regexp \
        "^probe: waiters killed=$kills slots_left=[0-9]+ no_slot=0 seen=1 acquired=1$"
    # All slots were left by the killed, and taken over.
    [[ -n ${KIT_UNDER-} ]] || assert_equal "$(field slots_left "$output")" 64
}

@test "a waiter killed while it is reported is reported as gone, once" {
    probe killed
    reports waiter_gone
    assert_equal "${#told[@]}" 1
    assert_line "probe: slots_in_use=0"
}

@test "a row that was left unfinished is refused, and the next holder's is not" {
    probe torn
    assert_line --index 0 "probe: look=1"
    assert_line --index 1 "probe: look=0 while=writing"
    assert_line --index 2 "probe: look=1 held=1 stamp=1 acquisitions=1"
}

@test "a row that changes while it is copied is never seen half changed" {
    probe whole
    assert_output "probe: looks=some torn=0"
}

@test "who has a holder's pid by now is not taken for the holder" {
    probe reuse
    assert_line "probe: lives=1"
    reports still_waiting
    assert_regex "${told[0]}" ' state=gone '
}

@test "of a holder that left no row the kernel's last pid is told" {
    probe unknown
    reports still_waiting
    assert_equal "$(field holder "${told[0]}")" nobody
    assert_equal "$(field last_pid "${told[0]}")" \
        "$(field taken_by "${lines[0]}")"
}

@test "a full pipe or socket never blocks the reporter, and lost lines are told" {
    for kind in pipe socket; do
        probe full "$kind"
        assert_line --index 0 "probe: nonblock=0"
        assert_regex "${lines[1]}" '^reporter: lost sq='
        lost=$(field lines "${lines[1]}")
        assert_at_least 1 "$lost"
        # Its number is the one after those of all that were lost.
        assert_equal "$(field sq "${lines[1]}")" $((lost + 1))
    done
}

@test "reports and what others write into the same file stand side by side" {
    probe file
    assert_line --index 0 before
    assert_line --index 1 --partial "reporter: still_waiting "
    assert_equal "${lines[-1]}" after
}

@test "only the thread that holds a semaphore can release it" {
    probe errors
    for answer in release_free=EPERM child_release=EPERM thread_release=EPERM \
        release=0 value=1; do
        assert_line "probe: $answer"
    done
}

@test "who holds it already is told so, and does not wait for itself" {
    probe errors
    assert_line "probe: acquire_again=EDEADLK"
    assert_line "probe: child_acquire=EAGAIN"
    assert_line "probe: acquire_other=0"
    assert_line "probe: acquire_none=EINVAL"
}

@test "a holder that waits itself is reported with what it waits for" {
    probe chain
    run -0 grep -m 1 "reporter: still_waiting .* semaphore=index " <<<"$output"
    assert_regex "$output" ' holder=indexer\[[0-9]+\] state=sleeping waits_for=log '
}

@test "of more waits than there are slots each is served, and they are counted" {
    probe slots
    assert_line "probe: acquired=1"
    assert_line --regexp "^reporter: no_slot sq=1 time=[0-9.]+ waits=1$"
}

@test "while nobody waits the reporter sleeps" {
    [[ -z ${KIT_UNDER-} ]] || skip "valgrind itself switches"
    probe quiet
    assert_output "probe: woken=0"
}

@test "guardian and reporter end when the program is killed" {
    probe end # it waits for both
    assert_output "probe: set=gone"
}

@test "the reporter is not a child that the program would have to wait for" {
    probe errors
    assert_line "probe: children=0"
}

# waits WAITER ADDRESS HOLDER [MS]: print a record, as Windows writes it.
waits() {
    echo "THREAD [$1] WAITING FOR SEM 0x042D a name (@$2) (OWNER=$3) FOR ${4:-30000} ms"
}

@test "the same number at another address is another semaphore" {
    {
        waits 0A01:0001 00000010 0B01:0001
        waits 0A02:0001 00000020 0B01:0001
    } >log
    run -0 semdebug_report log
    assert_equal "$(grep -c '^semaphore:' <<<"$output")" 2
}

@test "who holds it in all reports is stuck, whoever waits" {
    {
        waits 0A01:0001 00000010 0B01:0001
        waits 0A02:0001 00000010 0B01:0001
    } >log
    run -0 semdebug_report log
    assert_line --partial "verdict: stuck holder: no report names another"
    assert_line --partial "holder: thread=0B01:0001 pid=2817 pid_hex=0xB01 reports=2"
}

@test "a semaphore that goes from hand to hand is a convoy, not a culprit" {
    {
        waits 0A01:0001 00000010 0B01:0001
        waits 0A02:0001 00000010 0000:0000
        waits 0A03:0001 00000010 0A02:0001
    } >log
    run -0 semdebug_report log
    assert_line --partial "verdict: convoy of 2 holders"
    assert_line --partial 'had_it="0B01:0001*1 nobody*1 0A02:0001*1" changes=2'
}

@test "a wait is as long as its reports in a row, not as one slice" {
    for _ in 1 2 3; do
        waits 0A01:0001 00000010 0B01:0001
    done >log
    run -0 semdebug_report log
    assert_line --regexp "waiter: thread=0A01:0001 .* reports=3 longest_ms=90000"
}

@test "those who wait in a circle are a deadlock, named once" {
    for _ in 1 2; do
        waits 0A01:0001-000C 00000010 0A02:000D
        waits 0A02:0007-000D 00000020 0A01:000C
    done >log
    run -0 semdebug_report log
    assert_equal "$(grep -c '^deadlock:' <<<"$output")" 1
    assert_line --partial "deadlock: number=1 of=2 reports_of_each=2 times=1"
    assert_equal "$(grep -c 'verdict: deadlock of 2: they were reported again' \
        <<<"$output")" 2
}

@test "a holder that waits in turn is followed to the root" {
    {
        waits 0A01:0001 00000010 0A02:0001
        waits 0A02:0001 00000020 0A03:0001
        waits 0A03:0001 00000030 0A04:0001
        waits 0A05:0001 00000030 0A04:0001
    } >log
    run -0 semdebug_report log
    assert_line --partial "chain: depth=3 via=0A02:0001<-@00000020<-0A03:0001<-@00000030<-0A04:0001 ends=root root=0A04:0001 pid=2564"
    assert_equal "$(grep -c 'verdict: stuck holder, at the end of the chain' \
        <<<"$output")" 2
}

@test "a holder that is not in the list of processes is gone" {
    {
        waits 0A01:0001 00000010 0B01:0001
        waits 0A02:0001 00000010 0B01:0001
    } >log
    printf '%s\n' "UID PID PPID C STIME TTY TIME CMD" \
        "n 2561 1 0 10:00 ? 00:00:01 /opt/http -d" \
        "n 2562 1 0 10:00 ? 00:00:01 /opt/amgr" >list
    run -0 semdebug_report --processes=list log
    assert_line --partial "verdict: holder gone: its process is not in the list: nobody"
    assert_line --partial "waiter: thread=0A01:0001 pid=2561 pid_hex=0xA01 program=http"
    echo "n 2817 1 0 10:00 ? 00:00:01 /opt/server" >>list
    run -0 semdebug_report --processes=list log
    assert_line --partial "verdict: stuck holder"
    assert_line --partial "program=server"
}

@test "ids that may be hex or decimal are not guessed: it asks, and exits with 2" {
    waits 0101:0022 00000010 0012:0034 >log
    run -2 semdebug_report log
    assert_output "semdebug_report: the ids may be hex or decimal: say --ids=hex (Windows) or --ids=dec (Unix)"
    run -0 semdebug_report --ids=hex log
    assert_line --partial "thread=0012:0034 pid=18 pid_hex=0x12"
    run -0 semdebug_report --ids=dec log
    assert_line --partial "thread=0012:0034 pid=12 pid_hex=0xC"
}

# log_of SPELLING BASE: write such a log, and read it.
log_of() {
    semdebug_log "$1" >"$1.log"
    mapfile -t log <"$1.log"
    run -0 semdebug_report --ids="$2" "$1.log"
}

@test "a log in any of the spellings is read whole, and comes to one verdict" {
    local spelling verdict='' last=''
    for spelling in windows:hex unix:dec newer:hex; do
        log_of "${spelling%:*}" "${spelling#*:}"
        assert_line --index 0 --partial "log: lines=8 records=6 whole=6 wrapped=0 cut=0 unknown_lines=2 "
        assert_line --partial " reports=6 waiters=2 holders=1 "
        assert_line --regexp "^  holder: .* pid=$(field holder "${log[0]}") .* reports=6 as=owner$"
        verdict=$(grep '^  verdict: ' <<<"$output")
        assert_equal "$verdict" "${last:-$verdict}"
        last=$verdict
    done
    assert_equal "$last" "  verdict: stuck holder: no report names another holder: see what it does"
    # And they are three.
    for spelling in 'windows.log [0-9A-F]{4,}:' 'unix.log [0-9]{5,}:' \
        'newer.log [0-9A-F]{4,}:0001-'; do
        run grep -cE " THREAD \[${spelling#* }[0-9A-F]{4,}\] " "${spelling% *}"
        assert_output 6
    done
}

@test "each record has a number and a time, and none is missing" {
    log_of windows hex
    assert_line "sequence: gaps=0 missing=0 too_late=0 repeated=0 restarts=0"
    for i in 1 2 3 4 5 6; do
        [[ ${log[i]} =~ ^sq=\"0000000$i\"\ [0-9]{2}/[0-9]{2}/[0-9]{4}\ [0-9:]{8}\ THREAD ]] ||
            fail "${log[i]}"
    done
    assert_line --index 0 --partial " last=\"${log[6]:14:19}\""
}

@test "of a wait three slices are told, and the log says how many were left out" {
    log_of unix dec
    assert_equal "${log[-1]}" "log: ended records=6 suppressed=4"
    run sort < <(sed -n 's/.* THREAD \(.*\) WAITING .*/\1/p' unix.log)
    run uniq -c <<<"$output"
    assert_equal "${#lines[@]}" 2
    assert_line --index 0 --regexp "^ *3 "
    assert_line --index 1 --regexp "^ *3 "
}

@test "the statistic is read from outside, while others write into it" {
    run -0 sem_stats
    assert_at_least 10 "$(field changed "${lines[1]}")"
    assert_line --index 2 --partial "reader: row name=430D acquisitions=2 contended=1 timeouts=2 orphaned=0 "
    assert_line --index 3 --partial "reader: row name=0A13 acquisitions="
    assert_at_least 10 "$(field acquisitions "${lines[3]}")"
}

@test "a row that is half written is not shown, and no copy is torn" {
    run -0 sem_stats
    assert_equal "$(field torn "${lines[1]}")" 0
    assert_line --index 4 "reader: no_row number=2 why=unfinished"
    refute_line --partial 030B
}

@test "the waits that ended without success are told as semdebug_report reads them" {
    run -0 sem_stats
    assert_line --index 5 "Sem.Timeouts = 430D:2" # no others, for there were none
    run -0 semdebug_report - <<<"$output"
    assert_line --partial "timeouts: id=0x430D count=2 "
}

@test "a process that has no table is told so" {
    run -1 sem_stats $$
    assert_output "sem_stats: openat: process $$ has no table"
}

# held HOLDER STAMP LINE...: in these lines session_held reports on the holder,
# each time later by a period of $ms at least.
held() {
    local reports=0 number
    for number in "${@:3}"; do
        reports=$((reports + 1))
        assert_line --index "$number" --regexp "^watcher: held semaphore=session\
 holder=$1\[[0-9]+\] stamp=$2 reports=$reports for_ms=[0-9]+ taken_at=session_held\.c:[0-9]+$"
        assert_at_least $((ms * reports)) "$(field for_ms "${lines[number]}")"
    done
}

@test "a long hold is told while it lasts, and again, although nobody waits" {
    local ms=40
    run -0 session_held ${ms}ms
    held clerk 1 0 1 2
}

@test "who takes it over is counted anew, and the end of a hold is told" {
    local ms=120 start=${EPOCHREALTIME/[.,]/} took
    run -0 session_held ${ms}ms
    took=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
    assert_line --index 3 --regexp "^watcher: let_go semaphore=session holder=clerk\[[0-9]+\] stamp=1 reports=3$"
    held next 2 4 5 6
    assert_line --index 7 --regexp "^watcher: let_go semaphore=session holder=next\[[0-9]+\] stamp=2 reports=3$"
    # Both have held it, one after the other.
    assert_at_least $(($(field for_ms "${lines[2]}") + $(field for_ms "${lines[6]}"))) "$took"
}
