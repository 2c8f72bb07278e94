/* SPDX-License-Identifier: MIT */
/*
 * Payload is lent where the inner stream has it: reading strips the heads of frames from between,
 * writing leaves room for one in front. RFC 6455 is meant where a section stands alone.
 */
#include <thimble/websocket.h>

#include <string.h>

#include "base/base64.h"

enum state { TLS, REQUEST, ANSWER, OPEN, FAILED };
enum found { STATUS = 1, UPGRADE = 2, CONNECTION = 4, ACCEPT = 8, PROTOCOL = 16, ALL = 31 };
enum opcode { CONTINUATION, TEXT, BINARY, CLOSE = 8, PING, PONG };

#define FIN         0x80
#define MASKED      0x80
#define LONG        126
#define LONGER      127
#define OUT_HEAD    8 /* of a frame we send: two bytes, sixteen bits of length, four of mask */
#define OUT_SHORT   6
#define OUT_PAYLOAD 65535

static void fail(struct th_websocket *ws, enum th_error error, int32_t detail)
{
    ws->failed = th_failure_of(error);
    ws->failed.detail = detail;
    ws->state = FAILED;
}

/* ---- the request to upgrade, §4.1 ---- */

static void append(struct th_websocket *ws, const char *text)
{
    size_t len = strlen(text), room = sizeof ws->request - ws->request_len;
    if (len > room)
        len = room;
    memcpy(ws->request + ws->request_len, text, len);
    ws->request_len = (uint16_t)(ws->request_len + len);
}

/* What proves that the server understood: §4.2.2, 5.4. */
static void expect_accept(struct th_websocket *ws, const char *key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const struct th_hash_ops *sha1 = ws->ops.hashes->sha1;
    union th_hash_state state;
    uint8_t digest[TH_SHA1_BYTES];
    sha1->init(&state);
    sha1->update(&state, (const uint8_t *)key, strlen(key));
    sha1->update(&state, (const uint8_t *)guid, sizeof guid - 1);
    sha1->out(&state, digest);
    th_base64_encode(th_span_of(digest, sizeof digest), ws->accept, sizeof ws->accept);
}

