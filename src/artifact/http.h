/* SPDX-License-Identifier: MIT */
#pragma once

/* Fetches over http and https (and file: for local catalogs): big verified blobs into a part file,
 * small documents into memory. The only user of libcurl in this layer; it is initialised by the
 * first transfer, never at program start.
 *
 * Each call is one straight line that blocks its worker until the end; the cancel token ends it
 * within a second. TLS 1.2 or newer with peer and host checked; https never falls to http; at most
 * HTTP_REDIRECTS_MAX redirects, none to another kind of URL or to one with credentials; proxies by
 * environment (http_proxy, https_proxy, no_proxy); no netrc; "Accept-Encoding: identity", and an
 * answer in another coding is refused; bytes are counted as they come, whatever was announced.
 *
 * A part file belongs to one digest. It is created 0600 and locked (flock) as long as somebody
 * fetches into it or holds the descriptor that http_download gave out; another process or thread
 * that wants it waits, saying by whom it is being fetched and showing the bytes so far, and takes
 * what came out of it without fetching again. What is needed to go on later (the strong ETag,
 * RFC 9110 section 8.8.3) is in "<part_name>.json" beside it, and only there; the digest at the end
 * decides, so neither file is ever trusted. */

#include "base/digest.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct limits;
struct progress;

#define HTTP_REDIRECTS_MAX 10

/* What is expected to come. A zeroed one matches nothing: forgetting it fails closed. */
struct http_blob {
    struct digest digest;
    uint64_t size_bytes; /* 0: not known. Known: any other size is ERROR_DIGEST */
};

/* What every transfer needs to know. Zero values are the ordinary case. */
struct http_settings {
    const struct limits *limits; /* NULL: limits_default */
    const char *ca_file;         /* NULL: the system's */
    const char *authorization;   /* value of that header; never sent to another host or port */
    const char *const *headers;  /* "Accept: x" lines, NULL-terminated; NULL: none. No secrets */
    uint64_t backoff_ms;         /* first pause before trying again; 0: 1000 */
    bool is_userinfo_ok;         /* a URL may say user:password@ (configured by the operator) */
    /* Trusts no authority, whose list takes longer to read than all the rest: to learn whether TLS is
     * spoken at all. Any certificate is ERROR_AUTH then. */
    bool trusts_nobody;
};

struct http_request {
    const char *const *urls; /* the same content from each; tried in turn */
    size_t url_count;
    struct http_blob expected;
    struct http_settings settings;
    bool is_kept; /* the file will stay and be synced: the disk may begin with it while it comes */
};

/* Zero-initialise; free with http_result_done. */
struct http_result {
    char *fetched_from; /* as in http_reply; NULL: nothing had to be fetched */
    uint64_t size_bytes;
    uint64_t downloaded_bytes; /* by this call */
    uint64_t resumed_bytes;    /* taken over from an earlier one */
    bool was_shared;           /* somebody else fetched it while we waited */
};

void http_result_done(struct http_result *result);

/* Brings the blob into part_dir/part_name, going on where an earlier call stopped, and proves its
 * digest. *blob_fd is then the whole file, open for reading only, at offset 0, and holds the lock:
 * move or remove the part before closing it. After was_shared the name may already be gone (the
 * other one published it); the descriptor is good all the same. Nothing is synced: who keeps the
 * file does that.
 *
 * Transient failures (connect, time-out, cut, 408, 429, 5xx) go to the next URL, then round again
 * with growing pauses, limits->retries times, more when bytes keep coming; the rest gives up that
 * URL. Reports PROGRESS_DOWNLOAD, PROGRESS_VERIFY while re-hashing, notes, and both digests.
 *
 * On failure *blob_fd and *result are untouched; the part stays where it can be resumed and is gone
 * after a wrong digest. ERROR_NOT_FOUND (404, 410), ERROR_AUTH (401, 403, 407), ERROR_NETWORK,
 * ERROR_DIGEST (naming both digests, URL and byte count), ERROR_LIMIT, ERROR_NO_SPACE,
 * ERROR_CANCELLED, ERROR_INVALID (a URL we do not fetch), ERROR_FORMAT, ERROR_IO. */
bool http_download(int part_dir, const char *part_name, const struct http_request *request,
    const struct progress *progress, const struct cancel *cancel, int *blob_fd,
    struct http_result *result, struct error *err);

/* Removes the part that this descriptor is open on, whose lock its owner holds, and what is beside
 * it. Where the name is another's file by now, nothing is removed; that is success. */
bool http_part_remove(int part_dir, const char *part_name, int blob_fd, struct error *err);
/* Whether somebody is fetching into it right now (for sweeping old parts). */
bool http_part_is_held(int part_dir, const char *part_name);

/* The answer to a small request. Zero-initialise; free with http_reply_done. */
struct http_reply {
    unsigned status;
    char *fetched_from;     /* after redirects, without credentials or a redirect's query */
    struct strings headers; /* "name: value" of the last answer, names in lower case */
};

void http_reply_done(struct http_reply *reply);
/* Value of a header (name in lower case), NULL when absent; the first of several. Borrowed. */
const char *http_reply_header(const struct http_reply *reply, const char *name);

struct http_small {
    const char *url;
    uint64_t max_bytes; /* more is ERROR_LIMIT */
    const char *form;   /* application/x-www-form-urlencoded body of a POST; NULL: GET */
    struct http_settings settings;
    bool is_head;            /* HEAD */
    bool is_any_status_ok;   /* success for whatever the server says: look at reply->status */
    bool is_redirect_an_end; /* a redirect is an answer like any other and is not followed */
    bool is_challenge_ok;    /* success also for 401: its headers tell what is asked for */
};

/* Fetches a document (catalog, signature, manifest, token) into *body, which may hold NULs and is
 * emptied first. Retries as http_download does. reply may be NULL (a file: URL leaves it alone). On
 * failure *body is empty and *reply untouched. */
bool http_get_small(const struct http_small *request, const struct cancel *cancel,
    struct text *body, struct http_reply *reply, struct error *err);

/* ERROR_INVALID unless it is an http, https or file URL we would fetch. */
bool http_check_url(const char *url, bool is_userinfo_ok, struct error *err);
/* The URL without user and password, for showing and recording; caller frees. */
char *http_strip_userinfo(const char *url) __attribute__((returns_nonnull));
