/* SPDX-License-Identifier: MIT */
/*
 * What the broker says, packet by packet in both versions, shown to the session whole, byte by
 * byte, in grains, and split at each point: events and answers must be the same each time, and the
 * expected ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mqtt_harness.h"

#define CONNACK_311 "20 02 00 00 "
#define CONNACK_5   "20 03 00 00 00 "

struct vector {
    const char *what;
    uint8_t version;
    const char *says;     /* behind the first two characters of CONNACK, or all of it */
    const char *expected; /* the first word of each line of the log */
};

struct run {
    struct harness_stream stream;
    struct harness_log log;
    struct th_mqtt mqtt;
    struct th_outbox_ram outbox;
    _Alignas(8) uint8_t outbox_at[2048];
    uint16_t inbound[4];
    uint8_t rx[64], alias_rx[64], tx[256], out[4096], in[4096];
};

/* Something of each kind is on its way: ids 1 and 2 at QoS 1 and 2, a SUBSCRIBE of two filters as
 * 3, an UNSUBSCRIBE of one as 4. */
static void on_connected(struct th_mqtt *mqtt)
{
    static const struct th_mqtt_filter filters[] = {
        {.filter = {(const uint8_t *)"a/#", 3}, .qos = TH_MQTT_QOS1},
        {.filter = {(const uint8_t *)"b", 1}, .qos = TH_MQTT_QOS2}};
    static const struct th_mqtt_filter gone = {.filter = {(const uint8_t *)"c", 1}};
    struct th_mqtt_publish publish = {.topic = TH_SPAN("t"), .payload = TH_SPAN("x")};
    for (unsigned qos = 1; qos <= 2; qos++) {
        publish.qos = (enum th_mqtt_qos)qos;
        assert_int_equal(th_mqtt_publish(mqtt, &publish, NULL), TH_OK);
    }
    assert_int_equal(th_mqtt_subscribe(mqtt, filters, 2, NULL, 0, NULL), TH_OK);
    assert_int_equal(th_mqtt_unsubscribe(mqtt, &gone, 1, NULL, 0, NULL), TH_OK);
}

static void play(struct run *run, const struct vector *vector, size_t grain, size_t split)
{
    static const struct th_mqtt_property method = {.id = TH_MQTT_AUTH_METHOD,
                                                   .text = {(const uint8_t *)"m", 1}};
    bool with_method = strstr(vector->what, "AUTH") != NULL;
    struct th_mqtt_config config = {.version = vector->version == 5 ? &th_mqtt_v5 : &th_mqtt_v311,
                                    .client_id = TH_SPAN("me"),
                                    .session_expiry_s = 100,
                                    .maximum_packet_size = 1000,
                                    .properties = with_method ? &method : NULL,
                                    .property_count = with_method,
                                    .rx = run->rx,
                                    .rx_room = sizeof run->rx,
                                    .large = &th_mqtt_large,
                                    .aliasing = &th_mqtt_aliasing,
                                    .auth = &th_mqtt_auth_steps,
                                    .alias_rx = run->alias_rx,
                                    .alias_rx_room = sizeof run->alias_rx,
                                    .alias_rx_maximum = 4};
    struct th_mqtt_event event;
    uint32_t now_ms = UINT32_MAX - 5; /* R8: the counter wraps in between */
    *run = (struct run){.stream = {.grain = grain, .split = split, .end = true}};
    run->stream.tx = run->tx;
    run->stream.tx_room = sizeof run->tx;
    run->stream.out = run->out;
    run->stream.out_room = sizeof run->out;
    run->stream.out_digest = HARNESS_DIGEST;
    run->stream.in = th_span_of(run->in, harness_hex(vector->says, run->in, sizeof run->in));
    config.outbox =
        th_outbox_ram_init(&run->outbox, run->outbox_at, sizeof run->outbox_at, run->inbound, 4);
    assert_int_equal(th_mqtt_init(&run->mqtt, &config), TH_OK);
    assert_int_equal(th_mqtt_connect(&run->mqtt, harness_stream(&run->stream), now_ms), TH_OK);
    for (unsigned turn = 0; th_mqtt_state(&run->mqtt) != TH_MQTT_IDLE; turn++) {
        assert_true(turn < 10000);
        now_ms += turn < 20;
        while (th_mqtt_next(&run->mqtt, now_ms, &event)) {
            harness_log_event(&run->log, &event);
            if (event.kind == TH_MQTT_EVENT_CONNECTED && strstr(vector->what, "CONNACK") == NULL)
                on_connected(&run->mqtt);
        }
    }
    assert_true(run->stream.closed);
}

