#!/usr/bin/env bash
# lint.sh - hold C against clang-format, bash against shellcheck.
set -uo pipefail
"$(dirname "$0")/need.sh" clang-format shellcheck || exit

status=0
find chapters common exercises solutions tests -name '*.[ch]' -print0 |
    xargs -0 clang-format --dry-run -Werror || status=1
find tests .ci \( -name '*.sh' -o -name '*.bash' -o -path .ci/run \) -print0 |
    xargs -0 shellcheck || status=1
find tests -name '*.bats' -print0 | xargs -0 shellcheck || status=1
exit "$status"
