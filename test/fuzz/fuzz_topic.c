/* SPDX-License-Identifier: MIT */
/* Names, filters and matching: the first byte says where the bytes are cut in two. */
#include <stdlib.h>

#include <thimble/topic.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t cut = 1 + data[0] % size;
    struct th_span filter = th_span_of(data + 1, cut - 1);
    struct th_span name = th_span_of(data + cut, size - cut);
    bool utf8 = th_utf8_valid(name);
    bool is_name = th_topic_name_valid(name);
    check(!is_name || utf8);
    check(!is_name || th_topic_filter_valid(name) ||
          (name.len >= 7 && memcmp(name.at, "$share/", 7) == 0));
    if (!is_name || !th_topic_filter_valid(filter))
        return 0;
    bool match = th_topic_match(filter, name);
    if (th_topic_name_valid(filter) && filter.at[0] != '$')
        check(match == th_span_equal(filter, name));
    return 0;
}
