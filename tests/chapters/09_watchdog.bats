# Chapter 9: who watches the worker, and what to do when it is late.

setup() {
    load ../helpers
    use chapters/09_watchdog
    unset NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID
}

# Whatever a test was about: the set that the program named must be gone.
teardown() {
    local set
    set=$(field set "${lines[0]-}") || return 0
    run ! set_exists "$set"
}

# lens FAULT PROGRAM [ARG...]: run it with this fault and its calls in trace.
lens() {
    trace=$BATS_TEST_TMPDIR/trace
    [[ -e $KIT_BUILD/tools/interpose.so ]] || lacks "the lens"
    ! grep -q __asan_init "$KIT_BUILD/chapters/09_watchdog/$2" ||
        skip "not with an address sanitizer"
    run "$KIT_BUILD/tools/bound" env KIT_TRACE="$trace" KIT_FAULT="$1" \
        LD_LIBRARY_PATH="$KIT_BUILD/tools" LD_PRELOAD=interpose.so \
        "$KIT_BUILD/chapters/09_watchdog/$2" "${@:3}"
}

@test "a worker that posts in time is not late, however long the limit" {
    run -0 svsem_watchdog 3600s 20ms
    assert_line --index 4 --partial "watchdog: starting number=1 limit_ms=3600000 "
    assert_line --index 5 "worker: posting number=1"
    assert_line --index 6 --partial "watchdog: in_time number=1 "
    assert_at_least 20 "$(field waited_ms "${lines[6]}")"
}

@test "a worker that has not posted at its deadline is late, and not before" {
    run -3 svsem_watchdog 70ms
    assert_line --index 5 --partial "watchdog: late number=1 "
    assert_at_least 70 "$(field waited_ms "${lines[5]}")"
}

@test "a signal makes the limit of the watchdog neither longer nor shorter" {
    lens 'semtimedop:EINTR+20ms@2-4' svsem_watchdog 400ms
    [[ $status -eq 3 ]] || fail "$output"
    assert_at_least 400 "$(field waited_ms "${lines[5]}")"
    # Each wait after an interruption got what was left, and no more.
    run awk '/ begin semtimedop set=.* ops=1\/-1/ {
                 sub(/.*limit=/, ""); print $0 + 0 }' "$trace"
    assert_equal "${#lines[@]}" 4
    for i in 1 2 3; do
        awk -v a="${lines[i - 1]}" -v b="${lines[i]}" \
            'BEGIN { exit !(b > 0 && b <= a - 20) }' ||
            fail "a wait got more than was left: $output"
    done
}

@test "the late worker is ended and reaped, and the next one is in time" {
    run -3 svsem_watchdog 30ms
    assert_line --index 5 --partial "watchdog: late number=1 "
    assert_line --index 6 "watchdog: ended number=1 group=gone"
    assert_line --index 9 --partial "watchdog: in_time number=2 "
    assert_equal "${#lines[@]}" 11
}

@test "what a late worker has started is ended by the same signal" {
    lens '' svsem_watchdog 30ms
    assert_line "watchdog: ended number=1 group=gone"
    run grep -cE ' end kill(pg)? .*sig=(SIGKILL|9)' "$trace"
    assert_output 1
    # Its helper has not come to the end of its hour; the two others have.
    run grep -c 'helper [0-9]* end poll .* = 0$' "$trace"
    assert_output 2
}

# no_pidfd: the kernel has none, or it is valgrind that has none.
no_pidfd() {
    [[ -z ${KIT_UNDER-} ]] || skip "valgrind has no pidfd_open"
    lacks "pidfd_open"
}

# ending NAME: what crash_or_hang has found out about it.
ending() {
    [[ -s $BATS_FILE_TMPDIR/endings ]] || {
        run crash_or_hang
        [[ $status -ne 77 ]] || no_pidfd
        assert_equal "$status" 0
        printf '%s\n' "$output" >"$BATS_FILE_TMPDIR/endings"
    }
    run -0 sed -n "s/^$1: \(.*\) set=.*/\1/p" "$BATS_FILE_TMPDIR/endings"
}

@test "to the semaphore six endings are one EAGAIN, and one is a success" {
    run crash_or_hang 20ms
    [[ $status -ne 77 ]] || no_pidfd
    assert_equal "$(grep -c semaphore=EAGAIN <<<"$output")" 6
    assert_line --partial "posts_and_aborts: semaphore=posted "
}

