/* SPDX-License-Identifier: MIT */
/* Malformed frames and floods on the board's wire, while the link is up: test_frames lx106|mps2.
 * FRAMES_SEED=N replays a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker.h"
#include "qemu.h"

#define FRAME_MAX  1600
#define HEADER     14 /* no wire carries less */
#define KEPT       64
#define MESSAGES   12 /* their answers fit the outbox */
#define CONNECT_MS 30000

static const struct qemu_machine *machine;
static struct qemu qemu;
static struct broker broker;
static struct client *client;
static uint32_t seed = 1;

static struct {
    uint8_t bytes[FRAME_MAX];
    size_t len;
} kept[KEPT];
static unsigned kept_count;

static uint32_t next_random(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

/* Real frames of this very connection, both ways, to be altered. */
static void keep_frames(int timeout_ms)
{
    uint8_t frame[FRAME_MAX];
    size_t len;

    while ((len = qemu_tap_read(&qemu, frame, sizeof(frame), timeout_ms)) > 0) {
        unsigned at = kept_count++ % KEPT;
        memcpy(kept[at].bytes, frame, len);
        kept[at].len = len;
        timeout_ms = 300;
    }
}

static uint32_t sum(const uint8_t *bytes, size_t len)
{
    uint32_t total = 0;

    for (size_t i = 0; i < len; i++)
        total += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    return total;
}

static void put_checksum(uint8_t *at, uint32_t total)
{
    while (total >> 16 != 0)
        total = (total & 0xFFFF) + (total >> 16);
    at[0] = (uint8_t)(~total >> 8);
    at[1] = (uint8_t)~total;
}

/* Makes the checksums of an IPv4 frame with TCP or UDP right again, so that what was altered gets
 * past them. */
static void repair(uint8_t *frame, size_t len)
{
    size_t head = (size_t)(frame[14] & 15) * 4;

    if (len < 54 || frame[12] != 8 || frame[13] != 0 || head < 20 || 14 + head + 20 > len)
        return;
    uint8_t *ip = frame + 14, *segment = ip + head;
    size_t size = len - 14 - head;
    memset(ip + 10, 0, 2);
    put_checksum(ip + 10, sum(ip, head));
    uint8_t *field = segment + (ip[9] == 6 ? 16 : 6);
    memset(field, 0, 2);
    put_checksum(field, sum(segment, size) + sum(ip + 12, 8) + ip[9] + (uint32_t)size);
}

static void send_altered(void)
{
    uint8_t frame[FRAME_MAX];
    unsigned which = next_random() % (kept_count < KEPT ? kept_count : KEPT);
    size_t len = kept[which].len;

    memcpy(frame, kept[which].bytes, len);
    switch (next_random() % 4) {
    case 0: len = HEADER + next_random() % (len - HEADER + 1); break;
    case 1:
        memset(frame + len, (int)next_random(), sizeof(frame) - len);
        len += next_random() % (1514 - len + 1);
        break;
    default: break;
    }
    for (unsigned changes = next_random() % 4; changes > 0 && len > HEADER; changes--)
        frame[next_random() % 2 != 0 ? 14 + next_random() % (len < 60 ? len - 14 : 46)
                                     : next_random() % len] = (uint8_t)next_random();
    if (next_random() % 2 != 0)
        repair(frame, len);
    if (len >= 14 && next_random() % 2 != 0)
        memset(frame, 0xFF, 6);
    qemu_tap_write(&qemu, frame, len);
}

static void expect_alive(const char *after)
{
    for (int tries = 0; tries < 6; tries++) {
        client_publish(client, "board/from/host/rpc", after);
        const char *answer;
        while ((answer = client_expect(client, "board/to/host/rpc", 10000)) != NULL)
            if (strncmp(answer, "pong", 4) == 0 && strcmp(answer + 4, after + 4) == 0)
                return;
    }
    qemu_expect(&qemu, "never said", 500);
    fail_msg("no answer after %s; console:\n%s", after, qemu.text);
}

static int start(void **state)
{
    char files[300], port[32];

    (void)state;
    qemu_prepare(&qemu, machine, "link_demo.elf", NULL);
    broker_start(&broker, qemu_path(&qemu, "broker"));
    client = client_open(&broker, "board/#");
    snprintf(files, sizeof(files), "files=%s/device", broker.folder);
    snprintf(port, sizeof(port), "port=%d", broker.port);
    qemu.tapped = true;
    qemu_start(&qemu,
               (const char *const[]){files, port, "floor=1767225600", "backoff=200", "keepalive=5",
                                     "answer=3000", NULL},
               NULL);
    kept_count = 0;
    keep_frames(5000);
    if (qemu_expect(&qemu, "subscribed", CONNECT_MS) == NULL)
        fail_msg("the link does not come up:\n%s", qemu.text);
    keep_frames(200);
    qemu_tap_deaf(&qemu);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    client_close(client);
    broker_stop(&broker);
    qemu_clear(&qemu);
    return 0;
}

/* R10: it may lose the connection, never its mind. */
static void malformed_frames_do_not_crash_it_and_it_comes_back(void **state)
{
    (void)state;
    print_message("FRAMES_SEED=%u\n", seed);
    assert_true(kept_count > 10);
    for (int i = 0; i < 4000; i++) {
        send_altered();
        if (i % 50 == 49)
            qemu_expect(&qemu, "never said", 5); /* keeps the console flowing */
    }
    expect_alive("ping malformed");
    assert_null(strstr(strstr(qemu.text, "link demo") + 1, "link demo"));
}

/* More in a row than the card has room for. */
static void a_flood_of_the_largest_frames_passes(void **state)
{
    (void)state;
    uint8_t frame[1514] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2, 0, 0, 0, 0, 1, 8, 0, 0x45};

    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 50; i++) {
            for (size_t at = 15; at < sizeof(frame); at++)
                frame[at] = (uint8_t)next_random();
            qemu_tap_write(&qemu, frame, sizeof(frame));
        }
        qemu_expect(&qemu, "never said", 2);
    }
    expect_alive("ping flood");
    assert_null(strstr(strstr(qemu.text, "link demo") + 1, "link demo"));
}

