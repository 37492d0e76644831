#!/usr/bin/env bash
# readme_rules.sh - what a README says about the tree must be so.
#
#     readme_rules.sh README.md...    run at the top; print each broken rule
#
#   - the lines of a fence tagged "c FILE" or "c FILE:FUNCTION" stand together
#     in that file, in that function, to the letter;
#   - "What you can rely on" lists the names of the chapter's tests;
#   - programs, paths, make targets and identifiers named in it exist, and the
#     table names every program of the chapter;
#   - each word of "New here" is bold where the text first uses it.
set -euo pipefail
shopt -s inherit_errexit

# prose README: the text without fences and headings, a paragraph a line.
prose() {
    awk '/^```/ { open = !open; next }
         open || /^#/ || /^    / { next }
         /^$/ { printf "\n"; next }
         { printf "%s ", $0 }
         END { printf "\n" }' "$1"
}

# ticked README: what stands between backquotes in the prose, one a line.
ticked() {
    prose "$1" | grep -o '`[^`]*`' | tr -d '`' | sort -u || true
}

code_fences() {
    local readme=$1 tag file function at last
    awk '/^```/ { if (!open && /^```c /) { tag = $2; first = NR + 1 }
                  if (open && tag) { print tag, first, NR - 1; tag = "" }
                  open = !open }' "$readme" |
        while read -r tag at last; do
            file=$(dirname "$readme")/${tag%%:*}
            function=
            [[ $tag != *:* ]] || function=${tag#*:}
            if [[ ! -f $file ]]; then
                echo "$readme:$at: no file ${tag%%:*}"
            elif ! sed -n "${at},${last}p" "$readme" |
                stands_in "$file" "$function"; then
                echo "$readme:$at: these lines do not stand together in $tag"
            fi
        done
}

# stands_in FILE FUNCTION: are the lines on stdin a part of it?
stands_in() {
    awk -v name="$2" '
        FILENAME == "-" { want[++wanted] = $0; next }
        name != "" && !inside { inside = $0 ~ "^[a-z].*[ *]" name "\\(" }
        name == "" || inside { line[++lines] = $0 }
        name != "" && /^}/ { inside = 0 }
        END {
            for (at = 0; at + wanted <= lines; at++) {
                for (i = 1; i <= wanted && line[at + i] == want[i]; i++)
                    continue
                if (i > wanted)
                    exit 0
            }
            exit 1
        }' - "$1"
}

promises() {
    local readme=$1 bats
    bats=tests/$(dirname "$readme").bats
    [[ -f $bats ]] || return 0
    { diff <(awk '/^## / { on = /^## What you can rely on/ }
                on && /^- / { if (item) print item; item = substr($0, 3) }
                on && /^  [^ ]/ { item = item " " substr($0, 3) }
                END { if (item) print item }' "$readme") \
        <(sed -n 's/^@test "\(.*\)" {$/\1/p' "$bats") || true; } |
        sed -n -e "s|^< |$readme: relies on what is no test: |p" \
            -e "s|^> |$readme: does not list the test: |p"
}

# The targets of the Makefile, and those that its help writes with NAME or NN.
targets() {
    sed -n 's/^## \([a-z]*-N[AMEN]*\): .*/\1/p' Makefile
    { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -pq --no-print-directory \
        2>/dev/null || true; } | # -q: 1 where something is out of date
        sed -n 's/^\([a-z][A-Za-z0-9_-]*\):.*/\1/p' | sort -u
}

# The names with an underscore in the tree's sources; each file names itself.
words() {
    { grep -rohw --exclude='*.md' '[a-z][a-z0-9]*_[a-z0-9_]*' \
        chapters common exercises solutions tests || true; } | sort -u
}

# among WORD LINES: is it one of the lines?
among() {
    [[ $'\n'$2$'\n' == *$'\n'"$1"$'\n'* ]]
}

names() {
    local readme=$1 chapter token
    chapter=$(dirname "$readme")
    if [[ $chapter == chapters/* ]]; then
        for token in "$chapter"/*.c; do
            token=${token##*/} token=${token%.c}
            grep -q "^|.*| *\`$token\` *|" "$readme" ||
                echo "$readme: the table does not name the program $token"
        done
    fi

    while IFS= read -r token; do
        case $token in
        "" | *[[:space:]\<\>\(\)\"\'\$\;=]* | http* | /* | *NAME* | *NN*) ;;
        */* | *.[ch] | *.md | *.bats | *.svg)
            [[ -e $token || -e $chapter/$token ]] ||
                echo "$readme: no such path: $token"
            ;;
        [a-z]*_*)
            [[ $token == *[!a-z0-9_]* ]] || among "$token" "$words" ||
                echo "$readme: nothing is called $token"
            ;;
        esac
    done < <(ticked "$readme")

    sed 's/](/\n](/g' "$readme" | sed -n 's/^](\([^)#]*\).*/\1/p' |
        sed '/^http/d' |
        while IFS= read -r token; do
            [[ -e $chapter/$token ]] || echo "$readme: no such path: $token"
        done

    { grep -oE '(`|\$ |&& |^)make( [A-Za-z0-9_-]+)?' "$readme" || true; } |
        sed -n 's/.*make \([A-Za-z].*\)/\1/p' | sort -u |
        while IFS= read -r token; do
            among "$token" "$targets" || echo "$readme: no make $token"
        done
}

new_words() {
    local readme=$1 text word first
    text=$(prose "$readme" | tr '\n' ' ' | sed 's/`[^`]*`//g')
    prose "$readme" | sed -n 's/^New here: //p' | tr ',' '\n' |
        sed -n 's/.*\*\*\(.*\)\*\*.*/\1/p' | while IFS= read -r word; do
        first=$(grep -oiE "\*{0,2}\b$word" <<<"$text" | sed 1q)
        [[ $first == '**'* ]] ||
            echo "$readme: '$word' is not bold where it is first used"
    done
}

targets=$(targets) words=$(words)
broken=$(
    for readme; do
        code_fences "$readme"
        promises "$readme"
        names "$readme"
        new_words "$readme"
    done
)
[[ -z $broken ]] || { echo "$broken" && exit 1; }
