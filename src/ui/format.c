/* SPDX-License-Identifier: MIT */
#include "ui/format.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

void format_age(struct text *out, int64_t now, int64_t then, uint64_t *changes_in_s)
{
    uint64_t changes = 0;
    if (then > 0) {
        uint64_t age = now > then ? (uint64_t)(now - then) : 0;
        if (age < MINUTE) {
            text_append(out, "<1m");
        } else {
            char buffer[UNITS_MAX];
            text_append(out, units_format_age(age, buffer));
        }
        /* units_format_age goes on with hours up to two days. */
        uint64_t step = age < HOUR ? MINUTE : age < 2 * DAY ? HOUR : DAY;
        changes = step - age % step;
    }
    if (changes_in_s != NULL) {
        *changes_in_s = changes;
    }
}

/* Both numbers in the unit of the larger one: "13.1/21.0 MiB". */
static void format_bytes_of(struct text *out, uint64_t done, uint64_t total)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    double scale = 1;
    while (unit + 1 < array_length(units) && (double)total / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    int digits = unit == 0 || (double)total / scale >= 100 ? 0 : 1;
    text_printf(out, "%.*f/%.*f %s", digits, (double)done / scale, digits, (double)total / scale,
        units[unit]);
}

void format_amount(struct text *out, enum progress_unit unit, uint64_t done, uint64_t total)
{
    if (unit == PROGRESS_BYTES) {
        char buffer[UNITS_MAX];
        if (total > 0) {
            format_bytes_of(out, done, total);
        } else if (done > 0) {
            text_append(out, units_format_size(done, buffer));
        }
    } else if (total > 0) {
        text_printf(out, "%" PRIu64 "/%" PRIu64 " %s", done, total, progress_unit_name(unit));
    } else if (done > 0) {
        text_printf(out, "%" PRIu64 " %s", done, progress_unit_name(unit));
    }
}

void format_rate(struct text *out, enum progress_unit unit, uint64_t rate)
{
    char buffer[UNITS_MAX];
    if (rate > 0 && unit == PROGRESS_BYTES) {
        text_printf(out, "%s/s", units_format_size(rate, buffer));
    }
}

void format_left(struct text *out, uint64_t done, uint64_t total, uint64_t rate)
{
    char buffer[UNITS_MAX];
    if (rate > 0 && total > done) {
        text_append(out, units_format_clock((total - done + rate - 1) / rate, buffer));
    }
}

void format_percent(struct text *out, uint32_t permille)
{
    text_printf(out, "%" PRIu32 "%%", permille / 10);
}

void format_verified(struct text *out, enum verified_state state, const char *sha256)
{
    switch (state) {
    case VERIFIED_NONE:
        text_append(out, "unverified");
        return;
    case VERIFIED_RECORDED:
        text_append(out, "recorded");
        return;
    case VERIFIED_PULL:
        text_printf(out, "verified %.8s", sha256);
        return;
    case VERIFIED_MISMATCH:
        text_append(out, "MISMATCH");
        return;
    }
}

enum role format_verified_role(enum verified_state state)
{
    switch (state) {
    case VERIFIED_PULL:
        return ROLE_GOOD;
    case VERIFIED_MISMATCH:
        return ROLE_BAD;
    case VERIFIED_NONE:
        return ROLE_ATTENTION;
    case VERIFIED_RECORDED:
        break;
    }
    return ROLE_TEXT;
}

enum verified_state format_image_verified(const struct image_item *image)
{
    if (image->digest[0] == '\0') {
        return VERIFIED_NONE;
    }
    return text_has_prefix(image->source, "pull:") ? VERIFIED_PULL : VERIFIED_RECORDED;
}

void format_digest(struct text *out, const struct digest *digest, int digits)
{
    char hex[DIGEST_HEX_LEN + 1];
    text_printf(out, "%.*s", digits, digest_format(digest, hex));
}

void format_proof(struct text *out, const struct job_item *job)
{
    if (job->error.code == ERROR_DIGEST) {
        text_append(out, "MISMATCH");
    } else if (job->has_found) {
        bool is_same = !job->has_expected || digest_equal(&job->expected, &job->found);
        text_append(out, is_same ? "verified" : "MISMATCH");
    } else if (job->has_expected && job->state == JOB_RUNNING) {
        uint64_t percent = job->total > 0 ? job->done * 100 / job->total : 0;
        bool is_hashing = job->phase == PROGRESS_DOWNLOAD || job->phase == PROGRESS_VERIFY;
        if (is_hashing && job->unit == PROGRESS_BYTES && job->total > 0) {
            text_printf(out, "hashing %" PRIu64 "%%", percent);
        } else if (is_hashing) {
            text_append(out, "hashing");
        }
    }
}

