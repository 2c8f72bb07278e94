/* SPDX-License-Identifier: MIT */
/* OpenSSL's records go straight to the wire and come straight from it. */
#include "backends/tls_openssl/internal.h"

static bool gone(enum th_stream_state state)
{
    return state == TH_STREAM_ENDED || state == TH_STREAM_FAILED;
}

/* When the wire is dead for writing, what OpenSSL wants to write is swallowed: else it would never
 * get to read, and the alert that says why the peer hung up would go unread. */
static int wire_write(BIO *bio, const char *bytes, int len)
{
    struct th_openssl *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t taken = tls->wire.ops->write(tls->wire.ctx, (const uint8_t *)bytes, (size_t)len, false);
    if (tls->state == TH_STREAM_OPENING)
        tls->bytes_out += (uint32_t)taken;
    if (taken == 0 && gone(tls->wire.ops->state(tls->wire.ctx)))
        return len;
    if (taken != 0)
        return (int)taken;
    BIO_set_retry_write(bio);
    return -1;
}

/* The end of the wire is not told to OpenSSL: what it means is decided where the state is known. */
static int wire_read(BIO *bio, char *into, int room)
{
    struct th_openssl *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t len = tls->wire.ops->read(tls->wire.ctx, (uint8_t *)into, (size_t)room);
    for (size_t i = 0; i < len && tls->head_len < sizeof tls->head; i++)
        tls->head[tls->head_len++] = (uint8_t)into[i];
    if (tls->state == TH_STREAM_OPENING)
        tls->bytes_in += (uint32_t)len;
    if (len != 0)
        return (int)len;
    enum th_stream_state state = tls->wire.ops->state(tls->wire.ctx);
    if (gone(state))
        tls->wire_end = state;
    BIO_set_retry_read(bio);
    return -1;
}

static long wire_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *th_openssl_wire_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "thimble wire");
    if (method && BIO_meth_set_write(method, wire_write) && BIO_meth_set_read(method, wire_read) &&
        BIO_meth_set_ctrl(method, wire_ctrl))
        return method;
    BIO_meth_free(method);
    return NULL;
}