static void first_words(const struct harness_log *log, char *into, size_t room)
{
    size_t len = 0;
    for (const char *line = log->text; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t word = strcspn(line, " \n");
        if (strncmp(line, "failed", 6) == 0)
            word += 1 + strcspn(line + 7, " \n");
        if (len + word + 2 > room)
            fail_msg("the log is too long");
        if (len > 0)
            into[len++] = ' ';
        memcpy(into + len, line, word);
        len += word;
    }
    into[len] = '\0';
}

static void check_vector(const struct vector *vector)
{
    static struct run whole, cut;
    char words[512];
    play(&whole, vector, 0, 0);
    first_words(&whole.log, words, sizeof words);
    if (strcmp(words, vector->expected) != 0)
        fail_msg("%s (%u): %s", vector->what, vector->version, whole.log.text);
    size_t len = whole.stream.in.len;
    for (size_t i = 0; i < len + 8; i++) {
        if (i == 0)
            continue;
        play(&cut, vector, i < 8 ? i : 0, i < 8 ? 0 : i - 7);
        if (strcmp(whole.log.text, cut.log.text) != 0)
            fail_msg("%s (%u), %zu:\n%s\n%s", vector->what, vector->version, i, whole.log.text,
                     cut.log.text);
        /* What waits to leave when DISCONNECT comes is not sent any more. */
        bool told = strstr(whole.log.text, "SERVER_DISCONNECT") != NULL;
        if (!told && whole.stream.out_digest != cut.stream.out_digest)
            fail_msg("%s (%u), %zu: other answers", vector->what, vector->version, i);
    }
}

#define X10    "58 58 58 58 58 58 58 58 58 58 "
#define X50    X10 X10 X10 X10 X10
#define CLOSED " failed MQTT_CLOSED"
#define BROKEN " failed MQTT_MALFORMED"
#define WRONG  " failed MQTT_PROTOCOL"

