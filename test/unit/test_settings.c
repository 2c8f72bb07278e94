/* SPDX-License-Identifier: MIT */
/* R1 O14: settings by the schema, kept over starts, over versions, and over damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/settings.h>

#include "ports/sim/flash.h"

#define UNIT 4096u

struct device {
    struct sim_flash flash;
    struct th_log log;
    struct th_settings settings;
    uint8_t cells[2 * UNIT], weak[2 * UNIT], buffer[TH_SETTINGS_MAX];
};

static struct device device;

static void power_on(void)
{
    const struct th_log_region region = {0, 2, 1};

    sim_flash_power_on(&device.flash, 7);
    assert_int_equal(th_log_mount(&device.log, &sim_flash_ops, &device.flash, region, 42), TH_OK);
    device.settings = (struct th_settings){&device.log, 1};
}

static int fresh_device(void **state)
{
    (void)state;
    memset(&device, 0, sizeof device);
    sim_flash_init(&device.flash, (struct th_flash_geometry){2 * UNIT, UNIT, 4}, device.cells,
                   device.weak, 1);
    power_on();
    return 0;
}

static const struct th_setting *named(const char *name)
{
    const struct th_setting *setting = th_setting_find(th_span_str(name));

    assert_non_null(setting);
    return setting;
}

static enum th_error set(const char *name, const char *value)
{
    struct th_settings_change change;
    const char *why;
    enum th_error error =
        th_settings_begin(&change, &device.settings, device.buffer, TH_SETTINGS_MAX);

    assert_int_equal(error, TH_OK);
    error = th_settings_put(&change, named(name), th_span_str(value), &why);
    if (error) {
        th_settings_drop(&change);
        return error;
    }
    return th_settings_commit(&change, &device.settings);
}

static void expect(const char *name, const char *value)
{
    char text[TH_SETTING_VALUE_MAX + 1];

    assert_int_equal(th_settings_get(&device.settings, named(name), text), strlen(value));
    assert_string_equal(text, value);
}

static void every_row_of_the_schema_is_sound(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < th_settings_count; i++) {
        const struct th_setting *setting = &th_settings_schema[i];
        const char *why;

        assert_true(th_setting_help(setting)[0] != '\0' && setting->number != 0);
        assert_true(setting->max <= TH_SETTING_VALUE_MAX || setting->type == TH_SETTING_NUMBER ||
                    setting->type == TH_SETTING_NUMBERS);
        assert_int_equal(th_setting_check(setting, th_span_str(setting->normal), &why), TH_OK);
        assert_ptr_equal(th_setting_find(th_span_str(setting->name)), setting);
        assert_ptr_equal(th_setting_numbered(setting->number), setting);
    }
}

static void a_blank_flash_gives_the_defaults(void **state)
{
    (void)state;
    expect("mode", "config");
    expect("mqtt.keep_alive", "60");
    assert_int_equal(th_settings_number(&device.settings, named("mqtt.keep_alive")), 60);
    assert_false(th_settings_is_set(&device.settings, named("mqtt.pass")));
}

static void what_is_set_stays_over_a_start(void **state)
{
    (void)state;
    assert_int_equal(set("wifi.sta.ssid", "Gärten & Höfe"), TH_OK);
    assert_int_equal(set("mqtt.keep_alive", "30"), TH_OK);
    assert_int_equal(set("legacy.enable", "true"), TH_OK);
    assert_int_equal(set("zones.pins", "5,4,14"), TH_OK);
    assert_int_equal(set("zones.start2", "Mo-Fr 06:30 600; Sa,Su 08:00 900"), TH_OK);
    power_on();
    expect("zones.pins", "5,4,14");
    expect("wifi.sta.ssid", "Gärten & Höfe");
    assert_int_equal(th_settings_number(&device.settings, named("mqtt.keep_alive")), 30);
    assert_int_equal(th_settings_number(&device.settings, named("legacy.enable")), 1);
    assert_int_equal(set("mqtt.keep_alive", "60"), TH_OK);
    assert_false(th_settings_is_set(&device.settings, named("mqtt.keep_alive")));
}

static void what_breaks_a_rule_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"mqtt.keep_alive", "4"},
        {"mqtt.keep_alive", "3601"},
        {"mqtt.keep_alive", ""},
        {"mqtt.keep_alive", "060"},
        {"mqtt.keep_alive", "6 0"},
        {"mqtt.keep_alive", "-6"},
        {"mqtt.keep_alive", "1e2"},
        {"mode", "both"},
        {"mode", ""},
        {"mode", "config|mqtt"},
        {"legacy.enable", "yes"},
        {"wifi.sta.ip", "1.2.3"},
        {"wifi.sta.ip", "1.2.3.256"},
        {"wifi.sta.ip", "::1"},
        {"zones.pins", "4,,5"},
        {"zones.pins", "4,5,"},
        {"zones.pins", ",4"},
        {"zones.pins", "4, 5"},
        {"zones.pins", "255"},
        {"zones.most_s", "600,0"},
        {"zones.most_s", "86401"},
        {"zones.start1", "Mo 06:30"},
        {"zones.start1", "whenever"},
        {"sys.tz_spec", ""},
        {"sys.tz_spec", "Europe/Berlin"},
        {"sys.tz_spec", "CET-1CEST,M3.5.0"},
        {"wifi.sta.ssid", "a\nb"},
        {"wifi.sta.ssid", "\xC0\x80"},
        {"mqtt.keep_alive", "99999999999999999999"},
        {"wifi.sta.ssid", "123456789012345678901234567890123"},
    };

    set("mqtt.keep_alive", "30");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(set(bad[i][0], bad[i][1]), TH_ERR_INVALID);
    expect("mqtt.keep_alive", "30");
    expect("mode", "config");
    expect("wifi.sta.ssid", "");
}

/* O14: version N+1 stored a setting that N does not know, and has narrowed one that N does. */
static void what_a_newer_version_stored_is_kept(void **state)
{
    (void)state;
    static const uint8_t newer[] = {1, 0xE7, 0x03, 2, 0, 'h', 'i', 14, 0, 1, 0, '4'};
    uint8_t back[32];

    assert_int_equal(th_log_write(&device.log, 1, th_span_of(newer, sizeof newer)), TH_OK);
    expect("mqtt.keep_alive", "60"); /* 4 is outside this version's range */
    assert_int_equal(set("log.level", "warn"), TH_OK);
    power_on();
    assert_int_equal(th_log_read(&device.log, 1, 0, back, sizeof back), sizeof newer + 8);
    assert_memory_equal(back, newer, sizeof newer);
    expect("log.level", "warn");
}

