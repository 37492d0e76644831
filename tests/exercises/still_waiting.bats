# Exercise still_waiting: report each slice of a wait, and its end once.

# shellcheck disable=SC2154 # run and subject() set output, status and trace

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# waits LIMIT_MS: the waiter's waits, a line each: what it was given in us, what
# was left at most of a limit that began with the first one, and what it was
# given in the trace's words. Who only asks, with no time for it, does not wait.
waits() {
    awk -v limit="$1" '
        BEGIN { us["s"] = 1e6; us["ms"] = 1e3; us["us"] = 1; us["ns"] = 1e-3 }
        $2 != "0:0" || $6 !~ /^sem(timed)?op$/ { next }
        $5 == "end" { ended = $1 }
        $5 == "begin" && !/ limit=(nowait|0s)/ {
            if (!first) first = ended = $1
            given = $0
            sub(/.* limit=/, "", given)
            match(given, /[a-z]/)
            printf "%.0f %.0f %s\n", given ~ /^[0-9]/ ? \
                given * us[substr(given, RSTART)] : 1e15, \
                limit * 1000 - (ended - first) / 1000, given
        }' "$trace"
}

# look: set asked, how often it asked without waiting; in_vain, the waits that
# were in vain; in_vain_all, with what it asked in vain; first, the call of the
# first one, "asked" or "waited"; lasted, the ms from the first wait to the end
# of the last; and clocked, the same from the first look at the clock.
look() {
    read -r asked in_vain in_vain_all first lasted clocked < <(awk '
        $2 != "0:0" { next }
        $6 == "clock_gettime" && !clock { clock = $1 }
        $6 !~ /^sem(timed)?op$/ { next }
        { asks = / limit=(nowait|0s)/ }
        !called && /semtimedop/ { called = asks ? "asked" : "waited" }
        $5 == "begin" && !asks && !began { began = $1 }
        $5 == "end" {
            ended = $1
            asked += asks
            vain += !asks && / EAGAIN/
            all += / EAGAIN/
        }
        END {
            print asked + 0, vain + 0, all + 0, called ? called : "nothing", \
                began ? int((ended - began) / 1e6) : 0, \
                clock ? int((ended - clock) / 1e6) : 0
        }' "$trace")
}

# fault ERRNO[+DELAY] FIRST LAST: make these waits fail. A program that asks
# first, and then waits, hears that it is not free; requirement 1 finds out.
fault() {
    local asks='' more=0
    if [[ -e $BATS_FILE_TMPDIR/asks ]]; then
        asks='semtimedop:EAGAIN@1;' more=1
    fi
    echo "0/semop:EAGAIN@1-9;${asks}semtimedop:$1@$(($2 + more))-$(($3 + more))"
}

# reports EVENT: its lines.
reports() {
    grep "^waiter: $1 " <<<"$output" || true
}

# ended: the last thing that the program said.
ended() {
    echo "exit code $status, after: ${output##*$'\n'}"
}

# requirement 1
@test "each slice that was in vain is reported, with the time since the beginning" {
    local line waited n=0 clock told given words
    KIT_FAULT=$(fault EAGAIN 1 2) subject 1s 60s 1ms
    look
    read -r given _ words < <(waits 60000) || mistake_in_waiting \
        "It asked $asked times whether it is free, and never waited for it." \
        "Wanted: waits of a slice. Who asks again and again keeps a CPU busy, and" \
        "who sleeps in between comes late."
    ((given >= 500000)) || mistake_in_waiting \
        "A slice is 1 s, and it began to wait for up to $words." \
        "Wanted: waits of a slice, and not to ask again and again."
    [[ $first != asked ]] || touch "$BATS_FILE_TMPDIR/asks"

    # These slices end late, as on a busy machine.
    KIT_FAULT=$(fault EAGAIN+30ms 1 4) subject 20ms 4s 1ms
    look
    while read -r given _ words; do
        ((given <= 21000)) || mistake_in_waiting \
            "A slice is 20 ms, and it began to wait for up to $words." \
            "Wanted: a line 'still_waiting' for each slice that was in vain."
    done < <(waits 4000)
    told=$(reports still_waiting | wc -l)
    # Of a slice that should be over already nothing is left to wait for.
    ((told >= 2 && in_vain <= told && told <= in_vain_all)) ||
        mistake_in_waiting \
            "$in_vain waits of a slice were in vain, and then it was free. It" \
            "reported 'still_waiting' $told times." \
            "Wanted: a line 'still_waiting' for each slice that was in vain."
    while read -r line; do
        n=$((n + 1)) clock=$((n < 4 ? 30 * n : 120)) waited=$(field waited_ms "$line")
        ((n == 1 || waited >= 40)) || mistake_in_waiting \
            "Report number $n of one wait tells $waited ms: $line" \
            "Wanted: the time since the wait began, and not of the slice."
        ((waited >= clock)) || mistake_in_waiting \
            "Slices of 20 ms took at least 30 ms each. At report number $n" \
            "the clock said $clock ms or more, and it tells $waited ms." \
            "Wanted: the time since the wait began."
    done < <(reports still_waiting)
}

# requirement 2
@test "the end is reported once, whatever it is" {
    local what wanted failing arguments times last
    while IFS='|' read -r what wanted failing arguments; do
        # shellcheck disable=SC2086 # words
        KIT_FAULT=${failing:+$(fault $failing)} subject $arguments
        look
        times=$(grep -cE '^waiter: (acquired|gave_up|failed) ' <<<"$output") || true
        [[ $times -eq 1 ]] || mistake_in_waiting \
            "$what: its end was told $times times." \
            "Wanted: one line, or who reads the log does not know whether it waits" \
            "to this day. Instead: $(ended)"
        last=$(reports "$wanted")
        [[ -n $last ]] || mistake_in_waiting "$what. Wanted: $wanted." \
            "Instead: $(grep -E '^waiter: (acquired|gave_up|failed) ' <<<"$output")"
        (($(field waited_ms "$last") >= lasted)) || mistake_in_waiting \
            "$what, and its waits took $lasted ms. It reported:" "$last" \
            "Wanted: the time since the wait began, by the clock."
        [[ $wanted == acquired && $status -eq 0 || $status -ne 0 ]] ||
            mistake "$what, and the function returned 0. Wanted: -1."
    done <<'END'
It was free|acquired||4s 4s 0s
It was acquired after two slices|acquired|EAGAIN+30ms 1 2|20ms 4s 1ms
It was never free within the limit|gave_up||20ms 30ms
It was never free, and the wait ended later than the limit|gave_up|EAGAIN+40ms 1 3|20ms 30ms
The set was removed during the second slice|failed|EIDRM 2 9|10ms 4s
END
    [[ $output == *": Identifier removed" ]] || mistake_in_waiting \
        "The set was removed during the second slice. Wanted: -1, and its errno for" \
        "the caller. Instead: $(ended)"
    subject 4s 20ms
    [[ -n $(reports gave_up) ]] || mistake_in_waiting \
        "It was never free, and the limit was less than a slice. Wanted: gave_up." \
        "Instead: $(ended)"
    [[ -z $(reports still_waiting) ]] || mistake_in_waiting \
        "The limit of 20 ms was reached, and its end was told in two lines:" \
        "$(reports still_waiting)" "$(reports gave_up)" \
        "Wanted: gave_up alone. Who gives up is not still waiting."
}

# no_wait_past LIMIT_MS: no wait began that would last for longer than that.
no_wait_past() {
    local given left words
    while read -r given left words; do
        ((given <= (left > 0 ? left : 0) + 1000)) || mistake_in_waiting \
            "Of $1 ms at most $left us were left, and it began to wait for $words:" \
            "past the limit." "Wanted: a slice, or what is left if that is less."
    done < <(waits "$1")
}

# requirement 3
@test "the limit is kept, and the last slice is what is left of it" {
    local waited
    subject 20ms 50ms
    no_wait_past 50
    [[ $status -eq 3 ]] || mistake_in_waiting \
        "It never came free. Wanted: -1 and EAGAIN when the limit of 50 ms is" \
        "reached. Instead: $(ended)"
    look
    # A wrong number in that line is a matter of requirement 2.
    waited=$(field waited_ms "$(reports gave_up)") || waited=50
    ((waited >= 50 || clocked >= 49)) || mistake_in_waiting \
        "It never came free, and it gave up after $waited ms of 50: before the limit." \
        "Wanted: to wait for what is left."
    # A report is due a little before the limit is. This holds on a busy machine.
    KIT_FAULT=$(fault EAGAIN+150ms 1 1) subject 3900ms 4s 1ms
    no_wait_past 4000
    [[ $status -eq 0 ]] || mistake_in_waiting \
        "One slice was in vain, 150 ms of the limit of 4 s were over, and it gave" \
        "up: before the limit. Wanted: to wait for what is left, and 0."
    subject 20ms 0s 0s
    [[ $status -eq 0 ]] || mistake_in_waiting \
        "The limit was 0, and it was free. Wanted: to ask all the same, and 0." \
        "Instead: $(ended)"
}

# requirement 4
@test "a signal does not end a slice, and does not begin one" {
    local given left words
    KIT_FAULT=$(fault EINTR+10ms 1 3) subject 4s 60s 1ms
    [[ $(calls semtimedop | grep -c ' EINTR') -eq 3 && $status -eq 0 ]] || mistake_in_waiting \
        "A signal interrupted the wait. Wanted: to wait for what is left of the" \
        "slice. Instead: $(ended)"
    [[ -z $(reports still_waiting) ]] || mistake_in_waiting \
        "Three signals came in the first slice of 4 s, and it reported:" \
        "$(reports still_waiting | sed -n 1p)" \
        "Wanted: a report when the slice is over, and not before."
    while read -r given left words; do
        ((given <= left + 1000)) || mistake_in_waiting \
            "A signal had interrupted the first slice of 4 s. Of the slice at most" \
            "$left us were left, and it began to wait for $words." \
            "Wanted: what is left of the slice."
    done < <(waits 4000)
}
