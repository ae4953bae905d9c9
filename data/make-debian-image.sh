#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes a small Debian root file system from this host's own apt sources and packs it as an image
# bundle with a catalog (make-image-bundle.sh). No root needed where mmdebstrap can use a user
# namespace.
set -eu

usage() {
    cat <<'EOF'
usage: make-debian-image.sh --out-dir DIR [--name NAME] [--kernel-ref KERNEL] [--include PKG,PKG]

  --out-dir DIR        where the bundle and catalog.json go
  --name NAME          name of the image; default: debian
  --kernel-ref KERNEL  kernel it boots with; default: debian-cloud
  --include LIST       more packages, separated by commas; default: iproute2,procps
EOF
}

out='' name=debian kernel=debian-cloud include=iproute2,procps
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --out-dir) out=${2:?} && shift 2 ;;
    --name) name=${2:?} && shift 2 ;;
    --kernel-ref) kernel=${2:?} && shift 2 ;;
    --include) include=${2:?} && shift 2 ;;
    *) echo "make-debian-image.sh: unknown argument $1: see --help" >&2 && exit 64 ;;
    esac
done
[ -n "$out" ] || { usage >&2 && exit 64; }
here=$(cd "$(dirname "$0")" && pwd)

# shellcheck source=/dev/null
. /etc/os-release
suite=${VERSION_CODENAME:?this host names no release}
mkdir -p "$out"
tar=$(mktemp "$out/.rootfs-XXXXXX.tar")
trap 'rm -f "$tar"' EXIT
trap 'exit 130' INT TERM

# The host's sources, whichever form they are in.
set --
for sources in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
    /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/ubuntu.sources; do
    if [ -s "$sources" ] && grep -q "$suite" "$sources"; then
        set -- "$@" "$sources"
    fi
done
# shellcheck disable=SC2016
mmdebstrap --quiet --variant=essential --include="$include" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --customize-hook='rm -f "$1/etc/resolv.conf" "$1/etc/hostname"; : >"$1/etc/machine-id"' \
    "$suite" "$tar" "$@" </dev/null
"$here/make-image-bundle.sh" --name "$name" --tar "$tar" --kernel-ref "$kernel" --out-dir "$out" \
    --distro "${ID:-debian}" \
    --description "${PRETTY_NAME:-Debian}, essential packages, made on this host"
