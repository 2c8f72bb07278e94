/* SPDX-License-Identifier: MIT */
/*
 * One MQTT connection of the tool: flags and files into a link that can be started, over either TLS
 * backend. What pub, sub, tls and the demo stand on.
 */
#ifndef TOOL_PEER_H
#define TOOL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/link.h>
#include <thimble/linux.h>
#include <thimble/tls_bearssl.h>
#include <thimble/tls_openssl.h>

#include "credentials.h"
#include "options.h"
#include "properties.h"

/* Everything that can be asked for; zero is the default of each. Texts live as long as the peer. */
struct peer_flags {
    /* the broker */
    const char *as, *dir; /* --as NAME: its files, host and port from the state directory */
    const char *host, *server_name;
    long port;
    /* trust and identity */
    const char *cafile, *cert, *key;
    struct words pins, fingerprints;
    bool fingerprint_instead, insecure, plaintext;
    const char *backend, *alpn;
    long mfl;
    /* MQTT */
    const char *id, *id_prefix, *user, *password, *version;
    long keepalive_s, expiry_s;
    bool keep_session;
    const char *will_topic, *will_payload;
    long will_qos;
    bool will_retain;
    struct properties_flags properties;
    struct option_call properties_call;
    bool debug;
};

/* The flags with another default than zero. */
void peer_flags_init(struct peer_flags *flags);

#define PEER_ROWS_TLS(f)                                                                          \
    {                                                                                             \
        0,           "as",     "NAME", "be this device or user of the state directory",           \
        OPTION_TEXT, &(f)->as, 0,      0},                                                        \
        OPTION_ROW_DIR(&(f)->dir), {0,                                                            \
                                    "cafile",                                                     \
                                    "FILE",                                                       \
                                    "CA certificates the server is trusted by, PEM or DER",       \
                                    OPTION_TEXT,                                                  \
                                    &(f)->cafile,                                                 \
                                    0,                                                            \
                                    0},                                                           \
        {0, "cert", "FILE", "our certificate, with its chain", OPTION_TEXT, &(f)->cert, 0, 0},    \
        {0, "key", "FILE", "its private key", OPTION_TEXT, &(f)->key, 0, 0},                      \
        {0,           "pin",      "SHA256", "of the key of the server or its CA; again for more", \
         OPTION_LIST, &(f)->pins, 0,        0},                                                   \
        {0,           "fingerprint",                                                              \
         "SHA",       "SHA-256 or SHA-1 of the server's certificate; again for more",             \
         OPTION_LIST, &(f)->fingerprints,                                                         \
         0,           0},                                                                         \
        {0,           "fingerprint-instead",                                                      \
         NULL,        "the fingerprint instead of a CA: no name, no dates",                       \
         OPTION_FLAG, &(f)->fingerprint_instead,                                                  \
         0,           0},                                                                         \
        {0,           "server-name",     "NAME", "the name its certificate must have [the host]", \
         OPTION_TEXT, &(f)->server_name, 0,      0},                                              \
        {0,           "alpn",     "NAME", "application protocol the server must agree to",        \
         OPTION_TEXT, &(f)->alpn, 0,      0},                                                     \
        {0,                                                                                       \
         "mfl",                                                                                   \
         "BYTES",                                                                                 \
         "ask for records of 512, 1024, 2048 or 4096 bytes",                                      \
         OPTION_NUMBER,                                                                           \
         &(f)->mfl,                                                                               \
         512,                                                                                     \
         4096},                                                                                   \
        {0,           "tls-backend", "NAME", "openssl or bearssl [openssl]",                      \
         OPTION_TEXT, &(f)->backend, 0,      0},                                                  \
    {                                                                                             \
        0, "insecure-bench-only", NULL, "trust any server: for a bench, never for use",           \
            OPTION_FLAG, &(f)->insecure, 0, 0                                                     \
    }

