# SPDX-License-Identifier: MIT
EXTRA_DIST += data/catalog.json data/make-debian-image.sh data/make-image-bundle.sh
dist_doc_DATA = data/config.ini
