/* SPDX-License-Identifier: MIT */
/*
 * Request line and fields (RFC 9112 §2 to §6). Whatever two readers could read differently is
 * refused: request smuggling lives from lenience.
 */
#include "http/parts.h"

/* ---- characters ---- */

static bool is_token(uint8_t c) /* RFC 9110 §5.6.2 */
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr(others, c) != NULL);
}

static uint8_t lower_of(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool http_is(struct th_span text, const char *lower)
{
    size_t i = 0;

    for (; i < text.len; i++) {
        if (lower[i] == '\0' || lower_of(text.at[i]) != (uint8_t)lower[i])
            return false;
    }
    return lower[i] == '\0';
}

/* ---- lines ---- */

size_t http_head_length(struct th_span received, bool *bad)
{
    size_t line = 0;

    *bad = false;
    for (size_t i = 0; i < received.len; i++) {
        uint8_t c = received.at[i];
        bool after_cr = i > 0 && received.at[i - 1] == '\r';
        if ((c == '\n') != after_cr || c == 0x7F ||
            (c < 0x20 && c != '\r' && c != '\n' && c != '\t')) {
            *bad = true;
            return 0;
        }
        if (c != '\n')
            continue;
        if (i == line + 1)
            return i + 1;
        line = i + 1;
    }
    return 0;
}

/* Cuts the next line off a head that http_head_length() has measured. */
static struct th_span next_line(struct th_span *rest)
{
    const uint8_t *end = memchr(rest->at, '\n', rest->len);
    struct th_span line = th_span_of(rest->at, (size_t)(end - rest->at) - 1);

    rest->at = end + 1;
    rest->len -= line.len + 2;
    return line;
}

/* ---- request line ---- */

static bool take_until(struct th_span *rest, uint8_t stop, struct th_span *out)
{
    const uint8_t *end = memchr(rest->at, stop, rest->len);

    if (!end)
        return false;
    *out = th_span_of(rest->at, (size_t)(end - rest->at));
    rest->at = end + 1;
    rest->len -= out->len + 1;
    return true;
}

static uint16_t read_method(struct th_span name, struct th_http_request *request)
{
    static const char *const names[] = {[TH_HTTP_GET] = "GET",
                                        [TH_HTTP_HEAD] = "HEAD",
                                        [TH_HTTP_POST] = "POST",
                                        [TH_HTTP_OPTIONS] = "OPTIONS"};

    for (size_t i = 0; i < name.len; i++) {
        if (!is_token(name.at[i]))
            return 400;
    }
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (th_span_equal(name, th_span_str(names[i]))) {
            request->method = (enum th_http_method)i;
            return 0;
        }
    }
    return name.len > 0 ? 501 : 400;
}

/* Origin form only (§3.2.1): no proxy stands in front of this server. */
static uint16_t read_target(struct th_span target, struct th_http_request *request)
{
    static const char allowed[] = "-._~:/?@!$&'()*+,;=%";

    if (target.len > TH_HTTP_TARGET_MAX)
        return 414;
    if (target.len == 0 || target.at[0] != '/')
        return 400;
    for (size_t i = 0; i < target.len; i++) {
        uint8_t c = target.at[i];
        if (!is_token(c) && (c == '\0' || !strchr(allowed, c)))
            return 400;
    }
    const uint8_t *mark = memchr(target.at, '?', target.len);
    size_t path = mark ? (size_t)(mark - target.at) : target.len;
    request->path = th_span_of(target.at, path);
    if (mark)
        request->query = th_span_of(mark + 1, target.len - path - 1);
    return 0;
}

static uint16_t read_request_line(struct th_span line, struct http_head *out)
{
    struct th_span method, target;

    if (!take_until(&line, ' ', &method) || !take_until(&line, ' ', &target))
        return 400;
    if (th_span_equal(line, TH_SPAN("HTTP/1.0")))
        out->close = true;
    else if (!th_span_equal(line, TH_SPAN("HTTP/1.1")))
        return line.len == 8 && memcmp(line.at, "HTTP/", 5) == 0 ? 505 : 400;
    uint16_t status = read_target(target, &out->request);
    return status ? status : read_method(method, &out->request);
}

