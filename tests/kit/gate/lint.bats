# make verify: one layout for all C, and no trap in bash.

setup() {
    load ../../helpers
    cd "$KIT_TOP"
}

@test "the sources are laid out and shellcheck finds nothing" {
    command -v clang-format >/dev/null || lacks clang-format
    command -v shellcheck >/dev/null || lacks shellcheck
    run make lint
    [[ $status -eq 0 ]] || fail "$output"
}
