/* SPDX-License-Identifier: MIT */
#pragma once

/* The keys of config.ini: which there are and what their values mean. Private to the store. */

struct config;
struct error;

enum config_verdict {
    CONFIG_TAKEN,
    CONFIG_UNKNOWN, /* no such section, or no such key in it */
    CONFIG_REFUSED, /* err says why, naming the key */
};

/* Puts one value where it belongs; a later one of the same key replaces an earlier one. */
enum config_verdict config_keys_take(struct config *config, const char *section, const char *key,
    const char *value, struct error *err);
