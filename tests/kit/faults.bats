# make verify: each call of each program of a chapter fails, one at a time.

setup() {
    load ../helpers
}

@test "a call that fails ends the program with its name and leaves nothing" {
    local programs=()
    for program in "$KIT_BUILD/chapters/${KIT_CHAPTER:?}"/*; do
        [[ ! -x $program ]] || programs+=("$program")
    done
    run "$KIT_TOP/tests/tools/faults.sh" "${programs[@]}"
    [[ $status -eq 0 ]] || fail "$output"
    echo "# $KIT_CHAPTER: ${lines[0]}" >&3
}
