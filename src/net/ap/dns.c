/* SPDX-License-Identifier: MIT */
/* Every name is ours: an access point that leads nowhere else. */
#include "net/ap/packet.h"

#define QUERY_RESPONSE 0x8000
#define OPCODE         0x7800
#define AUTHORITATIVE  0x0400
#define DESIRED        0x0100 /* recursion, given back as it came */
#define AVAILABLE      0x0080
#define POINTER        0xC00C /* to the question's name */

enum code { NO_ERROR = 0, FORMAT = 1, NOT_IMPLEMENTED = 4, REFUSED = 5 };

/* The head alone, when a question is not understood. */
static size_t refuse(struct dns_head head, enum code code, uint8_t *into, size_t room)
{
    struct ap_writer writer = ap_writer_of(into, room);

    head.flags = (uint16_t)(QUERY_RESPONSE | (head.flags & (OPCODE | DESIRED)) | code);
    head.questions = head.answers = head.authorities = head.additional = 0;
    ap_put_head(&writer, &head);
    return ap_written(&writer);
}

size_t th_dns_answer(const struct th_ap_config *config, struct th_span packet, uint8_t *into,
                     size_t room)
{
    struct th_reader reader = th_reader_of(packet);
    struct ap_writer writer = ap_writer_of(into, room);
    char name[DNS_NAME_MAX + 1];
    struct dns_head head;

    ap_read_head(&reader, &head);
    if (reader.failed || (head.flags & QUERY_RESPONSE)) /* nothing is said to an answer */
        return 0;
    if (head.flags & OPCODE)
        return refuse(head, NOT_IMPLEMENTED, into, room);
    const uint8_t *question = reader.at;
    bool good = head.questions == 1 && ap_read_name(&reader, NULL, name);
    uint16_t type = th_read_u16(&reader), class = th_read_u16(&reader);
    if (!good || reader.failed)
        return refuse(head, FORMAT, into, room);
    if (class != DNS_IN && class != DNS_CLASS_ANY)
        return refuse(head, REFUSED, into, room);
    /* A name without an address of the type asked for: no error and no answer (RFC 2308 §2.2). */
    head.answers = type == DNS_A || type == DNS_ANY;
    head.flags =
        (uint16_t)(QUERY_RESPONSE | AUTHORITATIVE | AVAILABLE | (head.flags & DESIRED) | NO_ERROR);
    head.authorities = head.additional = 0;
    ap_put_head(&writer, &head);
    ap_put(&writer, question, (size_t)(reader.at - question));
    if (head.answers > 0) {
        ap_put_u16(&writer, POINTER);
        ap_put_u16(&writer, DNS_A);
        ap_put_u16(&writer, DNS_IN);
        ap_put_u32(&writer, TH_DNS_TTL_S);
        ap_put_u16(&writer, 4);
        ap_put(&writer, config->address, 4);
    }
    return ap_written(&writer);
}
