/* SPDX-License-Identifier: MIT */
/*
 * The link keeps one MQTT session connected: name → tcp → tls → mqtt, a deadline on every state,
 * fail-over between brokers and addresses, full-jitter back-off (R6), TLS sessions resumed where
 * they may be. It never blocks and allocates nothing.
 *
 *   for (;;) { while (th_link_next(&link, now, &event)) …; wait for the network or th_link_deadline
 * }
 */
#ifndef THIMBLE_LINK_H
#define THIMBLE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/mqtt.h>
#include <thimble/tls.h>

#define TH_LINK_ADDRESSES_MAX 4 /* of one name, tried in turn */

struct th_broker {
    const char *host;        /* DNS name or IP address literal. With TLS, a literal in brackets or
                                with a zone needs a server_name */
    uint16_t port;           /* 0: 8883 with TLS, 1883 without */
    const char *server_name; /* NULL: host. What SNI and the certificate are about */
};

/* All 0: the defaults in brackets. Each below 2^31. */
struct th_link_times {
    uint32_t resolve_ms;       /* [10,000] */
    uint32_t connect_ms;       /* [15,000] one address */
    uint32_t handshake_ms;     /* [30,000] */
    uint32_t backoff_first_ms; /* [1,000] the first wait is 0..this; it doubles each time every
                                  broker has been tried … */
    uint32_t backoff_max_ms;   /* [120,000] … up to 0..this */
    uint32_t stable_ms;        /* [60,000] connected for so long resets the back-off; a broker that
                                  kicks right after CONNACK does not */
};

/* Memory that is needed in a handshake only: taken before each, given back after. NULL ops: the
 * caller's `scratch` in the configuration is used. */
struct th_loan_ops {
    /* At least `len` bytes, aligned to 8; an empty span when it cannot be had now. */
    struct th_span (*take)(void *ctx, size_t len);
    void (*give_back)(void *ctx);
};

/* Lives and stays unchanged as long as the link, but for session_room: TH_SESSION_OVERHEAD keeps no
 * session for the time being. What it points to of trust and identity may change before
 * th_link_start() or th_link_restart(), which note what a stored session is bound to. */
struct th_link_config {
    const struct th_board *board;    /* net and entropy */
    const struct th_broker *brokers; /* tried in order, the last good one first */
    uint8_t broker_count;
    bool recovers;     /* the application turns to the recovery listener when FAILED asks for it */
    bool plaintext;    /* without TLS. Loud on purpose: everything can be read and altered */
    struct th_tls tls; /* a backend and its context, unless plaintext */
    const struct th_tls_config *tls_config;
    struct {
        const struct th_loan_ops *ops;
        void *ctx;
    } loan;
    struct th_span scratch; /* for the handshake when there is no loan; tls.ops->scratch_size */
    uint8_t *session;       /* stored TLS session: TH_SESSION_BEARSSL or TH_SESSION_OPENSSL bytes; a
                               secret. NULL: no resumption. May hold one from before a restart */
    size_t session_room;
    size_t *session_len;          /* in and out */
    uint8_t *plain_rx, *plain_tx; /* buffers of th_plain, for plaintext only */
    size_t plain_rx_room, plain_tx_room;
    struct th_link_times times;
};

enum th_link_state {
    TH_LINK_DOWN,    /* never started, or stopped */
    TH_LINK_WAITING, /* back-off, or no network */
    TH_LINK_RESOLVING,
    TH_LINK_TCP,
    TH_LINK_TLS,
    TH_LINK_MQTT, /* CONNECT is out */
    TH_LINK_UP,
};

/* Whom the configuration reaches: recovery is a listener that takes the birth certificate alone. */
enum th_link_listener { TH_LINK_MAIN, TH_LINK_RECOVERY };

enum th_link_event_kind {
    TH_LINK_EVENT_ATTEMPT, /* to reach one address begins: `attempt`. It ends in one FAILED */
    TH_LINK_EVENT_TCP,     /* connected: `tcp` */
    TH_LINK_EVENT_TLS,     /* handshake done: `tls` */
    TH_LINK_EVENT_MQTT,    /* whatever the session says: `mqtt`. Its FAILED comes as FAILED below */
    TH_LINK_EVENT_FAILED,  /* `failed`; the link goes on by itself after `retry_ms`. NO_NETWORK in
                              WAITING: once, when an attempt is due and there is no network */
    TH_LINK_EVENT_STOPPED, /* after th_link_stop(), or when the application itself has ended the
                              session with th_mqtt_disconnect() */
};

