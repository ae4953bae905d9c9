/* SPDX-License-Identifier: MIT */
#pragma once

/* Many files on their way into a directory that will be synced: a thread of its own lets the disk
 * begin with those that are there, so that the sync at the end, which is what counts, has less to wait
 * for. It promises nothing itself, and a disk that fails meanwhile still fails the sync at the end: a
 * failure is told once to each open descriptor (syncfs(2)), and the thread has one of its own. For more
 * files than are synced one by one: it brings the whole file system to the disk. One owner. */

#include <stdint.h>

struct sync_ahead;

/* NULL when there can be none. */
struct sync_ahead *sync_ahead_new(int dir);
/* So many bytes more were written. */
void sync_ahead_add(struct sync_ahead *ahead, uint64_t bytes);
/* Waits for what is under way. NULL is accepted, here and above. */
void sync_ahead_free(struct sync_ahead *ahead);
void sync_ahead_auto_free(struct sync_ahead **ahead);
#define auto_sync_ahead __attribute__((cleanup(sync_ahead_auto_free)))
