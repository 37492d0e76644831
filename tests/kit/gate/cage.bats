# tests/tools/cage.c, shown on programs that would harm others: wild.c, and
# bound's unruly.c. Most tests go four ways: started by root and by an ordinary
# user, with namespaces and without.

setup() {
    load ../../helpers
    unset KIT_TIME_SCALE # the tests know the times that are told
    # What an ordinary user must be able to reach, and a folder to write in.
    home=$(mktemp -d /tmp/cage-test.XXXXXX)
    chmod 755 "$home"
    cp "${KIT_BUILD:?run me with: make check}"/tools/{bound,cage,cage_calls.so} \
        "$KIT_BUILD"/kit/{wild,unruly} "$home"
    mkdir -m 1777 "$home/room"
    cd "$home/room"
    PATH=$home:/usr/bin:/bin
    said=$BATS_TEST_TMPDIR/said
    limit=20s
    files= # that the program should leave
    foreign=

    ways=(user user-n) user=() # an ordinary user, whom nobody else is
    if [[ $EUID -eq 0 ]]; then
        local id=$((40000 + BASHPID % 20000))
        while ps -u "$id" >/dev/null; do id=$((id + 1)); done
        user=(setpriv --reuid "$id" --regid "$id" --clear-groups)
        ways=(root root-n "${ways[@]}")
    fi
}

teardown() {
    [[ -z $foreign ]] || kill -KILL "$foreign"
    rm -rf "$home"
}

# go WAY: from now on start cage so, in an empty folder.
go() {
    way=$1 starter=() flags=()
    [[ $way == root* ]] || starter=("${user[@]}")
    [[ $way != *-n ]] || flags=(-n)
    rm -rf "$home/room/"*
}

# caged CODE ARG...: run bound, cage and a program, which must end with CODE
# and leave nothing behind. All of them inherit number 6, the pipe that we read
# as number 5: it ends when all of them have.
caged() {
    local code=$1 status=0
    shift
    exec 5< <(exec "${starter[@]}" bound -t "$limit" cage "${flags[@]}" "$@" \
        6>&1 >"$said" 2>&1 3>&-)
    wait $! || status=$?
    output=$(<"$said")
    mapfile -t lines <"$said"
    [[ $status -eq $code ]] ||
        fail "$way: expected exit code $code, got $status: $output"
    read -t 0 -r -u 5 || fail "$way: a process is left behind: $output"
    [[ $(ls -A) == "$files" ]] || fail "$way: files: $(ls -A), not: $files"
}

# has_namespaces: are they in force?
has_namespaces() {
    [[ $("${starter[@]}" cage "${flags[@]}" -v true 2>&1) == \
        "cage: namespaces: pid, ipc, mount;"* ]]
}

# start_foreign: a process of whoever starts cage, in a group of its own.
start_foreign() {
    [[ -z $foreign ]] || kill -KILL "$foreign"
    exec 7< <(exec "${starter[@]}" setsid wild deaf 3>&-)
    foreign=$!
    read -r -u 7
}

@test "the exit code passes through, and a death by signal stays one" {
    for way in "${ways[@]}"; do
        go "$way"
        caged 0 true
        caged 7 sh -c 'exit 7'
        caged 143 sh -c 'kill -TERM $$'
        caged 137 sh -c 'kill -KILL $$'
        assert_output ""
        run -0 bash -c '"$@"; :' bash "${starter[@]}" cage "${flags[@]}" \
            sh -c 'kill -KILL $$'
        assert_output --partial Killed # bash says so of a signal alone
    done
}

@test "input, output and errors pass through" {
    for way in "${ways[@]}"; do
        go "$way"
        printf 'one\ntwo' | "${starter[@]}" cage "${flags[@]}" cat >"$said"
        printf 'one\ntwo' | cmp - "$said"
        run -0 --separate-stderr "${starter[@]}" cage "${flags[@]}" \
            sh -c 'echo out; echo error >&2'
        assert_equal "$output" out
        assert_equal "${stderr:?}" error
    done
}

