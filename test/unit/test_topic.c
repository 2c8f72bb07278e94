/* SPDX-License-Identifier: MIT */
/* Topic names, filters and matching (§4.7), UTF-8 as MQTT narrows it (§1.5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <thimble/topic.h>

#include "mqtt_harness.h"

static void topic_names_of_any_usual_kind_are_valid(void **state)
{
    (void)state;
    static const char *const valid[] = {"a",
                                        "/",
                                        "//",
                                        "a/b",
                                        "/finance",
                                        "$SYS/x",
                                        "sport/tennis",
                                        "spaces are good",
                                        "\xC3\xA9t\xC3\xA9",
                                        "a\x01"};
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++)
        assert_true(th_topic_name_valid(th_span_str(valid[i])));
}

static void topic_names_with_wildcards_or_nothing_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "+",
                                        "#",
                                        "a/+",
                                        "a/#",
                                        "a+",
                                        "#a",
                                        "long/enough/for/+",
                                        "long/enough/for/a#/word",
                                        "+long/enough"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(th_topic_name_valid(th_span_str(wrong[i])));
    assert_false(th_topic_name_valid(TH_SPAN("a\0b")));
    assert_false(th_topic_name_valid(TH_SPAN("long enough\0for a word")));
}

static void a_wildcard_is_found_at_every_place_of_a_name(void **state)
{
    (void)state;
    static const char bad[] = {'+', '#', '\0', '\x80', '\xFF', '\xC3'};
    char name[40];
    for (size_t len = 1; len < sizeof name; len++) {
        for (size_t at = 0; at < len; at++) {
            memset(name, 'x', sizeof name);
            assert_true(th_topic_name_valid(th_span_of(name, len)));
            for (size_t i = 0; i < sizeof bad; i++) {
                name[at] = bad[i];
                assert_false(th_topic_name_valid(th_span_of(name, len)));
            }
        }
    }
}

static void names_and_filters_end_at_65535_bytes(void **state)
{
    (void)state;
    char *text = malloc(65536);
    assert_non_null(text);
    memset(text, 'x', 65536);
    assert_true(th_topic_name_valid(th_span_of(text, 65535)));
    assert_true(th_topic_filter_valid(th_span_of(text, 65535)));
    assert_true(th_utf8_valid(th_span_of(text, 65535)));
    assert_false(th_topic_name_valid(th_span_of(text, 65536)));
    assert_false(th_topic_filter_valid(th_span_of(text, 65536)));
    assert_false(th_utf8_valid(th_span_of(text, 65536)));
    free(text);
}

static void filters_have_wildcards_as_whole_levels_only(void **state)
{
    (void)state;
    static const char *const valid[] = {
        "#",   "+",          "a/#",          "+/a",        "a/+/b",  "+/+",       "/+",    "/#",
        "+/#", "$share/g/#", "$share/g/a/+", "$share/g//", "$share", "$shared/a", "$SYS/#"};
    static const char *const wrong[] = {"",          "a#",         "#/a",        "a/#/b",
                                        "##",        "a+",         "+a",         "a/b+/c",
                                        "++",        "$share/",    "$share//a",  "$share/g",
                                        "$share/g/", "$share/+/a", "$share/#/a", "$share/g+/a"};
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++)
        assert_true(th_topic_filter_valid(th_span_str(valid[i])));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(th_topic_filter_valid(th_span_str(wrong[i])));
}

static void filters_match_as_the_examples_of_the_specification_say(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *name;
        bool match;
    } rows[] = {
        {"sport/tennis/player1/#", "sport/tennis/player1", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
        {"sport/#", "sport", true},
        {"sport/#", "sports", false},
        {"#", "sport/tennis", true},
        {"#", "/", true},
        {"sport/tennis/+", "sport/tennis/player1", true},
        {"sport/tennis/+", "sport/tennis/player1/ranking", false},
        {"sport/+", "sport", false},
        {"sport/+", "sport/", true},
        {"+/+", "/finance", true},
        {"/+", "/finance", true},
        {"+", "/finance", false},
        {"+/tennis/#", "sport/tennis", true},
        {"#", "$SYS/monitor", false},
        {"+/monitor/Clients", "$SYS/monitor/Clients", false},
        {"$SYS/#", "$SYS/monitor", true},
        {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
        {"ACCOUNTS", "Accounts", false},
        {"/finance", "finance", false},
        {"a/b", "a/b/", false},
        {"a/b/", "a/b", false},
        {"a/+/c", "a//c", true},
        {"a", "ab", false},
        {"ab", "a", false},
        {"$share/group/sport/+", "sport/tennis", true},
        {"$share/group/#", "$SYS/x", false},
        {"$share/group/sport", "group/sport", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool match = th_topic_match(th_span_str(rows[i].filter), th_span_str(rows[i].name));
        if (match != rows[i].match)
            fail_msg("%s on %s", rows[i].filter, rows[i].name);
    }
}

/* Matching level by level, as the clause reads. */
static bool match_by_levels(const char *filter, const char *name)
{
    if (*filter != '\0' && name[0] == '$' && (filter[0] == '+' || filter[0] == '#'))
        return false;
    for (;;) {
        if (filter[0] == '#')
            return true;
        size_t f = strcspn(filter, "/"), n = strcspn(name, "/");
        bool plus = f == 1 && filter[0] == '+';
        if (!plus && (f != n || strncmp(filter, name, f) != 0))
            return false;
        filter += f;
        name += n;
        if (*filter == '\0' || *name == '\0')
            return *filter == *name || (*name == '\0' && strcmp(filter, "/#") == 0);
        filter++;
        name++;
    }
}

