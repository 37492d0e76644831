# Chapter 5: who holds a lock, and what lets go of it.

setup() {
    load ../helpers
    use chapters/05_lock_files
    cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
    [[ -z ${holder-} ]] || let_go
    [[ -z ${open-} ]] || rm -r "$open"
    # Whatever a test was about: the program's directory must be gone.
    local dir
    dir=$(field dir "${lines[0]-}") || return 0
    [[ ! -e $dir ]] || fail "left behind: $dir"
}

@test "a second server is refused: Resource temporarily unavailable" {
    run -0 control_socket_lock
    assert_line --index 1 "old: started o_cloexec=no"
    assert_line --index 2 "new: cannot lock socket lockfile, \
kea4-ctrl-socket.lock, : Resource temporarily unavailable"
}

@test "a zombie holds no lock: the next server starts beside it" {
    run -0 control_socket_lock
    assert_line --index 3 "old: killed state=zombie lock_file=there"
    assert_line --index 4 "new: started o_cloexec=no"

    [[ -e $KIT_BUILD/tools/interpose.so ]] || lacks "the lens"
    local program=$KIT_BUILD/chapters/05_lock_files/control_socket_lock
    ! grep -q __asan_init "$program" || skip "not with an address sanitizer"
    run -0 "$KIT_BUILD/tools/bound" env KIT_TRACE="$PWD/trace" \
        LD_LIBRARY_PATH="$KIT_BUILD/tools" LD_PRELOAD=interpose.so "$program"
    # Of the first process: dead but unreaped, a lock, reaped, a lock.
    run -0 awk '$2 == "0:0" && $5 == "end" && /WNOWAIT .*= 0$/ { print "zombie" }
        $2 == "0:0" && $5 == "end" && /waitid/ && !/WNOWAIT/ { print "reaped" }
        $2 == "0:0" && $5 == "end" && $6 == "flock" { print "flock", $NF }' trace
    assert_line --index 0 "flock EAGAIN"
    assert_line --index 1 "zombie"
    assert_line --index 2 "flock 0"
    assert_line --index 3 "reaped"
    assert_line --index 4 "flock 0"
}

@test "a lock file that was left behind blocks nobody" {
    run -0 control_socket_lock
    assert_line --index 5 "old: killed state=reaped lock_file=there"
    assert_line --index 6 "new: started o_cloexec=no"
}

@test "a script that inherited the descriptor has the dead server's lock, until it ends" {
    run -0 control_socket_lock
    assert_line --index 7 "old: started o_cloexec=no"
    assert_line --index 8 \
        "old: killed state=reaped script=running lock_file=there"
    assert_line --index 9 --partial "new: cannot lock socket lockfile, "
    assert_line --index 10 "script: ended lock_file=there"
    assert_line --index 11 "new: started o_cloexec=no"
}

@test "with O_CLOEXEC the script has it not, and the next server starts" {
    run -0 control_socket_lock
    assert_line --index 12 "old: started o_cloexec=yes"
    assert_line --index 13 \
        "old: killed state=reaped script=running lock_file=there"
    assert_line --index 14 "new: started o_cloexec=yes"
    assert_equal "${#lines[@]}" 17
}

# row TITLE WANTED: so lock_kinds answers in this row, for the four kinds.
row() {
    run -0 lock_kinds
    assert_line "$1 $2"
}

@test "a lock that another has is EAGAIN, a file that O_EXCL finds is EEXIST" {
    row "locked: other" "flock=EAGAIN fcntl=EAGAIN ofd=EAGAIN o_excl=EEXIST"
}

@test "a second open() in the same process is refused, but not by fcntl" {
    row "locked: self" "flock=EAGAIN fcntl=ok ofd=EAGAIN o_excl=EEXIST"
}

@test "a child that closes its copy undoes no lock" {
    row "child_closed: other" \
        "flock=EAGAIN fcntl=EAGAIN ofd=EAGAIN o_excl=EEXIST"
}

@test "a child that unlocks undoes its parent's lock, but not that of fcntl" {
    row "child_unlocked: other" "flock=ok fcntl=EAGAIN ofd=ok o_excl=ok"
}

