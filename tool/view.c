/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "term.h"

#define LABEL 18 /* columns */

struct view view_begin(void)
{
    struct view view = {.depth = 0};
    if (term.json)
        view.json = json_begin(stdout);
    return view;
}

void view_end(struct view *view)
{
    if (term.json)
        json_end(&view->json);
}

void view_open(struct view *view, const char *name, const char *heading)
{
    if (term.json)
        json_open(&view->json, name, '{');
    else if (heading)
        say("%*s%s%s%s", 2 * view->depth, "", term_out(view->depth ? TERM_PLAIN : TERM_BOLD),
            heading, term_out(TERM_PLAIN));
    view->depth++;
}

void view_close(struct view *view)
{
    view->depth--;
    if (term.json)
        json_close(&view->json, '}');
}

void view_list(struct view *view, const char *name)
{
    if (term.json)
        json_open(&view->json, name, '[');
}

void view_list_end(struct view *view)
{
    if (term.json)
        json_close(&view->json, ']');
}

static void line(const struct view *view, const char *label, const char *value)
{
    char safe[1024];
    snprintf(safe, sizeof safe, "%s", value);
    for (char *at = safe; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            *at = '?';
    }
    say("%*s%-*s  %s", 2 * view->depth, "", LABEL, label, safe);
}

void view_text(struct view *view, const char *name, const char *label, const char *value)
{
    if (term.json)
        json_text(&view->json, name, value);
    else
        line(view, label, value);
}

void view_number(struct view *view, const char *name, const char *label, int64_t value)
{
    char text[24];
    if (term.json) {
        json_number(&view->json, name, value);
        return;
    }
    snprintf(text, sizeof text, "%" PRId64, value);
    line(view, label, text);
}

void view_bool(struct view *view, const char *name, const char *label, bool value)
{
    if (term.json)
        json_bool(&view->json, name, value);
    else
        line(view, label, value ? "yes" : "no");
}

void view_note(struct view *view, const char *label, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (term.json)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    line(view, label, text);
}
