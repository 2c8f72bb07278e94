/* SPDX-License-Identifier: MIT */
#include "backends/tls_bearssl/internal.h"

#include <string.h>

/* In the handshake the wire is read in pieces of at most this, so that a step seldom has more than
 * one certificate's work in it. */
#define STEP 256
/* After it one poll takes at most so many before the caller has its turn again. */
#define PIECES 64

_Static_assert(sizeof(br_ssl_session_parameters) + TH_SESSION_OVERHEAD <= TH_SESSION_BEARSSL,
               "a session fits");

/* ---- ends ---- */

static bool engine_closed(const struct th_bearssl *tls)
{
    return br_ssl_engine_current_state(&tls->client.eng) == BR_SSL_CLOSED;
}

/* Neither the engine nor the lent memory is needed any more; the session may still be asked for. */
static void forget_handshake(struct th_bearssl *tls)
{
    br_ssl_engine_set_x509(&tls->client.eng, NULL);
    br_ssl_client_set_client_certificate(&tls->client, NULL);
    tls->handshake = NULL;
}

static void failed(struct th_bearssl *tls, enum th_error error)
{
    if (tls->failure.error == TH_OK)
        tls->failure = th_failure_of(error);
    tls->state = TH_STREAM_FAILED;
    forget_handshake(tls);
    br_ssl_client_forget_session(&tls->client); /* RFC 5246 §7.2.2 */
}

/* BearSSL stops without a word when it refuses a server. Our records are in the clear until the
 * server's chain is judged, so the alert for its log can be written by hand. */
static void say_why(struct th_bearssl *tls)
{
    uint8_t alert = th_tls_refusal_alert(tls->failure.error);
    const uint8_t record[] = {21, 3, 3, 0, 2, 2, alert}; /* RFC 5246 §7.2 */
    if (tls->all_sent)
        tls->wire.ops->write(tls->wire.ctx, record, sizeof record, false);
}

/* The engine has stopped: an error, or close_notify in the handshake. */
static void stopped(struct th_bearssl *tls)
{
    int error = br_ssl_engine_last_error(&tls->client.eng);
    if (error == BR_ERR_OK) {
        failed(tls, TH_ERR_TLS_CLOSED);
        return;
    }
    if (tls->failure.error != TH_OK) /* by the judge of certificates */
        say_why(tls);
    th_bearssl_explain(tls, error, &tls->failure);
    failed(tls, tls->failure.error);
}

/* The wire has ended or failed, and all it had is read. */
static void wire_gone(struct th_bearssl *tls, enum th_stream_state state)
{
    if (state == TH_STREAM_FAILED) {
        tls->wire.ops->failure(tls->wire.ctx, &tls->failure);
        failed(tls, TH_ERR_TCP_OTHER);
    } else {
        failed(tls, tls->state == TH_STREAM_OPENING ? TH_ERR_TLS_CLOSED : TH_ERR_TLS_TRUNCATED);
    }
}

/* ---- start ---- */

void th_bearssl_init(struct th_bearssl *tls, const struct th_bearssl_profile *profile, uint8_t *in,
                     size_t in_room, uint8_t *out, size_t out_room)
{
    memset(tls, 0, sizeof *tls);
    tls->profile = profile;
    tls->in = in;
    tls->in_room = in_room;
    tls->out = out;
    tls->out_room = out_room;
    tls->state = TH_STREAM_ENDED;
}

/* BearSSL asks for the fragment length that fits the smaller of its buffers, so it is shown no more
 * output room than the length we are to ask for needs. */
static enum th_error set_buffers(struct th_bearssl *tls)
{
    size_t room = tls->out_room;
    size_t fragment = tls->config->fragment_length;
    if (fragment != 0 && room > TH_BEARSSL_OUT(fragment))
        room = TH_BEARSSL_OUT(fragment);
    br_ssl_engine_set_buffers_bidi(&tls->client.eng, tls->in, tls->in_room, tls->out, room);
    return br_ssl_engine_last_error(&tls->client.eng) ? TH_ERR_MEMORY_HANDSHAKE : TH_OK;
}

/* Entropy comes from the board alone: BearSSL's own look at the CPU and /dev/urandom is marked as
 * done. The generator begins with the seed (SP 800-90A §10.1.2.3); br_ssl_engine_inject_entropy()
 * would begin it with nothing and seed it afterwards, 30,000 instructions more on lx106. */
static enum th_error set_entropy(struct th_bearssl *tls)
{
    uint8_t seed[32];
    bool good = th_tls_seed(tls->config->board, seed, sizeof seed);
    if (good) {
        br_hmac_drbg_init(&tls->client.eng.rng, &br_sha256_vtable, seed, sizeof seed);
        tls->client.eng.rng_init_done = 2;
        tls->client.eng.rng_os_rand_done = 1;
    }
    th_tls_wipe(seed, sizeof seed);
    return good ? TH_OK : TH_ERR_TLS_ENTROPY;
}

