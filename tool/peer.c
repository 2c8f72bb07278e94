/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */

#include "exits.h"
#include "home.h"
#include "mosquitto.h"
#include "term.h"
#include "token_key.h"

#define OPENSSL_RX  16384
#define OPENSSL_TX  16384
#define PLAIN_ROOM  16384
#define SESSION_MAX TH_SESSION_OPENSSL

/* ---- flags ---- */

static int check_trust(const struct peer_flags *flags)
{
    bool fingerprint = flags->fingerprints.count > 0;
    if (flags->plaintext &&
        (flags->cafile || flags->cert || flags->key || flags->pins.count || fingerprint ||
         flags->alpn || flags->mfl || flags->backend || flags->websocket))
        return fail(EXIT_USAGE, "--plaintext is no TLS, and the other flags ask for TLS\n"
                                "leave --plaintext out");
    if (!flags->cert != !flags->key)
        return fail(EXIT_USAGE, "--cert and --key belong together\ngive %s as well",
                    flags->cert ? "--key" : "--cert");
    if (flags->fingerprint_instead && !fingerprint && !flags->pins.count)
        return fail(EXIT_USAGE, "--fingerprint-instead needs a fingerprint or a pin\n"
                                "give --fingerprint SHA256");
    if (flags->insecure && (flags->cafile || fingerprint || flags->pins.count))
        return fail(EXIT_USAGE, "--insecure-bench-only trusts anybody, and the other flags do not\n"
                                "leave --insecure-bench-only out");
    if (flags->backend && strcmp(flags->backend, "openssl") != 0 &&
        strcmp(flags->backend, "bearssl") != 0)
        return fail(EXIT_USAGE,
                    "--tls-backend is openssl or bearssl, not '%s'\n"
                    "leave it out for openssl",
                    flags->backend);
    if (flags->key && token_key_named(flags->key) && flags->backend &&
        strcmp(flags->backend, "bearssl") == 0)
        return fail(EXIT_USAGE, "BearSSL cannot use a key in a PKCS#11 token\n"
                                "leave --tls-backend out");
    if (flags->websocket && (flags->websocket[0] != '/' || strpbrk(flags->websocket, " \r\n\t") ||
                             strlen(flags->websocket) > 128))
        return fail(EXIT_USAGE,
                    "--websocket takes a path such as /mqtt, not '%s'\n--websocket /mqtt",
                    flags->websocket);
    if (flags->mfl && flags->mfl != 512 && flags->mfl != 1024 && flags->mfl != 2048 &&
        flags->mfl != 4096)
        return fail(EXIT_USAGE, "--mfl is 512, 1024, 2048 or 4096, not %ld\nthimble tls --mfl 1024",
                    flags->mfl);
    if (!flags->plaintext && !flags->cafile && !flags->as && !flags->fingerprint_instead &&
        !flags->insecure)
        return fail(EXIT_USAGE, "there is nothing to trust the server by\n"
                                "give --cafile FILE, or --as NAME for one of your own devices and "
                                "users, or --plaintext where there is no TLS");
    return EXIT_OK;
}

static int check_mqtt(const struct peer_flags *flags)
{
    const char *version = flags->version;
    if (version && strcmp(version, "5") != 0 && strcmp(version, "mqttv5") != 0 &&
        strcmp(version, "311") != 0 && strcmp(version, "mqttv311") != 0)
        return fail(EXIT_USAGE, "-V is 5 or 311, not '%s'\nleave it out for 5", version);
    bool old = version && strstr(version, "311");
    for (int i = 0; old && i < PROPERTIES_PACKETS; i++) {
        if (flags->properties.of[i].count)
            return fail(EXIT_USAGE, "properties need MQTT 5\nleave out -V 311 or -D");
    }
    if (flags->keep_session && !flags->id && !flags->as)
        return fail(EXIT_USAGE, "-c keeps a session, and that needs a client id\ngive -i ID");
    if (flags->id_random && (flags->cert || flags->keep_session))
        return fail(EXIT_USAGE, "a random client id goes with neither %s\nleave --id-random out",
                    flags->cert ? "a certificate, whose name it is" : "a session that is kept");
    if (flags->password && flags->password_file)
        return fail(EXIT_USAGE, "-P and --password-file are one password too many\nleave -P out");
    if (!flags->will_topic && (flags->will_payload || flags->will_qos || flags->will_retain))
        return fail(EXIT_USAGE, "a will needs a topic\ngive --will-topic TOPIC");
    return EXIT_OK;
}

/* One certificate is one connection: a user's key file is locked while it is used, and the first
 * that is free is taken. Gives back its number, 0 when all are in use. A file that cannot be opened
 * is taken too: reading it says why. */
