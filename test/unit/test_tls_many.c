/* SPDX-License-Identifier: MIT */
/* Many connections in one process, and what each of them takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls_harness.h"

#include <openssl/crypto.h>

#define MANY 200

/* ---- what OpenSSL allocates, by whom it was called ---- */

struct block {
    size_t size;
    bool ours;
    max_align_t bytes[];
};

static bool client_runs;
static size_t client_bytes, client_peak;

static void *count_alloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    struct block *block = malloc(sizeof *block + size);
    if (!block)
        return NULL;
    block->size = size;
    block->ours = client_runs;
    if (client_runs)
        client_bytes += size;
    if (client_bytes > client_peak)
        client_peak = client_bytes;
    return block->bytes;
}

static void count_free(void *bytes, const char *file, int line)
{
    (void)file, (void)line;
    if (!bytes)
        return;
    struct block *block = (struct block *)((uint8_t *)bytes - offsetof(struct block, bytes));
    if (block->ours)
        client_bytes -= block->size;
    free(block);
}

static void *count_realloc(void *bytes, size_t size, const char *file, int line)
{
    bool was = client_runs;
    if (!bytes)
        return count_alloc(size, file, line);
    struct block *old = (struct block *)((uint8_t *)bytes - offsetof(struct block, bytes));
    client_runs = old->ours;
    void *moved = count_alloc(size, file, line);
    client_runs = was;
    if (moved) {
        memcpy(moved, bytes, old->size < size ? old->size : size);
        count_free(bytes, file, line);
    }
    return moved;
}

static void an_idle_connection_over_openssl_keeps_little(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct harness *harness = make(state);
        SSL_CTX_set_max_proto_version(harness->server_ctx, versions[i]);
        assert_opens(harness); /* what is allocated once for the whole process */
        harness_stop(harness, true);
        client_bytes = client_peak = 0;
        harness->around_client = &client_runs;
        assert_opens(harness);
        harness_run(harness, 10);
        print_message("  TLS 1.%zu: %zu bytes of heap idle, %zu at most in the handshake\n", i + 2,
                      client_bytes, client_peak);
        assert_true(client_bytes > 1000 && client_bytes < 24 * 1024);
        harness_stop(harness, true);
        assert_true(client_bytes < 1024);
        harness_free(harness);
    }
}

/* All handshakes at once, each a step at a time: nothing may be shared between them. */
static void two_hundred_connections_at_once_share_nothing(void **state)
{
    static struct harness *harnesses[MANY];
    for (size_t i = 0; i < MANY; i++) {
        harnesses[i] = make(state);
        harnesses[i]->seed = (uint32_t)(i + 1);
        harnesses[i]->piece = 50 + i;
        if (i % 3 == 1)
            harnesses[i]->shown[0] = pki.rsa_server;
        if (i % 7 == 3)
            harnesses[i]->server_name = "other.test"; /* some fail */
        harness_start(harnesses[i]);
    }
    for (size_t round = 0, opening = MANY; opening != 0; round++) {
        assert_true(round < 2000);
        opening = 0;
        for (size_t i = 0; i < MANY; i++) {
            harness_step(harnesses[i]);
            opening += harnesses[i]->state == TH_STREAM_OPENING;
        }
    }
    for (size_t i = 0; i < MANY; i++) {
        bool bad = i % 7 == 3;
        assert_int_equal(harnesses[i]->state, bad ? TH_STREAM_FAILED : TH_STREAM_OPEN);
        if (bad)
            assert_string_equal(th_error_name(harness_failure(harnesses[i]).error),
                                "SERVER_NAME_MISMATCH");
    }
    for (size_t i = 0; i < MANY; i++) {
        char text[16];
        size_t len = (size_t)snprintf(text, sizeof text, "client %zu", i);
        if (harnesses[i]->state != TH_STREAM_OPEN)
            continue;
        assert_true(harness_write(harnesses[i], (const uint8_t *)text, len));
        harness_run(harnesses[i], 60);
        assert_int_equal(harnesses[i]->got_len, len);
        assert_memory_equal(harnesses[i]->got, text, len);
    }
    for (size_t i = 0; i < MANY; i++)
        harness_free(harnesses[i]);
}

/* DESIGN's budget is 6 KiB idle and 9 KiB in the handshake on a 32-bit device, MQTT session
 * included; on this 64-bit host pointers are twice as wide. */