@test "a lock of flock or OFD outlives who took it while a descriptor is open" {
    row "locker_ended: other" "flock=EAGAIN fcntl=ok ofd=EAGAIN o_excl=EEXIST"
}

@test "when all have closed it only the file of O_EXCL still locks" {
    row "all_closed: other" "flock=ok fcntl=ok ofd=ok o_excl=EEXIST"
}

@test "flock keeps no one out who locks by fcntl" {
    row "by_flock: other" "flock=EAGAIN fcntl=ok ofd=ok o_excl=EEXIST"
}

@test "F_GETLK names who has a lock of fcntl, -1 for OFD, nobody for flock" {
    run -0 who_locked
    assert_equal "${lines[2]}" "F_GETLK: names pid=$(field pid "${lines[1]}") \
name=keeper"
    assert_line --index 4 --partial "keeper: locked kind=flock "
    assert_line --index 5 "F_GETLK: names pid=0 name=none"
    assert_line --index 7 --partial "keeper: locked kind=ofd "
    assert_line --index 8 "F_GETLK: names pid=-1 name=none"
}

@test "/proc/locks names who took a lock, though he has ended" {
    run -0 who_locked
    for took in 1 4; do
        assert_equal "${lines[took + 2]}" \
            "/proc/locks: names pid=$(field pid "${lines[took]}") name=keeper"
    done
    assert_line --index 9 "/proc/locks: names pid=-1 name=none"

    assert_line --index 10 --partial "locker: locked kind=flock "
    assert_line --index 11 "locker: ended"
    locker=$(field pid "${lines[10]}")
    # A pid namespace hides the lock of a process that is not there.
    run -0 echo "${lines[13]}"
    assert_output --regexp "^/proc/locks: names pid=($locker|0) name=none$"
}

@test "who_holds finds the living descriptor of a lock whose locker is dead" {
    run -0 who_holds
    assert_line --index 1 --partial "locker: ended "
    locker=$(field pid "${lines[1]}")
    assert_line --index 2 --partial "holder: "
    assert_equal "$(field name "${lines[2]}")" who_holds
    assert_equal "$(field lock "${lines[2]}")" FLOCK
    [[ $(field locked_by "${lines[2]}") =~ ^($locker|0)$ ]] || fail "$output"
    assert_line --index 4 --regexp "^who_holds: found holders=1 "
}

@test "who has the file open and no lock is a bystander" {
    run -0 who_holds
    assert_line --index 3 --partial "bystander: "
    assert_equal "$(field pid "${lines[3]}")" "$(field pid "${lines[2]}")"
    assert_equal "$(field lock "${lines[3]}")" none
}

# hold COMMAND: run this in a shell that has the file "lock" as descriptor 9,
# until let_go. Its pid is in holder.
hold() {
    mkfifo gate
    exec {ready}< <(exec sh -c \
        "$1 && echo \$\$ && read -r line <gate" 9>lock 3>&-)
    read -r holder <&"$ready" || fail "not to be had: $1"
}

let_go() {
    [[ -z ${holder-} ]] || : >gate
    exec {ready}<&-
    holder=
}

# holders: the pids that who_holds calls holders of the file "lock".
holders() {
    run -0 who_holds lock
    sed -n 's/^holder: pid=\([0-9]*\) .*/\1/p' <<<"$output"
}

@test "a shell holds the lock that flock(1) took for it and ended" {
    command -v flock >/dev/null || skip "flock is not installed"
    hold "flock 9"
    assert_equal "$(holders)" "$holder"
}

@test "who_holds names the process that lsof names" {
    command -v flock >/dev/null || skip "flock is not installed"
    command -v lsof >/dev/null || skip "lsof is not installed"
    hold "flock 9"
    assert_equal "$(holders)" "$(lsof -t lock 2>/dev/null)"
}

