# semdebug_report of chapter 10: what it reads, and what may be fed to it.

setup() {
    load ../helpers
    use chapters/10_semaphore_timeouts kit
    cd "$BATS_TEST_TMPDIR"
}

# waits WAITER ADDRESS STATE [MS]: print a record.
waits() {
    echo "THREAD [$1] WAITING FOR RWSEM 0x0244 a name (@$2) ($3) FOR ${4:-30000} ms"
}

# report LINE...: of a log that has these lines.
report() {
    printf '%b\n' "$@" >log
    run -0 semdebug_report log
}

# told ROW KEY: the first value of this key in a row of this kind.
told() {
    local line
    line=$(grep -m 1 "^ *$1:" <<<"$output")
    field "$2" "$line"
}

# expect ROW KEY=VALUE...
expect() {
    local pair
    for pair in "${@:2}"; do
        [[ $(told "$1" "${pair%%=*}") == "${pair#*=}" ]] ||
            fail "no $pair in $1: $output"
    done
}

WINDOWS='THREAD [0053:002F] WAITING FOR SEM 0x042D LSIWRAP shared semaphore (@01342C68) (OWNER=009A:0099) FOR 120 ms'
UNIX='THREAD [01676:00001] WAITING FOR RWSEM 0x412C (@EE100210) (R=0,W=1,WRITER=05067:00001,1STREADER=05067:00001) FOR 30000 ms'
NEW='sq="0000A1B2" THREAD [0B8C:0002-0C60] WAITING FOR READ LOCK ON RWSEM 0x0256 a name (@0D2F11A0) (d:\\mail (old)\\a=b.nsf) (R=1,W=3,WRITER=0B8C:0D10,1STREADER=0B8C:0D10) FOR 5000 ms'

@test "three spellings in one log, each with its own base" {
    report "$WINDOWS" "$UNIX" "$NEW"
    expect log records=3 whole=3 unknown_lines=0
    assert_line --partial "thread=0053:002F pid=83 pid_hex=0x53"
    assert_line --partial "thread=01676:00001 pid=1676 pid_hex=0x68C"
    assert_line --partial "thread=0B8C:0C60 pid=2956"
    assert_line 'ids: digits=4 base=hex because=letters records=2'
    assert_line 'ids: digits="5 or more" base=decimal because="zeros in front" records=1'
}

@test "bullets, CRLF, attributes, stamps and what else stands before a record" {
    report "- $WINDOWS\r" "* $WINDOWS\r" "ti=\"1\" sq=\"00000001\" $WINDOWS" \
        "01/02/2025 10:00:00 AM  $WINDOWS" "> $WINDOWS "
    expect log records=5 whole=5 cut=0 unknown_lines=0
    assert_line --partial 'first="01/02/2025 10:00:00 AM"'
}