@test "the semaphore tells of a crash not before the limit is over" {
    lens '' crash_or_hang 40ms
    [[ $status -ne 77 ]] || no_pidfd
    run awk '/ begin semtimedop / { begun = $1 }
             / end semtimedop .*EAGAIN/ && $1 - begun < 40000000 { print }
             / end semtimedop .*EAGAIN/ { n++ }
             END { print n }' "$trace"
    assert_output 6
}

@test "a pidfd tells who has ended, without a wait, and who lives" {
    for name in crashes forgets posts_and_aborts; do
        ending "$name"
        assert_output --partial " pidfd=ended "
    done
    for name in is_stuck spins is_slow is_stopped; do
        ending "$name"
        assert_output --partial " pidfd=lives "
    done
}

@test "waitid tells a crash from an exit, and who is stopped" {
    ending crashes
    assert_output --partial " how=killed:$(kill -l SEGV) "
    ending forgets
    assert_output --partial " how=exited:0 "
    ending is_stopped
    assert_output --partial " how=stopped:$(kill -l STOP) "
    ending posts_and_aborts
    assert_output --partial " how=killed:$(kill -l ABRT) "
}

@test "who is stuck and who is slow look the same from outside" {
    ending is_stuck
    stuck=$output
    ending is_slow
    assert_output "$stuck"
}

@test "a kernel without pidfd_open is said so, with exit code 77" {
    lens 'syscall:ENOSYS@1' crash_or_hang
    assert_equal "$status" 77
    assert_output "crash_or_hang: syscall pidfd_open: Function not implemented"
}

# about STORY: what heartbeat's watchdog says in the end of a worker. One whose
# piece takes two periods has stale checks, but not four in a row.
about() {
    run -0 heartbeat 100ms 200ms
    line=$(sed -n "/ worker=$1 /,\$p" <<<"$output" |
        grep -m 1 -E "^watchdog: (finished|stuck) ")
    limit=$(field limit_ms "$(grep " worker=$1 " <<<"$output")")
}

@test "a worker whose counter moves is not stuck, however long it works" {
    about works
    assert_regex "$line" "^watchdog: finished beats=8 "
}

@test "four stale checks in a row are a stuck worker, and not fewer" {
    about sticks
    assert_regex "$line" "^watchdog: stuck beats=4 stale_most=4 "
    assert_at_least "$limit" "$(field silence_ms "$line")"
    # Each check came a period after the one before.
    lens '' heartbeat 60ms
    run awk '$3 == "watchdog" && / begin nanosleep / { print $NF }' "$trace"
    assert_equal "$(sort -u <<<"$output")" "limit=60ms"
}

@test "a machine that stands still costs no stale checks, only time" {
    about is_frozen
    assert_regex "$line" "^watchdog: finished beats=8 "
    # By the clock it was late, and twice.
    assert_at_least $((2 * limit)) "$(field silence_ms "$line")"
    (($(field stale_most "$line") < 4)) || fail "$line"
}

@test "a stuck worker is ended and reaped" {
    lens '' heartbeat 60ms
    assert_equal "$status" 0
    run grep -cE "= kill |end kill .*sig=SIGKILL" "$trace"
    assert_output 1
}

# gone WORKER: after which signal escalate saw the end of it, and when.
gone() {
    line=$(grep "^watchdog: gone worker=$1 " <<<"$output") || fail "$output"
    after=$(field after "$line")
    waited=$(field waited_ms "$line")
}

@test "who catches SIGTERM cleans up, and no SIGKILL comes" {
    run -0 escalate 30ms
    assert_line --index 1 "worker: cleaning_up"
    gone polite
    assert_equal "$after" SIGTERM
}

@test "who ignores SIGTERM is killed when the grace is over, not before" {
    run -0 escalate 130ms
    gone stubborn
    assert_equal "$after" SIGKILL
    assert_at_least 130 "$waited"
}

@test "SIGTERM does not reach who is stopped, SIGKILL does" {
    run -0 escalate 130ms
    gone stopped
    assert_equal "$after" SIGKILL
    assert_at_least 130 "$waited"
}

