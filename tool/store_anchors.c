/* SPDX-License-Identifier: MIT */
#include "store_anchors.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "exits.h"
#include "files.h"
#include "term.h"
#include "text.h"
#include "x509.h"

int store_path(const char *given, const char **out)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora */
        "/etc/ssl/cert.pem",                  /* BSD, macOS */
    };
    *out = given;
    for (size_t i = 0; !*out && i < sizeof places / sizeof places[0]; i++)
        *out = files_exist(places[i]) ? places[i] : NULL;
    if (!*out)
        return fail(EXIT_MISSING, "this machine has no store of well-known authorities\n"
                                  "apt-get install ca-certificates, or name one with --store");
    return files_exist(*out) ? EXIT_OK : fail(EXIT_INPUT, "there is no %s\ncheck the path", *out);
}

static void expect_host(X509_STORE_CTX *context, const char *host)
{
    uint8_t address[16];
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_STORE_CTX_set_default(context, "ssl_server");
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        X509_VERIFY_PARAM_set1_ip_asc(param, host);
    else
        X509_VERIFY_PARAM_set1_host(param, host, 0);
}

X509 *store_anchor(const char *path, STACK_OF(X509) * chain, const char *host, const char **why)
{
    X509 *anchor = NULL;
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    *why = "libcrypto has no memory";
    if (store && context && X509_STORE_load_file(store, path) == 1 &&
        X509_STORE_CTX_init(context, store, sk_X509_value(chain, 0), chain) == 1) {
        expect_host(context, host);
        bool good = X509_verify_cert(context) == 1;
        STACK_OF(X509) *whole = X509_STORE_CTX_get0_chain(context);
        *why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
        if (good && sk_X509_num(whole) > 0)
            anchor = sk_X509_value(whole, sk_X509_num(whole) - 1);
        if (anchor)
            X509_up_ref(anchor);
    } else if (store && context) {
        *why = "the store cannot be read";
    }
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    ERR_clear_error();
    return anchor;
}

static bool is_named(const X509 *certificate, const char *const *names, size_t count)
{
    char name[128];
    x509_common_name(certificate, name, sizeof name);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

int store_named(const char *store, const char *const *names, size_t count, STACK_OF(X509) * into)
{
    BIO *file = BIO_new_file(store, "r");
    if (!file) {
        ERR_clear_error();
        return fail(EXIT_INPUT, "cannot open %s\ncheck its permissions", store);
    }
    X509 *one;
    while ((one = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL) {
        if (!is_named(one, names, count) || sk_X509_push(into, one) <= 0)
            X509_free(one);
    }
    BIO_free(file);
    ERR_clear_error();
    return EXIT_OK;
}

int store_write(const char *path, STACK_OF(X509) * anchors)
{
    struct text text;
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    for (int i = 0; i < sk_X509_num(anchors); i++)
        PEM_write_X509(text.file, sk_X509_value(anchors, i));
    return text_write(&text, path);
}
