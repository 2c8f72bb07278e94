/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <thimble/json.h>

struct th_json_writer th_json_writer_of(uint8_t *into, size_t room)
{
    return (struct th_json_writer){.at = into, .end = into + room, .begin = into};
}

static void put(struct th_json_writer *writer, const void *bytes, size_t len)
{
    if ((size_t)(writer->end - writer->at) < len) {
        writer->failed = true;
        return;
    }
    memcpy(writer->at, bytes, len);
    writer->at += len;
}

static void put_char(struct th_json_writer *writer, char c)
{
    put(writer, &c, 1);
}

/* Before each value, and each name. */
static void separate(struct th_json_writer *writer)
{
    if (writer->comma)
        put_char(writer, ',');
    writer->comma = true;
}

void th_json_open(struct th_json_writer *writer, char bracket)
{
    separate(writer);
    put_char(writer, bracket);
    writer->comma = false;
}

void th_json_close(struct th_json_writer *writer, char bracket)
{
    put_char(writer, bracket);
    writer->comma = true;
}

/* What must be escaped, and nothing else. */
static void put_quoted(struct th_json_writer *writer, struct th_span text)
{
    static const char plain[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\",
                      hex[] = "0123456789abcdef";

    put_char(writer, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        const char *found = c ? strchr(plain, c) : NULL;

        if (found) {
            put_char(writer, '\\');
            put_char(writer, letters[found - plain]);
        } else if (c < 0x20) {
            const char escape[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

            put(writer, escape, sizeof escape);
        } else {
            put_char(writer, (char)c);
        }
    }
    put_char(writer, '"');
}

void th_json_name(struct th_json_writer *writer, const char *name)
{
    separate(writer);
    put_quoted(writer, th_span_str(name));
    put_char(writer, ':');
    writer->comma = false;
}

void th_json_put_string(struct th_json_writer *writer, struct th_span text)
{
    separate(writer);
    put_quoted(writer, text);
}

void th_json_put_integer(struct th_json_writer *writer, int64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    separate(writer);
    if (value < 0)
        put_char(writer, '-');
    put(writer, digits + at, sizeof digits - at);
}

void th_json_put_bool(struct th_json_writer *writer, bool value)
{
    th_json_put_raw(writer, value ? TH_SPAN("true") : TH_SPAN("false"));
}

void th_json_put_null(struct th_json_writer *writer)
{
    th_json_put_raw(writer, TH_SPAN("null"));
}

void th_json_put_raw(struct th_json_writer *writer, struct th_span json)
{
    separate(writer);
    put(writer, json.at, json.len);
}

struct th_span th_json_written(const struct th_json_writer *writer)
{
    return th_span_of(writer->begin, writer->failed ? 0 : (size_t)(writer->at - writer->begin));
}
