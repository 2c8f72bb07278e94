/* SPDX-License-Identifier: MIT */
/* Certificates and keys out of files, into memory of our own that outlives the file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thimble/linux.h>
#include <thimble/pem.h>

/* The bundle of all public CAs has 230 KB and 140 certificates. */
enum { FILE_MAX = 1 << 20, KEY_FILE_MAX = 1 << 16, CERTIFICATES_MAX = UINT8_MAX };

static enum th_error refuse(const char *path, enum th_error error, int detail,
                            struct th_failure *failure)
{
    *failure = th_failure_of(error);
    failure->detail = detail;
    th_failure_name(failure, th_span_str(path));
    return error;
}

static void wipe_and_free(uint8_t *bytes, size_t len)
{
    if (bytes)
        explicit_bzero(bytes, len);
    free(bytes);
}

static int open_for_reading(const char *path, enum th_error *error)
{
    /* Without O_NONBLOCK a FIFO that nobody writes to would hold us here. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat stat;
    *error = TH_ERR_FILE_MISSING;
    if (fd < 0 || fstat(fd, &stat) < 0)
        return fd;
    *error = TH_ERR_FILE_KIND;
    if (S_ISFIFO(stat.st_mode) && fcntl(fd, F_SETFL, 0) == 0) /* a shell's <(command) */
        *error = TH_OK;
    else if (S_ISREG(stat.st_mode))
        *error = TH_OK;
    return fd;
}

/* The whole file, in memory of `room` bytes that the caller frees. */
static enum th_error read_file(const char *path, uint8_t *into, size_t room, struct th_span *out,
                               struct th_failure *failure)
{
    enum th_error error;
    size_t len = 0;
    int fd = open_for_reading(path, &error);
    if (fd < 0)
        return refuse(path, error, errno, failure);
    int detail = 0;
    while (error == TH_OK && len < room) {
        ssize_t got = read(fd, into + len, room - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error = TH_ERR_FILE_SYSTEM;
            detail = errno;
        }
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (error == TH_OK && len == room)
        error = TH_ERR_FILE_TOO_LARGE;
    close(fd);
    *out = th_span_of(into, len);
    return error == TH_OK ? TH_OK : refuse(path, error, detail, failure);
}

enum th_error th_linux_certificates_load(struct th_linux_certificates *out, const char *path,
                                         struct th_failure *failure)
{
    size_t count = CERTIFICATES_MAX, len = 0;
    struct th_span file;
    *out = (struct th_linux_certificates){0};
    uint8_t *bytes = malloc(FILE_MAX);
    struct th_span *all = calloc(CERTIFICATES_MAX, sizeof *all);
    enum th_error error = TH_ERR_FILE_SYSTEM;
    if (!bytes || !all) {
        refuse(path, error, ENOMEM, failure);
        goto no;
    }
    error = read_file(path, bytes, FILE_MAX, &file, failure);
    if (error != TH_OK)
        goto no;
    error = th_pem_certificates(file, bytes, FILE_MAX, all, &count);
    if (error != TH_OK) {
        refuse(path, error, 0, failure);
        goto no;
    }
    /* Decoded in place, from the file's beginning on: give back what is behind. */
    for (size_t i = 0; i < count; i++)
        len = (size_t)(all[i].at - bytes) + all[i].len;
    uint8_t *kept = malloc(len + 1); /* never of no bytes */
    if (!kept) {
        error = refuse(path, TH_ERR_FILE_SYSTEM, ENOMEM, failure);
        goto no;
    }
    memcpy(kept, bytes, len);
    for (size_t i = 0; i < count; i++)
        all[i].at = kept + (all[i].at - bytes);
    free(bytes);
    *out = (struct th_linux_certificates){.at = all, .count = (uint8_t)count, .bytes = kept};
    return TH_OK;
no:
    free(bytes);
    free(all);
    return error;
}

void th_linux_certificates_free(struct th_linux_certificates *certificates)
{
    free(certificates->at);
    free(certificates->bytes);
    *certificates = (struct th_linux_certificates){0};
}

/* ---- keys ---- */

static bool contains(struct th_span in, const uint8_t *what, size_t len)
{
    return in.len >= len && memmem(in.at, in.len, what, len) != NULL;
}

/*
 * PKCS#8 (RFC 5958) names its algorithm after the version; SEC1 (RFC 5915) begins with version 1
 * and PKCS#1 (RFC 8017) with version 0, an INTEGER next. Only which of these it is: that the key is
 * well-formed and P-256 is for the TLS library to find out.
 */
static enum th_error kind_of(struct th_span der, enum th_key_kind *kind)
{
    static const uint8_t ec[] = {0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
    static const uint8_t rsa[] = {0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};
    size_t at = der.len > 1 && der.at[1] >= 0x80 ? 2u + (der.at[1] & 0x7F) : 2;
    if (der.len < at + 4 || der.at[at] != 0x02 || der.at[at + 1] != 1)
        return TH_ERR_FILE_FORMAT;
    uint8_t version = der.at[at + 2], next = der.at[at + 3];
    struct th_span algorithm = th_span_of(der.at + at + 3, der.len - at - 3);
    if (algorithm.len > 32)
        algorithm.len = 32;
    if (next == 0x30 && !contains(algorithm, ec, sizeof ec) &&
        !contains(algorithm, rsa, sizeof rsa))
        return TH_ERR_KEY_KIND; /* Ed25519, DSA ... */
    bool is_rsa = next == 0x30 ? contains(algorithm, rsa, sizeof rsa) : version == 0;
    *kind = is_rsa ? TH_KEY_RSA : TH_KEY_EC_P256;
    return next == 0x30 || next == (is_rsa ? 0x02 : 0x04) ? TH_OK : TH_ERR_FILE_FORMAT;
}

static enum th_error load_key(struct th_linux_identity *identity, const char *path,
                              struct th_failure *failure)
{
    struct th_span file;
    identity->key_room = KEY_FILE_MAX;
    identity->key = malloc(KEY_FILE_MAX);
    if (!identity->key)
        return refuse(path, TH_ERR_FILE_SYSTEM, ENOMEM, failure);
    enum th_error error = read_file(path, identity->key, KEY_FILE_MAX, &file, failure);
    if (error != TH_OK)
        return error;
    error = th_pem_private_key(file, identity->key, KEY_FILE_MAX, &identity->identity.key);
    if (error == TH_OK)
        error = kind_of(identity->identity.key, &identity->identity.kind);
    return error == TH_OK ? TH_OK : refuse(path, error, 0, failure);
}

enum th_error th_linux_identity_load(struct th_linux_identity *out, const char *chain,
                                     const char *key, struct th_failure *failure)
{
    *out = (struct th_linux_identity){0};
    enum th_error error = th_linux_certificates_load(&out->chain, chain, failure);
    if (error == TH_OK)
        error = load_key(out, key, failure);
    if (error != TH_OK) {
        th_linux_identity_free(out);
        return error;
    }
    out->identity.chain = out->chain.at;
    out->identity.chain_count = out->chain.count;
    return TH_OK;
}

void th_linux_identity_free(struct th_linux_identity *identity)
{
    th_linux_certificates_free(&identity->chain);
    wipe_and_free(identity->key, identity->key_room);
    *identity = (struct th_linux_identity){0};
}