static void an_idle_connection_over_bearssl_stays_within_its_budget(void **state)
{
    (void)state;
    size_t idle = sizeof(struct th_bearssl) + TH_BEARSSL_IN(512) + TH_BEARSSL_OUT(512);
    size_t lent = th_tls_bearssl.scratch_size;
    print_message("  context %zu + records %d = %zu idle, %zu lent for the handshake\n",
                  sizeof(struct th_bearssl), TH_BEARSSL_IN(512) + TH_BEARSSL_OUT(512), idle, lent);
    assert_true(idle < 6 * 1024);
    assert_true(lent < 5 * 1024 + 512);
}

/* The scratch may begin anywhere, and more of it holds more anchors. */
static void lent_memory_need_not_be_aligned_and_more_of_it_holds_more_anchors(void **state)
{
    struct th_span anchors[TH_BEARSSL_ANCHORS + 3];
    struct harness *harness = make(state);
    size_t least = th_tls_bearssl.scratch_size, more = 3 * TH_BEARSSL_ANCHOR_SIZE;
    uint8_t *memory = malloc(least + more + 8);
    for (size_t i = 0; i < TH_BEARSSL_ANCHORS + 3; i++)
        anchors[i] = pki.device_ca->chain[0];
    anchors[TH_BEARSSL_ANCHORS + 2] = pki.server_ca->chain[0];
    harness->trust.anchors = anchors;
    harness->trust.anchor_count = TH_BEARSSL_ANCHORS + 3;
    assert_refuses(harness, TH_ERR_MEMORY_HANDSHAKE);
    harness_stop(harness, false);
    for (size_t offset = 0; offset < 8; offset++) {
        harness->lent = th_span_of(memory + offset, least + more);
        assert_opens(harness);
        harness_stop(harness, true);
    }
    harness->lent = th_span_of(memory, least - 1);
    harness->trust.anchor_count = 1;
    assert_refuses(harness, TH_ERR_MEMORY_HANDSHAKE);
    harness_free(harness);
    free(memory);
}

static void record_buffers_that_are_too_small_are_told_so(void **state)
{
    struct harness *harness = make(state);
    harness->in_room = TH_BEARSSL_IN(512) - 1;
    assert_refuses(harness, TH_ERR_MEMORY_HANDSHAKE);
    harness_stop(harness, false);
    harness->in_room = TH_BEARSSL_IN(512);
    harness->out_room = TH_BEARSSL_OUT(512) - 1;
    assert_refuses(harness, TH_ERR_MEMORY_HANDSHAKE);
    harness_free(harness);
}

/* One public-key operation a step as far as the library allows; so a handshake takes several. */
static void a_handshake_is_made_of_many_small_steps(void **state)
{
    struct harness *harness = make(state);
    unsigned steps = 0;
    harness_start(harness);
    while (harness->state == TH_STREAM_OPENING && steps < 100) {
        harness_step(harness);
        steps++;
    }
    assert_int_equal(harness->state, TH_STREAM_OPEN);
    assert_true(steps >= 6);
    harness_free(harness);
}

static void secrets_are_gone_after_close(void **state)
{
    struct harness *harness = make(state);
    assert_opens(harness);
    harness_stop(harness, true);
    const uint8_t *at =
        harness->backend == OVER_BEARSSL ? (const uint8_t *)&harness->bearssl.client : harness->in;
    size_t len =
        harness->backend == OVER_BEARSSL ? sizeof harness->bearssl.client : harness->in_room;
    for (size_t i = 0; i < len; i++)
        assert_int_equal(at[i], 0);
    harness_free(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_EACH(two_hundred_connections_at_once_share_nothing),
        OVER_BEAR(an_idle_connection_over_bearssl_stays_within_its_budget),
        OVER_OPEN(an_idle_connection_over_openssl_keeps_little),
        OVER_BEAR(lent_memory_need_not_be_aligned_and_more_of_it_holds_more_anchors),
        OVER_BEAR(record_buffers_that_are_too_small_are_told_so),
        OVER_BEAR(a_handshake_is_made_of_many_small_steps),
        OVER_EACH(secrets_are_gone_after_close),
    };
    if (!CRYPTO_set_mem_functions(count_alloc, count_realloc, count_free))
        return 1;
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}
