# make verify: what a compiler, a C library or a word size may refuse.

setup() {
    load ../../helpers
    cd "$KIT_TOP"
}

# build NAME CC: build all programs, without a warning.
build() {
    run make "BUILD=build/$1" "CC=$2" programs
    [[ $status -eq 0 ]] || fail "$output"
}

# build_and_play NAME CC: run each, too.
build_and_play() {
    build "$1" "$2"
    for program in build/"$1"/chapters/*/*; do
        [[ -x $program ]] || continue
        run build/tools/bound "$program"
        [[ $status =~ ^(0|3|77)$ ]] || fail "$program: $status: $output"
    done
}

@test "gcc builds every program" {
    build_and_play gcc gcc
}

@test "clang builds every program" {
    command -v clang >/dev/null || lacks clang
    build_and_play clang clang
}

@test "musl-gcc builds every program" {
    command -v musl-gcc >/dev/null || lacks musl-tools
    build_and_play musl musl-gcc
}

@test "gcc -m32 builds every program" {
    echo 'int main(void) { return 0; }' |
        gcc -m32 -x c - -o "$BATS_TEST_TMPDIR/m32" || lacks gcc-multilib
    if "$BATS_TEST_TMPDIR/m32"; then
        build_and_play m32 "gcc -m32"
    else # a kernel for 64 bits alone
        build m32 "gcc -m32"
    fi
}

@test "every program compiles in its folder with cc and its name alone" {
    for source in chapters/*/*.c; do
        cd "$KIT_TOP/${source%/*}"
        run cc "${source##*/}" -o "$BATS_TEST_TMPDIR/program"
        [[ $status -eq 0 && -z $output ]] || fail "$source: $output"
    done
}
