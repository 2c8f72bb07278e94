/* SPDX-License-Identifier: MIT */
/* The broker's files for elsewhere: a directory for another machine, and a unit for systemd. */
#ifndef TOOL_BROKER_EXPORT_H
#define TOOL_BROKER_EXPORT_H

#include <limits.h>

#include "home.h"

/* broker/systemd.conf: a drop-in that has mosquitto.service run `thimble broker run`. EXIT_OK or an
 * error it has printed. */
int broker_write_unit(struct home *home);

/* A path as it stands between the quotes of a unit. */
void broker_unit_escape(const char *text, char into[2 * PATH_MAX]);

/* thimble broker export: what mosquitto needs, in one directory to be copied. */
int broker_export(int argc, char **argv);

#endif
