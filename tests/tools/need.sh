#!/usr/bin/env bash
# need.sh TOOL... - one line and exit code 1 for the first tool that is missing.
set -euo pipefail

lack() {
    echo "$1; install it with: apt-get install $2"
    exit 1
}

for tool; do
    case $tool in
    bats)
        command -v bats >/dev/null || lack "bats is missing" \
            "bats bats-support bats-assert"
        version=$(bats --version | sed 's/^Bats //')
        # bats_require_minimum_version came with 1.7.
        printf '1.7.0\n%s\n' "$version" | sort -CV ||
            lack "bats $version is too old, 1.7.0 or newer is needed" bats
        for library in bats-support bats-assert; do
            [[ -f ${BATS_LIB_PATH:-/usr/lib/bats}/$library/load.bash ]] ||
                lack "the library $library of bats is missing" "$library"
        done
        ;;
    cc | gcc)
        command -v "$tool" >/dev/null || lack "no C compiler ($tool)" gcc
        ;;
    *)
        command -v "$tool" >/dev/null || lack "$tool is missing" "$tool"
        ;;
    esac
done