static const struct vector vectors[] = {
    {"CONNACK", 4, CONNACK_311, "connected" CLOSED},
    {"CONNACK, session present", 4, "20 02 01 00", "connected" CLOSED},
    {"CONNACK, refused", 4, "20 02 00 05", "failed CONNACK_REFUSED"},
    {"CONNACK, reserved code", 4, "20 02 00 06", "failed MQTT_MALFORMED"},
    {"CONNACK, short", 4, "20 01 00", "failed MQTT_MALFORMED"},
    {"CONNACK, long", 4, "20 03 00 00 00", "failed MQTT_MALFORMED"},
    {"nothing", 4, "", "failed CONNACK_CLOSED"},
    {"CONNACK, half", 4, "20 02 00", "failed CONNACK_CLOSED"},
    {"CONNACK", 5, CONNACK_5, "connected" CLOSED},
    {"CONNACK, all properties", 5,
     "20 (00 00 (11 00000E10 21 000A 24 01 25 01 27 00010000 22 0003 1F 0002 'ok' 26 0001 'k' "
     "0001 'v' 28 01 29 01 2A 01 13 000A 1C 0001 's' 12 0002 'id'))",
     "connected" CLOSED},
    {"CONNACK, refused with a reason", 5, "20 (00 87 (1F 0004 'no!!'))", "failed CONNACK_REFUSED"},
    {"CONNACK, unknown code", 5, "20 03 00 7F 00", "failed MQTT_PROTOCOL"},
    {"PUBLISH before CONNACK", 4, "30 03 0001 'a'", "failed MQTT_PROTOCOL"},
    {"a second CONNACK", 4, CONNACK_311 CONNACK_311, "connected" WRONG},
    {"PUBLISH at QoS 0", 4, CONNACK_311 "30 06 0001 'a' 'xyz'", "connected message" CLOSED},
    {"PUBLISH without payload", 4, CONNACK_311 "31 03 0001 'a'", "connected message" CLOSED},
    {"PUBLISH at QoS 1", 4, CONNACK_311 "32 06 0001 'a' 0009 'x'", "connected message" CLOSED},
    {"PUBLISH at QoS 1, repeated", 4, CONNACK_311 "3A 06 0001 'a' 0009 'x'",
     "connected message" CLOSED},
    {"PUBLISH at QoS 2, repeated, released, again", 4,
     CONNACK_311 "34 06 0001 'a' 0009 'x' 3C 06 0001 'a' 0009 'x' 62 02 0009 34 06 0001 'a' 0009 "
                 "'y' 62 02 0009",
     "connected message message" CLOSED},
    {"PUBLISH at QoS 3", 4, CONNACK_311 "36 06 0001 'a' 0009 'x'", "connected" BROKEN},
    {"PUBLISH at QoS 0 with DUP", 4, CONNACK_311 "38 03 0001 'a'", "connected" BROKEN},
    {"PUBLISH with identifier 0", 4, CONNACK_311 "32 06 0001 'a' 0000 'x'", "connected" WRONG},
    {"PUBLISH, topic beyond the end", 4, CONNACK_311 "30 03 0002 'a'", "connected" BROKEN},
    {"PUBLISH, no room for its identifier", 4, CONNACK_311 "32 04 0001 'a' 00", "connected" BROKEN},
    {"PUBLISH, empty topic", 4, CONNACK_311 "30 02 0000", "connected failed MQTT_TOPIC_NAME"},
    {"PUBLISH, wildcard", 4, CONNACK_311 "30 03 0001 '#'", "connected failed MQTT_TOPIC_NAME"},
    {"PUBLISH, no UTF-8", 4, CONNACK_311 "30 03 0001 FF", "connected" BROKEN},
    {"PUBLISH that just fits", 4, CONNACK_311 "30 3E 0001 'a' " X50 "58 58 58 58 58 58 58 58 58",
     "connected message" CLOSED},
    {"PUBLISH one byte too large, streamed", 4, CONNACK_311 "30 3F 0001 'a' " X50 X10,
     "connected begin chunk end" CLOSED},
    {"PUBLISH of several chunks", 4,
     CONNACK_311 "32 D1 01 0003 'abc' 0007 " X50 X50 X50 X50 "58 58 30 03 0001 'b'",
     "connected begin chunk chunk chunk chunk end message" CLOSED},
    {"PUBLISH of several chunks at QoS 2, repeated", 4,
     CONNACK_311 "34 6B 0003 'abc' 0007 " X50 X50 "3C 6B 0003 'abc' 0007 " X50 X50 "62 02 0007",
     "connected begin chunk chunk end" CLOSED},
    {"PUBLISH of several chunks, cut", 4, CONNACK_311 "30 D1 01 0003 'abc' " X50 X50,
     "connected begin chunk" CLOSED},
    {"PUBLISH whose head does not fit", 4, CONNACK_311 "30 50 0040 " X50 X10 X10,
     "connected failed MEMORY_PACKET"},
    {"PUBLISH, large, topic beyond the end", 4, CONNACK_311 "30 46 0070 " X50 X10 X10,
     "connected" BROKEN},
    {"PUBACK", 4, CONNACK_311 "40 02 0001", "connected published" CLOSED},
    {"PUBACK, unknown", 4, CONNACK_311 "40 02 0055", "connected" CLOSED},
    {"PUBACK for QoS 2", 4, CONNACK_311 "40 02 0002", "connected" WRONG},
    {"PUBACK, identifier 0", 4, CONNACK_311 "40 02 0000", "connected" WRONG},
    {"PUBACK, short", 4, CONNACK_311 "40 01 00", "connected" BROKEN},
    {"PUBACK, long", 4, CONNACK_311 "40 03 0001 00", "connected" BROKEN},
    {"PUBREC and PUBCOMP", 4, CONNACK_311 "50 02 0002 70 02 0002", "connected published" CLOSED},
    {"PUBREC twice", 4, CONNACK_311 "50 02 0002 50 02 0002 70 02 0002",
     "connected published" CLOSED},
    {"PUBREC, unknown", 4, CONNACK_311 "50 02 0066", "connected" CLOSED},
    {"PUBREC for QoS 1", 4, CONNACK_311 "50 02 0001", "connected" WRONG},
    {"PUBCOMP before PUBREC", 4, CONNACK_311 "70 02 0002", "connected" WRONG},
    {"PUBCOMP, identifier 0, behind one that is done with", 4,
     CONNACK_311 "50 02 0002 70 02 0002 70 02 0000", "connected published" WRONG},
    {"PUBREL, unknown", 4, CONNACK_311 "62 02 0044", "connected" CLOSED},
    {"PUBREL with wrong flags", 4, CONNACK_311 "60 02 0044", "connected" BROKEN},
    {"SUBACK", 4, CONNACK_311 "90 04 0003 01 80", "connected subscribed" CLOSED},
    {"SUBACK, too few codes", 4, CONNACK_311 "90 03 0003 01", "connected" WRONG},
    {"SUBACK, unknown code", 4, CONNACK_311 "90 04 0003 01 03", "connected" WRONG},
    {"SUBACK, unknown identifier", 4, CONNACK_311 "90 04 0004 01 01", "connected" WRONG},
    {"UNSUBACK", 4, CONNACK_311 "B0 02 0004", "connected unsubscribed" CLOSED},
    {"UNSUBACK with a code", 4, CONNACK_311 "B0 03 0004 00", "connected" WRONG},
    {"PINGRESP", 4, CONNACK_311 "D0 00", "connected" CLOSED},
    {"PINGRESP with a byte", 4, CONNACK_311 "D0 01 00", "connected" BROKEN},
    {"SUBSCRIBE from a broker", 4, CONNACK_311 "82 06 0001 0001 'a' 00", "connected" WRONG},
    {"DISCONNECT from a broker of 3.1.1", 4, CONNACK_311 "E0 00", "connected" WRONG},
    {"packet type 0", 4, CONNACK_311 "00 00", "connected" BROKEN},
    {"packet type 15", 4, CONNACK_311 "F0 00", "connected" WRONG},
    {"remaining length of five bytes", 4, CONNACK_311 "30 80 80 80 80 01", "connected" BROKEN},
    {"a large packet that is no PUBLISH", 4, CONNACK_311 "90 80 01 0003 01 01",
     "connected failed MEMORY_PACKET"},

    {"PUBLISH", 5, CONNACK_5 "30 07 0001 'a' 00 'xyz'", "connected message" CLOSED},
    {"PUBLISH without property length", 5, CONNACK_5 "30 03 0001 'a'", "connected" BROKEN},
    {"PUBLISH, all properties", 5,
     CONNACK_5 "30 (0001 'a' (01 01 02 00000010 03 0001 'c' 08 0001 'r' 09 0002 0102 0B 05 0B "
               "8001 26 0001 'k' 0001 'v' 23 0001) 'x')",
     "connected message" CLOSED},
    {"PUBLISH by alias", 5, CONNACK_5 "30 (0001 'a' (23 00))", "connected" BROKEN},
    {"PUBLISH by alias", 5,
     CONNACK_5 "30 (0001 'a' (23 0002)) 30 (0000 (23 0002) 'x') 30 (0003 'abc' (23 0001)) "
               "30 (0000 (23 0002) 'y') 30 (0000 (23 0001))",
     "connected message message message message message" CLOSED},
    {"PUBLISH by an alias never given", 5, CONNACK_5 "30 06 0000 03 23 0001", "connected" WRONG},
    {"PUBLISH by alias 0", 5, CONNACK_5 "30 07 0001 'a' 03 23 0000",
     "connected failed MQTT_TOPIC_ALIAS"},
    {"PUBLISH by too large an alias", 5, CONNACK_5 "30 07 0001 'a' 03 23 0005",
     "connected failed MQTT_TOPIC_ALIAS"},
    {"PUBLISH, aliases beyond their memory", 5,
     CONNACK_5 "30 (0036 " X50 "58 58 58 58 (23 0001)) 30 (0004 'abcd' (23 0002))",
     "connected message failed MEMORY_ALIAS"},
    {"PUBLISH, streamed with properties", 5,
     CONNACK_5 "32 A4 01 0003 'abc' 0007 (26 0001 'k' 0001 'v') " X50 X50 X50,
     "connected begin chunk chunk chunk end" CLOSED},
    {"PUBLISH above our maximum", 5, CONNACK_5 "30 E6 07 0001 'a' 00",
     "connected failed MQTT_PACKET_TOO_LARGE"},
    {"PUBACK", 5, CONNACK_5 "40 02 0001", "connected published" CLOSED},
    {"PUBACK with a reason", 5, CONNACK_5 "40 03 0001 10", "connected published" CLOSED},
    {"PUBACK with properties", 5, CONNACK_5 "40 (0001 87 (1F 0002 'no'))",
     "connected published" CLOSED},
    {"PUBACK, unknown reason", 5, CONNACK_5 "40 03 0001 11", "connected" WRONG},
    {"PUBREC, refused", 5, CONNACK_5 "50 03 0002 97", "connected published" CLOSED},
    {"PUBREC and PUBCOMP", 5, CONNACK_5 "50 04 0002 00 00 70 03 0002 00",
     "connected published" CLOSED},
    {"PUBREL, unknown", 5, CONNACK_5 "62 04 0044 00 00", "connected" CLOSED},
    {"SUBACK", 5, CONNACK_5 "90 (0003 (1F 0002 'ok') 01 87)", "connected subscribed" CLOSED},
    {"UNSUBACK", 5, CONNACK_5 "B0 (0004 00 11)", "connected unsubscribed" CLOSED},
    {"UNSUBACK without codes", 5, CONNACK_5 "B0 03 0004 00", "connected" WRONG},
    {"DISCONNECT", 5, CONNACK_5 "E0 00", "connected failed MQTT_SERVER_DISCONNECT"},
    {"DISCONNECT with properties", 5, CONNACK_5 "E0 (8E (1F 0001 'x' 1C 0002 'ab'))",
     "connected failed MQTT_SERVER_DISCONNECT"},
    {"DISCONNECT before CONNACK", 5, "E0 02 8E 00", "failed MQTT_PROTOCOL"},
    {"AUTH that was not asked for is one too many", 5, CONNACK_5 "F0 00", "failed MQTT_PROTOCOL"},
    {"AUTH, then CONNACK", 5, "F0 (18 (15 0001 'm' 16 0001 55)) 20 (00 00 (15 0001 'm'))",
     "auth connected" CLOSED},
    {"properties beyond the packet", 5, CONNACK_5 "30 05 0001 'a' 02 01", "connected" BROKEN},
    {"a property cut off", 5, CONNACK_5 "30 06 0001 'a' 02 02 00", "connected" BROKEN},
    {"an unknown property", 5, CONNACK_5 "30 06 0001 'a' 02 04 00", "connected" BROKEN},
    {"a length in more bytes than it needs", 5, CONNACK_5 "30 84 00 0001 'a' 00",
     "connected" BROKEN},
};

