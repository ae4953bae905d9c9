#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes a catalog with one generated kernel bundle, for trying pulls without any network. The
# kernel in it boots nothing: it is 8 MiB of text in an ELF-shaped file.
set -eu

[ $# -eq 1 ] || {
    echo "usage: make-demo-catalog.sh DIR" >&2
    exit 64
}
command -v zstd >/dev/null || {
    echo "make-demo-catalog.sh: zstd is missing: apt-get install zstd" >&2
    exit 69
}
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d "$out/.make-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

mkdir -p "$work/modules/kernel"
{
    printf '\177ELF'
    seq 1 1200000
} >"$work/vmlinux"
printf 'demo\n' >"$work/modules/modules.order"
tar --create --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@1700000000 \
    --directory "$work" --file - vmlinux modules | zstd -q -3 -o "$work/bundle.tar.zst"
digest=$(sha256sum "$work/bundle.tar.zst" | cut -d' ' -f1)
bundle=demo-$(uname -m)-$(printf %.12s "$digest").tar.zst
mv "$work/bundle.tar.zst" "$out/$bundle"
cat >"$out/catalog.json" <<EOF
{ "version": 1,
  "kernels": [
    { "name": "demo",
      "distro": "demo",
      "arch": "$(uname -m)",
      "kernel_version": "0-demo",
      "tarball_url": "$bundle",
      "tarball_sha256": "$digest",
      "size_bytes": $(stat -c %s "$out/$bundle"),
      "description": "Generated on this host to try a pull; it boots nothing" } ],
  "images": [] }
EOF
echo "$out/catalog.json"
