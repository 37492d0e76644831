# "Kill any program at any moment with any signal: once its set is guarded,
# no semaphore set, no process and no file is left behind."
#
# KIT_CHAPTER names a chapter, else all are tested. KIT_ALL=1 takes every
# signal, moment and aim, though not each with each; without it each program is
# hit once.

setup() {
    load ../helpers
    local program
    programs=()
    for program in "${KIT_BUILD:?run me with: make check}"/chapters/*/*; do
        [[ ${program%/*} == */${KIT_CHAPTER:-*} && -f $program && -x $program ]] ||
            continue
        programs+=("${program##*/}")
        PATH=${program%/*}:$PATH
    done
    [[ ${#programs[@]} -gt 0 ]] || fail "no programs to strike"
    PATH=$KIT_BUILD/tools:$PATH

    # A death between semget() and the guard leaves a set, so early moments
    # need a place for sets that goes away: with privileges, or without.
    isolate=(unshare --ipc)
    "${isolate[@]}" true || isolate=(unshare --map-current-user --ipc)
    "${isolate[@]}" true || isolate=()
    mkdir "$BATS_TEST_TMPDIR/folder"
    cd "$BATS_TEST_TMPDIR/folder" || return
}

# blows PROGRAM: print what strike shall try, one case a line.
blows() {
    local aims=(main group names member:2 member:3)
    local others=(INT HUP QUIT SEGV PIPE) lines moments moment aim
    if [[ -z ${KIT_ALL-} ]]; then
        echo "KILL line:1 main $1"
        return
    fi
    lines=$(bound "$1" 2>&1 | wc -l)
    mapfile -t moments < <(seq -f 'line:%g' "$lines")
    # A scratch directory has no such place: its program is hit once it has a
    # guard.
    if [[ ${#isolate[@]} -gt 0 ]] &&
        ! grep -q guard_directory "$KIT_TOP"/chapters/*/"$1.c"; then
        moments+=(exec start:{100,200,400,800,1600,3200})
    fi
    # KILL and TERM at each moment with each aim. The others take turns: each
    # meets all moments, and all aims.
    for moment in "${!moments[@]}"; do
        for aim in "${!aims[@]}"; do
            printf "%s ${moments[moment]} ${aims[aim]} $1\n" \
                KILL TERM "${others[(moment + aim) % 5]}"
        done
    done
}

@test "no signal makes any program leave a set, a process or a file behind" {
    local program cases="$BATS_TEST_TMPDIR/cases" said="$BATS_TEST_TMPDIR/said"
    for program in "${programs[@]}"; do
        blows "$program"
    done >"$cases"
    # They mostly wait, so many run side by side.
    "${isolate[@]}" xargs -P "$((4 * $(nproc)))" -L 1 strike <"$cases" >"$said" 2>&1 3>&- || true

    local faults
    faults=$(grep -vE ': (nothing left behind|no such moment or process)$' "$said" || true)
    [[ -z $faults ]] || fail "$faults"
    assert_equal "$(wc -l <"$said")" "$(wc -l <"$cases")"
    for program in "${programs[@]}"; do
        grep -q "^$program: .*: nothing left behind$" "$said" ||
            fail "$program was not hit: $(grep "^$program: " "$said")"
    done
    assert_equal "$(ls -A)" ""
    [[ -z ${KIT_ALL-} ]] || echo "# $(grep -c 'behind$' "$said") strikes" >&3
}
