/* SPDX-License-Identifier: MIT */
#include <thimble/failure.h>

#include <stdbool.h>

#include "base/text.h"

struct th_failure th_failure_of(enum th_error error)
{
    return (struct th_failure){
        .error = error, .alert = TH_NO_ALERT, .reason_code = TH_NO_REASON_CODE};
}

/* What a terminal may be shown of a peer's bytes. */
static char printable(uint8_t c)
{
    return c >= 0x20 && c < 0x7F ? (char)c : '?';
}

void th_failure_name(struct th_failure *failure, struct th_span text)
{
    const size_t most = TH_FAILURE_NAME_MAX - 1;
    size_t len = text.len > most ? most - 3 : text.len;
    for (size_t i = 0; i < len; i++)
        failure->name[i] = printable(text.at[i]);
    for (; text.len > most && len < most; len++)
        failure->name[len] = '.';
    failure->name[len] = '\0';
}

/* Evidence stands in one pair of brackets, separated by commas. */
struct line {
    struct th_text text;
    bool opened;
};

static struct th_text *evidence(struct line *line)
{
    th_text_str(&line->text, line->opened ? ", " : " (");
    line->opened = true;
    return &line->text;
}

static bool about_certificate(enum th_layer layer)
{
    return layer == TH_LAYER_TRUST || layer == TH_LAYER_SERVER_NAME || layer == TH_LAYER_DATE;
}

static void put_name(struct line *line, const struct th_failure *failure, enum th_layer layer)
{
    if (failure->name[0] == '\0')
        return;
    struct th_text *text = evidence(line);
    if (about_certificate(layer) && failure->depth == 0)
        th_text_str(text, "certificate ");
    if (about_certificate(layer) && failure->depth > 0) {
        th_text_str(text, "issuer ");
        th_text_decimal(text, failure->depth);
        th_text_char(text, ' ');
    }
    th_text_char(text, '"');
    /* Whoever filled the failure may have written the name directly: not trusted here either. */
    for (size_t i = 0; i < sizeof failure->name && failure->name[i] != '\0'; i++)
        th_text_char(text, printable((uint8_t)failure->name[i]));
    th_text_char(text, '"');
}

static void put_dates(struct line *line, const struct th_failure *failure, enum th_layer layer)
{
    if (!about_certificate(layer))
        return;
    if (failure->not_before_s != 0 || failure->not_after_s != 0) {
        struct th_text *text = evidence(line);
        th_text_str(text, "valid ");
        th_text_date(text, failure->not_before_s);
        th_text_str(text, " to ");
        th_text_date(text, failure->not_after_s);
    }
    if (failure->now_s != 0) {
        struct th_text *text = evidence(line);
        th_text_str(text, "judged on ");
        th_text_date(text, failure->now_s);
    }
}

static void put_alert(struct line *line, const struct th_failure *failure)
{
    if (failure->alert == TH_NO_ALERT)
        return;
    struct th_text *text = evidence(line);
    th_text_str(text, "alert ");
    th_text_decimal(text, failure->alert);
    th_text_char(text, ' ');
    th_text_str(text, th_alert_text(failure->alert));
}

static void put_reason(struct line *line, const struct th_failure *failure)
{
    if (failure->reason_code == TH_NO_REASON_CODE)
        return;
    /* Only a CONNACK of 3.1.1 refuses with a code below 0x80. */
    bool is_v4 = failure->error == TH_ERR_CONNACK_REFUSED && failure->reason_code < 0x80;
    struct th_text *text = evidence(line);
    th_text_str(text, "reason code ");
    th_text_decimal(text, failure->reason_code);
    th_text_char(text, ' ');
    th_text_str(text, th_reason_text(is_v4 ? 4 : 5, failure->reason_code));
}

static void put_detail(struct line *line, const struct th_failure *failure, enum th_layer layer)
{
    if (failure->detail == 0)
        return;
    struct th_text *text = evidence(line);
    if (layer == TH_LAYER_MEMORY || failure->error == TH_ERR_MQTT_PACKET_TOO_LARGE ||
        failure->error == TH_ERR_TOO_LARGE || failure->error == TH_ERR_FILE_TOO_LARGE) {
        th_text_decimal(text, failure->detail);
        th_text_str(text, " bytes");
    } else if (failure->error == TH_ERR_TRUST_WEAK_KEY) {
        th_text_decimal(text, failure->detail);
        th_text_str(text, " bits");
    } else {
        th_text_str(text, "error number ");
        th_text_decimal(text, failure->detail);
    }
}

size_t th_failure_text(const struct th_failure *failure, char *into, size_t room)
{
    enum th_layer layer = th_error_layer(failure->error);
    struct line line = {th_text_init(into, room), false};
    th_text_str(&line.text, th_layer_name(layer));
    if (layer != TH_LAYER_NONE)
        th_text_str(&line.text, ": ");
    th_text_str(&line.text, th_error_text(failure->error));
    put_name(&line, failure, layer);
    put_dates(&line, failure, layer);
    put_alert(&line, failure);
    put_reason(&line, failure);
    put_detail(&line, failure, layer);
    if (line.opened)
        th_text_char(&line.text, ')');
    return line.text.len;
}
