/* SPDX-License-Identifier: MIT */
#include "json_show.h"
#include "term.h"

#define SHORT 60 /* a container that is no longer stays on one line */

static void raw(FILE *to, struct th_span text)
{
    fwrite(text.at, 1, text.len, to);
}

static const char *colour(enum th_json_kind kind)
{
    switch (kind) {
    case TH_JSON_STRING: return term_out(TERM_GREEN);
    case TH_JSON_NUMBER:
    case TH_JSON_TRUE:
    case TH_JSON_FALSE: return term_out(TERM_CYAN);
    default: return "";
    }
}

static void show(FILE *to, struct th_json value, int depth)
{
    bool object = value.kind == TH_JSON_OBJECT;
    struct th_json name, child;
    bool first = true;

    if ((!object && value.kind != TH_JSON_ARRAY) || value.text.len <= SHORT) {
        fputs(colour(value.kind), to);
        raw(to, value.text);
        fputs(*colour(value.kind) ? term_out(TERM_PLAIN) : "", to);
        return;
    }
    putc(object ? '{' : '[', to);
    for (size_t at = 0; th_json_next(value, &at, &name, &child); first = false) {
        fprintf(to, "%s\n%*s", first ? "" : ",", 2 * depth + 2, "");
        if (object) {
            fputs(term_out(TERM_BOLD), to);
            raw(to, name.text);
            fprintf(to, "%s: ", term_out(TERM_PLAIN));
        }
        show(to, child, depth + 1);
    }
    fprintf(to, "\n%*s%c", 2 * depth, "", object ? '}' : ']');
}

void json_show(FILE *to, struct th_json value, bool for_people)
{
    if (for_people)
        show(to, value, 0);
    else
        raw(to, value.text);
    putc('\n', to);
}
