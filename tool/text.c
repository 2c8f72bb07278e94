/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdlib.h>

#include "exits.h"
#include "files.h"
#include "term.h"

int text_open(struct text *text)
{
    *text = (struct text){NULL, 0, NULL};
    text->file = open_memstream(&text->at, &text->len);
    return text->file ? EXIT_OK : fail(EXIT_FAILED, "no memory\nend other programs");
}

static int write_as(struct text *text, const char *path, int mode)
{
    int code = fclose(text->file) == 0
                   ? files_write(path, text->at, text->len, mode, FILES_REPLACE)
                   : fail(EXIT_FAILED, "no memory to write %s\nend other programs", path);
    free(text->at);
    return code;
}

int text_write(struct text *text, const char *path)
{
    return write_as(text, path, FILES_PUBLIC);
}

int text_write_secret(struct text *text, const char *path)
{
    return write_as(text, path, FILES_SECRET);
}
