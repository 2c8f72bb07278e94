/* SPDX-License-Identifier: MIT */
/* Properties: the first byte names the place they stand in. What was found good is walked to its
 * end, and written again as it was read, byte for byte. */
#include <stdlib.h>

#include "mqtt/property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_good(struct th_span properties)
{
    static uint8_t again[4096];
    struct th_mqtt_property property;
    size_t at = 0;
    size_t from = 0;
    while (th_mqtt_property_next(properties, &at, &property)) {
        struct th_writer writer = {.at = again, .end = again + sizeof again};
        th_property_write(&writer, &property);
        if (writer.total <= sizeof again)
            check(writer.total == at - from && memcmp(again, properties.at + from, at - from) == 0);
        from = at;
    }
    check(at == properties.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct th_span all = th_span_of(data + 1, size - 1);
    struct th_reader reader = th_reader_of(all);
    struct th_span properties = {NULL, 0};
    struct th_mqtt_property property;
    unsigned step = th_property_read(&reader, (enum th_place)(data[0] & 15), &properties);
    check(step == TH_STEP_ON || step >= TH_STEP_BROKEN);
    if (step == TH_STEP_ON && !reader.failed)
        check_good(properties);
    /* Not validated: it must end, and stay within. */
    for (size_t at = 0; th_mqtt_property_next(all, &at, &property);)
        check(at <= all.len);
    th_mqtt_property_number(all, TH_MQTT_TOPIC_ALIAS, 0);
    return 0;
}
