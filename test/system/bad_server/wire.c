/* SPDX-License-Identifier: MIT */
/* What speaks no TLS, or is tampered with between the server and us. */
#include "scene.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CHANGE_CIPHER_SPEC = 20,
    HANDSHAKE = 22,
    CERTIFICATE = 11,
    SERVER_KEY_EXCHANGE = 12,
    HEADER = 5
};

/* ---- in place of a TLS server ---- */

static void read_hello(struct connection *connection)
{
    uint8_t head[HEADER], rest[65535];
    if (read_some(connection->fd, head, sizeof head) == sizeof head)
        read_some(connection->fd, rest, (size_t)(head[3] << 8 | head[4]));
}

static void answer(struct connection *connection, const void *bytes, size_t len)
{
    read_hello(connection);
    send_all(connection->fd, bytes, len);
}

/* A ServerHello of this version, suite and compression. */
static void hello(struct connection *connection, uint8_t version, uint16_t suite,
                  uint8_t compression)
{
    uint8_t bytes[47] = {HANDSHAKE, 3, version, 0, 42, 2, 0, 0, 38, 3, version};
    memset(bytes + 11, 0x42, 32);
    bytes[43] = 0; /* no session */
    bytes[44] = (uint8_t)(suite >> 8);
    bytes[45] = (uint8_t)suite;
    bytes[46] = compression;
    answer(connection, bytes, sizeof bytes);
    drain(connection->fd);
}

static void hello_ssl3(struct connection *connection)
{
    hello(connection, 0, 0xC02B, 0);
}

static void hello_tls11(struct connection *connection)
{
    hello(connection, 2, 0xC02B, 0);
}

static void hello_rsa(struct connection *connection)
{
    hello(connection, 3, 0x002F, 0);
}

static void hello_compressed(struct connection *connection)
{
    hello(connection, 3, 0xC02B, 1);
}

static void alert(struct connection *connection)
{
    answer(connection, "\x15\x03\x03\x00\x02\x02\x50", 7);
}

static void too_long(struct connection *connection)
{
    static uint8_t bytes[HEADER + 0xFFFF] = {HANDSHAKE, 3, 3, 0xFF, 0xFF};
    answer(connection, bytes, sizeof bytes);
    drain(connection->fd);
}

static void data_first(struct connection *connection)
{
    answer(connection, "\x17\x03\x03\x00\x05hello", 10);
    drain(connection->fd);
}

static void close_at_once(struct connection *connection)
{
    shutdown(connection->fd, SHUT_WR);
}

static void reset_at_once(struct connection *connection)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(connection->fd);
    connection->fd = -1;
}

static void silence(struct connection *connection)
{
    drain(connection->fd);
}

static void garbage(struct connection *connection)
{
    answer(connection, "\x8F\x1A\x00\xC7\x55\x02\x99\x31\x77\x0B", 10);
}

static void http(struct connection *connection)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    answer(connection, text, sizeof text - 1);
}

static void close_after_hello(struct connection *connection)
{
    read_hello(connection);
}

/* ---- between a good server and us ---- */

/* Whole records: the one after `from`, at most `len`. */
static size_t record_len(const uint8_t *record)
{
    return HEADER + (size_t)(record[3] << 8 | record[4]);
}

static enum passage flip_exchange(struct connection *connection, uint8_t *bytes, size_t *len)
{
    (void)connection;
    for (size_t at = 0; at + HEADER < *len; at += record_len(bytes + at)) {
        uint8_t *record = bytes + at;
        if (record[0] == HANDSHAKE && record[HEADER] == SERVER_KEY_EXCHANGE)
            record[record_len(record) - 1] ^= 1;
    }
    return PASS;
}

static enum passage flip_finished(struct connection *connection, uint8_t *bytes, size_t *len)
{
    bool encrypted = false;
    (void)connection;
    for (size_t at = 0; at + HEADER < *len; at += record_len(bytes + at)) {
        uint8_t *record = bytes + at;
        if (encrypted && record[0] == HANDSHAKE)
            record[record_len(record) - 1] ^= 1;
        encrypted = encrypted || record[0] == CHANGE_CIPHER_SPEC;
    }
    return PASS;
}

static enum passage alert_behind_hello(struct connection *connection, uint8_t *bytes, size_t *len)
{
    if (connection->down > 0)
        return PASS;
    *len = record_len(bytes);
    memcpy(bytes + *len, "\x15\x03\x03\x00\x02\x02\x50", 7);
    *len += 7;
    return PASS_AND_CLOSE;
}

static void put24(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 16);
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)value;
}

