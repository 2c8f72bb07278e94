/* SPDX-License-Identifier: MIT */
#include "mqtt/property.h"

#include <thimble/topic.h>

#include "base/utf8.h"

enum type { NONE, BYTE, TWO, FOUR, VARINT, TEXT, BINARY, PAIR };

#define IN(place)   (1u << (TH_PLACE_##place))
#define MESSAGE     (IN(PUBLISH) | IN(PUBLISH_IN) | IN(WILL))
#define PUBACKS     (0xFu << 4) /* PUBACK, PUBREC, PUBREL, PUBCOMP */
#define SUBACKS     (1u << 9 | 1u << 11)
#define DISCONNECTS (IN(DISCONNECT) | IN(DISCONNECT_IN))

/* By identifier: its type, and where the application may give it or the broker may send it. What
 * the session writes itself (receive maximum and others in CONNECT, topic alias) is not for the
 * application to give. */
static const struct {
    uint16_t places;
    uint8_t type;
} table[] = {
    [TH_MQTT_PAYLOAD_FORMAT] = {MESSAGE, BYTE},
    [TH_MQTT_MESSAGE_EXPIRY] = {MESSAGE, FOUR},
    [TH_MQTT_CONTENT_TYPE] = {MESSAGE, TEXT},
    [TH_MQTT_RESPONSE_TOPIC] = {MESSAGE, TEXT},
    [TH_MQTT_CORRELATION_DATA] = {MESSAGE, BINARY},
    [TH_MQTT_SUBSCRIPTION_ID] = {IN(PUBLISH_IN) | IN(SUBSCRIBE), VARINT},
    [TH_MQTT_SESSION_EXPIRY] = {IN(CONNACK) | IN(DISCONNECT), FOUR},
    [TH_MQTT_ASSIGNED_CLIENT_ID] = {IN(CONNACK), TEXT},
    [TH_MQTT_SERVER_KEEP_ALIVE] = {IN(CONNACK), TWO},
    [TH_MQTT_AUTH_METHOD] = {IN(CONNECT) | IN(CONNACK) | IN(AUTH), TEXT},
    [TH_MQTT_AUTH_DATA] = {IN(CONNECT) | IN(CONNACK) | IN(AUTH), BINARY},
    [TH_MQTT_REQUEST_PROBLEM] = {IN(CONNECT), BYTE},
    [TH_MQTT_WILL_DELAY] = {IN(WILL), FOUR},
    [TH_MQTT_REQUEST_RESPONSE] = {IN(CONNECT), BYTE},
    [TH_MQTT_RESPONSE_INFORMATION] = {IN(CONNACK), TEXT},
    [TH_MQTT_SERVER_REFERENCE] = {IN(CONNACK) | IN(DISCONNECT_IN), TEXT},
    [TH_MQTT_REASON_STRING] = {IN(CONNACK) | PUBACKS | SUBACKS | DISCONNECTS | IN(AUTH), TEXT},
    [TH_MQTT_RECEIVE_MAXIMUM] = {IN(CONNACK), TWO},
    [TH_MQTT_TOPIC_ALIAS_MAXIMUM] = {IN(CONNACK), TWO},
    [TH_MQTT_TOPIC_ALIAS] = {IN(PUBLISH_IN), TWO},
    [TH_MQTT_MAXIMUM_QOS] = {IN(CONNACK), BYTE},
    [TH_MQTT_RETAIN_AVAILABLE] = {IN(CONNACK), BYTE},
    [TH_MQTT_USER_PROPERTY] = {0xFFFF, PAIR},
    [TH_MQTT_MAXIMUM_PACKET_SIZE] = {IN(CONNACK), FOUR},
    [TH_MQTT_WILDCARD_AVAILABLE] = {IN(CONNACK), BYTE},
    [TH_MQTT_SUBSCRIPTION_ID_AVAILABLE] = {IN(CONNACK), BYTE},
    [TH_MQTT_SHARED_AVAILABLE] = {IN(CONNACK), BYTE},
};

#define IDS (sizeof table / sizeof table[0])

/* ---- values ---- */

static unsigned check_byte(enum th_mqtt_property_id id)
{
    bool broken =
        TH_RULE(payload_format_value, id == TH_MQTT_PAYLOAD_FORMAT) ||
        TH_RULE(maximum_qos_value, id == TH_MQTT_MAXIMUM_QOS) ||
        TH_RULE(retain_available_value, id == TH_MQTT_RETAIN_AVAILABLE) ||
        TH_RULE(wildcard_available_value, id == TH_MQTT_WILDCARD_AVAILABLE) ||
        TH_RULE(subscription_id_available_value, id == TH_MQTT_SUBSCRIPTION_ID_AVAILABLE) ||
        TH_RULE(shared_available_value, id == TH_MQTT_SHARED_AVAILABLE) ||
        TH_RULE(request_information_value,
                id == TH_MQTT_REQUEST_PROBLEM || id == TH_MQTT_REQUEST_RESPONSE);
    return broken ? TH_PROTOCOL_ERROR : TH_STEP_ON;
}

