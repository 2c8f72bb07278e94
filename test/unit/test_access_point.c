/* SPDX-License-Identifier: MIT */
/* DHCP, DNS and multicast DNS of the access point: RFC 2131, 1035, 6762, 8910. F4, R10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/access_point.h>

#define URL "http://192.168.4.1/config"

static const struct th_ap_config config = {.address = {192, 168, 4, 1}, .portal = URL};
static const struct th_mdns garden = {.address = {192, 168, 4, 1}, .name = "Garden", .port = 80};
static uint8_t answer[TH_AP_PACKET_MAX];

/* ---- DHCP ---- */

struct client {
    uint8_t packet[400];
    size_t len;
};

/* A message of a client with that hardware address, options behind it: code, length, bytes. */
static void message(struct client *client, uint8_t hardware, uint8_t type)
{
    memset(client, 0, sizeof *client);
    memcpy(client->packet, (uint8_t[]){1, 1, 6, 0, 0xDE, 0xAD, 0xBE, 0xEF}, 8);
    memcpy(client->packet + 28, (uint8_t[]){2, 0, 0, 0, 0, hardware}, 6);
    memcpy(client->packet + 236, (uint8_t[]){99, 130, 83, 99, 53, 1, type}, 7);
    client->len = 243;
}

static void add(struct client *client, uint8_t code, const void *bytes, uint8_t len)
{
    client->packet[client->len] = code;
    client->packet[client->len + 1] = len;
    memcpy(client->packet + client->len + 2, bytes, len);
    client->len += 2u + len;
}

static size_t send(struct th_dhcp *dhcp, struct client *client, uint32_t now_ms, uint8_t to[4])
{
    uint8_t *exact = malloc(client->len); /* so that a byte read behind it is found */
    memcpy(exact, client->packet, client->len);
    size_t len =
        th_dhcp_answer(dhcp, th_span_of(exact, client->len), now_ms, answer, sizeof answer, to);
    free(exact);
    return len;
}

static const uint8_t *option(size_t len, uint8_t code)
{
    for (size_t at = 240; at < len && answer[at] != 255;
         at += answer[at] == 0 ? 1 : 2u + answer[at + 1])
        if (answer[at] == code)
            return answer + at + 1;
    return NULL;
}

static const uint8_t ours[] = {192, 168, 4, 1}, first[] = {192, 168, 4, 2};

static void discover(struct th_dhcp *dhcp, uint8_t hardware, uint32_t now_ms, uint8_t yours[4])
{
    struct client client;
    uint8_t to[4];

    message(&client, hardware, 1);
    size_t len = send(dhcp, &client, now_ms, to);
    memset(yours, 0, 4);
    if (len == 0)
        return;
    assert_int_equal(option(len, 53)[1], 2);
    memcpy(yours, answer + 16, 4);
}

/* The type of the answer; 0: none. */
static uint8_t ask_for(struct th_dhcp *dhcp, uint8_t hardware, const uint8_t *address,
                       bool selecting, uint32_t now_ms)
{
    struct client client;
    uint8_t to[4];

    message(&client, hardware, 3);
    add(&client, 50, address, 4);
    if (selecting)
        add(&client, 54, ours, 4);
    size_t len = send(dhcp, &client, now_ms, to);
    return len == 0 ? 0 : option(len, 53)[1];
}

