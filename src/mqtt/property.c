/* SPDX-License-Identifier: MIT */
#include "mqtt/property.h"

#include <thimble/topic.h>

#include "base/utf8.h"

/* The numbers by their width in bytes; three bytes there are not. */
enum type { NONE, BYTE, TWO, VARINT, FOUR, TEXT, BINARY, PAIR };

/* A row is a place's bit for each place where it may stand, and its type in three bits that no
 * place needs: the four acknowledgements of PUBLISH are one place. */
#define TYPE_AT     5
#define IN(place)   (1u << (TH_PLACE_##place))
#define OF(type)    ((unsigned)(type) << TYPE_AT)
#define MESSAGE     (IN(PUBLISH) | IN(PUBLISH_IN) | IN(WILL))
#define PUBACKS     (1u << 4)
#define SUBACKS     (1u << 9 | 1u << 11)
#define DISCONNECTS (IN(DISCONNECT) | IN(DISCONNECT_IN))
#define EVERYWHERE  (0xFFFFu & ~OF(7))

/* By identifier: where the application may give it or the broker may send it, and its type. What
 * the session writes itself (receive maximum and others in CONNECT, topic alias) is not for the
 * application to give. */
static const uint16_t table[] = {
    [TH_MQTT_PAYLOAD_FORMAT] = MESSAGE | OF(BYTE),
    [TH_MQTT_MESSAGE_EXPIRY] = MESSAGE | OF(FOUR),
    [TH_MQTT_CONTENT_TYPE] = MESSAGE | OF(TEXT),
    [TH_MQTT_RESPONSE_TOPIC] = MESSAGE | OF(TEXT),
    [TH_MQTT_CORRELATION_DATA] = MESSAGE | OF(BINARY),
    [TH_MQTT_SUBSCRIPTION_ID] = (IN(PUBLISH_IN) | IN(SUBSCRIBE)) | OF(VARINT),
    [TH_MQTT_SESSION_EXPIRY] = (IN(CONNACK) | IN(DISCONNECT)) | OF(FOUR),
    [TH_MQTT_ASSIGNED_CLIENT_ID] = IN(CONNACK) | OF(TEXT),
    [TH_MQTT_SERVER_KEEP_ALIVE] = IN(CONNACK) | OF(TWO),
    [TH_MQTT_AUTH_METHOD] = (IN(CONNECT) | IN(CONNACK) | IN(AUTH)) | OF(TEXT),
    [TH_MQTT_AUTH_DATA] = (IN(CONNECT) | IN(CONNACK) | IN(AUTH)) | OF(BINARY),
    [TH_MQTT_REQUEST_PROBLEM] = IN(CONNECT) | OF(BYTE),
    [TH_MQTT_WILL_DELAY] = IN(WILL) | OF(FOUR),
    [TH_MQTT_REQUEST_RESPONSE] = IN(CONNECT) | OF(BYTE),
    [TH_MQTT_RESPONSE_INFORMATION] = IN(CONNACK) | OF(TEXT),
    [TH_MQTT_SERVER_REFERENCE] = (IN(CONNACK) | IN(DISCONNECT_IN)) | OF(TEXT),
    [TH_MQTT_REASON_STRING] = (IN(CONNACK) | PUBACKS | SUBACKS | DISCONNECTS | IN(AUTH)) | OF(TEXT),
    [TH_MQTT_RECEIVE_MAXIMUM] = IN(CONNACK) | OF(TWO),
    [TH_MQTT_TOPIC_ALIAS_MAXIMUM] = IN(CONNACK) | OF(TWO),
    [TH_MQTT_TOPIC_ALIAS] = IN(PUBLISH_IN) | OF(TWO),
    [TH_MQTT_MAXIMUM_QOS] = IN(CONNACK) | OF(BYTE),
    [TH_MQTT_RETAIN_AVAILABLE] = IN(CONNACK) | OF(BYTE),
    [TH_MQTT_USER_PROPERTY] = EVERYWHERE | OF(PAIR),
    [TH_MQTT_MAXIMUM_PACKET_SIZE] = IN(CONNACK) | OF(FOUR),
    [TH_MQTT_WILDCARD_AVAILABLE] = IN(CONNACK) | OF(BYTE),
    [TH_MQTT_SUBSCRIPTION_ID_AVAILABLE] = IN(CONNACK) | OF(BYTE),
    [TH_MQTT_SHARED_AVAILABLE] = IN(CONNACK) | OF(BYTE),
};

#define IDS (sizeof table / sizeof table[0])

static enum type type_of(uint32_t id)
{
    return (enum type)(table[id] >> TYPE_AT & 7);
}

/* ---- values ---- */

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