#define ALIGNMENT _Alignof(struct th_bearssl_handshake)

/* Lays the handshake out in the lent memory; returns how many anchors have room behind it. */
static size_t lay_out(struct th_bearssl *tls, struct th_span scratch)
{
    size_t skip = (ALIGNMENT - (uintptr_t)scratch.at % ALIGNMENT) % ALIGNMENT;
    tls->handshake = (struct th_bearssl_handshake *)((uintptr_t)scratch.at + skip);
    memset(tls->handshake, 0, sizeof *tls->handshake);
    tls->handshake->tls = tls;
    tls->handshake->anchors = (br_x509_trust_anchor *)(void *)(tls->handshake + 1);
    return (scratch.len - skip - sizeof *tls->handshake) / TH_BEARSSL_ANCHOR_SIZE;
}

/* A session of another size is not ours; the handshake is then full. */
static bool set_session(struct th_bearssl *tls, struct th_span session)
{
    br_ssl_session_parameters parameters;
    if (session.len != sizeof parameters)
        return false;
    memcpy(&parameters, session.at, sizeof parameters);
    br_ssl_engine_set_session_parameters(&tls->client.eng, &parameters);
    th_tls_wipe(&parameters, sizeof parameters);
    return true;
}

static enum th_error begin(struct th_bearssl *tls, const struct th_tls_start *start)
{
    enum th_error error = th_tls_start_check(start, th_tls_bearssl.scratch_size);
    if (error != TH_OK)
        return error;
    if (!th_bearssl_engine_init(tls))
        return TH_ERR_CONFIG;
    size_t anchor_room = lay_out(tls, start->scratch);
    error = th_bearssl_x509_init(tls->handshake, anchor_room, start->server_name);
    if (error == TH_OK)
        error = th_bearssl_auth_init(tls->handshake);
    if (error == TH_OK)
        error = set_buffers(tls);
    if (error == TH_OK)
        error = set_entropy(tls);
    if (error != TH_OK)
        return error;
    tls->alpn[0] = tls->config->alpn;
    br_ssl_engine_set_protocol_names(&tls->client.eng, tls->alpn, tls->alpn[0] != NULL);
    bool resume = set_session(tls, start->session);
    char name[TH_TLS_SNI_MAX];
    if (!br_ssl_client_reset(&tls->client, th_tls_sni(start->server_name, name), resume))
        return TH_ERR_TLS_LIBRARY;
    return TH_OK;
}

static const struct th_stream_ops stream_ops;

static struct th_stream start(void *ctx, const struct th_tls_start *start, uint32_t now_ms)
{
    (void)now_ms;
    struct th_bearssl *tls = ctx;
    /* In place: a whole context on the stack would be the deepest frame of a small device. */
    th_bearssl_init(tls, tls->profile, tls->in, tls->in_room, tls->out, tls->out_room);
    tls->config = start->config;
    tls->wire = start->wire;
    tls->state = TH_STREAM_OPENING;
    enum th_error error = begin(tls, start);
    if (error != TH_OK)
        failed(tls, error);
    return (struct th_stream){&stream_ops, tls};
}

/* ---- moving bytes ---- */

static bool gone(enum th_stream_state state)
{
    return state == TH_STREAM_ENDED || state == TH_STREAM_FAILED;
}

/* When the wire is dead for writing, records are swallowed: else the engine, or an application with
 * its buffers full, would never get to read the alert that says why the peer hung up. */
static void send_records(struct th_bearssl *tls)
{
    br_ssl_engine_context *engine = &tls->client.eng;
    size_t len;
    uint8_t *bytes;
    tls->all_sent = false;
    while ((bytes = br_ssl_engine_sendrec_buf(engine, &len)) != NULL) {
        size_t taken = tls->wire.ops->write(tls->wire.ctx, bytes, len, false);
        if (tls->state == TH_STREAM_OPENING)
            tls->bytes_out += (uint32_t)taken;
        if (taken == 0 && gone(tls->wire.ops->state(tls->wire.ctx)))
            taken = len;
        if (taken == 0)
            return;
        br_ssl_engine_sendrec_ack(engine, taken);
    }
    tls->all_sent = true;
}

/* Whether the server's first bytes can be TLS at all. */
static bool head_is_tls(struct th_bearssl *tls, const uint8_t *bytes, size_t len)
{
    while (tls->head_len < sizeof tls->head && len-- != 0)
        tls->head[tls->head_len++] = *bytes++;
    return th_tls_record_begins(tls->head, tls->head_len);
}

