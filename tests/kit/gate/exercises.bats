# The learner's loop, in a copy of the tree with an exercise of its own.

setup() {
    load ../../helpers
    load ../demo_exercise
    demo_setup
    file=exercises/01_demo/say_when.c
    header="say_when  $file  " # of a verdict
}

teardown() {
    [[ -z ${started-} ]] || kill -KILL -- "-$started" 2>/dev/null || true
}

# verdict CODE WORD: what make check-say_when says; exit code and first word.
verdict() {
    run make check-say_when
    [[ $status -eq $1 && $output == "$2  $header"* ]] || fail "$output"
    if [[ $1 -ne 0 ]]; then # make has the last word
        assert_line --index -1 --partial "make: *** "
        unset "lines[-1]"
    fi
}

@test "an exercise as it came is TODO, and its first failure is shown whole" {
    verdict 2 TODO
    assert_equal "$(printf '%s\n' "${lines[@]:1}")" "  PASS  it starts
  FAIL  1. the answer is one more
        after 5 comes 6, not 5:
        one too few
  (1 of 3 checks not run yet)
  PASS  no misuse of memory in: say_when 1
  read  chapters/01_demo/README.md, How it works
  next  change $file, then: make check-say_when"
}

@test "a solved exercise is PASS, with the time from save to verdict" {
    write ""
    verdict 0 PASS
    assert_regex "${lines[0]}" ' [0-9]+\.[0-9] s$'
    assert_equal "$(printf '%s\n' "${lines[@]:1}")" "  PASS  it starts
  PASS  1. the answer is one more
  PASS  2. nobody is waited for
  PASS  no misuse of memory in: say_when 1
  next  make compare-say_when"
}

@test "a mistake in the waiting is drawn as lanes" {
    write 's/+ 1/+ 2/'
    verdict 2 FAIL
    assert_line "        7 is one too many"
    assert_line --regexp '^say_when +\[.*poll 1ms'
    assert_equal "${lines[-1]}" "  next  make hint-say_when"
}

@test "a program that hangs is HUNG, with the call that never came back" {
    write 's/return EXIT_TIMED_OUT/return poll(NULL, 0, -1)/'
    verdict 2 HUNG
    assert_line "  HUNG  2. nobody is waited for"
    assert_line "        say_when never came back from poll fd=none of=0 limit=none"
    write '/stdlib/a #include <unistd.h>\n#include <sys/wait.h>
        s/return EXIT_TIMED_OUT/return fork() ? wait(NULL) : pause()/'
    verdict 2 HUNG # its parent waits too, but for a child that does
    assert_line "        say_when never came back from pause limit=none"
}

@test "a program that goes round without end is told from one that waits" {
    write 's/return EXIT_TIMED_OUT/for (;;) poll(NULL, 0, 0)/'
    verdict 2 HUNG
    assert_line --regexp \
        '^ +say_when goes round without end: [0-9]+ times poll .*limit=0s = 0$'
    write 's/return EXIT_TIMED_OUT/for (;;)/'
    verdict 2 HUNG
    assert_line "        it goes round without end, and waits for nothing"
}

@test "a compiler's message comes first and unchanged" {
    write 's/atoi(argv/atoi(arg/'
    run cc -std=gnu11 -Wall -Wextra -O1 -g -iquote solutions/01_demo "$file" \
        -o "$BATS_TEST_TMPDIR/program"
    said=$output
    [[ $status -ne 0 && $said == "$file: In function "* ]]

    run -2 make check-say_when
    [[ $output == "$said"*"FAIL  $header"* ]] || fail "$output"
    assert_line "  FAIL  it does not compile"
    assert_line "  next  make check-say_when"
}

@test "a warning stands under the verdict and stops nothing" {
    write 's/^{/{\n    int unused;/'
    verdict 0 PASS
    assert_line "  The compiler warns:"
    assert_line --partial "$file:15:9: warning: unused variable"
}

@test "misused memory fails, though all checks pass" {
    write 's/^    printf/    volatile char *one = malloc(1);\n    one[argc] = 0;\n&/'
    verdict 2 FAIL
    assert_line "  PASS  2. nobody is waited for"
    assert_line "  FAIL  no misuse of memory in: say_when 1"
    assert_line "        Invalid write of size 1"
    assert_line --partial "main (say_when.c:18)"
}

