/* SPDX-License-Identifier: MIT */
/*
 * A session on a workbench: the test plays the broker, byte by byte, and sees every byte the client
 * commits. Nothing moves but what the test moves; time is a number.
 */
#ifndef TEST_UNIT_BENCH_H
#define TEST_UNIT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <thimble/thimble.h>

#define BENCH_BYTES 8192
#define BENCH_ROOM  1024 /* what the stream lends for sending */
#define BENCH_TEXT  80

/* What an event said, copied, as the event's own spans are short-lived. */
struct bench_event {
    enum th_mqtt_event_kind kind;
    char topic[BENCH_TEXT], payload[BENCH_TEXT];
    size_t topic_len, payload_len;
    uint16_t id;
    uint8_t reason_code, codes[8], code_count;
    struct th_mqtt_connack connack; /* numbers only; the assigned client id is in `topic` */
    struct th_failure failure;
};

struct bench {
    bool v5, byte_by_byte;
    struct th_mqtt mqtt;
    struct th_mqtt_config config; /* change it before bench_connect() */
    struct th_outbox_ram outbox;
    _Alignas(8) uint8_t outbox_at[4096];
    uint16_t inbound[8];
    uint8_t rx[512], alias_rx[128];
    uint32_t now_ms;
    bool initialised;

    enum th_stream_state stream_state;
    bool closed;
    uint8_t to_client[BENCH_BYTES], to_broker[BENCH_BYTES], tx[BENCH_ROOM];
    size_t in_from, in_to;   /* of to_client */
    size_t out_seen, out_to; /* of to_broker: what the test has looked at, what there is */

    struct bench_event events[32];
    size_t event_seen, event_count;
};

/* For a cmocka group: each test runs on a fresh bench. BOTH makes four tests of one function,
 * <name>_in_311 and <name>_in_5, and the same with _byte_by_byte, where what the broker sends comes
 * in single bytes; ONLY_311 and ONLY_5 make two of them. */
int bench_setup_311(void **state);
int bench_setup_5(void **state);
int bench_setup_311_bytes(void **state);
int bench_setup_5_bytes(void **state);
int bench_teardown(void **state);
/* clang-format off */
#define BENCH_TEST(name, version)                                                             \
    {#name "_in_" #version, name, bench_setup_##version, bench_teardown, NULL},               \
    {#name "_in_" #version "_byte_by_byte", name, bench_setup_##version##_bytes,              \
     bench_teardown, NULL}
/* clang-format on */
#define ONLY_311(name) BENCH_TEST(name, 311)
#define ONLY_5(name)   BENCH_TEST(name, 5)
#define BOTH(name)     ONLY_311(name), ONLY_5(name)

/* ---- the course of a connection ---- */

/* th_mqtt_init if it was not, and th_mqtt_connect; nothing has run yet. */
void bench_open(struct bench *bench);
/* bench_open, and CONNECT is on its way. */
void bench_start(struct bench *bench);
/* bench_start, CONNECT looked over, CONNACK of success (`properties` in hex, 5.0), CONNECTED seen.
 */
void bench_connect(struct bench *bench, bool session_present, const char *properties);
/* The network goes away without a word. */
void bench_cut(struct bench *bench);
/* The same bench as new, but for version and configuration: for tables of cases. */
void bench_again(struct bench *bench);

/* Takes every event there is into `events`. */
void bench_run(struct bench *bench);
/* Lets time pass in steps of a second, running after each. */
void bench_wait(struct bench *bench, uint32_t seconds);

/* ---- the broker's side ---- */

/* Bytes in hex, blanks ignored; 'text' in quotes is taken literally. They are there, nothing runs.
 */
void broker_queues(struct bench *bench, const char *hex);
/* The same. Runs. */
void broker_sends(struct bench *bench, const char *hex);
/* A PUBLISH; `flags` is the low nibble of its first byte, `id` counts above QoS 0. Runs. */
void broker_publishes(struct bench *bench, uint8_t flags, uint16_t id, const char *topic,
                      const char *payload);
/* The same with properties in hex (5.0). */
void broker_publishes_with(struct bench *bench, uint8_t flags, uint16_t id, const char *topic,
                           const char *properties);
/* CONNACK; in 5.0 with properties in hex. Runs. */
void broker_accepts(struct bench *bench, bool session_present, const char *properties);
/* A packet of one identifier: PUBACK 0x40, PUBREC 0x50, PUBREL 0x62, PUBCOMP 0x70. Runs. */
void broker_acks(struct bench *bench, uint8_t first, uint16_t id);

/* ---- what the client did ---- */

struct bench_packet {
    uint8_t first;
    struct th_span all, body;
};

/* The next packet the client sent, which must be there and be whole. */
struct bench_packet next_sent(struct bench *bench);
/* The next packet sent is exactly this. */
void expect_sent(struct bench *bench, const char *hex);
/* The next packet sent has this first byte and identifier, and if it has a reason, reason 0. */
void expect_ack_sent(struct bench *bench, uint8_t first, uint16_t id);
void expect_nothing_sent(struct bench *bench);
/* The next packet sent is a PUBLISH like this. */
struct bench_publish {
    uint8_t first;
    uint16_t id;
    struct th_span topic, properties, payload;
};
struct bench_publish next_publish(struct bench *bench);
void expect_publish_sent(struct bench *bench, uint8_t first, uint16_t id, const char *topic);

/* CONNECT, taken apart by its own flags; it must end where its last field ends. */
struct bench_connect {
    struct th_span name, properties, client_id, will_properties, will_topic, will_payload, user,
        password;
    uint8_t level, flags;
    uint16_t keep_alive_s;
};
struct bench_connect next_connect(struct bench *bench);

/* The next event is of that kind. */
const struct bench_event *expect_event(struct bench *bench, enum th_mqtt_event_kind kind);
const struct bench_event *expect_message(struct bench *bench, const char *topic,
                                         const char *payload);
void expect_no_event(struct bench *bench);

/* The connection ended and is closed. 5.0: with that error, and the last thing sent was DISCONNECT
 * with `reason`. 3.1.1, which tells violations not apart: with any of them, and nothing was sent.
 */
void expect_violation(struct bench *bench, enum th_error error, uint8_t reason);
/* The connection still stands, and nothing was said about it. */
void expect_still_connected(struct bench *bench);

/* ---- shorthand for calls ---- */

enum th_error publish(struct bench *bench, enum th_mqtt_qos qos, const char *topic,
                      const char *payload, uint16_t *id);
enum th_error publish_with(struct bench *bench, enum th_mqtt_qos qos, const char *topic,
                           const struct th_mqtt_property *property, uint16_t *id);
enum th_error subscribe(struct bench *bench, enum th_mqtt_qos qos, const char *filter,
                        uint16_t *id);
enum th_error unsubscribe(struct bench *bench, const char *filter, uint16_t *id);

bool span_is(struct th_span span, const char *text);

#endif
