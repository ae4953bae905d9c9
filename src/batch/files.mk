# SPDX-License-Identifier: MIT
noinst_LIBRARIES += src/libbatch.a
src_libbatch_a_SOURCES = \
	src/batch/batch.c src/batch/batch.h \
	src/batch/completion.c src/batch/completion.h \
	src/batch/describe.c src/batch/describe.h \
	src/batch/listing.c src/batch/listing.h \
	src/batch/local.c src/batch/local.h \
	src/batch/manual.c src/batch/manual.h \
	src/batch/gauge.c src/batch/gauge.h \
	src/batch/grid.c src/batch/grid.h \
	src/batch/near.c src/batch/near.h \
	src/batch/options.c src/batch/options.h \
	src/batch/output.c src/batch/output.h \
	src/batch/parser.c src/batch/parser.h \
	src/batch/queue.c src/batch/queue.h \
	src/batch/rawtty.c src/batch/rawtty.h \
	src/batch/report.c src/batch/report.h \
	src/batch/request.c src/batch/request.h \
	src/batch/run.c src/batch/run.h \
	src/batch/runner.c src/batch/runner.h \
	src/batch/script.c src/batch/script.h \
	src/batch/sheet.c src/batch/sheet.h \
	src/batch/signals.c src/batch/signals.h \
	src/batch/topics.c src/batch/topics.h \
	src/batch/usage.c src/batch/usage.h \
	src/batch/value.c src/batch/value.h \
	src/batch/words.c src/batch/words.h

# The program writes its own man page and completions. A cross build cannot run it and takes those
# that came with the distribution.
man_MANS = banger-tui.1
bashcompletiondir = $(datadir)/bash-completion/completions
bashcompletion_DATA = completions/banger-tui
zshcompletiondir = $(datadir)/zsh/site-functions
zshcompletion_DATA = completions/_banger-tui
fishcompletiondir = $(datadir)/fish/vendor_completions.d
fishcompletion_DATA = completions/banger-tui.fish
if BANGER_ALIAS
bashcompletion_DATA += completions/banger
endif
written = banger-tui.1 completions/banger-tui completions/_banger-tui completions/banger-tui.fish
CLEANFILES += $(written) completions/banger
if CROSS_COMPILING
$(written):
	$(AM_V_GEN)$(MKDIR_P) completions && cp "$(srcdir)/data/written/$@" $@
else
banger-tui.1: banger-tui$(EXEEXT)
	$(AM_V_GEN)./banger-tui --internal-manual >$@.tmp && mv $@.tmp $@
completions/banger-tui: banger-tui$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) completions && ./banger-tui --batch completion bash >$@.tmp && mv $@.tmp $@
completions/_banger-tui: banger-tui$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) completions && ./banger-tui --batch completion zsh >$@.tmp && mv $@.tmp $@
completions/banger-tui.fish: banger-tui$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) completions && ./banger-tui --batch completion fish >$@.tmp && mv $@.tmp $@
endif
completions/banger: completions/banger-tui
	$(AM_V_GEN)cp completions/banger-tui $@
dist-hook: $(written)
	$(MKDIR_P) "$(distdir)/data/written/completions"
	for file in $(written); do cp $$file "$(distdir)/data/written/$$file"; done