@test "an orphan of the worker keeps the pipe open" {
    run -0 whole_group 120ms
    assert_line --index 1 --partial \
        "watchdog: reaped killed=worker count=1 pipe=open "
    assert_at_least 120 "$(field waited_ms "${lines[1]}")"
}

@test "a signal to the group ends the orphan, and the watchdog reaps it" {
    run -0 whole_group 10ms
    assert_line --index 2 --partial \
        "watchdog: reaped killed=group count=1 pipe=ended "
}

# called WORKER: how roll_call's last look was answered by one of them.
called() {
    line=$(grep "^watchdog: called worker=$1 " <<<"$output") || fail "$output"
    answer=$(field answer "$line")
}

@test "a worker is missing after its own number of stale looks, not before" {
    lens '' roll_call 40ms
    called writer
    assert_equal "$answer $(field stale "$line")" "missing 5"
    # The first look sees what it has done; then there are five.
    run grep -c ' end nanosleep limit=40ms = 0' "$trace"
    assert_output 6
}

@test "a worker with a long piece of work has more patience, and is present" {
    run -0 roll_call 10ms
    called archiver
    assert_equal "$answer" present
}

@test "a worker that has signed off is not called" {
    run -0 roll_call 10ms
    called cleaner
    assert_equal "$answer $(field stale "$line")" "excused 0"
}

@test "the board tells what the missing worker was at when it got stuck" {
    run -0 roll_call 10ms
    assert_line "watchdog: last_words worker=writer finished=3 doing=flushing"
}

@test "only who is missing is killed, and the others end by themselves" {
    lens '' roll_call 10ms
    assert_line "watchdog: killed worker=writer"
    assert_line "watchdog: sent_home workers=3"
    run grep -c ' end kill ' "$trace"
    assert_output 1
}

# supervised [ARG...]: run supervise, and read into said what it said.
supervised() {
    run supervise "$@"
    [[ $status -ne 77 ]] || no_pidfd
    assert_equal "$status" 0
    said=$output
}

@test "a worker that has failed is restarted, and one that is done is not" {
    supervised 10ms
    run -0 sed -n '1,/ done /p' <<<"$said"
    assert_equal "$(grep -c ' started job=flaky ' <<<"$output")" 3
    assert_line --index 1 "supervisor: ended how=exited:7"
    assert_line --index 6 "supervisor: ended how=exited:0"
    assert_line --index 7 "supervisor: done job=flaky"
}

@test "a late worker is ended at its limit, not before, and restarted" {
    supervised 10ms
    run -0 sed -n '/ late attempt=2$/,+2p' <<<"$said"
    assert_line --index 1 "supervisor: ended how=killed:$(kill -l KILL)"
    assert_line --index 2 --partial "supervisor: started job=flaky attempt=3 "
    assert_at_least 150 "$(field since_last_ms "${lines[2]}")"
}

@test "from start to start there is a pause at least, however soon it fails" {
    supervised 70ms
    run -0 grep -E ' started .* attempt=([^1])' <<<"$said"
    assert_equal "${#lines[@]}" 5
    for line in "${lines[@]}"; do
        assert_at_least 70 "$(field since_last_ms "$line")"
    done
}

@test "three restarts in a window are allowed, and then it gives up" {
    supervised 1ms 3600s
    assert_equal "$(grep -c ' started job=broken ' <<<"$said")" 4
    assert_equal "$(grep -c '^supervisor: gave_up job=broken$' <<<"$said")" 1
}

@test "restarts that are outside of the window do not count" {
    # When the fourth one is wanted, the first is three pauses old, or older.
    supervised 30ms 60ms
    run -0 grep -A 1 ' started job=broken attempt=7 ' <<<"$said"
    assert_line --index 1 "supervisor: ended how=exited:0"
    run ! grep gave_up <<<"$said"
}

@test "a supervisor that is asked to stop ends the worker, and restarts none" {
    supervised 10ms
    run -0 sed -n '/ asked_to_stop/,$p' <<<"$said"
    assert_line --index 1 "supervisor: ended how=killed:$(kill -l TERM)"
    assert_line --index 2 "supervisor: stopped job=service"
    assert_equal "${#lines[@]}" 3
}

# read_line: read the next line of what $said is open to into line and lines.
read_line() {
    IFS= read -r -t "$((20 * ${KIT_TIME_SCALE:-1}))" -u "$said" line &&
        lines+=("$line")
}

