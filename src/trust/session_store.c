/* SPDX-License-Identifier: MIT */
#include <thimble/crc.h>
#include <thimble/tls.h>

#define VERSION 1

enum { AT_VERSION = 0, AT_BROKER = 1, AT_LENGTH = 2, AT_NOT_AFTER = 4, AT_POLICY = 12 };
enum { AT_CERTIFICATE = AT_POLICY + TH_SHA256_BYTES };
enum { AT_LIBRARY = AT_CERTIFICATE + TH_SHA256_BYTES, CRC_BYTES = 4 };
_Static_assert(AT_LIBRARY + CRC_BYTES == TH_SESSION_OVERHEAD, "the layout in tls.h");

static void put_le(uint8_t *into, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        into[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *from, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

size_t th_session_seal(uint8_t *into, size_t room, size_t len, const struct th_session_bond *bond)
{
    if (len == 0 || len > UINT16_MAX || room < TH_SESSION_OVERHEAD ||
        len > room - TH_SESSION_OVERHEAD)
        return 0;
    into[AT_VERSION] = VERSION;
    into[AT_BROKER] = bond->broker;
    put_le(into + AT_LENGTH, len, 2);
    put_le(into + AT_NOT_AFTER, (uint64_t)bond->not_after_s, 8);
    memcpy(into + AT_POLICY, bond->policy, TH_SHA256_BYTES);
    memcpy(into + AT_CERTIFICATE, bond->certificate, TH_SHA256_BYTES);
    put_le(into + AT_LIBRARY + len, th_crc32(0, into, AT_LIBRARY + len), CRC_BYTES);
    return len + TH_SESSION_OVERHEAD;
}

struct th_span th_session_open(struct th_span stored, struct th_session_bond *bond,
                               const struct th_clock_view *clock)
{
    const struct th_span nothing = {NULL, 0};
    if (stored.len <= TH_SESSION_OVERHEAD)
        return nothing;
    const uint8_t *at = stored.at;
    size_t len = (size_t)get_le(at + AT_LENGTH, 2);
    if (at[AT_VERSION] != VERSION || len != stored.len - TH_SESSION_OVERHEAD)
        return nothing;
    if (get_le(at + AT_LIBRARY + len, CRC_BYTES) != th_crc32(0, at, AT_LIBRARY + len))
        return nothing;
    if (at[AT_BROKER] != bond->broker ||
        memcmp(at + AT_POLICY, bond->policy, TH_SHA256_BYTES) != 0 ||
        memcmp(at + AT_CERTIFICATE, bond->certificate, TH_SHA256_BYTES) != 0)
        return nothing;
    bond->not_after_s = (int64_t)get_le(at + AT_NOT_AFTER, 8);
    if (th_trust_date(clock, INT64_MIN, bond->not_after_s) == TH_DATE_EXPIRED)
        return nothing;
    return th_span_of(at + AT_LIBRARY, len);
}
