#!/bin/sh
# SPDX-License-Identifier: MIT
# Fetches the distribution's kernel for virtual machines and unpacks it for the boot tests:
#   test_kernel.sh DIR && BANGER_TEST_KERNEL=DIR make check
#   test_kernel.sh DIR full && BANGER_TEST_KERNEL_9P=DIR make check    # one with every module
# Nothing is installed. A DIR that has one already is left alone.
set -eu
[ $# -eq 1 ] || [ "${2-}" = full ] || {
    echo "usage: $0 DIR [full]" >&2
    exit 64
}
mkdir -p "$1"
cd "$1"
for kernel in boot/vmlinuz-*; do
    [ -e "$kernel" ] && exit 0
done
# The packages of that kind that a package depends on.
depends() {
    apt-cache depends "$1" | sed -n "s/^ *Depends: \\(linux-$2-[0-9].*\\)/\\1/p"
}

architecture=$(dpkg --print-architecture)
packages="linux-image-cloud-$architecture linux-image-virtual linux-image-$architecture"
[ "${2-}" != full ] || packages="linux-image-$architecture linux-image-generic"
for package in $packages; do
    apt-cache show "$package" >/dev/null 2>&1 || continue
    # The package itself is empty; what it names is the kernel, which on Ubuntu names its modules.
    for name in $(depends "$package" image); do
        for part in "$name" $(depends "$name" modules); do
            apt-get download -q "$part"
        done
    done
    for deb in ./*.deb; do
        dpkg-deb -x "$deb" .
        rm -f "$deb"
    done
    exit 0
done
echo "no kernel package is to be had: apt-get update first" >&2
exit 1
