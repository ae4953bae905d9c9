/* SPDX-License-Identifier: MIT */
#include "ui/complete.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/snapshot.h"

static void add_if_begun(struct strings *found, const char *name, const char *begun)
{
    if (text_has_prefix(name, begun) && !strings_contain(found, name)) {
        strings_add(found, name);
    }
}

/* Names of objects of a subject ("kernel"); offers as well where the verb fetches them. */
static void add_names(const struct snapshot *snapshot, const char *subject, bool with_offers,
    const char *begun, struct strings *found)
{
    bool is_kernel = strcmp(subject, "kernel") == 0;
    bool is_image = strcmp(subject, "image") == 0;
    for (size_t i = 0; is_kernel && i < snapshot->kernels_count; i++) {
        add_if_begun(found, snapshot->kernels[i].name, begun);
    }
    for (size_t i = 0; is_image && i < snapshot->images_count; i++) {
        add_if_begun(found, snapshot->images[i].name, begun);
    }
    for (size_t i = 0; strcmp(subject, "vm") == 0 && i < snapshot->vms_count; i++) {
        add_if_begun(found, snapshot->vms[i].name, begun);
    }
    for (size_t i = 0; with_offers && i < snapshot->offers_count; i++) {
        const struct offer_item *offer = &snapshot->offers[i];
        if ((offer->kind == OFFER_KERNEL && is_kernel) ||
            (offer->kind == OFFER_IMAGE && is_image)) {
            add_if_begun(found, offer->name, begun);
        }
    }
    strings_sort(found);
}

static void complete_choices(const char *choices, const char *begun, struct strings *found)
{
    auto_done(strings) struct strings list = {0};
    strings_split(&list, choices, "|");
    for (size_t i = 0; i < list.count; i++) {
        add_if_begun(found, list.items[i], begun);
    }
}

void complete_argument(const struct snapshot *snapshot, const struct verb *verb,
    const struct argument *argument, const char *begun, struct strings *found)
{
    bool fetches = (verb->flags & VERB_TRANSFERS) != 0 || strcmp(verb->name, "run") == 0;
    switch (argument->kind) {
    case ARGUMENT_NAME:
        /* A new object's name has nothing to be completed from, unless it is fetched by it. */
        if (argument->is_positional) {
            add_names(snapshot, verb->subject, fetches, begun, found);
        }
        return;
    case ARGUMENT_KERNEL:
        add_names(snapshot, "kernel", true, begun, found);
        return;
    case ARGUMENT_IMAGE:
        add_names(snapshot, "image", true, begun, found);
        return;
    case ARGUMENT_CHOICE:
        complete_choices(argument->choices, begun, found);
        return;
    case ARGUMENT_FILE:
    case ARGUMENT_PLACE:
    case ARGUMENT_WORD:
    case ARGUMENT_TEXT:
    case ARGUMENT_SIZE:
    case ARGUMENT_NUMBER:
    case ARGUMENT_DURATION:
    case ARGUMENT_FLAG:
    case ARGUMENT_REST:
        return;
    }
}

static bool has_begun(const struct strings *found, const char *begun)
{
    return found->count > 0 && text_has_prefix(found->items[0], begun);
}

void complete_verbs(const char *begun, struct strings *found)
{
    for (size_t i = 0; i < verb_count(); i++) {
        if ((verb_at(i)->flags & (VERB_LOCAL | VERB_HIDDEN)) != 0) {
            continue;
        }
        auto_free char *whole = verb_words(verb_at(i));
        add_if_begun(found, whole, begun);
    }
    /* Nothing begins like that: what holds it, in its words or in what they mean. */
    for (size_t i = 0; i < verb_count() && !has_begun(found, begun); i++) {
        auto_free char *whole = verb_words(verb_at(i));
        if ((verb_at(i)->flags & (VERB_LOCAL | VERB_HIDDEN)) == 0 &&
            (strcasestr(whole, begun) != NULL || strcasestr(verb_at(i)->summary, begun) != NULL)) {
            strings_add(found, whole);
        }
    }
}

void complete_common(const struct strings *found, struct text *common)
{
    if (found->count == 0) {
        return;
    }
    size_t len = strlen(found->items[0]);
    for (size_t i = 1; i < found->count; i++) {
        size_t same = 0;
        while (same < len && found->items[i][same] == found->items[0][same]) {
            same++;
        }
        len = same;
    }
    while (len > 0 && ((unsigned char)found->items[0][len] & 0xc0) == 0x80) {
        len--; /* not in the middle of a character */
    }
    text_append_bytes(common, found->items[0], len);
}
