# A copy of the tree with blanks in its path and a tiny exercise, say_when, in
# place of the others: for the tests of what is done with exercises.

demo_setup() {
    command -v valgrind >/dev/null || lacks valgrind
    tree="$BATS_TEST_TMPDIR/a tree"
    plant
    unset KIT_BUILD KIT_TOP NO_COLOR # what make check has set
    export KIT_LIMIT=1s # against hanging
}

# plant: the tree, with its tools as they were built.
plant() {
    mkdir -p "$tree"/build "$tree"/{chapters,exercises,solutions}/01_demo \
        "$tree"/tests/{answers/say_when,chapters,kit,exercises}
    cp -Rp "$KIT_TOP"/{Makefile,common} "$tree"
    cp -Rp "$KIT_TOP"/tests/{tools,helpers.bash,exercise.bash} "$tree/tests"
    cp -Rp "$KIT_BUILD/tools" "$tree/build"
    # Here is another bats, which wants what dash takes out of the environment.
    PATH=${PATH//"$BATS_LIBEXEC:"/}
    cd "$tree" || return

    cat >solutions/01_demo/say_when.c <<'END-OF-FILE'
/*
 * say_when - answer with N plus one; without N, do not wait for one.
 *
 *     $ say_when 1
 *     answer=2
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../common/exit_codes.h"

int main(int argc, char *argv[])
{
    if (argc < 2)
        return EXIT_TIMED_OUT;
    printf("answer=%d\n", atoi(argv[1]) + 1);
    return poll(NULL, 0, 1) == -1;
}
END-OF-FILE
    sed -e 's/ + 1//' -e '/^int main/i\
/*\
 * TODO: this answers with N itself.\
 *\
 *   1. Print one\
 *      more than N.\
 *   2. Without N exit with 3, and do not wait.\
 */' solutions/01_demo/say_when.c >exercises/01_demo/say_when.c

    sed 's/^%test/@test/' >tests/exercises/say_when.bats <<'END-OF-FILE'
setup() { load ../exercise; exercise_setup; }
teardown() { exercise_teardown; }

%test "it starts" {
    subject 0
    [[ $status -eq 0 ]]
}

# requirement 1
%test "the answer is one more" {
    subject 5
    answer=$(field answer "$output")
    [[ $answer -ge 6 ]] || mistake "after 5 comes 6, not $answer:" "one too few"
    [[ $answer -le 6 ]] || mistake_in_waiting "$answer is one too many"
    [[ $(calls poll) == *"limit=1ms = 0" ]] || mistake "no poll"
}

# requirement 2
%test "nobody is waited for" {
    subject
    [[ $status -eq 3 ]] || mistake "exit with 3, not $status"
}
END-OF-FILE

    answer starter "" s/x/x/
    answer wrong_two_more $'Wrong: believes that 2 is 1.
Breaks requirement 1.\nThe check says: 7 is one too many' 's/+ 1/+ 2/'
    answer wrong_waits $'Wrong: believes that N will come.
Breaks requirement 2.\nThe check says: never came back from poll fd=none' \
        's/return EXIT_TIMED_OUT/return poll(NULL, 0, -1)/'
    answer right_other_order 'Right: puts the one first.' \
        's/atoi(argv\[1\]) + 1/1 + atoi(argv[1])/'

    printf '## say_when %s\n\nthe %s hint\n\n' 1 first 2 second 3 third \
        >exercises/01_demo/HINTS.md
    cat >chapters/01_demo/README.md <<'END-OF-FILE'
# 1. A demo

## How it works

## Do it yourself

| | exercise | you write |
| - | - | - |
| ● | `say_when` | one more |
END-OF-FILE

    # What else make check wants.
    printf '%s\n' '/*' ' * demo - do nothing' ' */' \
        'int main(void) { return 0; }' >chapters/01_demo/demo.c
    printf '```console\n$ true\n```\n' | tee README.md \
        >>chapters/01_demo/README.md
    tee tests/chapters/01_demo.bats tests/kit/{programs,signals,other}.bats \
        <<<'@test "it holds" { true; }' >/dev/null
}

# answer ANSWER TEXT EDIT: a patch to what sed's EDIT makes of the solution.
answer() {
    local to=solutions/01_demo/say_when.c
    sed "$3" solutions/01_demo/say_when.c >to.c
    [[ $1 != starter ]] || cp exercises/01_demo/say_when.c to.c
    {
        printf '%s\n\n' "$2"
        diff -u --label "a/$to" --label "b/$to" "$to" to.c || true
    } >"tests/answers/say_when/$1.patch"
    rm to.c
}

# write EDIT: the learner's file, made of the solution.
write() {
    sed "$1" solutions/01_demo/say_when.c >exercises/01_demo/say_when.c
}