const char *format_verb_word(const struct verb *verb)
{
    static const struct {
        const char *name, *word;
    } words[] = {{"rm", "remove"}, {"trash restore", "take back"},
        {"trash empty", "empty the trash"}, {"snapshot create", "snapshot"},
        {"snapshot restore", "restore"}, {"snapshot rm", "remove snapshot of"},
        {"gc", "clean up this host"}};
    for (size_t i = 0; i < array_length(words); i++) {
        if (strcmp(verb->name, words[i].name) == 0) {
            return words[i].word;
        }
    }
    return verb->name;
}

/* The machine rather than the image it is made from; of what is in the trash its name alone. */
static bool is_offered_as(const struct snapshot *snapshot, enum offer_kind kind, const char *name)
{
    for (size_t i = 0; i < snapshot->offers_count; i++) {
        if (snapshot->offers[i].kind == kind && strcmp(snapshot->offers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* There are few images, and most names are none's: only then kernels are gone through. */
static bool is_kernel_and_image(const struct snapshot *snapshot, const char *name)
{
    bool is_image = is_offered_as(snapshot, OFFER_IMAGE, name);
    for (size_t i = 0; i < snapshot->images_count && !is_image; i++) {
        is_image = strcmp(snapshot->images[i].name, name) == 0;
    }
    bool is_kernel = is_image && is_offered_as(snapshot, OFFER_KERNEL, name);
    for (size_t i = 0; is_image && !is_kernel && i < snapshot->kernels_count; i++) {
        is_kernel = strcmp(snapshot->kernels[i].name, name) == 0;
    }
    return is_kernel;
}

/* "image " where the name alone would not say which of two it is. */
static const char *kind_word(
    const struct job_item *job, const struct snapshot *snapshot, const char *name)
{
    bool is_kernel = strcmp(job->verb->subject, "kernel") == 0;
    bool is_image = strcmp(job->verb->subject, "image") == 0;
    if (!(is_kernel || is_image) || !is_kernel_and_image(snapshot, name)) {
        return "";
    }
    return is_kernel ? "kernel " : "image ";
}

void format_job_title(struct text *out, const struct job_item *job, const struct snapshot *snapshot)
{
    const char *word = format_verb_word(job->verb);
    size_t verb_len = strlen(job->verb->name);
    bool has_verb = text_has_prefix(job->title, job->verb->name) && job->title[verb_len] == ' ';
    const char *object = has_verb ? job->title + verb_len + 1 : "";
    const char *at = strchr(object, '@');
    if (strcmp(job->verb->name, "run") == 0 && text_has_prefix(job->object, "vm/")) {
        text_printf(out, "%s %s", word, job->object + strlen("vm/"));
    } else if (word != job->verb->name && at != NULL) {
        text_printf(out, "%s %.*s", word, (int)strcspn(at + 1, "@"), at + 1);
    } else if (has_verb) {
        text_printf(out, "%s %s%s", word, kind_word(job, snapshot, object), object);
    } else {
        text_append(out, job->title);
    }
}

enum role format_vm_role(enum vm_state state)
{
    switch (state) {
    case VM_STATE_RUNNING:
        return ROLE_GOOD;
    case VM_STATE_STARTING:
    case VM_STATE_STOPPING:
    case VM_STATE_PAUSED:
    case VM_STATE_UNKNOWN:
        return ROLE_ATTENTION;
    case VM_STATE_CRASHED:
    case VM_STATE_ERROR:
        return ROLE_BAD;
    case VM_STATE_CREATED:
    case VM_STATE_STOPPED:
        break;
    }
    return ROLE_DIM;
}

enum role format_job_role(enum job_state state)
{
    switch (state) {
    case JOB_RUNNING:
    case JOB_QUEUED:
    case JOB_CANCELLED:
        return ROLE_ATTENTION;
    case JOB_OK:
        return ROLE_GOOD;
    case JOB_FAILED:
        break;
    }
    return ROLE_BAD;
}

bool format_job_is_active(const struct job_item *job)
{
    return job->state == JOB_QUEUED || job->state == JOB_RUNNING;
}

void format_cpu(struct text *out, uint32_t cpu_permille)
{
    text_printf(out, "%" PRIu32 "%%", (cpu_permille + 5) / 10);
}