static int free_connection(struct peer *peer, const char *folder, int connections)
{
    for (int i = 1; i <= connections; i++) {
        char number[12] = "";
        if (i > 1)
            snprintf(number, sizeof number, ".%d", i);
        struct path key = path_of("%s/user%s.key", folder, number);
        int file = open(key.text, O_RDONLY | O_CLOEXEC);
        if (file < 0 || flock(file, LOCK_EX | LOCK_NB) == 0) {
            peer->connection = file;
            return i;
        }
        close(file);
    }
    return 0;
}

static int all_busy(const struct peer_flags *flags, int connections)
{
    return fail(EXIT_MISSING,
                "%s of '%s' is in use by another thimble command on this machine\n"
                "end one of them, or make a user with more: thimble user add NAME --connections 4",
                connections == 1 ? "the one connection" : "every connection", flags->as);
}

static int as_with_certificate(struct peer *peer, struct peer_flags *flags, const struct home *home,
                               const struct registry_principal *row)
{
    static const char *const endings[] = {".crt", ".key"};
    const char **files[] = {&flags->cert, &flags->key};
    bool user = strcmp(row->kind, "user") == 0 && !flags->cert && !flags->plaintext;
    struct path folder = path_of("%s/%ss/%s", home->dir, row->kind, flags->as);
    int number = 1;
    if (user && peer->talks_mqtt)
        number = free_connection(peer, folder.text, row->connections);
    if (number == 0 && flags->takes_over)
        number = 1;
    if (number == 0)
        return all_busy(flags, row->connections);
    char suffix[12] = "";
    if (number > 1)
        snprintf(suffix, sizeof suffix, ".%d", number);
    snprintf(peer->as_name, sizeof peer->as_name, "%.39s%s", flags->as, suffix);
    snprintf(peer->as_files[0], sizeof peer->as_files[0], "%.1000s/ca.crt", folder.text);
    if (!flags->cafile)
        flags->cafile = peer->as_files[0];
    for (int i = 0; i < 2; i++) {
        snprintf(peer->as_files[i + 1], sizeof peer->as_files[0], "%.980s/%s%s%s", folder.text,
                 row->kind, suffix, endings[i]);
        if (!*files[i])
            *files[i] = peer->as_files[i + 1];
    }
    return EXIT_OK;
}

/* The anchor that signs the broker's certificate now: a password comes without a directory. */
static void as_with_password(struct peer *peer, struct peer_flags *flags, struct home *home)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    size_t count = registry_anchors(&home->registry, REGISTRY_SERVER, anchors);
    snprintf(peer->as_name, sizeof peer->as_name, "%.39s", flags->as);
    if (count)
        snprintf(peer->as_files[0], sizeof peer->as_files[0], "%s",
                 home_anchor_path(home, &anchors[0]).text);
    registry_anchors_free(anchors, count);
    if (!flags->cafile)
        flags->cafile = peer->as_files[0];
    if (!flags->user)
        flags->user = flags->as;
}

/* --as NAME: files of the state directory, and the broker it was set up with. */
static int take_as(struct peer *peer, struct peer_flags *flags)
{
    struct home home;
    char port[REGISTRY_TEXT_MAX], host[REGISTRY_TEXT_MAX];
    struct registry_principal row;
    int code = home_open(&home, flags->dir, false);
    if (code == EXIT_OK && !registry_principal(&home.registry, flags->as, &row))
        code = fail(EXIT_MISSING,
                    "--as: '%s' is no device or user of %s\n"
                    "thimble device enrol %s, or thimble user add %s",
                    flags->as, home.dir, flags->as, flags->as);
    if (code != EXIT_OK) {
        home_close(&home);
        return code;
    }
    if (mosquitto_one_way(&home))
        as_with_password(peer, flags, &home);
    else
        code = as_with_certificate(peer, flags, &home, &row);
    bool device = strcmp(row.kind, "device") == 0;
    if (!flags->host && registry_get(&home.registry, "broker.host", host)) {
        snprintf(peer->as_host, sizeof peer->as_host, "%s", host);
        flags->host = peer->as_host;
    }
    if (!flags->port &&
        registry_get(&home.registry, device ? "broker.port" : "broker.user_port", port))
        options_number(port, 1, 65535, &flags->port);
    if (!flags->id && !flags->id_prefix && !flags->id_random)
        flags->id = peer->as_name;
    home_close(&home);
    return code;
}

/* ---- trust ---- */

