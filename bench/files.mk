# SPDX-License-Identifier: MIT
# Measurements side by side with what people would use instead; run by hand.
EXTRA_DIST += \
	bench/README \
	bench/boot.py \
	bench/console.py \
	bench/create.sh \
	bench/guest.py \
	bench/harness.py \
	bench/measures.py \
	bench/oci.py \
	bench/run
