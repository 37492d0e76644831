# Exercise size_the_buffer: as much as the reader takes in time, and measured.
# What fits is a matter of the kernel: the tests find it out, by "ask".

# shellcheck disable=SC2154 # output and lines are set by subject()

setup() {
    load ../exercise
    exercise_setup
    KIT_LIMIT=60s # a search that fills many large buffers is no mistake
}

teardown() {
    exercise_teardown
}

# told WORD: print the program's line with this word, a pattern.
told() { grep -m 1 -E "^sender: $1 " <<<"$output"; }

# what_fits BYTES LENGTH: set fits to what goes in when BYTES are asked for.
what_fits() {
    subject ask "$1" "$2"
    fits=$(field bytes "$(told full)") || mistake \
        "'ask $1 $2' does not call your function, and yet it did not work." \
        "Is the rest of the file as it was? It printed:" "$output"
}

# size MOST BUDGET_MS LENGTH: have the function called for a reader who takes
# MOST bytes within the budget. Set answer, usual and sndbuf, the size before
# and after, charged for what was sent on fd, and fits where answer is SIZED.
size() {
    local line rate=$(($1 * 1000 / $2))
    most=$((rate * $2 / 1000))
    given="rate=$rate budget_ms=$2 length=$3:"
    given+=" the reader takes $most bytes in time."
    subject "$rate" "$2ms" "$3"
    line=$(told '(sized|refused)') || mistake \
        "$given" "The program gave no answer. It printed:" "$output"
    answer=$(field reason "$line") || answer=sized
    answer=${answer^^}
    usual=$(field sndbuf "$(told found)")
    sndbuf=$(field sndbuf "$line")
    charged=$(field charged "$line")
    fits=$(field bytes "$(told full)") || [[ $answer != SIZED ]] || mistake \
        "$given" "The program did not end well. It printed:" "$output"
}

# largest: set it to what fits into the largest send buffer, a thousand at a
# time, where that does not take too long to find out.
largest() {
    local cap=/proc/sys/net/core/wmem_max
    [[ ! -r $cap || $(<"$cap") -le 67108864 ]] ||
        lacks "a send buffer that is soon filled ($cap is large)"
    what_fits 2147483647 1000
    largest=$fits
}

# requirement 1
@test "no more fits than the reader takes in time, and a quarter at least" {
    while read -r length times budget; do
        what_fits 0 "$length"
        size $((fits * times)) "$budget" "$length"
        [[ $answer == SIZED ]] || mistake "$given" \
            "That is $times times what fits into the smallest send buffer." \
            "The answer was $answer. Wanted: SIZED."
        [[ $charged -eq 0 ]] || continue # that is requirement 4
        ((fits <= most)) || mistake "$given" \
            "Into the send buffer as you sized it went $fits: too much." \
            "Wanted: $most at most."
        ((4 * fits >= most)) || mistake "$given" \
            "Into the send buffer as you sized it went $fits: too little." \
            "Wanted: a quarter of $most at least."
    done <<'END'
1000 10 200
10 4 40
10 28 2000
END
}

# requirement 2
@test "when even the smallest send buffer takes too much, it says so" {
    what_fits 0 1000
    least=$fits
    size $((least - 1)) 1000 1000
    [[ $answer == MINIMUM_TOO_LARGE ]] || mistake "$given" \
        "Even when 0 bytes are asked for, $least fit. The answer was" \
        "$answer. Wanted: MINIMUM_TOO_LARGE."
    size "$least" 1000 1000
    [[ $answer == SIZED ]] || mistake "$given" \
        "Just as many fit into the smallest send buffer. The answer was" \
        "$answer. Wanted: SIZED, for no more than that may fit."
}

# requirement 3
@test "when even the largest send buffer takes too little, it says so" {
    largest
    size $((4 * largest + 4000)) 2000 1000
    [[ $answer == CAP_TOO_SMALL ]] || mistake "$given" \
        "A quarter of that should fit, and even when INT_MAX bytes are asked" \
        "for only $largest do. The answer was $answer." \
        "Wanted: CAP_TOO_SMALL."
    for times in 2 4; do
        size $((times * largest)) 2000 1000
        [[ $answer == SIZED ]] || mistake "$given" \
            "Into the largest send buffer go $largest, and a quarter is" \
            "enough. The answer was $answer. Wanted: SIZED."
        [[ $charged -eq 0 ]] || continue # that is requirement 4
        ((4 * fits >= most)) || mistake "$given" \
            "Into the send buffer as you sized it went $fits, into the" \
            "largest go $largest. Wanted: a quarter of $most at least."
    done
}

# requirement 4
@test "nothing is sent on fd, and a refusal leaves its size alone" {
    what_fits 0 1000
    # The last is more than any send buffer takes.
    for most in $((10 * fits)) $((fits - 1)) 2000000000; do
        size "$most" 2000 1000
        [[ $charged -eq 0 ]] || mistake "$given" \
            "fd was charged $charged bytes when your function was back: you" \
            "have sent something on it, and its reader gets it." \
            "Wanted: charged=0, and a pair of your own to measure on."
        [[ $answer == SIZED || $sndbuf -eq $usual ]] || mistake "$given" \
            "The answer was $answer, and fd was left with another send" \
            "buffer than it had: $usual bytes before, $sndbuf after." \
            "Wanted: the same."
    done
}
