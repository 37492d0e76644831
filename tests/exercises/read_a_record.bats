# Exercise read_a_record: what a record says, and what it does not.

# Read: Reading such a log

# shellcheck disable=SC2154 # run and subject() set output and status

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# wait_of WAITER SEMAPHORE ADDRESS HOLDER [MS]: write a record to the log. The
# holder is "PID:ID", or "R WRITER READER".
wait_of() {
    local state="OWNER=$4" readers writer reader
    if [[ $4 == *" "* ]]; then
        read -r readers writer reader <<<"$4"
        state="R=$readers,W=1,WRITER=$writer,1STREADER=$reader"
    fi
    echo "THREAD [$1] WAITING FOR SEM 0x$2 a name (@$3) ($state) FOR ${5-500} ms"
} >>log

# told N KEY: what the program says of the N-th record, "waiter=164:49".
told() {
    local line
    line=$(grep '^record: ' <<<"$output" | sed -n "$1p")
    if [[ " $line " =~ " $2="([^ ]*)" " ]]; then
        echo "$2=${BASH_REMATCH[1]}"
    else
        echo "no $2 in record $1; exit code $status, after: ${output##*$'\n'}"
    fi
}

# wanted N KEY=VALUE WHY...: fail with these lines if something else is told.
wanted() {
    local is
    is=$(told "$1" "${2%%=*}")
    [[ $is == "$2" ]] || mistake "${@:3}" "Wanted: $2. Instead: $is"
}

# requirement 1
@test "all ids of four digits are read alike, and so are all longer ones" {
    wait_of 00A4:0031 0244 0BE65A20 0154:0012
    subject log
    wanted 1 holder=340:18 "The holder is '0154:0012', and another id of four" \
        "digits in the log, '00A4', has a letter: all of four digits are hex."
    wanted 1 waiter=164:49 "'00A4' has a letter: ids of four digits are hex here."

    rm log
    wait_of 0053:0017 0244 0BE65A20 0140:0025
    wait_of 0053:0018 0244 0BE65A20 0140:002f
    subject log
    wanted 1 waiter=83:23 "Of all ids in the log only '002f', in the last record," \
        "has a letter: another id of four digits, so all of four digits are hex."

    rm log
    wait_of 0053:0017 0244 0BE65A20 0140:0025
    wait_of 0053:0018 0244 0BE65A20 "1 0000:0000 0140:002F"
    subject log
    wanted 1 waiter=83:23 "Of all ids in the log only '002F', that of a first" \
        "reader, has a letter: another id of four digits, so all of them are hex."

    rm log
    wait_of 00A4:0031 0244 0BE65A20 0154:0012
    wait_of 01684:00001 412C EE100210 "0 05067:00010 00000:00000"
    subject log
    wanted 2 waiter=1684:1 "No id of five digits or more has a letter: '01684' is" \
        "decimal, whatever the ones of four digits are."
    wanted 2 holder=5067:10 "'05067:00010' is decimal, and the zeros in front mean" \
        "nothing."

    rm log
    wait_of 0053:0017 0244 0BE65A20 0140:0025
    wait_of 0001A2B4:00000001 0244 0BE65A20 00012345:00000010
    subject log
    [[ $(told 1 waiter) == "waiter=0053?:0017?" ]] || mistake \
        "no id of four digits in the log has a letter: 0053 may be hex or" \
        "decimal, and who guesses blames the wrong process. Wanted: -1," \
        "which is printed as waiter=0053?:0017?. Instead: $(told 1 waiter)"

    rm log
    wait_of 0001A2B4:00000001 0244 0BE65A20 12345:00010
    subject log
    wanted 1 holder=74565:16 "'0001A2B4' has a letter: so all ids of more than four" \
        "digits are hex in this log."
}

# requirement 2
@test "a wait is the sum of the slices that were reported" {
    wait_of 00A4:0031 0244 0BE65A20 009A:0012 500
    wait_of 00A4:0031 0244 0BE65A20 009A:0012 500
    wait_of 00A4:0031 0244 0BE65A20 009E:0013 120
    subject log
    wanted 1 waited_ms=500 "The first report of a wait: it has lasted for 500 ms."
    wanted 2 waited_ms=1000 \
        "The second report of one wait, 500 ms after the first. FOR is the" \
        "length of a slice, and not of the wait."
    wanted 3 waited_ms=1120 \
        "The third report of one wait: after slices of 500, 500 and 120 ms." \
        "It is their sum, whoever the holder is by now."
}

