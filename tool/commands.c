/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "exits.h"
#include "options.h"
#include "term.h"

static void list(const char *group, const struct command *commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s%s%s", group, *group ? " " : "", commands[i].name);
        printf("  %sthimble %-14s%s  %s\n", term_out(TERM_BOLD), name, term_out(TERM_PLAIN),
               commands[i].summary);
    }
}

static int unknown(const char *group, const struct command *commands, size_t count,
                   const char *said)
{
    const char *names[WORDS_MAX];
    for (size_t i = 0; i < count && i < WORDS_MAX; i++)
        names[i] = commands[i].name;
    const char *space = *group ? " " : "";
    const char *near = options_nearest(said, names, count < WORDS_MAX ? count : WORDS_MAX);
    if (near)
        return fail(EXIT_USAGE, "there is no command 'thimble %s%s%s'\nthimble %s%s%s", group,
                    space, said, group, space, near);
    return fail(EXIT_USAGE, "there is no command 'thimble %s%s%s'\nthimble %s%s--help", group,
                space, said, group, space);
}

int commands_run(const char *group, const struct command *commands, size_t count, int argc,
                 char **argv)
{
    if (argc == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        list(group, commands, count);
        printf("\nEach has --help.\n");
        return argc == 0 && *group ? EXIT_USAGE : EXIT_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
    }
    return unknown(group, commands, count, argv[0]);
}
