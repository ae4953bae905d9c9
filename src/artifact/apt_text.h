/* SPDX-License-Identifier: MIT */
#pragma once

/* Reads what apt prints: records of apt-cache show (deb-control(5)), lines of --print-uris
 * ("'URL' FILENAME SIZE HASH"), answers of apt-config shell. Pure functions; any thread. */

#include <stdbool.h>
#include <stddef.h>

struct apt_file;
struct strings;

/* Policy 5.6.1: two or more of a-z 0-9 + - . beginning with a letter or digit. */
bool apt_is_package_name(const char *name);

/* Value of a one-line field in the first record, caller frees; NULL when it has none. */
char *apt_record_field(const char *record, const char *field);
/* Adds, for each dependency that has an alternative among linux-image-*, linux-modules-* and
 * linux-binary-*, those alternatives joined with '|', in their order, without versions. */
void apt_kernel_dependencies(const char *depends, struct strings *groups);

/* Reads one line of --print-uris into url, filename, size_bytes and digest of *file. False when it
 * is none or its hash is not SHA-256. */
bool apt_parse_uri_line(const char *line, struct apt_file *file);
/* Value of KEY='value' among the lines, caller frees; NULL when it is not there. */
char *apt_config_value(const char *lines, const char *key);
