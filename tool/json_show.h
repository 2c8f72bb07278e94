/* SPDX-License-Identifier: MIT */
/* Prints a JSON value that was checked: in one line as it came, or set out for people. */
#ifndef TOOL_JSON_SHOW_H
#define TOOL_JSON_SHOW_H

#include <stdio.h>

#include <thimble/json.h>

/* Always ends with a newline. */
void json_show(FILE *to, struct th_json value, bool for_people);

#endif
