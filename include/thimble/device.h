/* SPDX-License-Identifier: MIT */
/*
 * The device put together: start-up out of whatever the flash holds, modes, Wi-Fi, clock, link, and
 * the trial of every change. It never blocks, allocates nothing, and never gives up: the worst
 * flash content is a start in configuration mode with defaults.
 *
 *   th_device_start(&device, &config, now_ms);
 *   for (;;) { th_device_step(&device, now_ms); wait for the network or th_device_deadline(…) }
 *
 * What it is that the device does (requests, zones, sensors) comes as services. docs/device.md has
 * the start-up step by step, the modes and the messages.
 */
#ifndef THIMBLE_DEVICE_H
#define THIMBLE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/board.h>
#include <thimble/clock.h>
#include <thimble/history.h>
#include <thimble/identity.h>
#include <thimble/link.h>
#include <thimble/recovery.h>
#include <thimble/seed.h>
#include <thimble/settings.h>
#include <thimble/timekeeper.h>
#include <thimble/trial.h>
#include <thimble/trust_set.h>
#include <thimble/wifi.h>

/* ---- what is in the log ---- */

enum th_device_record {
    TH_RECORD_SETTINGS,
    TH_RECORD_SETTINGS_NEXT, /* on trial */
    TH_RECORD_TRIAL,
    TH_RECORD_FLOOR, /* of the clock: 8 bytes, seconds since 1970, little-endian */
    TH_RECORD_HISTORY,
    TH_RECORD_CRASHES,     /* 1 byte: crashes in a row */
    TH_RECORD_PROVER,      /* name of the user who made the change on trial */
    TH_RECORD_SEED,        /* of the random numbers (seed.h) */
    TH_RECORD_WRONG_CODES, /* 1 byte: wrong set-up codes in a row */
};

/* Kinds of the log that a factory reset leaves: nothing of the owner's. */
#define TH_RECORDS_KEPT (1u << TH_RECORD_FLOOR | 1u << TH_RECORD_SEED | 1u << TH_RECORD_WRONG_CODES)

/* ---- services ---- */

struct th_device;

enum th_level { TH_LEVEL_ERROR, TH_LEVEL_WARN, TH_LEVEL_INFO, TH_LEVEL_DEBUG };

/* Any function may be NULL. */
struct th_service_ops {
    /* Once, before the first mode is entered; also in safe mode. */
    void (*start)(void *ctx, struct th_device *device, uint32_t now_ms);
    /* A mode was entered, at the start and after each change: the settings may be others. */
    void (*entered)(void *ctx, struct th_device *device, uint32_t now_ms);
    /* The device is about to restart or to erase itself. */
    void (*leaving)(void *ctx, struct th_device *device, uint32_t now_ms);
    /* Subscribed, and the status is on its way. */
    void (*connected)(void *ctx, struct th_device *device);
    /* A MESSAGE, BEGIN, CHUNK or END on a topic below <device>/from/ that is no answer to the
     * device's own requests. True: it was meant for this service. Spans live for the call. */
    bool (*message)(void *ctx, struct th_device *device, const struct th_mqtt_event *event,
                    uint32_t now_ms);
    /* Milliseconds until the next call. In every mode, safe mode included. */
    uint32_t (*step)(void *ctx, struct th_device *device, uint32_t now_ms);
    /* A line for people, `level` as the setting log.level; also before `start`. Never a secret. */
    void (*said)(void *ctx, enum th_level level, const char *line);
};

struct th_service {
    const struct th_service_ops *ops;
    void *ctx;
};

/* ---- configuration ---- */

#define TH_DEVICE_ANCHORS 4
#define TH_DEVICE_PINS    4
#define TH_DEVICE_BROKERS 4
#define TH_DEVICE_HOSTS   288 /* bytes of their names with NULs */
#define TH_DEVICE_TOPIC   80

#define TH_DEVICE_CRASHES   5         /* in a row lead to safe mode */
#define TH_DEVICE_STABLE_MS 600000u   /* a start that lasts so long ends the row */
#define TH_DEVICE_SAFE_MS   600000u   /* safe mode tries a normal start after so long */
#define TH_DEVICE_PROOF_MS  30000u    /* an answer takes at most so long */
#define TH_DEVICE_HOLD_MS   60000u    /* both sets fail: the old one stays so long, doubling … */
#define TH_DEVICE_HOLD_MAX  21600000u /* … up to six hours */

