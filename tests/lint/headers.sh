#!/bin/sh
# SPDX-License-Identifier: MIT
# Each header compiles by itself: it includes or declares all it needs.
set -u
: "${SRCDIR:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${BUILDDIR:=$SRCDIR}"
cd "$SRCDIR" || exit 1
headers=$(find src -name '*.h' | LC_ALL=C sort)
test -n "$headers" || exit 1
# One compiler run: the driver compiles each file on its own.
# shellcheck disable=SC2086 # words, on purpose; no name here has a blank
${CC:-cc} -x c -fsyntax-only -std=gnu11 -Wall -Wextra -Werror -Wno-pragma-once-outside-header -w \
    -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Isrc -I"$BUILDDIR" $headers
