/* SPDX-License-Identifier: MIT */
/*
 * A whole device in the simulated world: flash that tears, a radio, servers of time, brokers, an
 * agent and a user who answer. TLS is a model: it has certificates' dates, anchors and sessions,
 * and no cryptography, so that ten years of a device take seconds. Real TLS is tried by
 * test_link_over_tls.c and against mosquitto.
 */
#ifndef TEST_DEVICE_WORLD_H
#define TEST_DEVICE_WORLD_H

#include <thimble/certificate.h>
#include <thimble/device.h>
#include <thimble/json.h>

#include "ports/sim/flash.h"
#include "ports/sim/sim_broker.h"
#include "ports/sim/sim_radio.h"
#include "ports/sim/sim_time.h"

#define WORLD_NOW_S   INT64_C(1795000000) /* in 2026 */
#define WORLD_BUILT_S INT64_C(1790000000)
#define WORLD_YEAR_S  INT64_C(31557600)
#define WORLD_LINES   32
#define WORLD_LINE    200

/* A broker as TLS sees it. `name` is its host in settings and trust sets. */
struct world_server {
    const char *name;
    uint8_t anchor; /* which CA has signed it: 1 or 2 */
    int64_t not_before_s, not_after_s;
    uint8_t remembers; /* of which start its session is: 0 none */
    struct th_address at;
    struct th_sim_broker *broker;
    unsigned full, resumed; /* handshakes */
    bool refuses_us;
    bool refuses_next; /* … with the certificate of the next LDevID alone */
    bool refuses_old;  /* … with that of world_enrol() alone, as expired */
    bool births;       /* a recovery listener: takes birth certificates and nothing else */
};

#define WORLD_SERVERS 3

struct device_world {
    struct th_sim *sim;
    struct th_sim_node node;
    struct th_board board;
    struct sim_flash flash;
    struct sim_radio radio;
    struct sim_time times;
    struct world_server servers[WORLD_SERVERS]; /* "one.example", "two.example", and
                                                   "recovery.example" */
    uint8_t rtc[TH_RTC_BYTES];
    enum th_reset_reason reset;
    bool restarts; /* the device has asked for a restart */
    bool without_flash;
    bool busy, again; /* in a step; something has happened meanwhile */
    struct th_device device;
    struct th_device_config config;
    struct th_crypto crypto;
    /* Whoever answers. */
    bool agent_silent, user_silent;
    int64_t agent_off_ms; /* the agent's clock, beside the true time */
    bool checks_us;       /* brokers look at the dates of our certificate, by the true time */
    /* Cert.Renew; NULL: nobody answers it. */
    void (*on_renewal)(void *ctx, int64_t id, const char *nonce, struct th_json params);
    void *renewal_ctx;
    unsigned proofs, times_asked;
    struct th_recovery recovery; /* where the device is to have it: world_recovers() */
    bool recovers;
    void (*asked)(struct device_world *world, struct th_span request); /* on recover/lamp/request */
    /* What came out of it. */
    char lines[WORLD_LINES][WORLD_LINE], logs[WORLD_LINES][WORLD_LINE * 2];
    unsigned line_count, log_count;
    unsigned feeds;
    /* Memory of the device. */
    struct th_outbox_ram outbox;
    uint64_t outbox_bytes[2048 / 8];
    uint16_t inbound[4];
    uint8_t session[TH_SESSION_BEARSSL], trust[TH_TRUST_BUNDLE_MAX], chain[TH_CHAIN_MAX];
    uint8_t work[TH_SETTINGS_MAX], rx[512];
    _Alignas(8) uint8_t scratch[1000];
    /* The model of TLS. */
    struct th_plain plain;
    struct th_stream below;
    struct world_server *server;
    const struct th_tls_start *start;
    struct th_tls_start start_copy;
    uint8_t tls_rx[512], tls_tx[512];
    bool tls_open, tls_resumed;
    enum th_error tls_error;
};

/* A blank device with its power on; `seed` decides every chance, `start_ms` is the counter. */
void world_begin(struct device_world *world, uint64_t seed, uint32_t start_ms);
void world_end(struct device_world *world);

/* Enrols it with a trust set that names `server`, anchor 1, an update key, and the agent where
 * `agent`; sets mode mqtt and Wi-Fi; then starts it. */
void world_enrol(struct device_world *world, bool agent);

/* Before world_enrol(): the device will have a birth certificate, a recovery listener in its trust
 * set, and recovery linked. */
void world_recovers(struct device_world *world);

/* The birth certificate itself, as world_enrol() gives it. */
void world_give_birth(struct device_world *world);

/* A bundle with that sequence number into `into` (TH_TRUST_BUNDLE_MAX): its length. */
struct world_bundle {
    uint32_t sequence;
    int64_t time_s;
    const char *broker;   /* NULL: one.example */
    uint8_t anchor;       /* 0: 1 */
    bool agent, stranger; /* stranger: signed by a key that nobody knows */
};
size_t world_bundle(struct device_world *world, const struct world_bundle *bundle, uint8_t *into);

/* The device starts anew, for that reason; power comes back to the flash. */
void world_start(struct device_world *world, enum th_reset_reason reason);

/* Lets time pass; restarts it has asked for, and power cuts of the flash, are followed by a start.
 */
void world_run(struct device_world *world, uint64_t for_ms);

/* Until it is connected, or so long. */
bool world_comes_up(struct device_world *world, uint64_t within_ms);
bool world_is_up(const struct device_world *world);

/* Puts settings on trial: name, value, name, value … NULL. */
enum th_error world_try(struct device_world *world, const char *user, ...);

/* The value in force, or in the set in use. */
const char *world_setting(struct device_world *world, const char *name);

/* How many lines, or messages on <device>/log, hold that text, of those remembered. */
unsigned world_said(const struct device_world *world, const char *text);
unsigned world_logged(const struct device_world *world, const char *text);

/* True when the bytes stand anywhere on the flash or in RTC memory. */
bool world_holds(const struct device_world *world, const void *bytes, size_t len);

#endif
