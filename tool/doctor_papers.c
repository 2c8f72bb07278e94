/* SPDX-License-Identifier: MIT */
/* Certificates, keys and revocation lists, of the broker and of the name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "doctor.h"
#include "exits.h"
#include "term.h"

#define REPLACE "thimble broker init --replace, and restart it"

/* What is wrong with a key beside its certificate; NULL when nothing. */
static const char *key_fault(const char *path, X509 *certificate)
{
    EVP_PKEY *key = NULL;
    if (access(path, R_OK) != 0)
        return errno == ENOENT ? "it is missing" : "it cannot be read";
    if (x509_read_key(path, &key) != EXIT_OK)
        return "it is no private key";
    bool fits = !certificate || X509_check_private_key(certificate, key) == 1;
    EVP_PKEY_free(key);
    x509_error();
    return fits ? NULL : "it belongs to another certificate";
}

/* Verified as the other side does, at a time that does not matter. */
static bool issued_by(X509 *certificate, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    bool is =
        key &&
        X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) == 0 &&
        X509_verify(certificate, key) == 1;
    x509_error();
    return is;
}

static bool issued_by_any(X509 *certificate, struct registry_anchor *anchors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (issued_by(certificate, anchors[i].certificate))
            return true;
    }
    return false;
}

/* Writes why it is not in force; false when it is. */
static bool date_fault(const struct doctor *doctor, X509 *certificate, char into[80])
{
    char date[24];
    int64_t from_s = x509_not_before(certificate), to_s = x509_not_after(certificate);
    if (doctor->now_s < from_s)
        snprintf(into, 80, "it begins only on %s", term_date(from_s, date));
    else if (doctor->now_s > to_s)
        snprintf(into, 80, "it ended on %s", term_date(to_s, date));
    return doctor->now_s < from_s || doctor->now_s > to_s;
}

/* ---- the broker's ---- */

static void look_at_name(struct doctor *doctor, X509 *certificate)
{
    char host[REGISTRY_TEXT_MAX];
    const char *name = doctor->flags.server_name ? doctor->flags.server_name : doctor->flags.host;
    if (!name && registry_get(&doctor->home.registry, "broker.host", host))
        name = host;
    if (!name || X509_check_host(certificate, name, 0, 0, NULL) == 1 ||
        X509_check_ip_asc(certificate, name, 0) == 1)
        return;
    doctor_found(doctor, DOCTOR_BROKER_NAME,
                 "the broker's certificate is not for the name it is reached by\n'%s' is not in "
                 "it\nthimble broker init --replace --host %s, or connect by a name it has",
                 name, name);
}

static void look_at_server(struct doctor *doctor)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    struct path path = home_path(&doctor->home, "broker/server.crt");
    char why[80];
    X509 *certificate = NULL;
    if (x509_read_certificate(path.text, &certificate) != EXIT_OK) {
        doctor_found(doctor, DOCTOR_BROKER_CERTIFICATE,
                     "the broker's certificate cannot be used\n%s\n" REPLACE, term_failed());
        return;
    }
    size_t count = registry_anchors(&doctor->home.registry, REGISTRY_SERVER, anchors);
    const char *fault = key_fault(home_path(&doctor->home, "broker/server.key").text, certificate);
    if (fault)
        doctor_found(
            doctor, DOCTOR_BROKER_KEY,
            "the broker's private key cannot be used\n%s/broker/server.key: %s\n%s" REPLACE,
            doctor->home.dir, fault,
            strstr(fault, "cannot be read") ? "mend its owner and permissions (chmod 600), "
                                              "or "
            : strstr(fault, "missing")      ? ""
                                            : "remove it, then ");
    if (date_fault(doctor, certificate, why))
        doctor_found(doctor, DOCTOR_BROKER_CERTIFICATE,
                     "the broker's certificate is not in force\n%s\n" REPLACE, why);
    else if (!issued_by_any(certificate, anchors, count))
        doctor_found(doctor, DOCTOR_BROKER_CERTIFICATE,
                     "the broker's certificate is not of the server CA\nno server CA of the "
                     "registry has issued %s\n" REPLACE,
                     path.text);
    else if (X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0) != 1)
        doctor_found(doctor, DOCTOR_BROKER_CERTIFICATE,
                     "the broker's certificate is not meant for a server\nits extended key usage "
                     "has no serverAuth\n" REPLACE);
    look_at_name(doctor, certificate);
    if (!doctor_has(doctor, DOCTOR_BROKER_CERTIFICATE))
        doctor_fine(doctor, "the broker's certificate and key");
    registry_anchors_free(anchors, count);
    X509_free(certificate);
}

