/* SPDX-License-Identifier: MIT */
/* Configuration mode as a service: when it listens, whom it serves, when it closes. */
#include <thimble/time.h>

#include "base/wipe.h"
#include "device/config_mode.h"
#include "device/parts.h"

#define OPEN_AGAIN_MS 1000
#define ROUNDS        8 /* of reading and writing in a step: others have to do as well */

void th_config_mode_init(struct th_config_mode *mode, const struct th_config_mode_options *options)
{
    memset(mode, 0, sizeof *mode);
    mode->options = *options;
    if (!options->bundle.at) {
        mode->options.bundle.at = options->requests->bundle;
        mode->options.bundle.room = options->requests->bundle_room;
    }
    mode->sets[0] = (struct th_rpc_set){config_mode_methods, config_mode_method_count, mode};
    mode->sets[1] = (struct th_rpc_set){th_local_methods, 1, &mode->session};
    th_requests_add(options->requests, &mode->sets[0]);
    th_requests_add(options->requests, &mode->sets[1]);
}

bool th_config_mode_open(const struct th_config_mode *mode)
{
    return mode->open;
}

struct th_local_session *th_config_mode_session(struct th_config_mode *mode)
{
    return &mode->session;
}

/* ---- opening and closing ---- */

/* The memory is somebody else's by now. */
static void hang_up(struct th_config_mode *mode)
{
    if (mode->connected)
        mode->wire.ops->close(mode->wire.ctx, true);
    mode->connected = false;
}

static void shut(struct th_config_mode *mode, const char *why)
{
    const struct th_board *board = mode->device->config->board;

    th_local_session_end(&mode->session);
    mode->bundle_len = mode->bundle_total = 0;
    mode->wanted = false;
    if (!mode->open)
        return;
    hang_up(mode);
    board->listen.ops->close(board->listen.ctx);
    mode->open = false;
    if (why)
        th_device_say(mode->device, why);
}

static void start(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_config_mode *mode = ctx;

    mode->device = device;
    mode->session_config = (struct th_local_session_config){.rpc = &mode->options.requests->rpc,
                                                            .crypto = device->config->crypto,
                                                            .board = &device->board,
                                                            .factory = &device->factory,
                                                            .log = &device->log,
                                                            .kind = TH_RECORD_WRONG_CODES};
    th_local_session_start(&mode->session, &mode->session_config, now_ms);
    mode->open = mode->wanted = mode->connected = mode->over = false;
    mode->bundle_len = mode->bundle_total = 0;
}

/* Without a set-up code nobody could be told from anybody else: nothing opens. */
static bool has_code(const struct th_device *device)
{
    char code[TH_SETUP_CODE + 1];
    bool has = device->factory.log.flash && th_factory_code(&device->factory, code);

    th_wipe(code, sizeof code);
    return has;
}

static void try_to_open(struct th_config_mode *mode)
{
    const struct th_board *board = mode->device->config->board;

    mode->open = board->listen.ops->open(board->listen.ctx);
    if (mode->open)
        th_device_say(mode->device, "page open");
}

static void entered(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_config_mode *mode = ctx;
    const struct th_board *board = device->config->board;

    if (th_device_mode(device) != TH_MODE_CONFIG) {
        shut(mode, NULL);
        mode->over = false;
        return;
    }
    if (mode->wanted || mode->over || !board->listen.ops || !has_code(device))
        return;
    mode->open_ms = now_ms;
    mode->wanted = true;
    try_to_open(mode);
    if (!mode->open)
        th_device_say(device, "the page cannot open yet: its address is in use, or no memory");
}

static void leaving(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_config_mode *mode = ctx;

    (void)device;
    (void)now_ms;
    shut(mode, NULL);
}

/* ---- closing by itself (F4) ---- */

static bool enrolled(const struct th_device *device)
{
    return th_device_id(device)[0] != '\0';
}

static uint32_t step_window(struct th_config_mode *mode, uint32_t now_ms)
{
    uint32_t allowed_ms =
        enrolled(mode->device) ? TH_CONFIG_MODE_ENROLLED_MS : TH_CONFIG_MODE_BLANK_MS;

    if (th_local_session_alive(&mode->session, now_ms))
        mode->open_ms = now_ms;
    if (now_ms - mode->open_ms < allowed_ms)
        return th_time_until(now_ms, mode->open_ms + allowed_ms);
    shut(mode, "nobody has come: the page is closed; a restart opens it again");
    mode->over = true;
    if (enrolled(mode->device))
        th_device_try_mode(mode->device, "mqtt", now_ms); /* what it was before */
    return TH_FOREVER;
}

/* ---- one connection ---- */

static bool is_loopback(const struct th_address *at)
{
    static const uint8_t one[16] = {[15] = 1};

    return at->family == 4 ? at->bytes[0] == 127 : memcmp(at->bytes, one, sizeof one) == 0;
}

/* On a network of others somebody could alter the page under way: there only if it was asked for.
 */
