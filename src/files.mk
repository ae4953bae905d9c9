# SPDX-License-Identifier: MIT
bin_PROGRAMS += banger-tui
banger_tui_SOURCES = src/main.c
banger_tui_LDADD = src/libui.a src/libbatch.a $(LINK_ENGINE) $(NCURSES_LIBS)

# `banger` is the same program in batch mode: always in the build tree, installed on request.
noinst_DATA += banger
CLEANFILES += banger
banger: banger-tui$(EXEEXT)
	$(AM_V_GEN)rm -f $@ && $(LN_S) banger-tui$(EXEEXT) $@
if BANGER_ALIAS
install-exec-hook:
	cd "$(DESTDIR)$(bindir)" && rm -f banger && $(LN_S) banger-tui$(EXEEXT) banger
uninstall-hook:
	rm -f "$(DESTDIR)$(bindir)/banger"
endif