/* ---- whom the broker trusts, and whom it refuses ---- */

static void look_at_clients_ca(struct doctor *doctor, const struct registry_anchor *active)
{
    X509 *known[REGISTRY_ANCHORS_MAX * 2];
    size_t count = 0;
    bool has = false;
    struct path path = home_path(&doctor->home, "broker/clients-ca.crt");
    int code = x509_read_certificates(path.text, known, REGISTRY_ANCHORS_MAX * 2, &count);
    for (size_t i = 0; i < count; i++) {
        has |= X509_cmp(known[i], active->certificate) == 0;
        X509_free(known[i]);
    }
    if (code != EXIT_OK || !has)
        doctor_found(doctor, DOCTOR_CLIENTS_CA,
                     "the broker does not know the device CA\n%s\nthimble broker init --replace",
                     code != EXIT_OK ? term_failed() : "it is not in broker/clients-ca.crt");
}

static const char *crl_fault(const struct doctor *doctor, X509_CRL *crl, X509 *issuer,
                             char into[80])
{
    char date[24];
    int64_t next_s = x509_crl_next_update(crl), this_s = x509_crl_this_update(crl);
    bool ours = X509_CRL_verify(crl, X509_get0_pubkey(issuer)) == 1;
    x509_error();
    if (!ours)
        return NULL;
    if (next_s && doctor->now_s > next_s)
        snprintf(into, 80, "its nextUpdate was %s", term_date(next_s, date));
    else if (doctor->now_s < this_s)
        snprintf(into, 80, "it begins only on %s", term_date(this_s, date));
    else
        return "";
    return into;
}

static void look_at_crl(struct doctor *doctor, const struct registry_anchor *active,
                        const char *file)
{
    X509_CRL *lists[X509_CRLS_MAX];
    size_t count = 0;
    char text[80];
    const char *fault = NULL;
    int code = x509_read_crls(home_path(&doctor->home, file).text, lists, &count);
    for (size_t i = 0; i < count; i++) {
        const char *one = crl_fault(doctor, lists[i], active->certificate, text);
        fault = one ? one : fault;
        X509_CRL_free(lists[i]);
    }
    if (code != EXIT_OK)
        doctor_found(doctor, DOCTOR_CRL,
                     "the broker's revocation list cannot be read\n%s\nthimble broker init "
                     "--replace",
                     term_failed());
    else if (!fault)
        doctor_found(doctor, DOCTOR_CRL,
                     "the broker has no revocation list of the %s CA\nnone in %s is signed by it; "
                     "mosquitto then refuses everybody\nthimble broker init --replace",
                     registry_authority_name(active->which), file);
    else if (*fault)
        doctor_found(doctor, active->which == REGISTRY_DEVICE ? DOCTOR_CRL : DOCTOR_EVIDENCE,
                     "a revocation list is not in force, so that listener refuses everybody\n%s: "
                     "%s\nthimble broker init --replace; thimble broker agent keeps it fresh",
                     file, fault);
}

