/* SPDX-License-Identifier: MIT */
#pragma once

/* What a registry's 401 asks for, and whether we go where it points. The header is read by its
 * whole grammar (several challenges in one value, quoted strings, escapes, token68); what is not
 * that grammar counts as absent. The realm is the registry's word about another host and is held
 * against rules of ours. Pure functions over text from outside; any thread. Sources: RFC 9110
 * section 11.6.1, Docker's token authentication specification. */

#include <stdbool.h>
#include <stddef.h>

struct error;
struct strings;

enum oci_scheme {
    OCI_SCHEME_NONE, /* nothing that we speak */
    OCI_SCHEME_BASIC,
    OCI_SCHEME_BEARER,
};

/* Zero-initialise; free with oci_challenge_done. The scope it names is not kept: we ask for what we
 * need. */
struct oci_challenge {
    enum oci_scheme scheme;
    char *realm;   /* OCI_SCHEME_BEARER: a URL, not looked at yet */
    char *service; /* may be NULL */
};

void oci_challenge_done(struct oci_challenge *challenge);
/* Values of all WWW-Authenticate headers. The first usable Bearer, else the first Basic. */
void oci_challenge_parse(const struct strings *values, struct oci_challenge *challenge);

/* How far away a host is, by its text alone; a name other than localhost is public. */
enum oci_reach {
    OCI_REACH_PUBLIC,
    OCI_REACH_PRIVATE,
    OCI_REACH_LOOPBACK,
    OCI_REACH_LINK_LOCAL, /* where clouds keep their instances' secrets */
};

/* host without port; IPv6 with or without brackets. */
enum oci_reach oci_host_reach(const char *host);

/* Whether a token may be asked for at realm on behalf of the registry (both URLs): https unless the
 * registry itself speaks plain HTTP, no credentials in it, no address nearer to us than the
 * registry's own. ERROR_AUTH naming both. */
bool oci_realm_check(const char *realm, const char *registry_url, struct error *err);
/* Whether a password for the registry may be sent to realm: the same host, or the pair that
 * docker.io is. */
bool oci_realm_is_trusted(const char *realm, const char *registry_url);