/* While the loop is held, more segments come than there are packet buffers. Once each of them kept
 * one: a flooded device had none left for the acknowledgement it waited for. */
static void small_segments_do_not_use_packet_buffers_up(void **state)
{
    (void)state;
    char word[32];

    client_publish(client, "board/from/host/rpc", "hold 3 100");
    for (int i = 0; i < MESSAGES; i++) {
        usleep(30000);
        snprintf(word, sizeof(word), "ping %d", i);
        client_publish(client, "board/from/host/rpc", word);
    }
    const char *answer = client_expect(client, "board/to/host/rpc", CONNECT_MS);
    assert_non_null(answer);
    assert_string_equal(answer, "held");
    for (int i = 0; i < MESSAGES; i++) {
        snprintf(word, sizeof(word), "pong %d", i);
        answer = client_expect(client, "board/to/host/rpc", CONNECT_MS);
        assert_non_null(answer);
        assert_string_equal(answer, word);
    }
    client_publish(client, "board/from/host/rpc", "memory");
    answer = client_expect(client, "board/to/host/rpc", CONNECT_MS);
    assert_non_null(answer);
    const char *dropped = strstr(answer, "\"frames_dropped\":");
    assert_non_null(dropped);
    print_message("%s\n", answer);
    assert_int_equal(strtoul(dropped + 17, NULL, 10), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, clear)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(malformed_frames_do_not_crash_it_and_it_comes_back),
        TEST(a_flood_of_the_largest_frames_passes),
        TEST(small_segments_do_not_use_packet_buffers_up),
    };

    machine = qemu_machine_named(argc > 1 ? argv[1] : "");
    if (getenv("FRAMES_SEED") != NULL)
        seed = (uint32_t)strtoul(getenv("FRAMES_SEED"), NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
