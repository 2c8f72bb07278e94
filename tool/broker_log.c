/* SPDX-License-Identifier: MIT */
#include "broker_log.h"

#include <fcntl.h>
#include <unistd.h>

#include "term.h"

static void open_file(struct broker_log *log)
{
    int file = open(log->path.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log->file = file >= 0 ? fdopen(file, "a") : NULL;
    if (!log->file) {
        if (file >= 0)
            close(file);
        return;
    }
    fseek(log->file, 0, SEEK_END);
    log->len = ftell(log->file);
}

void broker_log_open(struct broker_log *log, const struct home *home)
{
    *log = (struct broker_log){.path = home_path(home, BROKER_LOG_FILE)};
    open_file(log);
    if (!log->file)
        warn("cannot write %s; thimble doctor will not know what the broker says\n"
             "check its permissions",
             log->path.text);
}

void broker_log_line(struct broker_log *log, const char *line)
{
    if (!log->file)
        return;
    int written = fprintf(log->file, "%s\n", line);
    /* A full disk costs lines, never the broker. */
    if (written < 0 || fflush(log->file) != 0)
        clearerr(log->file);
    log->len += written > 0 ? written : 0;
    if (log->len < BROKER_LOG_MAX)
        return;
    fclose(log->file);
    rename(log->path.text, path_of("%s.1", log->path.text).text);
    open_file(log);
}

void broker_log_close(struct broker_log *log)
{
    if (log->file)
        fclose(log->file);
    log->file = NULL;
}