@test "what a program leaves behind, and too much output, is said" {
    export KIT_LIMIT=20s
    write 's/^    printf/    while (argc > 1)\n&/'
    verdict 2 FAIL
    assert_line "        output: more than 1048576 bytes, cut and killed"
    write \
        '/stdlib/a #include <unistd.h>
         s/^    printf/    if (fork() == 0)\n        pause();\n&/'
    verdict 2 FAIL
    assert_line --partial "        left behind: 'say_when' outlived the program"
}

@test "a file that is gone can be brought back" {
    rm "$file"
    verdict 2 FAIL
    assert_equal "${lines[-1]}" "  next  make reset-say_when"
    run -0 make reset-say_when
    verdict 2 TODO
}

@test "a name that does not exist is an error that lists those that do" {
    for command in watch hint compare reset answers; do
        run -2 make "$command-say_whne"
        assert_line \
            "make: there is no exercise 'say_whne'; there are: say_when"
    done
    run -2 make check-say_whne
    assert_output --partial "; there are: 01 say_when"
    run -2 tests/tools/exercise.sh check '*'
    assert_output "make: there is no exercise '*'; there are: say_when"
}

@test "hints add up, and after the last comes the solution" {
    run -0 make hint-say_when
    assert_line --index 0 "hint 1 of 3"
    assert_line "  the first hint"
    refute_output --partial second
    run -0 make hint-say_when
    assert_output "hint 1 of 3

  the first hint

hint 2 of 3

  the second hint

  next  make check-say_when"
    make hint-say_when hint-say_when
    run -0 make hint-say_when
    assert_line "hint 3 of 3"
    assert_equal "$(<.progress)" "say_when 0 3 - 0"

    write 's/+ 1/+ 2/'
    verdict 2 FAIL
    assert_equal "${lines[-1]}" "  next  make compare-say_when FORCE=1"
}

@test "compare shows the solution after a pass, and before only with FORCE=1" {
    write 's/+ 1/- -1/'
    run -2 make compare-say_when
    assert_line --index 0 --partial "say_when is not passed yet."
    refute_output --partial "+ 1"
    run -0 make compare-say_when FORCE=1
    assert_line '+    printf("answer=%d\n", atoi(argv[1]) + 1);'
    verdict 0 PASS
    run -0 make compare-say_when
    assert_line '-    printf("answer=%d\n", atoi(argv[1]) - -1);'
    assert_line "  Another right one: puts the one first."
    assert_equal "${lines[-1]}" "  next  make next"
}

@test "reset puts the starter back and never loses work" {
    local starter
    starter=$(<"$file")
    run -0 make reset-say_when
    assert_output "$file is the starter already."
    for n in 1 2 3; do
        echo "work $n" >"$file"
        run -0 make reset-say_when
        assert_line "Yours is kept as $file.orig-$n"
        assert_equal "$(<"$file")" "$starter"
    done
    assert_equal "$(cat "$file".orig-*)" $'work 1\nwork 2\nwork 3'
    run -0 ls exercises/01_demo
    assert_equal "${#lines[@]}" 5
}

@test "next names the file, the task and the command, until all are passed" {
    run -0 make next
    assert_output "next exercise: say_when  $file
  one more
  1. Print one
     more than N.
  2. Without N exit with 3, and do not wait.
  next  make check-say_when"
    write ""
    verdict 0 PASS
    run -0 make next
    assert_output "All exercises of the core are passed."
    echo "// once more" >>"$file"
    run -0 make next
    assert_output "All exercises of the core are passed."
}

@test "next leaves out what is not of the core, but for ALL=1" {
    sed -i 's/●/ /' chapters/01_demo/README.md
    run -0 make next
    assert_output "All exercises of the core are passed.
  next  make next ALL=1, for 1 more"
    run -0 make next ALL=1
    assert_line "next exercise: say_when  $file"
}

@test "status is the board of all exercises" {
    run -0 make status
    assert_line --index 0 --regexp '^  TODO  01 ●  say_when +0 tries  0 hints$'
    write 's/+ 1/+ 2/'
    verdict 2 FAIL
    run -0 make status
    assert_line --index 0 --regexp '^  FAIL  01 ●  say_when +1 tries  0 hints$'
    write ""
    run -0 make status
    assert_line --index 0 --regexp '^  FAIL .* hints  changed since$'
    verdict 0 PASS
    run -0 make status
    assert_line --index 0 --regexp '^  PASS  01 ●  say_when +2 tries  0 hints$'
}

