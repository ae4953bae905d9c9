/* SPDX-License-Identifier: MIT */
#pragma once

/* The second half of a piece of work, done by a thread of its own: the owner makes pieces of bytes,
 * and something is done with each behind its back, in the order in which they were put, while the
 * owner makes the next ones. Little work, and work for which no thread can be had, is done in the
 * owner's. One owner. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct behind;
struct error;

/* What is done with a piece, by one thread at a time; mark is what it was put with. The bytes may be
 * changed. */
typedef bool behind_work(
    void *context, uint8_t *bytes, size_t len, uint64_t mark, struct error *err);

/* Pieces of piece_bytes at most. */
struct behind *behind_new(size_t piece_bytes, behind_work *work, void *context);
/* Forgets the pieces that wait. NULL is accepted. */
void behind_free(struct behind *behind);
void behind_auto_free(struct behind **behind);
#define auto_behind __attribute__((cleanup(behind_auto_free)))

/* Where the next piece is made: piece_bytes of room that are the owner's until they are put. */
uint8_t *behind_piece(struct behind *behind);
/* Gives that piece away. False when the work on it or on an earlier one has failed; none is done from
 * then on. */
bool behind_put(struct behind *behind, size_t len, uint64_t mark, struct error *err);
/* Waits until nothing is left to do. False as above. */
bool behind_wait(struct behind *behind, struct error *err);