@test "while a supervisor pauses it can be asked to stop, too" {
    exec {said}< <(exec "$KIT_BUILD/chapters/09_watchdog/supervise" 3600s 3>&-)
    pid=$!
    lines=() line=
    while [[ $line != "supervisor: ended "* ]]; do
        read_line || break
    done
    [[ $line == "supervisor: ended "* ]] || no_pidfd
    kill -TERM "$pid" # the next start is an hour away
    while read_line; do :; done
    kill -KILL "$pid" 2>/dev/null || true # if it has not listened
    assert_equal "${lines[1]-}" "supervisor: ended how=exited:7"
    assert_equal "${lines[2]-}" "supervisor: asked_to_stop"
    assert_equal "${lines[3]-}" "supervisor: stopped job=flaky"
    assert_equal "${#lines[@]}" 4
}

# limit USEC PID [READER]: what notify_watchdog, or another program, reads from
# WATCHDOG_USEC and WATCHDOG_PID, where "unset" is none, and "own" its own pid.
limit() {
    # shellcheck disable=SC2016 # that shell is to expand it
    run sh -c '
        [ "$1" = unset ] || export WATCHDOG_USEC="$1"
        [ "$2" = unset ] || export WATCHDOG_PID="$2"
        [ "$2" != own ] || WATCHDOG_PID=$$
        NOTIFY_SOCKET=@kit/nobody exec "$0" 1us 1' \
        "${3:-$KIT_BUILD/chapters/09_watchdog/notify_watchdog}" "$1" "$2"
    said="$status ${lines[0]-}"
}

@test "a limit counts if WATCHDOG_PID is unset, or is the service's own" {
    for pid in unset own; do
        limit 3000000 "$pid"
        assert_equal "$said" "0 service: started watchdog=on limit_us=3000000"
    done
    for pid in 1 4194304 2147483647; do
        limit 3000000 "$pid"
        assert_equal "$said" "0 service: started watchdog=off limit_us=0"
    done
    limit unset own
    assert_equal "$said" "0 service: started watchdog=off limit_us=0"
}

@test "a limit or a pid that makes no sense is bad, and the service goes on" {
    [[ -z ${KIT_UNDER-} ]] || skip "without valgrind is enough"
    local too_large=18446744073709551615
    for usec in "" 0 -1 3s soon 1.5 $too_large ${too_large}0; do
        limit "$usec" unset
        assert_equal "$said" "0 service: started watchdog=bad limit_us=0"
    done
    for pid in "" 0 -1 me 1x 2147483648 $too_large; do
        limit 3000000 "$pid"
        assert_equal "$said" "0 service: started watchdog=bad limit_us=0"
    done
}

@test "libsystemd reads the limit as we do, but for numbers that nobody writes" {
    [[ -z ${KIT_UNDER-} ]] || skip "without valgrind is enough"
    local theirs=$BATS_TEST_TMPDIR/theirs
    cc -x c -o "$theirs" - -l:libsystemd.so.0 2>/dev/null <<'C' ||
#include <inttypes.h>
#include <stdio.h>
int sd_watchdog_enabled(int unset_environment, uint64_t *usec); /* systemd/sd-daemon.h */
int main(void)
{
    uint64_t usec = 0;
    int answer = sd_watchdog_enabled(0, &usec);
    printf("service: started watchdog=%s limit_us=%" PRIu64 "\n",
           answer > 0 ? "on" : answer < 0 ? "bad" : "off", usec);
    return 0;
}
C
        skip "no libsystemd to compare with"
    local usec pid ours max=18446744073709551615
    while read -r usec pid; do
        [[ $usec != empty ]] || usec=
        [[ $pid != empty ]] || pid=
        limit "$usec" "$pid"
        ours=$said
        limit "$usec" "$pid" "$theirs"
        assert_equal "USEC=$usec PID=$pid: $ours" "USEC=$usec PID=$pid: $said"
    done <<END
unset own
empty unset
0 unset
-1 unset
3s unset
${max%5}4 unset
$max unset
soon 1
3000000 own
3000000 1
3000000 empty
3000000 -1
3000000 2147483647
3000000 2147483648
END
    # It also takes 010 as 8 and 0x10 as 16, which nobody means.
    for usec in 010 0x10; do
        limit "$usec" unset
        assert_equal "$said" "0 service: started watchdog=bad limit_us=0"
    done
}

