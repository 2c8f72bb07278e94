/* SPDX-License-Identifier: MIT */
#include "ca_index.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "exits.h"
#include "term.h"

/* ---- where things are ---- */

static struct path first_of(const char *folder, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct path path = path_of("%s/%s", folder, names[i]);
        if (files_exist(path.text))
            return path;
    }
    return path_of("%s", "");
}

int ca_source_find(struct ca_source *source, const char *path)
{
    static const char *const certificates[] = {"ca.crt", "cacert.pem", "ca.pem", "certs/ca.crt"};
    static const char *const keys[] = {"private/ca.key", "private/cakey.pem", "ca.key",
                                       "cakey.pem"};
    static const char *const indexes[] = {"index.txt"};
    static const char *const crls[] = {"crl.pem", "crl/crl.pem"};
    static const char *const numbers[] = {"crlnumber"};
    memset(source, 0, sizeof *source);
    if (!files_exist(path))
        return fail(EXIT_MISSING,
                    "there is no %s\nname the directory of the CA, or its certificate", path);
    if (!files_exist(path_of("%s/.", path).text)) {
        source->certificate = path_of("%s", path);
        return EXIT_OK;
    }
    struct path pki = path_of("%s/pki", path);
    bool easy = files_exist(path_of("%s/ca.crt", pki.text).text);
    source->folder = easy ? pki : path_of("%s", path);
    const char *folder = source->folder.text;
    source->certificate = first_of(folder, certificates, 4);
    source->key = first_of(folder, keys, 4);
    source->index = first_of(folder, indexes, 1);
    source->crl = first_of(folder, crls, 2);
    source->crl_number = first_of(folder, numbers, 1);
    if (source->certificate.text[0])
        return EXIT_OK;
    return fail(EXIT_MISSING,
                "there is neither ca.crt nor cacert.pem in %s\n"
                "name the certificate itself: thimble ca import ca.crt --key ca.key --index "
                "index.txt",
                folder);
}

/* ---- lines ---- */

/* "YYMMDDHHMMSSZ" or "YYYYMMDDHHMMSSZ", as in certificates. */
static bool take_time(const char *text, int64_t *out)
{
    struct tm parts;
    ASN1_TIME *at = ASN1_TIME_new();
    bool good = at && ASN1_TIME_set_string(at, text) == 1 && ASN1_TIME_to_tm(at, &parts) == 1;
    if (good)
        *out = (int64_t)timegm(&parts);
    ASN1_TIME_free(at);
    return good;
}

/* In the registry's form: 32 digits, or 40 where it is longer. */
static bool take_serial(const char *text, char into[X509_SERIAL_TEXT])
{
    size_t len = strlen(text);
    while (len > 1 && *text == '0') {
        text++;
        len--;
    }
    if (len == 0 || len >= X509_SERIAL_TEXT || strspn(text, "0123456789abcdefABCDEF") != len)
        return false;
    size_t width = len > 32 ? 40 : 32;
    memset(into, '0', width - len);
    for (size_t i = 0; i <= len; i++) {
        char letter = text[i];
        into[width - len + i] = (char)(letter >= 'A' && letter <= 'F' ? letter + 32 : letter);
    }
    return true;
}

static struct ca_row *row_of(struct ca_index *index, const char *serial)
{
    for (size_t i = 0; i < index->count; i++) {
        if (strcmp(index->rows[i].serial, serial) == 0)
            return &index->rows[i];
    }
    return NULL;
}

/* status, end, revocation[,reason], serial, file, subject; between tabs. */
static bool take_line(char *line, struct ca_row *row)
{
    char *fields[6];
    for (int i = 0; i < 6; i++) {
        fields[i] = line;
        size_t len = strcspn(line, "\t");
        if (i < 5 && line[len] != '\t')
            return false;
        line[len] = '\0';
        line += len + 1;
    }
    *row = (struct ca_row){.status = fields[0][0]};
    fields[2][strcspn(fields[2], ",")] = '\0';
    if (fields[0][1] != '\0' || !strchr("VRE", row->status) ||
        !take_time(fields[1], &row->not_after_s) || !take_serial(fields[3], row->serial))
        return false;
    if (row->status == 'R' && !take_time(fields[2], &row->revoked_s))
        return false;
    snprintf(row->name, sizeof row->name, "%s", fields[5]);
    return true;
}

