#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the generic kernel: small, everything a virtual machine needs built in, so that it boots
# without modules. From Debian's linux-source package and generic.config beside this script.
set -eu

usage() {
    cat <<'EOF_USAGE'
usage: build-generic.sh [--out DIR] [--jobs N] [--source FILE] [--name NAME] [--no-import] [--force]

Leaves DIR/vmlinux, DIR/config and DIR/metadata.json, and imports them as generic-<version>.
Takes 6 to 12 minutes on two cores and about 2 GiB in DIR/work, which can be removed afterwards;
started again after an interruption it goes on where it stopped.

  --out DIR      default: build/manual/generic-kernel
  --jobs N       compilers at once; default: the number of processors
  --source FILE  linux-source-*.tar.xz; default: the newest in /usr/src, else the package's,
                 downloaded through apt without being installed
  --name NAME    of the kernel in the store; default: generic-<version>
  --no-import    only build
  --force        replace a kernel of that name

environment:
  BANGER         the program that imports; default: build/banger, else banger in PATH
EOF_USAGE
}
fail() {
    echo "build-generic.sh: $1" >&2
    exit "${2:-69}"
}

out=build/manual/generic-kernel jobs=$(nproc) source='' name='' import=yes force=''
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h) usage && exit 0 ;;
    --no-import) import=no ;;
    --force) force=--force ;;
    --out | --jobs | --source | --name)
        [ $# -ge 2 ] || fail "$1 needs a value" 64
        case $1 in
        --out) out=$2 ;;
        --jobs) jobs=$2 ;;
        --source) source=$2 ;;
        --name) name=$2 ;;
        esac
        shift
        ;;
    *) fail "unknown argument $1: see --help" 64 ;;
    esac
    shift
done
case $jobs in '' | *[!0-9]* | 0*) fail "--jobs takes a number, not \"$jobs\"" 64 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

# ---- what is needed ----

banger=${BANGER:-$top/build/banger}
[ -n "${BANGER:-}" ] || [ -x "$banger" ] || banger=banger
[ "$import" = no ] || command -v "$banger" >/dev/null ||
    fail "$banger is not there to import the kernel: build it, set BANGER, or give --no-import"
missing=''
for tool in gcc make flex bison bc xz; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
echo '#include <libelf.h>' | gcc -E - >/dev/null 2>&1 || missing="$missing libelf-dev"
[ -z "$missing" ] || fail "missing:$missing: apt-get install gcc make flex bison bc xz-utils libelf-dev"
mkdir -p "$out/work"
out=$(cd "$out" && pwd)
work=$out/work

# The newest package of that kind; unpacked, not installed.
download_source() {
    package=$(apt-cache depends linux-source 2>/dev/null | sed -n 's/.*Depends: //p' | head -n 1)
    [ -n "$package" ] || fail "no linux-source package is known here: apt-get update, or --source"
    (cd "$work" && apt-get download -q "$package" && dpkg-deb -x "$package"_*.deb package &&
        rm -f "$package"_*.deb) >&2 || fail "cannot download the package $package"
}
newest_source() {
    find "$1" -name 'linux-source-*.tar.xz' 2>/dev/null | sort -V | tail -n 1
}
[ -n "$source" ] || source=$(newest_source /usr/src)
[ -n "$source" ] || source=$(newest_source "$work/package")
[ -n "$source" ] || { download_source && source=$(newest_source "$work/package"); }
[ -r "$source" ] || fail "cannot read the source \"$source\"" 66

# ---- stages: a stamp says from what each was made ----

is_done() { [ "$(cat "$work/stamp-$1" 2>/dev/null)" = "$2" ]; }
done_with() { echo "$2" >"$work/stamp-$1"; }
say() { printf '==> %s\n' "$*"; }

from_source="$source $(stat -c '%s %Y' "$source")"
if ! is_done unpack "$from_source"; then
    say "Unpacking $source"
    rm -rf "$work/tree" "$work/objects"
    mkdir -p "$work/tree"
    tar -x -f "$source" -C "$work/tree" --strip-components 1 --no-same-owner
    done_with unpack "$from_source"
fi

tree=$work/tree objects=$work/objects
# The same input gives the same kernel, whoever builds it and when.
KBUILD_BUILD_TIMESTAMP=@$(stat -c %Y "$tree/Makefile")
KBUILD_BUILD_USER=banger KBUILD_BUILD_HOST=generic LC_ALL=C
export KBUILD_BUILD_TIMESTAMP KBUILD_BUILD_USER KBUILD_BUILD_HOST LC_ALL
kmake() { make -s --no-print-directory -C "$tree" "O=$objects" ARCH=x86_64 "$@"; }

from_config="$from_source $(sha256sum <"$here/generic.config")"
if ! is_done config "$from_config"; then
    say "Configuring"
    mkdir -p "$objects"
    kmake KCONFIG_ALLCONFIG="$here/generic.config" allnoconfig
    kmake olddefconfig
    "$here/check-config.sh" "$here/generic.config" "$objects/.config" "$tree" ||
        fail "the kernel's configuration is not what $here/generic.config asks for" 65
    done_with config "$from_config"
fi

version=$(kmake kernelversion)
if ! is_done build "$from_config" || [ ! -s "$out/vmlinux" ]; then
    say "Building Linux $version with $jobs jobs"
    kmake -j"$jobs" vmlinux
    strip -o "$out/.vmlinux" "$objects/vmlinux"
    mv "$out/.vmlinux" "$out/vmlinux"
    cp "$objects/.config" "$out/config"
    printf '{ "kernel": "vmlinux", "kernel_version": "%s", "distro": "generic", "arch": "x86_64" }\n' \
        "$(kmake kernelrelease)" >"$out/metadata.json"
    done_with build "$from_config"
fi
say "$out/vmlinux: $(($(stat -c %s "$out/vmlinux") >> 20)) MiB"

[ "$import" = yes ] || exit 0
name=${name:-generic-$version}
"$banger" kernel import "$name" --from "$out" ${force:+"$force"}
