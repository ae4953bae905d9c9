#!/bin/sh
# SPDX-License-Identifier: MIT
# Stages Void Linux's kernel for `banger kernel import`. No root, nothing installed.
set -eu

# shellcheck source=scripts/distro-kernel.sh
. "$(dirname "$0")/distro-kernel.sh"

usage() {
    cat <<'END'
usage: make-void-kernel.sh [--out-dir DIR]

Fetches the kernel package of Void Linux and leaves its kernel, configuration and modules with a
metadata.json in DIR, for `banger kernel import NAME --from DIR`. Running it again fetches the
index only, unless there is a newer kernel.

  --out-dir DIR      default: $BANGER_MANUAL_DIR/void-kernel

environment:
  VOID_REPOSITORY    URL of the repository; default: https://repo-default.voidlinux.org/current
  VOID_ARCH          default: this machine's
  VOID_KERNEL        package; default: linux, which names the current one
  BANGER_MANUAL_DIR  default: build/manual

The package's SHA-256 is compared with the repository's index. The index comes with no more proof
than the https connection: the packages' RSA signatures are not checked.
END
}

# $1: package; $2: key. The strings of that key in the index.
index() {
    awk -v RS='<' -v package="$1" -v wanted="$2" '
        { tag = text = $0; sub(/>.*/, "", tag); sub(/^[^>]*>/, "", text) }
        tag == "dict" { depth++ }
        tag == "/dict" { depth-- }
        tag == "key" && depth == 1 { name = text }
        tag == "key" && depth == 2 { key = text }
        tag == "string" && depth == 2 && name == package && key == wanted { print text }
    ' "$work/index.plist"
}
kernels() { sed -n 's|.*<key>\(linux[0-9][0-9.]*\)</key>.*|\1|p' "$work/index.plist" | tr '\n' ' '; }

distro_begin "$manual/void-kernel" "$@"
url=${VOID_REPOSITORY:-https://repo-default.voidlinux.org/current}
arch=${VOID_ARCH:-$(uname -m)}

distro_fetch "${url%/}/$arch-repodata" "$work/repodata" "Void's index for $arch"
tar -xO -f "$work/repodata" index.plist >"$work/index.plist" ||
    fail "$arch-repodata is no index of a Void repository" 65
package=${VOID_KERNEL:-linux}
pkgver=$(index "$package" pkgver)
[ -n "$pkgver" ] || fail "the repository has no package $package; it has: $(kernels)" 66
# The package `linux` is empty; what it depends on is the kernel.
real=$(index "$package" run_depends | sed -n 's/^\(linux[0-9][0-9.]*\)\([^0-9.a-z-].*\)*$/\1/p' |
    head -n 1)
if [ -n "$real" ]; then
    package=$real
    pkgver=$(index "$package" pkgver)
    [ -n "$pkgver" ] || fail "the repository has no package $package; it has: $(kernels)" 66
fi
sha256=$(index "$package" filename-sha256)
distro_check_word "$pkgver" "version of $package"
[ ${#sha256} -eq 64 ] || fail "the index has no SHA-256 of $pkgver" 65
distro_check_word "$sha256" "SHA-256"
distro_is_staged "$pkgver" "sha256:$sha256"

distro_fetch "${url%/}/$pkgver.$arch.xbps" "$work/package" "$pkgver"
found=$(sha256sum <"$work/package" | cut -d' ' -f1)
[ "$found" = "$sha256" ] ||
    fail "$pkgver is not what the index promises: SHA-256 expected $sha256, found $found" 65
mkdir "$work/tree"
tar -x -f "$work/package" -C "$work/tree" --no-same-owner || fail "$pkgver is damaged" 65
distro_stage void "${arch%-musl}" "$pkgver" "sha256:$sha256"