static int take_pins(struct peer *peer)
{
    const struct peer_flags *flags = &peer->flags;
    struct th_trust *trust = &peer->trust;
    if (flags->pins.count > PEER_PINS_MAX || flags->fingerprints.count > PEER_PINS_MAX)
        return fail(EXIT_USAGE, "at most %d pins and fingerprints\ngive fewer", PEER_PINS_MAX);
    for (size_t i = 0; i < flags->pins.count; i++) {
        if (!th_trust_pin_parse(flags->pins.at[i], peer->pins[trust->pin_count++], 32))
            return fail(EXIT_USAGE,
                        "--pin takes 32 bytes in hexadecimal or base64, not '%s'\n"
                        "thimble tls HOST prints it",
                        flags->pins.at[i]);
    }
    for (size_t i = 0; i < flags->fingerprints.count; i++) {
        const char *text = flags->fingerprints.at[i];
        if (th_trust_pin_parse(text, peer->sha256[trust->sha256_fingerprint_count], 32))
            trust->sha256_fingerprint_count++;
        else if (th_trust_pin_parse(text, peer->sha1[trust->sha1_fingerprint_count], 20))
            trust->sha1_fingerprint_count++;
        else
            return fail(EXIT_USAGE,
                        "--fingerprint takes 32 bytes (SHA-256) or 20 (SHA-1) in "
                        "hexadecimal, not '%s'\nthimble tls HOST prints it",
                        text);
    }
    trust->pins = (const uint8_t(*)[TH_SHA256_BYTES])peer->pins;
    trust->sha256_fingerprints = (const uint8_t(*)[TH_SHA256_BYTES])peer->sha256;
    trust->sha1_fingerprints = (const uint8_t(*)[TH_SHA1_BYTES])peer->sha1;
    return EXIT_OK;
}

static int take_trust(struct peer *peer)
{
    const struct peer_flags *flags = &peer->flags;
    struct th_trust *trust = &peer->trust;
    *trust = (struct th_trust){
        .mode = flags->insecure              ? TH_TRUST_INSECURE_BENCH_ONLY
                : flags->fingerprint_instead ? TH_TRUST_FINGERPRINT_INSTEAD
                                             : TH_TRUST_ANCHORS,
        .clock = {.kind = TH_CLOCK_TRUSTED, .now_s = time(NULL)},
    };
    int code = take_pins(peer);
    if (code == EXIT_OK && trust->mode == TH_TRUST_ANCHORS)
        code = credentials_anchors(&peer->credentials, flags->cafile);
    if (code == EXIT_OK && flags->cert)
        code = credentials_identity(&peer->credentials, flags->cert, flags->key);
    trust->anchors = peer->credentials.anchors.at;
    trust->anchor_count = peer->credentials.anchors.count;
    if (flags->insecure)
        warn("--insecure-bench-only: anybody may pose as %s, and read and alter everything\n"
             "give --cafile FILE",
             peer->text);
    return code;
}

/* ---- memory and backend ---- */

struct layout {
    size_t in, out, scratch, total;
};

static bool is_bearssl(const struct peer *peer)
{
    return peer->flags.backend && strcmp(peer->flags.backend, "bearssl") == 0;
}

static size_t round_up(size_t size)
{
    return (size + 15) & ~(size_t)15;
}

static struct layout layout_of(const struct peer *peer)
{
    size_t fragment = peer->flags.mfl ? (size_t)peer->flags.mfl : 16384;
    struct layout layout = {.in = PLAIN_ROOM, .out = PLAIN_ROOM};
    if (is_bearssl(peer)) {
        layout.in = TH_BEARSSL_IN(fragment);
        layout.out = TH_BEARSSL_OUT(fragment);
        layout.scratch =
            th_tls_bearssl.scratch_size + CREDENTIALS_MAX * (size_t)TH_BEARSSL_ANCHOR_SIZE;
    } else if (!peer->flags.plaintext) {
        layout.in = OPENSSL_RX;
        layout.out = OPENSSL_TX;
    }
    layout.total = round_up(layout.in) + round_up(layout.out) + round_up(layout.scratch) +
                   round_up(SESSION_MAX) + PEER_RX + PEER_OUTBOX + PEER_INBOUND * sizeof(uint16_t);
    return layout;
}

static uint8_t *take_memory(uint8_t **at, size_t len)
{
    uint8_t *taken = *at;
    *at += round_up(len);
    return taken;
}