static size_t get24(const uint8_t *at)
{
    return (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
}

/* The Certificate message fills a record of its own: the header, the message's type and length, the
 * list's length, then each certificate behind its length. */
static enum passage substitute(struct connection *connection, uint8_t *bytes, size_t *len)
{
    const struct th_span der = connection->scene->substitute->der;
    for (size_t at = 0; at + HEADER < *len; at += record_len(bytes + at)) {
        uint8_t *record = bytes + at, *message = record + HEADER, *first = message + 7;
        if (record[0] != HANDSHAKE || message[0] != CERTIFICATE)
            continue;
        size_t before = get24(first) + 3, after = der.len > 0 ? der.len + 3 : 0;
        size_t total = get24(message + 1) - before + after;
        memmove(first + after, first + before, (size_t)(bytes + *len - first) - before);
        *len = *len - before + after;
        if (after > 0) {
            put24(first, der.len);
            memcpy(first + 3, der.at, der.len);
        }
        put24(message + 4, total - 3);
        put24(message + 1, total);
        record[3] = (uint8_t)((total + 4) >> 8);
        record[4] = (uint8_t)(total + 4);
        break;
    }
    return PASS;
}

void scene_substitute(struct scene *scene)
{
    scene->from_server = substitute;
}

/* The random is part of every key. */
static enum passage flip_random(struct connection *connection, uint8_t *bytes, size_t *len)
{
    if (connection->up == 0 && *len > 40)
        bytes[HEADER + 4 + 2] ^= 1;
    return PASS;
}

/* The list of suites is part of the transcript, but of no key; the last but one is not the one that
 * gets chosen. */
static enum passage change_suite(struct connection *connection, uint8_t *bytes, size_t *len)
{
    const size_t session = HEADER + 4 + 2 + 32;
    if (connection->number < 2 || connection->up > 0 || *len < session + 3)
        return PASS;
    size_t suites = session + 1 + bytes[session];
    size_t count = (size_t)(bytes[suites] << 8 | bytes[suites + 1]) / 2;
    bytes[suites + 2 + 2 * (count - 2) + 1] ^= 1;
    return PASS;
}

/* The server's last extensions are ours to take away as long as nothing is encrypted. What remains
 * is a ServerHello without any, which a server from before RFC 5746 would send. */
static enum passage strip_extensions(struct connection *connection, uint8_t *bytes, size_t *len)
{
    uint8_t *message = bytes + HEADER;
    if (connection->down > 0)
        return PASS;
    size_t extensions = 4 + 2 + 32 + 1 + message[4 + 2 + 32] + 2 + 1;
    size_t total = record_len(bytes), kept = HEADER + extensions;
    memmove(bytes + kept, bytes + total, *len - total);
    *len -= total - kept;
    put24(message + 1, extensions - 4);
    bytes[3] = (uint8_t)(extensions >> 8);
    bytes[4] = (uint8_t)extensions;
    return PASS;
}

/* Each connection gets one byte more than the one before. */
static enum passage cut(struct connection *connection, uint8_t *bytes, size_t *len)
{
    size_t most = connection->number - 1;
    (void)bytes;
    if (connection->established || connection->down + *len <= most)
        return PASS;
    *len = most - connection->down;
    return PASS_AND_CLOSE;
}

static enum passage stall(struct connection *connection, uint8_t *bytes, size_t *len)
{
    const size_t most = 100;
    (void)bytes;
    if (connection->down + *len <= most)
        return PASS;
    *len = most - connection->down;
    return PASS_AND_STALL;
}

/* ---- the table ---- */

typedef void speak_fn(struct connection *connection);
typedef enum passage pass_fn(struct connection *connection, uint8_t *bytes, size_t *len);

static const struct {
    const char *id;
    speak_fn *speak;
    pass_fn *from_server, *from_client;
} rows[] = {
    {"version-ssl3-hello", hello_ssl3, NULL, NULL},
    {"version-tls11-hello", hello_tls11, NULL, NULL},
    {"suite-not-offered", hello_rsa, NULL, NULL},
    {"compression", hello_compressed, NULL, NULL},
    {"record-too-long", too_long, NULL, NULL},
    {"record-data-first", data_first, NULL, NULL},
    {"alert-at-once", alert, NULL, NULL},
    {"closed-at-once", close_at_once, NULL, NULL},
    {"reset-at-once", reset_at_once, NULL, NULL},
    {"silence", silence, NULL, NULL},
    {"garbage", garbage, NULL, NULL},
    {"http", http, NULL, NULL},
    {"mqtt-plaintext", close_after_hello, NULL, NULL},
    {"tampered-exchange", NULL, flip_exchange, NULL},
    {"tampered-finished", NULL, flip_finished, NULL},
    {"alert-mid-handshake", NULL, alert_behind_hello, NULL},
    {"no-renegotiation-info", NULL, strip_extensions, NULL},
    {"tampered-hello", NULL, NULL, flip_random},
    {"bad-finished", NULL, NULL, change_suite},
    {"cut-every-byte", NULL, cut, NULL},
    {"silence-mid-handshake", NULL, stall, NULL},
};

bool scene_of_wire(struct scene *scene)
{
    if (strcmp(scene->id, "nothing-listens") == 0) {
        scene->refuse_tcp = !scene->mended;
        return true;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].id, scene->id) != 0)
            continue;
        scene->warm = rows[i].from_client == change_suite;
        scene->repeat = scene->no_tickets = rows[i].from_server == cut;
        bool is_silent = rows[i].speak == silence || rows[i].from_server == stall;
        scene->handshake_ms = is_silent && !scene->mended ? 1500 : 0;
        if (scene->mended)
            return true;
        scene->speak = rows[i].speak;
        scene->from_server = rows[i].from_server;
        scene->from_client = rows[i].from_client;
        return true;
    }
    return false;
}
