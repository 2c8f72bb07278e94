/* SPDX-License-Identifier: MIT */
/* What broker lint finds in the certificates, keys and revocation lists of a listener. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "exits.h"
#include "files.h"
#include "lint.h"
#include "term.h"
#include "x509.h"

#define SOON_S (INT64_C(30) * 86400)

/* All certificates of a file; NULL when there is none in it. */
static STACK_OF(X509) * certificates(const char *path)
{
    BIO *file = BIO_new_file(path, "r");
    STACK_OF(X509) *all = sk_X509_new_null();
    X509 *one;
    while (file && all && (one = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL)
        sk_X509_push(all, one);
    BIO_free(file);
    ERR_clear_error();
    if (all && sk_X509_num(all) > 0)
        return all;
    sk_X509_pop_free(all, X509_free);
    return NULL;
}

static bool readable(struct lint *lint, const struct lint_setting *setting, const char *what)
{
    FILE *file = fopen(setting->text, "re");
    if (!file) {
        lint_say(lint, lint->path, setting->line,
                 "the %s %s cannot be read\ncheck the path, and "
                 "that the user mosquitto runs as may read it",
                 what, setting->text);
        return false;
    }
    fclose(file);
    return true;
}

static void judge_dates(struct lint *lint, const struct lint_setting *setting, X509 *certificate)
{
    char name[128], date[24];
    int64_t now = time(NULL), end = x509_not_after(certificate);
    x509_common_name(certificate, name, sizeof name);
    if (x509_not_before(certificate) > now)
        lint_say(lint, lint->path, setting->line,
                 "'%s' is valid only from %s on\n"
                 "check this machine's clock",
                 name, term_date(x509_not_before(certificate), date));
    else if (end <= now)
        lint_say(lint, lint->path, setting->line, "'%s' has expired on %s\nissue it again", name,
                 term_date(end, date));
    else if (end - now < SOON_S)
        lint_say(lint, lint->path, setting->line, "'%s' expires soon, on %s\nissue it again", name,
                 term_date(end, date));
}

static void judge_all_dates(struct lint *lint, const struct lint_setting *setting)
{
    STACK_OF(X509) *all = certificates(setting->text);
    if (!all)
        lint_say(lint, lint->path, setting->line,
                 "%s holds no PEM certificate\n"
                 "openssl x509 -inform DER -in FILE, if it is DER",
                 setting->text);
    for (int i = 0; all && i < sk_X509_num(all); i++)
        judge_dates(lint, setting, sk_X509_value(all, i));
    sk_X509_pop_free(all, X509_free);
}

/* ---- the server's own ---- */

static void judge_names(struct lint *lint, const struct lint_setting *setting, X509 *server)
{
    char name[128];
    x509_common_name(server, name, sizeof name);
    if (X509_get_ext_by_NID(server, NID_subject_alt_name, -1) < 0) {
        lint_say(lint, lint->path, setting->line,
                 "the certificate of '%s' has no subjectAltName, and clients do not look at the "
                 "common name any more\n-addext 'subjectAltName=DNS:%s'",
                 name, name);
        return;
    }
    for (size_t i = 0; i < lint->hosts->count; i++) {
        const char *host = lint->hosts->at[i];
        uint8_t address[16];
        bool numeric =
            inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
        int good =
            numeric ? X509_check_ip_asc(server, host, 0)
                    : X509_check_host(server, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL);
        if (good != 1)
            lint_say(lint, lint->path, setting->line,
                     "the certificate of '%s' is not for %s\nissue it with that name as well", name,
                     host);
    }
}

static void judge_purpose(struct lint *lint, const struct lint_setting *setting, X509 *server)
{
    if (X509_check_ca(server) == 1)
        lint_say(lint, lint->path, setting->line,
                 "the first certificate is a CA's: the server's own comes first, then its "
                 "issuers\ncat server.crt intermediate.crt >chain.crt");
    else if (X509_check_purpose(server, X509_PURPOSE_SSL_SERVER, 0) != 1)
        lint_say(lint, lint->path, setting->line,
                 "this certificate is not for a server\n-addext extendedKeyUsage=serverAuth");
}

static int no_password(char *into, int room, int writing, void *user)
{
    (void)into;
    (void)room;
    (void)writing;
    (void)user;
    return -1;
}

static void judge_key(struct lint *lint, const struct lint_listener *listener,
                      STACK_OF(X509) * chain)
{
    const struct lint_setting *setting = &listener->keyfile;
    if (!setting->line) {
        lint_say(lint, lint->path, listener->certfile.line,
                 "there is a certificate without its key\nkeyfile FILE");
        return;
    }
    if (!readable(lint, setting, "key"))
        return;
    if (files_others_read(setting->text))
        lint_say(lint, lint->path, setting->line, "everybody may read the key %s\nchmod 600 %s",
                 setting->text, setting->text);
    BIO *file = BIO_new_file(setting->text, "r");
    EVP_PKEY *key = file ? PEM_read_bio_PrivateKey(file, NULL, no_password, NULL) : NULL;
    BIO_free(file);
    ERR_clear_error();
    if (!key)
        lint_say(lint, lint->path, setting->line,
                 "%s holds no key that can be read without a pass phrase\n"
                 "openssl pkey -in FILE -out FILE.plain, owned by mosquitto",
                 setting->text);
    else if (chain && X509_check_private_key(sk_X509_value(chain, 0), key) != 1)
        lint_say(lint, lint->path, setting->line,
                 "the key does not belong to the first certificate of %s\n"
                 "the server's own certificate comes first",
                 listener->certfile.text);
    ERR_clear_error();
    EVP_PKEY_free(key);
}

static void judge_crl(struct lint *lint, const struct lint_setting *setting)
{
    if (!readable(lint, setting, "revocation list"))
        return;
    BIO *file = BIO_new_file(setting->text, "r");
    X509_CRL *crl = file ? PEM_read_bio_X509_CRL(file, NULL, NULL, NULL) : NULL;
    const ASN1_TIME *next = crl ? X509_CRL_get0_nextUpdate(crl) : NULL;
    if (!crl)
        lint_say(lint, lint->path, setting->line,
                 "%s holds no PEM revocation list, so nobody gets in\nopenssl ca -gencrl",
                 setting->text);
    else if (next && X509_cmp_current_time(next) < 0)
        lint_say(lint, lint->path, setting->line,
                 "the revocation list is past its nextUpdate: mosquitto refuses everybody\n"
                 "openssl ca -gencrl, or thimble broker init --replace");
    X509_CRL_free(crl);
    BIO_free(file);
    ERR_clear_error();
}

void lint_files(struct lint *lint, const struct lint_listener *listener)
{
    STACK_OF(X509) *chain = NULL;
    if (readable(lint, &listener->certfile, "certificate")) {
        chain = certificates(listener->certfile.text);
        judge_all_dates(lint, &listener->certfile);
    }
    if (chain) {
        judge_purpose(lint, &listener->certfile, sk_X509_value(chain, 0));
        if (X509_check_ca(sk_X509_value(chain, 0)) != 1)
            judge_names(lint, &listener->certfile, sk_X509_value(chain, 0));
    }
    judge_key(lint, listener, chain);
    sk_X509_pop_free(chain, X509_free);
    if (listener->cafile.line && readable(lint, &listener->cafile, "CA"))
        judge_all_dates(lint, &listener->cafile);
    if (listener->crlfile.line)
        judge_crl(lint, &listener->crlfile);
}
