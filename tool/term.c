/* SPDX-License-Identifier: MIT */
#include "term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "json.h"

struct term term;

static const char *const sequences[] = {
    [TERM_PLAIN] = "\033[0m", [TERM_BOLD] = "\033[1m",   [TERM_DIM] = "\033[2m",
    [TERM_RED] = "\033[31m",  [TERM_GREEN] = "\033[32m", [TERM_YELLOW] = "\033[33m",
    [TERM_CYAN] = "\033[36m",
};

void term_init(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    bool wanted = !(no_color && *no_color) && !(kind && strcmp(kind, "dumb") == 0);
    term.colour_out = wanted && isatty(STDOUT_FILENO);
    term.colour_err = wanted && isatty(STDERR_FILENO);
}

const char *term_out(enum term_style style)
{
    return term.colour_out ? sequences[style] : "";
}

const char *term_err(enum term_style style)
{
    return term.colour_err ? sequences[style] : "";
}

void say(const char *format, ...)
{
    if (term.json || term.quiet)
        return;
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

void say_file(const char *path, const char *what)
{
    say("  %s%s%s  %s", term_out(TERM_CYAN), path, term_out(TERM_PLAIN), what);
}

/* What comes from files and peers must not drive the terminal. */
static void defuse(char *text)
{
    for (char *at = text; *at; at++) {
        if (((unsigned char)*at < 0x20 && *at != '\n') || *at == 0x7F)
            *at = '?';
    }
}

static char *split(char *text, const char *format)
{
    char *next = strchr(format, '\n') ? strrchr(text, '\n') : NULL;
    if (next)
        *next++ = '\0';
    for (char *at = text; *at; at++) {
        if (*at == '\n')
            *at = ' ';
    }
    return next;
}

static void print_split(const char *kind, enum term_style style, const char *text, const char *next)
{
    fflush(stdout);
    fprintf(stderr, "%sthimble: %s%s%s\n", term_err(style), kind, term_err(TERM_PLAIN), text);
    if (next)
        fprintf(stderr, "  %snext:%s %s\n", term_err(TERM_BOLD), term_err(TERM_PLAIN), next);
}

void warn(const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    defuse(text);
    const char *next = split(text, format);
    if (!term.mute)
        print_split("warning: ", TERM_YELLOW, text, next);
}

static void fail_json(int code, const char *text, const char *next)
{
    struct json json = json_begin(stdout);
    json_open(&json, "error", '{');
    json_number(&json, "exit", code);
    json_text(&json, "message", text);
    json_text(&json, "next", next ? next : "");
    json_close(&json, '}');
    json_end(&json);
}

static char failed[512];

const char *term_failed(void)
{
    return failed;
}

int fail(int code, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    defuse(text);
    const char *next = split(text, format);
    snprintf(failed, sizeof failed, "%.*s", (int)sizeof failed - 1, text);
    if (term.json && !term.mute)
        fail_json(code, text, next);
    if (!term.mute)
        print_split("", TERM_RED, text, next);
    return code;
}

const char *term_quote(const char *path)
{
    return strpbrk(path, " \t\"$&;()*?[]<>|\\`!#~{}") ? "'" : "";
}

const char *term_date(int64_t at_s, char into[24])
{
    time_t at = (time_t)at_s;
    struct tm parts;
    if (!gmtime_r(&at, &parts) || strftime(into, 24, "%Y-%m-%d %H:%M:%SZ", &parts) == 0)
        snprintf(into, 24, "?");
    return into;
}