static void a_client_gets_an_address_and_where_the_page_is(void **state)
{
    (void)state;
    struct th_dhcp dhcp;
    struct client client;
    uint8_t to[4];

    th_dhcp_init(&dhcp, &config);
    message(&client, 7, 1);
    size_t len = send(&dhcp, &client, 1000, to);
    assert_true(len >= 300);
    assert_memory_equal(answer, "\x02\x01\x06\x00\xDE\xAD\xBE\xEF", 8);
    assert_memory_equal(answer + 16, first, 4);
    assert_memory_equal(answer + 28, client.packet + 28, 16);
    assert_memory_equal(answer + 236, "\x63\x82\x53\x63", 4);
    assert_memory_equal(option(len, 53), "\x01\x02", 2);
    assert_memory_equal(option(len, 54) + 1, ours, 4);
    assert_memory_equal(option(len, 1), "\x04\xFF\xFF\xFF\x00", 5);
    assert_memory_equal(option(len, 3) + 1, ours, 4);
    assert_memory_equal(option(len, 6) + 1, ours, 4);
    assert_memory_equal(option(len, 51), "\x04\x00\x00\x02\x58", 5);
    assert_memory_equal(option(len, 58), "\x04\x00\x00\x01\x2C", 5);
    assert_memory_equal(option(len, 59), "\x04\x00\x00\x02\x0D", 5);
    assert_int_equal(option(len, 114)[0], sizeof URL - 1);
    assert_memory_equal(option(len, 114) + 1, URL, sizeof URL - 1);
    assert_memory_equal(to, "\xFF\xFF\xFF\xFF", 4);
    assert_int_equal(ask_for(&dhcp, 7, first, true, 1100), 5);
    assert_memory_equal(answer + 16, first, 4);
    /* It renews, from its address to ours: answered there. */
    message(&client, 7, 3);
    memcpy(client.packet + 12, first, 4);
    len = send(&dhcp, &client, 300000, to);
    assert_memory_equal(option(len, 53), "\x01\x05", 2);
    assert_memory_equal(answer + 12, first, 4);
    assert_memory_equal(to, first, 4);
}

static void a_client_keeps_its_address_and_nobody_takes_it(void **state)
{
    (void)state;
    struct th_dhcp dhcp;
    uint8_t one[4], two[4], again[4];

    th_dhcp_init(&dhcp, &config);
    discover(&dhcp, 1, 0, one);
    assert_int_equal(ask_for(&dhcp, 1, one, true, 10), 5);
    discover(&dhcp, 2, 20, two);
    assert_memory_not_equal(one, two, 4);
    assert_int_equal(ask_for(&dhcp, 2, one, true, 30), 6);
    assert_int_equal(ask_for(&dhcp, 2, two, true, 40), 5);
    discover(&dhcp, 1, 50, again);
    assert_memory_equal(one, again, 4);
    /* It comes back after its lease, and others have come since. */
    discover(&dhcp, 3, 700000, two);
    discover(&dhcp, 1, 700000, again);
    assert_memory_equal(one, again, 4);
}

static void an_address_of_another_network_is_refused_at_once(void **state)
{
    (void)state;
    struct th_dhcp dhcp;

    th_dhcp_init(&dhcp, &config);
    assert_int_equal(ask_for(&dhcp, 1, (uint8_t[]){10, 0, 0, 7}, false, 0), 6);
    assert_int_equal(ask_for(&dhcp, 1, ours, false, 0), 6);
    /* After our restart we know nobody: what is free may be kept. */
    assert_int_equal(ask_for(&dhcp, 1, first, false, 0), 5);
}

static void the_pool_is_bounded_and_recovers(void **state) /* R10 */
{
    (void)state;
    struct th_dhcp dhcp;
    uint8_t yours[4];

    th_dhcp_init(&dhcp, &config);
    for (uint8_t i = 0; i < 100; i++) {
        discover(&dhcp, i, 1000, yours);
        assert_int_equal(yours[3], i < TH_DHCP_LEASES ? 2 + i : 0);
    }
    discover(&dhcp, 200, 1000 + TH_DHCP_OFFER_MS, yours);
    assert_int_equal(yours[0], 192);
    for (uint8_t i = 0; i < TH_DHCP_LEASES; i++) {
        discover(&dhcp, i, 50000, yours);
        if (yours[0] != 0)
            assert_int_equal(ask_for(&dhcp, i, yours, true, 50000), 5);
    }
    discover(&dhcp, 201, 50000 + TH_DHCP_LEASE_S * 1000 - 1, yours);
    assert_int_equal(yours[0], 0);
    discover(&dhcp, 201, 50000 + TH_DHCP_LEASE_S * 1000, yours);
    assert_int_equal(yours[0], 192);
}

