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
#include <thimble/websocket.h>

#include "credentials.h"
#include "options.h"
#include "properties.h"
#include "secret.h"

/* Everything that can be asked for; zero is the default of each. Texts live as long as the peer. */
struct peer_flags {
    /* the broker */
    const char *as, *dir; /* --as NAME: its files, host and port from the state directory */
    bool takes_over; /* of --as: though another command has the connection, which the broker ends */
    const char *host, *server_name;
    long port;
    /* trust and identity */
    const char *cafile, *cert, *key;
    struct words pins, fingerprints;
    bool fingerprint_instead, insecure, plaintext;
    const char *backend, *alpn, *websocket; /* the path of its request; NULL: without */
    long mfl;
    /* MQTT */
    const char *id, *id_prefix, *user, *password, *password_file, *version;
    bool id_random;
    long keepalive_s, expiry_s;
    bool keep_session;
    const char *will_topic, *will_payload;
    long will_qos;
    bool will_retain;
    struct properties_flags properties;
    struct option_call properties_call;
    bool debug;
};

/* Before anything else: sets the flags with another default than zero. */
void peer_flags_init(struct peer_flags *flags);

/* The rows of the flags above, behind a command's own `count` rows; give back how many there are
 * then. `options` has room for PEER_OPTIONS_MAX. */
#define PEER_OPTIONS_MAX 56
size_t peer_options_tls(struct option *options, size_t count, struct peer_flags *flags);
size_t peer_options_mqtt(struct option *options, size_t count, struct peer_flags *flags);

#define PEER_PINS_MAX 8
#define PEER_RX       65536
#define PEER_OUTBOX   (256 * 1024)
#define PEER_INBOUND \
    65535 /* every identifier: mosquitto 2.0.11 overruns a Receive Maximum at QoS 2 */

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
    struct th_websocket websocket;
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
    char password[SECRET_MAX]; /* of --password-file */
    char as_files[3][1024];
    char as_name[56]; /* the certificate's: NAME, NAME.2 ... */
    bool talks_mqtt;  /* not a handshake alone */
    int connection;   /* the lock on a user's connection; -1 none */
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
