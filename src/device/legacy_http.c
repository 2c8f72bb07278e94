/* SPDX-License-Identifier: MIT */
/* The legacy front in configuration mode: GET /?request=… and POST /rpc without a session, which
 * act for whoever knows the set-up code. */
#include "device/legacy_parts.h"

#define NAME_MAX_BYTES 32
#define CODE_MAX_BYTES 40 /* with blanks and '-' */

static void refuse(struct th_http_answer *answer, uint16_t status, const char *text)
{
    answer->status = status;
    answer->body = th_span_str(text);
}

/* Whoever is asked for a code and gives none has made no attempt. */
static bool may_act(const struct th_legacy_http *http, struct th_span query,
                    struct th_http_answer *answer, uint32_t now_ms)
{
    char code[CODE_MAX_BYTES] = "";

    th_http_form_value(query, "code", code, sizeof code);
    enum th_local_code found = th_local_session_code(http->session, th_span_str(code), now_ms);
    volatile char *secret = code;
    for (size_t i = 0; i < sizeof code; i++)
        secret[i] = '\0';
    if (found == TH_LOCAL_CODE_WAIT)
        refuse(answer, 429, "Too many wrong codes; wait, then try again\n");
    else if (found == TH_LOCAL_CODE_WRONG)
        refuse(answer, 401, "This needs &code= with the right set-up code\n");
    return found == TH_LOCAL_CODE_RIGHT;
}

bool th_legacy_http(void *ctx, const struct th_http_request *request, struct th_http_answer *answer,
                    char *text, size_t room, uint32_t now_ms)
{
    const struct th_legacy_http *http = ctx;
    char name[NAME_MAX_BYTES], asked[NAME_MAX_BYTES + 16];
    struct th_text line = th_text_init(asked, sizeof asked);

    if (!th_legacy_enabled(http->legacy) || request->query.len < 8 ||
        memcmp(request->query.at, "request=", 8) != 0)
        return false;
    /* One that cannot be decoded, or is too long, is no request that there is. */
    if (!th_http_form_value(request->query, "request", name, sizeof name))
        name[0] = '\0';
    th_text_str(&line, "/?request=");
    th_text_str(&line, name);
    enum th_legacy_request wanted = th_legacy_read(th_span_of(asked, line.len));
    answer->content_type = "text/plain; charset=utf-8";
    if (th_legacy_acts(wanted) && !may_act(http, request->query, answer, now_ms))
        return true;
    answer->status = 200;
    answer->body = th_legacy_answer(http->legacy, wanted, now_ms, text, room);
    if (wanted == TH_LEGACY_GET_SENSORS)
        answer->content_type = "application/json";
    return true;
}

struct th_span th_legacy_rpc(void *ctx, const struct th_http_request *request,
                             struct th_rpc_moment now, uint8_t *into, size_t room)
{
    const struct th_legacy_http *http = ctx;

    if (!th_legacy_enabled(http->legacy))
        return th_span_of(NULL, 0);
    return th_local_session_clear(http->session, request->authorization, request->body, now, into,
                                  room);
}
