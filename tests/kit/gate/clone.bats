# make verify: the kit as a user gets it, a copy in a folder of its own.

setup() {
    load ../../helpers
    unset KIT_BUILD
}

@test "a copy in a folder with blanks builds and passes make -j8 check" {
    local there="$BATS_TEST_TMPDIR/a folder"
    mkdir "$there"
    cd "$KIT_TOP"
    cp -R Makefile README.md chapters common exercises solutions tests "$there"
    cd "$there"
    # bats puts its own inner programs on the PATH: a user has none of them.
    run env -i "HOME=$HOME" PATH=/usr/local/bin:/usr/bin:/bin make -j8 check
    [[ $status -eq 0 ]] || fail "$output"
    assert_regex "${lines[-1]}" '^[0-9]+ passed, 0 failed, [0-9]+ skipped$'
}