/* Lives and stays unchanged as long as the device; every buffer is the caller's. */
struct th_device_config {
    const struct th_board *board;   /* flash {NULL, NULL}: configuration mode, nothing is kept */
    const struct th_flash_map *map; /* NULL: that of the geometry */
    const struct th_crypto *crypto;
    struct th_tls tls;
    struct {
        const struct th_loan_ops *ops;
        void *ctx;
    } loan;
    struct th_span scratch; /* of the handshake, without a loan */
    uint8_t *session;       /* TLS session; kept in RTC memory where it fits. NULL: none */
    size_t session_room;
    uint8_t *trust; /* the trust set in use: 256 bytes and the set. TH_TRUST_BUNDLE_MAX holds any */
    size_t trust_room;
    uint8_t *chain; /* our certificates: TH_CHAIN_MAX holds any */
    size_t chain_room;
    uint8_t *work; /* TH_SETTINGS_MAX bytes; used only while there is no handshake */
    size_t work_room;
    uint8_t *rx; /* of the MQTT session */
    size_t rx_room;
    struct th_outbox outbox;                 /* needed: QoS 1 */
    const struct th_mqtt_version *v311, *v5; /* one may be NULL: the other is used then */
    const struct th_service *services;
    uint8_t service_count;
    const char *product, *version; /* as in manifests; for people */
    uint16_t hardware;
    bool development;                          /* takes what is signed for development (O15) */
    int64_t built_s;                           /* the clock's first floor */
    struct th_recovery *recovery;              /* NULL: a certificate that is refused is tried on */
    uint32_t backoff_ms;                       /* the link's first wait; 0: its default */
    void (*say)(void *user, const char *line); /* for the console; NULL: silent */
    void *user;
};

#define TH_TRUST_BUNDLE_MAX (TH_MANIFEST_BYTES + TH_TRUST_SET_MAX)

enum th_device_mode {
    TH_MODE_CONFIG, /* blank, damaged or asked for: access point; no link */
    TH_MODE_MQTT,
    TH_MODE_SAFE, /* after crashes in a row: services alone, no network */
};

/* ---- the device: fields private, size public ---- */

struct th_device_proof {
    uint8_t nonce[16];
    uint32_t id, until_ms;
    bool asked;
};

struct th_device {
    const struct th_device_config *config;
    const struct th_flash_map *map;
    struct th_board board; /* the configuration's, its entropy mixed with the seed */
    struct th_seed seed;
    struct th_log log;
    struct th_identity_store identity;
    struct th_factory factory;
    struct th_trial trial;
    struct th_history history;
    struct th_clock clock;
    struct th_timekeeper timekeeper;
    struct th_wifi wifi;
    struct th_wifi_config wifi_config;
    struct th_link link;
    struct th_link_event event; /* not on the stack: a handshake is the deepest of all */
    struct th_link_config link_config;
    struct th_mqtt mqtt;
    struct th_mqtt_config mqtt_config;
    struct th_mqtt_will will;
    struct th_tls_config tls_config;
    struct th_trust policy;
    struct th_identity us;
    struct th_credential credential;
    struct th_trust_summary server; /* of the present connection */
    struct th_span anchors[TH_DEVICE_ANCHORS];
    uint8_t pins[TH_DEVICE_PINS][TH_SHA256_BYTES];
    uint8_t fingerprints[TH_DEVICE_PINS][TH_SHA256_BYTES];
    uint8_t sha1_fingerprint[1][TH_SHA1_BYTES];
    struct th_broker brokers[TH_DEVICE_BROKERS];
    char hosts[TH_DEVICE_HOSTS];
    char id[TH_NAME_MAX + 1], prover[TH_CALLER_MAX + 1], status_topic[TH_DEVICE_TOPIC];
    char client_id[65], user[65], password[TH_SETTING_VALUE_MAX + 1];
    size_t trust_len, session_len;
    struct th_device_proof proof, time;
    uint8_t mode, crashes, broker_count;
    uint8_t order;  /* of the trial engine, to be carried out: enum th_trial_order */
    uint8_t todo;   /* what is still to be sent on this connection */
    uint8_t missed; /* failures of this pass over the brokers */
    uint8_t late;   /* handshakes in a row that a trusted clock has refused */
    bool linked, full, subscribed, stable, suspect;
    uint16_t subscribe_id, status_id, told_id;
    uint32_t told_number, requests;
    uint32_t started_ms, old_since_ms, time_at_ms, order_at_ms, services_ms;
    enum th_reset_reason reset;
};

