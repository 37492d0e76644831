#!/usr/bin/env bash
# tour.sh CHAPTER... - play the headline program of each chapter: the one in
# the first row of the table in its README.
set -uo pipefail

for chapter; do
    readme=chapters/$chapter/README.md
    program=$(sed -n 's/^| ● *| *`\([a-z0-9_]*\)`.*/\1/p' "$readme" | sed 1q)
    echo
    sed -n '1s/^# //p' "$readme"
    sed -n '2s/^ \* /    /p' "chapters/$chapter/$program.c"
    echo "    \$ $program"
    "$KIT_BUILD/chapters/$chapter/$program" 2>&1 | sed -u 's/^/    /'
    case ${PIPESTATUS[0]} in
    0) ;;
    3) echo "    (exit code 3: the bound was reached)" ;;
    77) echo "    (exit code 77: this machine lacks what it shows)" ;;
    *) echo "tour: $program failed" >&2 && exit 1 ;;
    esac
done

cat <<TEXT

Next: read chapters/${1}/README.md with a terminal beside it;
      make help lists what else there is.
TEXT