/* A byte is 0 or 1, whichever property it is. */
static unsigned check_byte(enum th_mqtt_property_id id)
{
    bool spared =
        TH_WRONG(payload_format_value, id == TH_MQTT_PAYLOAD_FORMAT) ||
        TH_WRONG(maximum_qos_value, id == TH_MQTT_MAXIMUM_QOS) ||
        TH_WRONG(retain_available_value, id == TH_MQTT_RETAIN_AVAILABLE) ||
        TH_WRONG(wildcard_available_value, id == TH_MQTT_WILDCARD_AVAILABLE) ||
        TH_WRONG(subscription_id_available_value, id == TH_MQTT_SUBSCRIPTION_ID_AVAILABLE) ||
        TH_WRONG(shared_available_value, id == TH_MQTT_SHARED_AVAILABLE) ||
        TH_WRONG(request_information_value,
                 id == TH_MQTT_REQUEST_PROBLEM || id == TH_MQTT_REQUEST_RESPONSE);
    return spared ? TH_STEP_ON : TH_PROTOCOL_ERROR;
}

static unsigned check_texts(const struct th_mqtt_property *property, enum type type)
{
    enum th_mqtt_property_id id = property->id;
    bool good = th_utf8_check(property->text, false) &&
                (type != PAIR || th_utf8_check(property->value, false));
    if (!good && !TH_WRONG(response_topic_utf8, id == TH_MQTT_RESPONSE_TOPIC) &&
        !TH_WRONG(content_type_utf8, id == TH_MQTT_CONTENT_TYPE) &&
        !TH_WRONG(string_pair_utf8, type == PAIR))
        return TH_MALFORMED;
    if (TH_RULE(response_topic_wildcard,
                good && id == TH_MQTT_RESPONSE_TOPIC && !th_utf8_check(property->text, true)))
        return TH_PROTOCOL_ERROR;
    return TH_STEP_ON;
}

static unsigned check_value(const struct th_mqtt_property *property)
{
    enum type type = type_of(property->id);
    if (type >= TEXT)
        return type == BINARY ? TH_STEP_ON : check_texts(property, type);
    if (property->number == 0)
        return check_zero(property->id);
    return type == BYTE && property->number > 1 ? check_byte(property->id) : TH_STEP_ON;
}

/* Known, allowed there, and new unless it may repeat. `seen` has a bit for each identifier. */
static unsigned check_place(uint32_t id, enum th_place place, uint32_t seen[2])
{
    if (place > 4 && place < 8)
        place = (enum th_place)4;
    if (id >= IDS || type_of(id) == NONE ||
        TH_RULE(property_not_allowed,
                TH_RULE(disconnect_expiry_received, (table[id] >> place & 1) == 0)))
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

/* The next property; false when there is none of that identifier, or it ends early. */
static bool read_one(struct th_reader *reader, struct th_mqtt_property *out)
{
    uint32_t id = th_read_varint(reader);
    *out = (struct th_mqtt_property){.number = 0};
    if (id >= IDS || type_of(id) == NONE)
        return false;
    out->id = (enum th_mqtt_property_id)id;
    enum type type = type_of(id);
    if (type >= TEXT)
        th_read_text(reader, &out->text);
    else if (type == VARINT)
        out->number = th_read_varint(reader);
    else
        for (unsigned i = 0; i < (unsigned)type; i++)
            out->number = out->number << 8 | th_read_u8(reader);
    if (type == PAIR)
        th_read_text(reader, &out->value);
    return TH_VALUE(property_length, !reader->failed, true);
}

unsigned th_property_read(struct th_reader *reader, enum th_place place, struct th_span *out)
{
    uint32_t seen[2] = {0, 0};
    th_read(reader, th_read_varint(reader), out);
    struct th_reader in = th_reader_of(*out);
    if (reader->failed)
        return TH_MALFORMED;
    while (th_read_left(&in) > 0) {
        struct th_mqtt_property property;
        if (!read_one(&in, &property))
            return TH_MALFORMED;
        unsigned step = check_place((uint32_t)property.id, place, seen);
        if (step == TH_STEP_ON)
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
    struct th_span before;
    th_read(&reader, *at, &before);
    bool found = th_read_left(&reader) > 0 && read_one(&reader, out) && !reader.failed;
    *at = (size_t)(reader.at - properties.at);
    return found;
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
    switch (type_of(property->id)) {
    case BYTE: *into = byte; break;
    case TWO: memcpy(into, &two, sizeof two); break;
    default: memcpy(into, &property->number, sizeof property->number); break;
    }
}

/* ---- outbound ---- */

static bool fits(const struct th_mqtt_property *property)
{
    enum type type = type_of(property->id);
    if (type >= TEXT)
        return property->text.len <= UINT16_MAX && property->value.len <= UINT16_MAX;
    if (type == VARINT)
        return property->number <= TH_REMAINING_MAX;
    return type == FOUR || property->number >> 8 * (unsigned)type == 0;
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
    unsigned width = type_of(id);
    if (width == VARINT) {
        th_write_varint(writer, number);
        return;
    }
    while (width-- > 0)
        th_write_u8(writer, (uint8_t)(number >> 8 * width));
}

void th_property_write(struct th_writer *writer, const struct th_mqtt_property *property)
{
    enum type type = type_of(property->id);
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
