/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "artifact/http.h"
#include "artifact/http_file.h"
#include "artifact/http_parse.h"
#include "artifact/http_url.h"
#include "support/scratch.h"

static void content_ranges(void **state)
{
    (void)state;
    struct http_range range;
    assert_true(http_parse_content_range("bytes 5-9/10", &range));
    assert_true(range.has_bytes && range.has_total);
    assert_int_equal(range.first, 5);
    assert_int_equal(range.last, 9);
    assert_int_equal(range.total, 10);
    assert_true(http_parse_content_range("Bytes 0-0/*", &range));
    assert_true(range.has_bytes && !range.has_total);
    assert_true(http_parse_content_range("bytes */10", &range));
    assert_true(!range.has_bytes && range.has_total);
    assert_true(
        http_parse_content_range("bytes 0-9223372036854775806/9223372036854775807", &range));
    static const char *const bad[] = {"", "bytes", "bytes ", "bytes 5-9", "bytes 5-9/", "bytes */*",
        "bytes 9-5/10", "bytes 5-10/10", "bytes 5-9/10 ", "bytes  5-9/10", "bytes -5-9/10",
        "bytes 5-/10", "bytes -9/10", "bytes 5-9/1x", "octets 5-9/10", "bytes=5-9/10",
        "bytes 5-9,11-12/20", "bytes +5-9/10", "bytes 0x5-9/10",
        "bytes 18446744073709551616-18446744073709551617/*", "bytes 0-9223372036854775808/*"};
    for (size_t i = 0; i < array_length(bad); i++) {
        struct http_range untouched = {.first = 77};
        if (http_parse_content_range(bad[i], &untouched) || untouched.first != 77) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void retry_after(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint64_t delay_ms;
    } good[] = {
        {"0", 0},
        {"7", 7000},
        {"60", 60000},
        {"61", 60000},
        {"999999999", 60000},
        {"99999999999999999999999999", 60000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0}, /* now */
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0}, /* a second ago */
        {"Sun, 06 Nov 1994 08:49:47 GMT", 10000},
        {"Sun, 06 Nov 2094 08:49:37 GMT", 60000},
    };
    for (size_t i = 0; i < array_length(good); i++) {
        uint64_t delay_ms = 1;
        if (!http_parse_retry_after(good[i].value, 784111777, &delay_ms) ||
            delay_ms != good[i].delay_ms) {
            fail_msg("%s: %llu", good[i].value, (unsigned long long)delay_ms);
        }
    }
    static const char *const bad[] = {"", "-1", "+1", "1.5", "soon", "1 ", " 1", "0x10",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Xxx 1994 08:49:37 GMT",
        "Sun, 06 anF 1994 08:49:37 GMT", "Sun, 99 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMTx", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994"};
    for (size_t i = 0; i < array_length(bad); i++) {
        uint64_t delay_ms = 77;
        if (http_parse_retry_after(bad[i], 784111777, &delay_ms) || delay_ms != 77) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void entity_tags(void **state)
{
    (void)state;
    assert_true(http_etag_is_strong("\"\""));
    assert_true(http_etag_is_strong("\"sha256:0123\""));
    static const char *const bad[] = {"", "\"", "x", "W/\"x\"", "w/\"x\"", "\"x", "x\"", "\"a\"b\"",
        "\"a b\"", "\"a\r\nb\"", "\"\x7f\"", "\"\xc3\xa4\"", "\"a\", \"b\""};
    for (size_t i = 0; i < array_length(bad); i++) {
        if (http_etag_is_strong(bad[i])) {
            fail_msg("%s", bad[i]);
        }
    }
    char huge[1000];
    memset(huge, 'x', sizeof huge);
    huge[0] = huge[sizeof huge - 2] = '"';
    huge[sizeof huge - 1] = '\0';
    assert_false(http_etag_is_strong(huge));
}

static void lengths(void **state)
{
    (void)state;
    uint64_t length = 0;
    assert_true(http_parse_length("9223372036854775807", &length));
    assert_int_equal(length, INT64_MAX);
    static const char *const bad[] = {
        "", "-1", "+1", "1 ", " 1", "1,1", "0x1", "9223372036854775808", "18446744073709551616"};
    for (size_t i = 0; i < array_length(bad); i++) {
        assert_false(http_parse_length(bad[i], &length));
    }
}

static void pauses_grow_and_are_spread(void **state)
{
    (void)state;
    static const uint64_t longest[] = {1000, 1000, 2000, 4000, 8000, 16000, 16000, 16000};
    for (unsigned attempt = 0; attempt < array_length(longest); attempt++) {
        uint64_t least = UINT64_MAX, most = 0;
        for (uint32_t random = 0; random < 100000; random += 7) {
            uint64_t pause_ms = http_backoff_ms(attempt, 1000, random);
            least = pause_ms < least ? pause_ms : least;
            most = pause_ms > most ? pause_ms : most;
        }
        assert_int_equal(most, longest[attempt]);
        assert_in_range(least, longest[attempt] / 2, longest[attempt] / 2 + 10);
    }
    assert_int_equal(http_backoff_ms(1000, 1, UINT32_MAX) > 0, 1);
}

static void file_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *path; /* NULL: none */
    } cases[] = {
        {"file:///a/b", "/a/b"},
        {"file:/a/b", "/a/b"},
        {"FILE:///a", "/a"},
        {"file://localhost/a", "/a"},
        {"file:///a%20b%2Fc%c3%a4", "/a b/c\xc3\xa4"},
        {"file:///a?b#c", "/a?b#c"},
        {"file:///", "/"},
        {"file:///a%00b", NULL},
        {"file:///a%0", NULL},
        {"file:///a%", NULL},
        {"file:///a%g0", NULL},
        {"file://host/a", NULL},
        {"file://localhost", NULL},
        {"file:a", NULL},
        {"file:", NULL},
        {"http://x/", NULL},
        {"/a", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        auto_free char *path = http_file_path(cases[i].url);
        if ((path == NULL) != (cases[i].path == NULL) ||
            (path != NULL && strcmp(path, cases[i].path) != 0)) {
            fail_msg("%s: %s", cases[i].url, path != NULL ? path : "none");
        }
    }
}

static void urls_that_are_fetched(void **state)
{
    (void)state;
    static const char *const good[] = {"http://example.org", "https://example.org:8443/a?b=c#d",
        "HTTP://example.org/", "http://[::1]:80/", "file:///a"};
    static const char *const bad[] = {"", "example.org", "ftp://example.org/", "http://",
        "http://a:99999/", "http://a b/", "javascript:x", "https:/example.org/",
        "https:///example.org/", "https:example.org", "https://user@example.org/",
        "http://:secret@example.org/", "-x", "http://a/\r\nHost: b"};
    for (size_t i = 0; i < array_length(good); i++) {
        struct error err = {0};
        if (!http_check_url(good[i], false, &err)) {
            fail_msg("%s: %s", good[i], err.text);
        }
    }
    for (size_t i = 0; i < array_length(bad); i++) {
        struct error err = {0};
        if (http_check_url(bad[i], false, &err) || err.code != ERROR_INVALID) {
            fail_msg("%s", bad[i]);
        }
        assert_null(strstr(err.text, "secret"));
    }
    struct error err = {0};
    assert_true(http_check_url("https://user:secret@example.org/", true, &err));
}

static void what_is_shown_of_a_url(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"https://me:secret@example.org/a?b#c", "https://example.org/a?b"},
        {"http://example.org/a", "http://example.org/a"},
        {"file:///a", "file:///a"},
        {"ftp://me:secret@example.org/", "(not a URL)"},
        {"me:secret@example.org", "(not a URL)"},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        auto_free char *shown = http_strip_userinfo(cases[i].url);
        assert_string_equal(shown, cases[i].shown);
    }
}

