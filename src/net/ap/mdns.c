/* SPDX-License-Identifier: MIT */
/* <name>.local and the service _thimble._tcp, for whoever asks on the local link. */
#include <string.h>

#include "base/text.h"
#include "net/ap/packet.h"

#define RESPONSE      0x8400 /* and authoritative */
#define NOT_A_QUERY   0xF800 /* a response, or another opcode */
#define QUESTIONS_MAX 16     /* looked at in a packet; who asks more asks again */
#define RECORDS_MAX   32
#define MDNS_PORT     TH_MDNS_PORT
#define LEGACY_TTL_S  10 /* RFC 6762 §6.7 */

static const char service[] = "_thimble._tcp.local";
static const char services[] = "_services._dns-sd._udp.local";

/* Records that there are; bits. */
enum record {
    HOST_A = 1,       /* <name>.local A */
    SERVICE_PTR = 2,  /* _thimble._tcp.local PTR <name>._thimble._tcp.local */
    SERVICE_SRV = 4,  /* <name>._thimble._tcp.local SRV */
    SERVICE_TXT = 8,  /* <name>._thimble._tcp.local TXT */
    SERVICES_PTR = 16 /* _services._dns-sd._udp.local PTR _thimble._tcp.local */
};

struct names {
    char host[DNS_NAME_MAX + 1], instance[DNS_NAME_MAX + 1];
};

static void join(char into[DNS_NAME_MAX + 1], const char *name, const char *rest)
{
    struct th_text text = th_text_init(into, DNS_NAME_MAX + 1);

    for (; *name != '\0'; name++) /* as names are compared */
        th_text_char(&text, (char)(*name >= 'A' && *name <= 'Z' ? *name + ('a' - 'A') : *name));
    th_text_char(&text, '.');
    th_text_str(&text, rest);
}

static void names_of(const struct th_mdns *mdns, struct names *names)
{
    join(names->host, mdns->name, "local");
    join(names->instance, mdns->name, service);
}

/* ---- what is asked ---- */

static unsigned asked_by(const struct names *names, const char *name, uint16_t type)
{
    bool any = type == DNS_ANY;

    if (strcmp(name, names->host) == 0)
        return type == DNS_A || any ? HOST_A : 0;
    if (strcmp(name, names->instance) == 0)
        return (type == DNS_SRV || any ? SERVICE_SRV : 0u) |
               (type == DNS_TXT || any ? SERVICE_TXT : 0u);
    if (type != DNS_PTR && !any)
        return 0;
    return strcmp(name, service) == 0    ? SERVICE_PTR
           : strcmp(name, services) == 0 ? SERVICES_PTR
                                         : 0;
}

/* What whoever asks knows already, and for at least half its time (RFC 6762 §7.1). */
static unsigned known(const struct th_mdns *mdns, const struct names *names,
                      const struct th_span *packet, struct th_reader *reader)
{
    char name[DNS_NAME_MAX + 1], target[DNS_NAME_MAX + 1];
    struct th_span data;

    if (!ap_read_name(reader, packet, name)) {
        reader->failed = true;
        return 0;
    }
    uint16_t type = th_read_u16(reader);
    th_read_u16(reader);
    uint32_t ttl_s = th_read_u32(reader);
    th_read(reader, th_read_u16(reader), &data);
    if (reader->failed || ttl_s < TH_MDNS_TTL_S / 2)
        return 0;
    if (type == DNS_A && strcmp(name, names->host) == 0)
        return data.len == 4 && memcmp(data.at, mdns->address, 4) == 0 ? HOST_A : 0;
    struct th_reader at = {data.at, data.at + data.len, false};
    if (type != DNS_PTR || !ap_read_name(&at, packet, target))
        return 0;
    if (strcmp(name, service) == 0 && strcmp(target, names->instance) == 0)
        return SERVICE_PTR;
    return strcmp(name, services) == 0 && strcmp(target, service) == 0 ? SERVICES_PTR : 0;
}

/* ---- records ---- */

struct out {
    struct ap_writer writer;
    const struct th_mdns *mdns;
    const struct names *names;
    uint32_t ttl_s;
    bool legacy; /* a simple resolver does not know the bit that says: forget what was */
    uint16_t count;
};

static void begin(struct out *out, const char *name, uint16_t type, bool shared)
{
    ap_put_name(&out->writer, name);
    ap_put_u16(&out->writer, type);
    ap_put_u16(&out->writer, (uint16_t)(DNS_IN | (shared || out->legacy ? 0 : DNS_TOP)));
    ap_put_u32(&out->writer, out->ttl_s);
    out->count++;
}

static uint16_t wire_len(const char *name)
{
    return (uint16_t)(strlen(name) + 2);
}

