/* SPDX-License-Identifier: MIT */
/* What machines use, as the front end shows it: figures of this moment, and rates since the look
 * before. */
#include "engine/machine/ops_vm.h"

#include "base/clock.h"
#include "base/json.h"
#include "engine/snapshot.h"
#include "vm/machine_figures.h"

#include <string.h>

/* Two looks closer than this give no meaningful rate: the one before stays. */
#define RATE_INTERVAL_MS 500

/* Puts the newest figure behind those of the item's last look. */
static void remember_cpu(struct vm_item *item, const struct vm_item *before)
{
    size_t kept = before != NULL ? before->cpu_history_count : 0;
    size_t gone = kept == VM_HISTORY ? 1 : 0;
    for (size_t i = gone; i < kept; i++) {
        item->cpu_history[i - gone] = before->cpu_history[i];
    }
    item->cpu_history[kept - gone] = item->cpu_permille;
    item->cpu_history_count = kept - gone + 1;
}

uint64_t ops_vm_rate(uint64_t before, uint64_t now, uint64_t over_ms)
{
    return now > before && over_ms > 0 ? (now - before) * 1000 / over_ms : 0;
}

/* All that belongs to the look before, rates and what the next ones are counted from. */
static void keep_rates(struct vm_item *item, const struct vm_item *before)
{
    item->cpu_permille = before->cpu_permille;
    item->cpu_ms = before->cpu_ms;
    item->looked_ms = before->looked_ms;
    item->cpu_history_count = before->cpu_history_count;
    memcpy(item->cpu_history, before->cpu_history, sizeof(item->cpu_history));
}

static void keep_network(struct vm_item *item, const struct vm_item *before)
{
    item->has_net = before->has_net;
    item->net_looked_ms = before->net_looked_ms;
    item->net_received_bytes = before->net_received_bytes;
    item->net_sent_bytes = before->net_sent_bytes;
    item->net_received_rate = before->net_received_rate;
    item->net_sent_rate = before->net_sent_rate;
}

/* A guest that has not answered yet leaves what it told before. */
static void take_network(
    struct vm_item *item, const struct machine_figures *now, const struct vm_item *before)
{
    bool has_before = before != NULL && before->has_net;
    if (has_before && (now->network_from == FIGURES_UNKNOWN ||
                          now->net_at_ms < before->net_looked_ms + RATE_INTERVAL_MS)) {
        keep_network(item, before);
        return;
    }
    item->has_net = now->network_from != FIGURES_UNKNOWN;
    item->net_looked_ms = now->net_at_ms;
    item->net_received_bytes = now->net_received_bytes;
    item->net_sent_bytes = now->net_sent_bytes;
    item->net_received_rate = 0;
    item->net_sent_rate = 0;
    if (has_before) {
        uint64_t over_ms = now->net_at_ms - before->net_looked_ms;
        item->net_received_rate =
            ops_vm_rate(before->net_received_bytes, item->net_received_bytes, over_ms);
        item->net_sent_rate = ops_vm_rate(before->net_sent_bytes, item->net_sent_bytes, over_ms);
    }
}

void ops_vm_measure(
    struct vm_item *item, const struct machine_figures *now, const struct vm_item *before)
{
    item->rss_bytes = now->rss_bytes;
    bool is_same = before != NULL && before->pid == item->pid && before->looked_ms > 0 &&
                   before->cpu_ms <= now->cpu_ms;
    take_network(item, now, is_same ? before : NULL);
    if (is_same && now->at_ms - before->looked_ms < RATE_INTERVAL_MS) {
        keep_rates(item, before);
        return;
    }
    int64_t age_s = clock_wall() - item->started_at;
    uint64_t over_ms = age_s > 0 ? (uint64_t)age_s * 1000 : 1000;
    uint64_t used_ms = now->cpu_ms;
    if (is_same) {
        used_ms = now->cpu_ms - before->cpu_ms;
        over_ms = now->at_ms - before->looked_ms;
    }
    item->cpu_ms = now->cpu_ms;
    item->looked_ms = now->at_ms;
    item->cpu_permille = (uint32_t)(used_ms * 1000 / over_ms);
    remember_cpu(item, is_same ? before : NULL);
}

void ops_vm_put_network(const struct machine_figures *figures, struct json *json)
{
    if (figures->network_from != FIGURES_UNKNOWN) {
        json_put_integer(json, "net_received_bytes", (int64_t)figures->net_received_bytes);
        json_put_integer(json, "net_sent_bytes", (int64_t)figures->net_sent_bytes);
    }
}