static int read_lines(struct ca_index *index, const char *path)
{
    struct bytes bytes;
    int code = files_read_large(path, &bytes);
    size_t room = 0, number = 0;
    char *line = code == EXIT_OK ? (char *)bytes.at : NULL, *end;
    for (; code == EXIT_OK && *line; line = end) {
        size_t len = strcspn(line, "\n");
        end = line + len + (line[len] == '\n');
        line[len] = '\0';
        line[strcspn(line, "\r")] = '\0';
        number++;
        if (index->count == room) {
            room = room ? 2 * room : 64;
            struct ca_row *larger = realloc(index->rows, room * sizeof *larger);
            if (!larger) {
                code = fail(EXIT_FAILED, "no memory for the index\nend other programs");
                break;
            }
            index->rows = larger;
        }
        if (!take_line(line, &index->rows[index->count]))
            code = fail(EXIT_INPUT,
                        "line %zu of %s is no line of an index\nuse the index.txt of "
                        "`openssl ca` or easy-rsa",
                        number, path);
        else if (row_of(index, index->rows[index->count].serial))
            code = fail(EXIT_INPUT,
                        "line %zu of %s has the serial number of an earlier line\n"
                        "find the index.txt that is whole",
                        number, path);
        else
            index->count++;
    }
    bytes_free(&bytes);
    return code;
}

/* ---- certificates beside it ---- */

static bool is_issued_by(X509 *certificate, X509 *issuer)
{
    bool is =
        X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) == 0 &&
        X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    return is;
}

static int take_certificate(struct ca_index *index, const char *path, X509 *issuer)
{
    char serial[X509_SERIAL_TEXT];
    FILE *file = fopen(path, "re");
    X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    if (file)
        fclose(file);
    ERR_clear_error();
    bool ours = certificate && X509_cmp(certificate, issuer) != 0 &&
                is_issued_by(certificate, issuer); /* others may lie about there */
    if (!ours) {
        X509_free(certificate);
        return EXIT_OK;
    }
    x509_serial(certificate, serial);
    struct ca_row *row = row_of(index, serial);
    if (row && !row->certificate) {
        row->certificate = certificate;
        return EXIT_OK;
    }
    X509_free(certificate);
    return row ? EXIT_OK
               : fail(
                     EXIT_INPUT,
                     "%s is of this CA, and the index does not know it: the index is not full, and "
                     "what it lacks could never be revoked\nfind the full index.txt",
                     path);
}

static int take_folders(struct ca_index *index, const char *folder, X509 *issuer)
{
    static const char *const patterns[] = {
        "certs_by_serial/*.pem",     "newcerts/*.pem", "issued/*.crt", "certs/*",
        "revoked/certs_by_serial/*", "*.crt",          "*.pem"};
    int code = EXIT_OK;
    for (size_t i = 0; code == EXIT_OK && i < sizeof patterns / sizeof patterns[0]; i++) {
        glob_t found;
        if (glob(path_of("%s/%s", folder, patterns[i]).text, 0, NULL, &found) != 0)
            continue;
        for (size_t j = 0; code == EXIT_OK && j < found.gl_pathc; j++)
            code = take_certificate(index, found.gl_pathv[j], issuer);
        globfree(&found);
    }
    return code;
}

int ca_index_read(struct ca_index *index, const struct ca_source *source, X509 *issuer)
{
    *index = (struct ca_index){NULL, 0};
    int code = read_lines(index, source->index.text);
    if (code == EXIT_OK && source->folder.text[0])
        code = take_folders(index, source->folder.text, issuer);
    return code;
}

void ca_index_free(struct ca_index *index)
{
    for (size_t i = 0; i < index->count; i++)
        X509_free(index->rows[i].certificate);
    free(index->rows);
    *index = (struct ca_index){NULL, 0};
}

/* ---- its last list ---- */

static int64_t number_in_crl(const char *path)
{
    X509_CRL *crls[X509_CRLS_MAX];
    size_t count;
    int64_t number = 0;
    if (x509_read_crls(path, crls, &count) != EXIT_OK)
        return 0;
    for (size_t i = 0; i < count; i++) {
        ASN1_INTEGER *value = X509_CRL_get_ext_d2i(crls[i], NID_crl_number, NULL, NULL);
        if (value && ASN1_INTEGER_get_int64(&number, value) != 1)
            number = 0;
        ASN1_INTEGER_free(value);
        X509_CRL_free(crls[i]);
    }
    return number;
}

/* `crlnumber` has the next one, in hexadecimal. */
int64_t ca_source_crl_number(const struct ca_source *source)
{
    int64_t number = source->crl.text[0] ? number_in_crl(source->crl.text) : 0;
    struct bytes bytes;
    if (!source->crl_number.text[0] || files_read(source->crl_number.text, &bytes) != EXIT_OK)
        return number;
    long long next = strtoll((const char *)bytes.at, NULL, 16);
    bytes_free(&bytes);
    return next - 1 > number ? next - 1 : number;
}
