# Exercise three_locks: three semaphores, one order for all processes.

# shellcheck disable=SC2154 # run and subject() set output, status and trace

setup() {
    load ../exercise
    exercise_setup
}

teardown() {
    exercise_teardown
}

# pairs: "saw drill" for each worker that has wanted the drill while it had the
# saw, over all workers: it may have had to wait. Who is refused at once waits if
# it asks again and still has it.
pairs() {
    awk '
        BEGIN { split("saw drill bench", name) }
        function waits(who, what,   has) {
            for (has = 0; has < 3; has++)
                if (held[who, has] > 0)
                    print name[has + 1], name[what + 1]
        }
        $6 !~ /^sem(timed)?op$/ || $3 != "worker" { next }
        {
            match($0, / ops=[^ ]*/)
            n = split(substr($0, RSTART + 5, RLENGTH - 5), ops, ",")
            for (i = 1; i <= n; i++) {
                split(ops[i], part, "/")
                what = part[1]
                if (part[2] < 0 && ($5 == "begin" || refused[$2] == what + 1))
                    waits($2, what)
                if ($5 != "end")
                    continue
                refused[$2] = part[2] < 0 && / EAGAIN$/ && / limit=nowait / ? \
                    what + 1 : 0
                if (/ = 0$/)
                    held[$2, what] -= part[2]
            }
        }' "$trace" | sort | uniq -c | sort -rn
}

# circle: "drill bench drill" if there was one; the most frequent pairs first.
circle() {
    pairs | awk '
        { after[$2, $3] = 1; names[$2] = names[$3] = 1 }
        END {
            for (x in names)
                for (y in names) {
                    if ((x, y) in after && (y, x) in after) {
                        print x, y, x
                        exit
                    }
                }
            for (x in names)
                for (y in names)
                    for (z in names)
                        if ((x, y) in after && (y, z) in after && (z, x) in after) {
                            print x, y, z, x
                            exit
                        }
        }'
}

# too_long MS: the first wait that was given more than what was left of the
# limit: after how many ms of naps, what was left then at most, and what it was
# given in the trace's words. The limit begins before the first nap, and no nap
# is shorter than it should be.
too_long() {
    awk -v limit="$1" '
        BEGIN { ms["s"] = 1e3; ms["ms"] = 1; ms["us"] = 1e-3; ms["ns"] = 1e-6 }
        $3 != "worker" || !/ limit=[0-9]/ { next }
        {
            given = $0
            sub(/.* limit=/, "", given)
            sub(/ .*/, "", given)
            match(given, /[a-z]/)
            it = given * ms[substr(given, RSTART)]
        }
        $5 == "end" && $6 == "nanosleep" && / = 0$/ { slept += it }
        $5 == "begin" && $6 == "semtimedop" && it > limit - slept {
            print slept + 0, limit - slept, given
            exit
        }' "$trace"
}

# ended: what became of all this.
ended() {
    echo "exit code $status, after: ${output##*$'\n'}"
}

# missing TOOL: the only worker waits for it in vain.
missing() {
    subject 60ms "$1"
    [[ $output == *"worker: gave_up "* ]] || mistake_in_waiting \
        "The $1 never came free. Wanted: -1 and EAGAIN. Instead: $(ended)"
}

# requirement 1
@test "all workers take the three in one order" {
    local first second third
    subject 3s
    read -r first second third _ < <(circle) || return 0
    [[ $third != "$first" ]] || mistake_in_waiting \
        "One worker wanted the $second when it had the $first, another the" \
        "$first when it had the $second. The lists differ from process to process," \
        "and so do the addresses. Wanted: one order for all."
    mistake_in_waiting \
        "One worker wanted the $second when it had the $first, one the $third" \
        "when it had the $second, one the $first when it had the $third: a circle" \
        "of three. The lists differ from process to process, and so do the" \
        "addresses. Wanted: one order for all."
}

# requirement 2
@test "a worker waits for each of them asleep, until the deadline" {
    local tool asked slept left given
    subject 3s
    [[ -n $(circle) || $output == *" took_all=3 "* ]] || mistake_in_waiting \
        "Nobody kept a tool for long, and there were 3 s of time. Wanted: all three" \
        "workers get all of their tools. Instead: $(ended)"
    for tool in bench drill saw; do
        missing "$tool"
        asked=$(calls semtimedop | grep -c ' EAGAIN$') || true
        asked=$((asked + $(calls semop | grep -c ' EAGAIN$' || true)))
        ((asked <= 3)) || mistake_in_waiting \
            "The $tool never came free. It asked for it $asked times in 60 ms." \
            "Wanted: to sleep until it comes, by take_by()."
        waited=$(field waited_ms "$(grep '^worker: gave_up' <<<"$output")")
        ((waited >= 60)) || mistake_in_waiting \
            "The $tool did not come free, and it gave up after $waited ms of 60." \
            "Wanted: to sleep until the deadline."
        read -r slept left given < <(too_long 60) || continue
        mistake_in_waiting \
            "The $tool never came free. After $slept ms to fetch others there were at" \
            "most $left ms left of 60, and the next wait was given $given." \
            "Wanted: one deadline for all three, and no fresh limit for each."
    done
}

# requirement 3
@test "who gives up puts back what it has taken, and nothing else" {
    local tool wanted kept
    while read -r tool wanted; do
        missing "$tool"
        [[ $output == *" took_all=0 $wanted" ]] || mistake_in_waiting \
            "The $tool never came free. At the end there should be" \
            "$wanted. Instead: ${output##* took_all=0 }." \
            "What was taken is put back, and only that."
    done <<'END'
saw saw=0 drill=1 bench=1
drill saw=1 drill=0 bench=1
bench saw=1 drill=1 bench=0
END
    # Whatever the reason is.
    KIT_FAULT='semtimedop:ENOMEM@3' subject 60ms bench
    kept=$(awk '$3 == "worker" && / ops=./ && / = 0$/ {
        kept += / ops=.\/-/ ? 1 : -1 } END { print kept + 0 }' "$trace")
    [[ $status -ne 1 || $kept -eq 0 ]] || mistake_in_waiting \
        "take_by() failed for the third tool, with ENOMEM and not EAGAIN, and" \
        "$kept of the others were not put back." \
        "What was taken is put back, whatever failed."
    KIT_FAULT='semtimedop:EIDRM@1' subject 60ms bench
    [[ $output == *": Identifier removed"* ]] || mistake_in_waiting \
        "take_by() failed, because the set had been removed. Wanted: -1, and its" \
        "errno for the caller. Instead: $(ended)"
}
