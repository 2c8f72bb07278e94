/* SPDX-License-Identifier: MIT */
/* What is answered to which path, and who may ask from where: docs/config-mode.md, "Paths". F5. */
#include "base/off_stack.h"
#include "base/text.h"
#include "base/wipe.h"
#include "device/config_mode.h"

#define NO_STORE "Cache-Control: no-store\r\n"

static struct th_http_answer plain(uint16_t status, const char *text)
{
    return (struct th_http_answer){.status = status,
                                   .content_type = "text/plain; charset=utf-8",
                                   .fields = NO_STORE,
                                   .body = th_span_str(text)};
}

/* ---- who is asked ---- */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool same_name(struct th_span text, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len && i < text.len; i++) {
        if (lower(text.at[i]) != (uint8_t)name[i])
            return false;
    }
    return text.len == len;
}

/* Host without its port. */
static struct th_span name_of(struct th_span host)
{
    for (size_t i = host.len; i-- > 0 && host.at[i] != ']';) {
        if (host.at[i] == ':')
            return th_span_of(host.at, i);
        if (host.at[i] < '0' || host.at[i] > '9')
            break;
    }
    return host;
}

/* An address means that no name was looked up, so that no name server has had a say. */
static bool is_ours(const struct th_config_mode *mode, struct th_span host)
{
    char text[TH_ADDRESS_TEXT_MAX] = "", local[TH_NAME_MAX + sizeof ".local"];
    struct th_span name = name_of(host);
    struct th_address address;
    const char *id = th_device_id(mode->device);

    if (name.len >= sizeof text)
        return false;
    memcpy(text, name.at, name.len);
    if (name.len > 0 && th_address_parse(text, &address))
        return true;
    struct th_text own = th_text_init(local, sizeof local);
    th_text_str(&own, id[0] != '\0' ? id : "thimble");
    th_text_str(&own, ".local");
    return same_name(name, "localhost") || same_name(name, local);
}

/* ---- GET ---- */

/* To ourselves by address: the name the phone has asked for is somebody else's. */
static struct th_http_answer to_page(const struct th_config_mode *mode, bool ours, char *fields,
                                     size_t room)
{
    struct th_text text = th_text_init(fields, room);
    struct th_address local = mode->local;
    char address[TH_ADDRESS_TEXT_MAX];

    th_text_str(&text, "Location: ");
    if (!ours) {
        size_t len = th_address_text(&local, address);
        bool usual = local.port == 80 && len > 3;
        address[usual ? len - 3 : len] = '\0';
        th_text_str(&text, "http://");
        th_text_str(&text, address);
    }
    th_text_str(&text, "/config\r\n" NO_STORE);
    return (struct th_http_answer){.status = 302, .fields = fields};
}

static struct th_http_answer page(const struct th_config_mode *mode)
{
    if (!mode->options.page)
        return plain(404, "This device has no page.\nNext: thimble device enrol http://ADDRESS\n");
    return (struct th_http_answer){.status = 200,
                                   .content_type = "text/html; charset=utf-8",
                                   .fields = mode->options.page->fields,
                                   .body = mode->options.page->gzip};
}

static bool begins(struct th_span text, const char *with)
{
    return text.len >= strlen(with) && memcmp(text.at, with, strlen(with)) == 0;
}

static OFF_THE_STACK void get(struct th_config_mode *mode, const struct th_http_request *request,
                              uint32_t now_ms)
{
    struct th_config_mode_arena *arena = mode->options.arena;
    struct th_http_answer answer = {.status = 0};
    char fields[160];
    bool ours = is_ours(mode, request->host);

    if (ours && mode->options.legacy && request->method == TH_HTTP_GET &&
        same_name(request->path, "/") &&
        mode->options.legacy(mode->options.legacy_ctx, request, &answer, (char *)arena->answer,
                             sizeof arena->answer, now_ms)) {
        th_http_answer(&arena->http, &answer, now_ms);
        return;
    }
    answer = ours && same_name(request->path, "/config")
                 ? page(mode)
                 : to_page(mode, ours, fields, sizeof fields);
    th_http_answer(&arena->http, &answer, now_ms);
}

/* ---- POST ---- */

/* 0, or the status it is refused with. A page of another origin can make a browser send much, but
 * neither another Host nor another Origin, nor JSON without asking first. */
static OFF_THE_STACK uint16_t judge(const struct th_config_mode *mode,
                                    const struct th_http_request *request)
{
    struct th_span type = request->content_type, origin = request->origin;

    if (!is_ours(mode, request->host))
        return 421;
    if (origin.len > 0 &&
        (!begins(origin, "http://") ||
         !th_span_equal(th_span_of(origin.at + 7, origin.len - 7), request->host)))
        return 403;
    if (request->fetch_site.len > 0 && !same_name(request->fetch_site, "same-origin") &&
        !same_name(request->fetch_site, "none"))
        return 403;
    for (size_t i = 0; i < type.len; i++) {
        if (type.at[i] == ';' || type.at[i] == ' ')
            type.len = i;
    }
    return same_name(type, "application/json") ? 0 : 415;
}

static void ask(struct th_config_mode *mode, const struct th_http_request *request, uint32_t now_ms)
{
    struct th_config_mode_arena *arena = mode->options.arena;
    struct th_requests *requests = mode->options.requests;
    uint8_t *body = (uint8_t *)(uintptr_t)request->body.at; /* our own buffer */
    struct th_http_answer answer = {
        .status = 200, .content_type = "application/json", .fields = NO_STORE};

    struct th_rpc_moment now = th_requests_now(requests, now_ms);
    if (same_name(request->path, "/rpc")) {
        if (mode->options.legacy_rpc && request->authorization.len > 0)
            answer.body = mode->options.legacy_rpc(mode->options.legacy_ctx, request, now,
                                                   arena->answer, sizeof arena->answer);
        if (answer.body.len == 0)
            answer.body = th_local_session_take(&mode->session, body, request->body.len, now,
                                                arena->answer, sizeof arena->answer);
    } else {
        struct th_span method = th_span_of(request->path.at + 5, request->path.len - 5);
        enum th_rpc_code code =
            th_local_session_method(&mode->session, method, body, request->body.len, now,
                                    arena->answer, sizeof arena->answer, &answer.body);
        if (code != TH_RPC_OK)
            answer.status = th_http_reason((uint16_t)code)[0] != '\0' ? (uint16_t)code : 500;
    }
    th_wipe(body, request->body.len); /* it may have held secrets */
    th_http_answer(&arena->http, &answer, now_ms);
}

static OFF_THE_STACK void refuse(struct th_config_mode *mode, uint16_t status, uint32_t now_ms)
{
    struct th_http_answer answer = plain(
        status, status == 404 ? "There is POST /rpc, and nothing else.\n" : th_http_reason(status));

    th_http_answer(&mode->options.arena->http, &answer, now_ms);
}

static void post(struct th_config_mode *mode, const struct th_http_request *request,
                 uint32_t now_ms)
{
    bool there = same_name(request->path, "/rpc") || begins(request->path, "/rpc/");
    uint16_t status = there ? judge(mode, request) : 404;

    if (status == 0)
        ask(mode, request, now_ms);
    else
        refuse(mode, status, now_ms);
}

void config_mode_answer(struct th_config_mode *mode, const struct th_http_request *request,
                        uint32_t now_ms)
{
    if (request->method == TH_HTTP_GET || request->method == TH_HTTP_HEAD)
        get(mode, request, now_ms);
    else if (request->method == TH_HTTP_POST)
        post(mode, request, now_ms);
    else
        refuse(mode, 404, now_ms);
}
