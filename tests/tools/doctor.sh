#!/usr/bin/env bash
# doctor.sh - what the kit wants and this machine has, the kernel's limits, and
# what programs of the kit have left behind. It changes nothing.
set -uo pipefail

# tool COMMAND PACKAGE WHAT-FOR: one row, with the first version in its banner.
tool() {
    local version state=missing
    if command -v "$1" >/dev/null; then
        version=$("$1" --version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' |
            sed 1q)
        state=${version:-found}
    fi
    printf '  %-13s %-12s %s\n' "$1" "$state" \
        "$3$([[ $state != missing ]] || echo "; apt-get install $2")"
}

# limit FILE MEANING: one row with what a file below /proc/sys holds.
limit() {
    local value=unreadable
    [[ ! -r /proc/sys/$1 ]] || value=$(tr '\t' ' ' <"/proc/sys/$1")
    printf '  %-27s %-25s %s\n' "${1//\//.}" "$value" "$2"
}

echo "Tools"
tool "${CC:-cc}" gcc "to build the programs"
tool make make "to build and test"
tool bats bats "to test: make check"
for library in bats-support bats-assert; do
    state=missing
    [[ ! -f ${BATS_LIB_PATH:-/usr/lib/bats}/$library/load.bash ]] || state=found
    printf '  %-13s %-12s %s\n' "$library" "$state" "to test: make check"
done
tool valgrind valgrind "to find misused memory: make memcheck"
tool strace strace "to see system calls; some READMEs show it"
echo "Tools for maintainers: make verify"
tool clang clang "a second compiler"
tool musl-gcc musl-tools "a second C library"
tool clang-format clang-format "make format, make lint"
tool shellcheck shellcheck "make lint"
printf 'int main(void) { return 0; }\n' |
    "${CC:-cc}" -m32 -x c - -o /dev/null 2>/dev/null && state=works ||
    state=missing
printf '  %-13s %-12s %s\n' "-m32" "$state" "32-bit builds (gcc-multilib)"

echo "Kernel $(uname -r)"
limit kernel/sem "semaphores a set, in all; operations a call; sets"
limit net/core/wmem_default "SO_SNDBUF of a new socket, bytes"
limit net/core/wmem_max "the most that SO_SNDBUF takes, bytes"
limit net/unix/max_dgram_qlen "datagrams that a bound receiver queues"
limit kernel/yama/ptrace_scope "0: strace -p works on your processes"
printf '  %-27s %-25s %s\n' "ulimit -Hn" "$(ulimit -Hn)" "descriptors a process"

echo "Left behind"
left=0
for exe in /proc/[0-9]*/exe; do
    path=$(readlink "$exe" 2>/dev/null) || continue
    if [[ $path == "$PWD"/build/* ]]; then
        pid=${exe//[!0-9]/}
        echo "  process $pid, ${path##*/}; kill -KILL $pid ends it"
        left=1
    fi
done
# A set without a key, or with one of those that the programs make of their pid.
while read -r id; do
    echo "  semaphore set $id, yours; ipcrm -s $id removes it"
    left=1
done < <(awk -v uid="$(id -u)" -v first=$((0x06000000)) -v end=$((0x0a000000)) '
    $5 == uid && ($1 == "0" || $1 >= first && $1 < end) { print $2 }' \
    /proc/sysvipc/sem)
while read -r program; do
    for folder in /tmp/"$(basename "$program" .c)".??????; do
        [[ -O $folder && -d $folder ]] || continue
        echo "  scratch directory $folder, yours; rm -r $folder removes it"
        left=1
    done
done < <(grep -l guard_directory {chapters,exercises}/*/*.c)
((left)) ||
    echo "  nothing: no process, lock file or semaphore set that the kit makes"
