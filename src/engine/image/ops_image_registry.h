/* SPDX-License-Identifier: MIT */
#pragma once

/* Registries with this engine's settings. Workers only. */

#include "artifact/oci_pull.h"
#include "base/text.h"

struct ops;

/* What oci_pull.h wants to be told, with what it points at. Zero-initialise. */
struct registry {
    struct oci_settings settings;
    struct strings insecure, auth_files, mirror_urls;
    struct oci_mirror *mirrors;
};

void registry_done(struct registry *registry);
/* From config.ini, the environment and the flags. */
void registry_settle(struct ops *ops, struct registry *registry);
