/* SPDX-License-Identifier: MIT */
#include <thimble/net.h>

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *literal;
    uint16_t port;
    const char *text;
} written[] = {
    {"192.0.2.1", 8883, "192.0.2.1:8883"},
    {"0.0.0.0", 0, "0.0.0.0:0"},
    {"255.255.255.255", 65535, "255.255.255.255:65535"},
    {"2001:db8::1", 8883, "[2001:db8::1]:8883"},
    {"[2001:DB8::1]", 1883, "[2001:db8::1]:1883"},
    {"::", 1, "[::]:1"},
    {"::1", 1, "[::1]:1"},
    {"1::", 1, "[1::]:1"},
    {"2001:0db8:0000:0000:0000:0000:0002:0001", 1, "[2001:db8::2:1]:1"},
    {"2001:db8:0:1:1:1:1:1", 1, "[2001:db8:0:1:1:1:1:1]:1"},
    {"2001:0:0:1:0:0:0:1", 1, "[2001:0:0:1::1]:1"},
    {"2001:db8:0:0:1:0:0:1", 1, "[2001:db8::1:0:0:1]:1"},
    {"::ffff:192.0.2.128", 1, "[::ffff:192.0.2.128]:1"},
    {"64:ff9b::192.0.2.33", 1, "[64:ff9b::c000:221]:1"},
    {"fe80::1%3", 8883, "[fe80::1%3]:8883"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295", 65535,
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535"},
};

static void a_literal_is_read_and_written_in_its_canonical_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        struct th_address address;
        char text[TH_ADDRESS_TEXT_MAX];
        assert_true(th_address_parse(written[i].literal, &address));
        address.port = written[i].port;
        assert_int_equal(th_address_text(&address, text), strlen(written[i].text));
        assert_string_equal(text, written[i].text);
    }
}

static const char *const refused[] = {
    "",
    "localhost",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4:1",
    "[1.2.3.4]",
    "1..2.3",
    "1.2.3.-4",
    "0x1.2.3.4",
    ":",
    ":1",
    "1:",
    ":::",
    "1::2::3",
    "12345::",
    "1:2:3",
    "g::",
    "1:2:3:4:5:6:7:8:9",
    "[::1",
    "::1]",
    "[::1]x",
    "::1%",
    "::1%eth0",
    "::1%4294967296",
    "[]",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::1.2.3",
    "1.2.3.4::",
    "::1.2.3.4:5",
    "1:2:3:4:5:6:7:8::",
    "::1%1%2",
    "999999999999.1.1.1",
};

static void what_is_no_literal_is_refused_and_leaves_the_result_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct th_address address, before;
        memset(&address, 0xA5, sizeof address);
        before = address;
        if (th_address_parse(refused[i], &address))
            fail_msg("'%s' was taken for an address", refused[i]);
        assert_memory_equal(&address, &before, sizeof address);
    }
}

static void agree_with_system(const char *text)
{
    uint8_t bytes[16];
    struct th_address ours;
    bool is_v4 = inet_pton(AF_INET, text, bytes) == 1;
    bool is_v6 = !is_v4 && inet_pton(AF_INET6, text, bytes) == 1;
    if (th_address_parse(text, &ours) != (is_v4 || is_v6))
        fail_msg("'%s': the system's parser says the opposite", text);
    if (!is_v4 && !is_v6)
        return;
    assert_int_equal(ours.family, is_v4 ? 4 : 6);
    assert_memory_equal(ours.bytes, bytes, is_v4 ? 4 : 16);
}

/* R10: against inet_pton() as the oracle, over strings made of what addresses are made of. */
static void random_strings_are_judged_as_the_system_judges_them(void **state)
{
    (void)state;
    static const char *const pieces[] = {":",   "::", ".",    "0",   "1",       "255",
                                         "256", "a",  "ffff", "db8", "1.2.3.4", "12345"};
    srandom(1);
    for (int round = 0; round < 200000; round++) {
        char text[160] = "";
        int count = (int)(random() % 18);
        for (int i = 0; i < count; i++)
            strcat(text, pieces[(size_t)random() % (sizeof pieces / sizeof pieces[0])]);
        agree_with_system(text);
    }
}

static void random_addresses_survive_writing_and_reading(void **state)
{
    (void)state;
    srandom(2);
    for (int round = 0; round < 50000; round++) {
        struct th_address address = {.family = 6}, again;
        for (int i = 0; i < 16; i++)
            address.bytes[i] = random() % 3 != 0 ? 0 : (uint8_t)random();
        char text[TH_ADDRESS_TEXT_MAX], system[INET6_ADDRSTRLEN];
        th_address_text(&address, text);
        *strrchr(text, ':') = '\0';
        assert_true(th_address_parse(text, &again));
        assert_memory_equal(address.bytes, again.bytes, 16);
        assert_non_null(inet_ntop(AF_INET6, address.bytes, system, sizeof system));
        if (strchr(system, '.') == NULL) {
            *strchr(text, ']') = '\0';
            assert_string_equal(text + 1, system);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_is_read_and_written_in_its_canonical_form),
        cmocka_unit_test(what_is_no_literal_is_refused_and_leaves_the_result_alone),
        cmocka_unit_test(random_strings_are_judged_as_the_system_judges_them),
        cmocka_unit_test(random_addresses_survive_writing_and_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
