/* SPDX-License-Identifier: MIT */
#include "print.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sink {
    th_put_fn *put;
    void *user;
};

struct field {
    unsigned width;
    int precision; /* -1: none */
    char pad;
};

static void put_number(const struct sink *sink, uint32_t value, unsigned base, bool negative,
                       const struct field *field)
{
    char digits[12];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    unsigned length = count + negative;
    if (negative && field->pad == '0')
        sink->put(sink->user, '-');
    for (; length < field->width; length++)
        sink->put(sink->user, field->pad);
    if (negative && field->pad != '0')
        sink->put(sink->user, '-');
    while (count > 0)
        sink->put(sink->user, digits[--count]);
}

static void put_text(const struct sink *sink, const char *text, int limit)
{
    if (text == NULL)
        text = "(null)";
    for (; limit != 0 && *text != '\0'; text++, limit -= limit > 0)
        sink->put(sink->user, *text);
}

static const char *read_field(const char *format, struct field *field, va_list *arguments)
{
    *field = (struct field){0, -1, ' '};
    if (*format == '0')
        field->pad = *format++;
    for (; *format >= '0' && *format <= '9'; format++)
        field->width = field->width * 10 + (unsigned)(*format - '0');
    if (format[0] == '.' && format[1] == '*') {
        field->precision = va_arg(*arguments, int);
        format += 2;
    }
    while (*format == 'l' || *format == 'z')
        format++;
    return format;
}

static void put_argument(const struct sink *sink, char kind, const struct field *field,
                         va_list *arguments)
{
    int32_t number;

    switch (kind) {
    case 's': put_text(sink, va_arg(*arguments, const char *), field->precision); break;
    case 'c': sink->put(sink->user, (char)va_arg(*arguments, int)); break;
    case 'd':
        number = va_arg(*arguments, int32_t);
        put_number(sink, number < 0 ? 0 - (uint32_t)number : (uint32_t)number, 10, number < 0,
                   field);
        break;
    case 'u': put_number(sink, va_arg(*arguments, uint32_t), 10, false, field); break;
    case 'x': put_number(sink, va_arg(*arguments, uint32_t), 16, false, field); break;
    default: sink->put(sink->user, kind); break;
    }
}

void th_print(th_put_fn *put, void *user, const char *format, ...)
{
    struct sink sink = {put, user};
    struct field field;
    va_list arguments;

    va_start(arguments, format);
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(user, *format);
            continue;
        }
        format = read_field(format + 1, &field, &arguments);
        if (*format == '\0')
            break;
        put_argument(&sink, *format, &field, &arguments);
    }
    va_end(arguments);
}
