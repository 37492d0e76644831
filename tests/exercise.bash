# Shared by the checks of the exercises, tests/exercises/NAME.bats:
#
#     setup() { load ../exercise; exercise_setup; }
#     teardown() { exercise_teardown; }
#
#     # requirement 2
#     @test "a lock that stays taken is given up at the deadline" {
#         subject "$LOCK" 130ms
#         [[ $status -eq 3 ]] || mistake "a taken lock must end in a timeout"
#     }
#
# The comment stands directly above each test of a numbered requirement of the
# TODO. KIT_SUBJECT is the folder that holds the program: a learner's, the
# solution, or an answer on file. A check stops at the first test that fails,
# unless KIT_EVERY_CHECK is set. A line "# Read: SECTION" names the section of
# the chapter's README that helps, if it is not "How it works".

exercise_setup() {
    load ../helpers
    subject_name=${BATS_TEST_FILENAME##*/}
    subject_name=${subject_name%.bats}
    subject_program=$(realpath "${KIT_SUBJECT:?the folder of the program}")
    subject_program+=/$subject_name
    [[ -x $subject_program ]] || fail "no program $subject_program"
    traces=0
    trace=
    [[ ! -e $BATS_FILE_TMPDIR/failed || -n ${KIT_EVERY_CHECK-} ]] ||
        skip "not run yet"
    cd "$BATS_TEST_TMPDIR" || return
}

exercise_teardown() {
    [[ -n ${BATS_TEST_COMPLETED-} ]] || touch "$BATS_FILE_TMPDIR/failed"
}

# subject [ARG...]: run the program as "run" does, under the lens and within 5 s
# (KIT_LIMIT), and set trace. KIT_FAULT and KIT_CLOCK apply to the program
# alone. A program that had to be stopped fails the test here, with the reason.
# shellcheck disable=SC2154 # run sets status and output
subject() {
    local cage=$KIT_BUILD/tools/cage said
    [[ -x $cage ]] || cage=
    traces=$((traces + 1))
    trace=$BATS_TEST_TMPDIR/trace-$traces
    run "$KIT_BUILD/tools/bound" -t "${KIT_LIMIT:-5s}" ${cage:+"$cage"} \
        env KIT_TRACE="$trace" LD_LIBRARY_PATH="$KIT_BUILD/tools" \
        LD_PRELOAD=interpose.so "$subject_program" "$@" </dev/null

    said=$(sed -En 's/^(bound|cage): //p' <<<"$output")
    if [[ $status -eq 124 && $said == hung:* ]]; then
        mistake_in_waiting "HUNG: $(where_it_hangs)"
    elif [[ $status -eq 124 && -n $said ]]; then
        mistake "$said"
    fi
    [[ -s $trace ]] || fail "the lens saw nothing of $subject_name: $output"
}

# where_it_hangs: the call that never came back, which has a begin and no end;
# or the one that was made again and again. Of a parent that waits for a child
# we speak only if nobody else waits.
where_it_hangs() {
    awk '
        $3 == "guardian" { next }
        $5 == "begin" { begun[$2, $4] = $0 }
        $5 == "end" { delete begun[$2, $4] }
        $5 == "end" && !/ (clock_gettime|gettimeofday|time) / {
            if (++made[$3, $6] > most) {
                most = made[$3, $6]
                busiest = $0
            }
        }
        function words(line,   i) {
            for (i = 1; i <= 5; i++)
                sub(/^[^ ]+ /, "", line)
            return line
        }
        END {
            for (which in begun) {
                $0 = begun[which]
                rank = /limit=none$/ ? 1 : 2
                rank = $6 ~ /^wait/ ? 3 : rank
                if (!best || rank < best) {
                    best = rank
                    stuck = $3 " never came back from " words($0)
                }
            }
            if (best == 1 || (best && most < 20)) {
                print stuck
            } else if (most >= 20) {
                split(busiest, field)
                sub(/ full$/, "", busiest) # the trace takes no more
                print field[3] " goes round without end: " most " times " \
                    words(busiest)
            } else {
                print "it goes round without end, and waits for nothing"
            }
        }' "$trace"
}

# calls CALL: print the lines of the trace in which such a call ended.
calls() {
    awk -v call="$1" '$5 == "end" && $6 == call' "$trace"
}

# mistake TEXT...: fail with these lines, which are for a learner.
mistake() {
    printf '%s\n' "$@" | fail
}

# mistake_in_waiting TEXT...: likewise, and have the lanes of the last run drawn
# below, where a learner sees them.
mistake_in_waiting() {
    [[ -z ${KIT_LANES-} || ! -s $trace ]] || cp "$trace" "$KIT_LANES"
    mistake "$@"
}
