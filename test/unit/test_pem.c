/* SPDX-License-Identifier: MIT */
/* Files of certificates and keys: PEM with every kind of line end, several blocks, DER, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/pem.h>

#include <thimble/pem.h>

#include "certs.h"

static struct cert one, two;
static EVP_PKEY *rsa;

static int set_up(void **state)
{
    (void)state;
    one = cert_root("One");
    two = cert_root("Two");
    rsa = cert_key("RSA-2048");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cert_free(&one);
    cert_free(&two);
    EVP_PKEY_free(rsa);
    return 0;
}

/* What was written to a BIO, as a text the test owns. */
struct text {
    char bytes[16384];
    size_t len;
};

static void text_of(BIO *bio, struct text *text)
{
    int len = BIO_read(bio, text->bytes, (int)sizeof text->bytes - 1);
    assert_true(len > 0);
    text->len = (size_t)len;
    text->bytes[len] = '\0';
    BIO_free(bio);
}

static void certificates_text(struct text *text)
{
    BIO *bio = BIO_new(BIO_s_mem());
    BIO_puts(bio, "subject=CN = One\nnot: a header\n\n");
    PEM_write_bio_X509(bio, one.x509);
    BIO_puts(bio, "\nsome words between\n");
    PEM_write_bio_X509(bio, two.x509);
    BIO_puts(bio, "words behind");
    text_of(bio, text);
}

static void replace_line_ends(struct text *text, const char *end)
{
    struct text other = {.len = 0};
    for (size_t i = 0; i < text->len; i++) {
        if (text->bytes[i] == '\n')
            other.len += (size_t)sprintf(other.bytes + other.len, "%s", end);
        else
            other.bytes[other.len++] = text->bytes[i];
    }
    *text = other;
}

static struct th_span span_of(const struct text *text)
{
    return th_span_of(text->bytes, text->len);
}

static void assert_certificates(struct th_span file, uint8_t *into, size_t room)
{
    struct th_span found[2];
    size_t count = 2;
    assert_int_equal(th_pem_certificates(file, into, room, found, &count), TH_OK);
    assert_int_equal(count, 2);
    assert_true(th_span_equal(found[0], one.der));
    assert_true(th_span_equal(found[1], two.der));
}

static void certificates_are_found_in_order_with_every_kind_of_line_end(void **state)
{
    (void)state;
    static const char *const ends[] = {"\n", "\r\n", "\r", " \n", "\t\r\n"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct text text;
        uint8_t into[4096];
        certificates_text(&text);
        replace_line_ends(&text, ends[i]);
        assert_certificates(span_of(&text), into, sizeof into);
        /* In the file's own memory too. */
        assert_certificates(span_of(&text), (uint8_t *)text.bytes, text.len);
    }
}

static void a_byte_order_mark_before_the_first_line_does_no_harm(void **state)
{
    (void)state;
    struct text text = {.bytes = "\xEF\xBB\xBF"}, rest;
    BIO *bio = BIO_new(BIO_s_mem());
    uint8_t into[2048];
    struct th_span found;
    size_t count = 1;
    PEM_write_bio_X509(bio, one.x509);
    text_of(bio, &rest);
    memcpy(text.bytes + 3, rest.bytes, rest.len);
    text.len = rest.len + 3;
    assert_int_equal(th_pem_certificates(span_of(&text), into, sizeof into, &found, &count), TH_OK);
    assert_true(th_span_equal(found, one.der));
}

static void a_bare_der_certificate_is_taken_as_it_is(void **state)
{
    (void)state;
    uint8_t into[2048];
    struct th_span found;
    size_t count = 1;
    assert_int_equal(th_pem_certificates(one.der, into, sizeof into, &found, &count), TH_OK);
    assert_int_equal(count, 1);
    assert_true(th_span_equal(found, one.der));
    assert_int_equal(th_pem_certificates(one.der, into, one.der.len - 1, &found, &count),
                     TH_ERR_FILE_TOO_LARGE);
    assert_int_equal(th_pem_private_key(one.der, into, sizeof into, &found), TH_ERR_FILE_FORMAT);
}

/* ---- keys ---- */