static void a_set_that_is_damaged_gives_what_is_whole(void **state)
{
    (void)state;
    static const uint8_t cut[] = {1, 51, 0, 5, 0, 'd', 'e', 'b', 'u', 'g', 14, 0, 200, 0, '9'};
    static const uint8_t other_version[] = {9, 51, 0, 5, 0, 'd', 'e', 'b', 'u', 'g'};

    th_log_write(&device.log, 1, th_span_of(cut, sizeof cut));
    expect("log.level", "debug");
    expect("mqtt.keep_alive", "60");
    assert_int_equal(set("mqtt.keep_alive", "9"), TH_OK);
    expect("mqtt.keep_alive", "9");
    expect("log.level", "debug");
    th_log_write(&device.log, 1, th_span_of(other_version, sizeof other_version));
    expect("log.level", "info");
}

static void a_full_set_says_so(void **state)
{
    (void)state;
    struct th_settings_change change;
    const char *why;

    assert_int_equal(th_settings_begin(&change, &device.settings, device.buffer, 24), TH_OK);
    assert_int_equal(
        th_settings_put(&change, named("wifi.sta.ssid"), TH_SPAN("0123456789abcdef"), &why), TH_OK);
    assert_int_equal(th_settings_put(&change, named("mqtt.user"), TH_SPAN("me"), &why),
                     TH_ERR_TOO_LARGE);
    /* A value may be replaced by one of its own size in a full set. */
    assert_int_equal(
        th_settings_put(&change, named("wifi.sta.ssid"), TH_SPAN("fedcba9876543210"), &why), TH_OK);
    th_settings_drop(&change);
}

static void the_buffer_is_wiped_after_a_change(void **state)
{
    (void)state;
    set("mqtt.pass", "correct horse");
    for (size_t i = 0; i < TH_SETTINGS_MAX; i++)
        assert_int_equal(device.buffer[i], 0);
    assert_true(th_settings_is_set(&device.settings, named("mqtt.pass")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_row_of_the_schema_is_sound, fresh_device),
        cmocka_unit_test_setup(a_blank_flash_gives_the_defaults, fresh_device),
        cmocka_unit_test_setup(what_is_set_stays_over_a_start, fresh_device),
        cmocka_unit_test_setup(what_breaks_a_rule_is_refused_and_changes_nothing, fresh_device),
        cmocka_unit_test_setup(what_a_newer_version_stored_is_kept, fresh_device),
        cmocka_unit_test_setup(a_set_that_is_damaged_gives_what_is_whole, fresh_device),
        cmocka_unit_test_setup(a_full_set_says_so, fresh_device),
        cmocka_unit_test_setup(the_buffer_is_wiped_after_a_change, fresh_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