# requirement 3
@test "only the same thread that waits for the same address counts" {
    wait_of 00A4:0031 0244 0BE65A20 009A:0012
    wait_of 00A4:0031 0244 0BE65A20 009A:0012
    subject log
    [[ $(told 2 waited_ms) == waited_ms=1000 ]] || return 0 # requirement 2

    rm log
    wait_of 00A4:0031 0244 0BE65A20 009A:0012
    wait_of 00A4:0031 0244 0C000000 009A:0012
    wait_of 00A4:0031 0244 0BE65A20 009A:0012
    wait_of 00A4:0031 0244 0BE65A20 009A:0012
    subject log
    wanted 2 waited_ms=500 "A thread waited at two addresses. Both have the id" \
        "0x0244, for each database has one: that is another semaphore."
    wanted 3 waited_ms=500 "A thread waited at two addresses, and at the first" \
        "one again. It waits for one at a time, so the report for the second" \
        "one ended the first wait, and this is the first report of a new one."
    wanted 4 waited_ms=1000 "A thread waited at two addresses, and at the first" \
        "one again. This is the second report of that new wait."

    rm log
    wait_of 00A4:0031 0244 0BE65A20 009A:0012
    wait_of 00A5:0032 0256 0C000000 009A:0012
    wait_of 00A4:0031 0244 0BE65A20 009A:0012
    subject log
    wanted 3 waited_ms=1000 "Two reports of one wait, and another thread's report" \
        "in between: that does not end it."

    rm log
    wait_of 00A4:0031 0244 0BE65A20 009A:0012
    wait_of 00A4:0032 0244 0BE65A20 009A:0012
    wait_of 00A5:0031 0244 0BE65A20 009A:0012
    subject log
    wanted 2 waited_ms=500 "For one semaphore two threads of one process wait," \
        "0031 and 0032. Each has a wait of its own."
    wanted 3 waited_ms=500 "For one semaphore two processes wait, 00A4 and 00A5," \
        "each with a thread 0031. Each has a wait of its own."

    rm log
    wait_of 00A4:002F 0244 0BE65A20 009A:0012
    wait_of 00a4:002f 0244 0be65a20 009a:0012
    subject log
    wanted 2 waited_ms=1000 "'00A4' and '00a4' are the same process, '002F' and" \
        "'002f' the same thread, '0BE65A20' and '0be65a20' the same address."
}

# requirement 4
@test "the holder is the owner or writer, else a reader, else nobody" {
    local state
    for state in 10154:10018 00000:00000 "0 10154:10018 10158:10017" \
        "2 00000:00000 10158:10017" "0 00000:00000 10158:10017" \
        "0 00000:00000 00000:00000" "2 10154:10018 10158:10017" \
        "1 00000:00000 00000:00000"; do
        wait_of 10164:10049 0244 0BE65A20 "$state"
    done
    subject log
    wanted 1 holder=10154:10018 "OWNER=10154:10018 holds it."
    wanted 2 holder=nobody "OWNER=00000:00000 is nobody, and no thread."
    wanted 3 holder=10154:10018 "R=0 and WRITER=10154:10018: it holds it." \
        "R=0, so 1STREADER=10158:10017 is a name left over."
    wanted 4 holder=10158:10017 "R=2 and WRITER=00000:00000: readers hold it," \
        "and one of them is 1STREADER=10158:10017."
    wanted 5 holder=nobody "R=0 and WRITER=00000:00000: nobody held it at that" \
        "moment, and 1STREADER=10158:10017 is a name left over."
    wanted 6 holder=nobody "R=0, and all the others are 0: nobody held it."
    wanted 7 holder=10154:10018 "R=2 and WRITER=10154:10018: where a writer is" \
        "told it is the holder."
    wanted 8 holder=nobody "R=1, and of WRITER and 1STREADER both are nobody: the" \
        "reader is not known."
}