static BIO *key_bio(EVP_PKEY *key, const char *how)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *aes = EVP_aes_128_cbc();
    unsigned char secret[] = "secret";
    int good = 0;
    if (strcmp(how, "pkcs8") == 0)
        good = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    else if (strcmp(how, "traditional") == 0)
        good = PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL);
    else if (strcmp(how, "pkcs8-encrypted") == 0)
        good = PEM_write_bio_PKCS8PrivateKey(bio, key, aes, "secret", 6, NULL, NULL);
    else if (strcmp(how, "traditional-encrypted") == 0)
        good = PEM_write_bio_PrivateKey_traditional(bio, key, aes, secret, 6, NULL, NULL);
    else if (strcmp(how, "der") == 0)
        good = i2d_PKCS8PrivateKeyInfo_bio(bio, key);
    else if (strcmp(how, "der-encrypted") == 0)
        good = i2d_PKCS8PrivateKey_bio(bio, key, aes, "secret", 6, NULL, NULL);
    else if (strcmp(how, "der-public") == 0)
        good = i2d_PUBKEY_bio(bio, key);
    else
        good = PEM_write_bio_PUBKEY(bio, key);
    assert_int_equal(good, 1);
    return bio;
}

static void private_keys_of_each_kind_are_found_and_encrypted_ones_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *how;
        enum th_error error;
    } cases[] = {
        {"pkcs8", TH_OK},
        {"traditional", TH_OK},
        {"der", TH_OK},
        {"pkcs8-encrypted", TH_ERR_KEY_ENCRYPTED},
        {"traditional-encrypted", TH_ERR_KEY_ENCRYPTED},
        {"der-encrypted", TH_ERR_KEY_ENCRYPTED},
        {"public", TH_ERR_FILE_FORMAT},
        {"der-public", TH_ERR_FILE_FORMAT},
    };
    EVP_PKEY *keys[] = {one.key, rsa};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        EVP_PKEY *key = keys[i % 2];
        struct text text;
        uint8_t into[4096];
        struct th_span found = {NULL, 0};
        text_of(key_bio(key, cases[i / 2].how), &text);
        enum th_error error = th_pem_private_key(span_of(&text), into, sizeof into, &found);
        assert_string_equal(th_error_name(error), th_error_name(cases[i / 2].error));
        if (error != TH_OK)
            continue;
        const uint8_t *at = found.at;
        EVP_PKEY *back = d2i_AutoPrivateKey(NULL, &at, (long)found.len);
        assert_int_equal(EVP_PKEY_eq(back, key), 1);
        EVP_PKEY_free(back);
    }
}

static void a_key_is_found_behind_other_blocks_of_the_file(void **state)
{
    (void)state;
    struct text text;
    BIO *bio = BIO_new(BIO_s_mem());
    BIO_puts(bio, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n");
    PEM_write_bio_X509(bio, one.x509);
    PEM_write_bio_PrivateKey_traditional(bio, one.key, NULL, NULL, 0, NULL, NULL);
    text_of(bio, &text);
    uint8_t into[2048];
    struct th_span found;
    size_t count = 1;
    assert_int_equal(th_pem_private_key(span_of(&text), into, sizeof into, &found), TH_OK);
    assert_int_equal(th_pem_certificates(span_of(&text), into, sizeof into, &found, &count), TH_OK);
    assert_true(th_span_equal(found, one.der));
    struct th_span rest = span_of(&text);
    struct th_pem_block block;
    static const enum th_pem_kind kinds[] = {TH_PEM_OTHER, TH_PEM_CERTIFICATE, TH_PEM_EC_KEY};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(th_pem_next(&rest, &block), TH_OK);
        assert_int_equal(block.kind, kinds[i]);
    }
    assert_int_equal(th_pem_next(&rest, &block), TH_ERR_FILE_EMPTY);
}

/* ---- bad files ---- */

static enum th_error certificates_error(const char *text)
{
    uint8_t into[1024];
    struct th_span found[4];
    size_t count = 4;
    return th_pem_certificates(th_span_str(text), into, sizeof into, found, &count);
}

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END   "-----END CERTIFICATE-----\n"

