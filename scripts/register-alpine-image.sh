#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes an image of this host from Alpine Linux's staged kernel and a root file system.
set -eu

# shellcheck source=scripts/distro-image.sh
. "$(dirname "$0")/distro-image.sh"

case ${1:-} in
'') distro_register alpine "${ALPINE_IMAGE_NAME:-alpine}" alpine-kernel ;;
--help | -h) distro_usage alpine ALPINE_IMAGE_NAME alpine alpine-kernel ;;
*) fail "unknown argument $1: see --help" 64 ;;
esac