@test "the program starts with the signals and descriptors that cage was given" {
    local signals=(grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status)
    local descriptors=(sh -c 'cd /proc/$$/fd && echo *')
    for way in "${ways[@]}"; do
        go "$way"
        caged 0 "${signals[@]}"
        assert_output "$("${signals[@]}")"
        run -0 env --ignore-signal=CHLD,PIPE,HUP "${starter[@]}" \
            cage "${flags[@]}" "${signals[@]}"
        assert_output "$(env --ignore-signal=CHLD,PIPE,HUP "${signals[@]}")"
        run -0 "${starter[@]}" cage "${flags[@]}" "${descriptors[@]}"
        assert_output "$("${starter[@]}" "${descriptors[@]}") 990"
    done
}

@test "the program is not process 1, and finds itself in /proc" {
    for way in "${ways[@]}"; do
        go "$way"
        caged 141 env --default-signal=PIPE bash -c \
            'yes | head -n 1; exit "${PIPESTATUS[0]}"'
        # shellcheck disable=SC2016 # words for sh
        caged 0 sh -c 'read -r pid rest </proc/self/stat; echo "$pid $$"'
        assert_output --regexp '^([0-9]+) \1$'
        refute_output "1 1"
        ! has_namespaces || assert_output --regexp '^[2-9] '
    done
}

@test "a program that goes round, is deaf or stopped is killed and named" {
    limit=300ms
    for way in "${ways[@]}"; do
        go "$way"
        caged 124 wild spin
        assert_output "bound: hung: 'wild' still ran after 0.3 s, killed"
        caged 124 wild deaf
        assert_line --index 2 "bound: hung: 'wild' still ran after 0.3 s, killed"
        caged 124 unruly stopped
        assert_line --index 1 --partial "bound: hung: 'unruly' still ran "
        assert_equal "${#lines[@]}" 2
    done
}

@test "a program that prints without end is cut at the limit and killed" {
    for way in "${ways[@]}"; do
        go "$way"
        caged 124 unruly endless
        assert_equal "${lines[-1]}" \
            "bound: output: more than 1048576 bytes, cut and killed"
    done
}

@test "a file without end is cut at 16 MiB, and named" {
    files=wild.file
    for way in "${ways[@]}"; do
        go "$way"
        caged 124 wild write_file
        assert_output "cage: file: more than 16777216 bytes, cut and killed"
        assert_equal "$(stat -c %s wild.file)" 16777216
        rm wild.file
        caged 0 wild write_file_anyhow
        assert_output "wild: write(0): File too large"
        assert_equal "$(stat -c %s wild.file)" 16777216
    done
}

@test "memory ends before 512 MiB" {
    for way in "${ways[@]}"; do
        go "$way"
        caged 0 wild use_memory
        assert_between 400 512 "$(field memory_MiB "$output")"
    done
}

@test "64 processes may live, and that the next is refused is said once" {
    local words="cage: refused: fork: 64 processes are alive,"
    for way in "${ways[@]}"; do
        go "$way"
        for breed in breed breed_zombies; do
            caged 124 wild "$breed"
            assert_line --index 0 \
                "wild: fork(63): Resource temporarily unavailable"
            assert_line --index 1 --partial "$words"
            assert_equal "${#lines[@]}" 2
        done
        caged 0 wild breed_in_turn
        assert_output "wild: fork(300): done"
    done
}

@test "a fork bomb has 64 processes in all, and is ended" {
    for way in "${ways[@]}"; do
        go "$way"
        for bomb in bomb breed_programs; do
            exec 5< <(exec "${starter[@]}" bound cage "${flags[@]}" \
                wild "$bomb" 2>&1 3>&-)
            local bound=$! line status=0
            read -r -u 5 line
            kill -TERM "$bound"
            wait "$bound" || status=$?
            assert_equal "$status" 143
            run -0 bound cat <&5
            assert_line --partial "cage: refused: fork: 64 processes are alive,"
            [[ $bomb != bomb ]] || assert_equal "$line" \
                "wild: bomb(64): Resource temporarily unavailable"
        done
    done
}

@test "a child that soon follows the program is waited for" {
    for way in "${ways[@]}"; do
        go "$way"
        caged 0 unruly lingerer
        assert_line --partial "lingerer: pid="
    done
}