static int open_backend(struct peer *peer)
{
    struct layout layout = layout_of(peer);
    struct th_link_config *link = &peer->link_config;
    peer->memory = calloc(1, layout.total);
    if (!peer->memory)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    uint8_t *at = peer->memory;
    uint8_t *in = take_memory(&at, layout.in), *out = take_memory(&at, layout.out);
    link->scratch = th_span_of(take_memory(&at, layout.scratch), layout.scratch);
    link->session = take_memory(&at, SESSION_MAX);
    peer->mqtt_memory = at;
    if (peer->flags.plaintext) {
        link->plain_rx = in;
        link->plain_tx = out;
        link->plain_rx_room = link->plain_tx_room = PLAIN_ROOM;
    } else if (is_bearssl(peer)) {
        th_bearssl_init(&peer->bearssl, &th_bearssl_host, in, layout.in, out, layout.out);
        peer->tls = (struct th_tls){&th_tls_bearssl, &peer->bearssl};
    } else {
        if (!th_openssl_shared_init(&peer->openssl_shared))
            return fail(EXIT_FAILED, "OpenSSL cannot be set up\ntry --tls-backend bearssl");
        peer->openssl_ready = true;
        th_openssl_init(&peer->openssl, &peer->openssl_shared, in, layout.in, out, layout.out);
        peer->tls = (struct th_tls){&th_tls_openssl, &peer->openssl};
    }
    if (peer->flags.websocket)
        peer->tls = th_websocket_init(
            &peer->websocket, &(struct th_websocket_options){.tls = peer->tls,
                                                             .board = &peer->board,
                                                             .host = peer->text,
                                                             .path = peer->flags.websocket});
    return EXIT_OK;
}

/* ---- opening ---- */

static void fill_tls(struct peer *peer)
{
    const struct peer_flags *flags = &peer->flags;
    peer->tls_config = (struct th_tls_config){
        .trust = &peer->trust,
        .identity = flags->cert ? &peer->credentials.identity : NULL,
        .board = &peer->board,
        .fragment_length = (enum th_fragment_length)flags->mfl,
        .alpn = flags->alpn,
    };
}

static void name_it(struct peer *peer)
{
    const struct peer_flags *flags = &peer->flags;
    peer->broker = (struct th_broker){
        .host = flags->host ? flags->host : "localhost",
        .port = (uint16_t)(flags->port        ? flags->port
                           : flags->plaintext ? 1883
                                              : 8883),
        .server_name = flags->server_name,
    };
    snprintf(peer->text, sizeof peer->text, strchr(peer->broker.host, ':') ? "[%s]:%u" : "%s:%u",
             peer->broker.host, peer->broker.port);
}

static int open_tls(struct peer *peer, struct th_linux *loop, const struct peer_flags *flags,
                    bool talks_mqtt)
{
    memset(peer, 0, sizeof *peer);
    peer->connection = -1;
    peer->talks_mqtt = talks_mqtt;
    peer->flags = *flags;
    int code = check_trust(&peer->flags);
    if (code == EXIT_OK && flags->as)
        code = take_as(peer, &peer->flags);
    if (code != EXIT_OK)
        return code;
    peer->loop = loop;
    th_linux_net_init(&peer->net, loop);
    th_linux_board(&peer->net, &peer->board);
    name_it(peer);
    if (!peer->flags.plaintext)
        code = take_trust(peer);
    if (code == EXIT_OK)
        code = open_backend(peer);
    fill_tls(peer);
    return code;
}

/* A handshake alone takes nobody's connection. */
int peer_tls_open(struct peer *peer, struct th_linux *loop, const struct peer_flags *flags)
{
    return open_tls(peer, loop, flags, false);
}

static struct th_span client_id(struct peer *peer)
{
    const struct peer_flags *flags = &peer->flags;
    char random[SECRET_MAX];
    if (flags->id_prefix)
        snprintf(peer->id_text, sizeof peer->id_text, "%s%ld", flags->id_prefix, (long)getpid());
    if (!flags->id_random || !secret_make(random))
        return th_span_str(flags->id_prefix ? peer->id_text : flags->id);
    const char *id = flags->id_prefix ? flags->id_prefix : flags->id ? flags->id : "thimble";
    snprintf(peer->id_text, sizeof peer->id_text, "%.64s-%.8s", id, random);
    return th_span_str(peer->id_text);
}

static void fill_will(struct peer *peer)
{
    const struct peer_flags *flags = &peer->flags;
    const struct properties *properties = &flags->properties.of[PROPERTIES_WILL];
    peer->will = (struct th_mqtt_will){
        .topic = th_span_str(flags->will_topic),
        .payload = th_span_str(flags->will_payload),
        .qos = (enum th_mqtt_qos)flags->will_qos,
        .retain = flags->will_retain,
        .properties = properties->at,
        .property_count = properties->count,
    };
}

