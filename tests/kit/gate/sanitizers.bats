# make verify: the chapters' tests on programs built with the address and the
# undefined behaviour sanitizer. Not with thread: it does not know that a
# System V semaphore orders memory, and reports races that are none.

setup() {
    load ../../helpers
    cd "$KIT_TOP"
}

@test "the chapters' tests pass with address and undefined behaviour checked" {
    run make BUILD=build/sanitized \
        SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all" \
        programs
    [[ $status -eq 0 ]] || fail "$output"
    mkdir -p build/sanitized/tools
    cp build/tools/* build/sanitized/tools
    # Leaks are memcheck's: the sanitizer's search fails under strace.
    export ASAN_OPTIONS=detect_leaks=0
    KIT_BUILD=$KIT_TOP/build/sanitized run bats tests/chapters
    [[ $status -eq 0 ]] || fail "$(grep -v '^ok' <<<"$output")"
}
