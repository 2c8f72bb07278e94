/* SPDX-License-Identifier: MIT */
/* R10: any bytes are checked without harm, and a checked document is read to its end. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <thimble/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(struct th_json value)
{
    struct th_json name, child;
    size_t at = 0;
    char text[32];
    int64_t number;

    th_json_integer(value, &number);
    th_json_string(value, text, sizeof text);
    while (th_json_next(value, &at, &name, &child)) {
        if (value.kind == TH_JSON_OBJECT && th_json_string(name, text, sizeof text) &&
            th_json_member(value, text).text.at != child.text.at)
            abort();
        read_all(child);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct th_json value;
    size_t at;

    if (th_json_parse(th_span_of(data, size), &value, &at) == TH_OK)
        read_all(value);
    else if (at > size)
        abort();
    return 0;
}