/* What the session announces by itself is no further property: takes it out of them. */
static uint32_t own_property(struct properties *properties, enum th_mqtt_property_id id,
                             uint32_t otherwise)
{
    uint8_t kept = 0;
    for (uint8_t i = 0; i < properties->count; i++) {
        if (properties->at[i].id == id)
            otherwise = properties->at[i].number;
        else
            properties->at[kept++] = properties->at[i];
    }
    properties->count = kept;
    return otherwise;
}

static uint32_t expiry_of(const struct peer_flags *flags)
{
    if (!flags->keep_session)
        return 0;
    return flags->expiry_s < 0 ? TH_MQTT_SESSION_NEVER_EXPIRES : (uint32_t)flags->expiry_s;
}

static void fill_mqtt(struct peer *peer)
{
    const struct peer_flags *flags = &peer->flags;
    bool old = flags->version && strstr(flags->version, "311");
    struct properties *properties = &peer->flags.properties.of[PROPERTIES_CONNECT];
    uint32_t expiry_s = own_property(properties, TH_MQTT_SESSION_EXPIRY, expiry_of(flags));
    uint32_t receive = own_property(properties, TH_MQTT_RECEIVE_MAXIMUM, 0);
    uint32_t largest = own_property(properties, TH_MQTT_MAXIMUM_PACKET_SIZE, 0);
    uint8_t *at = peer->mqtt_memory;
    fill_will(peer);
    peer->mqtt_config = (struct th_mqtt_config){
        .version = old ? &th_mqtt_v311 : &th_mqtt_v5,
        .client_id = client_id(peer),
        .clean_start = !flags->keep_session,
        .fields = &th_mqtt_connect_fields,
        .user_set = flags->user != NULL,
        .password_set = flags->password != NULL,
        .user = th_span_str(flags->user),
        .password = th_span_str(flags->password),
        .will = flags->will_topic ? &peer->will : NULL,
        .keep_alive_s = (uint16_t)flags->keepalive_s,
        .session_expiry_s = expiry_s,
        .receive_maximum = (uint16_t)receive,
        .maximum_packet_size = largest,
        .properties = properties->at,
        .property_count = properties->count,
        .rx = at,
        .rx_room = PEER_RX,
        .large = &th_mqtt_large,
    };
    at += PEER_RX;
    peer->mqtt_config.outbox = th_outbox_ram_init(
        &peer->outbox, at, PEER_OUTBOX, (uint16_t *)(void *)(at + PEER_OUTBOX), PEER_INBOUND);
}

static int refuse(const char *what, enum th_error error)
{
    return fail(error == TH_ERR_INVALID ? EXIT_USAGE : exits_of(error), "%s: %s\n%s", what,
                th_error_text(error), th_error_remedy(error));
}

int peer_open(struct peer *peer, struct th_linux *loop, const struct peer_flags *flags)
{
    int code = open_tls(peer, loop, flags, true);
    if (code == EXIT_OK)
        code = check_mqtt(&peer->flags);
    if (code == EXIT_OK && flags->password_file) {
        code = pass_of_file(flags->password_file, peer->password);
        peer->flags.password = peer->password;
    }
    if (code != EXIT_OK)
        return code;
    fill_mqtt(peer);
    struct th_link_config *link = &peer->link_config;
    link->board = &peer->board;
    link->brokers = &peer->broker;
    link->broker_count = 1;
    link->plaintext = peer->flags.plaintext;
    link->tls = peer->tls;
    link->tls_config = &peer->tls_config;
    link->session_room = SESSION_MAX;
    link->session_len = &peer->session_len;
    if (peer->flags.plaintext) {
        link->session = NULL;
        link->session_len = NULL;
        link->session_room = 0;
    }
    enum th_error error = th_mqtt_init(&peer->mqtt, &peer->mqtt_config);
    if (error != TH_OK)
        return refuse("these MQTT flags do not go together", error);
    error = th_link_init(&peer->link, link, &peer->mqtt);
    return error == TH_OK ? EXIT_OK : refuse("the link cannot be set up", error);
}

void peer_close(struct peer *peer)
{
    if (!peer->loop)
        return;
    if (peer->connection >= 0)
        close(peer->connection);
    peer->connection = -1;
    if (peer->link.config) { /* drops a connection that still stands */
        uint32_t now = th_linux_now(peer->loop);
        th_link_restart(&peer->link, now, false);
        th_link_stop(&peer->link, now);
    }
    th_linux_net_close(&peer->net);
    if (peer->openssl_ready)
        th_openssl_shared_free(&peer->openssl_shared);
    credentials_free(&peer->credentials);
    OPENSSL_cleanse(peer->password, sizeof peer->password);
    free(peer->memory);
    peer->memory = NULL;
    peer->loop = NULL;
}
