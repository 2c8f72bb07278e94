/* SPDX-License-Identifier: MIT */
#include "device_run.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exits.h"
#include "json.h"
#include "mosquitto.h"
#include "term.h"

#define ROWS_MAX 100000

struct row {
    char *name; /* NULL: the one in the request */
    char *request, *bundle;
    size_t line;
};

struct table {
    struct row *rows;
    size_t count;
    const char *from;
};

static void table_free(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->rows[i].name);
        free(table->rows[i].request);
        free(table->rows[i].bundle);
    }
    free(table->rows);
}

static int no_memory(void)
{
    return fail(EXIT_FAILED, "no memory for the manifest\nend other programs");
}

/* Takes what it is given, also when it gives back an error. */
static int add_row(struct table *table, struct row row)
{
    struct row *rows =
        table->count < ROWS_MAX ? realloc(table->rows, (table->count + 1) * sizeof *rows) : NULL;
    if (rows)
        table->rows = rows;
    if (!rows || !row.request || !row.bundle) {
        free(row.name);
        free(row.request);
        free(row.bundle);
        return no_memory();
    }
    table->rows[table->count++] = row;
    return EXIT_OK;
}

/* ---- a directory of NAME.request ---- */

static const char ending[] = ".request";

static int add_entry(struct table *table, const char *file)
{
    size_t len = strlen(file), tail = sizeof ending - 1;
    if (len <= tail || strcmp(file + len - tail, ending) != 0)
        return EXIT_OK;
    return add_row(
        table,
        (struct row){.request = strdup(path_of("%s/%s", table->from, file).text),
                     .bundle = strdup(
                         path_of("%s/%.*s.bundle", table->from, (int)(len - tail), file).text)});
}

static int read_directory(struct table *table)
{
    struct dirent **entries = NULL;
    int count = scandir(table->from, &entries, NULL, alphasort);
    int code = count >= 0 ? EXIT_OK
                          : fail(EXIT_INPUT, "cannot read the directory %s\nls -ld %s", table->from,
                                 table->from);
    for (int i = 0; i < count; i++) {
        if (code == EXIT_OK)
            code = add_entry(table, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (code == EXIT_OK && table->count == 0)
        code = fail(EXIT_INPUT, "there is no NAME.request in %s\nls %s", table->from, table->from);
    return code;
}

/* ---- a table ---- */

/* Relative files are beside the table. */
static char *file_of(const struct table *table, const char *text)
{
    const char *slash = strrchr(table->from, '/');
    int len = slash ? (int)(slash - table->from) : 0;
    if (text[0] == '/' || !slash)
        return strdup(text);
    return strdup(path_of("%.*s/%s", len, table->from, text).text);
}

/* Cuts a field off a line: up to a tab, a comma or its end, without blanks around it. */
static char *field(char **line)
{
    char *begin = *line + strspn(*line, " "), *end = begin + strcspn(begin, "\t,");
    *line = *end ? end + 1 : end;
    *end = '\0';
    while (end > begin && (end[-1] == ' ' || end[-1] == '\r'))
        *--end = '\0';
    return begin;
}

static int add_line(struct table *table, char *line, size_t number)
{
    char *name = field(&line), *request = field(&line), *bundle = field(&line);
    if (*name == '\0' && *request == '\0')
        return EXIT_OK;
    if (*name == '\0' || *request == '\0' || *line)
        return fail(EXIT_INPUT,
                    "%s:%zu: name, request file and perhaps bundle file are expected, with tabs or "
                    "commas between\ncorrect the line: lamp-1\tlamp-1.request\tlamp-1.bundle",
                    table->from, number);
    int code = client_check_name("device", name);
    if (code != OPTION_GO_ON)
        return code;
    struct path usual = path_of("%s.bundle", name);
    return add_row(table, (struct row){.name = strdup(name),
                                       .request = file_of(table, request),
                                       .bundle = file_of(table, *bundle ? bundle : usual.text),
                                       .line = number});
}

static int read_table(struct table *table)
{
    struct bytes file;
    size_t number = 0;
    int code = files_read(table->from, &file);
    if (code != EXIT_OK)
        return code;
    for (char *line = (char *)file.at, *next; code == EXIT_OK && line; line = next) {
        number++;
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (line[0] != '#')
            code = add_line(table, line, number);
    }
    bytes_free(&file);
    if (code == EXIT_OK && table->count == 0)
        code = fail(EXIT_INPUT, "%s names no device\nwrite a line for each: lamp-1\tlamp-1.request",
                    table->from);
    return code;
}

/* A name twice would be enrolled and then refused, a bundle twice be overwritten. */
static int check_twice(const struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        for (size_t j = 0; j < i; j++) {
            const char *name = table->rows[i].name, *other = table->rows[j].name;
            if ((name && other && strcmp(name, other) == 0) ||
                strcmp(table->rows[i].bundle, table->rows[j].bundle) == 0)
                return fail(EXIT_INPUT,
                            "%s:%zu: the name or the bundle stands in line %zu too\n"
                            "correct one of the lines",
                            table->from, table->rows[i].line, table->rows[j].line);
        }
    }
    return EXIT_OK;
}

/* ---- the run ---- */

struct tally {
    size_t answered, before;
    bool live; /* one line that is written over and over */
    struct json json;
};

static void show_progress(struct tally *tally, const struct table *table, size_t at,
                          const struct enrol_answer *answer)
{
    if (tally->live) {
        fprintf(stderr, "\r\033[K  %zu of %zu  %s", at + 1, table->count, answer->name);
        fflush(stderr);
    }
    if (term.json) {
        json_open(&tally->json, NULL, '{');
        json_text(&tally->json, "name", answer->name);
        json_text(&tally->json, "bundle", answer->path.text);
        json_number(&tally->json, "not_after", answer->not_after_s);
        json_bool(&tally->json, "answered_before", answer->again);
        json_close(&tally->json, '}');
    } else if (!answer->again) {
        say("%-32s %s", answer->name, answer->path.text);
    }
}

static int run_rows(struct home *home, const struct table *table, long count,
                    const struct enrol_order *order, struct tally *tally)
{
    int code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < table->count; i++) {
        const struct row *row = &table->rows[i];
        struct enrol_order one = *order;
        struct enrol_answer answer;
        if (count > 0 && tally->answered == (size_t)count)
            break;
        one.request = row->request;
        one.out = row->bundle;
        code = enrol_answer(home, row->name, &one, &answer);
        if (code != EXIT_OK)
            break;
        *(answer.again ? &tally->before : &tally->answered) += 1;
        show_progress(tally, table, i, &answer);
    }
    return code;
}

