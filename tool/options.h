/* SPDX-License-Identifier: MIT */
/*
 * One table a command: it is what is parsed, what --help prints and what is suggested for a
 * misspelt flag. Long flags take `--flag VALUE` and `--flag=VALUE`, short ones `-p 1` and `-p1`;
 * `--` ends them. Every command has --help; -h means the same where it is nothing else.
 */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
    OPTION_FLAG,   /* into bool */
    OPTION_TEXT,   /* into const char * */
    OPTION_NUMBER, /* into long, least..most */
    OPTION_LIST,   /* into struct words: may be given again and again */
    OPTION_CALL,   /* into struct option_call: what does not fit the others */
};

#define WORDS_MAX 64

struct words {
    const char *at[WORDS_MAX];
    size_t count;
};

struct option_call {
    /* The words behind the flag; gives back how many were used, or -1 after fail(). */
    int (*take)(void *user, int argc, char **argv);
    void *user;
};

struct option {
    char letter;       /* '\0': none */
    const char *name;  /* without the dashes; NULL: a letter alone */
    const char *value; /* what --help calls it; NULL for a flag */
    const char *help;
    enum option_kind kind;
    void *into;
    long least, most;
};

struct usage {
    const char *command;   /* "ca init" */
    const char *arguments; /* "NAME...", "" */
    const char *summary;
    const char *more; /* printed under the options: examples, files; NULL: none */
};

#define OPTION_GO_ON (-1)

/* Takes the flags out of argv[0..argc) and leaves the other words in `rest`. OPTION_GO_ON, or the
 * exit code to end with: EXIT_OK after --help, EXIT_USAGE after an error it has printed. */
int options_take(const struct usage *usage, const struct option *options, size_t count, int argc,
                 char **argv, struct words *rest);

/* Puts `more` rows behind the first `count` of `options`, and gives back how many there are then.
 */
size_t options_append(struct option *options, size_t count, const struct option *rows, size_t more);

/* Rows that most commands share. */
#define OPTION_ROW_DIR(into)                                                                      \
    {                                                                                             \
        0, "dir", "DIR", "state directory [$THIMBLE_HOME or ~/.thimble]", OPTION_TEXT, into, 0, 0 \
    }
#define OPTION_ROW_JSON                                                                     \
    {                                                                                       \
        0, "json", NULL, "one JSON document instead of text", OPTION_FLAG, &term.json, 0, 0 \
    }

/* `said` when it is no further from one of the words than two letters; for "did you mean". */
const char *options_nearest(const char *said, const char *const *words, size_t count);

/* A number that is nothing but a number, within least..most. */
bool options_number(const char *text, long least, long most, long *out);

#endif
