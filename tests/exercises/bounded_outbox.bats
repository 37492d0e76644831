# Exercise bounded_outbox: a ring that refuses instead of growing.

# shellcheck disable=SC2154 # status and output are set by subject()

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# play STEP...: run these steps, and compare each line with what is right, up
# to the first that is not. Then the mistake is told.
play() {
    local step number text letters=abcdefghijklmnopqrstuvwxyz
    letters+=$letters # a record may begin at z
    local waiting='' offered=0 done=() said=()

    subject "$@"
    mapfile -t said <<<"$output"
    for step; do
        done+=("$step")
        number=${step#?}
        line=${said[${#done[@]} - 1]-}
        if [[ $step == +* ]]; then
            text=${letters:offered % 26:number}
            offered=$((offered + number))
            offer
        else
            text=${waiting:0:number}
            waiting=${waiting:${#text}}
            take
        fi
    done
    line=${said[${#done[@]}]-}
    [[ $status -eq 0 && -z $line ]] || ended
}

# offer: the program was offered text.
offer() {
    local before=${#waiting} size=${line##*size=}
    local fits=$((before + ${#text} <= 16)) told="$before of 16 bytes waited"
    case $line in
        "outbox: took text=$text size=16")
            ((fits == 0)) || { waiting+=$text && return; }
            taken_without_room
            ;;
        "outbox: refused text=$text size=16")
            ((fits == 1)) || return 0
            ((before + ${#text} < 16)) || wrong \
                "There was room for $text, and it was refused: $told." \
                "Wanted: taken. It just fits, and all of the memory can be used."
            wrong "There was room for $text, and it was refused: $told." \
                "Wanted: taken, also when the room is in two pieces, at the end" \
                "of the memory and at its start."
            ;;
        "outbox: "*" text=$text size=$size")
            wrong "The outbox has 16 bytes, and it has grown: $text came," \
                "$told, and now size=$size. Wanted: refused" \
                "if there is no room, and size=16 for ever."
            ;;
        *) ended ;;
    esac
}

# taken_without_room: what became of text? See what was read afterwards.
taken_without_room() {
    local all
    all=$(sed -n 's/^reader: .* text=//p' <<<"$output" | tr -d '\n')
    [[ $before -ne 16 || $all == *"$waiting"* ]] || wrong \
        "All 16 bytes waited, $text came and was taken. Afterwards" \
        "$waiting did not come out. A full outbox was" \
        "taken for an empty one. Wanted: refused."
    [[ $all != *"$waiting${text:0:1}"* || $all == *"$waiting$text"* ]] ||
        wrong "There was no room for $text: $told. A part of it" \
            "was taken, half a record. Wanted: refused, nothing taken."
    [[ $all == *"$waiting"* ]] || wrong \
        "There was no room for $text: $told. It was taken," \
        "and they were lost: $waiting did not come out whole." \
        "Wanted: refused, and what waits is kept."
    wrong "There was no room for $text: $told. It was taken." \
        "Wanted: refused."
}

# take: the socket took up to number bytes, and the reader should have text.
take() {
    local got
    [[ $line != "reader: read bytes=${#text} text=${text:-none}" ]] || return 0
    [[ $line == "reader: read bytes="*" text="* ]] || ended
    got=${line#*text=}
    [[ $got != *!* ]] || wrong \
        "The reader got $got, wanted was ${text:-none}." \
        "'!' stands where nothing was written: more bytes were sent than" \
        "stand together. What waits goes on at the start of the memory, not" \
        "behind its end."
    [[ $got != "$text$waiting"?* || -z $text || $got == none ]] || wrong \
        "The reader got $got, wanted was $text." \
        "The rest is of a record that was refused: half a record was taken."
    [[ $got != none && $got != "$text"?* && $text != "$got"* ]] || wrong \
        "The reader got $got, wanted was ${text:-none}:" \
        "not as many bytes as were waiting and the socket would take."
    wrong "The reader got $got, wanted was ${text:-none}:" \
        "other bytes, or another order, than they came in."
}

# ended: the program said something else, or nothing.
ended() {
    local behind=${output##*written behind the end of the memory: bytes=}
    [[ $behind == "$output" ]] || wrong \
        "$behind bytes were written behind the end of the memory, over what" \
        "belongs to others. What does not fit before the end goes on at the" \
        "start of the memory."
    ((status <= 128)) || wrong \
        "The program was ended by signal $((status - 128)), SIG$(kill -l \
            "$status"). It used memory that is not there, or not its own."
    wrong "The program ended with exit code $status, and it said:" "$output"
}

# wrong TEXT...: tell it, and how to see it.
wrong() {
    mistake "$@" "Seen in: $subject_name ${done[*]}"
}

@test "what fits is taken, and comes out again" {
    play +3 -3 +6 +6 -5 -7 -1
}

# requirement 1
@test "a record for which there is no room is refused, and nothing changed" {
    play +6 +6 +5 -16
    play +17 +6 +6 +5 +3 -16
}

# requirement 2
@test "a record that just fits is taken, and full is not empty" {
    play +10 +6 +1 -16
    play +16 -4 -12 -1
}

# requirement 3
@test "a record goes on at the start of the memory, and in order" {
    play +12 -12 +8 -8
    play +12 -9 +10 -2 -3 -7 +9 -9
}

@test "a long run comes out as it went in" {
    [[ ! -e $BATS_FILE_TMPDIR/failed ]] || return 0 # has been told
    local steps=() signs=(+ -) i random=1
    for ((i = 0; i < 100; i++)); do
        random=$((random * 1103515245 + 12345 & 0x7fffffff)) # as ever
        steps+=("${signs[random >> 16 & 1]}$((random / 131072 % 17 + 1))")
    done
    play "${steps[@]}"
}