static void declined_and_released_addresses(void **state)
{
    (void)state;
    struct th_dhcp dhcp;
    struct client client;
    uint8_t one[4], two[4], to[4];

    th_dhcp_init(&dhcp, &config);
    discover(&dhcp, 1, 0, one);
    assert_int_equal(ask_for(&dhcp, 1, one, true, 0), 5);
    message(&client, 2, 4); /* somebody else declines it: nothing */
    add(&client, 50, one, 4);
    assert_int_equal(send(&dhcp, &client, 0, to), 0);
    discover(&dhcp, 1, 0, two);
    assert_memory_equal(one, two, 4);
    message(&client, 1, 4);
    add(&client, 50, one, 4);
    assert_int_equal(send(&dhcp, &client, 0, to), 0);
    discover(&dhcp, 1, 0, two);
    assert_memory_not_equal(one, two, 4);
    message(&client, 1, 7);
    assert_int_equal(send(&dhcp, &client, 0, to), 0);
    discover(&dhcp, 3, 0, one);
    assert_int_equal(one[3], 4); /* one that nobody had, while there is one */
    assert_int_equal(ask_for(&dhcp, 4, two, false, 0), 5);
}

static void a_client_that_has_an_address_is_told_the_rest(void **state)
{
    (void)state;
    struct th_dhcp dhcp;
    struct client client;
    uint8_t to[4];

    th_dhcp_init(&dhcp, &config);
    message(&client, 1, 8);
    memcpy(client.packet + 12, (uint8_t[]){192, 168, 4, 77}, 4);
    size_t len = send(&dhcp, &client, 0, to);
    assert_memory_equal(option(len, 53), "\x01\x05", 2);
    assert_null(option(len, 51));
    assert_non_null(option(len, 114));
    assert_memory_equal(answer + 16, "\0\0\0\0", 4);
    assert_int_equal(to[3], 77);
    memset(client.packet + 12, 0, 4);
    assert_int_equal(send(&dhcp, &client, 0, to), 0);
}

static void other_servers_are_left_alone(void **state)
{
    (void)state;
    struct th_dhcp dhcp;
    struct client client;
    uint8_t one[4], two[4], to[4];

    th_dhcp_init(&dhcp, &config);
    discover(&dhcp, 1, 0, one);
    message(&client, 1, 3);
    add(&client, 50, (uint8_t[]){10, 0, 0, 9}, 4);
    add(&client, 54, (uint8_t[]){10, 0, 0, 1}, 4);
    assert_int_equal(send(&dhcp, &client, 0, to), 0);
    discover(&dhcp, 2, 0, two); /* another address, while there are some nobody had */
    assert_int_equal(two[3], 3);
    for (uint8_t type = 0; type < 255; type++) {
        message(&client, 1, type);
        size_t len = send(&dhcp, &client, 0, to);
        assert_true(len == 0 || type == 1 || type == 3);
    }
}

/* Every length of a good message, every byte of its head and options altered. */
static void broken_messages_are_passed_over(void **state) /* R10 */
{
    (void)state;
    struct th_dhcp dhcp;
    struct client good, client;
    uint8_t to[4];

    th_dhcp_init(&dhcp, &config);
    message(&good, 1, 1);
    add(&good, 61, "\x01hello", 6);
    add(&good, 50, first, 4);
    size_t cut_answered = 0;
    for (size_t len = 0; len < good.len; len++) {
        client = good;
        client.len = len;
        cut_answered += send(&dhcp, &client, 0, to) > 0;
    }
    assert_int_equal(cut_answered, 2); /* between two options, and behind the first */
    for (size_t i = 0; i < good.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            client = good;
            client.packet[i] ^= (uint8_t)(1 << bit);
            size_t len = send(&dhcp, &client, 0, to);
            assert_true(len == 0 || (len >= 300 && len <= sizeof answer));
            if (i < 3 || (i >= 24 && i < 28) || (i >= 236 && i < 240))
                assert_int_equal(len, 0);
        }
    }
    client = good;
    add(&client, 50, "\x01\x02\x03", 3);
    assert_int_equal(send(&dhcp, &client, 0, to), 0);
    assert_int_equal(th_dhcp_answer(&dhcp, th_span_of(NULL, 0), 0, answer, sizeof answer, to), 0);
    client = good;
    for (size_t room = 0; room < 299; room++)
        assert_int_equal(
            th_dhcp_answer(&dhcp, th_span_of(client.packet, client.len), 0, answer, room, to), 0);
}

