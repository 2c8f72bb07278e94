/* SPDX-License-Identifier: MIT */
/* The schema as a table, and which texts each type allows. */
#include <thimble/net.h>
#include <thimble/schedule.h>
#include <thimble/settings.h>
#include <thimble/settings_list.h>
#include <thimble/timezone.h>
#include <thimble/topic.h>

/* A build may bring defaults of its own: cmake/host/defaults.c has checked them and made a macro
 * TH_DEFAULT_<number> of each, `~, "value"`, so that the second of what it expands to is the value.
 */
#ifdef TH_SETTINGS_DEFAULTS
/* cppcheck-suppress preprocessorErrorDirective */
#include TH_SETTINGS_DEFAULTS
#endif
#define SECOND(first, second, ...)  second
#define SECOND_OF(...)              SECOND(__VA_ARGS__)
#define DEFAULT_OF(number, schemas) SECOND_OF(TH_DEFAULT_##number, schemas, 0)

/* clang-format off */
#define ROW(number, name, type, min, max, choices, normal, flags, applies, help)      \
    {name, number, TH_SETTING_##type, flags, TH_APPLIES_##applies, min, max, choices, \
     DEFAULT_OF(number, normal)},
/* clang-format on */
const struct th_setting th_settings_schema[] = {TH_SETTINGS_LIST(ROW)};
#undef ROW

const uint16_t th_settings_count = sizeof th_settings_schema / sizeof th_settings_schema[0];

const struct th_setting *th_setting_find(struct th_span name)
{
    for (uint16_t i = 0; i < th_settings_count; i++) {
        if (th_span_equal(name, th_span_str(th_settings_schema[i].name)))
            return &th_settings_schema[i];
    }
    return NULL;
}

const struct th_setting *th_setting_numbered(uint16_t number)
{
    for (uint16_t i = 0; i < th_settings_count; i++) {
        if (th_settings_schema[i].number == number)
            return &th_settings_schema[i];
    }
    return NULL;
}

static const char *check_text(const struct th_setting *setting, struct th_span value)
{
    if ((int32_t)value.len < setting->min)
        return "this is too short";
    if ((int32_t)value.len > setting->max)
        return "this is too long";
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < 0x20 || value.at[i] == 0x7F)
            return "control characters are not allowed";
    }
    return th_utf8_valid(value) ? NULL : "this is not valid UTF-8";
}

static const char *check_number(const struct th_setting *setting, struct th_span value)
{
    int64_t number = 0;

    if (value.len == 0 || value.len > 10 || (value.len > 1 && value.at[0] == '0'))
        return "a decimal number is expected";
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return "a decimal number is expected";
        number = number * 10 + (value.at[i] - '0');
    }
    return number >= setting->min && number <= setting->max ? NULL
                                                            : "this is outside the allowed range";
}

static const char *check_choice(const struct th_setting *setting, struct th_span value)
{
    const char *at = setting->choices;

    while (at) {
        const char *end = strchr(at, '|');
        size_t len = end ? (size_t)(end - at) : strlen(at);

        if (th_span_equal(value, th_span_of(at, len)))
            return NULL;
        at = end ? end + 1 : NULL;
    }
    return "this is none of the choices";
}

static const char *check_address(struct th_span value)
{
    char text[16];
    struct th_address address;

    if (value.len == 0)
        return NULL;
    if (value.len >= sizeof text || memchr(value.at, 0, value.len))
        return "an IPv4 address is expected, such as 192.168.1.7";
    memcpy(text, value.at, value.len);
    text[value.len] = '\0';
    return th_address_parse(text, &address) && address.family == 4
               ? NULL
               : "an IPv4 address is expected, such as 192.168.1.7";
}

static const char *check_timezone(const struct th_setting *setting, struct th_span value)
{
    struct th_timezone zone;

    if ((int32_t)value.len > setting->max)
        return "this is too long";
    return th_timezone_parse(&zone, value) == TH_OK
               ? NULL
               : "a POSIX TZ string is expected, such as CET-1CEST,M3.5.0,M10.5.0/3";
}

static const char *check_schedule(const struct th_setting *setting, struct th_span value)
{
    struct th_schedule_entry entries[TH_SCHEDULE_ENTRIES];
    uint8_t count;

    if ((int32_t)value.len > setting->max)
        return "this is too long";
    return th_schedule_parse(value, entries, &count) == TH_OK
               ? NULL
               : "weekly starts are expected, such as Mo-Fr 06:30 600; Sa,Su 08:00 900";
}

static const char *check_numbers(const struct th_setting *setting, struct th_span value)
{
    while (value.len > 0) {
        const uint8_t *comma = memchr(value.at, ',', value.len);
        size_t len = comma ? (size_t)(comma - value.at) : value.len;
        const char *why = check_number(setting, th_span_of(value.at, len));

        if (why)
            return why;
        if (comma && len + 1 == value.len)
            return "a number is missing at the end";
        value = comma ? th_span_of(comma + 1, value.len - len - 1) : th_span_of(NULL, 0);
    }
    return NULL;
}

enum th_error th_setting_check(const struct th_setting *setting, struct th_span value,
                               const char **why)
{
    *why = "this is too long";
    if (value.len > TH_SETTING_VALUE_MAX)
        return TH_ERR_INVALID;
    switch ((enum th_setting_type)setting->type) {
    case TH_SETTING_TEXT: *why = check_text(setting, value); break;
    case TH_SETTING_NUMBER: *why = check_number(setting, value); break;
    case TH_SETTING_BOOL:
        *why = th_span_equal(value, TH_SPAN("true")) || th_span_equal(value, TH_SPAN("false"))
                   ? NULL
                   : "true or false is expected";
        break;
    case TH_SETTING_CHOICE: *why = check_choice(setting, value); break;
    case TH_SETTING_ADDRESS: *why = check_address(value); break;
    case TH_SETTING_TIMEZONE: *why = check_timezone(setting, value); break;
    case TH_SETTING_SCHEDULE: *why = check_schedule(setting, value); break;
    case TH_SETTING_NUMBERS: *why = check_numbers(setting, value); break;
    }
    return *why ? TH_ERR_INVALID : TH_OK;
}