@test "orphans, daemons among them, are ended and named, but no guardian" {
    local ends=() end
    for way in "${ways[@]}"; do # at the same time: each takes 2 s
        go "$way"
        for program in "unruly orphans" "wild leave_guarded"; do
            # shellcheck disable=SC2086 # two words
            exec {end}< <("${starter[@]}" bound cage "${flags[@]}" $program \
                2>&1 3>&- || echo "status=$?")
            ends+=("$end")
        done
    done
    for end in "${ends[@]}"; do
        run -0 bound cat <&"$end"
        assert_line --index "$((${#lines[@]} - 1))" "status=124"
        case ${lines[0]} in
        unruly:*) names=(orphan daemon) ;;
        wild:*) names=(wild) ;;
        esac
        assert_equal "$(grep '^cage: ' <<<"$output" | sort)" "$(printf \
            "cage: left behind: '%s' outlived the program by 2 s, killed\n" \
            "${names[@]}" | sort)"
        refute_output --partial bound:
    done
}

@test "semaphore sets left behind are named and removed" {
    local sets
    for way in "${ways[@]}"; do
        go "$way"
        caged 124 wild make_sets
        IFS=, read -r -a sets <<<"$(field sets "${lines[0]}")"
        assert_equal "$(printf '%s\n' "${lines[@]:1}" | sort)" "$(printf \
            'cage: left behind: semaphore set %s\n' "${sets[@]}" | sort)"
        for set in "${sets[@]}"; do
            has_namespaces || run ! set_exists "$set"
        done
        has_namespaces || continue # else we could not know of them
        caged 124 env -i "$home/wild" make_sets
        assert_equal "${#lines[@]}" 3
    done
}

@test "the set of a program that hangs is removed by its guardian, not by us" {
    limit=300ms
    for way in "${ways[@]}"; do
        go "$way"
        caged 124 unruly guarded
        assert_equal "${#lines[@]}" 3
        assert_line --index 2 --partial "bound: hung: 'unruly' still ran after "
        local set
        set=$(field set "${lines[1]}")
        has_namespaces || run ! set_exists "$set"
    done
}

@test "a set that was there before stays" {
    local key=$((BASHPID << 8 | 8)) set
    for way in "${ways[@]}"; do
        go "$way"
        [[ $way == *-n ]] || continue
        set=$("${starter[@]}" wild use_set "$key")
        caged 0 wild use_set "$key"
        assert_output "$set"
        set_exists "${set#*=}"
        ipcrm -s "${set#*=}"
    done
}

@test "kill(-1) and kill(0) are refused and named" {
    for way in "${ways[@]}"; do
        go "$way"
        caged 124 wild killpg 0
        assert_line --index 0 "wild: killpg(0): Operation not permitted"
        assert_line --index 1 --partial "cage: refused: kill(0, SIGTERM): "
        # Else a failure of this test would hurt us.
        [[ $way != user-n || $EUID -eq 0 ]] || continue
        for call in "kill -1" "killpg 1" "syscall -1"; do
            # shellcheck disable=SC2086 # two words
            caged 124 wild $call
            assert_line --index 0 --partial "): Operation not permitted"
            assert_line --index 1 \
                "cage: refused: kill(-1, SIGTERM): that is for every process"
            assert_equal "${#lines[@]}" 2
        done
    done
}

@test "a program that sheds its environment can still not kill(-1)" {
    for way in "${ways[@]}"; do
        go "$way"
        [[ $way != user-n || $EUID -eq 0 ]] || continue
        caged 0 wild unarmed
        assert_output "wild: kill(-1): Operation not permitted"
    done
}

@test "a foreign process is not hit, whatever function sends the signal" {
    local words="SIGTERM): that is no process of the program's family"
    for way in "${ways[@]}"; do
        go "$way"
        start_foreign
        for call in "kill $foreign" "kill -$foreign" "killpg $foreign" \
            "tgkill $foreign" "sigqueue $foreign" "syscall $foreign" \
            "pidfd $foreign"; do
            # shellcheck disable=SC2086 # two words
            run "${starter[@]}" bound cage "${flags[@]}" wild $call
            if has_namespaces; then # there it does not exist
                assert_output --partial ": No such process"
            else
                assert_equal "$status" 124
                assert_line --index 0 --partial "): Operation not permitted"
                assert_line --index 1 --partial "$words"
            fi
            ! grep -E '^S(ig|hd)Pnd:.*[^0[:space:]]' "/proc/$foreign/status" ||
                fail "$way: $call hit it"
        done
    done
}

