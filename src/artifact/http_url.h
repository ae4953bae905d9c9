/* SPDX-License-Identifier: MIT */
#pragma once

/* http and https URLs taken apart by libcurl's own parser (RFC 3986), so that nothing is understood
 * in two ways. Everything is text in and text out. Used by http*.c and oci_*.c; any thread. */

#include <stdbool.h>

struct error;

/* The URL as it may be shown and sent: without userinfo and fragment. NULL when it is neither http
 * nor https. Caller frees. */
char *http_url_plain(const char *url);
/* A plain URL that a server redirected to, as it may be shown: its query may be a signature that
 * lets everybody in. Caller frees. */
char *http_url_without_query(const char *url);
/* Same scheme, host and port. */
bool http_url_is_same_origin(const char *a, const char *b);
/* User and password, decoded, caller frees; NULL where there is none. */
void http_url_userinfo(const char *url, char **user, char **password);
/* Where a redirect of a plain url to location leads, caller frees; NULL and *err when we do not go
 * there: to another kind of URL, to one with userinfo, from https to http. */
char *http_url_redirect(const char *url, const char *location, struct error *err);
/* The host without port, numbers of IPv4 in their usual form, IPv6 in brackets; caller frees.
 * NULL when it is neither http nor https. */
char *http_url_host(const char *url);