static unsigned check_zero(enum th_mqtt_property_id id)
{
    if (TH_RULE(alias_zero, id == TH_MQTT_TOPIC_ALIAS))
        return TH_BROKEN(TH_ERR_MQTT_TOPIC_ALIAS);
    bool broken = TH_RULE(receive_maximum_zero, id == TH_MQTT_RECEIVE_MAXIMUM) ||
                  TH_RULE(maximum_packet_size_zero, id == TH_MQTT_MAXIMUM_PACKET_SIZE) ||
                  TH_RULE(subscription_id_zero_received,
                          TH_RULE(subscription_id_zero_sent, id == TH_MQTT_SUBSCRIPTION_ID));
    return broken ? TH_PROTOCOL_ERROR : TH_STEP_ON;
}

static unsigned check_texts(const struct th_mqtt_property *property, enum type type)
{
    if (type == BINARY)
        return TH_STEP_ON;
    bool response = property->id == TH_MQTT_RESPONSE_TOPIC;
    bool content = property->id == TH_MQTT_CONTENT_TYPE;
    bool good = th_utf8_check(property->text, false);
    if (TH_RULE(response_topic_utf8, response && !good) ||
        TH_RULE(content_type_utf8, content && !good) ||
        TH_RULE(string_pair_utf8,
                type == PAIR && (!good || !th_utf8_check(property->value, false))) ||
        (type == TEXT && !response && !content && !good))
        return TH_MALFORMED;
    if (TH_RULE(response_topic_wildcard, response && good && !th_utf8_check(property->text, true)))
        return TH_PROTOCOL_ERROR;
    return TH_STEP_ON;
}

static unsigned check_value(const struct th_mqtt_property *property)
{
    enum type type = (enum type)table[property->id].type;
    if (type >= TEXT)
        return check_texts(property, type);
    if (property->number == 0)
        return check_zero(property->id);
    return type == BYTE && property->number > 1 ? check_byte(property->id) : TH_STEP_ON;
}

/* Known, allowed there, and new unless it may repeat. `seen` has a bit for each identifier. */
static unsigned check_place(uint32_t id, enum th_place place, uint32_t seen[2])
{
    if (id >= IDS || table[id].type == NONE ||
        TH_RULE(property_not_allowed,
                TH_RULE(disconnect_expiry_received, (table[id].places >> place & 1) == 0)))
        return TH_MALFORMED;
    bool repeats = id == TH_MQTT_USER_PROPERTY ||
                   (id == TH_MQTT_SUBSCRIPTION_ID && place == TH_PLACE_PUBLISH_IN);
    uint32_t bit = (uint32_t)1 << (id & 31);
    if (TH_RULE(property_twice, (seen[id >> 5] & bit) != 0 && !repeats))
        return TH_PROTOCOL_ERROR;
    seen[id >> 5] |= bit;
    return TH_STEP_ON;
}

/* ---- inbound ---- */

static void read_value(struct th_reader *reader, struct th_mqtt_property *out)
{
    switch ((enum type)table[out->id].type) {
    case BYTE: out->number = th_read_u8(reader); break;
    case TWO: out->number = th_read_u16(reader); break;
    case FOUR: out->number = th_read_u32(reader); break;
    case VARINT: out->number = th_read_varint(reader); break;
    case PAIR:
        out->text = th_read_text(reader);
        out->value = th_read_text(reader);
        break;
    case NONE:
    case TEXT:
    case BINARY: out->text = th_read_text(reader); break;
    }
}

unsigned th_property_read(struct th_reader *reader, enum th_place place, struct th_span *out)
{
    uint32_t seen[2] = {0, 0};
    uint32_t len = th_read_varint(reader);
    *out = th_read(reader, len);
    struct th_reader in = th_reader_of(*out);
    if (reader->failed)
        return TH_MALFORMED;
    while (th_read_left(&in) > 0) {
        struct th_mqtt_property property = {.number = 1};
        uint32_t id = th_read_varint(&in);
        unsigned step = check_place(id, place, seen);
        if (step != TH_STEP_ON)
            return step;
        property.id = (enum th_mqtt_property_id)id;
        read_value(&in, &property);
        if (TH_RULE(property_length, in.failed))
            return TH_MALFORMED;
        step = check_value(&property);
        if (step != TH_STEP_ON)
            return step;
    }
    bool method_missing = (seen[0] >> TH_MQTT_AUTH_METHOD & 1) == 0;
    bool data = (seen[0] >> TH_MQTT_AUTH_DATA & 1) != 0;
    return data && method_missing ? TH_PROTOCOL_ERROR : TH_STEP_ON;
}

