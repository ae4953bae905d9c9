#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes an image bundle (rootfs.ext4 + manifest.json in a .tar.zst named after its digest) from a
# root file system tar, and a catalog that offers it. Needs no root: tar, fakeroot, mke2fs, zstd.
set -eu

usage() {
    cat <<'EOF'
usage: make-image-bundle.sh --name NAME --tar FILE --kernel-ref KERNEL --out-dir DIR [options]

Makes DIR/NAME-ARCH-<digest>.tar.zst from a root file system tar, and DIR/catalog.json that offers
it. Put DIR on any web server, or point BANGER_CATALOG at DIR/catalog.json.

  --name NAME          name in the catalog
  --tar FILE           root file system as a tar (owners and modes are kept)
  --kernel-ref KERNEL  kernel it boots with
  --out-dir DIR        where the bundle and the catalog go
  --distro WORD        recorded; default: NAME
  --arch WORD          recorded; default: this machine's
  --description TEXT   shown in lists
  --size MIB           size of the file system; default: content and a quarter, at least 64
EOF
}

fail() {
    echo "make-image-bundle.sh: $1" >&2
    exit "${2:-64}"
}

name='' tar='' kernel='' out='' distro='' description='' size=''
arch=$(uname -m)
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --name | --tar | --kernel-ref | --out-dir | --distro | --arch | --description | --size)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
        --name) name=$2 ;;
        --tar) tar=$2 ;;
        --kernel-ref) kernel=$2 ;;
        --out-dir) out=$2 ;;
        --distro) distro=$2 ;;
        --arch) arch=$2 ;;
        --description) description=$2 ;;
        --size) size=$2 ;;
        esac
        shift 2
        ;;
    *) fail "unknown argument $1: see --help" ;;
    esac
done
for needed in "$name" "$tar" "$kernel" "$out"; do
    [ -n "$needed" ] || fail "--name, --tar, --kernel-ref and --out-dir are needed: see --help"
done
[ -r "$tar" ] || fail "cannot read $tar" 66
for tool in fakeroot mke2fs zstd tar sha256sum; do
    PATH=$PATH:/sbin:/usr/sbin command -v "$tool" >/dev/null || fail "$tool is missing" 69
done
PATH=$PATH:/sbin:/usr/sbin
distro=${distro:-$name}

mkdir -p "$out"
out=$(cd "$out" && pwd)
tar=$(cd "$(dirname "$tar")" && pwd)/$(basename "$tar")
work=$(mktemp -d "$out/.make-XXXXXX")
trap 'chmod -R u+rwx "$work" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# fakeroot keeps owners and modes between unpacking and mke2fs. Times and identifiers are fixed, so
# that the same tar gives the same bytes.
mkdir "$work/tree"
E2FSPROGS_FAKE_TIME=${SOURCE_DATE_EPOCH:-1700000000}
export E2FSPROGS_FAKE_TIME
# shellcheck disable=SC2016
fakeroot -- sh -eu -c '
    tar --extract --numeric-owner --same-permissions --file "$1" --directory "$2/tree" \
        --exclude="./dev/*"
    chmod 755 "$2/tree"
    used=$(du --summarize --block-size=1M --apparent-size "$2/tree" | cut -f1)
    size=$3
    [ -n "$size" ] || size=$((used + used / 4 + 48))
    mke2fs -q -t ext4 -m 0 -L "$4" -U 6f6e6365-7570-4f6e-a154-696d65626172 \
        -E hash_seed=6f6e6365-7570-4f6e-a154-696d65626172,root_owner=0:0 \
        -O ^has_journal,^resize_inode -d "$2/tree" "$2/rootfs.ext4" "${size}M"
' sh "$tar" "$work" "$size" "$(printf %.16s "$name")"

# Words from the command line become JSON strings.
json() {
    printf '"%s"' "$(printf %s "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"
}
printf '{"name": %s, "distro": %s, "arch": %s, "kernel_ref": %s}\n' \
    "$(json "$name")" "$(json "$distro")" "$(json "$arch")" "$(json "$kernel")" \
    >"$work/manifest.json"
tar --create --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@1700000000 --mode=0644 \
    --directory "$work" --file - rootfs.ext4 manifest.json |
    zstd -q -T0 -10 -o "$work/bundle.tar.zst"

digest=$(sha256sum "$work/bundle.tar.zst" | cut -d' ' -f1)
bundle=$name-$arch-$(printf %.12s "$digest").tar.zst
mv "$work/bundle.tar.zst" "$out/$bundle"
cat >"$work/catalog.json" <<EOF
{ "version": 1,
  "kernels": [],
  "images": [
    { "name": $(json "$name"),
      "distro": $(json "$distro"),
      "arch": $(json "$arch"),
      "kernel_ref": $(json "$kernel"),
      "tarball_url": $(json "$bundle"),
      "tarball_sha256": "$digest",
      "size_bytes": $(stat -c %s "$out/$bundle"),
      "description": $(json "$description") } ] }
EOF
mv "$work/catalog.json" "$out/catalog.json"
echo "$out/$bundle"