static void bad_files_give_the_error_that_says_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum th_error error;
    } cases[] = {
        {"", TH_ERR_FILE_EMPTY},
        {" \r\n\t\n", TH_ERR_FILE_EMPTY},
        {"hello", TH_ERR_FILE_FORMAT},
        {BEGIN, TH_ERR_FILE_FORMAT},
        {BEGIN "MAMCAQE=\n", TH_ERR_FILE_FORMAT},
        {BEGIN END, TH_ERR_FILE_FORMAT},
        {BEGIN "MAMCAQE=\n" END, TH_OK},
        {BEGIN "  MAMC\n  AQE=\n" END, TH_OK},
        {BEGIN "MAMCAQE=\n-----END CERTIFICATE REQUEST-----\n", TH_ERR_FILE_FORMAT},
        {BEGIN "MAMCAQE=\n" BEGIN "MAMCAQE=\n" END, TH_ERR_FILE_FORMAT},
        {BEGIN "MAMC*QE=\n" END, TH_ERR_FILE_FORMAT},
        {BEGIN "MAMCAQE\n" END, TH_ERR_FILE_FORMAT},
        {BEGIN "MAMCAQE=MAMC\n" END, TH_ERR_FILE_FORMAT},
        {BEGIN "MAQCAQE=\n" END, TH_ERR_CERT_MALFORMED},
        {BEGIN "AgEB\n" END, TH_ERR_CERT_MALFORMED},
        {"-----BEGIN PUBLIC KEY-----\nMAMCAQE=\n-----END PUBLIC KEY-----\n", TH_ERR_FILE_FORMAT},
        {BEGIN "MAMCAQE=\n" END "-----BEGIN CERTI", TH_OK},
        {BEGIN "MAMCAQE=\n" END BEGIN "MAMC", TH_ERR_FILE_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum th_error error = certificates_error(cases[i].text);
        if (error != cases[i].error)
            print_error("case %zu: %s\n", i, cases[i].text);
        assert_string_equal(th_error_name(error), th_error_name(cases[i].error));
    }
}

static void more_than_there_is_room_for_is_said(void **state)
{
    (void)state;
    struct text text;
    certificates_text(&text);
    struct th_span found[2];
    size_t count = 1;
    uint8_t into[4096];
    assert_int_equal(th_pem_certificates(span_of(&text), into, sizeof into, found, &count),
                     TH_ERR_FILE_TOO_LARGE);
    size_t whole = one.der.len + two.der.len;
    uint8_t *exact = malloc(whole);
    for (size_t room = 0; room <= whole; room++) {
        count = 2;
        enum th_error error = th_pem_certificates(span_of(&text), exact, room, found, &count);
        assert_int_equal(error, room < whole ? TH_ERR_FILE_TOO_LARGE : TH_OK);
    }
    free(exact);
}

static void a_file_cut_or_changed_anywhere_is_read_without_harm(void **state)
{
    (void)state;
    struct text text;
    uint8_t into[4096];
    struct th_span found[2];
    text_of(key_bio(one.key, "traditional-encrypted"), &text);
    for (size_t len = 0; len < text.len; len++) {
        char *exact = malloc(len + 1);
        memcpy(exact, text.bytes, len);
        enum th_error error = th_pem_private_key(th_span_of(exact, len), into, sizeof into, found);
        assert_true(error != TH_OK || len + 1 == text.len);
        free(exact);
    }
    certificates_text(&text);
    for (size_t i = 0; i < text.len * 3; i++) {
        static const char flips[] = {'\x01', '\x80', '\x0A'};
        char *at = &text.bytes[i / 3], before = *at;
        size_t count = 2;
        *at = (char)(*at ^ flips[i % 3]);
        enum th_error error = th_pem_certificates(span_of(&text), into, sizeof into, found, &count);
        assert_true(error == TH_OK || error == TH_ERR_FILE_FORMAT ||
                    error == TH_ERR_CERT_MALFORMED);
        *at = before;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_are_found_in_order_with_every_kind_of_line_end),
        cmocka_unit_test(a_byte_order_mark_before_the_first_line_does_no_harm),
        cmocka_unit_test(a_bare_der_certificate_is_taken_as_it_is),
        cmocka_unit_test(private_keys_of_each_kind_are_found_and_encrypted_ones_recognised),
        cmocka_unit_test(a_key_is_found_behind_other_blocks_of_the_file),
        cmocka_unit_test(bad_files_give_the_error_that_says_what_is_wrong),
        cmocka_unit_test(more_than_there_is_room_for_is_said),
        cmocka_unit_test(a_file_cut_or_changed_anywhere_is_read_without_harm),
    };
    return cmocka_run_group_tests_name("pem", tests, set_up, tear_down);
}
