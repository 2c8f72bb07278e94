/* SPDX-License-Identifier: MIT */
/* The stored set: a version byte, then entries of number, length, bytes. */
#include <thimble/settings.h>

#include "base/wipe.h"

#define SET_VERSION 1
#define ENTRY_HEAD  4

struct entry {
    uint16_t number, len;
    uint32_t value_at; /* in the set */
    uint32_t next;
};

static struct entry entry_of(const uint8_t head[ENTRY_HEAD], uint32_t at)
{
    uint16_t len = (uint16_t)(head[2] | head[3] << 8);

    return (struct entry){(uint16_t)(head[0] | head[1] << 8), len, at + ENTRY_HEAD,
                          at + ENTRY_HEAD + len};
}

/* ---- the set in the log ---- */

static bool set_readable(const struct th_settings *settings)
{
    uint8_t version;

    return th_log_read(settings->log, settings->kind, 0, &version, 1) == 1 &&
           version == SET_VERSION;
}

static bool find_stored(const struct th_settings *settings, uint16_t number, struct entry *out)
{
    size_t len = th_log_len(settings->log, settings->kind);

    if (!set_readable(settings))
        return false;
    for (uint32_t at = 1; at + ENTRY_HEAD <= len; at = out->next) {
        uint8_t head[ENTRY_HEAD];

        if (th_log_read(settings->log, settings->kind, at, head, sizeof head) != sizeof head)
            return false;
        *out = entry_of(head, at);
        if (out->next > len)
            return false;
        if (out->number == number)
            return true;
    }
    return false;
}

static size_t give_default(const struct th_setting *setting, char *into)
{
    size_t len = strlen(setting->normal);

    memcpy(into, setting->normal, len + 1);
    return len;
}

/* The value as it was read, or the default where the schema does not allow it any more. */
static size_t give_checked(const struct th_setting *setting, char *into, size_t len)
{
    const char *why;

    if (th_setting_check(setting, th_span_of(into, len), &why))
        return give_default(setting, into);
    into[len] = '\0';
    return len;
}

size_t th_settings_get(const struct th_settings *settings, const struct th_setting *setting,
                       char *into)
{
    struct entry entry;

    if (!find_stored(settings, setting->number, &entry) || entry.len > TH_SETTING_VALUE_MAX ||
        th_log_read(settings->log, settings->kind, entry.value_at, (uint8_t *)into, entry.len) !=
            entry.len)
        return give_default(setting, into);
    return give_checked(setting, into, entry.len);
}

bool th_settings_is_set(const struct th_settings *settings, const struct th_setting *setting)
{
    struct entry entry;

    return find_stored(settings, setting->number, &entry);
}

int32_t th_settings_number(const struct th_settings *settings, const struct th_setting *setting)
{
    char text[TH_SETTING_VALUE_MAX + 1];
    int32_t number = 0;

    th_settings_get(settings, setting, text);
    if (setting->type == TH_SETTING_BOOL)
        return text[0] == 't';
    for (const char *at = text; *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (*at - '0');
    return number;
}

/* ---- a change in memory ---- */

static bool find_in(const struct th_settings_change *change, uint16_t number, struct entry *out)
{
    for (uint32_t at = 1; at + ENTRY_HEAD <= change->len; at = out->next) {
        *out = entry_of(change->at + at, at);
        if (out->next > change->len)
            return false;
        if (out->number == number)
            return true;
    }
    return false;
}

/* Cuts a set whose last entry is damaged to the entries before it. */
static void keep_whole_entries(struct th_settings_change *change)
{
    uint32_t at = 1;

    while (at + ENTRY_HEAD <= change->len) {
        struct entry entry = entry_of(change->at + at, at);

        if (entry.next > change->len)
            break;
        at = entry.next;
    }
    change->len = at;
}

enum th_error th_settings_begin(struct th_settings_change *change,
                                const struct th_settings *settings, uint8_t *at, size_t room)
{
    size_t len = th_log_len(settings->log, settings->kind);

    *change = (struct th_settings_change){at, room, 1};
    if (len > room || room == 0)
        return TH_ERR_TOO_LARGE;
    at[0] = SET_VERSION;
    if (!set_readable(settings))
        return TH_OK;
    if (th_log_read(settings->log, settings->kind, 0, at, len) != len)
        return TH_ERR_STORE;
    change->len = len;
    keep_whole_entries(change);
    return TH_OK;
}

static void take_out(struct th_settings_change *change, const struct entry *entry)
{
    uint32_t begin = entry->value_at - ENTRY_HEAD;

    memmove(change->at + begin, change->at + entry->next, change->len - entry->next);
    change->len -= entry->next - begin;
}

enum th_error th_settings_put(struct th_settings_change *change, const struct th_setting *setting,
                              struct th_span value, const char **why)
{
    struct entry old = {0};
    bool had = find_in(change, setting->number, &old);
    size_t freed = had ? ENTRY_HEAD + (size_t)old.len : 0;
    bool plain = th_span_equal(value, th_span_str(setting->normal));

    if (th_setting_check(setting, value, why))
        return TH_ERR_INVALID;
    if (!plain && change->len - freed + ENTRY_HEAD + value.len > change->room)
        return TH_ERR_TOO_LARGE;
    if (had)
        take_out(change, &old);
    if (plain)
        return TH_OK;
    uint8_t *at = change->at + change->len;
    at[0] = (uint8_t)setting->number;
    at[1] = (uint8_t)(setting->number >> 8);
    at[2] = (uint8_t)value.len;
    at[3] = (uint8_t)(value.len >> 8);
    memcpy(at + ENTRY_HEAD, value.at, value.len);
    change->len += ENTRY_HEAD + value.len;
    return TH_OK;
}

size_t th_settings_peek(const struct th_settings_change *change, const struct th_setting *setting,
                        char *into)
{
    struct entry entry;

    if (!find_in(change, setting->number, &entry) || entry.len > TH_SETTING_VALUE_MAX)
        return give_default(setting, into);
    memcpy(into, change->at + entry.value_at, entry.len);
    return give_checked(setting, into, entry.len);
}

void th_settings_drop(struct th_settings_change *change)
{
    th_wipe(change->at, change->room);
    change->len = 0;
}

enum th_error th_settings_commit(struct th_settings_change *change, const struct th_settings *to)
{
    enum th_error error = th_log_write(to->log, to->kind, th_span_of(change->at, change->len));

    th_settings_drop(change);
    return error;
}
