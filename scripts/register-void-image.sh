#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes an image of this host from Void Linux's staged kernel and a root file system.
set -eu

# shellcheck source=scripts/distro-image.sh
. "$(dirname "$0")/distro-image.sh"

case ${1:-} in
'') distro_register void "${VOID_IMAGE_NAME:-void-exp}" void-kernel ;;
--help | -h) distro_usage void VOID_IMAGE_NAME void-exp void-kernel ;;
*) fail "unknown argument $1: see --help" 64 ;;
esac
