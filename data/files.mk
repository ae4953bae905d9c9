# SPDX-License-Identifier: MIT
EXTRA_DIST += data/catalog.json
dist_doc_DATA = data/config.ini