@test "a signal to whoever started the program is refused" {
    for way in "${ways[@]}"; do
        go "$way"
        # shellcheck disable=SC2016 # words for sh
        caged 124 sh -c 'kill -TERM $PPID'
        assert_line --partial "Operation not permitted"
        assert_line --partial "): that is no process of the program's family"
    done
}

@test "a signal reaches relatives, and signal 0 may be sent to all" {
    for way in "${ways[@]}"; do
        go "$way"
        caged 0 wild signal_relatives
        assert_output "wild: relatives: done"
        start_foreign
        caged 0 wild ask "$foreign"
        [[ $way != user-n ]] || assert_output "wild: kill($foreign): done"
    done
}

@test "the program of root is no longer root's, and root's files stay" {
    [[ $EUID -eq 0 ]] || skip "only root can show it"
    files=ours
    for way in root root-n; do
        go "$way"
        echo ours >ours
        caged 0 -w wild spoil
        assert_output "$(printf 'wild: %s(0): Operation not permitted\n' \
            unlink chmod rename "chmod here"
        )"$'\n'"wild: truncate(0): Permission denied"
        assert_equal "$(stat -c %a ours)-$(cat ours)" "644-ours"
        run -0 setpriv --groups 4,24 cage "${flags[@]}" \
            grep -E '^(Groups|CapEff|NoNewPrivs):' /proc/self/status
        assert_output "$(printf '%s:\t%s\n' Groups " " \
            CapEff 0000000000000000 NoNewPrivs 1)"
        caged 0 id -u
        assert_between 61184 65520 "$output"
    done
}

# lens PROGRAM ARG...: run it under the lens. Here all paths are closed.
lens() {
    rm -f trace
    run ./bound "$PWD/cage" "${flags[@]}" env KIT_TRACE="$PWD/trace" \
        LD_LIBRARY_PATH="$PWD" LD_PRELOAD=interpose.so "$PWD/$1" "${@:2}"
}

@test "root may start a program from a folder that is closed to others" {
    [[ $EUID -eq 0 ]] || skip "only root can show it"
    mkdir -m 700 "$home/root's"
    mkdir "$home/root's/own folder"
    cp "$home"/{bound,cage,cage_calls.so,wild} "$home/root's/own folder"
    cp "$KIT_BUILD/tools/interpose.so" "$home/root's/own folder"
    cd "$home/root's/own folder"
    for way in root root-n; do
        go "$way"
        lens wild breed
        assert_line --index 0 "wild: fork(63): Resource temporarily unavailable"
        assert_line --index 1 --partial "cage: refused: fork: "
        grep ' 0 pid=[0-9]* wild$' trace
        grep ' wild [0-9]* end fork = -1 EAGAIN$' trace
        lens wild killpg 1
        grep ' end killpg .* = -1 EPERM$' trace
        assert_equal "$(grep -c ' end ' trace)" 1 # and nothing that is ours
    done
}

@test "a trace that is a link is not followed" {
    [[ $EUID -eq 0 ]] || skip "only root can show it"
    files=trace
    for way in root root-n; do
        go "$way"
        echo ours >../ours
        chmod 600 ../ours
        ln -s ../ours trace
        caged 0 KIT_TRACE=trace true
        assert_equal "$(stat -c %a ../ours)" 600
    done
}

# start COMMAND...: run it, which must start wild or unruly. Number 6 makes the
# program itself hold the pipe that we read.
start() {
    exec 5< <(exec "${starter[@]}" "$@" 6>&1 3>&-)
    started=$!
    read -r -u 5
}

