/* SPDX-License-Identifier: MIT */
/*
 * What a person reads. Results go to stdout, warnings and errors to stderr. Colours appear on a
 * terminal alone, and not where NO_COLOR is set.
 *
 * In every format of warn() and fail(), what stands behind the last '\n' is the next step: it is
 * printed on a line of its own, so that no message goes without one.
 */
#ifndef TOOL_TERM_H
#define TOOL_TERM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct term {
    bool json;  /* stdout carries one JSON document; say() is silent */
    bool quiet; /* say() is silent */
    bool mute;  /* fail() and warn() print nothing; term_failed() still has it */
    bool colour_out, colour_err;
};

/* Set by term_init() and by the options; one terminal, so one of it. */
extern struct term term;

enum term_style { TERM_PLAIN, TERM_BOLD, TERM_DIM, TERM_RED, TERM_GREEN, TERM_YELLOW, TERM_CYAN };

void term_init(void);

/* The escape sequence for stdout (or stderr), "" without colours. */
const char *term_out(enum term_style style);
const char *term_err(enum term_style style);

/* A line to stdout, unless --json or --quiet. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "  lamp/device.key   the device's private key" */
void say_file(const char *path, const char *what);

void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Gives back `code`. With --json, stdout gets {"error": …} as well. */
int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What fail() said last, without the next step; "" before the first. For those that run on after an
 * error and tell it elsewhere as well. */
const char *term_failed(void);

/* What a path must stand between in a command that is to be pasted: "'", or "" where it needs
 * nothing. */
const char *term_quote(const char *path);

/* "2026-11-20 11:38:12Z"; `into` has room for 24. */
const char *term_date(int64_t at_s, char into[24]);

#endif
