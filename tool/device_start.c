/* SPDX-License-Identifier: MIT */
/* thimble device run: finds thimble-device, and hands its options on. */
#include "device_start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exits.h"
#include "options.h"
#include "process.h"
#include "term.h"

enum { WORDS = 128 };

static const char name[] = "thimble-device";

struct run {
    bool pins, json;
    const char *attach, *file; /* of the virtual pins */
    char *argv[WORDS + 3];     /* of the device; [0] is its path */
    int argc;
    char program[4096], made[64], board[128];
};

/* ---- the program ---- */

static bool is_program(char *into, size_t room, const char *folder, int len, const char *below)
{
    int written = snprintf(into, room, "%.*s/%s%s", len, folder, below, name);

    return written > 0 && (size_t)written < room && access(into, X_OK) == 0;
}

/* Beside this one, in its libexec, or in $PATH. */
static int find_program(struct run *run)
{
    char own[3000];
    ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);

    own[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(own, '/');
    int folder = slash ? (int)(slash - own) : 0;
    if ((slash &&
         (is_program(run->program, sizeof run->program, own, folder, "") ||
          is_program(run->program, sizeof run->program, own, folder, "../libexec/thimble/"))) ||
        process_find(name, run->program, sizeof run->program))
        return EXIT_OK;
    return fail(EXIT_FAILED,
                "%s is neither beside this program nor in ../libexec/thimble or $PATH\n"
                "build it (it needs OpenSSL, BearSSL and c-ares), or put it there",
                name);
}

/* ---- options ---- */

static const struct usage usage = {
    "device run", "[OPTION OF THIMBLE-DEVICE...]", "Runs a device as a process of this machine.",
    "All else is handed on: thimble-device --help lists it. --pins takes keys: arrows move, space\n"
    "toggles an input, + and - change an analog value, digits type one, q ends. Not on a "
    "terminal,\n"
    "or with --json, it is a line for each change. Examples:\n"
    "  thimble device run --flash lamp.flash --pins\n"
    "  thimble device run --flash lamp.flash --board pins=lamp.pins &\n"
    "  thimble device run --attach lamp.pins\n"
    "  thimble device run --flash garden.flash --board gpio=gpiochip0"};

static int show_help(void)
{
    bool flag;
    const char *text;
    struct words rest;
    char help[] = "--help", *argv[] = {help};
    const struct option options[] = {
        {0, "pins", NULL, "shows its virtual pins here, and drives the inputs", OPTION_FLAG, &flag,
         0, 0},
        {0, "attach", "FILE", "shows those of a device that runs already", OPTION_TEXT, &text, 0,
         0},
        {0, "json", NULL, "with these: one JSON object a line", OPTION_FLAG, &flag, 0, 0},
    };

    return options_take(&usage, options, sizeof options / sizeof options[0], 1, argv, &rest);
}

/* True when argv[at] is that flag with a value, in it (--flag=VALUE) or as the second of `words`
 * words; else it is one word. */
static bool is_flag(const char *flag, int argc, char **argv, int at, const char **value, int *words)
{
    size_t len = strlen(flag);

    *words = 1;
    if (strncmp(argv[at], flag, len) != 0)
        return false;
    if (argv[at][len] == '=') {
        *value = argv[at] + len + 1;
        return true;
    }
    if (argv[at][len] != '\0' || at + 1 >= argc)
        return false;
    *value = argv[at + 1];
    *words = 2;
    return true;
}

static void note_board(struct run *run, const char *value)
{
    if (strncmp(value, "pins=", 5) == 0)
        run->file = value + 5;
}

static int hand_on(struct run *run, int words, char **argv)
{
    if (run->argc + words > WORDS)
        return fail(EXIT_USAGE, "more than %d words\nthimble device run --help", WORDS);
    for (int i = 0; i < words; i++)
        run->argv[run->argc++] = argv[i];
    return OPTION_GO_ON;
}

/* OPTION_GO_ON, or the code to end with. */
static int take(struct run *run, int argc, char **argv)
{
    int code = OPTION_GO_ON, words;
    const char *value;

    run->argv[run->argc++] = run->program;
    for (int i = 0; i < argc && code == OPTION_GO_ON; i += words) {
        if (is_flag("--attach", argc, argv, i, &value, &words)) {
            run->attach = value;
        } else if (strcmp(argv[i], "--help") == 0) {
            return show_help();
        } else if (strcmp(argv[i], "--pins") == 0) {
            run->pins = true;
        } else {
            run->json |= strcmp(argv[i], "--json") == 0;
            if (is_flag("--board", argc, argv, i, &value, &words))
                note_board(run, value);
            code = hand_on(run, words, argv + i);
        }
    }
    return code;
}

/* --json is ours with pins, and the device's without. */
static void keep_json(struct run *run)
{
    int kept = 0;

    for (int i = 0; i < run->argc; i++) {
        if (strcmp(run->argv[i], "--json") != 0)
            run->argv[kept++] = run->argv[i];
    }
    run->argc = kept;
    run->argv[kept] = NULL;
}

/* ---- with its pins ---- */

/* A file for the pins where none was named: gone with the device. */
static int make_file(struct run *run)
{
    static char flag[] = "--board";
    const char *folder = getenv("XDG_RUNTIME_DIR");

    for (int i = 0; i < 2 && !run->made[0]; i++, folder = "/tmp") {
        if (!folder || snprintf(run->made, sizeof run->made, "%s/thimble-pins.XXXXXX", folder) >=
                           (int)sizeof run->made) {
            run->made[0] = '\0';
            continue;
        }
        int fd = mkstemp(run->made);
        if (fd >= 0)
            close(fd);
        else
            run->made[0] = '\0';
    }
    if (!run->made[0])
        return fail(EXIT_FAILED,
                    "cannot make a file for the pins in /tmp: %s\nname one: --board pins=FILE",
                    strerror(errno));
    snprintf(run->board, sizeof run->board, "pins=%s", run->made);
    run->argv[run->argc++] = flag;
    run->argv[run->argc++] = run->board;
    run->argv[run->argc] = NULL;
    run->file = run->made;
    return EXIT_OK;
}

static int run_pins(struct run *run)
{
    keep_json(run);
    if (run->attach && (run->pins || run->argc > 1))
        return fail(EXIT_USAGE, "--attach shows a device that runs already, and starts none\n"
                                "leave out --attach, or the other words");
    int code = run->attach ? EXIT_OK : find_program(run);
    if (code == EXIT_OK && !run->attach && !run->file)
        code = make_file(run);
    if (code != EXIT_OK)
        return code;
    const struct pins_order order = {.argv = run->attach ? NULL : run->argv,
                                     .file = run->attach ? run->attach : run->file,
                                     .json = run->json};
    code = pins_run(&order);
    if (run->made[0])
        unlink(run->made);
    return code;
}

int device_start(int argc, char **argv)
{
    static struct run run;
    int code = take(&run, argc, argv);

    if (code != OPTION_GO_ON)
        return code;
    if (run.pins || run.attach)
        return run_pins(&run);
    code = find_program(&run);
    if (code != EXIT_OK)
        return code;
    run.argv[run.argc] = NULL;
    execv(run.program, run.argv);
    return fail(EXIT_FAILED, "cannot start %s: %s\nls -l %s", run.program, strerror(errno),
                run.program);
}