static int run(struct home *home, const struct table *table, long count,
               const struct enrol_order *order)
{
    struct tally tally = {.live = !term.json && !term.quiet && isatty(STDERR_FILENO)};
    char *text = NULL;
    size_t len = 0;
    FILE *document = term.json ? open_memstream(&text, &len) : NULL;
    if (term.json && !document)
        return no_memory();
    if (document) { /* printed at the end: after an error there is the error's document instead */
        tally.json = json_begin(document);
        json_open(&tally.json, "devices", '[');
    }
    int code = run_rows(home, table, count, order, &tally);
    if (tally.live)
        fputs("\r\033[K", stderr);
    if (tally.answered + tally.before > 0) { /* an earlier run may have been cut off before this */
        int told = order->how.replace ? mosquitto_revoked(home) : mosquitto_rights_changed(home);
        code = code == EXIT_OK ? told : code;
    }
    if (document) {
        json_close(&tally.json, ']');
        json_number(&tally.json, "answered", (int64_t)tally.answered);
        json_number(&tally.json, "answered_before", (int64_t)tally.before);
        json_number(&tally.json, "left", (int64_t)(table->count - tally.answered - tally.before));
        json_end(&tally.json);
        fclose(document);
        if (code == EXIT_OK)
            fputs(text, stdout);
        free(text);
    }
    say("%s%zu answered%s, %zu before, %zu left of %zu", term_out(TERM_BOLD), tally.answered,
        term_out(TERM_PLAIN), tally.before, table->count - tally.answered - tally.before,
        table->count);
    return code;
}

int device_run(struct home *home, const char *manifest, long count, const struct enrol_order *order)
{
    struct table table = {.from = manifest};
    struct stat status;
    bool directory = stat(manifest, &status) == 0 && S_ISDIR(status.st_mode);
    int code = directory ? read_directory(&table) : read_table(&table);
    if (code == EXIT_OK)
        code = check_twice(&table);
    if (code == EXIT_OK)
        code = run(home, &table, count, order);
    table_free(&table);
    return code;
}
