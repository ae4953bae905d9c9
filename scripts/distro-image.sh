# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What register-void-image.sh and register-alpine-image.sh share: from a staged kernel and a root
# file system to an image of this host. Sourced; $0 is the script.

self=$(basename "$0")
top=$(cd "$(dirname "$0")/.." && pwd)
manual=${BANGER_MANUAL_DIR:-$top/build/manual}

fail() {
    echo "$self: $1" >&2
    exit "${2:-69}"
}

# $1: distribution; $2: variable with the image's name; $3: its default; $4: make target.
distro_usage() {
    cat <<END
usage: $self

Imports the kernel that \`make $4\` staged, registers a root file system with it as
the image $3, and promotes the image, so that it needs no other file any more. What is done
already is left alone. With the kernel and the root file system in the manual directory no
variable is needed.

environment:
  BANGER_MANUAL_DIR  what is staged; default: build/manual
  $2$(printf '%*s' $((19 - ${#2})) '')name of the image; default: $3
  BANGER             the program; default: build/banger, else banger in PATH
  KERNEL_NAME        of the kernel in the store; default: $1-<version>
  ROOTFS             ext4 file, tar or directory; default: \$BANGER_MANUAL_DIR/$1-rootfs.ext4,
                     $1-rootfs.tar[.gz|.zst], or the directory $1-rootfs
END
}

# Whether the program's answer about $1 (kernel or image) $2 has the key and value $3, $4.
shows() {
    "$banger" "$1" show "$2" --format json 2>/dev/null | tr -d '\n' |
        grep -q "\"$3\": *\"*$4\"*[,}]"
}

# Whether there is a kernel or image ($1) of exactly that name ($2).
has() { "$banger" "$1" list --quiet | grep -qxF -e "$2"; }

# $1: distribution; $2: name of the image; $3: make target.
distro_register() {
    banger=${BANGER:-$top/build/banger}
    [ -n "${BANGER:-}" ] || [ -x "$banger" ] || banger=banger
    command -v "$banger" >/dev/null || fail "$banger is not there: build it, or set BANGER"
    staged=$manual/$1-kernel
    [ -r "$staged/metadata.json" ] || fail "no kernel in $staged: make $3 first" 66
    version=$(sed -n 's/.*"kernel_version": "\([^"]*\)".*/\1/p' "$staged/metadata.json")
    kernel=${KERNEL_NAME:-$1-$version}
    rootfs=${ROOTFS:-}
    for file in ext4 tar tar.gz tar.zst; do
        [ -n "$rootfs" ] || [ ! -f "$manual/$1-rootfs.$file" ] || rootfs=$manual/$1-rootfs.$file
    done
    [ -n "$rootfs" ] || [ ! -d "$manual/$1-rootfs" ] || rootfs=$manual/$1-rootfs
    [ -n "$rootfs" ] ||
        fail "no root file system: set ROOTFS, or put it at $manual/$1-rootfs.ext4" 66

    if has image "$2"; then
        shows image "$2" kernel_ref "$kernel" ||
            fail "there is an image $2 with another kernel than $kernel: $banger image rm $2" 73
    else
        has kernel "$kernel" || "$banger" kernel import "$kernel" --from "$staged"
        "$banger" image register "$2" --rootfs "$rootfs" --kernel-ref "$kernel"
    fi
    shows image "$2" managed true || "$banger" image promote "$2"
    echo "image $2 with kernel $kernel: $banger vm run $2"
}
