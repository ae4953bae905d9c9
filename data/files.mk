# SPDX-License-Identifier: MIT
EXTRA_DIST += data/catalog.json