static void look_at_authority(struct doctor *doctor, enum registry_authority which,
                              const char *list)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    char why[80];
    size_t count = registry_anchors(&doctor->home.registry, which, anchors);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(anchors[i].state, "active") != 0)
            continue;
        if (which == REGISTRY_DEVICE)
            look_at_clients_ca(doctor, &anchors[i]);
        look_at_crl(doctor, &anchors[i], list);
        if (date_fault(doctor, anchors[i].certificate, why))
            doctor_found(doctor, DOCTOR_CLIENTS_CA,
                         "the %s CA is not in force\n%s\nthimble ca rotate %s",
                         registry_authority_name(which), why, registry_authority_name(which));
    }
    registry_anchors_free(anchors, count);
}

/* ---- the name's own ---- */

static void look_at_own_anchor(struct doctor *doctor, const char *path)
{
    X509 *known[REGISTRY_ANCHORS_MAX * 2], *server = NULL;
    size_t count = 0;
    bool ours = false;
    int code = x509_read_certificates(path, known, REGISTRY_ANCHORS_MAX * 2, &count);
    if (x509_read_certificate(home_path(&doctor->home, "broker/server.crt").text, &server) !=
        EXIT_OK)
        server = NULL;
    for (size_t i = 0; i < count; i++) {
        ours |= server && issued_by(server, known[i]);
        X509_free(known[i]);
    }
    if (code != EXIT_OK)
        doctor_found(doctor, DOCTOR_OWN_ANCHOR,
                     "%s has no CA to know the broker by\n%s\ncopy ca/server.crt over it",
                     doctor->name, term_failed());
    else if (server && !ours)
        doctor_found(doctor, DOCTOR_OWN_ANCHOR,
                     "%s does not know the CA of this broker\n%s has not issued "
                     "broker/server.crt\ngive it %s/ca/server.crt",
                     doctor->name, path, doctor->home.dir);
    X509_free(server);
}

static void newest_row(void *user, const struct registry_certificate *row)
{
    struct registry_certificate *newest = user;
    bool operational = strcmp(row->kind, "ldevid") == 0 || strcmp(row->kind, "user") == 0;
    if (operational && row->issued_s >= newest->issued_s)
        *newest = *row;
}

struct serial {
    const char *text;
    int64_t revoked_s;
};

static void find_revoked(void *user, const struct registry_certificate *row)
{
    struct serial *serial = user;
    if (strcmp(row->serial, serial->text) == 0)
        serial->revoked_s = row->revoked_s;
}

static void look_at_own_certificate(struct doctor *doctor, X509 *certificate, const char *path)
{
    struct registry_anchor anchors[REGISTRY_ANCHORS_MAX];
    char why[80], serial[X509_SERIAL_TEXT], common_name[128], date[24];
    size_t count = registry_anchors(&doctor->home.registry, REGISTRY_DEVICE, anchors);
    struct serial row = {.text = serial};
    x509_serial(certificate, serial);
    x509_common_name(certificate, common_name, sizeof common_name);
    registry_certificates(&doctor->home.registry, doctor->row.name, find_revoked, &row);
    doctor->own_current = false;
    if (row.revoked_s)
        doctor_found(doctor, DOCTOR_OWN_CERTIFICATE,
                     "the certificate of %s was revoked\non %s, serial %s\nif it is still yours: "
                     "thimble %s --replace %s",
                     doctor->name, term_date(row.revoked_s, date), serial,
                     strcmp(doctor->row.kind, "device") == 0 ? "device enrol" : "user add",
                     doctor->row.name);
    else if (date_fault(doctor, certificate, why))
        doctor_found(doctor, DOCTOR_OWN_CERTIFICATE,
                     "the certificate of %s is not in force\n%s\nthimble device renew %s, or "
                     "thimble device enrol --replace %s",
                     doctor->name, why, doctor->row.name, doctor->row.name);
    else if (!issued_by_any(certificate, anchors, count))
        doctor_found(doctor, DOCTOR_OWN_CERTIFICATE,
                     "the certificate of %s is not of this device CA\n%s was issued by "
                     "another\nthimble device enrol --replace %s",
                     doctor->name, path, doctor->row.name);
    else if (strcmp(common_name, doctor->name) != 0)
        doctor_found(
            doctor, DOCTOR_OWN_CERTIFICATE,
            "the certificate of %s is that of another\nit is for '%s': the broker knows it "
            "by that name\nput the right files back, or thimble device enrol --replace %s",
            doctor->name, common_name, doctor->row.name);
    else
        doctor->own_current = true;
    registry_anchors_free(anchors, count);
}