#define PEER_ROWS_MQTT(f)                                                                            \
    {'h',         "host",     "HOST", "name or address of the broker [localhost]",                   \
     OPTION_TEXT, &(f)->host, 0,      0},                                                            \
        {'p', "port", "PORT", "[8883; 1883 with --plaintext]", OPTION_NUMBER, &(f)->port, 1, 65535}, \
        {0,           "plaintext",     NULL, "no TLS: everything can be read and altered",           \
         OPTION_FLAG, &(f)->plaintext, 0,    0},                                                     \
        {'V', "protocol-version", "VERSION", "5 or 311 [5]", OPTION_TEXT, &(f)->version, 0, 0},      \
        {'i', "id", "ID", "client id [the broker gives one]", OPTION_TEXT, &(f)->id, 0, 0},          \
        {'I',         "id-prefix",     "TEXT", "client id of this and the process id",               \
         OPTION_TEXT, &(f)->id_prefix, 0,      0},                                                   \
        {'u', "username", "NAME", "user name", OPTION_TEXT, &(f)->user, 0, 0},                       \
        {'P', "pw", "PASSWORD", "password", OPTION_TEXT, &(f)->password, 0, 0},                      \
        {'k', "keepalive", "SECONDS", "[60]", OPTION_NUMBER, &(f)->keepalive_s, 5, 65534},           \
        {'c',         "disable-clean-session", NULL, "keep the session at the broker; needs -i",     \
         OPTION_FLAG, &(f)->keep_session,      0,    0},                                             \
        {'x',                                                                                        \
         "session-expiry-interval",                                                                  \
         "SECONDS",                                                                                  \
         "how long it is kept, with -c [for ever]",                                                  \
         OPTION_NUMBER,                                                                              \
         &(f)->expiry_s,                                                                             \
         0,                                                                                          \
         4294967295},                                                                                \
        {0,           "will-topic",     "TOPIC", "what the broker says when we are cut off",         \
         OPTION_TEXT, &(f)->will_topic, 0,       0},                                                 \
        {0, "will-payload", "TEXT", "", OPTION_TEXT, &(f)->will_payload, 0, 0},                      \
        {0, "will-qos", "QOS", "", OPTION_NUMBER, &(f)->will_qos, 0, 2},                             \
        {0, "will-retain", NULL, "", OPTION_FLAG, &(f)->will_retain, 0, 0},                          \
        {'D',                                                                                        \
         "property",                                                                                 \
         "PACKET NAME VALUE",                                                                        \
         "an MQTT 5 property of connect, will, publish ...",                                         \
         OPTION_CALL,                                                                                \
         &(f)->properties_call,                                                                      \
         0,                                                                                          \
         0},                                                                                         \
    {                                                                                                \
        'd', "debug", NULL, "say each step of the connection", OPTION_FLAG, &(f)->debug, 0, 0        \
    }

#define PEER_PINS_MAX 8
#define PEER_RX       65536
#define PEER_OUTBOX   (256 * 1024)
#define PEER_INBOUND  256

struct peer {
    struct th_linux *loop;
    struct peer_flags flags; /* a copy, with what --as adds */
    struct th_linux_net net;
    struct th_board board;
    struct credentials credentials;
    struct th_trust trust;
    uint8_t pins[PEER_PINS_MAX][TH_SHA256_BYTES];
    uint8_t sha256[PEER_PINS_MAX][TH_SHA256_BYTES];
    uint8_t sha1[PEER_PINS_MAX][TH_SHA1_BYTES];
    struct th_tls_config tls_config;
    struct th_tls tls;
    struct th_bearssl bearssl;
    struct th_openssl openssl;
    struct th_openssl_shared openssl_shared;
    bool openssl_ready;
    struct th_broker broker;
    struct th_link_config link_config;
    struct th_link link;
    struct th_mqtt_will will;
    struct th_mqtt_config mqtt_config;
    struct th_mqtt mqtt;
    struct th_outbox_ram outbox;
    char text[300]; /* "localhost:8883" */
    char as_host[1024], id_text[96];
    char as_files[3][1024];
    size_t session_len;
    uint8_t *memory, *mqtt_memory; /* all buffers are one allocation */
};

/* Checks the flags, reads the files, sets TLS up. EXIT_OK, or the code of an error it has printed.
 * The loop must be initialised. */
int peer_tls_open(struct peer *peer, struct th_linux *loop, const struct peer_flags *flags);

/* The same and an MQTT session and a link on top, not started. */
int peer_open(struct peer *peer, struct th_linux *loop, const struct peer_flags *flags);
void peer_close(struct peer *peer);

/* To be told of every event. Prints it where the flags ask for --debug, to stderr, as stdout
 * carries data. */
void peer_saw(struct peer *peer, const struct th_link_event *event);

/* The failure of an event as an error for a person; gives back its exit code. */
int peer_fail(const struct peer *peer, const struct th_failure *failure);

#endif
