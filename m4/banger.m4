# SPDX-License-Identifier: MIT

# BANGER_PROBE_CFLAGS(VARIABLE, FLAGS): appends each flag that this compiler takes, one by one.
AC_DEFUN([BANGER_PROBE_CFLAGS], [
  m4_foreach_w([flag], [$2], [
    AC_MSG_CHECKING([whether $CC accepts ]flag)
    banger_saved_cflags=$CFLAGS
    CFLAGS="$CFLAGS $$1 -Werror flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [return 0;])],
      [AC_MSG_RESULT([yes]); $1="$$1 flag"], [AC_MSG_RESULT([no])])
    CFLAGS=$banger_saved_cflags
  ])
])

# BANGER_PROBE_LDFLAGS(VARIABLE, FLAGS): the same for the linker.
AC_DEFUN([BANGER_PROBE_LDFLAGS], [
  m4_foreach_w([flag], [$2], [
    AC_MSG_CHECKING([whether the linker accepts ]flag)
    banger_saved_ldflags=$LDFLAGS
    LDFLAGS="$LDFLAGS flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [return 0;])],
      [AC_MSG_RESULT([yes]); $1="$$1 flag"], [AC_MSG_RESULT([no])])
    LDFLAGS=$banger_saved_ldflags
  ])
])

# BANGER_NEED(VARIABLE, PKG-CONFIG-NAME, DEBIAN-PACKAGE, FEDORA-PACKAGE)
AC_DEFUN([BANGER_NEED], [
  PKG_CHECK_MODULES([$1], [$2], [], [
    AC_MSG_ERROR([$2 is missing: install $3 (Debian, Ubuntu) or $4 (Fedora) and run configure again])
  ])
])