# serve USEC [ARG...]: run notify_watchdog with this limit and no manager.
serve() {
    NOTIFY_SOCKET=@kit/nobody WATCHDOG_USEC=$1 run -0 notify_watchdog "${@:2}"
    pings=$(field pings "${lines[1]}")
}

@test "a heartbeat is sent after a piece of work when half the limit is over" {
    serve 40000 20ms 4
    assert_equal "$pings" 4
    assert_at_least 80 "$(field last_ping_ms "${lines[1]}")"
    # Pieces that are shorter: not sooner than half of it after the last one.
    serve 40000 3ms 20
    assert_at_least 1 "$pings"
    assert_at_least $((20 * pings)) "$(field last_ping_ms "${lines[1]}")"
}

@test "without a limit, or with a very long one, no heartbeat is sent" {
    for usec in 0 18446744073709551614; do
        serve "$usec" 1us 9
        assert_equal "$pings" 0
    done
}

@test "a manager that does not read costs notes, and never a wait" {
    lens '' notify_watchdog 1ms 2
    assert_line "stage: stopped manager"
    line=$(grep "errno=EAGAIN" <<<"$output") || fail "$output"
    assert_at_least 1 "$(field after "$line")"
    # The lens writes a begin for each call that may wait.
    run ! grep -q " begin sendmsg " "$trace"
}

@test "a manager that is gone, or never was, is no failure of the service" {
    run -0 notify_watchdog 1ms 2
    assert_line "service: not_sent errno=ECONNREFUSED after=0"
    for socket in @kit/nobody "$BATS_TEST_TMPDIR/no-such-socket"; do
        NOTIFY_SOCKET=$socket run -0 notify_watchdog 1us 2
        assert_line --partial " barrier=not_sent "
    done
}

@test "a barrier is answered when all notes before it are read" {
    lens '' notify_watchdog
    said=$(grep -A 2 "^manager: read STOPPING=1" <<<"$output")
    assert_regex "$said" "1.manager: read BARRIER=1 descriptor=1.service: ended .* barrier=read "
    # It was asked about a descriptor that hangs up, and for 5 s at most.
    run grep -c ' end poll .* limit=5s = 1' "$trace"
    assert_output 1
}

@test "an address is a path or begins with @, and no other makes sense" {
    for socket in run/notify vsock:2:1 / @ "" "@$(printf '%0120d' 0)"; do
        NOTIFY_SOCKET=$socket run -1 notify_watchdog 1us 1
        assert_output "notify_watchdog: NOTIFY_SOCKET: Invalid argument"
    done
}

# manage STATUS [ARG...]: run notify_manager, which exits so, and keep what it
# has read from the service in notes, a line each.
manage() {
    run notify_manager "${@:2}"
    [[ $status -ne 77 ]] || no_pidfd
    [[ $status -eq $1 ]] || fail "exit code $status: $output"
    notes=$(sed -n 's/^manager: read //p' <<<"$output")
}

# build_sender: make $sender, a program that sends notes by hand. Its arguments
# are pairs: a number of descriptors, and the text that goes with them. With one
# word more it stays when it has sent them.
build_sender() {
    sender=$BATS_TEST_TMPDIR/sender
    cc -x c -o "$sender" - <<'C'
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int argc, char *argv[])
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *name = getenv("NOTIFY_SOCKET");
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    memcpy(to.sun_path, name, strlen(name));
    if (name[0] == '@')
        to.sun_path[0] = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        size_t size = sizeof(int) * (size_t)atoi(argv[i]);
        char room[256] __attribute__((aligned(8))) = {0};
        struct iovec data = {argv[i + 1], strlen(argv[i + 1])};
        struct msghdr note = {&to, 0, &data, 1, room, CMSG_SPACE(size), 0};
        note.msg_namelen = 2 + strlen(name) + (name[0] == '/');
        CMSG_FIRSTHDR(&note)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&note)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&note)->cmsg_len = CMSG_LEN(size); /* of stdin */
        if (size == 0)
            note.msg_controllen = 0;
        if (sendmsg(fd, &note, 0) == -1)
            return 1;
    }
    return argc % 2 == 0 && pause() == -1;
}
C
}

