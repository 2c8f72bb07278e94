/* SPDX-License-Identifier: MIT */
#include "properties.h"

#include <string.h>

#include "exits.h"
#include "options.h"
#include "term.h"

static const char *const packets[PROPERTIES_PACKETS] = {"connect", "will", "publish", "subscribe",
                                                        "disconnect"};

#define IN(packet) (1U << PROPERTIES_##packet)

struct known {
    const char *name;
    enum th_mqtt_property_id id;
    unsigned where; /* the packets it may stand in (MQTT 5.0 §2.2.2.2) */
    char kind;      /* 1, 2, 4: bytes of an integer; v: a variable one; t: text; p: a pair */
};

static const struct known table[] = {
    {"payload-format-indicator", TH_MQTT_PAYLOAD_FORMAT, IN(WILL) | IN(PUBLISH), '1'},
    {"message-expiry-interval", TH_MQTT_MESSAGE_EXPIRY, IN(WILL) | IN(PUBLISH), '4'},
    {"content-type", TH_MQTT_CONTENT_TYPE, IN(WILL) | IN(PUBLISH), 't'},
    {"response-topic", TH_MQTT_RESPONSE_TOPIC, IN(WILL) | IN(PUBLISH), 't'},
    {"correlation-data", TH_MQTT_CORRELATION_DATA, IN(WILL) | IN(PUBLISH), 't'},
    {"subscription-identifier", TH_MQTT_SUBSCRIPTION_ID, IN(SUBSCRIBE), 'v'},
    {"session-expiry-interval", TH_MQTT_SESSION_EXPIRY, IN(CONNECT) | IN(DISCONNECT), '4'},
    {"will-delay-interval", TH_MQTT_WILL_DELAY, IN(WILL), '4'},
    {"request-problem-information", TH_MQTT_REQUEST_PROBLEM, IN(CONNECT), '1'},
    {"request-response-information", TH_MQTT_REQUEST_RESPONSE, IN(CONNECT), '1'},
    {"receive-maximum", TH_MQTT_RECEIVE_MAXIMUM, IN(CONNECT), '2'},
    {"maximum-packet-size", TH_MQTT_MAXIMUM_PACKET_SIZE, IN(CONNECT), '4'},
    {"reason-string", TH_MQTT_REASON_STRING, IN(DISCONNECT), 't'},
    {"user-property", TH_MQTT_USER_PROPERTY,
     IN(CONNECT) | IN(WILL) | IN(PUBLISH) | IN(SUBSCRIBE) | IN(DISCONNECT), 'p'},
};

static int packet_of(const char *word)
{
    for (int i = 0; i < PROPERTIES_PACKETS; i++) {
        if (strcasecmp(word, packets[i]) == 0)
            return i;
    }
    return -1;
}

static const struct known *known_of(const char *word)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcasecmp(word, table[i].name) == 0)
            return &table[i];
    }
    return NULL;
}

static int wrong(const char *format, const char *word, const char *more)
{
    char text[256];
    snprintf(text, sizeof text, format, word, more);
    fail(EXIT_USAGE, "-D: %s\nthimble pub -D publish message-expiry-interval 60 ...", text);
    return -1;
}

static bool value_of(const struct known *known, char **argv, struct th_mqtt_property *out)
{
    static const long most[] = {['1'] = 1, ['2'] = 65535, ['4'] = UINT32_MAX, ['v'] = 268435455};
    long number = 0;
    out->id = known->id;
    if (known->kind == 't' || known->kind == 'p') {
        out->text = th_span_str(argv[2]);
        out->value = known->kind == 'p' ? th_span_str(argv[3]) : (struct th_span){NULL, 0};
        return out->text.len <= 65535 && out->value.len <= 65535;
    }
    if (!options_number(argv[2], 0, most[(unsigned char)known->kind], &number))
        return false;
    out->number = (uint32_t)number;
    return true;
}

int properties_take(void *user, int argc, char **argv)
{
    struct properties_flags *flags = user;
    if (argc < 3)
        return wrong("needs PACKET NAME VALUE%s%s", "", "");
    int packet = packet_of(argv[0]);
    if (packet < 0)
        return wrong("'%s' is no packet; it is one of connect, will, publish, subscribe, "
                     "disconnect%s",
                     argv[0], "");
    const struct known *known = known_of(argv[1]);
    if (!known)
        return wrong("there is no property '%s' to set%s", argv[1], "");
    if (!(known->where & (1U << packet)))
        return wrong("'%s' does not belong into %s", argv[1], packets[packet]);
    int words = known->kind == 'p' ? 4 : 3;
    if (argc < words)
        return wrong("'%s' needs a name and a value%s", argv[1], "");
    struct properties *properties = &flags->of[packet];
    if (properties->count == PROPERTIES_MAX)
        return wrong("more than %s properties for %s", "16", packets[packet]);
    if (!value_of(known, argv, &properties->at[properties->count]))
        return wrong("'%s' cannot be '%s'", argv[1], argv[2]);
    properties->count++;
    return words;
}
