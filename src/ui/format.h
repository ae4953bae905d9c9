/* SPDX-License-Identifier: MIT */
#pragma once

/* Facts of a snapshot as the few words a row has room for, and the role each word has. Pure: no
 * terminal, no clock; the same input gives the same text. Any thread. */

#include "engine/snapshot.h"
#include "ui/theme.h"

struct text;
struct verb;

/* "<1m", "4m", "3h", "12d", "5w"; "" when `then` is not known. Seconds never show, so that a quiet
 * screen stays quiet. *changes_in_s (may be NULL) is when the text will be another one. */
void format_age(struct text *out, int64_t now, int64_t then, uint64_t *changes_in_s);
/* "13.1/21.0 MiB", "13.1 MiB" without a total; entries and steps by their word. */
void format_amount(struct text *out, enum progress_unit unit, uint64_t done, uint64_t total);
/* "8.2 MiB/s"; "" for none. */
void format_rate(struct text *out, enum progress_unit unit, uint64_t rate);
/* Time left as "0:07"; "" when nothing can be said. */
void format_left(struct text *out, uint64_t done, uint64_t total, uint64_t rate);
/* "61%" of a permille that never shows 100 before the end. */
void format_percent(struct text *out, uint32_t permille);
/* "verified 3f9c41d2", "recorded", "unverified", "MISMATCH". */
void format_verified(struct text *out, enum verified_state state, const char *sha256);
enum role format_verified_role(enum verified_state state);
/* What is known of an image's content: there is no field of its own for it. */
enum verified_state format_image_verified(const struct image_item *image);
/* First `digits` of a digest. */
void format_digest(struct text *out, const struct digest *digest, int digits);
/* How far the proof of a transfer is, in words: "hashing 61%", "verified", "MISMATCH"; "" for a
 * job that has no digest to prove. */
void format_proof(struct text *out, const struct job_item *job);
/* What people call it: "remove" for "rm". */
const char *format_verb_word(const struct verb *verb);
/* "pull debian-cloud", "remove web": the verb as a word of people's and what it is done to; "pull
 * image debian" where that name is a kernel's as well. */
void format_job_title(
    struct text *out, const struct job_item *job, const struct snapshot *snapshot);
enum role format_vm_role(enum vm_state state);
enum role format_job_role(enum job_state state);
/* True while it can be asked to stop. */
bool format_job_is_active(const struct job_item *job);
/* "34%": 100 % is one core of the host. */
void format_cpu(struct text *out, uint32_t cpu_permille);
