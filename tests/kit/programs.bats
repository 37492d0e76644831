# What holds for each program of a chapter. KIT_CHAPTER names the chapter, and
# the programs are found, so that a new one is tested from its first day.

setup() {
    load ../helpers
    use "chapters/${KIT_CHAPTER:?}"
    local program
    programs=()
    for program in "$KIT_BUILD/chapters/$KIT_CHAPTER"/*; do
        [[ ! -f $program || ! -x $program ]] || programs+=("${program##*/}")
    done
    [[ ${#programs[@]} -gt 0 ]] || fail "no programs in chapters/$KIT_CHAPTER"
}

# arguments_of PROGRAM: read its usage into words, the arguments it takes in
# order, and defaults, the default of each or its first choice.
arguments_of() {
    local word
    run "$1" a b c d e f g h
    [[ $status -eq 2 && ${lines[0]} == "usage: $1"* ]] ||
        fail "$1: eight arguments must print its usage and exit 2: $output"
    words=() defaults=()
    for word in $(tr -d '[]' <<<"${lines[0]#"usage: $1"}"); do
        words+=("$word")
        defaults+=("$(sed -n "s/^  $word .*default \([^ ,.;]*\).*/\1/p" \
            <<<"$output")")
        [[ -n ${defaults[-1]} ]] || defaults[-1]=${word%%|*}
    done
}

@test "every program shows its lesson without arguments" {
    for program in "${programs[@]}"; do
        run "$program"
        [[ $status =~ ^(0|3|77)$ && -n $output ]] ||
            fail "$program: exit code $status: $output"
    done
}

@test "every program says in usage what it takes, and exits with 2" {
    for program in "${programs[@]}"; do
        arguments_of "$program"
        run "$program" --no-such-option
        [[ $status -eq 2 ]] || fail "$program takes --no-such-option: $output"
    done
}

@test "every program refuses a duration that makes no sense" {
    for program in "${programs[@]}"; do
        arguments_of "$program"
        for i in "${!words[@]}"; do
            [[ ${defaults[i]} =~ ^[0-9]+(s|ms|us)$ ]] || continue
            for bad in 5 -1s 1e9s 99999999999s "" 5m " 5s" 5s5; do
                run "$program" "${defaults[@]:0:i}" "$bad"
                [[ $status -eq 2 && ${#lines[@]} -eq 1 && ${lines[0]} == \
                    "$program: bad duration '$bad': "* ]] ||
                    fail "$program ${defaults[*]:0:i} '$bad': $status: $output"
            done
        done
    done
}

@test "every program uses memory as it should, in all its processes" {
    command -v valgrind >/dev/null || lacks valgrind
    export KIT_UNDER=$KIT_TOP/tests/tools/memcheck.sh
    use "chapters/$KIT_CHAPTER"
    for program in "${programs[@]}"; do
        KIT_TIME_SCALE=3 run "$program"
        [[ $status =~ ^(0|3|77)$ ]] || fail "$program: $status: $output"
    done
}
