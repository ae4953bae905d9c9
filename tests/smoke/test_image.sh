#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the root file system of a small Debian with systemd, from this machine's own package sources,
# for the boot tests: test_image.sh FILE.tar && BANGER_TEST_SYSTEMD=FILE.tar make check
# Nothing is installed. A FILE that is there already is left alone.
set -eu
[ $# -eq 1 ] || {
    echo "usage: $0 FILE.tar" >&2
    exit 64
}
[ ! -e "$1" ] || exit 0
command -v mmdebstrap >/dev/null || {
    echo "mmdebstrap is not installed" >&2
    exit 77
}
# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
mkdir -p "$(dirname "$1")"
trap 'rm -f "$1.new"' EXIT
mmdebstrap --quiet --variant=essential --include=systemd-sysv --format=tar \
    --aptopt='Apt::Install-Recommends "0"' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$1.new"
mv "$1.new" "$1"