/* Reads from the wire; at its end tells what that means. */
static size_t read_wire(struct th_bearssl *tls, uint8_t *into, size_t room)
{
    size_t len = tls->wire.ops->read(tls->wire.ctx, into, room);
    enum th_stream_state wire = TH_STREAM_OPEN;
    if (len == 0)
        wire = tls->wire.ops->state(tls->wire.ctx);
    if (gone(wire))
        wire_gone(tls, wire);
    return len;
}

/* One piece of the handshake from the wire into the engine. False when there was none, or no room
 * for one. */
static bool receive_piece(struct th_bearssl *tls)
{
    size_t room;
    uint8_t *into = br_ssl_engine_recvrec_buf(&tls->client.eng, &room);
    size_t len = into ? read_wire(tls, into, room < STEP ? room : STEP) : 0;
    if (len == 0)
        return false;
    tls->bytes_in += (uint32_t)len;
    if (!head_is_tls(tls, into, len)) {
        failed(tls, TH_ERR_TLS_NOT_TLS);
        return false;
    }
    br_ssl_engine_recvrec_ack(&tls->client.eng, len);
    return true;
}

/*
 * BearSSL wants first a record's header, then its body, and puts them side by side from the start
 * of the buffer. So the wire is asked once for all that fits behind the engine's place, which may
 * be several small records, and what the engine does not want yet is `ahead`. It moves to the front
 * when the engine begins the next record.
 */
static bool receive_record(struct th_bearssl *tls)
{
    size_t room;
    uint8_t *into = br_ssl_engine_recvrec_buf(&tls->client.eng, &room);
    if (!into)
        return false;
    if (into == tls->in && tls->ahead != 0)
        memmove(into, tls->in + tls->ahead_at, tls->ahead);
    tls->ahead_at = (size_t)(into - tls->in);
    if (tls->ahead == 0)
        tls->ahead = read_wire(tls, into, tls->in_room - tls->ahead_at);
    size_t len = tls->ahead < room ? tls->ahead : room;
    if (len == 0)
        return false;
    tls->ahead -= len;
    tls->ahead_at += len;
    br_ssl_engine_recvrec_ack(&tls->client.eng, len);
    return true;
}

/* The engine stands between two records. */
static bool between_records(const struct th_bearssl *tls)
{
    size_t room;
    return br_ssl_engine_recvrec_buf(&tls->client.eng, &room) == tls->in && room == 5;
}

/* ---- the handshake ---- */

/* The last judgement, before any application byte moves. */
static void handshake_done(struct th_bearssl *tls)
{
    br_ssl_engine_context *engine = &tls->client.eng;
    tls->resumed = !tls->handshake->chain_seen;
    if (tls->config->identity && !tls->presented && !tls->resumed)
        failed(tls, TH_ERR_TLS_CLIENT_CERT_UNASKED);
    else if (tls->config->alpn && !br_ssl_engine_get_selected_protocol(engine))
        failed(tls, TH_ERR_TLS_ALPN);
    else if (engine->reneg != 2) /* RFC 5746 §3.4: the server gave no renegotiation_info */
        failed(tls, TH_ERR_TLS_PROTOCOL);
    if (tls->state == TH_STREAM_FAILED)
        return;
    forget_handshake(tls);
    tls->state = TH_STREAM_OPEN;
}

static void handshake_step(struct th_bearssl *tls)
{
    struct th_bearssl_handshake *handshake = tls->handshake;
    handshake->worked = false;
    while (receive_piece(tls) && !engine_closed(tls)) {
        if (handshake->chain_bytes > TH_TRUST_CHAIN_BYTES_MAX) {
            failed(tls, TH_ERR_TRUST_CHAIN_TOO_LONG);
            return;
        }
        if (handshake->auth_unusable) {
            failed(tls, TH_ERR_TRUST_WE_ARE_REFUSED);
            return;
        }
        if (handshake->worked || between_records(tls))
            break;
    }
    if (tls->state == TH_STREAM_OPENING)
        send_records(tls);
}

/* Until there is something for the application. A server that sends records without content is
 * listened to so long; what was read ahead is always seen through, as nobody knows of it. */
static void open_step(struct th_bearssl *tls)
{
    size_t waiting;
    for (unsigned pieces = 0; pieces < PIECES || tls->ahead != 0; pieces++) {
        if (br_ssl_engine_recvapp_buf(&tls->client.eng, &waiting) || !receive_record(tls) ||
            engine_closed(tls))
            break;
    }
    if (tls->state != TH_STREAM_OPEN)
        return;
    send_records(tls); /* an answer to close_notify or to a request to renegotiate */
    if (tls->client.eng.shutdown_recv)
        tls->state = TH_STREAM_ENDED;
}

