/* SPDX-License-Identifier: MIT */
/* CONNECT: what the configuration may hold, and how it is written (3.1.1 and 5.0 §3.1). */
#include <thimble/topic.h>

#include "mqtt/core.h"

enum { /* Connect Flags, §3.1.2.3 */
       CLEAN = 0x02,
       WILL = 0x04,
       WILL_QOS_AT = 3,
       WILL_RETAIN = 0x20,
       PASSWORD = 0x40,
       USER = 0x80
};

static bool short_enough(struct th_span text)
{
    return text.len <= UINT16_MAX;
}

static bool will_valid(const struct th_mqtt *mqtt, const struct th_mqtt_will *will)
{
    return !TH_RULE(will_topic_utf8, !th_topic_name_valid(will->topic)) &&
           short_enough(will->payload) && !TH_RULE(will_qos_3, will->qos > TH_MQTT_QOS2) &&
           th_mqtt_properties_allowed(mqtt, TH_PLACE_WILL, will->properties, will->property_count);
}

static bool names_valid(const struct th_mqtt_config *config)
{
    bool is_5 = config->version->level == 5;
    return !TH_RULE(client_id_utf8, !th_utf8_valid(config->client_id)) &&
           !TH_RULE(empty_client_id_needs_clean,
                    !is_5 && config->client_id.len == 0 && !config->clean_start) &&
           !TH_RULE(user_name_utf8, config->user_set && !th_utf8_valid(config->user)) &&
           !TH_RULE(password_needs_user_name, !is_5 && config->password_set && !config->user_set) &&
           short_enough(config->password);
}

static bool memory_valid(const struct th_mqtt_config *config)
{
    if (config->rx == NULL || config->rx_room < 64 || config->rx_room > UINT32_MAX)
        return false;
    if (config->aliasing != NULL)
        return config->aliasing->valid(config);
    return config->alias_count == 0 && config->alias_rx_maximum == 0;
}

enum th_error th_mqtt_init(struct th_mqtt *mqtt, const struct th_mqtt_config *config)
{
    *mqtt = (struct th_mqtt){.config = config};
    if (config->version == NULL || !memory_valid(config))
        return TH_ERR_CONFIG;
    bool valid = names_valid(config) && (config->will == NULL || will_valid(mqtt, config->will)) &&
                 th_mqtt_properties_allowed(mqtt, TH_PLACE_CONNECT, config->properties,
                                            config->property_count);
    return valid ? TH_OK : TH_ERR_INVALID;
}

static uint8_t connect_flags(const struct th_mqtt_config *config)
{
    const struct th_mqtt_will *will = config->will;
    unsigned flags = config->clean_start ? CLEAN : 0;
    if (will != NULL)
        flags |= WILL | (unsigned)will->qos << WILL_QOS_AT | (will->retain ? WILL_RETAIN : 0);
    else
        flags |= TH_VALUE(will_qos_without_will, 0, 1 << WILL_QOS_AT) |
                 TH_VALUE(will_retain_without_will, 0, WILL_RETAIN);
    if (config->user_set)
        flags |= USER;
    if (config->password_set)
        flags |= PASSWORD;
    return (uint8_t)TH_VALUE(connect_reserved_flag, flags, flags | 1);
}

static void write_will(struct th_writer *writer, const struct th_mqtt *mqtt)
{
    const struct th_mqtt_will *will = mqtt->config->will;
    const struct th_body properties = {.properties = will->properties,
                                       .property_count =
                                           TH_VALUE(will_delay, will->property_count, 0)};
    th_mqtt_write_properties(writer, mqtt, &properties);
    th_write_text(writer, will->topic);
    th_write_text(writer, will->payload);
}

void th_mqtt_write_connect(struct th_writer *writer, const struct th_mqtt *mqtt,
                           const struct th_body *body)
{
    static const uint8_t name[] = {0, 4, 'M', 'Q', 'T', 'T'};
    const struct th_mqtt_config *config = mqtt->config;
    th_write(writer, name, TH_VALUE(connect_protocol_name, sizeof name, sizeof name - 1));
    th_write_u8(writer, TH_VALUE(connect_protocol_level, config->version->level, 3));
    th_write_u8(writer, connect_flags(config));
    th_write_u16(writer, mqtt->limits.keep_alive_s);
    th_mqtt_write_properties(writer, mqtt, body);
    if (TH_VALUE(client_id_first, true, config->client_id.len > 0))
        th_write_text(writer,
                      TH_VALUE(client_id_names_session, config->client_id, TH_SPAN("other")));
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