static void make_request(struct th_websocket *ws)
{
    const struct th_board *board = ws->options.board;
    uint8_t nonce[16];
    char key[28];
    if (!board->entropy.ops->fill(board->entropy.ctx, nonce, sizeof nonce)) {
        fail(ws, TH_ERR_TLS_ENTROPY, 0);
        return;
    }
    th_base64_encode(th_span_of(nonce, sizeof nonce), key, sizeof key);
    expect_accept(ws, key);
    ws->request_len = ws->request_sent = 0;
    append(ws, "GET ");
    append(ws, ws->options.path);
    append(ws, " HTTP/1.1\r\nHost: ");
    append(ws, ws->options.host);
    append(ws, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: ");
    append(ws, key);
    append(ws, "\r\n\r\n");
    ws->state = REQUEST;
    if (ws->request_len == sizeof ws->request)
        fail(ws, TH_ERR_CONFIG, 0);
}

static void send_request(struct th_websocket *ws)
{
    size_t room;
    uint8_t *at = ws->inner.ops->tx(ws->inner.ctx, &room);
    size_t left = (size_t)(ws->request_len - ws->request_sent);
    size_t len = left < room ? left : room;
    if (at == NULL || len == 0)
        return;
    memcpy(at, ws->request + ws->request_sent, len);
    ws->inner.ops->tx_put(ws->inner.ctx, len);
    ws->request_sent = (uint16_t)(ws->request_sent + len);
    if (ws->request_sent == ws->request_len)
        ws->state = ANSWER;
}

/* ---- its answer ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool same(const char *text, const char *lower_case)
{
    while (*text != '\0' && lower(*text) == *lower_case) {
        text++;
        lower_case++;
    }
    return *text == '\0' && *lower_case == '\0';
}

/* The token stands somewhere in a list: "keep-alive, Upgrade". */
static bool has_upgrade(const char *line)
{
    static const char token[] = "upgrade";
    for (; *line != '\0'; line++) {
        size_t i = 0;
        while (token[i] != '\0' && lower(line[i]) == token[i])
            i++;
        if (token[i] == '\0')
            return true;
    }
    return false;
}

static int32_t status_of(const char *line)
{
    int32_t status = 0;
    line = strchr(line, ' ');
    for (int i = 1; line != NULL && i <= 3 && line[i] >= '0' && line[i] <= '9'; i++)
        status = 10 * status + (line[i] - '0');
    return status;
}

static void take_header(struct th_websocket *ws, char *line)
{
    size_t name_len = strcspn(line, ":");
    if (line[name_len] == '\0')
        return;
    line[name_len] = '\0';
    char *value = line + name_len + 1;
    value += strspn(value, " \t");
    size_t len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        value[--len] = '\0';
    if (same(line, "upgrade") && same(value, "websocket"))
        ws->found |= UPGRADE;
    else if (same(line, "connection") && has_upgrade(value))
        ws->found |= CONNECTION;
    else if (same(line, "sec-websocket-accept") && strcmp(value, ws->accept) == 0)
        ws->found |= ACCEPT;
    else if (same(line, "sec-websocket-protocol") && same(value, "mqtt"))
        ws->found |= PROTOCOL; /* [MQTT-6.0.0-4] */
}

static void take_line(struct th_websocket *ws)
{
    ws->line[ws->line_len] = '\0';
    bool last = ws->line_len == 0;
    ws->line_len = 0;
    if ((ws->found & STATUS) == 0) {
        int32_t status = strncmp(ws->line, "HTTP/1.1 ", 9) == 0 ? status_of(ws->line) : 0;
        ws->found = STATUS;
        if (status != 101)
            fail(ws, TH_ERR_WEBSOCKET_REFUSED, status);
    } else if (!last) {
        take_header(ws, ws->line);
    } else if (ws->found == ALL) {
        ws->state = OPEN;
    } else {
        fail(ws, TH_ERR_WEBSOCKET_REFUSED, 101);
    }
}

static void read_answer(struct th_websocket *ws)
{
    struct th_span in = ws->inner.ops->rx(ws->inner.ctx);
    size_t used = 0;
    while (used < in.len && ws->state == ANSWER) {
        char c = (char)in.at[used++];
        if (++ws->answer_len == TH_WEBSOCKET_ANSWER)
            fail(ws, TH_ERR_WEBSOCKET_REFUSED, 0);
        else if (c == '\n')
            take_line(ws);
        else if (c != '\r' && c != '\0' && ws->line_len < sizeof ws->line - 1)
            ws->line[ws->line_len++] = c;
    }
    ws->inner.ops->rx_taken(ws->inner.ctx, used);
}

/* ---- frames that come, §5.2 ---- */

static size_t head_size(const struct th_websocket *ws)
{
    uint8_t len = ws->head_len < 2 ? 0 : ws->head[1] & 0x7F;
    return len == LONG ? 4 : len == LONGER ? 10 : 2;
}

static bool is_control(uint8_t first)
{
    return (first & 0x08) != 0;
}

static void begin_frame(struct th_websocket *ws)
{
    uint8_t first = ws->head[0], opcode = first & 0x0F, len = ws->head[1];
    ws->left = len;
    if (len == LONG || len == LONGER) {
        ws->left = 0;
        for (size_t i = 2; i < ws->head_len; i++)
            ws->left = ws->left << 8 | ws->head[i];
    }
    bool known = opcode == CONTINUATION || opcode == BINARY || (opcode >= CLOSE && opcode <= PONG);
    bool bad_control = is_control(first) && ((first & FIN) == 0 || len > sizeof ws->control);
    /* Reserved bits, a mask, text, a control frame in pieces or a length of 2^63: [MQTT-6.0.0-1]
     * and §5.1, §5.5. */
    if ((first & 0x70) != 0 || (len & MASKED) != 0 || !known || bad_control || ws->left >> 63 != 0)
        fail(ws, TH_ERR_WEBSOCKET_FRAME, first);
    ws->payload = !is_control(first);
    if (ws->payload)
        return;
    ws->control_len = 0;
    ws->pong = false; /* §5.5.3: only the newest ping needs an answer */
}

static void end_frame(struct th_websocket *ws)
{
    uint8_t opcode = ws->head[0] & 0x0F;
    if (!ws->payload) {
        ws->pong = opcode == PING;
        ws->ended = opcode == CLOSE;
    }
    ws->head_len = 0;
    ws->payload = false;
}

/* Takes heads and control frames from the front, up to payload that can be lent. */
static void advance(struct th_websocket *ws)
{
    struct th_span in = ws->inner.ops->rx(ws->inner.ctx);
    size_t used = 0;
    while (ws->state == OPEN && !ws->ended && used < in.len && !(ws->payload && ws->left > 0)) {
        if (ws->head_len < head_size(ws)) {
            ws->head[ws->head_len++] = in.at[used++];
            if (ws->head_len < 2 || ws->head_len < head_size(ws))
                continue;
            begin_frame(ws);
        } else {
            ws->control[ws->control_len++] = in.at[used++];
            ws->left--;
        }
        if (ws->state == OPEN && ws->left == 0)
            end_frame(ws);
    }
    ws->inner.ops->rx_taken(ws->inner.ctx, used);
}

/* ---- frames that go ---- */

/* Completes a frame whose payload stands OUT_HEAD bytes behind `at`. §5.3: a fresh mask for each.
 */
static void put_frame(struct th_websocket *ws, uint8_t *at, enum opcode opcode, size_t len)
{
    const struct th_board *board = ws->options.board;
    size_t head = len < LONG ? OUT_SHORT : OUT_HEAD;
    uint8_t *mask = at + head - 4;
    uint8_t *payload = at + head;
    if (head != OUT_HEAD)
        memmove(payload, at + OUT_HEAD, len);
    at[0] = (uint8_t)(FIN | opcode);
    at[1] = (uint8_t)(MASKED | (len < LONG ? len : LONG));
    if (head == OUT_HEAD) {
        at[2] = (uint8_t)(len >> 8);
        at[3] = (uint8_t)len;
    }
    if (!board->entropy.ops->fill(board->entropy.ctx, mask, 4)) {
        fail(ws, TH_ERR_TLS_ENTROPY, 0);
        return;
    }
    for (size_t i = 0; i < len; i++)
        payload[i] ^= mask[i & 3];
    ws->inner.ops->tx_put(ws->inner.ctx, head + len);
}

static bool put_control(struct th_websocket *ws, enum opcode opcode, const uint8_t *bytes,
                        size_t len)
{
    size_t room;
    uint8_t *at = ws->inner.ops->tx(ws->inner.ctx, &room);
    if (at == NULL || room < OUT_HEAD + len)
        return false;
    memcpy(at + OUT_HEAD, bytes, len);
    put_frame(ws, at, opcode, len);
    return true;
}

/* ---- the stream ---- */

static enum th_stream_state poll(void *ctx, uint32_t now_ms)
{
    struct th_websocket *ws = ctx;
    if (ws->state == FAILED)
        return TH_STREAM_FAILED;
    enum th_stream_state inner = ws->inner.ops->poll(ws->inner.ctx, now_ms);
    if (inner == TH_STREAM_OPENING || inner == TH_STREAM_FAILED)
        return inner;
    if (ws->state == TLS && inner == TH_STREAM_OPEN)
        make_request(ws);
    if (ws->state == REQUEST) {
        send_request(ws);
        inner = ws->inner.ops->poll(ws->inner.ctx, now_ms);
    }
    if (ws->state == ANSWER)
        read_answer(ws);
    if (ws->state == OPEN)
        advance(ws);
    if (ws->state == OPEN && ws->pong && put_control(ws, PONG, ws->control, ws->control_len))
        ws->pong = false;
    if (ws->state == FAILED)
        return TH_STREAM_FAILED;
    if (inner != TH_STREAM_OPEN || ws->ended)
        return inner == TH_STREAM_FAILED ? inner : TH_STREAM_ENDED;
    return ws->state == OPEN ? TH_STREAM_OPEN : TH_STREAM_OPENING;
}

static struct th_span rx(void *ctx)
{
    struct th_websocket *ws = ctx;
    struct th_span none = {NULL, 0};
    if (ws->state != OPEN || !ws->payload || ws->left == 0)
        return none;
    struct th_span in = ws->inner.ops->rx(ws->inner.ctx);
    if (in.len > ws->left)
        in.len = (size_t)ws->left;
    return in;
}

static void rx_taken(void *ctx, size_t len)
{
    struct th_websocket *ws = ctx;
    if (len == 0)
        return;
    ws->inner.ops->rx_taken(ws->inner.ctx, len);
    ws->left -= len;
    if (ws->left == 0) {
        end_frame(ws);
        advance(ws);
    }
}

static uint8_t *tx(void *ctx, size_t *room)
{
    struct th_websocket *ws = ctx;
    *room = 0;
    if (ws->state != OPEN)
        return NULL;
    uint8_t *at = ws->inner.ops->tx(ws->inner.ctx, room);
    if (at == NULL || *room <= OUT_HEAD) {
        *room = 0;
        return NULL;
    }
    *room -= OUT_HEAD;
    if (*room > OUT_PAYLOAD)
        *room = OUT_PAYLOAD;
    return at + OUT_HEAD;
}

static void tx_put(void *ctx, size_t len)
{
    struct th_websocket *ws = ctx;
    size_t room;
    uint8_t *at = ws->inner.ops->tx(ws->inner.ctx, &room);
    if (at != NULL && len > 0)
        put_frame(ws, at, BINARY, len);
}

static void close(void *ctx, bool orderly)
{
    struct th_websocket *ws = ctx;
    static const uint8_t normal[] = {0x03, 0xE8}; /* 1000, §7.4.1 */
    if (orderly && ws->state == OPEN)
        put_control(ws, CLOSE, normal, sizeof normal);
    ws->inner.ops->close(ws->inner.ctx, orderly);
}

static void failure(void *ctx, struct th_failure *out)
{
    struct th_websocket *ws = ctx;
    if (ws->state == FAILED)
        *out = ws->failed;
    else
        ws->inner.ops->failure(ws->inner.ctx, out);
}

static const struct th_stream_ops stream_ops = {
    .poll = poll,
    .rx = rx,
    .rx_taken = rx_taken,
    .tx = tx,
    .tx_put = tx_put,
    .close = close,
    .failure = failure,
};

/* ---- the backend ---- */

static struct th_stream start(void *ctx, const struct th_tls_start *how, uint32_t now_ms)
{
    struct th_websocket *ws = ctx;
    ws->inner = ws->options.tls.ops->start(ws->options.tls.ctx, how, now_ms);
    ws->state = TLS;
    ws->found = 0;
    ws->line_len = ws->answer_len = 0;
    ws->head_len = ws->control_len = 0;
    ws->left = 0;
    ws->payload = ws->pong = ws->ended = false;
    return (struct th_stream){&stream_ops, ws};
}

static size_t session(void *ctx, uint8_t *into, size_t room)
{
    const struct th_websocket *ws = ctx;
    return ws->options.tls.ops->session(ws->options.tls.ctx, into, room);
}

static void info(void *ctx, struct th_tls_info *out)
{
    const struct th_websocket *ws = ctx;
    ws->options.tls.ops->info(ws->options.tls.ctx, out);
}

struct th_tls th_websocket_init(struct th_websocket *websocket,
                                const struct th_websocket_options *options)
{
    const struct th_tls_ops *inner = options->tls.ops;
    memset(websocket, 0, sizeof *websocket);
    websocket->options = *options;
    websocket->ops = (struct th_tls_ops){
        .name = inner->name,
        .scratch_size = inner->scratch_size,
        .hashes = inner->hashes,
        .start = start,
        .session = session,
        .info = info,
    };
    return (struct th_tls){&websocket->ops, websocket};
}
