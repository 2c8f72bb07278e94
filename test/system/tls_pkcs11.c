/* SPDX-License-Identifier: MIT */
/*
 * tls_pkcs11 KEY.pem URI: a mutual handshake with a key that stays in its token. KEY.pem is only
 * read to issue the certificate; URI is what the engine "pkcs11" opens.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tls_harness.h"

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/pem.h>

static EVP_PKEY *file_key, *token_key;
static enum th_key_kind kind;

static struct pki_entity *issue(const struct pki_entity *key)
{
    return pki_make(&(struct pki_request){.common_name = "with-token",
                                          .issuer = pki.device_ca,
                                          .same_key = key,
                                          .key_usage = "critical,digitalSignature",
                                          .eku = "clientAuth"});
}

static void a_key_that_stays_in_its_token_proves_who_we_are(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    const struct pki_entity key = {.key = file_key};
    struct pki_entity *device = issue(&key);
    for (size_t i = 0; i < 2; i++) {
        struct harness *harness = make(state);
        SSL_CTX_set_max_proto_version(harness->server_ctx, versions[i]);
        harness->identity = (struct th_identity){
            .chain = device->chain, .chain_count = 1, .kind = kind, .native_key = token_key};
        assert_opens(harness);
        assert_true(harness_info(harness).client_certificate);
        X509 *seen = SSL_get0_peer_certificate(harness->server);
        assert_int_equal(X509_cmp(seen, device->certificate), 0);
        harness_free(harness);
    }
    pki_free(device);
}

static void the_key_of_another_token_is_told_at_once(void **state)
{
    struct harness *harness = make(state);
    harness->identity.key.len = 0;
    harness->identity.kind = kind;
    harness->identity.native_key = token_key;
    assert_refuses(harness, TH_ERR_KEY_MISMATCH);
    harness_free(harness);
}

static void need(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "tls_pkcs11: %s\n", what);
        ERR_print_errors_fp(stderr);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        OVER_OPEN(a_key_that_stays_in_its_token_proves_who_we_are),
        OVER_OPEN(the_key_of_another_token_is_told_at_once),
    };
    need(argc == 3, "usage: tls_pkcs11 KEY.pem URI");
    FILE *file = fopen(argv[1], "r");
    need(file != NULL, "the key file cannot be read");
    file_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    need(file_key != NULL, "no key in the file");
    kind = EVP_PKEY_is_a(file_key, "RSA") ? TH_KEY_RSA : TH_KEY_EC_P256;
    ENGINE_load_builtin_engines();
    ENGINE *engine = ENGINE_by_id("pkcs11");
    need(engine && ENGINE_init(engine), "no engine pkcs11");
    token_key = ENGINE_load_private_key(engine, argv[2], NULL, NULL);
    need(token_key != NULL, "no key in the token");
    int failed = cmocka_run_group_tests(tests, make_pki, free_pki);
    EVP_PKEY_free(token_key);
    EVP_PKEY_free(file_key);
    ENGINE_finish(engine);
    ENGINE_free(engine);
    return failed;
}
