/* SPDX-License-Identifier: MIT */
/* Servers whose certificates are good: what they negotiate, what they think of our certificate, and
 * what is done to their bytes on the way. */
#include "scene.h"

#include <string.h>
#include <time.h>

#define ALPN "x-amzn-mqtt-ca"

/* ---- versions and suites ---- */

static void set_version(struct scene *scene, int version)
{
    if (scene->mended)
        return;
    scene->version_min = scene->version_max = version;
    scene->suites = "ALL:@SECLEVEL=0";
}

static void tls10(struct scene *scene)
{
    set_version(scene, TLS1_VERSION);
}

static void tls11(struct scene *scene)
{
    set_version(scene, TLS1_1_VERSION);
}

static void tls13(struct scene *scene)
{
    set_version(scene, TLS1_3_VERSION);
}

static void cbc(struct scene *scene)
{
    scene->suites = scene->mended ? "ECDHE-ECDSA-AES128-GCM-SHA256"
                                  : "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA";
}

static void rsa_server(struct scene *scene, const char *bad, const char *good)
{
    struct cert_spec spec = scene_good_leaf(scene);
    spec.key = "RSA-2048";
    spec.usage = "critical,digitalSignature,keyEncipherment";
    scene_serve(scene, &spec);
    scene->suites = scene->mended ? good : bad;
}

static void rsa_key_exchange(struct scene *scene)
{
    rsa_server(scene, "AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256");
}

static void finite_field(struct scene *scene)
{
    rsa_server(scene, "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256");
}

static void curve(struct scene *scene)
{
    scene->groups = scene->mended ? "P-256" : "P-521";
}

static void no_extended_master_secret(struct scene *scene)
{
    scene->options = scene->mended ? 0 : SSL_OP_NO_EXTENDED_MASTER_SECRET;
}

/* ---- application protocols ---- */

static void alpn_none(struct scene *scene)
{
    scene->client_alpn = ALPN;
    scene->alpn = scene->mended ? ALPN : NULL;
}

static void alpn_refused(struct scene *scene)
{
    scene->client_alpn = ALPN;
    scene->alpn = scene->mended ? ALPN : "";
}

static void alpn_other(struct scene *scene)
{
    scene->client_alpn = ALPN;
    scene->alpn = scene->mended ? ALPN : "h2";
}

/* ---- what the server thinks of our certificate ---- */

static void unasked(struct scene *scene)
{
    scene->no_client_request = !scene->mended;
}

static void unknown_ca(struct scene *scene)
{
    struct cert_spec spec = scene_good_ca("Device CA 2", NULL);
    if (!scene->mended)
        scene->device_ca = scene_cert(scene, &spec);
}

static struct cert_spec device(const struct scene *scene)
{
    return (struct cert_spec){.cn = "device",
                              .issuer = scene->device_ca,
                              .basic = "critical,CA:FALSE",
                              .usage = "critical,digitalSignature",
                              .purpose = "clientAuth"};
}

static void device_expired(struct scene *scene)
{
    struct cert_spec spec = device(scene);
    spec.not_before_s = time(NULL) - 10 * DAY_S;
    spec.not_after_s = time(NULL) + (scene->mended ? DAY_S : -DAY_S);
    scene->device = scene_cert(scene, &spec);
}

static X509_CRL *make_crl(const struct scene *scene, int64_t next_s, bool revoke)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *last = ASN1_TIME_set(NULL, time(NULL) - 10 * DAY_S);
    ASN1_TIME *next = ASN1_TIME_set(NULL, time(NULL) + next_s);
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(scene->device_ca->x509));
    X509_CRL_set1_lastUpdate(crl, last);
    X509_CRL_set1_nextUpdate(crl, next);
    if (revoke) {
        X509_REVOKED *revoked = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(scene->device->x509));
        X509_REVOKED_set_revocationDate(revoked, last);
        X509_CRL_add0_revoked(crl, revoked);
    }
    X509_CRL_sign(crl, scene->device_ca->key, EVP_sha256());
    ASN1_TIME_free(last);
    ASN1_TIME_free(next);
    return crl;
}

static void revoked(struct scene *scene)
{
    scene->crl = make_crl(scene, DAY_S, !scene->mended);
}

static void crl_expired(struct scene *scene)
{
    scene->crl = make_crl(scene, scene->mended ? DAY_S : -DAY_S, false);
}

static void required(struct scene *scene)
{
    scene->no_identity = !scene->mended;
}

/* ---- after the handshake ---- */