static enum th_stream_state poll(void *ctx, uint32_t now_ms)
{
    (void)now_ms;
    struct th_bearssl *tls = ctx;
    br_ssl_engine_context *engine = &tls->client.eng;
    if (tls->state != TH_STREAM_OPENING && tls->state != TH_STREAM_OPEN)
        return tls->state;
    if (tls->wire.ops->state(tls->wire.ctx) == TH_STREAM_OPENING)
        return tls->state;
    br_ssl_engine_flush(engine, 0);
    send_records(tls);
    if (tls->state == TH_STREAM_OPENING)
        handshake_step(tls);
    else
        open_step(tls);
    if (tls->state == TH_STREAM_OPENING &&
        br_ssl_engine_current_state(engine) & (BR_SSL_SENDAPP | BR_SSL_RECVAPP))
        handshake_done(tls);
    if ((tls->state == TH_STREAM_OPENING || tls->state == TH_STREAM_OPEN) && engine_closed(tls))
        stopped(tls);
    return tls->state;
}

/* ---- the rest of the stream ---- */

static struct th_span rx(void *ctx)
{
    struct th_bearssl *tls = ctx;
    size_t len = 0;
    if (tls->state == TH_STREAM_OPENING)
        return th_span_of(NULL, 0);
    const uint8_t *bytes = br_ssl_engine_recvapp_buf(&tls->client.eng, &len);
    return th_span_of(bytes, len);
}

static void rx_taken(void *ctx, size_t len)
{
    struct th_bearssl *tls = ctx;
    if (len != 0) /* the engine takes nothing for the end of a record */
        br_ssl_engine_recvapp_ack(&tls->client.eng, len);
}

static uint8_t *tx(void *ctx, size_t *room)
{
    struct th_bearssl *tls = ctx;
    *room = 0;
    if (tls->state != TH_STREAM_OPEN)
        return NULL;
    return br_ssl_engine_sendapp_buf(&tls->client.eng, room);
}

static void tx_put(void *ctx, size_t len)
{
    struct th_bearssl *tls = ctx;
    if (len != 0)
        br_ssl_engine_sendapp_ack(&tls->client.eng, len);
}

static void stream_close(void *ctx, bool orderly)
{
    struct th_bearssl *tls = ctx;
    if (orderly && tls->state == TH_STREAM_OPEN) {
        br_ssl_engine_close(&tls->client.eng);
        send_records(tls);
    }
    if (tls->wire.ops)
        tls->wire.ops->close(tls->wire.ctx, orderly);
    tls->wire.ops = NULL;
    forget_handshake(tls);
    th_tls_wipe(&tls->client, sizeof tls->client);
    th_tls_wipe(tls->in, tls->in_room);
    th_tls_wipe(tls->out, tls->out_room);
    if (tls->state != TH_STREAM_FAILED)
        tls->state = TH_STREAM_ENDED;
}

static void stream_failure(void *ctx, struct th_failure *out)
{
    *out = ((struct th_bearssl *)ctx)->failure;
}

static const struct th_stream_ops stream_ops = {poll,   rx,           rx_taken,      tx,
                                                tx_put, stream_close, stream_failure};

/* ---- session and information ---- */

static size_t session(void *ctx, uint8_t *into, size_t room)
{
    struct th_bearssl *tls = ctx;
    br_ssl_session_parameters parameters;
    if (tls->state != TH_STREAM_OPEN && tls->state != TH_STREAM_ENDED)
        return 0;
    br_ssl_engine_get_session_parameters(&tls->client.eng, &parameters);
    size_t len = sizeof parameters;
    if (parameters.session_id_len == 0 || len > room)
        len = 0;
    else
        memcpy(into, &parameters, len);
    th_tls_wipe(&parameters, sizeof parameters);
    return len;
}

static void info(void *ctx, struct th_tls_info *out)
{
    const struct th_bearssl *tls = ctx;
    memset(out, 0, sizeof *out);
    out->version = tls->client.eng.session.version;
    out->suite = tls->client.eng.session.cipher_suite;
    out->suite_name = th_tls_suite_name(out->suite);
    out->resumed = tls->resumed;
    out->client_certificate = tls->presented;
    out->bytes_in = tls->bytes_in;
    out->bytes_out = tls->bytes_out;
    out->server = tls->server;
}

const struct th_tls_ops th_tls_bearssl = {
    .name = "BearSSL",
    .scratch_size = sizeof(struct th_bearssl_handshake) + ALIGNMENT - 1 +
                    TH_BEARSSL_ANCHORS * TH_BEARSSL_ANCHOR_SIZE,
    .hashes = &th_bearssl_hashes,
    .start = start,
    .session = session,
    .info = info,
};
