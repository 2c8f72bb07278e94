/* SPDX-License-Identifier: MIT */
/* One suite over each backend's primitives: published vectors, and each backend against the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/crypto.h>
#include <thimble/tls_bearssl.h>

/* The const of a profile is cast away for the context pointer and never written through. */
union profile_ctx {
    const struct th_bearssl_profile *profile;
    void *ctx;
};

static struct th_crypto backends[3];

static int set_up(void **state)
{
    (void)state;
    backends[0] = (struct th_crypto){&th_crypto_openssl, NULL};
    backends[1] = (struct th_crypto){&th_crypto_bearssl,
                                     ((union profile_ctx){.profile = &th_bearssl_host}).ctx};
    backends[2] = (struct th_crypto){&th_crypto_bearssl,
                                     ((union profile_ctx){.profile = &th_bearssl_small}).ctx};
    return 0;
}

#define EACH(crypto) \
    for (const struct th_crypto *crypto = backends; crypto < backends + 3; crypto++)

static void unhex(const char *hex, uint8_t *into)
{
    for (size_t i = 0; hex[2 * i]; i++) {
        unsigned byte;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        into[i] = (uint8_t)byte;
    }
}

/* RFC 6979 §A.2.5 */
static const char secret_hex[] = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
static const char point_hex[] = "04"
                                "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
                                "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";

static void the_point_of_a_secret_is_as_published(void **state)
{
    (void)state;
    uint8_t secret[32], wanted[65], point[65];

    unhex(secret_hex, secret);
    unhex(point_hex, wanted);
    EACH(crypto)
    {
        assert_true(crypto->ops->p256_public(crypto->ctx, secret, point));
        assert_memory_equal(point, wanted, sizeof point);
    }
}

static void secrets_outside_the_order_are_refused(void **state)
{
    (void)state;
    uint8_t zero[32] = {0}, order[32], above[32], below[32], point[65], signature[64];

    unhex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", order);
    memset(above, 0xFF, sizeof above);
    memcpy(below, order, sizeof below);
    below[31]--;
    EACH(crypto)
    {
        assert_false(crypto->ops->p256_public(crypto->ctx, zero, point));
        assert_false(crypto->ops->p256_public(crypto->ctx, order, point));
        assert_false(crypto->ops->p256_public(crypto->ctx, above, point));
        assert_false(crypto->ops->p256_sign(crypto->ctx, order, zero, signature));
        assert_true(crypto->ops->p256_public(crypto->ctx, below, point));
    }
}

static void what_one_signs_every_other_verifies(void **state)
{
    (void)state;
    uint8_t secret[32], point[65], digest[32], signature[64];

    unhex(secret_hex, secret);
    unhex(point_hex, point);
    memset(digest, 0x5A, sizeof digest);
    EACH(signer)
    {
        assert_true(signer->ops->p256_sign(signer->ctx, secret, digest, signature));
        EACH(verifier)
        {
            assert_true(verifier->ops->p256_verify(verifier->ctx, point, digest, signature));
            for (size_t i = 0; i < 64; i += 7) {
                signature[i] ^= 4;
                assert_false(verifier->ops->p256_verify(verifier->ctx, point, digest, signature));
                signature[i] ^= 4;
            }
            digest[3] ^= 1;
            assert_false(verifier->ops->p256_verify(verifier->ctx, point, digest, signature));
            digest[3] ^= 1;
        }
    }
}

static void signatures_and_points_of_nonsense_are_refused(void **state)
{
    (void)state;
    uint8_t secret[32], point[65], digest[32] = {1}, signature[64] = {0}, shared[32];

    unhex(secret_hex, secret);
    unhex(point_hex, point);
    EACH(crypto)
    {
        assert_false(crypto->ops->p256_verify(crypto->ctx, point, digest, signature));
        uint8_t off_curve[65];

        memcpy(off_curve, point, 65);
        off_curve[64] ^= 1;
        assert_true(crypto->ops->p256_sign(crypto->ctx, secret, digest, signature));
        assert_false(crypto->ops->p256_verify(crypto->ctx, off_curve, digest, signature));
        assert_false(crypto->ops->p256_shared(crypto->ctx, secret, off_curve, shared));
        memset(signature, 0, sizeof signature);
    }
}

