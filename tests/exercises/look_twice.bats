# Exercise look_twice: a circle that was seen once is no deadlock.

# shellcheck disable=SC2154 # run and subject() set output and status

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# Two that wait for each other, and three.
two=1=A.1,2=B.2,A-2,B-1
three=1=A.1,2=B.2,3=C.3,A-2,B-3,C-1

# sees WANTED "WHY..." SNAPSHOT...: what does it call that?
sees() {
    local wanted=$1 why=$2 line
    shift 2
    subject "$@"
    line=$(grep '^detector: ' <<<"$output") || mistake \
        "$why" "Wanted: $wanted. Instead: exit code $status, ${output##*$'\n'}"
    looks=$(field looks "$line")
    read -r _ is _ <<<"$line"
    [[ $is == "$wanted" ]] || mistake \
        "$why" "Wanted: $wanted. Instead: $is, after $looks looks."
}

# looks_twice: else what comes below would say the same again.
looks_twice() {
    [[ -e $BATS_FILE_TMPDIR/looks_twice ]]
}

# requirement 1
@test "a circle is looked for once more, and one that was seen once is a rumour" {
    sees nothing "A waits for B, and B for nobody: no circle." 1=A.1,2=B.2,A-2
    sees deadlock "A and B wait for each other, at each look." $two $two
    ((looks >= 2)) || mistake \
        "It made one look, found a circle of A and B, and called it a deadlock." \
        "Wanted: a second look, for the first may have seen rows of different" \
        "moments."
    ((looks == 2)) || mistake \
        "It made $looks looks at a circle of A and B. Wanted: two looks. What is" \
        "the same in both was so together, and a third can add nothing."
    [[ $output == *" circle="@(A,B|B,A)" "* ]] || mistake \
        "A and B wait for each other. Wanted: circle=A,B. Instead: $output"
    sees rumour "In the first look A and B wait for each other. In the second A \
has both, and waits for nothing." $two 1=A.1,2=A.3,B-1
    ((looks == 2)) || mistake \
        "The second look showed that it is a rumour. Wanted: two looks. Instead: $looks."
    [[ $output == *" circle="@(A,B|B,A)" "* ]] || mistake \
        "In the first look A and B seemed to wait for each other." \
        "Wanted: circle=A,B. Instead: $output"
    touch "$BATS_FILE_TMPDIR/looks_twice"
}

# requirement 2
@test "a circle of which a part is gone is a rumour" {
    looks_twice || return 0 # that is requirement 1
    sees rumour "In the second look B waits no more: its wait was over." \
        $two 1=A.1,2=B.2,A-2
    sees rumour "In the second look A waits no more: its wait was over." \
        $two 1=A.1,2=B.2,B-1
    sees rumour "In the second look C waits for 4, and no more for 1." \
        $three 1=A.1,2=B.2,3=C.3,A-2,B-3,C-4
    sees rumour "In the second look another one, C, has 2." \
        $two 1=A.1,2=C.5,A-2,B-1
    sees rumour "In the second look B waits no more. There is another circle, of \
C and D, which has been seen once." \
        $two,3=C.3,4=D.4,D-3 1=A.1,2=B.2,A-2,3=C.3,4=D.4,C-4,D-3
    sees rumour "In the second look A waits for 3, which B has, too, and no more \
for 2." $two,3=B.3 1=A.1,2=B.2,3=B.3,A-3,B-1
}

# requirement 3
@test "who has let go and come back is not who was there before" {
    looks_twice || return 0 # that is requirement 1
    local why="who let it go and took it again could have gone on."
    sees rumour "In the second look A holds 1 with another stamp: $why" \
        $two 1=A.3,2=B.2,A-2,B-1
    sees rumour "In the second look B holds 2 with another stamp: $why" \
        $two 1=A.1,2=B.3,A-2,B-1
    sees rumour "In the second look C holds 3 with another stamp: $why" \
        $three 1=A.1,2=B.2,3=C.4,A-2,B-3,C-1
    sees rumour "In the second look all three stamps are others: $why" \
        $three 1=A.4,2=B.5,3=C.6,A-2,B-3,C-1
    sees rumour "In the second look A holds 1 with another stamp, 3 and no more 1. \
That the 9 of B is higher does not matter: $why" \
        1=A.1,2=B.9,A-2,B-1 1=A.3,2=B.9,A-2,B-1
}

# requirement 4
@test "a deadlock is one, whatever the others do meanwhile" {
    looks_twice || return 0 # that is requirement 1
    sees deadlock "A and B wait for each other. D took 3, which is not on the circle." \
        $two,3=C.3 $two,3=D.9
    sees deadlock "A and B wait for each other. C let go of 3 and took it again: \
that is not on the circle." $two,3=C.3 $two,3=C.4
    sees deadlock "A and B wait for each other. C and D began to wait for what they \
hold: they are not on the circle." $two $two,C-1,D-2
    sees deadlock "B and C wait for each other. A and D began to wait for each \
other: that is a circle of their own." \
        1=B.1,2=C.2,B-2,C-1 1=B.1,2=C.2,B-2,C-1,3=A.3,4=D.4,A-4,D-3
    sees deadlock "A and B wait for each other. A has let go of 3, for which \
neither of them waits: it is not on the circle." $two,3=A.5 $two
    sees deadlock "A, B and C wait for each other. D no longer waits for one of them: \
it is not on the circle." $three,D-1,4=D.7 $three
}