@test "while the locker lives who_holds names the process that lslocks names" {
    command -v flock >/dev/null || skip "flock is not installed"
    command -v lslocks >/dev/null || skip "lslocks is not installed"
    mkfifo gate
    exec {ready}< <(exec flock --no-fork lock sh -c \
        'echo $$ && read -r line <gate' 3>&-)
    read -r holder <&"$ready"
    named=$(lslocks --noheadings --output PID,PATH | awk -v path="$PWD/lock" \
        '$2 == path { print $1 }')
    assert_equal "$named" "$holder"
    assert_equal "$(holders)" "$holder"
}

@test "who_holds counts the processes that it was not allowed to look into" {
    [[ $EUID -eq 0 ]] || skip "only root can become another user"
    command -v setpriv >/dev/null || skip "setpriv is not installed"
    open=$(mktemp -d /tmp/who_holds.XXXXXX)
    chmod 755 "$open"
    cp "$KIT_BUILD/chapters/05_lock_files/who_holds" "$open"
    cd "$open"
    hold "flock 9"
    assert_equal "$(holders)" "$holder"
    run setpriv --reuid 65534 --clear-groups "$open/who_holds" lock
    assert_equal "$status" 0
    assert_line --regexp "^who_holds: found holders=0 not_allowed=[1-9]"
}

@test "a file that is not there is a clear line" {
    run -1 who_holds no-such-file
    assert_output "who_holds: no-such-file: No such file or directory"
}

# closed WHAT WANTED: so lost_by_close answers when the server has closed this.
closed() {
    run -0 lost_by_close
    assert_line "server: closed what=$1 $2"
}

@test "a close of any descriptor of the file drops a lock of fcntl" {
    closed nothing "fcntl=EAGAIN ofd=EAGAIN flock=EAGAIN"
    assert_line --regexp "^server: closed what=reader fcntl=ok "
    assert_line --regexp "^server: closed what=copy fcntl=ok "
}

@test "OFD and flock keep the lock until its own descriptors are closed" {
    run -0 lost_by_close
    assert_line --regexp "what=reader fcntl=.* ofd=EAGAIN flock=EAGAIN$"
    assert_line --regexp "what=copy fcntl=.* ofd=EAGAIN flock=EAGAIN$"
}

@test "to close another file drops no lock" {
    closed other_file "fcntl=EAGAIN ofd=EAGAIN flock=EAGAIN"
}

# played N REMOVES LOOKS OWNERS: so ends the N-th story of unlink_race.
played() {
    run -0 unlink_race
    run -0 awk -v story="$1" '/^story: begins/ { next } at == story - 1
        /^story: played/ { at++ }' <<<"$output"
    assert_line --index $((${#lines[@]} - 1)) \
        "story: played removes=$2 looks=$3 owners=$4"
}

# number KEY LINE: that of a file, which is not 0.
number() {
    [[ $(field "$1" "$2") =~ ^[1-9][0-9]*$ ]] && echo "${BASH_REMATCH[0]}"
}

@test "a lock file that is removed and made anew has two owners" {
    played 1 yes no 2
    assert_line --index 2 --regexp "^first: removed .* name_leads_to=0$"
    assert_line --index 3 --partial "third: locked "
    assert_line --index 4 --partial "second: locked "
    assert_equal "$(number inode "${lines[4]}")" \
        "$(number inode "${lines[0]}")"
    [[ $(number inode "${lines[4]}") != "$(number inode "${lines[3]}")" ]] ||
        fail "one file: $output"
}

@test "who looks, when it has the lock, finds that the name leads elsewhere" {
    played 2 yes yes 1
    assert_line --index 4 --partial "second: locked "
    assert_equal "$(number name_leads_to "${lines[4]}")" \
        "$(number inode "${lines[3]}")"
    [[ $(number inode "${lines[4]}") != "$(number inode "${lines[3]}")" ]] ||
        fail "one file: $output"
    assert_line --index 5 --partial "second: let_go "
}

@test "a lock file that is not removed has one owner" {
    played 3 no no 1
    assert_line --index 2 --partial "third: locked "
    assert_line --index 3 --partial "second: refused "
    assert_equal "$(number inode "${lines[3]}")" \
        "$(number inode "${lines[2]}")"
}
