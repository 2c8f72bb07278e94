/* SPDX-License-Identifier: MIT */
/* What mosquitto has said lately, kept for the doctor: broker/log, and broker/log.1 before it. */
#ifndef TOOL_BROKER_LOG_H
#define TOOL_BROKER_LOG_H

#include <stdio.h>

#include "home.h"

#define BROKER_LOG_FILE "broker/log"
#define BROKER_LOG_MAX  (512 * 1024) /* bytes of each of the two */

struct broker_log {
    FILE *file; /* NULL: it could not be written, and is not */
    long len;
    struct path path;
};

void broker_log_open(struct broker_log *log, const struct home *home);
void broker_log_line(struct broker_log *log, const char *line);
void broker_log_close(struct broker_log *log);

#endif