static void every_packet_reads_the_same_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        check_vector(&vectors[i]);
}

/* All good vectors of a version behind one another, in one stream. */
static void a_long_conversation_reads_the_same_in_any_grains(void **state)
{
    (void)state;
    static struct run whole, cut;
    static const char says[] = CONNACK_5
        "30 07 0001 'a' 00 'xyz' 32 07 0001 'a' 0009 00 'x' 40 02 0001 34 07 0001 'a' 000A 00 'x' "
        "50 02 0002 62 02 000A 70 02 0002 30 D2 01 0003 'abc' 00 " X50 X50 X50 X50
        "58 58 58 58 90 05 0003 00 01 02 D0 00 B0 04 0004 00 00 34 6C 0003 'abc' 0007 00 " X50 X50
        "62 02 0007 30 07 0001 'z' 00 'end'";
    const struct vector vector = {"a long conversation", 5, says, ""};
    play(&whole, &vector, 0, 0);
    assert_non_null(strstr(whole.log.text, "message z qos 0"));
    for (size_t grain = 1; grain < whole.stream.in.len; grain++) {
        play(&cut, &vector, grain, 0);
        assert_string_equal(whole.log.text, cut.log.text);
        assert_int_equal(whole.stream.out_digest, cut.stream.out_digest);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_reads_the_same_in_any_pieces),
        cmocka_unit_test(a_long_conversation_reads_the_same_in_any_grains),
    };
    return cmocka_run_group_tests_name("packets in pieces", tests, NULL, NULL);
}
