# Exercise follow_the_holder: from a waiter to the root.

# Read: Reading such a log

# shellcheck disable=SC2154,SC2317 # subject() sets these, and calls what setup() defines

setup() {
    load ../exercise
    exercise_setup

    # It has no calls that could be told or drawn: tell what it was asked.
    where_it_hangs() {
        echo "it goes round without end, and was called with"
        fmt -w 72 <<<"${asked[*]}" | sed 's/^/  /; 6q'
        echo "Wanted: an end for each way, also for one that comes back."
    }
    mistake_in_waiting() { mistake "$@"; }
}

teardown() {
    exercise_teardown
}

# ended: how the way ended: "root 00B0:0011", with the native thread alone.
ended() {
    local it
    it=$(sed -nE 's/^follower: ([a-z]+) thread=([^:]*):([^-]*-)?/\1 \2:/p' \
        <<<"$output")
    echo "${it:-exit code $status, after: ${output##*$'\n'}}"
}

# follows THREAD RECORD...
follows() {
    local LC_ALL=C asked=("$@")
    subject "$@"
    is=$(ended)
    is=${is%% *}\ $(tr a-f A-F <<<"${is#* }")
}

# requirement 1
@test "a way is followed to the first one that does not wait" {
    follows 0053:002F 0053:002F=009A:0099
    [[ $is != "root 0053:002F" ]] || mistake \
        "0053:002F is the waiter, a victim: it waits for what 009A:0099 holds." \
        "Wanted: root 009A:0099."
    [[ $is == "root 009A:0099" ]] || mistake \
        "0053:002F waits for 009A:0099, which waits for nothing." \
        "Wanted: root 009A:0099. Instead: $is"

    follows 0053:002F 00A4:0031=0061:0011 00B0:0011=00C0:0012 \
        009A:0099=00B0:0011 0053:002F=009A:0099
    [[ $is == "root 00C0:0012" ]] || mistake \
        "0053:002F waits for 009A:0099, that for 00B0:0011, that for 00C0:0012." \
        "Who waits itself is no root. Wanted: root 00C0:0012. Instead: $is"

    follows 00C0:0012 0053:002F=00C0:0012
    [[ $is == "root 00C0:0012" ]] || mistake \
        "00C0:0012 waits for nothing. Wanted: root 00C0:0012. Instead: $is"
    touch "$BATS_FILE_TMPDIR/follows"
}

# requirement 2
@test "a thread is its process and the last of its ids" {
    [[ -e $BATS_FILE_TMPDIR/follows ]] || return 0 # that is requirement 1
    follows 0053:002F 0053:002F=009A:0099 009A:0007-0099=00B0:0011
    [[ $is == "root 00B0:0011" ]] || mistake \
        "The holder 009A:0099 and the waiter 009A:0007-0099 are the same thread." \
        "Wanted: root 00B0:0011. Instead: $is"
    follows 0053:0012-002F 0053:002F=009A:0099
    [[ $is == "root 009A:0099" ]] || mistake \
        "It began with 0053:0012-002F, and the waiter 0053:002F are the same thread." \
        "Wanted: root 009A:0099. Instead: $is"
    follows 0053:002F 0053:002F=009A:0099 009A:0099-0007=00B0:0011
    [[ $is == "root 009A:0099" ]] || mistake \
        "009A:0099 holds it, and 009A:0099-0007 is another thread: its last id is" \
        "0007. Wanted: root 009A:0099. Instead: $is"
    follows 0053:002F 0053:002F=009A:0099 009A:0098=00B0:0011
    [[ $is == "root 009A:0099" ]] || mistake \
        "009A:0099 holds it, and 009A:0098 waits for something else: these are" \
        "two threads of one process. Wanted: root 009A:0099. Instead: $is"
    follows 0053:002F 0053:002F=009A:0099 009B:0099=00B0:0011
    [[ $is == "root 009A:0099" ]] || mistake \
        "009A:0099 holds it, and 009B:0099 waits for something else: these are" \
        "two processes. Wanted: root 009A:0099. Instead: $is"
    follows 0053:002f 0053:002F=009a:009C 009A:0007-009c=00B0:0011
    [[ $is == "root 00B0:0011" ]] || mistake \
        "It began with 0053:002f: that and 0053:002F are the same thread, and so" \
        "are 009a:009C and 009A:0007-009c. Wanted: root 00B0:0011. Instead: $is"
}

