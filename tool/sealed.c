/* SPDX-License-Identifier: MIT */
#include "sealed.h"

#include <limits.h>
#include <string.h>

#include <openssl/cms.h>
#include <openssl/crypto.h>

#include "exits.h"
#include "term.h"
#include "x509.h"

/* CMS gives PBKDF2 no other hash than HMAC-SHA-1 here; the rounds make up for it: half a second. */
#define ROUNDS 1300000

static int failed(const char *doing)
{
    return fail(EXIT_FAILED, "cannot %s the archive: %s\nfree memory, then run it again", doing,
                x509_error());
}

/* Takes what a BIO in memory has gathered. */
static int gathered(BIO *memory, struct bytes *out)
{
    char *text = NULL;
    long len = BIO_get_mem_data(memory, &text);
    *out = (struct bytes){malloc(len > 0 ? (size_t)len : 1), len > 0 ? (size_t)len : 0};
    if (!out->at)
        return failed("hold");
    memcpy(out->at, text, out->len);
    OPENSSL_cleanse(text, out->len);
    return EXIT_OK;
}

static CMS_ContentInfo *envelope(const char *pass)
{
    CMS_ContentInfo *cms = CMS_AuthEnvelopedData_create(EVP_aes_256_gcm());
    size_t len = strlen(pass);
    unsigned char *copy = OPENSSL_memdup(pass, len + 1); /* the recipient keeps it */
    if (cms && copy &&
        CMS_add0_recipient_password(cms, ROUNDS, NID_id_alg_PWRI_KEK, NID_undef, copy,
                                    (ossl_ssize_t)len, EVP_aes_256_cbc()) &&
        CMS_set_detached(cms, 0) == 1)
        return cms;
    CMS_ContentInfo_free(cms);
    return NULL;
}

int sealed_make(const void *bytes, size_t len, const char *pass, struct bytes *out)
{
    *out = (struct bytes){NULL, 0};
    if (len > INT_MAX)
        return fail(EXIT_INPUT, "there is more than 2 GiB to archive\nremove what does not belong "
                                "into the state directory");
    BIO *plain = BIO_new_mem_buf(bytes, (int)len), *memory = BIO_new(BIO_s_mem());
    CMS_ContentInfo *cms = plain && memory ? envelope(pass) : NULL;
    int code = cms && CMS_final(cms, plain, NULL, CMS_BINARY) == 1 && i2d_CMS_bio(memory, cms) == 1
                   ? gathered(memory, out)
                   : failed("encrypt");
    CMS_ContentInfo_free(cms);
    BIO_free(plain);
    BIO_free(memory);
    return code;
}

int sealed_open(const char *path, const struct bytes *sealed, const char *pass, struct bytes *out)
{
    const unsigned char *at = sealed->at;
    *out = (struct bytes){NULL, 0};
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)sealed->len);
    if (!cms || OBJ_obj2nid(CMS_get0_type(cms)) != NID_id_smime_ct_authEnvelopedData) {
        CMS_ContentInfo_free(cms);
        x509_error();
        return fail(EXIT_INPUT,
                    "%s is no archive of `thimble ca backup`, or is damaged\n"
                    "name another one",
                    path);
    }
    BIO *memory = BIO_new(BIO_s_mem());
    unsigned char *text = (unsigned char *)(uintptr_t)pass; /* it is only read */
    bool opened = memory && CMS_decrypt_set1_password(cms, text, (ossl_ssize_t)strlen(pass)) == 1 &&
                  CMS_decrypt(cms, NULL, NULL, NULL, memory, CMS_BINARY) == 1;
    int code = opened ? gathered(memory, out)
                      : fail(EXIT_INPUT,
                             "the pass phrase does not open %s, or the archive is damaged\n"
                             "give the one of its backup: --passphrase-file FILE",
                             path);
    x509_error();
    CMS_ContentInfo_free(cms);
    BIO_free(memory);
    return code;
}