@test "a service that is silent for the limit is late, and not before" {
    manage 3 90ms
    assert_equal "$notes" $'READY=1\nSTATUS=working\nWATCHDOG=1'
    line=$(grep "^manager: late " <<<"$output")
    assert_regex "$line" "reason=silent "
    assert_at_least 90 "$(field silent_ms "$line")"
    assert_line "manager: ended how=killed:$(kill -l ABRT)"
}

@test "a service that ignores SIGABRT is killed after a grace" {
    build_sender
    manage 3 20ms "trap '' ABRT; exec '$sender' 0 READY=1 stay"
    assert_line --partial "manager: late reason=silent "
    assert_line "manager: ended how=killed:$(kill -l KILL)"
}

@test "notify_watchdog's notes, heartbeats and barrier arrive at both addresses" {
    local program=$KIT_BUILD/chapters/09_watchdog/notify_watchdog
    for address in path abstract; do
        manage 0 3600s "WATCHDOG_USEC=2000 exec '$program' 1ms 2" "$address"
        assert_line "service: started watchdog=on limit_us=2000"
        assert_line --partial "service: ended pings=2 barrier=read "
        assert_equal "$(tr '\n' ' ' <<<"$notes")" "READY=1 STATUS=working \
WATCHDOG=1 WATCHDOG=1 STOPPING=1 BARRIER=1 descriptor=1 "
    done
}

@test "the service is told its own limit and its own pid" {
    local program=$KIT_BUILD/chapters/09_watchdog/notify_watchdog
    manage 0 3600s "exec '$program' 1us 1"
    assert_line "service: started watchdog=on limit_us=3600000000"
    manage 0 3600s "'$program' 1us 1; true" # a child of the service
    assert_line "service: started watchdog=off limit_us=0"
}

@test "the real systemd-notify is understood, and its barrier is answered" {
    command -v systemd-notify >/dev/null ||
        skip "systemd-notify, of the package systemd, is not installed"
    for address in path abstract; do
        manage 0 3600s "systemd-notify --ready --status='half done' WATCHDOG=1" \
            "$address"
        assert_line "manager: read READY=1"
        assert_line "manager: read STATUS=half done"
        assert_line "manager: read WATCHDOG=1"
        assert_line "manager: ended how=exited:0"
    done
}

@test "a service may set another limit, and say that it is over now" {
    build_sender
    manage 3 3600s "exec '$sender' 0 READY=1 0 WATCHDOG_USEC=70000 stay"
    line=$(grep "^manager: late reason=silent " <<<"$output") || fail "$output"
    assert_at_least 70 "$(field silent_ms "$line")"
    manage 3 3600s "exec '$sender' 0 READY=1 0 WATCHDOG=trigger stay"
    assert_line --partial "manager: late reason=trigger "
}

@test "notes that make no sense are ignored, and unknown keys are no mistake" {
    build_sender
    export bell=$'BELL=\a\nSTATUS=so' long
    printf -v long '%05000d' 0
    manage 0 3600s "'$sender' 0 X_OURS=1 0 nonsense 0 '' 2 TWO=2 1 ONE=1 \
        0 WATCHDOG_USEC=0 0 \"\$long\" 0 \"\$bell\""
    assert_equal "$notes" "X_OURS=1
nonsense
ONE=1 descriptor=1
WATCHDOG_USEC=0
BELL=?
STATUS=so"
    assert_equal "$(grep -c '^manager: ignored reason=not_a_note$' <<<"$output")" 2
}

@test "a note of another user is ignored" {
    [[ $(id -u) -eq 0 ]] || skip "only root can be two users"
    command -v setpriv >/dev/null || skip "setpriv is not installed"
    build_sender
    local place # where that user gets to, too
    place=$(mktemp -d)
    chmod 755 "$place" && mv "$sender" "$place/sender"
    run notify_manager 3600s \
        "setpriv --reuid=65534 --clear-groups '$place/sender' 0 READY=1"
    rm -r "$place"
    [[ $status -ne 77 ]] || no_pidfd
    assert_equal "$status" 0
    assert_line "manager: ignored reason=other_user"
    run ! grep "^manager: read " <<<"$output"
}

@test "what a service leaves behind ends with it, and a failure is said so" {
    build_sender
    manage 1 3600s "'$sender' stay & exit 7" # else bound would find it
    assert_line "manager: ended how=exited:7"
}
