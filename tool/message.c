/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <thimble/topic.h>

#include "exits.h"
#include "json.h"
#include "term.h"

const char *message_style_fault(const struct message_style *style)
{
    if (!style->format)
        return NULL;
    for (const char *at = style->format; *at; at++) {
        if (*at == '%' && (!at[1] || !strchr("tpxqrlIUJj%", at[1])))
            return "an unknown conversion behind '%'";
        if (*at == '\\' && (!at[1] || !strchr("nrt0ae\\", at[1])))
            return "an unknown escape behind '\\'";
        if (*at == '%' || *at == '\\')
            at++;
    }
    return NULL;
}

static void bytes(struct th_span span)
{
    if (span.len)
        fwrite(span.at, 1, span.len, stdout);
}

static void print_time(char kind)
{
    struct timespec now;
    struct tm parts;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    if (kind == 'U') {
        printf("%lld.%09ld", (long long)now.tv_sec, now.tv_nsec);
    } else if (gmtime_r(&now.tv_sec, &parts) &&
               strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)) {
        fputs(text, stdout);
    }
}

static void hexadecimal(struct th_span span)
{
    for (size_t i = 0; i < span.len; i++)
        printf("%02x", span.at[i]);
}

static void json_properties(struct json *json, struct th_span properties)
{
    struct th_mqtt_property property;
    if (th_mqtt_property_find(properties, TH_MQTT_CONTENT_TYPE, &property))
        json_bytes(json, "content_type", property.text.at, property.text.len);
    if (th_mqtt_property_find(properties, TH_MQTT_RESPONSE_TOPIC, &property))
        json_bytes(json, "response_topic", property.text.at, property.text.len);
    if (th_mqtt_property_find(properties, TH_MQTT_CORRELATION_DATA, &property))
        json_hex(json, "correlation_data_hex", property.text.at, property.text.len);
    if (th_mqtt_property_find(properties, TH_MQTT_MESSAGE_EXPIRY, &property))
        json_number(json, "message_expiry", property.number);
}

/* A payload that is no text would not survive as a JSON string: it goes as hexadecimal. */
static void print_json(const struct th_mqtt_message *message)
{
    struct json json = json_begin(stdout);
    json_bytes(&json, "topic", message->topic.at, message->topic.len);
    if (th_utf8_valid(message->payload) || message->payload.len == 0)
        json_bytes(&json, "payload", message->payload.at, message->payload.len);
    else
        json_hex(&json, "payload_hex", message->payload.at, message->payload.len);
    json_number(&json, "qos", message->qos);
    json_bool(&json, "retain", message->retain);
    json_bool(&json, "dup", message->dup);
    json_number(&json, "at", (int64_t)time(NULL));
    json_properties(&json, message->properties);
    json_end(&json);
}

static void print_conversion(char kind, const struct th_mqtt_message *message)
{
    switch (kind) {
    case 't': bytes(message->topic); break;
    case 'p': bytes(message->payload); break;
    case 'x': hexadecimal(message->payload); break;
    case 'q': printf("%d", message->qos); break;
    case 'r': putchar(message->retain ? '1' : '0'); break;
    case 'l': printf("%zu", message->payload.len); break;
    case 'I':
    case 'U': print_time(kind); break;
    case 'j':
    case 'J': print_json(message); break;
    default: putchar('%'); break;
    }
}

static char escaped(char letter)
{
    switch (letter) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case '0': return '\0';
    case 'a': return '\a';
    case 'e': return '\033';
    default: return '\\';
    }
}

static void print_format(const char *format, const struct th_mqtt_message *message)
{
    for (const char *at = format; *at; at++) {
        if (*at == '%')
            print_conversion(*++at, message);
        else if (*at == '\\')
            putchar(escaped(*++at));
        else
            putchar(*at);
    }
}

static void head(const struct message_printer *printer, const struct th_mqtt_message *message)
{
    if (printer->style->verbose) {
        bytes(message->topic);
        putchar(' ');
    }
}

static bool tail(const struct message_printer *printer)
{
    if (!printer->style->no_newline)
        putchar('\n');
    return fflush(stdout) == 0;
}

void message_open(struct message_printer *printer, const struct message_style *style)
{
    *printer = (struct message_printer){.style = style};
}

bool message_print(struct message_printer *printer, const struct th_mqtt_message *message)
{
    if (printer->style->json) {
        print_json(message);
        return fflush(stdout) == 0 && !ferror(stdout);
    }
    if (printer->style->format) {
        print_format(printer->style->format, message);
    } else {
        head(printer, message);
        bytes(message->payload);
    }
    return tail(printer);
}

/* ---- in pieces ---- */

static bool collects(const struct message_printer *printer)
{
    return printer->style->json || printer->style->format;
}

static void drop(struct message_printer *printer)
{
    free(printer->topic);
    free(printer->collected);
    printer->topic = printer->collected = NULL;
    printer->collected_len = 0;
    printer->arriving = printer->printed_some = false;
}

bool message_begin(struct message_printer *printer, const struct th_mqtt_message *message)
{
    drop(printer);
    printer->part = *message;
    printer->part.properties = (struct th_span){NULL, 0};
    printer->arriving = true;
    if (!collects(printer)) {
        head(printer, message);
        printer->printed_some = true;
        return true;
    }
    printer->topic = malloc(message->topic.len);
    printer->collected = malloc(message->payload_len);
    if (!printer->topic || !printer->collected) {
        drop(printer);
        fail(EXIT_FAILED, "no memory for a message of %u bytes\nprint it without -F and --json",
             message->payload_len);
        return false;
    }
    memcpy(printer->topic, message->topic.at, message->topic.len);
    printer->part.topic.at = printer->topic;
    return true;
}

void message_chunk(struct message_printer *printer, const struct th_mqtt_chunk *chunk)
{
    if (!printer->collected) {
        bytes(chunk->bytes);
        return;
    }
    memcpy(printer->collected + chunk->offset, chunk->bytes.at, chunk->bytes.len);
    printer->collected_len += chunk->bytes.len;
}

bool message_end(struct message_printer *printer)
{
    bool good;
    if (printer->collected) {
        printer->part.payload = th_span_of(printer->collected, printer->collected_len);
        good = message_print(printer, &printer->part);
    } else {
        good = tail(printer);
    }
    drop(printer);
    return good;
}

void message_forget(struct message_printer *printer)
{
    if (printer->arriving && printer->printed_some)
        warn("the connection was cut inside a message; what was printed of it is not whole\n"
             "wait: at QoS 1 and 2 it is sent again");
    drop(printer);
}

void message_close(struct message_printer *printer)
{
    drop(printer);
}