static void addresses_are_found_wherever_ours_lies(void **state)
{
    (void)state;
    for (int host = 1; host < 255; host++) {
        struct th_ap_config other = {.address = {10, 0, 0, (uint8_t)host}};
        struct th_dhcp dhcp;
        uint8_t yours[4];

        th_dhcp_init(&dhcp, &other);
        for (uint8_t i = 0; i < TH_DHCP_LEASES; i++) {
            discover(&dhcp, i, 0, yours);
            assert_in_range(yours[3], 1, 254);
            assert_int_not_equal(yours[3], host);
        }
    }
}

/* ---- DNS ---- */

static const uint8_t query[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                               "\x07"
                               "captive\x05"
                               "apple\x03"
                               "com\x00\x00\x01\x00\x01";
#define QUERY (sizeof query - 1)

static size_t resolve(const uint8_t *packet, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, packet, len);
    size_t got = th_dns_answer(&config, th_span_of(exact, len), answer, sizeof answer);
    free(exact);
    return got;
}

static void every_name_is_ours(void **state)
{
    (void)state;
    assert_int_equal(resolve(query, QUERY), QUERY + 16);
    assert_memory_equal(answer, "\x12\x34\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00", 12);
    assert_memory_equal(answer + 12, query + 12, QUERY - 12);
    assert_memory_equal(answer + QUERY,
                        "\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x0A\x00\x04\xC0\xA8\x04\x01", 16);
}

static void other_types_have_no_answer_and_no_error(void **state)
{
    (void)state;
    uint8_t packet[QUERY];

    memcpy(packet, query, QUERY);
    packet[QUERY - 3] = 28; /* AAAA */
    assert_int_equal(resolve(packet, QUERY), QUERY);
    assert_memory_equal(answer + 2, "\x85\x80\x00\x01\x00\x00", 6);
    packet[QUERY - 3] = 255;
    assert_int_equal(resolve(packet, QUERY), QUERY + 16);
    packet[QUERY - 1] = 3; /* another class */
    assert_int_equal(resolve(packet, QUERY), 12);
    assert_int_equal(answer[3] & 15, 5);
}

static void broken_queries_get_their_error(void **state) /* R10 */
{
    (void)state;
    uint8_t packet[QUERY + 300];

    for (size_t len = 0; len < QUERY; len++) {
        size_t got = resolve(query, len);
        assert_int_equal(got, len < 12 ? 0 : 12);
        if (got > 0)
            assert_int_equal(answer[3] & 15, 1);
    }
    memcpy(packet, query, QUERY);
    packet[2] |= 0x80; /* an answer */
    assert_int_equal(resolve(packet, QUERY), 0);
    packet[2] = 0x28; /* an update */
    assert_int_equal(resolve(packet, QUERY), 12);
    assert_int_equal(answer[3] & 15, 4);
    memcpy(packet, query, QUERY);
    packet[5] = 2;
    assert_int_equal(resolve(packet, QUERY), 12);
    packet[5] = 1;
    packet[12] = 0xC0; /* a pointer, to itself */
    packet[13] = 0x0C;
    assert_int_equal(resolve(packet, QUERY), 12);
    packet[12] = 64;
    assert_int_equal(resolve(packet, QUERY), 12);
    memcpy(packet, query, 12);
    for (size_t i = 0; i < 300; i++) /* a name of more than 255 bytes */
        packet[12 + i] = i % 2 ? 'a' : 1;
    assert_int_equal(resolve(packet, 312), 12);
}

