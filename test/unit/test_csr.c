/* SPDX-License-Identifier: MIT */
/* I1 I2: requests that libcrypto reads, and whose signature it accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <thimble/csr.h>

static const struct th_crypto crypto = {&th_crypto_openssl, NULL};

static size_t make(const uint8_t *secret, const char *name, uint8_t *into, size_t room)
{
    return th_csr_make(&crypto, secret, th_span_str(name), into, room);
}

static X509_REQ *parse(const uint8_t *der, size_t len)
{
    const uint8_t *at = der;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)len);

    assert_non_null(request);
    assert_ptr_equal(at, der + len);
    return request;
}

/* Signatures differ each time, so that halves with leading zeros and high bits all come up. */
static void libcrypto_accepts_every_request(void **state)
{
    (void)state;
    uint8_t der[TH_CSR_MAX];

    for (int i = 1; i <= 600; i++) {
        uint8_t secret[TH_P256_SECRET] = {(uint8_t)i, (uint8_t)(i >> 8), 7};
        char name[TH_CSR_NAME_MAX + 1];
        char found[128];

        memset(name, 'a' + i % 26, sizeof name);
        name[1 + i % TH_CSR_NAME_MAX] = '\0';
        size_t len = make(secret, name, der, sizeof der);
        assert_true(len > 0);
        X509_REQ *request = parse(der, len);
        EVP_PKEY *key = X509_REQ_get_pubkey(request);
        assert_int_equal(X509_REQ_verify(request, key), 1);
        X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(request), NID_commonName, found,
                                  sizeof found);
        assert_string_equal(found, name);
        EVP_PKEY_free(key);
        X509_REQ_free(request);
    }
}

/* I2 */
static void an_altered_request_does_not_prove_possession(void **state)
{
    (void)state;
    const uint8_t secret[TH_P256_SECRET] = {9};
    uint8_t der[TH_CSR_MAX];
    size_t len = make(secret, "garden", der, sizeof der);

    for (size_t i = 0; i < len; i++) {
        const uint8_t *at = der;

        der[i] ^= 1;
        X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)len);
        EVP_PKEY *key = request ? X509_REQ_get_pubkey(request) : NULL;
        assert_false(key && X509_REQ_verify(request, key) == 1);
        EVP_PKEY_free(key);
        X509_REQ_free(request);
        der[i] ^= 1;
    }
}

static void names_that_no_certificate_may_have_are_refused(void **state)
{
    (void)state;
    const uint8_t secret[TH_P256_SECRET] = {9}, nothing[TH_P256_SECRET] = {0};
    uint8_t der[TH_CSR_MAX];
    char long_name[TH_CSR_NAME_MAX + 2];

    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(make(secret, "", der, sizeof der), 0);
    assert_int_equal(make(secret, long_name, der, sizeof der), 0);
    assert_int_equal(make(secret, "a\nb", der, sizeof der), 0);
    assert_int_equal(make(secret, "\xFF", der, sizeof der), 0);
    assert_int_equal(make(nothing, "garden", der, sizeof der), 0);
}

static void too_little_room_writes_nothing_outside(void **state)
{
    (void)state;
    const uint8_t secret[TH_P256_SECRET] = {9};
    uint8_t der[TH_CSR_MAX + 1];

    for (size_t room = 0; room < 200; room++) {
        memset(der, 0x5A, sizeof der);
        assert_int_equal(make(secret, "garden", der, room), 0);
        assert_int_equal(der[room], 0x5A);
    }
}

static void the_key_is_in_the_form_identities_take(void **state)
{
    (void)state;
    const uint8_t secret[TH_P256_SECRET] = {0, 1, 2, 3};
    uint8_t point[TH_P256_POINT], der[TH_SEC1_KEY];
    const uint8_t *at = der;

    crypto.ops->p256_public(NULL, secret, point);
    th_csr_key(secret, point, der);
    EVP_PKEY *key = d2i_PrivateKey(EVP_PKEY_EC, NULL, &at, sizeof der);
    assert_non_null(key);
    assert_ptr_equal(at, der + sizeof der);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libcrypto_accepts_every_request),
        cmocka_unit_test(an_altered_request_does_not_prove_possession),
        cmocka_unit_test(names_that_no_certificate_may_have_are_refused),
        cmocka_unit_test(too_little_room_writes_nothing_outside),
        cmocka_unit_test(the_key_is_in_the_form_identities_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
