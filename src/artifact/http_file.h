/* SPDX-License-Identifier: MIT */
#pragma once

/* file: URLs (RFC 8089), for local catalogs and what they name. Used by http*.c only; any
 * thread. */

struct error;

/* The absolute path that a file: URL names, percent-decoded, caller frees; NULL when it is none,
 * names another host or holds a NUL. */
char *http_file_path(const char *url);
/* Opens the regular file for reading; links are followed, as the operator set them. -1 on failure:
 * ERROR_NOT_FOUND and so on. */
int http_file_open(const char *path, struct error *err);