static void random_text(uint64_t *seed, const char *letters, char *into, size_t room)
{
    size_t len = 1 + harness_below(seed, (uint32_t)room - 2);
    for (size_t i = 0; i < len; i++)
        into[i] = letters[harness_below(seed, (uint32_t)strlen(letters))];
    into[len] = '\0';
}

static void matching_agrees_with_a_plain_reading_on_random_texts(void **state)
{
    (void)state;
    uint64_t seed = harness_seed(1);
    unsigned matched = 0;
    for (unsigned i = 0; i < 200000; i++) {
        char filter[10], name[10];
        random_text(&seed, "a/+#$b", filter, sizeof filter);
        random_text(&seed, "a/$b", name, sizeof name);
        if (!th_topic_filter_valid(th_span_str(filter)))
            continue;
        bool match = th_topic_match(th_span_str(filter), th_span_str(name));
        matched += match;
        if (match != match_by_levels(filter, name))
            fail_msg("%s on %s", filter, name);
    }
    assert_true(matched > 1000);
}

/* A decoder that follows the definition: shortest form, no surrogates, at most U+10FFFF, no NUL. */
static bool utf8_by_definition(const uint8_t *at, size_t len)
{
    while (len > 0) {
        size_t more = at[0] < 0x80 ? 0 : at[0] >> 5 == 6 ? 1 : at[0] >> 4 == 14 ? 2 : 3;
        if (at[0] >= 0x80 && at[0] >> 6 == 2)
            return false;
        if (at[0] >= 0xF8 || more >= len)
            return false;
        uint32_t value = more == 0 ? at[0] : at[0] & (0x3Fu >> more);
        for (size_t i = 1; i <= more; i++) {
            if (at[i] >> 6 != 2)
                return false;
            value = value << 6 | (at[i] & 0x3F);
        }
        static const uint32_t least[] = {1, 0x80, 0x800, 0x10000};
        if (value < least[more] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
            return false;
        at += more + 1;
        len -= more + 1;
    }
    return true;
}

static void utf8_agrees_with_its_definition_on_all_sequences_of_three_bytes(void **state)
{
    (void)state;
    uint8_t text[19] = "abcdefgh";
    for (uint32_t value = 0; value < 0x1000000; value += value < 0x800000 ? 251 : 1) {
        text[8] = (uint8_t)(value >> 16);
        text[9] = (uint8_t)(value >> 8);
        text[10] = (uint8_t)value;
        struct th_span three = th_span_of(text + 8, 3);
        if (th_utf8_valid(three) != utf8_by_definition(three.at, 3))
            fail_msg("%06x", value);
    }
}

static void utf8_agrees_with_its_definition_on_sequences_of_four_bytes(void **state)
{
    (void)state;
    static const uint8_t edges[] = {0x00, 0x2B, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                    0xBF, 0xC0, 0xC2, 0xE0, 0xED, 0xF0, 0xF4, 0xF5};
    uint8_t text[4];
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned i = 0; i < 16 * 16 * 16; i++) {
            text[0] = (uint8_t)first;
            text[1] = edges[i >> 8];
            text[2] = edges[i >> 4 & 15];
            text[3] = edges[i & 15];
            if (th_utf8_valid(th_span_of(text, 4)) != utf8_by_definition(text, 4))
                fail_msg("%02x %02x %02x %02x", text[0], text[1], text[2], text[3]);
        }
    }
}

static void utf8_is_judged_the_same_at_every_place_of_a_longer_text(void **state)
{
    (void)state;
    uint64_t seed = harness_seed(2);
    uint8_t text[32];
    for (unsigned i = 0; i < 300000; i++) {
        size_t len = harness_below(&seed, sizeof text);
        for (size_t at = 0; at < len; at++)
            text[at] = harness_below(&seed, 12) > 0 ? 'x' : (uint8_t)harness_random(&seed);
        if (len > 4 && harness_below(&seed, 2) > 0)
            memcpy(text + harness_below(&seed, (uint32_t)len - 3), "\xE2\x82\xAC", 3);
        if (th_utf8_valid(th_span_of(text, len)) != utf8_by_definition(text, len))
            fail_msg("case %u", i);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(topic_names_of_any_usual_kind_are_valid),
        cmocka_unit_test(topic_names_with_wildcards_or_nothing_are_refused),
        cmocka_unit_test(a_wildcard_is_found_at_every_place_of_a_name),
        cmocka_unit_test(names_and_filters_end_at_65535_bytes),
        cmocka_unit_test(filters_have_wildcards_as_whole_levels_only),
        cmocka_unit_test(filters_match_as_the_examples_of_the_specification_say),
        cmocka_unit_test(matching_agrees_with_a_plain_reading_on_random_texts),
        cmocka_unit_test(utf8_agrees_with_its_definition_on_all_sequences_of_three_bytes),
        cmocka_unit_test(utf8_agrees_with_its_definition_on_sequences_of_four_bytes),
        cmocka_unit_test(utf8_is_judged_the_same_at_every_place_of_a_longer_text),
    };
    return cmocka_run_group_tests_name("topics and UTF-8", tests, NULL, NULL);
}
