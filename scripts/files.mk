# SPDX-License-Identifier: MIT
EXTRA_DIST += scripts/distro-image.sh scripts/distro-kernel.sh scripts/make-alpine-kernel.sh \
	scripts/make-demo-catalog.sh scripts/make-void-kernel.sh scripts/packages.sh \
	scripts/register-alpine-image.sh scripts/register-void-image.sh

# Kernels of other distributions, and images with them: the scripts' --help says what the environment
# changes.
run_with_ours = BANGER="$${BANGER:-$(abs_builddir)/banger}" $(SHELL)

.PHONY: void-kernel alpine-kernel void-register alpine-register generic-kernel
void-kernel alpine-kernel:
	$(SHELL) $(srcdir)/scripts/make-$@.sh
void-register: banger
	$(run_with_ours) $(srcdir)/scripts/register-void-image.sh
alpine-register: banger
	$(run_with_ours) $(srcdir)/scripts/register-alpine-image.sh
generic-kernel: banger
	$(run_with_ours) $(srcdir)/data/kernels/build-generic.sh