/* ---- multicast DNS ---- */

static const uint8_t host_query[] = "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                                    "\x06"
                                    "gArDeN\x05"
                                    "local\x00\x00\x01\x00\x01";
#define HOST_QUERY (sizeof host_query - 1)
static const uint8_t service_query[] = "\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                                       "\x08_thimble\x04_tcp\x05"
                                       "local\x00\x00\x0C\x80\x01";
#define SERVICE_QUERY (sizeof service_query - 1)

static size_t find(const uint8_t *packet, size_t len, uint16_t port, bool *direct)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, packet, len);
    size_t got =
        th_mdns_answer(&garden, th_span_of(exact, len), port, answer, sizeof answer, direct);
    free(exact);
    return got;
}

static void the_device_is_found_by_its_name(void **state)
{
    (void)state;
    bool direct;
    size_t len = find(host_query, HOST_QUERY, 5353, &direct);

    assert_false(direct);
    assert_int_equal(len, 12 + 14 + 10 + 4);
    assert_memory_equal(answer, "\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00", 12);
    assert_memory_equal(answer + 12,
                        "\x06garden\x05local\x00\x00\x01\x80\x01\x00\x00\x00\x78\x00\x04"
                        "\xC0\xA8\x04\x01",
                        28);
}

static void a_simple_resolver_is_answered_in_its_own_way(void **state) /* RFC 6762 §6.7 */
{
    (void)state;
    uint8_t packet[HOST_QUERY];
    bool direct;

    memcpy(packet, host_query, HOST_QUERY);
    packet[1] = 0x55;
    size_t len = find(packet, HOST_QUERY, 40000, &direct);
    assert_true(direct);
    assert_memory_equal(answer, "\x00\x55\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00", 12);
    assert_memory_equal(answer + 12, packet + 12, HOST_QUERY - 12);
    assert_memory_equal(answer + len - 14,
                        "\x00\x01\x00\x01\x00\x00\x00\x0A\x00\x04\xC0\xA8\x04\x01", 14);
}

static void the_service_comes_with_all_of_it(void **state)
{
    (void)state;
    bool direct;
    size_t len = find(service_query, SERVICE_QUERY, 5353, &direct);

    assert_true(direct); /* as it asked */
    assert_memory_equal(answer, "\x00\x00\x84\x00\x00\x00\x00\x01\x00\x00\x00\x03", 12);
    assert_true(len > 100 && len < 300);
    assert_memory_equal(answer + len - 4, ours, 4);
}

static void what_is_known_is_not_said_again(void **state) /* RFC 6762 §7.1 */
{
    (void)state;
    uint8_t packet[200];
    bool direct;

    memcpy(packet, host_query, HOST_QUERY);
    packet[7] = 1;
    memcpy(packet + HOST_QUERY, "\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\xC0\xA8\x04\x01",
           16);
    assert_int_equal(find(packet, HOST_QUERY + 16, 5353, &direct), 0);
    packet[HOST_QUERY + 9] = 59; /* less than half of its time is left */
    assert_int_not_equal(find(packet, HOST_QUERY + 16, 5353, &direct), 0);
    packet[HOST_QUERY + 9] = 100;
    packet[HOST_QUERY + 15] = 9; /* another address */
    assert_int_not_equal(find(packet, HOST_QUERY + 16, 5353, &direct), 0);
}

