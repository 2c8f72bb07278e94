/* SPDX-License-Identifier: MIT */
#include "broker_certificate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "exits.h"
#include "hosts.h"
#include "term.h"

#define SERVER_DAYS 365

static void add_name(struct hosts *hosts, const GENERAL_NAME *name)
{
    int kind;
    char text[HOSTS_TEXT] = "";
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &kind);
    const unsigned char *bytes = ASN1_STRING_get0_data(value);
    int len = ASN1_STRING_length(value);
    if (kind == GEN_DNS && len < HOSTS_TEXT)
        snprintf(text, sizeof text, "%.*s", len, (const char *)bytes);
    else if (kind == GEN_IPADD && (len == 4 || len == 16))
        inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, text, sizeof text);
    if (text[0])
        hosts_add(hosts, text);
}

static void hosts_of(const X509 *certificate, struct hosts *hosts)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        add_name(hosts, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
}

static X509 *sign(const X509 *old, EVP_PKEY *key, const struct home_issuer *issuer)
{
    static const char *list[HOSTS_MAX];
    struct hosts hosts = {.count = 0};
    char common_name[65];
    int64_t now = time(NULL), end = now + SERVER_DAYS * HOME_DAY_S;
    int64_t issuer_end = x509_not_after(issuer->certificate);
    hosts_of(old, &hosts);
    for (size_t i = 0; i < hosts.count; i++)
        list[i] = hosts.at[i];
    x509_common_name(old, common_name, sizeof common_name);
    return x509_issue(&(struct x509_order){
        .kind = X509_SERVER,
        .common_name = common_name,
        .key = key,
        .issuer = issuer->certificate,
        .issuer_key = issuer->key,
        .not_before_s = now - HOME_CLOCK_SLACK_S,
        .not_after_s = end < issuer_end ? end : issuer_end,
        .hosts = list,
        .host_count = hosts.count,
    });
}

int broker_certificate_renew(struct home *home)
{
    struct path path = home_path(home, "broker/server.crt");
    struct home_issuer issuer = {NULL, NULL};
    X509 *old = NULL, *made = NULL;
    EVP_PKEY *key = NULL;
    int code = x509_read_certificate(path.text, &old);
    if (code == EXIT_OK)
        code = x509_read_key(home_path(home, "broker/server.key").text, &key);
    if (code == EXIT_OK)
        code = home_issuer(home, REGISTRY_SERVER, &issuer);
    if (code == EXIT_OK && (made = sign(old, key, &issuer)) == NULL)
        code = fail(EXIT_FAILED, "cannot make the server's certificate: %s\ncheck libcrypto",
                    x509_error());
    if (code == EXIT_OK)
        code = registry_certificate_add(&home->registry, REGISTRY_SERVER, "server", NULL, made);
    if (code == EXIT_OK)
        code = x509_write_certificate(path.text, made, FILES_REPLACE);
    X509_free(old);
    X509_free(made);
    EVP_PKEY_free(key);
    home_issuer_free(&issuer);
    return code;
}
