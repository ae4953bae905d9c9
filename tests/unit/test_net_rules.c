/* SPDX-License-Identifier: MIT */
/* Ranges, marks and the script for nft: what would be made, without making it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/limits.h"
#include "support/scratch.h"
#include "vm/machine.h"
#include "vm/net_host.h"
#include "vm/net_rules.h"

#include <stdio.h>
#include <string.h>

static void ranges_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        const char *means; /* NULL: refused */
        const char *gateway;
    } rows[] = {
        {"172.16.0.0/24", "172.16.0.0/24", "172.16.0.1"},
        {"10.1.2.3/16", "10.1.0.0/16", "10.1.0.1"},
        {"192.168.9.130/30", "192.168.9.128/30", "192.168.9.129"},
        {"10.0.0.0", NULL, NULL},
        {"10.0.0.0/", NULL, NULL},
        {"10.0.0.0/15", NULL, NULL},
        {"10.0.0.0/31", NULL, NULL},
        {"10.0.0/24", NULL, NULL},
        {"fd00::/64", NULL, NULL},
        {"x/24", NULL, NULL},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        struct error err = {0};
        struct net_range range;
        char text[NET_RANGE_MAX], gateway[NET_ADDRESS_MAX];
        if (rows[i].means == NULL) {
            assert_false(net_range_parse(rows[i].word, &range, &err));
            assert_code(err, ERROR_CONFIG);
            continue;
        }
        assert_true(net_range_parse(rows[i].word, &range, &err));
        assert_string_equal(net_range_format(&range, text), rows[i].means);
        assert_string_equal(net_range_gateway(&range, gateway), rows[i].gateway);
    }
}

static void every_address_is_given_once(void **state)
{
    (void)state;
    struct error err = {0};
    struct net_range range;
    auto_done(strings) struct strings used = {0};
    char address[NET_ADDRESS_MAX];
    assert_true(net_range_parse("10.0.0.0/28", &range, &err));
    for (unsigned i = 2; i <= 14; i++) {
        char expected[NET_ADDRESS_MAX];
        snprintf(expected, sizeof expected, "10.0.0.%u", i);
        assert_true(net_range_pick(&range, &used, address, &err));
        assert_string_equal(address, expected);
        strings_add(&used, address);
    }
    assert_false(net_range_pick(&range, &used, address, &err));
    assert_code(err, ERROR_IN_USE);
    assert_false(net_range_has_guest(&range, "10.0.0.0"));
    assert_false(net_range_has_guest(&range, "10.0.0.1"));
    assert_false(net_range_has_guest(&range, "10.0.0.15"));
    assert_false(net_range_has_guest(&range, "10.0.1.2"));
    assert_true(net_range_has_guest(&range, "10.0.0.14"));
}

static void ranges_that_overlap(void **state)
{
    (void)state;
    struct error err = {0};
    struct net_range range;
    assert_true(net_range_parse("172.16.0.0/24", &range, &err));
    assert_true(net_range_overlaps(&range, 0xac100005, 0xffffff00));  /* 172.16.0.5/24 */
    assert_true(net_range_overlaps(&range, 0xac110001, 0xfff00000));  /* 172.17.0.1/12 */
    assert_true(net_range_overlaps(&range, 0xac100080, 0xffffffff));  /* 172.16.0.128/32 */
    assert_false(net_range_overlaps(&range, 0xac100105, 0xffffff00)); /* 172.16.1.5/24 */
    assert_false(net_range_overlaps(&range, 0xac110001, 0xffff0000)); /* 172.17.0.1/16 */
}

static const struct net_link link_of_one = {.mode = NET_NAT,
    .mark = "0123abcd",
    .bridge = "bb-0123abcd",
    .tap = "bt-feedbeef",
    .address = "172.16.0.2"};

static void links_are_kept(void **state)
{
    (void)state;
    struct error err = {0};
    struct net_link read;
    auto_json struct json *json = net_link_to_json(&link_of_one);
    assert_true(net_link_from_json(json, &read, &err));
    assert_memory_equal(&read, &link_of_one, sizeof read);
    const struct net_link plain = {.mode = NET_USER};
    assert_null(net_link_to_json(&plain));
    assert_true(net_link_from_json(NULL, &read, &err));
    assert_int_equal(read.mode, NET_USER);
    json_put_string(json, "tap", "a-name-that-is-too-long");
    assert_false(net_link_from_json(json, &read, &err));
    assert_code(err, ERROR_FORMAT);
    error_clear(&err);
    json_put_string(json, "mode", "of tomorrow");
    assert_false(net_link_from_json(json, &read, &err));
    assert_code(err, ERROR_FORMAT);
}

static void only_reachable_ports_get_rules(void **state)
{
    (void)state;
    static const struct machine_port ports[] = {
        {"127.0.0.1", 8080, 80, false}, {"0.0.0.0", 8081, 81, false}, {"10.0.0.1", 53, 5353, true}};
    auto_done(text) struct text script = {0};
    net_rules_publish(&link_of_one, ports, array_length(ports), &script);
    assert_null(strstr(text_cstr(&script), "8080"));
    assert_non_null(strstr(text_cstr(&script), "tcp_any { 8081 : 172.16.0.2 . 81 }"));
    assert_non_null(strstr(text_cstr(&script), "udp_at { 10.0.0.1 . 53 : 172.16.0.2 . 5353 }"));
}

/* As nft lists them. */
static const char listed[] =
    "[{\"metainfo\": {\"version\": \"1\"}}, {\"table\": {\"name\": \"banger_0123abcd\"}},"
    "{\"set\": {\"name\": \"nat_guests\", \"elem\": [\"172.16.0.2\", \"172.16.0.20\"]}},"
    "{\"map\": {\"name\": \"tcp_any\", \"elem\": ["
    "[8081, {\"concat\": [\"172.16.0.2\", 81]}], [8082, {\"concat\": [\"172.16.0.3\", 80]}]]}},"
    "{\"map\": {\"name\": \"udp_at\", \"elem\": ["
    "[{\"concat\": [\"10.0.0.1\", 53]}, {\"concat\": [\"172.16.0.2\", 5353]}]]}},"
    "{\"map\": {\"name\": \"tcp_at\"}}]";

static void forgets_one_address_alone(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(text) struct text script = {0};
    auto_json struct json *table =
        json_parse(listed, sizeof listed - 1, 1 << 16, limits_default.json_depth, "the list", &err);
    assert_fine(err);
    net_rules_forget(table, "banger_0123abcd", "172.16.0.2", &script);
    assert_string_equal(text_cstr(&script),
        "delete element inet banger_0123abcd nat_guests { 172.16.0.2 }\n"
        "delete element inet banger_0123abcd tcp_any { 8081 }\n"
        "delete element inet banger_0123abcd udp_at { 10.0.0.1 . 53 }\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_read),
        cmocka_unit_test(every_address_is_given_once),
        cmocka_unit_test(ranges_that_overlap),
        cmocka_unit_test(links_are_kept),
        cmocka_unit_test(only_reachable_ports_get_rules),
        cmocka_unit_test(forgets_one_address_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