# requirement 3
@test "of several records of one waiter the last counts" {
    [[ -e $BATS_FILE_TMPDIR/follows ]] || return 0 # that is requirement 1
    follows 0053:002F 0053:002F=009A:0099 0053:002F=00B0:0011
    [[ $is == "root 00B0:0011" ]] || mistake \
        "0053:002F waited for 009A:0099, and waits for 00B0:0011 now: the last" \
        "record of a waiter counts." "Wanted: root 00B0:0011. Instead: $is"
    follows 0053:002F 0053:002F=009A:0099 009A:0099=0053:002F \
        009A:0099=00B0:0011
    [[ $is == "root 00B0:0011" ]] || mistake \
        "009A:0099 waited for 0053:002F, and waits for 00B0:0011 now: the last" \
        "record of a waiter counts." "Wanted: root 00B0:0011. Instead: $is"
}

# requirement 4
@test "0000:0000 is nobody" {
    [[ -e $BATS_FILE_TMPDIR/follows ]] || return 0 # that is requirement 1
    local nobody
    for nobody in 0000:0000 00000:00000; do
        follows 0053:002F 0053:002F=009A:0099 009A:0099=$nobody
        [[ $is != *" $nobody" ]] || mistake \
            "009A:0099 waits for $nobody, which is nobody, and no thread." \
            "Wanted: nobody 009A:0099. Instead: $is"
        [[ $is == "nobody 009A:0099" ]] || mistake \
            "0053:002F waits for 009A:0099, and that for $nobody, which is nobody." \
            "Wanted: nobody 009A:0099. Instead: $is"
    done
    # A pid or an id may end in zeros.
    follows 0053:002F 0053:002F=00A0:0000
    [[ $is == "root 00A0:0000" ]] || mistake \
        "0053:002F waits for 00A0:0000, the first thread of a process." \
        "Wanted: root 00A0:0000. Instead: $is"
}

# requirement 5
@test "a way that comes back is a circle" {
    [[ -e $BATS_FILE_TMPDIR/follows ]] || return 0 # that is requirement 1
    follows 0053:002F 0053:002F=009A:0099 009A:0099=0053:002F
    [[ $is == "circle "@(0053:002F|009A:0099) ]] || mistake \
        "0053:002F and 009A:0099 wait for each other." \
        "Wanted: circle, and one of them. Instead: $is"
    follows 0001:0001 0001:0001=0053:002F 0053:002F=009A:0099 \
        009A:0099=00B0:0011 00B0:0011=0053:002F
    [[ $is == "circle "@(0053:002F|009A:0099|00B0:0011) ]] || mistake \
        "0001:0001 waits for 0053:002F, that for 009A:0099, that for 00B0:0011," \
        "and that for 0053:002F. The last three wait for each other, and the" \
        "first for them." "Wanted: circle, and one of the three. Instead: $is"
    follows 0053:002F 0053:002F=0053:002F
    [[ $is == "circle 0053:002F" ]] || mistake \
        "0053:002F waits for what it holds itself." \
        "Wanted: circle 0053:002F. Instead: $is"
    # A process may be met twice without a circle, and so may an id.
    follows 0053:002F 0053:002F=009A:0099 009A:0099=009A:0011
    [[ $is == "root 009A:0011" ]] || mistake \
        "0053:002F waits for 009A:0099, and that for 009A:0011: two threads of" \
        "one process, and no circle. Wanted: root 009A:0011. Instead: $is"
    follows 0053:002F 0053:002F=009A:0099 009A:0099=009A:0011 \
        009A:0011=00B0:0099 00B0:0099=00C0:0012
    [[ $is == "root 00C0:0012" ]] || mistake \
        "0053:002F waits for 009A:0099, that for 009A:0011, another thread of the" \
        "same process, that for 00B0:0099, which has only its thread's id in" \
        "common with one before, and that for 00C0:0012. It is no circle." \
        "Wanted: root 00C0:0012. Instead: $is"
    # A long way is no circle.
    local i records=()
    for i in {10..90}; do
        records+=("00$i:0001=00$((i + 1)):0001")
    done
    follows 0010:0001 "${records[@]}"
    [[ $is == "root 0091:0001" ]] || mistake \
        "A way of 81 steps without a circle." \
        "Wanted: root 0091:0001. Instead: $is"
}
