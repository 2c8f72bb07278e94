/* SPDX-License-Identifier: MIT */
/* Will, user name and password in CONNECT: configured by name, and linked by it. */
#include <thimble/topic.h>

#include "mqtt/core.h"

enum { /* Connect Flags, §3.1.2.3 */
       WILL = 0x04,
       WILL_QOS_AT = 3,
       WILL_RETAIN = 0x20,
       PASSWORD = 0x40,
       USER = 0x80
};

static struct th_body will_body(const struct th_mqtt_will *will)
{
    return (struct th_body){.properties = will->properties,
                            .property_count = TH_VALUE(will_delay, will->property_count, 0)};
}

static bool will_valid(const struct th_mqtt *mqtt, const struct th_mqtt_will *will)
{
    const struct th_body body = will_body(will);
    return !TH_RULE(will_topic_utf8, !th_topic_name_valid(will->topic)) &&
           will->payload.len <= UINT16_MAX && !TH_RULE(will_qos_3, will->qos > TH_MQTT_QOS2) &&
           th_mqtt_check(mqtt, &body) == TH_OK;
}

static bool valid(const struct th_mqtt *mqtt)
{
    const struct th_mqtt_config *config = mqtt->config;
    bool is_5 = th_mqtt_is_5(mqtt);
    return !TH_RULE(user_name_utf8, config->user_set && !th_utf8_valid(config->user)) &&
           !TH_RULE(password_needs_user_name, !is_5 && config->password_set && !config->user_set) &&
           config->password.len <= UINT16_MAX &&
           (config->will == NULL || will_valid(mqtt, config->will));
}

static uint8_t flags(const struct th_mqtt_config *config)
{
    const struct th_mqtt_will *will = config->will;
    unsigned flags = (config->user_set ? USER : 0) | (config->password_set ? PASSWORD : 0);
    if (will != NULL)
        flags |= WILL | (unsigned)will->qos << WILL_QOS_AT | (will->retain ? WILL_RETAIN : 0);
    else
        flags |= TH_VALUE(will_qos_without_will, 0, 1 << WILL_QOS_AT) |
                 TH_VALUE(will_retain_without_will, 0, WILL_RETAIN);
    return (uint8_t)flags;
}

static void write_will(struct th_writer *writer, const struct th_mqtt *mqtt)
{
    const struct th_mqtt_will *will = mqtt->config->will;
    const struct th_body properties = will_body(will);
    th_mqtt_write_properties(writer, mqtt, &properties);
    th_write_text(writer, will->topic);
    th_write_text(writer, will->payload);
}

static void write(struct th_writer *writer, const struct th_mqtt *mqtt)
{
    const struct th_mqtt_config *config = mqtt->config;
    if (TH_VALUE(will_fields_present, config->will != NULL, false))
        write_will(writer, mqtt);
    if (TH_VALUE(user_name_present, config->user_set, false))
        th_write_text(writer, TH_VALUE(connect_payload_order, config->user, config->password));
    if (TH_VALUE(password_present, config->password_set, false))
        th_write_text(writer, TH_VALUE(connect_payload_order, config->password, config->user));
    if (TH_WRONG(will_fields_absent, config->will == NULL) ||
        TH_WRONG(user_name_absent, !config->user_set) ||
        TH_WRONG(password_absent, !config->password_set))
        th_write_text(writer, config->client_id);
}

const struct th_mqtt_connect_fields th_mqtt_connect_fields = {
    .valid = valid, .flags = flags, .write = write};
