/* SPDX-License-Identifier: MIT */
#include <thimble/topic.h>

#include "base/utf8.h"
#include "mqtt/core.h"

/* A topic is not empty; a name has no wildcards. */
static bool text_valid(struct th_span text, bool topic, bool name)
{
    if ((TH_RULE(topic_empty, text.len == 0) && topic) ||
        (text.len > UINT16_MAX && !TH_WRONG(topic_too_long, topic)))
        return false;
    return th_utf8_check(text, name);
}

bool th_utf8_valid(struct th_span text)
{
    return text_valid(text, false, false);
}

bool th_topic_name_valid(struct th_span name)
{
    return text_valid(name, true, true);
}

/* '+' fills a whole level; '#' does too, and is the last one. */
static bool wildcards_valid(struct th_span filter)
{
    const uint8_t *at = filter.at;
    for (size_t left = filter.len; left > 0; left--, at++) {
        if (*at != '+' && *at != '#')
            continue;
        bool begins = left == filter.len || at[-1] == '/';
        bool ends = left == 1 || (*at == '+' && at[1] == '/');
        if (!(begins && ends) && !TH_WRONG(filter_plus, *at == '+') &&
            !TH_WRONG(filter_hash, *at == '#'))
            return false;
    }
    return true;
}

static const struct th_span share = {(const uint8_t *)"$share/", 7};

bool th_mqtt_filter_shared(struct th_span filter)
{
    return filter.len >= share.len && memcmp(filter.at, share.at, share.len) == 0;
}

bool th_mqtt_share_valid(struct th_span filter)
{
    size_t end = share.len;
    bool wild = false;
    if (!th_mqtt_filter_shared(filter))
        return true;
    for (; end < filter.len && filter.at[end] != '/'; end++)
        wild |= filter.at[end] == '+' || filter.at[end] == '#';
    return !TH_RULE(share_name_empty, end == share.len) &&
           !TH_RULE(share_name_characters, wild || end + 1 >= filter.len);
}

bool th_mqtt_filter_valid(struct th_span filter)
{
    return text_valid(filter, true, false) && wildcards_valid(filter);
}

bool th_topic_filter_valid(struct th_span filter)
{
    return th_mqtt_filter_valid(filter) && th_mqtt_share_valid(filter);
}

/* What stands behind "$share/<name>/". Empty when there is no second slash. */
static struct th_span behind_share(struct th_span filter)
{
    const uint8_t *name = filter.at + share.len;
    size_t left = filter.len - share.len;
    const uint8_t *slash = left > 0 ? memchr(name, '/', left) : NULL;
    return slash != NULL ? th_span_of(slash + 1, left - (size_t)(slash - name) - 1)
                         : th_span_of(NULL, 0);
}

bool th_topic_match(struct th_span filter, struct th_span name)
{
    if (th_mqtt_filter_shared(filter))
        filter = behind_share(filter);
    if (filter.len == 0 || name.len == 0)
        return false;
    bool wild = filter.at[0] == '+' || filter.at[0] == '#';
    if (TH_RULE(match_dollar, wild && name.at[0] == '$'))
        return false;
    const uint8_t *f = filter.at, *f_end = f + filter.len;
    const uint8_t *n = name.at, *n_end = n + name.len;
    while (f < f_end && *f != '#') {
        if (*f == '+') {
            while (n < n_end && *n != '/')
                n++;
            f++;
        } else if (n < n_end && TH_VALUE(match_exact, *f == *n, (*f | 0x20) == (*n | 0x20))) {
            f++;
            n++;
        } else {
            /* "sport/#" matches "sport" as well. */
            return n == n_end && f_end - f == 2 && f[0] == '/' && f[1] == '#';
        }
    }
    return f < f_end || n == n_end;
}
