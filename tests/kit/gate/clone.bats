# make verify: the kit as a user gets it, a copy in a folder of its own.

setup() {
    load ../../helpers
    unset KIT_BUILD
}

# Two short chapters and the commands: the others are checked in the same way.
@test "a copy in a folder with blanks builds, and passes checks under make -j8" {
    local there="$BATS_TEST_TMPDIR/a folder"
    mkdir "$there"
    cd "$KIT_TOP"
    cp -R Makefile README.md chapters common exercises solutions tests "$there"
    cd "$there"
    # bats puts its own inner programs on the PATH: a user has none of them.
    run env -i "HOME=$HOME" PATH=/usr/local/bin:/usr/bin:/bin \
        KIT_TIME_SCALE=3 make -j8 check-02 check-04 suite/kit/commands
    [[ $status -eq 0 ]] || fail "$output"
    assert_output --partial "  PASS  kit/commands "
    refute_output --partial "  FAIL  "
    assert_equal "$(grep -c '^[0-9]* passed, 0 failed, ' <<<"$output")" 2
}
