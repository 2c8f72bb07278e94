/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exits.h"
#include "term.h"

/* ---- help ---- */

static void help_row(const struct option *option)
{
    char flags[64], letter[8] = "    ";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c%s", option->letter, option->name ? ", " : "");
    snprintf(flags, sizeof flags, "%s%s%s%s%s", letter, option->name ? "--" : "",
             option->name ? option->name : "", option->value ? " " : "",
             option->value ? option->value : "");
    if (strlen(flags) > 28)
        printf("  %s\n  %-28s  %s\n", flags, "", option->help);
    else
        printf("  %-28s  %s\n", flags, option->help);
}

static void help(const struct usage *usage, const struct option *options, size_t count)
{
    printf("%sthimble %s%s%s%s [options]\n\n%s\n\n", term_out(TERM_BOLD), usage->command,
           term_out(TERM_PLAIN), *usage->arguments ? " " : "", usage->arguments, usage->summary);
    for (size_t i = 0; i < count; i++)
        help_row(&options[i]);
    printf("  %-28s  %s\n", "    --help", "this text");
    if (usage->more)
        printf("\n%s\n", usage->more);
}

/* ---- spelling ---- */

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance; words longer than 31 letters are as far as can be. */
static size_t distance(const char *a, const char *b)
{
    size_t row[32], a_len = strlen(a), b_len = strlen(b);
    if (a_len > 31 || b_len > 31)
        return 99;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = least_of(corner + (a[i - 1] != b[j - 1]), least_of(above, row[j - 1]) + 1);
            corner = above;
        }
    }
    return row[b_len];
}

const char *options_nearest(const char *said, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t best = 3;
    for (size_t i = 0; i < count; i++) {
        size_t far = distance(said, words[i]);
        if (far < best && far < strlen(words[i])) {
            best = far;
            nearest = words[i];
        }
    }
    return nearest;
}

static int unknown(const struct usage *usage, const struct option *options, size_t count,
                   const char *said)
{
    const char *names[WORDS_MAX];
    size_t known = 0;
    for (size_t i = 0; i < count && known < WORDS_MAX; i++) {
        if (options[i].name)
            names[known++] = options[i].name;
    }
    const char *near = strncmp(said, "--", 2) == 0 ? options_nearest(said + 2, names, known) : NULL;
    if (near)
        return fail(EXIT_USAGE, "thimble %s has no flag %s; did you mean --%s?\nthimble %s --help",
                    usage->command, said, near, usage->command);
    return fail(EXIT_USAGE, "thimble %s has no flag %s\nthimble %s --help", usage->command, said,
                usage->command);
}

size_t options_append(struct option *options, size_t count, const struct option *rows, size_t more)
{
    memcpy(options + count, rows, more * sizeof *rows);
    return count + more;
}

/* ---- values ---- */

bool options_number(const char *text, long least, long most, long *out)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < least || number > most)
        return false;
    *out = number;
    return true;
}

static int store(const struct usage *usage, const struct option *option, const char *flag,
                 const char *value)
{
    if (option->kind == OPTION_TEXT) {
        *(const char **)option->into = value;
    } else if (option->kind == OPTION_NUMBER) {
        if (!options_number(value, option->least, option->most, option->into))
            return fail(EXIT_USAGE,
                        "%s takes a number from %ld to %ld, not '%s'\nthimble %s --help", flag,
                        option->least, option->most, value, usage->command);
    } else {
        struct words *list = option->into;
        if (list->count == WORDS_MAX)
            return fail(EXIT_USAGE, "%s is given more than %d times\nuse fewer", flag, WORDS_MAX);
        list->at[list->count++] = value;
    }
    return OPTION_GO_ON;
}

/* ---- one flag ---- */

struct cursor {
    const struct usage *usage;
    const struct option *options;
    size_t count;
    int argc, at;
    char **argv;
};

static const struct option *find(const struct cursor *cursor, const char *word, const char **value)
{
    bool is_long = word[1] == '-';
    size_t len = is_long ? strcspn(word + 2, "=") : 1;
    for (size_t i = 0; i < cursor->count; i++) {
        const struct option *option = &cursor->options[i];
        bool same = is_long ? option->name && strlen(option->name) == len &&
                                  strncmp(option->name, word + 2, len) == 0
                            : option->letter == word[1];
        if (!same)
            continue;
        const char *behind = is_long ? word + 2 + len : word + 2;
        *value = *behind ? behind + (is_long ? 1 : 0) : NULL;
        return option;
    }
    return NULL;
}

static int take_call(struct cursor *cursor, const struct option *option)
{
    const struct option_call *call = option->into;
    int used = call->take(call->user, cursor->argc - cursor->at - 1, cursor->argv + cursor->at + 1);
    if (used < 0)
        return EXIT_USAGE;
    cursor->at += used;
    return OPTION_GO_ON;
}

static int take_flag(struct cursor *cursor, char *word)
{
    const char *value = NULL;
    const struct option *option = find(cursor, word, &value);
    if (!option)
        return unknown(cursor->usage, cursor->options, cursor->count, word);
    if (option->kind == OPTION_CALL && !value)
        return take_call(cursor, option);
    if (option->kind == OPTION_FLAG || option->kind == OPTION_CALL) {
        if (value)
            return fail(EXIT_USAGE, "%s: no value may be joined to this flag\nthimble %s --help",
                        word, cursor->usage->command);
        *(bool *)option->into = true;
        return OPTION_GO_ON;
    }
    if (!value) {
        if (cursor->at + 1 >= cursor->argc)
            return fail(EXIT_USAGE, "%s needs a value: %s\nthimble %s --help", word, option->value,
                        cursor->usage->command);
        value = cursor->argv[++cursor->at];
    }
    return store(cursor->usage, option, word, value);
}

static bool asks_help(const struct cursor *cursor, const char *word)
{
    const char *value;
    return strcmp(word, "--help") == 0 || (strcmp(word, "-h") == 0 && !find(cursor, word, &value));
}

int options_take(const struct usage *usage, const struct option *options, size_t count, int argc,
                 char **argv, struct words *rest)
{
    struct cursor cursor = {usage, options, count, argc, 0, argv};
    bool flags = true;
    for (; cursor.at < argc; cursor.at++) {
        char *word = argv[cursor.at];
        if (flags && strcmp(word, "--") == 0) {
            flags = false;
        } else if (flags && asks_help(&cursor, word)) {
            help(usage, options, count);
            return EXIT_OK;
        } else if (flags && word[0] == '-' && word[1] != '\0') {
            int code = take_flag(&cursor, word);
            if (code != OPTION_GO_ON)
                return code;
        } else if (rest->count == WORDS_MAX) {
            return fail(EXIT_USAGE, "more than %d words\nrun it more than once", WORDS_MAX);
        } else {
            rest->at[rest->count++] = word;
        }
    }
    return OPTION_GO_ON;
}
