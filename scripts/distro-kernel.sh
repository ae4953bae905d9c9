# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
# What make-void-kernel.sh and make-alpine-kernel.sh share: fetching a package and staging the kernel
# in it so that `kernel import --from DIR` takes it. Sourced; $0 is the script.

self=$(basename "$0")
top=$(cd "$(dirname "$0")/.." && pwd)
manual=${BANGER_MANUAL_DIR:-$top/build/manual}

fail() {
    echo "$self: $1" >&2
    exit "${2:-69}"
}

# Sets $out and an empty $work beside it, which is removed at the end. $1: default; rest: arguments.
distro_begin() {
    out=$1
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h) usage && exit 0 ;;
        --out-dir) [ $# -ge 2 ] || fail "--out-dir needs a value" 64
            out=$2 && shift 2 ;;
        *) fail "unknown argument $1: see --help" 64 ;;
        esac
    done
    for tool in curl tar gzip zstd awk sha256sum; do
        command -v "$tool" >/dev/null || fail "$tool is missing"
    done
    mkdir -p "$(dirname "$out")"
    work=$(mktemp -d "$(dirname "$out")/.$(basename "$out")-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
}

# $1: URL; $2: file; $3: what it is. Never falls from https to http.
distro_fetch() {
    echo "==> $3: $(echo "$1" | sed 's|//[^/@]*@|//|')" >&2
    curl --fail --silent --show-error --location --proto '=https,http' --proto-redir '=https' \
        --retry 3 --connect-timeout 15 --speed-limit 1000 --speed-time 30 --output "$2" "$1" >&2 ||
        fail "$3 could not be fetched"
}

# What an index says goes into URLs and paths.
distro_check_word() {
    case $1 in
    '' | .* | *[!A-Za-z0-9._+-]*) fail "the index has no sensible $2: \"$1\"" 65 ;;
    esac
}

# Ends the script when this very package is staged already. $1: package; $2: its checksum.
distro_is_staged() {
    if grep -qsF "\"package\": \"$1\", \"checksum\": \"$2\"" "$out/metadata.json"; then
        echo "$out has $1 already"
        exit 0
    fi
}

# Stages the kernel of the package that is unpacked in $work/tree. $1: distribution; $2: machine;
# $3: package; $4: its checksum.
distro_stage() {
    set -- "$@" "$(find "$work/tree/boot" -name 'vmlinuz*' -type f 2>/dev/null)"
    [ -f "$5" ] || fail "$3 has no boot/vmlinuz, or several" 65
    for modules in "$work/tree/lib/modules" "$work/tree/usr/lib/modules"; do
        [ ! -d "$modules" ] || break
    done
    version=$(find "$modules" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sed 's|.*/||')
    distro_check_word "$version" "kernel version"
    mkdir -p "$work/new/boot" "$work/new/lib/modules"
    mv "$5" "$work/new/boot/"
    find "$work/tree/boot" -name 'config-*' -type f -exec mv {} "$work/new/boot/" \;
    mv "$modules/$version" "$work/new/lib/modules/"
    cat >"$work/new/metadata.json" <<END
{ "kernel": "boot/$(basename "$5")", "modules": "lib/modules/$version",
  "kernel_version": "$version", "distro": "$1", "arch": "$2",
  "package": "$3", "checksum": "$4" }
END
    [ ! -e "$out" ] || mv "$out" "$work/old"
    mv "$work/new" "$out"
    echo "$out: Linux $version of $3"
}