@test "a .progress that makes no sense is set aside with a message" {
    local n=0 bad
    for bad in 'say_when 1 2' 'say_when x 0 - 0' $'\xff\xfe' \
        'say_when 0 0 - 0
say_when 99999999999999999999 0 - 0'; do
        n=$((n + 1))
        printf '%s\n' "$bad" >.progress
        run -0 make status
        assert_line ".progress made no sense: it is kept as .progress.orig-$n,\
 and a new one begins."
        assert_line --regexp '^  TODO  01 ●  say_when'
        assert_equal "$(cat ".progress.orig-$n")" "$bad"
    done
    mkdir .progress
    run -2 make check-say_when
    assert_line --partial "kept as .progress.orig-$((n + 1))"
    assert_equal "$(cut -d' ' -f1-4 .progress)" "say_when 0 0 -"
    echo "another 1 2 PASS 3" >.progress # is no business of ours
    run -0 make hint-say_when
    refute_output --partial "no sense"
    assert_equal "$(<.progress)" $'another 1 2 PASS 3\nsay_when 0 1 - 0'
}

@test "the instructor's list says what each wrong answer believes" {
    run -0 make answers-say_when
    assert_line "wrong_two_more"
    assert_line "    Wrong: believes that 2 is 1."
    assert_line "    Breaks requirement 1."
    assert_line "    The check says: 7 is one too many"
    assert_line "    Right: puts the one first."
    refute_output --partial "@@"
}

@test "colours are for a terminal, and not with NO_COLOR" {
    script -qc true /dev/null >/dev/null 2>&1 || lacks "a terminal of script(1)"
    write 's/+ 1/+ 2/'
    verdict 2 FAIL
    refute_output --partial $'\e'
    run script -qc "make check-say_when" /dev/null
    assert_line --index 0 --partial $'\e[1;31mFAIL\e[m'
    NO_COLOR=1 run script -qc "make check-say_when" /dev/null
    assert_line --index 0 --partial "FAIL  $header"
    refute_output --partial $'\e'
}

# read_until PATTERN: read the output of the started program up to a line.
read_until() {
    local line seen=
    while IFS= read -r -t "$((20 * ${KIT_TIME_SCALE:-1}))" -u "$from" line; do
        seen+=$line$'\n'
        # shellcheck disable=SC2053
        [[ $line != $1 ]] || return 0
    done
    fail "no line '$1' in: $seen"
}

# read_to_end: all that it started must have ended.
read_to_end() {
    local got=0
    while ((got == 0)); do
        IFS= read -r -t "$((20 * ${KIT_TIME_SCALE:-1}))" -u "$from" || got=$?
    done
    ((got == 1)) || fail "a process is left behind"
}

@test "watch checks at each save, and Ctrl-C leaves no process" {
    # Whatever it starts holds the pipe: its end means that all have ended. In
    # the background SIGINT is ignored, but for what env makes of it.
    exec {from}< <(exec setsid env --default-signal=INT \
        make watch-say_when 2>&1 3>&-)
    started=$!
    read_until "TODO  $header*"
    read_until "watching $file: *"
    write 's/+ 1/+ 2/'
    read_until "FAIL  $header+([0-9]).[0-9] s" # since it was saved
    read_until "watching $file: *"
    write "" # as some editors save
    cp "$file" "$file.new" && write 's/1/2/' && mv "$file.new" "$file"
    read_until "PASS  $header*"
    read_until "watching $file: *"
    kill -INT -- "-$started"
    read_to_end
}

@test "watch polls where inotifywait is missing" {
    mkdir bin
    printf '#!/bin/sh\nexit 127\n' >bin/inotifywait
    chmod +x bin/inotifywait
    PATH=$PWD/bin:$PATH
    exec {from}< <(exec setsid env --default-signal=INT \
        make watch-say_when 2>&1 3>&-)
    started=$!
    read_until "watching $file: *"
    write ""
    read_until "PASS  $header*"
    kill -INT -- "-$started" # in the midst of it
    read_to_end
}

@test "Ctrl-C in the midst of a check leaves no process" {
    local there="$BATS_TEST_TMPDIR/there"
    write 's/return EXIT_TIMED_OUT/return poll(NULL, 0, -1)/'
    mkfifo "$there"
    sed -i "s|    subject\$|    echo >'$there'; subject|" \
        tests/exercises/say_when.bats
    exec {from}< <(KIT_LIMIT=60s exec setsid env --default-signal=INT \
        make check-say_when 2>&1 3>&-)
    started=$!
    read -r <"$there"
    kill -INT -- "-$started"
    read_to_end
}