struct th_link_event {
    enum th_link_event_kind kind;
    union {
        struct {
            uint8_t broker;
            uint32_t number;
        } attempt;
        struct {
            struct th_address address;
            uint32_t took_ms;
        } tcp;
        struct {
            struct th_tls_info info;
            uint32_t took_ms;
        } tls;
        struct th_mqtt_event mqtt;
        struct {
            struct th_failure failure;
            enum th_link_state in;
            uint32_t retry_ms; /* 0: the next address, or a full handshake after a resumption that
                                  failed; TH_FOREVER: as soon as there is a network */
            bool turn;         /* in recovery (I7), and the other listener's turn has come: change
                                  the configuration, then call th_link_turn() */
        } failed;
    } u;
};

/* Fields private, size public. */
struct th_link {
    const struct th_link_config *config;
    struct th_mqtt *mqtt;
    struct th_plain plain;
    struct th_wire wire;
    struct th_stream stream;
    struct th_address addresses[TH_LINK_ADDRESSES_MAX];
    struct th_address good_address; /* where the last CONNACK came from */
    uint8_t policy_digest[TH_SHA256_BYTES], certificate_digest[TH_SHA256_BYTES];
    int64_t session_not_after_s; /* of the chain that the stored session was made with */
    uint32_t since_ms, until_ms; /* when this state began, and when it must have ended */
    uint32_t backoff_ms;         /* the next full wait is 0..this */
    uint32_t attempts;
    uint8_t state, broker, address_count, address_at;
    uint8_t good, first, pass; /* the last broker that accepted us; the one this pass over the list
                                  began with; how many of the list the pass has done with */
    uint8_t stopping;
    bool begun, wire_open, stream_open, resolving, lent, stable, offline;
    bool tried_session, resumed, session_stored;
    bool recovering; /* the broker has refused our certificate, and not taken it since */
    uint8_t listener;
};

/* TH_ERR_CONFIG when something contradicts (no broker, neither TLS nor plaintext, a session buffer
 * without its length, a handshake without memory …). The MQTT session must be initialised and IDLE
 * and lives as long. */
enum th_error th_link_init(struct th_link *link, const struct th_link_config *config,
                           struct th_mqtt *mqtt);

void th_link_start(struct th_link *link, uint32_t now_ms);

/* DISCONNECT in good order where there is a connection (at most 2 s), then STOPPED. */
void th_link_stop(struct th_link *link, uint32_t now_ms);

/* Drops the connection without a word and starts anew at once, with the back-off at its beginning:
 * after a change of trust or identity. No FAILED comes for what was dropped. `forget_session`: a
 * full handshake then (every trial needs one). */
void th_link_restart(struct th_link *link, uint32_t now_ms, bool forget_session);

/* Recovery (I7). Once a broker has refused our certificate by a TLS alert, and until it takes it
 * again, the link is in recovery: after each pass over the brokers FAILED asks for a turn. An alert
 * alone proves nothing (an expired revocation list sends one to everybody), so that the two
 * listeners alternate, under the back-off that goes on. `brokers`, identity and session of the
 * configuration may be changed before the call; a connection that stands is dropped, and the next
 * attempt waits for its back-off. */
void th_link_turn(struct th_link *link, enum th_link_listener to, uint32_t now_ms);
enum th_link_listener th_link_listener(const struct th_link *link);
bool th_link_recovering(const struct th_link *link);

/* The next event; false when there is none now. Does a bounded amount of work: at most one
 * public-key operation. Spans in the event live until the next call. */
bool th_link_next(struct th_link *link, uint32_t now_ms, struct th_link_event *event);

/* Milliseconds until th_link_next() must be called even if the network is silent. */
uint32_t th_link_deadline(const struct th_link *link, uint32_t now_ms);

enum th_link_state th_link_state(const struct th_link *link);
const char *th_link_state_name(enum th_link_state state);

#endif
