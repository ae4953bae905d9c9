#!/bin/sh
# SPDX-License-Identifier: MIT
# What listing kernels costs, warm: many of them beside jq over the same manifests (P10), none at all
# beside the start of skopeo (P11). Medians, and ours as a part of the other's.
#   bench/listing.sh PROGRAM [COUNT [RUNS]]
# PROGRAM is banger-tui. Everything happens in state directories of its own, which go afterwards.
set -eu
[ $# -ge 1 ] || {
    echo "usage: $0 PROGRAM [COUNT [RUNS]]" >&2
    exit 64
}
program=$1 count=${2:-10000} runs=${3:-11}
place=$(mktemp -d "${TMPDIR:-/tmp}/banger-bench-XXXXXX")
trap 'rm -rf "$place"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$place/many/kernels"
(cd "$place/many/kernels" && seq -f 'k%06.0f' "$count" | xargs mkdir &&
    for name in *; do
        echo kernel >"$name/vmlinux"
        printf '{"name": "%s", "distro": "debian", "arch": "x86_64", "kernel_version": "6.12.57",
 "sha256": "%064d", "source": "pull:https://example.org/kernels/%s.tar.zst", "format": 1,
 "imported_at": "2026-01-02T03:04:05Z"}\n' "$name" 7 "$name" >"$name/manifest.json"
    done)

# The median of some runs in microseconds.
measure() {
    "$@" >/dev/null
    i=0
    while [ $i -lt "$runs" ]; do
        begin=$(date +%s%N)
        "$@" >/dev/null
        echo $((($(date +%s%N) - begin) / 1000))
        i=$((i + 1))
    done | sort -n | sed -n "$(((runs + 1) / 2))p"
}
ours() {
    BANGER_STATE_DIR="$place/$1" measure "$program" --batch kernel list --format "$2"
}
theirs() {
    (cd "$place/many/kernels" && find . -name manifest.json -print0 | xargs -0 -n 4000 jq -r .name)
}
compare() {
    awk -v what="$1" -v ours="$2" -v peer="$3" -v theirs="$4" 'BEGIN {
        printf "%s: %.1f ms, %s %.1f ms, ratio %.2f\n", what, ours / 1000, peer, theirs / 1000,
            ours / theirs }'
}
if command -v jq >/dev/null; then
    jq=$(measure theirs)
    compare "P10, list of $count as a table" "$(ours many table)" "jq" "$jq"
    compare "P10, list of $count as JSON" "$(ours many json)" "jq" "$jq"
else
    echo "P10: there is no jq to compare with; $(ours many json) us"
fi
if command -v skopeo >/dev/null; then
    compare "P11, an empty list" "$(ours none table)" "skopeo --version" \
        "$(measure skopeo --version)"
else
    echo "P11: there is no skopeo to compare with; $(ours none table) us"
fi
