/* SPDX-License-Identifier: MIT */
/* CONNECT: what the configuration may hold, and how it is written (3.1.1 and 5.0 §3.1). */
#include <thimble/topic.h>

#include "mqtt/core.h"

static void write_connect(struct th_writer *writer, const struct th_mqtt *mqtt,
                          const struct th_body *body)
{
    static const uint8_t name[] = {0, 4, 'M', 'Q', 'T', 'T'};
    const struct th_mqtt_config *config = mqtt->config;
    const struct th_mqtt_connect_fields *fields = config->fields;
    unsigned flags = config->clean_start ? 2 : 0; /* Connect Flags, §3.1.2.3 */
    if (fields != NULL)
        flags |= fields->flags(config);
    th_write(writer, name, TH_VALUE(connect_protocol_name, sizeof name, sizeof name - 1));
    th_write_u8(writer, TH_VALUE(connect_protocol_level, config->version->level, 3));
    th_write_u8(writer, (uint8_t)TH_VALUE(connect_reserved_flag, flags, flags | 1));
    th_write_u16(writer, mqtt->limits.keep_alive_s);
    th_mqtt_write_properties(writer, mqtt, body);
    if (TH_VALUE(client_id_first, true, config->client_id.len > 0))
        th_write_text(writer,
                      TH_VALUE(client_id_names_session, config->client_id, TH_SPAN("other")));
    if (fields != NULL)
        fields->write(writer, mqtt);
}

void th_mqtt_connect_body(const struct th_mqtt_config *config, struct th_body *out)
{
    *out = (struct th_body){.write = write_connect,
                            .properties = config->properties,
                            .property_count = config->property_count,
                            .first = TH_CONNECT};
}

/* What is configured but not linked would be dropped in silence. */
static bool all_linked(const struct th_mqtt_config *config)
{
    if (config->fields == NULL &&
        (config->will != NULL || config->user_set || config->password_set))
        return false;
    if (config->aliasing == NULL)
        return config->alias_count == 0 && config->alias_rx_maximum == 0;
    return config->aliasing->valid(config);
}

static bool client_id_valid(const struct th_mqtt *mqtt)
{
    const struct th_mqtt_config *config = mqtt->config;
    bool needs_clean = config->client_id.len == 0 && !th_mqtt_is_5(mqtt);
    return !TH_RULE(client_id_utf8, !th_utf8_valid(config->client_id)) &&
           !TH_RULE(empty_client_id_needs_clean, needs_clean && !config->clean_start);
}

enum th_error th_mqtt_init(struct th_mqtt *mqtt, const struct th_mqtt_config *config)
{
    memset(mqtt, 0, sizeof *mqtt);
    mqtt->config = config;
    th_mqtt_abandon(mqtt);
    if (config->version == NULL || config->rx == NULL || config->rx_room < 64 ||
        config->rx_room > UINT32_MAX || !all_linked(config))
        return TH_ERR_CONFIG;
    struct th_body body;
    th_mqtt_connect_body(config, &body);
    if (!client_id_valid(mqtt) || (config->fields != NULL && !config->fields->valid(mqtt)))
        return TH_ERR_INVALID;
    return th_mqtt_check(mqtt, &body);
}
