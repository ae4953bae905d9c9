#!/bin/sh
# SPDX-License-Identifier: MIT
# Sources are as clang-format writes them. Other releases of it write some things in another way, so
# only the one that .clang-format was written for is asked.
set -u
: "${SRCDIR:=$(cd "$(dirname "$0")/../.." && pwd)}"
wanted=14
found=
for program in "clang-format-$wanted" clang-format; do
    if $program --version 2>/dev/null | grep -q "version $wanted\\."; then
        found=$program
        break
    fi
done
test -n "$found" || { echo "clang-format $wanted is not installed"; exit 77; }
cd "$SRCDIR" || exit 1
find src tests -name '*.[ch]' -exec "$found" --dry-run -Werror {} +
