# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
# The Debian packages this project needs, each list with its reason, and how they are installed.
# Sourced by ./quickstart and ./check; defines functions and variables only.

BUILD_PACKAGES="gcc make autoconf automake pkg-config libc6-dev musl-tools linux-libc-dev
libncurses-dev libcurl4-openssl-dev libzstd-dev libarchive-dev libssl-dev libcjson-dev
libext2fs-dev comerr-dev liblzma-dev zlib1g-dev libisal-dev libinih-dev"
RUN_PACKAGES="qemu-system-x86 seabios ca-certificates"
IMAGE_PACKAGES="mmdebstrap e2fsprogs zstd tar fakeroot uidmap"
TEST_PACKAGES="libcmocka-dev libvterm-dev python3 nginx-light tmux strace procps clang clang-format
libclang-rt-14-dev shellcheck cppcheck git jq mount systemd dbus
nftables iproute2 slirp4netns llvm openssl openssh-client openssh-server curl e2fsprogs docker-registry skopeo umoci busybox-static"
# For ./check --all: the generic kernel is built from source.
KERNEL_PACKAGES="linux-source flex bison bc libelf-dev xz-utils"
# For the pictures of README.md (make pictures).
DOCS_PACKAGES="python3-pil fonts-dejavu-core"

# Prints those of the given packages that are not installed.
packages_missing() {
    for package in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=absent
        [ "$state" = installed ] || printf '%s ' "$package"
    done
}

# Prints what goes in front of a command that needs root: nothing, sudo, or fails.
packages_as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        printf ''
    elif command -v sudo >/dev/null 2>&1; then
        printf 'sudo'
    else
        return 1
    fi
}

# Installs packages without starting any service of theirs. $1: build directory for the log.
packages_install() {
    log=$1/packages.log
    shift
    as_root=$(packages_as_root) || {
        echo "These packages are missing and only root can install them: $*" >&2
        return 77
    }
    # A policy that says no to every start; an existing one is left alone.
    policy=/usr/sbin/policy-rc.d
    made_policy=no
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null &&
            $as_root chmod 755 "$policy" && made_policy=yes
    fi
    status=0
    install="env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"
    # shellcheck disable=SC2086
    $as_root $install "$@" </dev/null >"$log" 2>&1 ||
        { $as_root apt-get update </dev/null >>"$log" 2>&1 &&
            $as_root $install "$@" </dev/null >>"$log" 2>&1; } || status=$?
    [ "$made_policy" = no ] || $as_root rm -f "$policy"
    return $status
}
