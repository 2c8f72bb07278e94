/* SPDX-License-Identifier: MIT */
#include "link_demo.h"

void demo_text_put(void *text, char c)
{
    struct demo_text *to = text;
    if (to->len < sizeof(to->at))
        to->at[to->len++] = c;
}
