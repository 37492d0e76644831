# What a README shows and promises is so: held for each README, and each rule
# is shown to catch a fault that was planted for it.

setup() {
    load ../helpers
    cd "$KIT_TOP"
    rules=$KIT_TOP/tests/tools/readme_rules.sh
    fences=$KIT_TOP/tests/tools/fences.sh
    demo=chapters/01_nonblocking_send
}

# plant: a small tree with one chapter, whose README keeps every rule.
plant() {
    local tree=$BATS_TEST_TMPDIR/tree
    mkdir -p "$tree"/{chapters/01_demo,common,exercises,solutions,tests/chapters}
    cd "$tree"
    printf 'check: ## tests\n## check-NAME: tests one\n' >Makefile
    printf 'static int twice(int n)\n{\n    return 2 * n;\n}\n\n%s\n' \
        'int main(void) { return twice(0); }' >chapters/01_demo/demo.c
    printf '@test "it holds" {\n    true\n}\n' >tests/chapters/01_demo.bats
    cat >chapters/01_demo/README.md <<'END'
# 1. A gadget

A **gadget** is shown by `demo`, see `demo.c` and `chapters/01_demo`.

| | read in this order | what it shows |
| - | - | - |
| ● | `demo` | all there is |

New here: **gadget**.

```c demo.c:twice
    return 2 * n;
```

## What you can rely on

- it holds

## Do it yourself

Run `make check`, or `make check-NAME`; see [demo](demo.c).
END
    run "$rules" chapters/01_demo/README.md
    [[ $status -eq 0 && -z $output ]] || fail "the tree to plant in: $output"
}

# broken_by EDIT MESSAGE: after sed's EDIT of its README the rules say MESSAGE.
broken_by() {
    local readme=chapters/01_demo/README.md
    cp $readme README.kept
    sed -i "$1" $readme
    run -1 "$rules" $readme
    assert_output "$readme:$2"
    mv README.kept $readme
}

@test "every README keeps the rules" {
    shopt -s nullglob
    run "$rules" README.md chapters/*/README.md exercises/*/HINTS.md
    [[ $status -eq 0 ]] || fail "$output"
}

@test "a line that is not in the file, or in another function, is caught" {
    plant
    broken_by 's/    return 2/    return 3/' \
        "12: these lines do not stand together in demo.c:twice"
    broken_by 's/demo.c:twice/demo.c:main/' \
        "12: these lines do not stand together in demo.c:main"
    broken_by 's/```c demo.c:twice/```c gone.c/' "12: no file gone.c"
}

@test "a promise that is no test, and a test that is not promised, are caught" {
    plant
    broken_by 's/^- it holds/- it always holds/' \
        " relies on what is no test: it always holds
chapters/01_demo/README.md: does not list the test: it holds"
}

@test "a program, path, target or name that does not exist is caught" {
    plant
    broken_by '/^| ●/d' " the table does not name the program demo"
    broken_by 's/`demo.c`/`gone.c`/' " no such path: gone.c"
    broken_by 's/(demo.c)/(gone.c)/' " no such path: gone.c"
    broken_by 's/`make check`/`make chekc`/' " no make chekc"
    broken_by 's/all there is/`no_such_name`/' " nothing is called no_such_name"
}

@test "a new word that is not bold at its first use is caught" {
    plant
    broken_by 's/A \*\*gadget/A gadget or **gadget/' \
        " 'gadget' is not bold where it is first used"
}

@test "output that differs from the fence is caught" {
    run -0 "$fences" check "$demo" <<<'$ printf "one\n22\nthree\n"
one
<n>
three'
    run -0 "$fences" check "$demo" <<<'$ printf "one\n22\nthree\n"
...
three'
    run -1 "$fences" check "$demo" <<<'$ printf "one\n22\nthree\n"
one
<n>'
    assert_line "+three"
    run -1 "$fences" check "$demo" <<<'$ printf "one.\n"
onex'
    run -1 "$fences" check "$demo" <<<'$ printf "one\n"
...
two'
    run -1 "$fences" check "$demo" <<<'$ no_such_program
...'
    run -1 "$fences" check "$demo" <<<'no command'
}

@test "every command in a fence is run, and what it leaves is seen by the next" {
    run -0 "$fences" check "$demo" <<<'$ echo kept >file
$ cat file
kept'
    run -1 "$fences" check "$demo" <<<'$ true
$ echo second
first'
}

@test "docs-update keeps what still holds and replaces what does not" {
    cd "$BATS_TEST_TMPDIR"
    printf '%s\n' 'text' '```console' '$ echo 7' '<n>' '$ echo new' 'old' \
        '```' 'more' >README.md
    run -0 "$fences" update README.md
    run -0 cat README.md
    assert_output 'text
```console
$ echo 7
<n>
$ echo new
new
```
more'
}
