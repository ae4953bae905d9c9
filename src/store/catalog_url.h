/* SPDX-License-Identifier: MIT */
#pragma once

/* URLs as catalogs use them (RFC 3986): absolute http, https and file ones, and references relative
 * to the document they stand in. Pure. catalog_public_url is in catalog.h. */

#include <stdbool.h>

/* Behind "scheme:" with a letter in front: an absolute URL of whatever scheme. */
bool catalog_url_has_scheme(const char *text);
/* http or https, in any case of letters. */
bool catalog_url_is_remote(const char *url);
bool catalog_url_is_file(const char *url);
/* The absolute path a file: URL stands for, percent escapes decoded; NULL when it stands for none
 * (another host, a relative path, a broken escape, a NUL). Caller frees. */
char *catalog_url_to_path(const char *url);
/* file: URL of an absolute path. Caller frees. */
char *catalog_url_from_path(const char *path) __attribute__((returns_nonnull));
/* The reference against the base, which is an absolute URL; dot segments are resolved and bytes a
 * URL cannot hold escaped. NULL when base is "" and the reference not absolute. Caller frees. */
char *catalog_url_resolve(const char *base, const char *reference);
/* Whether the reference itself, and not what it is relative to, holds a user or a password. */
bool catalog_url_brings_userinfo(const char *reference);
/* Host of a remote URL without user and port, "" when there is none. Caller frees. */
char *catalog_url_host(const char *url) __attribute__((returns_nonnull));