static void nothing_is_said_to_others(void **state)
{
    (void)state;
    uint8_t packet[HOST_QUERY];
    bool direct;

    memcpy(packet, host_query, HOST_QUERY);
    packet[13] = 'h';
    assert_int_equal(find(packet, HOST_QUERY, 5353, &direct), 0);
    memcpy(packet, host_query, HOST_QUERY);
    packet[2] = 0x84; /* an answer */
    assert_int_equal(find(packet, HOST_QUERY, 5353, &direct), 0);
    memcpy(packet, host_query, HOST_QUERY);
    packet[HOST_QUERY - 3] = 28;
    assert_int_equal(find(packet, HOST_QUERY, 5353, &direct), 0);
    const struct th_mdns nameless = {.address = {1, 2, 3, 4}, .name = ""};
    assert_int_equal(th_mdns_answer(&nameless, th_span_of(host_query, HOST_QUERY), 5353, answer,
                                    sizeof answer, &direct),
                     0);
    for (size_t len = 0; len < HOST_QUERY; len++)
        assert_int_equal(find(host_query, len, 5353, &direct), 0);
}

/* A pointer may lead backwards alone: forwards, to itself, into the head, and in circles are
 * refused, and a chain of them ends. */
static void pointers_do_not_go_in_circles(void **state) /* R10 */
{
    (void)state;
    static const uint8_t twice[] = "\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00"
                                   "\x05"
                                   "other\x05"
                                   "local\x00\x00\x01\x00\x01"
                                   "\x06garden\xC0\x12\x00\x01\x00\x01";
    uint8_t packet[sizeof twice - 1];
    bool direct;

    assert_int_not_equal(find(twice, sizeof packet, 5353, &direct), 0);
    for (int to = 0; to < 0x4000; to++) {
        memcpy(packet, twice, sizeof packet);
        size_t at = sizeof packet - 6;
        packet[at] = (uint8_t)(0xC0 | to >> 8);
        packet[at + 1] = (uint8_t)to;
        bool found = find(packet, sizeof packet, 5353, &direct) > 0;
        assert_int_equal(found, to == 0x12);
    }
}

static void it_says_when_it_comes_and_goes(void **state)
{
    (void)state;
    size_t len = th_mdns_announce(&garden, false, answer, sizeof answer);

    assert_memory_equal(answer, "\x00\x00\x84\x00\x00\x00\x00\x04\x00\x00\x00\x00", 12);
    assert_memory_equal(answer + len - 10, "\x00\x00\x00\x78\x00\x04\xC0\xA8\x04\x01", 10);
    len = th_mdns_announce(&garden, true, answer, sizeof answer);
    assert_memory_equal(answer + len - 10, "\x00\x00\x00\x00\x00\x04\xC0\xA8\x04\x01", 10);
    for (size_t room = 0; room < len; room++)
        assert_int_equal(th_mdns_announce(&garden, false, answer, room), 0);
    const struct th_mdns longest = {
        .address = {1, 2, 3, 4}, .name = "abcdefghijabcdefghijabcdefghijab", .port = 65535};
    assert_true(th_mdns_announce(&longest, false, answer, sizeof answer) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_gets_an_address_and_where_the_page_is),
        cmocka_unit_test(a_client_keeps_its_address_and_nobody_takes_it),
        cmocka_unit_test(an_address_of_another_network_is_refused_at_once),
        cmocka_unit_test(the_pool_is_bounded_and_recovers),
        cmocka_unit_test(declined_and_released_addresses),
        cmocka_unit_test(a_client_that_has_an_address_is_told_the_rest),
        cmocka_unit_test(other_servers_are_left_alone),
        cmocka_unit_test(broken_messages_are_passed_over),
        cmocka_unit_test(addresses_are_found_wherever_ours_lies),
        cmocka_unit_test(every_name_is_ours),
        cmocka_unit_test(other_types_have_no_answer_and_no_error),
        cmocka_unit_test(broken_queries_get_their_error),
        cmocka_unit_test(the_device_is_found_by_its_name),
        cmocka_unit_test(a_simple_resolver_is_answered_in_its_own_way),
        cmocka_unit_test(the_service_comes_with_all_of_it),
        cmocka_unit_test(what_is_known_is_not_said_again),
        cmocka_unit_test(nothing_is_said_to_others),
        cmocka_unit_test(pointers_do_not_go_in_circles),
        cmocka_unit_test(it_says_when_it_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
