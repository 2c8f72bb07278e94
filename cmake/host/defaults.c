/* SPDX-License-Identifier: MIT */
/*
 * For the machine that builds: turns a file of defaults into the header that the schema is compiled
 * with (-DTHIMBLE_DEFAULTS=FILE). The file has lines `name = value`; '#' begins a comment line. It
 * is judged by the schema itself; secrets are refused, because an image is no place for them (I3).
 */
#include <stdio.h>
#include <string.h>

#include <thimble/settings.h>

#define LINE_BYTES 1024

struct file {
    const char *path;
    FILE *to;
    int line, faults;
    bool seen[UINT16_MAX + 1];
};

static void fault(struct file *file, const char *name, const char *why)
{
    fprintf(stderr, "%s:%d: %s: %s\n", file->path, file->line, name, why);
    file->faults++;
}

static char *trimmed(char *text)
{
    size_t len;

    text += strspn(text, " \t");
    len = strlen(text);
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

/* '?' too, or C would know trigraphs; octal escapes end by themselves. */
static void print_literal(FILE *to, const char *value)
{
    putc('"', to);
    for (const unsigned char *at = (const unsigned char *)value; *at; at++) {
        if (*at < 0x20 || *at >= 0x7F || strchr("\"\\?", *at))
            fprintf(to, "\\%03o", *at);
        else
            putc(*at, to);
    }
    putc('"', to);
}

static void take(struct file *file, const char *name, const char *value)
{
    const struct th_setting *setting = th_setting_find(th_span_str(name));
    const char *why;

    if (!setting) {
        fault(file, name, "there is no such setting; docs/settings.md lists them");
        return;
    }
    if (setting->flags & TH_SETTING_SECRET) {
        fault(file, name,
              "a secret must not be in an image, where everybody who has one can read "
              "it; set it on each device");
        return;
    }
    if (file->seen[setting->number]) {
        fault(file, name, "this was given before");
        return;
    }
    file->seen[setting->number] = true;
    if (th_setting_check(setting, th_span_str(value), &why) != TH_OK) {
        fault(file, name, why);
        return;
    }
    fprintf(file->to, "#define TH_DEFAULT_%u ~, ", setting->number);
    print_literal(file->to, value);
    fprintf(file->to, " /* %s */\n", name);
}

static void read_line(struct file *file, char *line, size_t len)
{
    char *text = trimmed(line), *equals = strchr(text, '=');

    if (len == LINE_BYTES - 1)
        fault(file, "this line", "it is too long");
    else if (*text != '\0' && *text != '#' && !equals)
        fault(file, text, "a line is: name = value");
    else if (*text != '\0' && *text != '#') {
        *equals = '\0';
        take(file, trimmed(text), trimmed(equals + 1));
    }
}

static int failed(const char *path)
{
    perror(path);
    return 1;
}

/* A header of a run that found a fault is taken away again, so that nothing is built with it. */
int main(int argc, char **argv)
{
    static struct file file;
    static char line[LINE_BYTES];
    FILE *input;

    if (argc != 3)
        return 2;
    file.path = argv[1];
    input = fopen(file.path, "rb");
    file.to = input ? fopen(argv[2], "wb") : NULL;
    if (!file.to)
        return failed(input ? argv[2] : file.path);
    fputs("/* Generated from the file of defaults. */\n", file.to);
    while (fgets(line, sizeof line, input)) {
        file.line++;
        read_line(&file, line, strlen(line));
    }
    if (ferror(input))
        return failed(file.path);
    fclose(input);
    if (fclose(file.to) != 0)
        return failed(argv[2]);
    if (file.faults > 0)
        remove(argv[2]);
    return file.faults > 0 ? 1 : 0;
}
