/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/behind.h"
#include "base/error.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)64 << 10)
#define LITTLE 8   /* pieces: for so few there is no thread */
#define MUCH 1000u /* pieces */

/* What the work sees. */
struct seen {
    uint64_t pieces, wrong;
    pthread_t first, last; /* in whose thread */
    uint64_t fails_at;     /* from 1; 0: never */
};

/* A piece is its mark over and over, as long as its mark says. */
static size_t length_of(uint64_t mark)
{
    return mark % 7 == 0 ? 1 : PIECE - (size_t)(mark % 1000);
}

static bool look(void *context, uint8_t *bytes, size_t len, uint64_t mark, struct error *err)
{
    struct seen *seen = context;
    const pthread_t self = pthread_self();
    bool is_right = mark == seen->pieces && len == length_of(mark);
    for (size_t i = 0; is_right && i < len; i++) {
        is_right = bytes[i] == (uint8_t)mark;
    }
    seen->wrong += is_right ? 0 : 1;
    seen->first = seen->pieces == 0 ? self : seen->first;
    seen->last = self;
    seen->pieces++;
    memset(bytes, 0xee, len);
    return seen->pieces != seen->fails_at || error_set(err, ERROR_NO_SPACE, "the disk is full");
}

/* How many were put before it said no; all when it did not. */
static uint64_t put_pieces(struct behind *behind, uint64_t count, struct error *err)
{
    for (uint64_t mark = 0; mark < count; mark++) {
        size_t len = length_of(mark);
        memset(behind_piece(behind), (uint8_t)mark, len);
        if (!behind_put(behind, len, mark, err)) {
            return mark;
        }
    }
    return count;
}

static void pieces_are_worked_off_in_order(void **state)
{
    (void)state;
    static const uint64_t counts[] = {0, 1, LITTLE, MUCH};
    for (size_t i = 0; i < array_length(counts); i++) {
        struct seen seen = {0};
        struct error err = {0};
        struct behind *behind = behind_new(PIECE, look, &seen);
        assert_int_equal(put_pieces(behind, counts[i], &err), counts[i]);
        assert_true(behind_wait(behind, &err));
        assert_int_equal(seen.pieces, counts[i]);
        assert_int_equal(seen.wrong, 0);
        behind_free(behind);
    }
}

static void much_gets_a_thread_of_its_own(void **state)
{
    (void)state;
    struct seen little = {0}, much = {0};
    struct error err = {0};
    struct behind *behind = behind_new(PIECE, look, &little);
    put_pieces(behind, LITTLE, &err);
    assert_true(behind_wait(behind, &err));
    assert_true(pthread_equal(little.last, pthread_self()));
    behind_free(behind);
    behind = behind_new(PIECE, look, &much);
    put_pieces(behind, MUCH, &err);
    assert_true(behind_wait(behind, &err));
    assert_true(pthread_equal(much.first, pthread_self()));
    assert_false(pthread_equal(much.last, pthread_self()));
    behind_free(behind);
}

static void a_failure_is_told_and_ends_the_work(void **state)
{
    (void)state;
    static const uint64_t places[] = {1, 2, LITTLE, MUCH / 2, MUCH};
    for (size_t i = 0; i < array_length(places); i++) {
        struct seen seen = {.fails_at = places[i]};
        struct error err = {0}, again = {0}, put = {0};
        struct behind *behind = behind_new(PIECE, look, &seen);
        uint64_t taken = put_pieces(behind, MUCH, &err);
        assert_true(taken + 1 >= places[i]);
        assert_false(behind_wait(behind, &again));
        assert_int_equal(again.code, ERROR_NO_SPACE);
        assert_string_equal(again.text, "the disk is full");
        assert_int_equal(err.code, taken < MUCH ? ERROR_NO_SPACE : ERROR_NONE);
        assert_false(behind_put(behind, 1, 0, &put));
        assert_int_equal(put.code, ERROR_NO_SPACE);
        assert_false(behind_wait(behind, &again));
        assert_int_equal(seen.pieces, places[i]);
        behind_free(behind);
    }
}

/* Until the owner says so, nothing is done. */
static bool wait_for_owner(
    void *context, uint8_t *bytes, size_t len, uint64_t mark, struct error *err)
{
    (void)bytes, (void)len, (void)err;
    pthread_mutex_t *gate = context;
    if (mark > LITTLE * 100) {
        pthread_mutex_lock(gate);
        pthread_mutex_unlock(gate);
    }
    return true;
}

static void an_owner_may_leave_early(void **state)
{
    (void)state;
    struct error err = {0};
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct behind *behind = behind_new(PIECE, wait_for_owner, &gate);
    assert_int_equal(put_pieces(behind, LITTLE * 100 + 1, &err), LITTLE * 100 + 1);
    assert_true(behind_wait(behind, &err));
    pthread_mutex_lock(&gate);
    for (uint64_t mark = 1; mark < 4; mark++) { /* one in work, two that wait */
        assert_true(behind_put(behind, 1, LITTLE * 100 + mark, &err));
    }
    pthread_mutex_unlock(&gate);
    behind_free(behind);
    behind_free(NULL);
    behind_free(behind_new(PIECE, wait_for_owner, &gate));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_worked_off_in_order),
        cmocka_unit_test(much_gets_a_thread_of_its_own),
        cmocka_unit_test(a_failure_is_told_and_ends_the_work),
        cmocka_unit_test(an_owner_may_leave_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
