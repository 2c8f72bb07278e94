/* SPDX-License-Identifier: MIT */
/* A good server whose first flight is put into another order on the way: messages left out, twice,
 * too early. TLS 1.2 alone, where that flight is in the clear. */
#include "scene.h"

#include <string.h>

enum { HEADER = 5, SERVER_HELLO = 2, CERTIFICATE = 11, SERVER_KEY_EXCHANGE = 12 };

static size_t record_len(const uint8_t *record)
{
    return HEADER + (size_t)(record[3] << 8 | record[4]);
}

/* Every message has a record of its own. */
static uint8_t *find(uint8_t *bytes, size_t len, uint8_t message)
{
    for (size_t at = 0; at + HEADER < len; at += record_len(bytes + at)) {
        if (bytes[at] == 22 && bytes[at + HEADER] == message)
            return bytes + at;
    }
    return NULL;
}

static void insert(uint8_t *bytes, size_t *len, uint8_t *at, const void *what, size_t what_len)
{
    memmove(at + what_len, at, (size_t)(bytes + *len - at));
    memcpy(at, what, what_len);
    *len += what_len;
}

static enum passage leave_out(struct connection *connection, uint8_t *bytes, size_t *len,
                              uint8_t message)
{
    uint8_t *record = connection->down == 0 ? find(bytes, *len, message) : NULL;
    if (record == NULL)
        return PASS;
    size_t gone = record_len(record);
    memmove(record, record + gone, (size_t)(bytes + *len - record) - gone);
    *len -= gone;
    return PASS;
}

static enum passage no_certificate(struct connection *connection, uint8_t *bytes, size_t *len)
{
    return leave_out(connection, bytes, len, CERTIFICATE);
}

static enum passage no_exchange(struct connection *connection, uint8_t *bytes, size_t *len)
{
    return leave_out(connection, bytes, len, SERVER_KEY_EXCHANGE);
}

static enum passage hello_twice(struct connection *connection, uint8_t *bytes, size_t *len)
{
    uint8_t hello[512];
    uint8_t *record = connection->down == 0 ? find(bytes, *len, SERVER_HELLO) : NULL;
    if (record == NULL || record_len(record) > sizeof hello)
        return PASS;
    size_t hello_len = record_len(record);
    memcpy(hello, record, hello_len);
    insert(bytes, len, record, hello, hello_len);
    return PASS;
}

static enum passage behind_hello(struct connection *connection, uint8_t *bytes, size_t *len,
                                 const char *what, size_t what_len)
{
    uint8_t *record = connection->down == 0 ? find(bytes, *len, SERVER_HELLO) : NULL;
    if (record != NULL)
        insert(bytes, len, record + record_len(record), what, what_len);
    return PASS;
}

/* CVE-2014-0224: keys are switched on before there are any. */
static enum passage early_cipher_change(struct connection *connection, uint8_t *bytes, size_t *len)
{
    return behind_hello(connection, bytes, len, "\x14\x03\x03\x00\x01\x01", 6);
}

static enum passage close_notify(struct connection *connection, uint8_t *bytes, size_t *len)
{
    return behind_hello(connection, bytes, len, "\x15\x03\x03\x00\x02\x01\x00", 7);
}

static enum passage endless_message(struct connection *connection, uint8_t *bytes, size_t *len)
{
    uint8_t *record = connection->down == 0 ? find(bytes, *len, CERTIFICATE) : NULL;
    if (record != NULL)
        memset(record + HEADER + 1, 0xFF, 3);
    return PASS;
}

/* A Certificate message may be up to 16 MiB long; this one announces one certificate of nearly that
 * and goes on for as long as anybody listens. */
static void endless_certificate(struct connection *connection)
{
    static const uint8_t hello[] = {22, 3, 3, 0, 49, 2, 0, 0, 45, 3, 3};
    static const uint8_t tail[] = {0, 0xC0, 0x2B, 0, 0, 5, 0xFF, 0x01, 0, 1, 0};
    static const uint8_t head[] = {22,   3,    3,    0x40, 0,    11,   0xFF, 0xFF,
                                   0xF0, 0xFF, 0xFF, 0xED, 0xFF, 0xFF, 0xEA};
    static uint8_t record[HEADER + 0x4000] = {22, 3, 3, 0x40, 0};
    uint8_t bytes[5 + 65535], random[32];
    if (read_some(connection->fd, bytes, HEADER) < HEADER)
        return;
    read_some(connection->fd, bytes, (size_t)(bytes[3] << 8 | bytes[4]));
    memset(random, 0x42, sizeof random);
    send_all(connection->fd, hello, sizeof hello);
    send_all(connection->fd, random, sizeof random);
    send_all(connection->fd, tail, sizeof tail);
    send_all(connection->fd, head, sizeof head);
    bool heard = send_all(connection->fd, record + HEADER, 0x4000 - (sizeof head - HEADER));
    for (int i = 0; heard && i < 1000; i++)
        heard = send_all(connection->fd, record, sizeof record);
}

typedef enum passage pass_fn(struct connection *connection, uint8_t *bytes, size_t *len);

static const struct {
    const char *id;
    pass_fn *from_server;
    void (*speak)(struct connection *connection);
} rows[] = {
    {"order-no-certificate", no_certificate, NULL},
    {"order-no-exchange", no_exchange, NULL},
    {"order-hello-twice", hello_twice, NULL},
    {"order-early-cipher-change", early_cipher_change, NULL},
    {"order-close-notify", close_notify, NULL},
    {"message-too-long", endless_message, NULL},
    {"certificate-endless", NULL, endless_certificate},
};

bool scene_of_order(struct scene *scene)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].id, scene->id) != 0)
            continue;
        scene->from_server = scene->mended ? NULL : rows[i].from_server;
        scene->speak = scene->mended ? NULL : rows[i].speak;
        return true;
    }
    return false;
}
