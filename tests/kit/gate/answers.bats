# make check and make verify with an exercise in every state. What verify
# proves of the answers on file (tests/tools/prove.sh) is itself shown to catch
# what is planted.

setup() {
    load ../../helpers
    load ../demo_exercise
    demo_setup
    file=exercises/01_demo/say_when.c
}

@test "make check counts TODO as skipped, wrong as failed, right as passed" {
    run make check
    [[ $status -eq 0 ]] || fail "$output"
    assert_line --regexp '^  TODO  exercises/say_when '
    assert_line --regexp '^  PASS  solutions/say_when +3 of 3 '
    assert_line --regexp '^  exercises +0 +0 +1$'
    assert_line --index -1 "9 passed, 0 failed, 1 skipped"

    write 's/+ 1/+ 2/'
    run -2 make check JUNIT=report.xml
    assert_line --regexp '^  FAIL  exercises/say_when '
    assert_line --regexp '^ +7 is one too many$'
    assert_line --regexp '^  exercises +0 +1 +0$'
    run -0 cat report.xml
    assert_line --partial 'name="say_when"><failure>FAIL  say_when '
    if command -v xmllint >/dev/null; then
        run -0 xmllint --noout report.xml
    fi

    write ""
    run -0 make check
    assert_line --regexp '^  exercises +1 +0 +0$'
    run -0 make next
    assert_output "All exercises of the core are passed."
}

@test "make check leaves nothing behind but build/ and .progress" {
    local before after
    write ""
    before=$(find . -path ./build -prune -o -print | sort)
    make check-say_when check-01
    after=$(find . -path ./build -prune -o -print | sort)
    assert_equal "$(comm -3 <(echo "$before") <(echo "$after"))" $'\t./.progress'
}

@test "make verify counts what it has proved" {
    run -0 make suite/answers
    assert_output --regexp '^  PASS  answers +8 of 8 '
    assert_line --index 1 "        solutions 1 of 1, starters 1 of 1, wrong 2 of\
 2 by name, right 1 of 1, requirements 2 of 2"
}

# proof_says LINE...: make verify says these lines, and counts a failure.
proof_says() {
    run make suite/answers
    assert_line --index 0 --regexp '^  FAIL  answers '
    for line; do
        assert_line "        $line"
    done
    run -1 tests/tools/tally.sh answers
}

@test "a wrong answer that passes, or fails for another reason, is caught" {
    answer wrong_two_more $'Breaks requirement 1.\nThe check says: x' 's/N plus/N and/'
    answer wrong_waits $'Breaks requirement 2.\nThe check says: blue' \
        's/TIMED_OUT/USAGE/'
    proof_says "not ok 4 say_when wrong_two_more" "# it passes" \
        "not ok 5 say_when wrong_waits" "# the check does not say 'blue':" \
        "# FAIL  2. nobody is waited for" "#       exit with 3, not 2" \
        "# no wrong answer breaks it alone" \
        "solutions 1 of 1, starters 1 of 1, wrong 0 of 2 by name, right 1 of\
 1, requirements 0 of 2"
}

@test "words that do not stand in the first failure are caught" {
    answer wrong_waits $'The check says: nobody is waited for' \
        's/TIMED_OUT/USAGE/; s/ + 1//'
    proof_says "# the check does not say 'nobody is waited for':" \
        "#       after 5 comes 6, not 5:" "#       one too few"
}

@test "an answer that breaks more, or does not compile or apply, is caught" {
    answer wrong_two_more $'Breaks requirement 1.\nThe check says: one too few' \
        's/TIMED_OUT/USAGE/; s/ + 1//'
    answer wrong_waits $'Breaks requirement 2.\nThe check says: x' 's/argc </x </'
    answer wrong_third $'The check says: x' 's/N/M/'
    sed -i 's/^-/-x/' tests/answers/say_when/wrong_third.patch
    answer wrong_silent "Wrong." 's/ + 1//'
    proof_says \
        "# it breaks not only requirement 1: 2. nobody is waited for" \
        "# it does not compile:" \
        "# the patch does not apply: 2 out of 2 hunks FAILED" \
        "# its patch does not foretell what the check says"
}

@test "a requirement that no wrong answer breaks, or no test, is caught" {
    rm tests/answers/say_when/wrong_waits.patch
    sed -i 's/^# requirement 2$/# requirement 3/' tests/exercises/say_when.bats
    proof_says "# requirement 2 has no test" \
        "# its tests know a requirement 3, its TODO does not" \
        "not ok 7 say_when requirement_2" "# no wrong answer breaks it alone"
}

@test "a starter that differs or passes, and a right one that fails, are caught" {
    sed -i 's/TODO: this/TODO: it/' "$file"
    answer right_other_order 'Right.' 's/+ 1/+ 2/'
    proof_says \
        "# $file is not what starter.patch makes of the solution" \
        "not ok 6 say_when right_other_order" "# it fails:" \
        "#       7 is one too many"
    write 's/ one/ one /'
    answer starter "" ""
    proof_says "not ok 3 say_when starter" "# it passes" \
        "# its TODO has no numbered requirements"
}

@test "a right answer that misuses memory is caught" {
    answer right_other_order 'Right.' \
        's/^    printf/    volatile char *one = malloc(1);\n    one[argc] = 0;\n&/'
    proof_says "# FAIL  no misuse of memory in: say_when 1"
}

@test "a hint, a row or a section that is missing is caught" {
    sed -i '/^## say_when 3/d' exercises/01_demo/HINTS.md
    sed -i -e '/say_when/d' -e '/^## How/d' chapters/01_demo/README.md
    proof_says "# exercises/01_demo/HINTS.md has no '## say_when 3'" \
        "# it stands in no table below 'Do it yourself'" \
        "# learners are sent to 'How it works', which\
 chapters/01_demo/README.md does not have"
}
