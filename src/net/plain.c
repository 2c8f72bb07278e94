/* SPDX-License-Identifier: MIT */
/*
 * Two buffers with cursors. Bytes move within a buffer only when its end is reached with some of
 * them still there; a reader that takes all it is shown never causes that.
 */
#include <thimble/stream.h>

#include <stdbool.h>
#include <string.h>

static void send_out(struct th_plain *plain)
{
    while (plain->tx_from < plain->tx_to) {
        size_t len = plain->tx_to - plain->tx_from;
        size_t done =
            plain->wire.ops->write(plain->wire.ctx, plain->tx + plain->tx_from, len, false);
        if (done == 0)
            break;
        plain->tx_from += done;
    }
    size_t left = plain->tx_to - plain->tx_from;
    if (left > 0 && plain->tx_from > 0)
        memmove(plain->tx, plain->tx + plain->tx_from, left);
    plain->tx_from = 0;
    plain->tx_to = left;
}

static void take_in(struct th_plain *plain)
{
    size_t left = plain->rx_to - plain->rx_from;
    if (left == 0 || plain->rx_to == plain->rx_room) {
        if (left > 0 && plain->rx_from > 0)
            memmove(plain->rx, plain->rx + plain->rx_from, left);
        plain->rx_from = 0;
        plain->rx_to = left;
    }
    if (plain->rx_to < plain->rx_room)
        plain->rx_to += plain->wire.ops->read(plain->wire.ctx, plain->rx + plain->rx_to,
                                              plain->rx_room - plain->rx_to);
}

static enum th_stream_state poll(void *ctx, uint32_t now_ms)
{
    struct th_plain *plain = ctx;
    (void)now_ms;
    enum th_stream_state state = plain->wire.ops->state(plain->wire.ctx);
    if (state == TH_STREAM_OPENING)
        return state;
    if (state == TH_STREAM_OPEN)
        send_out(plain);
    take_in(plain);
    /* Reading or writing may be what shows the end. */
    return plain->wire.ops->state(plain->wire.ctx);
}

static struct th_span rx(void *ctx)
{
    const struct th_plain *plain = ctx;
    return (struct th_span){plain->rx + plain->rx_from, plain->rx_to - plain->rx_from};
}

static void rx_taken(void *ctx, size_t len)
{
    struct th_plain *plain = ctx;
    plain->rx_from += len;
}

static uint8_t *tx(void *ctx, size_t *room)
{
    const struct th_plain *plain = ctx;
    *room = plain->tx_room - plain->tx_to;
    return *room > 0 ? plain->tx + plain->tx_to : NULL;
}

static void tx_put(void *ctx, size_t len)
{
    struct th_plain *plain = ctx;
    plain->tx_to += len;
}

static void close(void *ctx, bool orderly)
{
    struct th_plain *plain = ctx;
    if (orderly && plain->wire.ops->state(plain->wire.ctx) == TH_STREAM_OPEN)
        send_out(plain);
    plain->wire.ops->close(plain->wire.ctx, orderly);
}

static void failure(void *ctx, struct th_failure *out)
{
    const struct th_plain *plain = ctx;
    plain->wire.ops->failure(plain->wire.ctx, out);
}

static const struct th_stream_ops plain_ops = {
    .poll = poll,
    .rx = rx,
    .rx_taken = rx_taken,
    .tx = tx,
    .tx_put = tx_put,
    .close = close,
    .failure = failure,
};

struct th_stream th_plain_init(struct th_plain *plain, struct th_wire wire, uint8_t *rx_at,
                               size_t rx_room, uint8_t *tx_at, size_t tx_room)
{
    *plain = (struct th_plain){
        .wire = wire, .rx = rx_at, .tx = tx_at, .rx_room = rx_room, .tx_room = tx_room};
    return (struct th_stream){&plain_ops, plain};
}
