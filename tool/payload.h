/* SPDX-License-Identifier: MIT */
/* What a message carries: a text in memory, or a file that is streamed. */
#ifndef TOOL_PAYLOAD_H
#define TOOL_PAYLOAD_H

#include <thimble/mqtt.h>

#define PAYLOAD_WHOLE_MAX 4096      /* larger ones are streamed, whatever the buffers are */
#define PAYLOAD_MAX       268369920 /* MQTT's Remaining Length, less the longest topic and header */

struct payload {
    int fd; /* -1: `text` */
    struct th_span text;
    struct th_mqtt_source source;
};

void payload_of_text(struct payload *payload, struct th_span text);

/* EXIT_OK, or the code of an error it has printed. */
int payload_of_file(struct payload *payload, const char *path);

/* All of a pipe or file, kept in a temporary file, as a stream may be read again. */
int payload_of_input(struct payload *payload, int fd);

void payload_close(struct payload *payload);

#endif
