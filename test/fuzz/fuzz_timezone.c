/* SPDX-License-Identifier: MIT */
/* R10: TZ strings and weekly starts of any bytes. Whatever is taken shows an instant's local time
 * so that the way back leads to it. */
#include <stdlib.h>
#include <string.h>

#include <thimble/schedule.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void there_and_back(const struct th_timezone *zone, int64_t utc_s)
{
    struct th_local_time local;
    int64_t back[2] = {0, 0};
    bool daylight;
    int32_t offset = th_timezone_offset(zone, utc_s, &daylight);

    th_timezone_local(zone, utc_s, &local);
    if (local.offset_s != offset || local.daylight != daylight)
        abort();
    int count = th_timezone_instants(zone, &local, back);
    if (count < 1 || count > 2 || (back[0] != utc_s && back[1] != utc_s) ||
        (count == 2 && back[0] >= back[1]))
        abort();
    /* A time that may be passed over has an instant too, at most an offset's width away. */
    local.minute ^= 31;
    int64_t near = th_timezone_instant(zone, &local);
    if (near < utc_s - 4 * 86400 || near > utc_s + 4 * 86400)
        abort();
}

static void weekly_starts(struct th_span text)
{
    struct th_schedule_entry entries[TH_SCHEDULE_ENTRIES];
    struct th_timezone zone;
    uint8_t count;

    th_timezone_parse(&zone, TH_SPAN("CET-1CEST,M3.5.0,M10.5.0/3"));
    if (th_schedule_parse(text, entries, &count) != TH_OK)
        return;
    for (uint8_t i = 0; i < count; i++) {
        int64_t at_s = 1790000000, next_s = th_schedule_next(&entries[i], &zone, at_s);

        if (next_s <= at_s || next_s > at_s + 8 * 86400 || entries[i].seconds == 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct th_timezone zone;
    int64_t utc_s = 0;

    if (size > 0)
        utc_s = (int64_t)data[0] * 86400 * 13 + 1577836800;
    weekly_starts(th_span_of(data, size));
    enum th_error error = th_timezone_parse(&zone, th_span_of(data, size));
    if (error != TH_OK && zone.has_daylight)
        abort();
    for (int i = 0; i < 50; i++)
        there_and_back(&zone, utc_s + i * INT64_C(1310411));
    return 0;
}
