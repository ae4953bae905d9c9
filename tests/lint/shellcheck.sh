#!/bin/sh
# SPDX-License-Identifier: MIT
# All shell scripts of the tree pass shellcheck.
set -u
: "${SRCDIR:=$(cd "$(dirname "$0")/../.." && pwd)}"
command -v shellcheck >/dev/null || { echo 'shellcheck is not installed'; exit 77; }
cd "$SRCDIR" || exit 1
scripts=$(find . -type d \( -name 'build*' -o -name .git -o -name autom4te.cache -o -name m4 \) -prune \
    -o -name configure -prune -o -type f -size -64k -exec awk '
        FNR == 1 && /^#!.*(\/sh|[\/ ]bash|\/env sh)/ { print FILENAME }
        { nextfile }' {} +)
test -n "$scripts" || exit 1
# shellcheck disable=SC2086 # words, on purpose
shellcheck -x $scripts
