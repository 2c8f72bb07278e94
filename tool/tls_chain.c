/* SPDX-License-Identifier: MIT */
#include "tls_chain.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "term.h"
#include "x509.h"

/* Names come from a stranger: what is not printable becomes '?'. */
static void append(char *into, size_t room, const char *text, size_t len)
{
    size_t at = strlen(into);
    for (size_t i = 0; i < len && at + 1 < room; i++)
        into[at++] = text[i] >= 0x20 && text[i] < 0x7F ? text[i] : '?';
    into[at] = '\0';
}

static void names_of(const X509 *certificate, char *into, size_t room)
{
    into[0] = '\0';
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int kind;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
        char text[INET6_ADDRSTRLEN] = "";
        if (kind != GEN_DNS && kind != GEN_IPADD)
            continue;
        append(into, room, ", ", *into ? 2 : 0);
        int len = ASN1_STRING_length(value);
        if (kind == GEN_DNS)
            append(into, room, (const char *)ASN1_STRING_get0_data(value), (size_t)len);
        else if (inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), text,
                           sizeof text))
            append(into, room, text, strlen(text));
    }
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

static void one_line(const X509_NAME *name, char *into, size_t room)
{
    char text[256] = "";
    BIO *memory = BIO_new(BIO_s_mem());
    if (memory && X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        BIO_gets(memory, text, sizeof text);
    BIO_free(memory);
    into[0] = '\0';
    append(into, room, text, strlen(text));
}

static void hex_of(const uint8_t *bytes, size_t len, char *into)
{
    for (size_t i = 0; i < len; i++)
        sprintf(into + 2 * i, "%02x", bytes[i]);
}

static const char *key_of(X509 *certificate, char *into, size_t room)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    const char *kind = key ? EVP_PKEY_get0_type_name(key) : NULL;
    snprintf(into, room, "%s %d", kind ? kind : "unknown", key ? EVP_PKEY_get_bits(key) : 0);
    return into;
}

void tls_chain_show(STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *certificate = sk_X509_value(chain, i);
        char subject[256], issuer[256], names[512], from[24], to[24], key[64], hex[65];
        uint8_t digest[32];
        one_line(X509_get_subject_name(certificate), subject, sizeof subject);
        one_line(X509_get_issuer_name(certificate), issuer, sizeof issuer);
        names_of(certificate, names, sizeof names);
        int64_t end = x509_not_after(certificate), now = time(NULL);
        say("%s%s  issued by %s", i == 0 ? "shows     " : "          ", subject, issuer);
        say("            valid %s to %s%s", term_date(x509_not_before(certificate), from),
            term_date(end, to), end < now ? ", EXPIRED" : "");
        if (*names)
            say("            for %s", names);
        x509_fingerprint(certificate, digest);
        hex_of(digest, sizeof digest, hex);
        say("            %s, fingerprint %s", key_of(certificate, key, sizeof key), hex);
        x509_pin(certificate, digest);
        hex_of(digest, sizeof digest, hex);
        say("            pin %s", hex);
    }
}

void tls_chain_json(struct json *json, STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        X509 *certificate = sk_X509_value(chain, i);
        char text[512], key[64];
        uint8_t digest[32];
        json_open(json, NULL, '{');
        one_line(X509_get_subject_name(certificate), text, sizeof text);
        json_text(json, "subject", text);
        one_line(X509_get_issuer_name(certificate), text, sizeof text);
        json_text(json, "issuer", text);
        names_of(certificate, text, sizeof text);
        json_text(json, "names", text);
        json_number(json, "not_before", x509_not_before(certificate));
        json_number(json, "not_after", x509_not_after(certificate));
        json_text(json, "key", key_of(certificate, key, sizeof key));
        x509_fingerprint(certificate, digest);
        json_hex(json, "sha256", digest, sizeof digest);
        x509_pin(certificate, digest);
        json_hex(json, "pin", digest, sizeof digest);
        json_close(json, '}');
    }
}