static void renegotiate_then_answer(struct connection *connection)
{
    static const uint8_t connack[] = {0x20, 0x02, 0x00, 0x00};
    uint8_t bytes[512];
    tls_read(connection, bytes, sizeof bytes);
    if (!connection->scene->mended) {
        SSL_renegotiate(connection->ssl);
        SSL_do_handshake(connection->ssl);
        if (!tls_flush(connection) || tls_read(connection, bytes, sizeof bytes) == 0)
            return;
    }
    tls_write(connection, connack, sizeof connack);
    tls_read(connection, bytes, sizeof bytes);
}

static void renegotiation(struct scene *scene)
{
    scene->broker = renegotiate_then_answer;
}

#define PAYLOAD 12000

/* CONNACK and a PUBLISH in one write. A session without the extension makes OpenSSL forget what
 * fragment length it agreed to. */
static void write_large(struct connection *connection)
{
    static uint8_t bytes[4 + 3 + 3 + PAYLOAD] = {0x20, 0x02, 0x00, 0x00};
    static const uint8_t publish[] = {0x30, 0, 0, 0, 1, 't'};
    uint8_t connect[512];
    tls_read(connection, connect, sizeof connect);
    if (!connection->scene->mended) {
        SSL_SESSION *session = SSL_SESSION_new();
        SSL_set_session(connection->ssl, session);
        SSL_SESSION_free(session);
    }
    memcpy(bytes + 4, publish, sizeof publish);
    bytes[5] = (uint8_t)((PAYLOAD + 3) % 128 | 0x80);
    bytes[6] = (uint8_t)((PAYLOAD + 3) / 128);
    tls_write(connection, bytes, sizeof bytes);
    drain(connection->fd);
}

static void oversized(struct scene *scene)
{
    scene->fragment = 512;
    scene->changes_session = true;
    scene->broker = write_large;
}

static void say_nothing(struct connection *connection)
{
    drain(connection->fd);
}

static void connack_none(struct scene *scene)
{
    if (scene->mended)
        return;
    scene->answer_ms = 1500;
    scene->broker = say_nothing;
}

static void close_orderly(struct connection *connection)
{
    uint8_t bytes[512];
    tls_read(connection, bytes, sizeof bytes);
    SSL_shutdown(connection->ssl);
    tls_flush(connection);
}

static void connack_closed(struct scene *scene)
{
    if (!scene->mended)
        scene->broker = close_orderly;
}

static void answer(struct connection *connection, const void *bytes, size_t len)
{
    uint8_t connect[512];
    tls_read(connection, connect, sizeof connect);
    tls_write(connection, bytes, len);
    drain(connection->fd);
}

static void refuse(struct connection *connection)
{
    answer(connection, "\x20\x02\x00\x05", 4);
}

static void connack_refused(struct scene *scene)
{
    if (!scene->mended)
        scene->broker = refuse;
}

static void answer_http(struct connection *connection)
{
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    answer(connection, http, sizeof http - 1);
}

static void connack_garbage(struct scene *scene)
{
    if (!scene->mended)
        scene->broker = answer_http;
}

static void end_without_notice(struct connection *connection)
{
    (void)connection;
}

static void no_close_notify(struct scene *scene)
{
    if (!scene->mended)
        scene->broker = end_without_notice;
}

/* ---- the table ---- */

static const struct {
    const char *id;
    void (*make)(struct scene *scene);
} rows[] = {
    {"version-tls10", tls10},
    {"version-tls11", tls11},
    {"version-tls13", tls13},
    {"suite-cbc", cbc},
    {"suite-rsa-kex", rsa_key_exchange},
    {"suite-dhe", finite_field},
    {"suite-curve", curve},
    {"no-extended-master-secret", no_extended_master_secret},
    {"alpn-none", alpn_none},
    {"alpn-refused", alpn_refused},
    {"alpn-other", alpn_other},
    {"client-unasked", unasked},
    {"client-unknown-ca", unknown_ca},
    {"client-expired", device_expired},
    {"client-revoked", revoked},
    {"client-crl-expired", crl_expired},
    {"client-required", required},
    {"renegotiation", renegotiation},
    {"record-oversized", oversized},
    {"connack-none", connack_none},
    {"connack-closed", connack_closed},
    {"connack-refused", connack_refused},
    {"connack-garbage", connack_garbage},
    {"no-close-notify", no_close_notify},
};

bool scene_of_handshake(struct scene *scene)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].id, scene->id) == 0) {
            rows[i].make(scene);
            return true;
        }
    }
    return false;
}
