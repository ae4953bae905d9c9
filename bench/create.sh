#!/bin/sh
# SPDX-License-Identifier: MIT
# What making a machine costs: time of `vm create` as a whole, process start and syncs included, and
# what it takes on disk. Beside it what a copy of the image takes.
#   bench/create.sh PROGRAM ROOTFS.ext4 KERNEL-DIR [COUNT]
# PROGRAM is banger-tui. Everything happens in a state directory of its own, which goes afterwards.
set -eu
[ $# -ge 3 ] || {
    echo "usage: $0 PROGRAM ROOTFS.ext4 KERNEL-DIR [COUNT]" >&2
    exit 64
}
program=$1 rootfs=$2 kernel=$3 count=${4:-20}
place=$(mktemp -d "${TMPDIR:-/tmp}/banger-bench-XXXXXX")
trap 'rm -rf "$place"' EXIT
trap 'exit 130' INT TERM
export BANGER_STATE_DIR="$place/state"
now() { date +%s%N; }
"$program" --batch kernel import bench --from "$kernel" -q >/dev/null
"$program" --batch image register bench --rootfs "$rootfs" --kernel-ref bench -q >/dev/null

i=0
while [ $i -lt "$count" ]; do
    begin=$(now)
    "$program" --batch vm create bench --name "vm-$i" -q >/dev/null
    echo $((($(now) - begin) / 1000))
    i=$((i + 1))
done | sort -n >"$place/times"
echo "vm create: median $(sed -n "$(((count + 1) / 2))p" "$place/times") us," \
    "slowest $(tail -1 "$place/times") us, of $count"
echo "on disk: $(($(du -sk "$BANGER_STATE_DIR/vms" | cut -f1) / count)) KiB each"

begin=$(now)
cp --sparse=always "$rootfs" "$place/copy"
echo "a copy of the image: $((($(now) - begin) / 1000)) us, $(du -k "$place/copy" | cut -f1) KiB"