static void look_at_own(struct doctor *doctor)
{
    const char *kind = doctor->row.kind, *number = strchr(doctor->name, '.');
    struct path folder = path_of("%s/%ss/%s", doctor->home.dir, kind, doctor->row.name);
    struct path cert = path_of("%s/%s%s.crt", folder.text, kind, number ? number : "");
    struct path key = path_of("%s/%s%s.key", folder.text, kind, number ? number : "");
    const char *at = doctor->flags.cert ? doctor->flags.cert : cert.text;
    X509 *certificate = NULL;
    struct registry_certificate newest = {.issued_s = 0};
    registry_certificates(&doctor->home.registry, doctor->row.name, newest_row, &newest);
    /* A device that has made its own keys has them alone; of those made here the birth key lies
     * beside. */
    bool with_device =
        strcmp(kind, "device") == 0 && access(path_of("%s/birth.key", folder.text).text, F_OK) != 0;
    if (!doctor->flags.cert && access(key.text, F_OK) != 0 &&
        (with_device || access(at, F_OK) != 0)) {
        char date[24];
        doctor->own_current =
            newest.issued_s && !newest.revoked_s && newest.not_after_s > doctor->now_s;
        if (newest.issued_s && newest.not_after_s < doctor->now_s)
            doctor_found(
                doctor, DOCTOR_OWN_CERTIFICATE,
                "the certificate of %s is not in force\nthe last one ended on %s\nit comes "
                "back by itself where the agent runs; or thimble device enrol --replace %s",
                doctor->name, term_date(newest.not_after_s, date), doctor->row.name);
        return;
    }
    if (x509_read_certificate(at, &certificate) != EXIT_OK) {
        doctor_found(doctor, DOCTOR_OWN_CERTIFICATE,
                     "the certificate of %s cannot be used\n%s\nthimble device enrol --replace %s",
                     doctor->name, term_failed(), doctor->row.name);
        return;
    }
    const char *fault = key_fault(doctor->flags.key ? doctor->flags.key : key.text, certificate);
    if (fault)
        doctor_found(doctor, DOCTOR_OWN_KEY,
                     "the private key of %s cannot be used\n%s: %s\n%sthimble %s --replace %s",
                     doctor->name, doctor->flags.key ? doctor->flags.key : key.text, fault,
                     strstr(fault, "cannot be read")
                         ? "mend its owner and permissions (chmod 600), "
                           "or "
                         : "put the right one back, or ",
                     strcmp(kind, "device") == 0 ? "device enrol" : "user add", doctor->row.name);
    doctor->has_key = true;
    look_at_own_certificate(doctor, certificate, at);
    look_at_own_anchor(doctor, doctor->flags.cafile ? doctor->flags.cafile
                                                    : path_of("%s/ca.crt", folder.text).text);
    if (!fault && doctor->own_current)
        doctor_fine(doctor, "certificate and key of %s", doctor->name);
    X509_free(certificate);
}

void doctor_papers(struct doctor *doctor)
{
    if (doctor->has_broker) {
        look_at_server(doctor);
        if (!doctor->one_way)
            look_at_authority(doctor, REGISTRY_DEVICE, "broker/clients.crl");
        look_at_authority(doctor, REGISTRY_IDEVID, "broker/recovery.crl");
        if (!doctor_has(doctor, DOCTOR_CRL))
            doctor_fine(doctor, "whom the broker trusts, and its revocation lists");
    }
    if (doctor->is_known && strcmp(doctor->row.state, "active") == 0 && !doctor->one_way)
        look_at_own(doctor);
}
