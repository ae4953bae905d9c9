#!/bin/sh
# SPDX-License-Identifier: MIT
# A malformed built-in catalog stops the build, and editing the catalog rebuilds the program.
set -eu
tool=$BUILDDIR/src/store/embed_catalog
place=$(mktemp -d "${TMPDIR:-/tmp}/banger-test-XXXXXX")
trap 'rm -rf "$place"' EXIT

fail() {
    echo "embed_catalog.sh: $1" >&2
    exit 1
}

refused() {
    printf '%s' "$1" > "$place/catalog.json"
    if "$tool" "$place/catalog.json" > "$place/out" 2> "$place/said"; then
        fail "accepted: $1"
    fi
    [ ! -s "$place/out" ] || fail "printed something for: $1"
    grep -q catalog.json "$place/said" || fail "does not name the file for: $1"
}

"$tool" "$SRCDIR/data/catalog.json" > "$place/out"
[ -s "$place/out" ] || fail "printed nothing for the catalog as it is"

refused '{"version":1,"kernels":['
refused '[]'
refused '{"version":1,"kernels":[{"name":"k"}]}'
refused '{"version":1,"kernels":[{"name":"k","apt_package":"-x"}]}'
refused '{"version":1,"kernels":[{"name":"k","tarball_url":"k.tar","tarball_sha256":"00"}]}'
refused '{"version":1,"kernels":[{"name":"k","apt_package":"linux"},{"name":"k","apt_package":"linux"}]}'
"$tool" "$place/none.json" > "$place/out" 2> "$place/said" && fail "accepted a missing file"

unset MAKEFLAGS MFLAGS MAKELEVEL
cd "$BUILDDIR"
catalog=$(sed -n 's/^top_srcdir = //p' Makefile)/data/catalog.json
${MAKE:-make} -n AUTOMAKE=: AUTOCONF=: ACLOCAL=: -W "$catalog" src/libstore.a > "$place/plan"
grep -q embedded_catalog.inc "$place/plan" || fail "editing the catalog would not make it again"
grep -q embedded_catalog.c "$place/plan" || fail "editing the catalog would not compile it again"
