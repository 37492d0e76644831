#!/usr/bin/env bash
# prove.sh [NAME...] - are the checks of the exercises right? A solution and a
# right answer must pass, a starter and a wrong answer fail, and a wrong one
# with the words that its patch foretells:
#
#     Wrong: believes that giving up a nap early is giving up in time.
#     Breaks requirement 2.
#     The check says: before the deadline
#
# The words must stand in the first failure, for a learner sees no other. Where
# a requirement is named, its tests must fail and no other; each requirement
# needs such an answer. The results are the suite "answers" of make verify.
set -euo pipefail
# shellcheck source=tests/tools/exercise.sh
source "$(dirname "${BASH_SOURCE[0]}")/exercise.sh"

# try ANSWER: print the first thing that is wrong with it, if there is one.
try() {
    local folder=build/answers/$name/$1 list='' asked='' verdict failure phrase
    [[ $1 != files ]] || { complete && return; }
    if ! list=$(make_answer "$1" 2>&1); then
        echo "the patch does not apply: $list"
        return
    fi
    if ! compile "$folder/$name.c" "$folder"; then
        echo "it does not compile:"
        cat "$folder/$name.said"
        return
    fi
    [[ $1 != @(solution|right_*) ]] || start_memcheck "$folder"
    # Whether it breaks one requirement alone takes every check to tell.
    [[ $1 != wrong_* ]] || asked=$(broken_by "$1")
    KIT_EVERY_CHECK=${asked:+1} run_checks "$folder"
    list=$(judge "$folder")
    verdict=${list%%$'\n'*}
    if [[ $verdict == NONE ]]; then
        echo "the checks could not be run:"
        cat "$folder/$name.tap"
        return
    fi

    if [[ $1 == @(solution|right_*) ]]; then
        end_memcheck
        list+=$'\n'$(memory "$folder")
        [[ $list != *$'\n'@(FAIL|HUNG)' '* ]] ||
            echo "it fails:"$'\n'"${list#*$'\n'}"
        return
    fi
    if [[ $1 == starter ]] && ! cmp -s "$folder/$name.c" "$file"; then
        echo "$file is not what starter.patch makes of the solution"
    fi
    if [[ $verdict == PASS ]]; then
        echo "it passes"
        return
    fi
    phrase=$(about "$1" | sed -n 's/^The check says: //p')
    failure=$(awk '/^[A-Z(]/ && on { exit }
                   /^(FAIL|HUNG)  / { on = 1 }
                   on' <<<"$list")
    if [[ -z $phrase && $1 != starter ]]; then
        echo "its patch does not foretell what the check says"
    elif [[ $(tr -s ' \n' ' ' <<<"$failure") != *"$phrase"* ]]; then
        echo "the check does not say '$phrase':"$'\n'"$failure"
    fi
    [[ -n $asked ]] || return 0
    sed -n 's/^\(FAIL\|HUNG\)  //p' <<<"$list" |
        sed "/^$asked\. /d; s/^/it breaks not only requirement $asked: /"
    grep -q "^\(FAIL\|HUNG\)  $asked\. " <<<"$list" ||
        echo "no test of requirement $asked fails"
}

# broken_by ANSWER: the number of the requirement that it breaks alone.
broken_by() {
    about "$1" | sed -n 's/^Breaks requirement \([0-9]*\)\.$/\1/p'
}

# complete: what else an exercise needs.
complete() {
    local readme=chapters/$chapter/README.md number
    grep -q "^## $(section)\$" "$readme" ||
        echo "learners are sent to '$(section)', which $readme does not have"
    [[ $(rows | sed -n "s/^\([a-z]*\) $name .*/\1/p") != none ]] ||
        echo "it stands in no table below 'Do it yourself'"
    for number in 1 2 3; do
        grep -q "^## $name $number\$" "$advice" ||
            echo "$advice has no '## $name $number'"
    done
    [[ -n $(requirements) ]] || echo "its TODO has no numbered requirements"
    for number in $(numbers); do
        grep -q "^# requirement $number\$" "$checks" ||
            echo "requirement $number has no test"
    done
    sed -n 's/^# requirement \([0-9]*\)$/\1/p' "$checks" | sort -u |
        while read -r number; do
        requirements | grep -q "^ *$number\. " ||
            echo "its tests know a requirement $number, its TODO does not"
    done
}

# numbers: of its requirements, one a line.
numbers() { requirements | sed -n 's/^ *\([0-9]*\)\. .*/\1/p'; }

# items: "NAME ANSWER" for everything to try.
items() {
    local patch
    for name; do
        choose "$name"
        printf "$name %s\n" files solution starter
        for patch in "$answers"/{wrong,right}_*.patch; do
            echo "$name $(basename "$patch" .patch)"
        done
    done
}

# one ANSWER: try it, and keep what came of it.
one() {
    local problem result=build/answers/$name/$1.result
    # What is right does not hang: it may be slow beside all the others.
    [[ $1 != @(solution|right_*) ]] || export KIT_TIME_SCALE=3
    mkdir -p "build/answers/$name"
    printf 'not ok %s %s\n# it could not be tried\n' "$name" "$1" >"$result"
    problem=$(try "$1")
    if [[ -n $problem ]]; then
        printf 'not ok %s %s\n' "$name" "$1"
        echo "# ${problem//$'\n'/$'\n# '}"
    else
        echo "ok $name $1"
    fi >"$result"
}

# covered: a result for each requirement.
covered() {
    local number answer good
    for number in $(numbers); do
        good='not ok'
        for answer in "$answers"/wrong_*.patch; do
            answer=$(basename "$answer" .patch)
            [[ $(broken_by "$answer") != "$number" ]] ||
                ! grep -q '^ok' "build/answers/$name/$answer.result" ||
                good=ok
        done
        echo "$good $name requirement_$number"
        [[ $good == ok ]] || echo "# no wrong answer breaks it alone"
    done
}

prove() {
    local items exercise answer
    items=$(items "$@")
    mkdir -p build/answers
    xargs -n 2 -P "$(nproc)" "${BASH_SOURCE[0]}" one <<<"$items" ||
        true # what is wrong stands in the results
    for exercise; do
        while read -r name answer; do
            [[ $name != "$exercise" ]] ||
                cat "build/answers/$name/$answer.result"
        done <<<"$items"
        choose "$exercise"
        covered
    done | awk '/^(not )?ok / { sub(/ok /, "ok " ++results " ") }
                { line[++lines] = $0 }
                END { print "1.." results + 0
                      for (i = 1; i <= lines; i++) print line[i] }' |
        record answers
    awk -v took="$(seconds)" '
        function of(kind) { return good[kind] + 0 " of " all[kind] + 0 }
        /^1\.\./ { next }
        /^(not )?ok / {
            results++
            kind = $NF
            sub(/_.*/, "", kind)
            all[kind]++
        }
        /^ok / { good[kind]++; passed++ }
        !/^ok / { report = report "        " $0 "\n" }
        END {
            printf "  %s  %-34s %3d of %-3d %8s\n%s        solutions %s, " \
                "starters %s, wrong %s by name, right %s, requirements %s\n",
                report ? "FAIL" : "PASS", "answers", passed, results, took,
                report, of("solution"), of("starter"), of("wrong"),
                of("right"), of("requirement")
            exit report != "" || !results
        }' build/tap/answers.tap
}

if [[ ${1-} == one ]]; then
    choose "$2"
    one "$3"
elif [[ $# -eq 0 ]]; then
    mapfile -t all < <(names)
    prove "${all[@]}"
else
    prove "$@"
fi
