#!/bin/sh
# SPDX-License-Identifier: MIT
# Stages Alpine Linux's kernel for `banger kernel import`. No root, nothing installed.
set -eu

# shellcheck source=scripts/distro-kernel.sh
. "$(dirname "$0")/distro-kernel.sh"

usage() {
    cat <<'END'
usage: make-alpine-kernel.sh [--out-dir DIR]

Fetches the kernel package of Alpine Linux and leaves its kernel, configuration and modules with a
metadata.json in DIR, for `banger kernel import NAME --from DIR`. Running it again fetches the
index only, unless there is a newer kernel.

  --out-dir DIR      default: $BANGER_MANUAL_DIR/alpine-kernel

environment:
  ALPINE_REPOSITORY  URL above the releases; default: https://dl-cdn.alpinelinux.org/alpine
  ALPINE_RELEASE     such as 3.22 or edge; default: latest-stable
  ALPINE_ARCH        default: this machine's
  ALPINE_KERNEL      package; default: linux-virt
  BANGER_MANUAL_DIR  default: build/manual

The index names the SHA-1 of the package's description, the description the SHA-256 of its content:
both are compared. The index comes with no more proof than the https connection: its RSA signature
is not checked.
END
}

# $1: letter. That field of the package in the index.
index() {
    awk -v package="$package" -v letter="$1" '
        /^P:/ { name = substr($0, 3) }
        { field[substr($0, 1, 1)] = substr($0, 3) }
        $0 == "" { if (name == package) { exit }; split("", field); name = "" }
        END { if (name == package) { print field[letter] } }' "$work/APKINDEX"
}
kernels() { sed -n 's/^P:\(linux-[a-z]*\)$/\1/p' "$work/APKINDEX" | tr '\n' ' '; }
bytes() { tail -c +"$(($1 + 1))" "$work/package" | head -c "$(($2 - $1))"; }

distro_begin "$manual/alpine-kernel" "$@"
release=${ALPINE_RELEASE:-latest-stable}
case $release in [0-9]*) release=v$release ;; esac
arch=${ALPINE_ARCH:-$(uname -m)}
url=${ALPINE_REPOSITORY:-https://dl-cdn.alpinelinux.org/alpine}
url=${url%/}/$release/main/$arch
package=${ALPINE_KERNEL:-linux-virt}

distro_fetch "$url/APKINDEX.tar.gz" "$work/index" "the index of Alpine $release for $arch"
tar -xzO -f "$work/index" APKINDEX >"$work/APKINDEX" 2>/dev/null ||
    fail "$url/APKINDEX.tar.gz is no index of an Alpine repository" 65
version=$(index V)
[ -n "$version" ] || fail "Alpine $release has no package $package; it has: $(kernels)" 66
distro_check_word "$version" "version of $package"
checksum=$(index C)
case $checksum in Q1*) ;; *) fail "the index has no SHA-1 of $package-$version" 65 ;; esac
sha1=$(printf %s "${checksum#Q1}" | base64 -d 2>/dev/null | od -An -v -t x1 | tr -d ' \n')
distro_is_staged "$package-$version" "$checksum"

distro_fetch "$url/$package-$version.apk" "$work/package" "$package-$version"
# Three gzip streams in a row: signature, description, content. Where the second one begins and ends
# is what makes its SHA-1 right.
magic=$(printf '\037\213\010')
starts=$(head -c 1048576 "$work/package" | LC_ALL=C grep -aobF "$magic" | LC_ALL=C cut -d: -f1)
content=''
for start in $starts; do
    for end in $starts; do
        [ "$end" -gt "$start" ] || continue
        [ "$(bytes "$start" "$end" | sha1sum | cut -d' ' -f1)" = "$sha1" ] || continue
        content=$end
        break 2
    done
done
[ -n "$content" ] || fail "the description in $package-$version is not the one of the index" 65
sha256=$(bytes "$start" "$end" | tar -xzO -f - .PKGINFO | sed -n 's/^datahash = //p')
tail -c +"$((content + 1))" "$work/package" >"$work/content"
found=$(sha256sum <"$work/content" | cut -d' ' -f1)
[ "$found" = "$sha256" ] ||
    fail "$package-$version is damaged: SHA-256 expected ${sha256:-none}, found $found" 65
mkdir "$work/tree"
tar -xz -f "$work/content" -C "$work/tree" --no-same-owner --warning=no-unknown-keyword ||
    fail "$package-$version cannot be unpacked" 65
distro_stage alpine "$arch" "$package-$version" "$checksum"
