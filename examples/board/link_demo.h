/* SPDX-License-Identifier: MIT */
/* A device on an emulated board: the secure link, and commands to try it with. */
#ifndef LINK_DEMO_H
#define LINK_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/link.h>
#include <thimble/tls_bearssl.h>

#include "../../ports/common/machine.h"
#include "../../ports/common/print.h"

#define SAY(...) th_print(th_machine_put, NULL, __VA_ARGS__)

#define FRAGMENT     TH_FRAGMENT_512
#define DER_MAX      640
#define ID_ROOM      33 /* a device id, with its NUL */
#define TOPIC_MAX    96
#define TELEMETRY_MS 5000

/* Everything the device needs while it runs; nothing else is ever reserved. */
struct demo {
    struct th_board board;
    struct th_link link;
    struct th_link_event event;
    struct th_link_config link_config;
    struct th_mqtt mqtt;
    struct th_mqtt_config mqtt_config;
    struct th_mqtt_will will;
    struct th_broker broker;
    struct th_tls_config tls_config;
    struct th_trust trust;
    struct th_identity identity;
    struct th_span anchor, certificate;
    struct th_bearssl tls;
    struct th_outbox_ram outbox;
    char id[ID_ROOM];
    char status_topic[ID_ROOM + 8];
    uint32_t telemetry_at_ms;
    size_t session_len;
    bool crash_told;
    void (*action)(struct demo *demo); /* to be done once the command is acknowledged */
    uint32_t action_at_ms;
    uint8_t session[TH_SESSION_BEARSSL];
    uint8_t anchor_der[DER_MAX], certificate_der[DER_MAX], key_der[160];
    uint8_t tls_in[TH_BEARSSL_IN(FRAGMENT)], tls_out[TH_BEARSSL_OUT(FRAGMENT)];
    uint8_t mqtt_rx[256];
    uint64_t outbox_bytes[768 / 8];
    uint16_t inbound[4];
};

/* settings.c: parameters and certificates into the configuration; false, with a word on the
 * console, when something is missing. */
bool demo_configure(struct demo *demo);

/* commands.c */
void demo_command(struct demo *demo, const struct th_mqtt_message *message);
void demo_publish(struct demo *demo, const char *topic, struct th_span payload,
                  enum th_mqtt_qos qos, bool retain);

/* text.c: a bounded buffer that th_print() can write to; what does not fit is left out. */
struct demo_text {
    size_t len;
    char at[TOPIC_MAX * 2];
};

void demo_text_put(void *text, char c);

#define TEXT(text, ...) th_print(demo_text_put, (text), __VA_ARGS__)

/* loan.c: handshake memory, lent to a history of telemetry while there is no handshake. */
#define LOAN_BYTES (sizeof(void *) == 4 ? 4144 : 4640)
extern const struct th_loan_ops demo_loan;
void demo_loan_note(uint32_t value); /* forgotten at the next handshake */
unsigned demo_loan_count(void);

/* fed_ec.c */
#include "fed_ec.h"

#endif