static void put_records(struct out *out, unsigned records)
{
    struct ap_writer *writer = &out->writer;

    if (records & SERVICES_PTR) {
        begin(out, services, DNS_PTR, true);
        ap_put_u16(writer, wire_len(service));
        ap_put_name(writer, service);
    }
    if (records & SERVICE_PTR) {
        begin(out, service, DNS_PTR, true);
        ap_put_u16(writer, wire_len(out->names->instance));
        ap_put_name(writer, out->names->instance);
    }
    if (records & SERVICE_SRV) {
        begin(out, out->names->instance, DNS_SRV, false);
        ap_put_u16(writer, (uint16_t)(6 + wire_len(out->names->host)));
        ap_put_u32(writer, 0); /* priority, weight */
        ap_put_u16(writer, out->mdns->port);
        ap_put_name(writer, out->names->host);
    }
    if (records & SERVICE_TXT) {
        static const char text[] = "\x0Cpath=/config";
        begin(out, out->names->instance, DNS_TXT, false);
        ap_put_u16(writer, sizeof text - 1);
        ap_put(writer, text, sizeof text - 1);
    }
    if (records & HOST_A) {
        begin(out, out->names->host, DNS_A, false);
        ap_put_u16(writer, 4);
        ap_put(writer, out->mdns->address, 4);
    }
}

/* Whoever finds the service wants all of it. */
static unsigned with_it(unsigned records)
{
    unsigned more = 0;

    if (records & SERVICE_PTR)
        more |= SERVICE_SRV | SERVICE_TXT | HOST_A;
    if (records & SERVICE_SRV)
        more |= HOST_A;
    return more & ~records;
}

static size_t finish(struct out *out, uint16_t id, uint16_t questions, uint16_t answers,
                     uint8_t *into)
{
    const struct dns_head head = {.id = id,
                                  .flags = RESPONSE,
                                  .questions = questions,
                                  .answers = answers,
                                  .additional = (uint16_t)(out->count - answers)};
    struct ap_writer front = ap_writer_of(into, DNS_HEAD);

    if (out->writer.failed)
        return 0;
    ap_put_head(&front, &head);
    return ap_written(&out->writer);
}

/* ---- queries ---- */

struct query {
    struct dns_head head;
    unsigned records;        /* that answer it */
    bool direct;             /* each question may be answered directly */
    struct th_span question; /* the first one, as it came */
};

static bool read_query(const struct th_mdns *mdns, const struct names *names, struct th_span packet,
                       struct query *query)
{
    struct th_reader reader = th_reader_of(packet);
    char name[DNS_NAME_MAX + 1];

    memset(query, 0, sizeof *query);
    ap_read_head(&reader, &query->head);
    if (reader.failed || (query->head.flags & NOT_A_QUERY) || query->head.questions == 0 ||
        query->head.questions > QUESTIONS_MAX)
        return false;
    query->direct = true;
    for (uint16_t i = 0; i < query->head.questions; i++) {
        const uint8_t *from = reader.at;
        if (!ap_read_name(&reader, &packet, name))
            return false;
        uint16_t type = th_read_u16(&reader), class = th_read_u16(&reader);
        if (reader.failed)
            return false;
        if ((class & ~(uint16_t)DNS_TOP) == DNS_IN || class == DNS_CLASS_ANY)
            query->records |= asked_by(names, name, type);
        query->direct &= (class & DNS_TOP) != 0;
        if (i == 0)
            query->question = th_span_of(from, (size_t)(reader.at - from));
    }
    for (uint16_t i = 0; i < query->head.answers && i < RECORDS_MAX && !reader.failed; i++)
        query->records &= ~known(mdns, names, &packet, &reader);
    return query->records != 0;
}

size_t th_mdns_answer(const struct th_mdns *mdns, struct th_span packet, uint16_t from_port,
                      uint8_t *into, size_t room, bool *direct)
{
    struct names names;
    struct query query;

    names_of(mdns, &names);
    if (mdns->name[0] == '\0' || room < DNS_HEAD || !read_query(mdns, &names, packet, &query))
        return 0;
    struct out out = {.writer = ap_writer_of(into, room),
                      .mdns = mdns,
                      .names = &names,
                      .legacy = from_port != MDNS_PORT};
    out.ttl_s = out.legacy ? LEGACY_TTL_S : TH_MDNS_TTL_S;
    out.writer.at += DNS_HEAD;
    *direct = out.legacy || query.direct;
    uint16_t questions = out.legacy && query.head.questions == 1;
    if (questions > 0) {
        /* A pointer in the only question leads into the head: there is none. */
        ap_put(&out.writer, query.question.at, query.question.len);
    }
    put_records(&out, query.records);
    uint16_t answers = out.count;
    put_records(&out, with_it(query.records));
    return finish(&out, out.legacy ? query.head.id : 0, questions, answers, into);
}

size_t th_mdns_announce(const struct th_mdns *mdns, bool gone, uint8_t *into, size_t room)
{
    struct names names;

    names_of(mdns, &names);
    if (mdns->name[0] == '\0' || room < DNS_HEAD)
        return 0;
    struct out out = {.writer = ap_writer_of(into, room),
                      .mdns = mdns,
                      .names = &names,
                      .ttl_s = gone ? 0 : TH_MDNS_TTL_S};
    out.writer.at += DNS_HEAD;
    put_records(&out, HOST_A | SERVICE_PTR | SERVICE_SRV | SERVICE_TXT);
    return finish(&out, 0, 0, out.count, into);
}