@test "cage that is killed takes the family with it, and so does bound" {
    for way in "${ways[@]}"; do
        go "$way"
        local program=("${flags[@]}" sh -c 'exec wild deaf >&6')
        start cage "${program[@]}"
        kill -TERM "$started"
        run -0 bound cat <&5 # until the last has closed it
        start cage "${program[@]}"
        kill -KILL "$started"
        run -0 bound cat <&5
        start bound cage "${program[@]}"
        kill -KILL "$started"
        run -0 bound cat <&5
    done
}

@test "init that is killed takes the program with it" {
    for way in "${ways[@]}"; do
        go "$way"
        local status=0
        start cage "${flags[@]}" sh -c 'exec unruly deaf >&6'
        kill -KILL "$(pgrep -P "$started")"
        wait "$started" || status=$?
        assert_equal "$status" 137
        run -0 bound cat <&5
    done
}

@test "who reads the output sees the end that the program makes" {
    for way in "${ways[@]}"; do
        go "$way"
        mkfifo input
        exec {keep}<>input
        exec 5< <(exec {keep}>&-; exec "${starter[@]}" cage "${flags[@]}" \
            unruly mute <input 2>/dev/null 3>&-)
        local cage=$!
        run -0 bound cat <&5
        kill -0 "$cage"
        exec {keep}>&-
        wait "$cage"
    done
}

# as_usual PROGRAM: run it in the cage and without, and compare the outputs;
# numbers, the order of lines and a scratch directory's name differ.
as_usual() {
    local name=${1##*/} numbers='s/ dir=.*//; s/[0-9][0-9.]*/N/g'
    mkdir -m 1777 "$name"
    cd "$name"
    "${starter[@]}" bound cage "${flags[@]}" KIT_TRACE=trace \
        LD_LIBRARY_PATH="$home" LD_PRELOAD=interpose.so "$1" >caged 2>&1 ||
        echo "status=$?" >>caged
    bound "$1" >free 2>&1 || echo "status=$?" >>free
    diff <(sed "$numbers" caged | sort) <(sed "$numbers" free | sort) &&
        [[ -s trace ]]
}

@test "the kit's programs do the same in the cage, under the lens" {
    cp "$KIT_BUILD/tools/interpose.so" "$home"
    mkdir "$home/chapters"
    cp "$KIT_BUILD"/chapters/*/* "$home/chapters"
    rm "$home"/chapters/*.d
    for way in "${ways[0]}" user-n; do
        go "$way"
        mkdir -m 1777 "$home/room/$way"
        cd "$home/room/$way"
        # Two at a time: what they say must not depend on a crowd.
        local programs=("$home/chapters/"*) running=() i
        for i in "${!programs[@]}"; do
            as_usual "${programs[i]}" >"$said.$i" 2>&1 3>&- </dev/null &
            running+=("$!")
            ((i % 2 == 0)) || wait "${running[i - 1]}" || true
        done
        for i in "${!running[@]}"; do
            wait "${running[i]}" || fail "$way: $(cat "$said.$i")"
        done
    done
}

@test "without the right to make namespaces it does without, and -v says so" {
    [[ $EUID -eq 0 ]] || skip "only root can show it"
    # As in most containers.
    run -0 setpriv --bounding-set -sys_admin cage -v id -u
    assert_line --index 0 --regexp \
        '^cage: namespaces: Operation not permitted; user [0-9]+$'
    assert_equal "${lines[1]}" "${lines[0]##* }"
    # Root of a user namespace is an ordinary user outside, and stays one.
    run -0 "${user[@]}" unshare --user --map-root-user sh -c \
        'echo 0 >/proc/sys/user/max_pid_namespaces; exec "$@"' sh cage -v id -u
    assert_line --index 0 "cage: namespaces: No space left on device; user 0"
    assert_line --index 1 0
}

@test "cage that makes no sense exits with 2, a program that does not start 127" {
    for arguments in "" "-x true" "-n" "A=B" "env A=B"; do
        # shellcheck disable=SC2086 # each is several words
        run -2 cage $arguments
        assert_output --partial \
            "usage: cage [-nvw] [[env] NAME=VALUE...] PROGRAM [ARG...]"
    done
    for way in "${ways[@]}"; do
        go "$way"
        caged 127 no-such-program
        assert_output "cage: no-such-program: No such file or directory"
        caged 126 "$home"
        assert_output "cage: $home: Permission denied"
    done
}