static bool may_serve(struct th_config_mode *mode, const struct th_address *local)
{
    static const uint8_t none[4];
    const uint8_t *ap = mode->options.ap;
    bool on_ap = local->family == 4 && memcmp(ap, none, 4) != 0 && memcmp(local->bytes, ap, 4) == 0;

    return is_loopback(local) || on_ap || th_device_number(mode->device, "http.lan") != 0;
}

static void take_connection(struct th_config_mode *mode, uint32_t now_ms)
{
    const struct th_board *board = mode->device->config->board;
    struct th_config_mode_arena *arena = mode->options.arena;

    if (mode->connected || !board->listen.ops->accept(board->listen.ctx, &mode->wire, &mode->local))
        return;
    mode->connected = true;
    mode->wire_ms = now_ms;
    if (may_serve(mode, &mode->local)) {
        th_http_init(&arena->http, arena->request, sizeof arena->request, now_ms);
        return;
    }
    mode->wire.ops->close(mode->wire.ctx, false);
    mode->connected = false;
}

/* What was sent is gone from the memory before the next step. */
static bool write_out(struct th_config_mode *mode, uint32_t now_ms)
{
    struct th_http *http = &mode->options.arena->http;
    struct th_span out = th_http_tx_pending(http);
    size_t sent = 0;

    if (out.len > 0)
        sent = mode->wire.ops->write(mode->wire.ctx, out.at, out.len, false);
    if (sent > 0)
        th_http_tx_done(http, sent, now_ms);
    return sent > 0;
}

static bool read_in(struct th_config_mode *mode, uint32_t now_ms)
{
    struct th_http *http = &mode->options.arena->http;
    uint8_t *at;
    size_t room = th_http_rx_space(http, &at), got = 0;

    if (room > 0)
        got = mode->wire.ops->read(mode->wire.ctx, at, room);
    if (got > 0) {
        th_http_rx_commit(http, got, now_ms);
        mode->wire_ms = now_ms;
    }
    enum th_stream_state state = mode->wire.ops->state(mode->wire.ctx); /* reading has told */
    if (got == 0 && (state == TH_STREAM_ENDED || state == TH_STREAM_FAILED))
        th_http_rx_end(http);
    return got > 0;
}

/* Browsers open connections ahead that they may never use, and somebody may send a byte a second:
 * whoever waits behind them must not wait for long. */
static bool gives_way(struct th_config_mode *mode, uint32_t now_ms)
{
    const struct th_board *board = mode->device->config->board;
    const struct th_http *http = &mode->options.arena->http;
    uint32_t patience_ms = http->used > 0 ? TH_CONFIG_MODE_SLOW_MS : TH_CONFIG_MODE_IDLE_MS;
    uint32_t since_ms = http->used > 0 ? http->since_ms : mode->wire_ms;

    return th_http_waits(http) && now_ms - since_ms >= patience_ms &&
           board->listen.ops->waiting(board->listen.ctx);
}

/* False when the connection is over. */
static bool step_connection(struct th_config_mode *mode, uint32_t now_ms)
{
    struct th_http *http = &mode->options.arena->http;

    for (int round = 0; round < ROUNDS; round++) {
        bool moved = read_in(mode, now_ms);
        enum th_http_event event = th_http_next(http, now_ms, &mode->options.arena->asked);
        if (event == TH_HTTP_REQUEST)
            config_mode_answer(mode, &mode->options.arena->asked, now_ms);
        if (!mode->open) /* the request has closed it all */
            return false;
        moved |= write_out(mode, now_ms) || event == TH_HTTP_REQUEST;
        if (event == TH_HTTP_CLOSE && th_http_tx_pending(http).len == 0)
            return false;
        if (!moved)
            break;
    }
    return mode->wire.ops->state(mode->wire.ctx) != TH_STREAM_FAILED && !gives_way(mode, now_ms);
}

static uint32_t step(void *ctx, struct th_device *device, uint32_t now_ms)
{
    struct th_config_mode *mode = ctx;
    struct th_http *http = &mode->options.arena->http;
    uint32_t wait_ms = th_local_session_tick(&mode->session, now_ms);

    (void)device;
    if (mode->wanted && !mode->open)
        try_to_open(mode);
    if (!mode->open)
        return mode->wanted ? th_time_sooner(wait_ms, OPEN_AGAIN_MS) : wait_ms;
    wait_ms = th_time_sooner(wait_ms, step_window(mode, now_ms));
    if (!mode->open)
        return wait_ms;
    take_connection(mode, now_ms);
    if (!mode->connected)
        return wait_ms;
    if (!step_connection(mode, now_ms)) {
        hang_up(mode);
        return 0; /* who comes next? */
    }
    wait_ms = th_time_sooner(wait_ms, th_http_deadline(http, now_ms));
    return th_http_waits(http) ? th_time_sooner(wait_ms, TH_CONFIG_MODE_IDLE_MS) : wait_ms;
}

struct th_service th_config_mode_service(struct th_config_mode *mode)
{
    static const struct th_service_ops ops = {
        .start = start, .entered = entered, .leaving = leaving, .step = step};

    return (struct th_service){&ops, mode};
}
