/* SPDX-License-Identifier: MIT */
/* Names and records of DNS packets, read with every length checked and written within a room. */
#ifndef TH_NET_AP_PACKET_H
#define TH_NET_AP_PACKET_H

#include <thimble/access_point.h>

#include "base/reader.h"

#define DNS_HEAD     12
#define DNS_NAME_MAX 255 /* bytes of a name on the wire, RFC 1035 §2.3.4 */

enum {
    DNS_A = 1,
    DNS_PTR = 12,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_NSEC = 47,
    DNS_ANY = 255,
    DNS_IN = 1,
    DNS_CLASS_ANY = 255,
    DNS_TOP = 0x8000 /* of a class in multicast DNS: answer directly; or: forget what was */
};

struct dns_head {
    uint16_t id, flags, questions, answers, authorities, additional;
};

void ap_read_head(struct th_reader *reader, struct dns_head *head);

/* A name as "a.b.c", lower case, into DNS_NAME_MAX + 1 bytes; what is no letter, digit, '-' or '_'
 * becomes '?'. `whole` is the packet: pointers lead strictly backwards, so that none goes in
 * circles (RFC 1035 §4.1.4); NULL: there may be none. False: broken. */
bool ap_read_name(struct th_reader *reader, const struct th_span *whole, char *into);

/* Writes; what does not fit makes `failed` stick. */
struct ap_writer {
    uint8_t *begin, *at, *end;
    bool failed;
};

struct ap_writer ap_writer_of(uint8_t *into, size_t room);
void ap_put(struct ap_writer *writer, const void *bytes, size_t len);
void ap_put_u8(struct ap_writer *writer, uint8_t value);
void ap_put_u16(struct ap_writer *writer, uint16_t value);
void ap_put_u32(struct ap_writer *writer, uint32_t value);
void ap_put_head(struct ap_writer *writer, const struct dns_head *head);
/* "a.b.c" as labels. */
void ap_put_name(struct ap_writer *writer, const char *name);
/* 0 when it failed. */
size_t ap_written(const struct ap_writer *writer);

#endif
