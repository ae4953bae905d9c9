# SPDX-License-Identifier: MIT
# Measurements side by side with what people would use instead; run by hand.
EXTRA_DIST += bench/create.sh
