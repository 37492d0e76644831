# Shared by all test files. Nothing here sleeps: a test waits for an event,
# such as a line of output or its end, and each program runs under a bound.

bats_require_minimum_version 1.7.0
# load_library NAME: as bats_load_library does, but without the twenty processes
# that the library's own load.bash starts, for each test anew.
load_library() {
    local folder part
    while IFS= read -r -d : folder; do
        [[ -d $folder/$1/src ]] || continue
        for part in "$folder/$1"/src/*.bash; do
            # shellcheck source=/dev/null
            source "$part"
        done
        return
    done <<<"${BATS_LIB_PATH-}:"
    bats_load_library "$1"
}
load_library bats-support
load_library bats-assert

# use FOLDER...: let the test call the programs of these build folders by name,
# such as chapters/07_semtimedop. Each call runs under tests/tools/bound.c, and
# under $KIT_UNDER where that is set (make memcheck). What calls them is made
# once for all tests of the file.
use() {
    local folder program bin under=${KIT_UNDER-}
    for folder; do
        bin=$BATS_FILE_TMPDIR/bin/${under##*/}/$folder
        PATH=$bin:$PATH
        [[ ! -d $bin ]] || continue
        mkdir -p "$bin"
        for program in "${KIT_BUILD:?run me with: make check}/$folder"/*; do
            [[ -f $program && -x $program ]] || continue
            printf '#!/bin/sh\nexec "%s/tools/bound" %s "%s" "$@"\n' \
                "$KIT_BUILD" "${under:+"\"$under\""}" "$program" \
                >"$bin/${program##*/}"
        done
        chmod +x "$bin"/*
    done
}

# field KEY LINE: print the value of KEY=value in an output line.
field() {
    [[ " $2 " =~ " $1="([^ ]+)" " ]] && echo "${BASH_REMATCH[1]}"
}

# assert_at_least LOW VALUE: a wait is never early, and there is no other bound.
assert_at_least() {
    (($1 <= $2)) || fail "expected at least $1, got: $2"
}

# assert_between LOW HIGH VALUE: LOW <= VALUE < HIGH.
assert_between() {
    (($1 <= $3 && $3 < $2)) || fail "expected $1 <= value < $2, got: $3"
}

# set_exists ID: does the kernel still hold this semaphore set? Ask about the
# set a program named; a list of all sets would blame it for its neighbours'.
set_exists() {
    awk -v id="$1" '$2 == id { found = 1 } END { exit !found }' \
        /proc/sysvipc/sem
}

# lacks WHAT: this machine cannot run the test. The maintainers' machine can.
lacks() {
    [[ -z ${CI-} ]] || fail "missing here, and CI skips nothing: $1"
    skip "missing here: $1"
}

# start_traced PROGRAM [ARG...]: run it, under the lens, in the background and
# with its trace in the file $TRACE, for after_call.
start_traced() {
    mkfifo "$TRACE.pipe"
    exec {keep}<>"$TRACE.pipe" # so that the program finds a reader
    exec {events}< <(exec tee -p "$TRACE" <"$TRACE.pipe" 3>&- {keep}>&-)
    KIT_TRACE=$TRACE.pipe "$@" {events}<&- {keep}>&- 3>&- &
    started=$!
}

# read_event: read one line of the running program's trace into event.
read_event() {
    IFS= read -r -t "$((20 * ${KIT_TIME_SCALE:-1}))" -u "$events" event ||
        return
    # The program has opened the pipe: from now on its end is the pipe's end.
    [[ -z $keep ]] || exec {keep}>&-
    keep=
}

# after_call CALL RESULT: return when a call of the program that start_traced
# has started ended so: after_call flock EAGAIN, after_call fork 0.
after_call() {
    local event pattern=" end $1 (.* )?= (-?[0-9]+ )?$2 "
    while read_event; do
        [[ ! "$event " =~ $pattern ]] || return 0
    done
    fail "no $1 has ended with $2"
}