bool th_mqtt_property_next(struct th_span properties, size_t *at, struct th_mqtt_property *out)
{
    struct th_reader reader = th_reader_of(properties);
    th_read(&reader, *at);
    *out = (struct th_mqtt_property){.number = 0};
    if (th_read_left(&reader) == 0)
        return false;
    uint32_t id = th_read_varint(&reader);
    if (id >= IDS || table[id].type == NONE)
        return false;
    out->id = (enum th_mqtt_property_id)id;
    read_value(&reader, out);
    *at = (size_t)(reader.at - properties.at);
    return !reader.failed;
}

bool th_mqtt_property_find(struct th_span properties, enum th_mqtt_property_id id,
                           struct th_mqtt_property *out)
{
    size_t at = 0;
    while (th_mqtt_property_next(properties, &at, out)) {
        if (out->id == id)
            return true;
    }
    return false;
}

uint32_t th_mqtt_property_number(struct th_span properties, enum th_mqtt_property_id id,
                                 uint32_t otherwise)
{
    struct th_mqtt_property property;
    return th_mqtt_property_find(properties, id, &property) ? property.number : otherwise;
}

void th_property_store(const struct th_mqtt_property *property, uint8_t *into)
{
    uint8_t byte = (uint8_t)property->number;
    uint16_t two = (uint16_t)property->number;
    switch ((enum type)table[property->id].type) {
    case BYTE: *into = byte; break;
    case TWO: memcpy(into, &two, sizeof two); break;
    default: memcpy(into, &property->number, sizeof property->number); break;
    }
}

/* ---- outbound ---- */

static bool fits(const struct th_mqtt_property *property)
{
    static const uint32_t most[] = {
        [BYTE] = UINT8_MAX, [TWO] = UINT16_MAX, [FOUR] = UINT32_MAX, [VARINT] = TH_REMAINING_MAX};
    enum type type = (enum type)table[property->id].type;
    if (type < TEXT)
        return property->number <= most[type];
    return property->text.len <= UINT16_MAX && property->value.len <= UINT16_MAX;
}

bool th_property_allowed(enum th_place place, const struct th_mqtt_property *at, uint8_t count)
{
    uint32_t seen[2] = {0, 0};
    for (uint8_t i = 0; i < count; i++) {
        bool misplaced = check_place((uint32_t)at[i].id, place, seen) != TH_STEP_ON;
        if (TH_RULE(property_not_allowed_sent,
                    TH_RULE(property_twice_sent, TH_RULE(publish_subscription_id, misplaced))) ||
            !fits(&at[i]) || check_value(&at[i]) != TH_STEP_ON)
            return false;
    }
    bool method_missing = (seen[0] >> TH_MQTT_AUTH_METHOD & 1) == 0;
    bool data = (seen[0] >> TH_MQTT_AUTH_DATA & 1) != 0;
    /* In AUTH the session writes the method itself. */
    if (place == TH_PLACE_AUTH)
        return method_missing;
    return !TH_RULE(auth_data_without_method, data && method_missing);
}

void th_property_write_number(struct th_writer *writer, uint8_t id, uint32_t number)
{
    th_write_u8(writer, id);
    switch ((enum type)table[id].type) {
    case BYTE: th_write_u8(writer, (uint8_t)number); break;
    case TWO: th_write_u16(writer, (uint16_t)number); break;
    case FOUR: th_write_u32(writer, number); break;
    default: th_write_varint(writer, number); break;
    }
}

void th_property_write(struct th_writer *writer, const struct th_mqtt_property *property)
{
    enum type type = (enum type)table[property->id].type;
    if (type < TEXT) {
        th_property_write_number(writer, (uint8_t)property->id, property->number);
        return;
    }
    th_write_u8(writer, (uint8_t)property->id);
    th_write_text(writer, property->text);
    if (type == PAIR)
        th_write_text(writer, property->value);
}

const struct th_mqtt_property *th_property_given(const struct th_mqtt_property *at, uint8_t count,
                                                 enum th_mqtt_property_id id)
{
    for (uint8_t i = 0; i < count; i++) {
        if (at[i].id == id)
            return &at[i];
    }
    return NULL;
}

const struct th_mqtt_property *th_property_method(const struct th_mqtt_config *config)
{
    return th_property_given(config->properties, config->property_count, TH_MQTT_AUTH_METHOD);
}
