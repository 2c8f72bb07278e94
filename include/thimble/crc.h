/* SPDX-License-Identifier: MIT */
/* CRC-32 of ISO-HDLC, zlib's: reflected polynomial 0xEDB88320, all ones in and out. It finds
 * accidents, not attackers. */
#ifndef THIMBLE_CRC_H
#define THIMBLE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of `len` bytes that follow others whose CRC is `before`; 0 at the beginning. */
uint32_t th_crc32(uint32_t before, const void *bytes, size_t len);

#endif
