/* SPDX-License-Identifier: MIT */
#include <thimble/crc.h>

/* Without a table: records are short, and 1 KiB of constants is not. */
uint32_t th_crc32(uint32_t before, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint32_t crc = ~before;

    while (len-- > 0) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}