static void origins(void **state)
{
    (void)state;
    static const char home[] = "https://example.org/a";
    assert_true(http_url_is_same_origin(home, "https://EXAMPLE.org:443/b?c"));
    static const char *const others[] = {"http://example.org/a", "https://example.org:444/a",
        "https://www.example.org/a", "https://example.org.evil.net/a",
        "https://evil.net/example.org", "file:///a", ""};
    for (size_t i = 0; i < array_length(others); i++) {
        assert_false(http_url_is_same_origin(home, others[i]));
    }
}

static void redirects(void **state)
{
    (void)state;
    static const struct {
        const char *from, *location, *to; /* NULL: refused */
    } cases[] = {
        {"https://a.org/x/y?q", "z", "https://a.org/x/z"},
        {"https://a.org/x/y", "/z#f", "https://a.org/z"},
        {"https://a.org/x", "//b.org/z", "https://b.org/z"},
        {"http://a.org/x", "https://b.org/z?q", "https://b.org/z?q"},
        {"http://a.org/x", "http://b.org/z", "http://b.org/z"},
        {"https://me:secret@a.org/x", "y", "https://a.org/y"},
        {"https://a.org/x", "http://a.org/x", NULL},
        {"https://a.org/x", "HTTP://a.org/x", NULL},
        {"http://a.org/x", "file:///etc/passwd", NULL},
        {"http://a.org/x", "ftp://a.org/x", NULL},
        {"http://a.org/x", "gopher://a.org/x", NULL},
        {"http://a.org/x", "http://me@b.org/", NULL},
        {"http://a.org/x", "http://me:secret@a.org/", NULL},
        {"http://a.org/x", "http://", NULL},
        {"http://a.org/x", "http://b:99999/", NULL},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        struct error err = {0};
        auto_free char *to = http_url_redirect(cases[i].from, cases[i].location, &err);
        if ((to == NULL) != (cases[i].to == NULL) || (to != NULL && strcmp(to, cases[i].to) != 0)) {
            fail_msg("%s: %s", cases[i].location, to != NULL ? to : err.text);
        }
        assert_int_equal(err.code, to != NULL ? ERROR_NONE : ERROR_NETWORK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_ranges),
        cmocka_unit_test(retry_after),
        cmocka_unit_test(entity_tags),
        cmocka_unit_test(lengths),
        cmocka_unit_test(pauses_grow_and_are_spread),
        cmocka_unit_test(file_urls),
        cmocka_unit_test(urls_that_are_fetched),
        cmocka_unit_test(what_is_shown_of_a_url),
        cmocka_unit_test(origins),
        cmocka_unit_test(redirects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
