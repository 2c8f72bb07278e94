/* SPDX-License-Identifier: MIT */
/*
 * The version after this one, for O14: this one with further settings (settings.h), a further kind
 * of record in the log and in the identity area, and items in the history that this version does
 * not know. It is linked around th_device_start(), so that a device image and thimble-device become
 * it. Each start counts, says what it finds of its own, and writes more of it.
 */
#include <string.h>

#include <thimble/device.h>

#include "base/text.h"

#define KIND          14 /* of both logs; this version has none of that number */
#define COUNT_BYTES   4
#define RECORD_BYTES  40
#define HISTORY_HEAD  12
#define HISTORY_ITEM  40
#define FOREIGN       9 /* kind of a history's item */
#define FOREIGN_FLAGS 0xA4

enum th_error __real_th_device_start(struct th_device *device,
                                     const struct th_device_config *config, uint32_t now_ms);
enum th_error __wrap_th_device_start(struct th_device *device,
                                     const struct th_device_config *config, uint32_t now_ms);

static void say(const struct th_device *device, const char *what, uint32_t number)
{
    char line[80];
    struct th_text text = th_text_init(line, sizeof line);

    th_text_str(&text, "next: ");
    th_text_str(&text, what);
    th_text_char(&text, ' ');
    th_text_decimal(&text, number);
    if (device->config->say)
        device->config->say(device->config->user, line);
}

/* What the set in use has for it. */
static void say_setting(struct th_device *device, const char *name)
{
    char value[TH_SETTING_VALUE_MAX + 1], line[80];
    struct th_settings settings = th_device_settings(device);
    struct th_text text = th_text_init(line, sizeof line);

    th_settings_get(&settings, th_setting_find(th_span_str(name)), value);
    th_text_str(&text, "next: ");
    th_text_str(&text, name);
    th_text_char(&text, ' ');
    th_text_str(&text, value);
    if (device->config->say)
        device->config->say(device->config->user, line);
}

static void fill(uint8_t raw[RECORD_BYTES], uint32_t count)
{
    for (int i = 0; i < COUNT_BYTES; i++)
        raw[i] = (uint8_t)(count >> (8 * i));
    for (uint32_t i = COUNT_BYTES; i < RECORD_BYTES; i++)
        raw[i] = (uint8_t)(count * 31 + i * 7);
}

/* How often it was written; 0: it is not there, or not as it was. */
static uint32_t count_of(const struct th_log *log)
{
    uint8_t raw[RECORD_BYTES], wanted[RECORD_BYTES];
    uint32_t count = 0;

    if (th_log_read(log, KIND, 0, raw, sizeof raw) != sizeof raw)
        return 0;
    for (int i = COUNT_BYTES; i-- > 0;)
        count = count << 8 | raw[i];
    fill(wanted, count);
    return memcmp(raw, wanted, sizeof raw) == 0 ? count : 0;
}

static void write_count(struct th_log *log, uint32_t count)
{
    uint8_t raw[RECORD_BYTES];

    fill(raw, count);
    th_log_write(log, KIND, th_span_of(raw, sizeof raw));
}

/* No name that this version could have written. */
static const uint8_t item_name[16] = {0xC3, 0, 0x28, 0xFF, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

/* Items of ours in the history, whole. */
static uint32_t foreign_items(const uint8_t *raw, size_t len)
{
    uint32_t count = 0;

    for (size_t at = HISTORY_HEAD; at + HISTORY_ITEM <= len; at += HISTORY_ITEM)
        count += raw[at] == FOREIGN && raw[at + 1] == 77 && raw[at + 2] == FOREIGN_FLAGS &&
                 memcmp(raw + at + 24, item_name, sizeof item_name) == 0;
    return count;
}

/* Adds one while the history has room and none of ours. */
static void add_item(struct th_device *device, uint32_t now_ms)
{
    uint8_t raw[HISTORY_HEAD + TH_HISTORY_ITEMS * HISTORY_ITEM] = {1};
    size_t len = th_log_read(&device->log, TH_RECORD_HISTORY, 0, raw, sizeof raw);

    if (len == 0) {
        len = HISTORY_HEAD;
        raw[4] = 1; /* number of its first item */
    }
    uint8_t *item = raw + len;
    if (foreign_items(raw, len) > 0 || raw[1] == TH_HISTORY_ITEMS)
        return;
    memset(item, 0, HISTORY_ITEM);
    item[0] = FOREIGN;
    item[1] = 77;
    item[2] = FOREIGN_FLAGS;
    item[6] = 1;
    memcpy(item + 8, raw + 4, 4);
    memcpy(item + 24, item_name, sizeof item_name);
    raw[1]++;
    raw[4]++;
    memcpy(raw + 8, raw + 4, 4); /* told: it is nobody's failure */
    th_log_write(&device->log, TH_RECORD_HISTORY, th_span_of(raw, len + HISTORY_ITEM));
    th_history_load(&device->history, &device->log, TH_RECORD_HISTORY, now_ms);
}

enum th_error __wrap_th_device_start(struct th_device *device,
                                     const struct th_device_config *config, uint32_t now_ms)
{
    uint8_t history[HISTORY_HEAD + TH_HISTORY_ITEMS * HISTORY_ITEM];
    enum th_error error = __real_th_device_start(device, config, now_ms);

    if (error != TH_OK || !device->log.flash)
        return error;
    uint32_t starts = count_of(&device->log), identity = count_of(&device->identity.log);
    size_t len = th_log_read(&device->log, TH_RECORD_HISTORY, 0, history, sizeof history);
    say(device, "record", starts);
    say(device, "identity", identity);
    say(device, "items", foreign_items(history, len));
    say_setting(device, "next.text");
    say_setting(device, "next.count");
    say_setting(device, "mqtt.keep_alive");
    write_count(&device->log, starts + 1);
    write_count(&device->identity.log, identity + 1);
    add_item(device, now_ms);
    return error;
}