@test "a record over two lines is one, wherever it is wrapped" {
    local at
    for ((at = 7; at < ${#WINDOWS}; at++)); do
        [[ ${WINDOWS:at:1} == ' ' ]] || continue
        report "${WINDOWS:0:at}" "- ${WINDOWS:at+1}" "$UNIX"
        expect log records=2 whole=2 wrapped=1 cut=0 unknown_lines=0
        expect semaphore address=01342C68 reports=1
    done
}

@test "a record that is cut tells what it has, and no more" {
    report "$WINDOWS" "${WINDOWS:0:78}"
    expect log records=2 whole=1 cut=1
    expect semaphore reports=2 not_said=1 slice_ms=120
    report "$WINDOWS" "${WINDOWS:0:93}" # inside of the owner
    expect semaphore reports=2 not_said=1
    assert_equal "$(grep -c ' holder:' <<<"$output")" 1
    report "${WINDOWS:0:99}" # behind it
    expect semaphore reports=1 holders=1
    expect waiter total_ms=0
    report "${WINDOWS:0:13}"
    expect log records=0 unknown_lines=1
}

@test "a line that lost its end to another record gives that one" {
    report "${WINDOWS:0:50}$UNIX" "$WINDOWS$UNIX"
    expect log records=4 whole=3 cut=1
    expect semaphore address=EE100210 reports=2
}

@test "a name may be missing, a path may hold what a state holds" {
    report "${UNIX/(R=0/(\/a (OWNER=1:2) b=c\/d.nsf) (R=0}" "$NEW"
    assert_line --partial 'path="/a (OWNER=1:2) b=c/d.nsf"'
    assert_line --partial 'path="d:\mail (old)\a=b.nsf"'
    run ! grep '^semaphore: address=EE100210 .* name=' <<<"$output"
}

@test "ids of any width, up to what a number can hold" {
    report "$(waits 24510474:00001 1 OWNER=00000123:00002)"
    assert_line --partial "thread=24510474:00001 pid=24510474"
    assert_line --partial "thread=00123:00002 pid=123"
    report "$(waits 123456789ABCDEF:1 FFFFFFFFFFFFFFFF OWNER=000000000000000000000001:00002)"
    expect log records=1 whole=1 too_big_numbers=0
    assert_line --partial "pid=81985529216486895"
    assert_line --partial "address=FFFFFFFFFFFFFFFF"
    report "$(waits 1234567890123456:1 1 OWNER=0:0)"
    expect log records=0 unknown_lines=1 too_big_numbers=1
    report "$(waits 0A:1 1 OWNER=0B:2 99999999999999999999999)"
    expect log records=1 too_big_numbers=1
}

@test "the base: letters, or five digits with zeros, or where it is the same" {
    report "$(waits 00012:00001 1 OWNER=00013:00001)"
    expect waiter pid=12
    report "$(waits 1000A:00001 1 OWNER=00013:00001)"
    expect holder pid=19
    report "$(waits 0001:0002 1 OWNER=0003:0000)"
    expect holder pid=3
    for ids in 12345:12345 0012:0001; do
        waits "$ids" 1 OWNER=0:0 >log
        run -2 semdebug_report log
        assert_output --partial "say --ids=hex"
    done
    run -0 semdebug_report --ids=hex log
    expect waiter pid=18
}

@test "readers: no writer and R above 0; a leftover 1STREADER is none" {
    report "$(waits 000A:1 1 R=2,W=0,WRITER=0000:0000,1STREADER=000B:0001)"
    assert_line --partial "verdict: held by readers: up to 2 readers"
    report "$(waits 000A:1 1 R=0,W=3,WRITER=0000:0000,1STREADER=000B:0001)"
    assert_line --partial "verdict: unknown: nobody had it when it was told"
    expect semaphore holders=0 most_w=3
}

@test "the verdict is unknown of one report, and with nobody in it" {
    report "$(waits 000A:1 1 OWNER=000B:1)"
    assert_line --partial "verdict: unknown: one report: look again"
    report "$(waits 000A:1 1 OWNER=0000:0000)"
    assert_line --partial "verdict: unknown: nobody had it"
}

@test "a convoy that ends in one holder for three slices is stuck" {
    report "$(waits 000A:1 1 OWNER=000B:1)" "$(waits 000A:1 1 OWNER=000C:1)" \
        "$(waits 000A:1 1 OWNER=000C:1)"
    assert_line --partial "verdict: convoy of 2 holders"
    waits 000A:1 1 OWNER=000C:1 >>log
    run -0 semdebug_report log
    assert_line --partial "verdict: stuck holder: no other holder since"
    expect over_time longest_by=000C:0001 at_least_ms=60000
}

@test "a wait begins anew where its thread waited elsewhere, or held" {
    report "$(waits 000A:1 1 OWNER=000B:1)" "$(waits 000A:1 2 OWNER=000B:1)" \
        "$(waits 000A:1 1 OWNER=000B:1)"
    expect waiter longest_ms=30000 total_ms=60000
    report "$(waits 000A:1 1 OWNER=000B:1)" "$(waits 000C:1 1 OWNER=000A:1)" \
        "$(waits 000A:1 1 OWNER=000B:1)"
    expect waiter longest_ms=30000 total_ms=60000
}

@test "numbered records are put in order; a gap ends what is in a row" {
    local numbered=()
    for sq in 10 12 11 13 16; do
        numbered+=("sq=\"000000$sq\" $(waits "000A:$((sq % 2 + 1))" 1 OWNER=000B:1)")
    done
    report "${numbered[@]}"
    expect sequence gaps=1 missing=2 too_late=0
    assert_line --regexp 'thread=000A:0001 .* reports=3 longest_ms=60000 total_ms=90000'
    report "${numbered[@]}" "sq=\"00000002\" $(waits 000A:1 1 OWNER=000B:1)"
    expect sequence too_late=1
}

@test "a deadlock of three, one of one, and one that is over, each once" {
    report "$(waits 000A:1 1 OWNER=000B:1)" "$(waits 000B:1 2 OWNER=000C:1)" \
        "$(waits 000C:1 3 OWNER=000A:1)" "$(waits 000D:1 4 OWNER=000D:1)" \
        "$(waits 000A:1 1 OWNER=000B:1)" "$(waits 000C:1 9 OWNER=000E:1)"
    assert_line 'deadlock: number=1 of=3 reports_of_each=1 times=1 at_the_end=no'
    assert_line 'deadlock: number=2 of=1 reports_of_each=1 times=1 at_the_end=yes'
    assert_equal "$(grep -c ^deadlock: <<<"$output")" 2
    assert_line --partial "verdict: deadlock of 1: seen once"
}

@test "who waits behind a deadlock is told that, and is no part of it" {
    report "$(waits 000A:1 1 OWNER=000B:1)" "$(waits 000B:1 2 OWNER=000A:1)" \
        "$(waits 000C:1 3 OWNER=000A:1)"
    assert_line --partial "verdict: deadlock of 2, at the end of the chain"
    assert_equal "$(grep -c ' member:' <<<"$output")" 2
}

@test "a wait that is no longer reported closes no circle" {
    # 000A waits for 000B, and is not heard of again, while 000F is, for long.
    report "$(waits 000A:1 1 OWNER=000B:1)" \
        "$(for _ in 1 2 3 4 5; do waits 000F:1 5 OWNER=000E:1; done)" \
        "$(waits 000B:1 2 OWNER=000A:1)"
    assert_equal "$(grep -c ^deadlock: <<<"$output")" 0
}

@test "a virtual thread, and the case of digits, do not hide who it is" {
    report "$(waits 000a:0005-000c 1 OWNER=000B:000D)" \
        "$(waits 000B:0006-000d 2 'OWNER=000A: 000C')"
    assert_line --partial "deadlock: number=1 of=2"
}

@test "programs from ps, from a dump in its three forms, and from tasklist" {
    waits 069A:1 1 OWNER=0694:1 >log
    local list
    for list in "username status pid program\nn R 1684 /opt/a/tmm x\n" \
        "  PID TTY          TIME CMD\n 1684 ?        00:00:01 tmm\n" \
        "USER PID %CPU COMMAND\nroot 1684 0.0 /opt/tmm -d\n" \
        "- [1] 1684: /opt/tmm\n" \
        "###### thread 1/4 :: tmm, pid=1684, lwp=1 ######\n" \
        "### thread 1/7: [ tmm: 0694: 0df4]\n" \
        "Image Name  PID Session Name\ntmm 1684 Services\n"; do
        printf '%b' "$list" >list
        run -0 semdebug_report -p list log
        expect holder pid=1684 program=tmm
        assert_line --partial 'program="not in the list"'
    done
    printf '%s\n' "- [1] 1684: /opt/tmm <--- fatal thread" >list
    run -0 semdebug_report -p list log
    assert_line --partial 'program="tmm (crashed)"'
    run -1 semdebug_report -p log log
    assert_output --partial "there is no process in it"
}

@test "Sem.Timeouts is sorted by count, with both names where there are two" {
    report "- Sem.Timeouts = 0116:26 430D:58 030B:28 FFFF:1" \
        "Sem.Timeouts = 0116:99" "Session semaphore held for 12 seconds."
    assert_equal "$(sed -n 's/^timeouts: id=\(\S*\) count=\(\S*\) .*/\1 \2/p' \
        <<<"$output" | tr '\n' ' ')" "0x0116 99 0x430D 58 0x030B 28 "
    assert_line --partial 'known_as="NIF collection semaphore / Collection semaphore"'
    assert_line --partial 'count=99 grew_by=73'
    assert_line "timeouts: id=0xFFFF count=1"
    assert_line "session_held: lines=1 longest_s=12"
}

@test "a log without a record is no error, unknown lines are shown on request" {
    report "a banner" "" "another\ttoo"
    expect log lines=3 records=0 unknown_lines=2
    assert_line --partial "no record in it"
    run -0 semdebug_report --unknown log
    assert_line "unknown: log:1: a banner"
    assert_line "unknown: log:3: another?too"
}

@test "--tsv says what the text says" {
    run -0 semdebug_report
    text=$output
    run -0 semdebug_report --tsv
    awk -F '\t' '
        /^#/ { for (i = 2; i <= NF; i++) key[substr($1, 2), i] = $i; next }
        $1 == "verdict" { print $1, $3; next }
        { printf "%s", $1
          for (i = 2; i <= NF; i++)
              if ($i != "" && !($1 ~ /^(waiter|over_time|holder|chain|member)$/ && i == 2))
                  printf(index($i, " ") ? " %s=\"%s\"" : " %s=%s", key[$1, i], $i)
          print "" }' <<<"$output" >from_tsv
    sed '/^sample:/d; s/^ *//; s/:/ /; s/  */ /; s/^verdict \([^:]*\):.*/verdict \1/' \
        <<<"$text" >from_text
    run -0 diff from_text from_tsv
    assert_at_least 20 "$(wc -l <from_tsv)"
}

@test "each sample of the document gets the verdict that its lines bear out" {
    printf '%s\n' "THREAD [02AB:0123] WAITING FOR FRWSEM 0x030B Collection semaphore (@0BE65A20)" \
        "- (R=0,W=1,WRITER=0080:015E,1STREADER=0000:0000) FOR 30000 ms" \
        "- THREAD [01FE:0220] WAITING FOR FRWSEM 0x0244 open database semaphore (@00ECBDD2)" \
        "- (R=0,W=1,WRITER=0080:015E,1STREADER=0000:0000) FOR 30000 ms" >windows
    run -0 semdebug_report windows
    assert_equal "$(grep -c 'verdict: stuck holder:' <<<"$output")" 2
    assert_line --partial "thread=0080:015E pid=128"

    printf '%s\n' "$UNIX" "${UNIX/01676/01684}" >unix
    printf '%s\n' "- [1] 1684: /sunspa/tmmscan <--- fatal thread" \
        "- username status pid program" "- notes06 R 1682 /sunspa/http" \
        "- notes06 R 1684 /sunspa/tmmscan" >nsd
    run -0 semdebug_report unix -p nsd
    assert_line --partial "verdict: holder gone: its process is not in the list, nor are 1 of 2 waiters"
    assert_line --partial 'waiter: thread=01684:00001 pid=1684 pid_hex=0x694 program="tmmscan (crashed)"'

    convoy=("$WINDOWS" "${WINDOWS/0053:002F/0045:0058}" "${WINDOWS/0053:002F/00A4:00A3}")
    convoy+=("${WINDOWS/0053:002F/009E:009D}")
    convoy[3]=${convoy[3]/009A:0099/0000:0000}
    convoy+=("${convoy[1]/009A:0099/009E:009D}" "${convoy[0]/009A:0099/009E:009D}")
    report "${convoy[@]}" "THREAD [00A2:00A1] WAITING FOR SEM 0x042D LSIWRAP shared semaphore (@01342C68)"
    assert_line --partial "verdict: convoy of 2 holders"
    assert_line --partial 'had_it="009A:0099*3 nobody*1 009E:009D*2"'
    assert_line --regexp "thread=0045:0058 .* reports=2 longest_ms=240"
}

@test "what no one would write ends in a report: bytes, a huge line, many ids" {
    head -c 300000 /dev/urandom >log
    run semdebug_report --unknown log
    [[ $status -le 2 ]] || fail "$status"
    { head -c 20000000 /dev/zero && printf '\n%s\n' "$WINDOWS"; } >log
    run -0 semdebug_report log
    expect log lines=2 records=1 too_long=1
    printf '%s' "${WINDOWS/LSIWRAP/$(printf 'x%.0s' {1..5000})}" >log
    run -0 semdebug_report log
    expect log records=1 cut=1 too_long=1
    run -0 semdebug_report /dev/null
    # Many threads at one semaphore, none of them twice.
    "$KIT_BUILD/kit/semdebug_generate" 20 1 windows >log
    awk '{ printf "THREAD [%05X:%04X] WAITING FOR SEM 0x1 (@1) (OWNER=%05X:1) FOR 3 ms\n", NR + 65536, NR % 65536, NR * 3 }' log >ids
    run -0 semdebug_report ids
    assert_line --partial "did_not_fit: what=threads"
}

@test "a control character of a log does not reach the terminal" {
    report "${WINDOWS/LSIWRAP/\\x1b[2J\\x07\\xff\\xc2\\x9bü}" "\x1b[31m"
    assert_line --partial 'name="?[2J????ü shared semaphore"'
    run -0 semdebug_report -u --tsv log
    run ! grep -P '[\x00-\x08\x0b-\x1f\x7f]' <<<"$output"
}

@test "what it cannot open, read or write it says, and exits with 1" {
    run -1 semdebug_report nosuch
    assert_output "semdebug_report: open nosuch: No such file or directory"
    run -1 semdebug_report .
    assert_output "semdebug_report: read .: Is a directory"
    run -1 bash -c '"$KIT_BUILD/chapters/10_semaphore_timeouts/semdebug_report" >/dev/full'
    assert_output "semdebug_report: write: No space left on device"
    for wrong in --ids=oct --top=x --top=-1 --nosuch "1 2 3 4 5 6 7 8"; do
        # shellcheck disable=SC2086
        run -2 semdebug_report $wrong
        assert_line --partial "usage: semdebug_report"
    done
}

@test "the standard input, and several logs, are read as one" {
    echo "$WINDOWS" >a
    echo "$UNIX" >b
    run -0 bash -c 'semdebug_report - b <a'
    expect log lines=2 records=2
}

@test "what once was interesting to a fuzzer ends well" {
    local corpus=$KIT_TOP/tests/kit/semdebug_corpus
    for file in "$corpus"/*; do
        run semdebug_report --unknown "$file"
        [[ $status -le 2 ]] || fail "$file: $status: $output"
        run semdebug_report --ids=hex --tsv -p "$file" "$file"
        [[ $status -le 2 ]] || fail "$file: $status: $output"
        seen=1
    done
    [[ -n ${seen-} ]] || fail "no files in $corpus"
    run -0 semdebug_fuzz "$corpus"/*
}