/* ---- running ---- */

/* Starts out of whatever the flash holds; never fails. CONFIG only when the configuration itself
 * breaks a rule above. */
enum th_error th_device_start(struct th_device *device, const struct th_device_config *config,
                              uint32_t now_ms);

void th_device_step(struct th_device *device, uint32_t now_ms);

/* Milliseconds until the next step, if the network is silent. */
uint32_t th_device_deadline(const struct th_device *device, uint32_t now_ms);

/* DISCONNECT in good order where there is a connection; step on until th_device_stopped(). */
void th_device_stop(struct th_device *device, uint32_t now_ms);
bool th_device_stopped(const struct th_device *device);

enum th_device_mode th_device_mode(const struct th_device *device);

/* There is a session, and the broker has granted the subscription. */
bool th_device_connected(const struct th_device *device);
const char *th_device_mode_name(enum th_device_mode mode);

/* A working clock from elsewhere: the host's own, or somebody's on the console. False: a time
 * before the floor is not possible. */
bool th_device_set_clock(struct th_device *device, enum th_clock_kind kind, int64_t time_ms,
                         uint32_t now_ms);

/* ---- for services ---- */

/* Restarts the device, after every service has been told. */
void th_device_restart(struct th_device *device, uint32_t now_ms);

/* The settings in use. */
struct th_settings th_device_settings(struct th_device *device);

/* The trust set in use, checked; empty when there is none. For th_trust_set_role(). */
struct th_span th_device_trust_set(const struct th_device *device);

/* The device's name, "" before it is enrolled. Lives as long as the device. */
const char *th_device_id(const struct th_device *device);

/* A line for the console (but for DEBUG) and for services that listen. Errors of the device's own
 * work go into the history instead, which is told once. */
void th_device_log(const struct th_device *device, enum th_level level, const char *line);

/* Publishes on <device>/<topic>. Errors as th_mqtt_publish(); `id` may be NULL. */
enum th_error th_device_publish(struct th_device *device, const char *topic, struct th_span payload,
                                enum th_mqtt_qos qos, bool retain, uint16_t *id);

/* ---- changes: each is tried, and taken back if the device cannot connect under it ---- */

/* `user`: who made the change and will answer its proof; "" leaves that to the agent. */

/* Writes the set as the candidate and begins its trial. BAD_STATE: another change is on trial.
 * STORE: nothing changed. The buffer is wiped in any case. */
enum th_error th_device_try_settings(struct th_device *device, struct th_settings_change *change,
                                     const char *user, uint32_t now_ms);

/* A trust bundle: manifest and set. The errors of th_manifest_verify(), TRUST_SET_FORMAT,
 * UPDATE_FORMAT when size or digest differ, TOO_LARGE, and as above. */
enum th_error th_device_try_trust(struct th_device *device, struct th_span bundle, const char *user,
                                  uint32_t now_ms);

/* The next LDevID, which has its certificate. BAD_STATE also when there is none. */
enum th_error th_device_try_identity(struct th_device *device, const char *user, uint32_t now_ms);

/* ---- enrolment, by somebody who has proved the set-up code ---- */

/* As th_enrol_request() and th_enrol_take(): the device has a name then, and connects when its mode
 * is mqtt. */
enum th_error th_device_enrol_request(struct th_device *device, struct th_span name, uint8_t *into,
                                      size_t room, size_t *len);
enum th_error th_device_enrol_take(struct th_device *device, struct th_span bundle,
                                   uint32_t now_ms);

/* Erases LDevID, settings, trust sets and sessions (I9), then the device starts anew. Once OK is
 * returned it will be finished whatever happens. */
enum th_error th_device_factory_reset(struct th_device *device, enum th_reset_kind kind,
                                      uint32_t now_ms);

#endif
