/* SPDX-License-Identifier: MIT */
/* One description of what there is to show, as text for people or as one JSON document: whichever
 * --json asks for. Values may come from damaged files: what would drive a terminal is shown as '?'.
 */
#ifndef TOOL_VIEW_H
#define TOOL_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"

struct view {
    struct json json;
    int depth;
};

struct view view_begin(void);
void view_end(struct view *view);

/* A heading, and an object of that name; `name` NULL for an element of a list. */
void view_open(struct view *view, const char *name, const char *heading);
void view_close(struct view *view);

/* An array of that name; no heading. */
void view_list(struct view *view, const char *name);
void view_list_end(struct view *view);

/* "  label  value"; in a list the name is NULL. */
void view_text(struct view *view, const char *name, const char *label, const char *value);
void view_number(struct view *view, const char *name, const char *label, int64_t value);
void view_bool(struct view *view, const char *name, const char *label, bool value);

/* For people alone. */
void view_note(struct view *view, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
