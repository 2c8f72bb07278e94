/* SPDX-License-Identifier: MIT */
/* The keys of sessions on the spot, bit by bit: docs/config-mode.md. F12. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/local.h>

#include "base/base64.h"

#define CODE "0123456789ABCDEF"

static const struct th_crypto crypto = {&th_crypto_openssl, NULL};

static char doc[64 * 1024];

static bool stands_in_doc(const char *text)
{
    return strstr(doc, text) != NULL;
}

static void read_doc(void)
{
    FILE *file = fopen(TH_DOCS "/config-mode.md", "r");

    assert_non_null(file);
    doc[fread(doc, 1, sizeof doc - 1, file)] = '\0';
    fclose(file);
}

static void row(const char *name, const uint8_t *bytes, size_t len)
{
    char text[512];
    int at = snprintf(text, sizeof text, "| %s | `", name);

    for (size_t i = 0; i < len; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%02x", bytes[i]);
    snprintf(text + at, sizeof text - (size_t)at, "` |");
    if (!stands_in_doc(text))
        fail_msg("not in docs/config-mode.md: %s", text);
}

static void box_row(const struct th_local_direction *keys, const char *frame)
{
    uint8_t box[256];
    char text[400] = "\n";
    size_t len = strlen(frame);

    memcpy(box, frame, len);
    assert_true(th_local_seal(&crypto, keys, 1, box, len));
    th_base64_encode(th_span_of(box, len + TH_LOCAL_TAG), text + 1, sizeof text - 1);
    if (!stands_in_doc(text))
        fail_msg("not in docs/config-mode.md: %s", text);
}

static struct th_local_hello vector_hello(enum th_local_kind kind)
{
    struct th_local_hello hello = {.kind = kind, .number = 7, .name = "lamp"};

    for (uint8_t i = 0; i < TH_LOCAL_NONCE; i++) {
        hello.client[i] = 0x10 + i;
        hello.device[i] = 0x20 + i;
    }
    return hello;
}

static void the_page_vectors_are_those_of_the_contract(void **state)
{
    (void)state;
    struct th_local_hello hello = vector_hello(TH_LOCAL_PAGE);
    struct th_local_keys keys;
    uint8_t key[32];

    read_doc();
    assert_true(th_local_key(&crypto, TH_LOCAL_PAGE, CODE, key));
    row("page key", key, 32);
    assert_true(th_local_derive(&crypto, &hello, key, NULL, &keys));
    row("client proof", keys.client_proof, 32);
    row("device proof", keys.device_proof, 32);
    row("request cipher", keys.request.cipher, 32);
    row("request mac", keys.request.mac, 32);
    row("answer cipher", keys.answer.cipher, 32);
    row("answer mac", keys.answer.mac, 32);
    box_row(&keys.request, "{\"id\":1,\"method\":\"Sys.GetInfo\"}");
    box_row(&keys.answer,
            "{\"id\":1,\"src\":\"lamp\",\"dst\":\"local\",\"result\":{\"mode\":\"config\"}}");
}

static void the_enrolment_vectors_are_those_of_the_contract(void **state)
{
    (void)state;
    struct th_local_hello hello = vector_hello(TH_LOCAL_ENROL);
    struct th_local_keys keys;
    uint8_t key[32], client[32], device[32], shared[32];

    read_doc();
    memset(client, 1, sizeof client);
    memset(device, 2, sizeof device);
    assert_true(crypto.ops->p256_public(NULL, client, hello.client_point));
    assert_true(crypto.ops->p256_public(NULL, device, hello.device_point));
    assert_true(crypto.ops->p256_shared(NULL, client, hello.device_point, shared));
    row("enrol: x coordinate", shared, 32);
    assert_true(th_local_key(&crypto, TH_LOCAL_ENROL, CODE, key));
    row("enrolment key", key, 32);
    assert_true(th_local_derive(&crypto, &hello, key, shared, &keys));
    row("enrol: client proof", keys.client_proof, 32);
    row("enrol: device proof", keys.device_proof, 32);
    row("enrol: answer mac", keys.answer.mac, 32);
}

/* Each value the two agree on, altered in a form that is otherwise perfect. */
static void each_value_of_the_opening_is_in_the_proof(void **state) /* F12 */
{
    (void)state;
    struct th_local_hello hello = vector_hello(TH_LOCAL_ENROL);
    uint8_t key[32] = {9}, shared[32] = {8};
    struct th_local_keys good, other;

    assert_true(th_local_derive(&crypto, &hello, key, shared, &good));
    struct th_local_hello seven[7];
    for (int i = 0; i < 7; i++)
        seven[i] = hello;
    seven[0].number++;
    seven[1].client[15] ^= 1;
    seven[2].device[0] ^= 1;
    seven[3].name[3] = 'q';
    seven[4].client_point[64] ^= 1;
    seven[5].device_point[1] ^= 1;
    seven[6].kind = TH_LOCAL_PAGE;
    for (int i = 0; i < 7; i++) {
        assert_true(th_local_derive(&crypto, &seven[i], key, shared, &other));
        assert_memory_not_equal(good.client_proof, other.client_proof, 32);
        assert_memory_not_equal(good.answer.mac, other.answer.mac, 32);
    }
    shared[31] ^= 1;
    assert_true(th_local_derive(&crypto, &hello, key, shared, &other));
    assert_memory_not_equal(good.device_proof, other.device_proof, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_vectors_are_those_of_the_contract),
        cmocka_unit_test(the_enrolment_vectors_are_those_of_the_contract),
        cmocka_unit_test(each_value_of_the_opening_is_in_the_proof),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
