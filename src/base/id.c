/* SPDX-License-Identifier: MIT */
#include "base/id.h"

bool th_id_valid(struct th_span name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!plain && (i == 0 || (c != '_' && c != '-')))
            return false;
    }
    return name.len > 0 && name.len <= TH_ID_MAX;
}