/* ---- fields ---- */

struct seen {
    bool host, length;
};

static struct th_span trimmed(struct th_span text)
{
    while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t')) {
        text.at++;
        text.len--;
    }
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Digits and nothing else; a second Content-Length is refused even when it says the same. */
static uint16_t read_length(struct th_span value, size_t *out)
{
    size_t len = 0;

    if (value.len == 0)
        return 400;
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return 400;
        if (len > 100000000)
            return 413;
        len = len * 10 + (size_t)(value.at[i] - '0');
    }
    *out = len;
    return 0;
}

/* True when one of the comma-separated members is `lower`. */
static bool lists(struct th_span value, const char *lower)
{
    struct th_span member;

    while (take_until(&value, ',', &member)) {
        if (http_is(trimmed(member), lower))
            return true;
    }
    return http_is(trimmed(value), lower);
}

static bool is_host(struct th_span value)
{
    static const char others[] = "-._~%:[]";

    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.at[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}

/* Fields that decide how the bytes are read. */
static uint16_t read_framing(struct th_span name, struct th_span value, struct http_head *out,
                             struct seen *seen)
{
    if (http_is(name, "transfer-encoding"))
        return 501; /* nobody sends a form in chunks; who does would have to be read in two ways */
    if (http_is(name, "content-length")) {
        if (seen->length)
            return 400;
        seen->length = true;
        return read_length(value, &out->body_len);
    }
    if (http_is(name, "host")) {
        if (seen->host || !is_host(value))
            return 400;
        seen->host = true;
        out->request.host = value;
    } else if (http_is(name, "connection")) {
        out->close |= lists(value, "close");
    } else if (http_is(name, "expect")) {
        if (!http_is(value, "100-continue"))
            return 417;
        out->expect_continue = true;
    }
    return 0;
}

/* Fields that are only handed on. Who sends one of them twice gets 400: which one counts would be a
 * matter of taste. */
static uint16_t read_known(struct th_span name, struct th_span value, struct th_http_request *into)
{
    const struct {
        const char *name;
        struct th_span *at;
    } known[] = {
        {"origin", &into->origin},
        {"referer", &into->referer},
        {"cookie", &into->cookie},
        {"authorization", &into->authorization},
        {"content-type", &into->content_type},
        {"user-agent", &into->user_agent},
        {"if-none-match", &into->if_none_match},
        {"accept-encoding", &into->accept_encoding},
        {"sec-fetch-site", &into->fetch_site},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!http_is(name, known[i].name))
            continue;
        if (known[i].at->at)
            return 400;
        *known[i].at = value;
    }
    return 0;
}

static uint16_t read_field(struct th_span line, struct http_head *out, struct seen *seen)
{
    struct th_span name, value = line;

    /* A line that begins with a blank would be a folded one (§5.2): its name is no token. */
    if (!take_until(&value, ':', &name) || name.len == 0)
        return 400;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_token(name.at[i]))
            return 400;
    }
    value = trimmed(value);
    uint16_t status = read_framing(name, value, out, seen);
    return status ? status : read_known(name, value, &out->request);
}

uint16_t http_head_read(struct th_span head, struct http_head *out)
{
    struct seen seen = {0};
    unsigned fields = 0;

    memset(out, 0, sizeof *out);
    uint16_t status = read_request_line(next_line(&head), out);
    while (status == 0) {
        struct th_span line = next_line(&head);
        if (line.len == 0)
            break;
        status = ++fields > TH_HTTP_FIELDS_MAX ? 431 : read_field(line, out, &seen);
    }
    /* HTTP/1.0 knew no Host; a browser always sends one, and the page needs it (F5). */
    if (status == 0 && !seen.host)
        status = 400;
    if (status == 0 && out->request.method != TH_HTTP_POST && out->body_len > 0)
        status = 400;
    if (status == 0 && out->request.method == TH_HTTP_POST && !seen.length)
        status = 411;
    return status;
}
