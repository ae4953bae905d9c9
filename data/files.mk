# SPDX-License-Identifier: MIT
EXTRA_DIST += data/catalog.json data/make-debian-image.sh data/make-image-bundle.sh \
	data/kernels/build-generic.sh data/kernels/check-config.sh data/kernels/generic.config
dist_doc_DATA = data/config.ini
