/* SPDX-License-Identifier: MIT */
/* The pass phrase of the authorities' keys, or the PIN of the token that has them: from a file, the
 * environment or the terminal, once a command. */
#ifndef TOOL_KEY_PASS_H
#define TOOL_KEY_PASS_H

#define KEY_PASS_LEAST 8 /* bytes of a new one */

struct key_pass {
    const char *file; /* --passphrase-file */
};

/* Set by the options; a command has one installation, so one of it. */
extern struct key_pass key_pass;

#define OPTION_ROW_KEY_PASS                                                                   \
    {                                                                                         \
        0, "passphrase-file", "FILE",                                                         \
            "its first line opens the CA keys, or the token [$THIMBLE_PASSPHRASE_FILE; else " \
            "asked]",                                                                         \
            OPTION_TEXT, &key_pass.file, 0, 0                                                 \
    }

/* The pass phrase that opens `what`, kept until key_pass_wipe(). EXIT_OK, or an error that was
 * printed. */
int key_pass_take(const char *what, const char **out);

/* One for something new: typed twice, and not too short. */
int key_pass_new(const char *what, const char **out);

void key_pass_wipe(void);

#endif
