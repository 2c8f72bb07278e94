/* SPDX-License-Identifier: MIT */
/* Prints received messages to stdout: as they are, with their topic, by a format, or as JSON. A
 * message that comes in pieces is printed as it comes where the style allows, else collected. */
#ifndef TOOL_MESSAGE_H
#define TOOL_MESSAGE_H

#include <stdbool.h>

#include <thimble/mqtt.h>

struct message_style {
    bool verbose, no_newline, json;
    const char *format; /* NULL: none */
};

/* NULL, or what is wrong with the format. */
const char *message_style_fault(const struct message_style *style);

struct message_printer {
    const struct message_style *style;
    struct th_mqtt_message part; /* its topic is kept in `topic` */
    uint8_t *topic, *collected;
    size_t collected_len;
    bool arriving, printed_some;
};

void message_open(struct message_printer *printer, const struct message_style *style);
void message_close(struct message_printer *printer);

/* False when stdout takes nothing any more. */
bool message_print(struct message_printer *printer, const struct th_mqtt_message *message);

/* False when there is no memory to collect it, which was printed. */
bool message_begin(struct message_printer *printer, const struct th_mqtt_message *message);
void message_chunk(struct message_printer *printer, const struct th_mqtt_chunk *chunk);
bool message_end(struct message_printer *printer);

/* The connection was cut: what came of a message is not a message. */
void message_forget(struct message_printer *printer);

#endif