static void both_sides_come_to_the_same_shared_secret(void **state)
{
    (void)state;
    uint8_t one[32], two[32], point_one[65], point_two[65], first[32], shared[32];

    memset(one, 0x11, sizeof one);
    memset(two, 0x77, sizeof two);
    backends[0].ops->p256_public(backends[0].ctx, one, point_one);
    backends[0].ops->p256_public(backends[0].ctx, two, point_two);
    assert_true(backends[0].ops->p256_shared(backends[0].ctx, one, point_two, first));
    EACH(crypto)
    {
        assert_true(crypto->ops->p256_shared(crypto->ctx, two, point_one, shared));
        assert_memory_equal(shared, first, sizeof first);
    }
}

/* RFC 5869 §A.1 and §A.3 */
static void hkdf_is_as_published(void **state)
{
    (void)state;
    uint8_t secret[22], salt[13], info[10], wanted[42], okm[42];

    memset(secret, 0x0b, sizeof secret);
    unhex("000102030405060708090a0b0c", salt);
    unhex("f0f1f2f3f4f5f6f7f8f9", info);
    EACH(crypto)
    {
        unhex(
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            wanted);
        th_hkdf(crypto, th_span_of(salt, 13), th_span_of(secret, 22), th_span_of(info, 10), okm,
                42);
        assert_memory_equal(okm, wanted, 42);
        unhex(
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            wanted);
        assert_true(th_hkdf(crypto, (struct th_span){0}, th_span_of(secret, 22),
                            (struct th_span){0}, okm, 42));
        assert_memory_equal(okm, wanted, 42);
    }
}

static void what_is_sealed_opens_only_unaltered(void **state)
{
    (void)state;
    uint8_t key[32], nonce[12] = {7}, text[50], tag[16];
    struct th_span head = TH_SPAN("head");

    memset(key, 9, sizeof key);
    EACH(sealer)
    {
        EACH(opener)
        {
            memset(text, 'x', sizeof text);
            assert_true(sealer->ops->seal(sealer->ctx, key, nonce, head, text, sizeof text, tag));
            assert_true(opener->ops->open(opener->ctx, key, nonce, head, text, sizeof text, tag));
            assert_int_equal(text[49], 'x');
            assert_true(sealer->ops->seal(sealer->ctx, key, nonce, head, text, sizeof text, tag));
            tag[15] ^= 1;
            assert_false(opener->ops->open(opener->ctx, key, nonce, head, text, sizeof text, tag));
            assert_int_equal(text[0], 0);
        }
    }
}

struct source {
    int calls, fails_at;
};

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    struct source *source = ctx;

    memset(into, source->calls == 0 ? 0xFF : 0x21, len); /* the first is above the order */
    return source->calls++ != source->fails_at;
}

/* T13 */
static void no_key_is_made_without_entropy(void **state)
{
    (void)state;
    const struct th_entropy_ops ops = {fill};
    uint8_t secret[32], point[65];

    EACH(crypto)
    {
        struct source good = {0, -1}, broken = {0, 1};
        struct th_board board = {.entropy = {&ops, &good}};

        assert_true(th_p256_generate(crypto, &board, secret, point));
        assert_int_equal(good.calls, 2);
        board.entropy.ctx = &broken;
        assert_false(th_p256_generate(crypto, &board, secret, point));
        assert_int_equal(secret[0], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_point_of_a_secret_is_as_published),
        cmocka_unit_test(secrets_outside_the_order_are_refused),
        cmocka_unit_test(what_one_signs_every_other_verifies),
        cmocka_unit_test(signatures_and_points_of_nonsense_are_refused),
        cmocka_unit_test(both_sides_come_to_the_same_shared_secret),
        cmocka_unit_test(hkdf_is_as_published),
        cmocka_unit_test(what_is_sealed_opens_only_unaltered),
        cmocka_unit_test(no_key_is_made_without_entropy),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
