/* SPDX-License-Identifier: MIT */
/* Defects of the certificates above the server's. */
#include "scene.h"

#include <string.h>
#include <time.h>

/* ---- one intermediate with one defect ---- */

static void not_a_ca(struct cert_spec *spec)
{
    spec->basic = "critical,CA:FALSE";
}

static void no_constraints(struct cert_spec *spec)
{
    spec->basic = NULL;
}

static void crl_sign_alone(struct cert_spec *spec)
{
    spec->usage = "critical,cRLSign";
}

static void client_purpose(struct cert_spec *spec)
{
    spec->purpose = "clientAuth";
}

static void rsa_1024(struct cert_spec *spec)
{
    spec->key = "RSA-1024";
}

static void p224(struct cert_spec *spec)
{
    spec->key = "secp224r1";
}

static void sha1(struct cert_spec *spec)
{
    spec->hash = "SHA1";
}

static void critical_extension(struct cert_spec *spec)
{
    spec->unknown_extension = "1.3.6.1.4.1.99999.1";
}

static void expired(struct cert_spec *spec)
{
    spec->not_before_s = time(NULL) - 10 * DAY_S;
    spec->not_after_s = time(NULL) - DAY_S;
}

static void bad_signature(struct cert_spec *spec)
{
    spec->bad_signature = 1;
}

static void permits_another(struct cert_spec *spec)
{
    spec->constraints = "critical,permitted;DNS:other.test";
}

static void excludes_ours(struct cert_spec *spec)
{
    spec->constraints = "critical,excluded;DNS:broker.test";
}

static void permits_another_network(struct cert_spec *spec)
{
    spec->constraints = "critical,permitted;IP:192.0.2.0/255.255.255.0";
}

static void constrains_mail(struct cert_spec *spec)
{
    spec->constraints = "critical,permitted;DNS:test,permitted;email:test";
}

static const struct row {
    const char *id;
    void (*spoil)(struct cert_spec *spec);
    const char *good_constraints;
} rows[] = {
    {"ca-not-a-ca", not_a_ca, NULL},
    {"ca-no-constraints", no_constraints, NULL},
    {"ca-key-usage", crl_sign_alone, NULL},
    {"ca-purpose", client_purpose, NULL},
    {"ca-weak-rsa", rsa_1024, NULL},
    {"ca-small-curve", p224, NULL},
    {"ca-hash-sha1", sha1, NULL},
    {"ca-critical-extension", critical_extension, NULL},
    {"date-expired-intermediate", expired, NULL},
    {"chain-signature-intermediate", bad_signature, NULL},
    {"constraints-permitted", permits_another, "critical,permitted;DNS:test"},
    {"constraints-excluded", excludes_ours, "critical,excluded;DNS:other.test"},
    {"constraints-address", permits_another_network, "critical,permitted;IP:127.0.0.0/255.0.0.0"},
    {"constraints-other-form", constrains_mail, "critical,permitted;DNS:test"},
};

static void serve_below(struct scene *scene, struct cert *issuer)
{
    struct cert_spec leaf = scene_good_leaf(scene);
    leaf.issuer = issuer;
    if (strcmp(scene->id, "constraints-address") == 0) {
        scene->server_name = "127.0.0.1";
        leaf.names = "IP:127.0.0.1";
    }
    scene_serve(scene, &leaf);
    scene->chain[1] = issuer;
}

static bool one_intermediate(struct scene *scene)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].id, scene->id) != 0)
            continue;
        struct cert_spec spec = scene_good_ca("Middle", scene->anchor);
        if (scene->mended)
            spec.constraints = rows[i].good_constraints;
        else
            rows[i].spoil(&spec);
        if (scene->mended && rows[i].spoil == rsa_1024)
            spec.key = "RSA-2048";
        serve_below(scene, scene_cert(scene, &spec));
        return true;
    }
    return false;
}

/* ---- other chains ---- */

static struct cert *root(struct scene *scene, const char *cn)
{
    struct cert_spec spec = scene_good_ca(cn, NULL);
    return scene_cert(scene, &spec);
}

static void serve_from(struct scene *scene, const struct cert *issuer)
{
    struct cert_spec leaf = scene_good_leaf(scene);
    leaf.issuer = issuer;
    scene_serve(scene, &leaf);
}

static void wrong_ca(struct scene *scene)
{
    struct cert *other = root(scene, "Other CA");
    serve_from(scene, scene->mended ? scene->anchor : other);
}

static void same_name_ca(struct scene *scene)
{
    struct cert *other = root(scene, "Test Server CA");
    serve_from(scene, scene->mended ? scene->anchor : other);
}

static void missing_intermediate(struct scene *scene)
{
    struct cert_spec spec = scene_good_ca("Middle", scene->anchor);
    struct cert *middle = scene_cert(scene, &spec);
    serve_below(scene, middle);
    if (!scene->mended)
        scene->chain[1] = NULL;
}

static void other_root(struct scene *scene)
{
    struct cert *other = root(scene, "Other CA");
    struct cert_spec spec = scene_good_ca("Middle", other);
    serve_below(scene, scene_cert(scene, &spec));
    scene->chain[2] = other;
    if (scene->mended)
        scene->anchor = other;
}

/* Its name is right by chance, or by the fault of whoever named devices. */
static void device_of_other_ca(struct scene *scene)
{
    struct cert_spec spec = scene_good_leaf(scene);
    spec.issuer = scene->mended ? scene->anchor : scene->device_ca;
    scene_serve(scene, &spec);
}

static void not_der(struct scene *scene)
{
    if (!scene->mended)
        scene->chain[0] = scene_keep(scene, cert_not_der(scene->chain[0], scene->anchor));
}

static void too_long(struct scene *scene)
{
    static const char *const names[] = {"CA 6", "CA 5", "CA 4", "CA 3", "CA 2", "CA 1"};
    int count = scene->mended ? 5 : 6;
    const struct cert *issuer = scene->anchor;
    struct cert *made[6];
    for (int i = 0; i < count; i++) {
        struct cert_spec spec = scene_good_ca(names[i + 6 - count], issuer);
        issuer = made[i] = scene_cert(scene, &spec);
    }
    serve_from(scene, issuer);
    for (int i = 0; i < count; i++)
        scene->chain[1 + i] = made[count - 1 - i];
}

static void leaf_as_ca(struct scene *scene)
{
    struct cert_spec spec = scene_good_leaf(scene);
    spec.cn = "device";
    spec.names = NULL;
    if (scene->mended)
        spec = scene_good_ca("device", scene->anchor);
    serve_below(scene, scene_cert(scene, &spec));
}

static void path_length(struct scene *scene)
{
    struct cert_spec spec = scene_good_ca("Test Server CA", NULL);
    spec.basic = scene->mended ? "critical,CA:TRUE,pathlen:1" : "critical,CA:TRUE,pathlen:0";
    scene->anchor = scene_cert(scene, &spec);
    spec = scene_good_ca("Middle", scene->anchor);
    serve_below(scene, scene_cert(scene, &spec));
}

static void path_length_intermediate(struct scene *scene)
{
    struct cert_spec spec = scene_good_ca("Upper", scene->anchor);
    spec.basic = scene->mended ? "critical,CA:TRUE,pathlen:1" : "critical,CA:TRUE,pathlen:0";
    struct cert *upper = scene_cert(scene, &spec);
    spec = scene_good_ca("Middle", upper);
    serve_below(scene, scene_cert(scene, &spec));
    scene->chain[2] = upper;
}

static void expired_anchor(struct scene *scene)
{
    struct cert_spec spec = scene_good_ca("Test Server CA", NULL);
    if (!scene->mended)
        expired(&spec);
    scene->anchor = scene_cert(scene, &spec);
    serve_from(scene, scene->anchor);
}

/* One byte short, in a message whose lengths are right. */
static void truncated(struct scene *scene)
{
    if (scene->mended)
        return;
    struct cert_spec spec = scene_good_leaf(scene);
    struct cert *cert = scene_cert(scene, &spec);
    cert->der.len--;
    scene->substitute = cert;
    scene_substitute(scene);
}

static void empty(struct scene *scene)
{
    static const struct cert none = {.der = {NULL, 0}};
    if (scene->mended)
        return;
    scene->substitute = &none;
    scene_substitute(scene);
}

/* The session was made with the right server; another has taken its place. */
static void impostor_later(struct scene *scene)
{
    struct cert_spec spec = scene_good_leaf(scene);
    spec.issuer = scene->mended ? scene->anchor : root(scene, "Other CA");
    scene->later = scene_cert(scene, &spec);
    scene->warm = true;
}

/* MD5 and an EC key do not go together. */
static void hash_md5(struct scene *scene)
{
    struct cert_spec spec = scene_good_ca("Test Server CA", NULL);
    spec.key = "RSA-2048";
    scene->anchor = scene_cert(scene, &spec);
    struct cert_spec leaf = scene_good_leaf(scene);
    leaf.hash = scene->mended ? "SHA256" : "MD5";
    scene_serve(scene, &leaf);
}

static const struct {
    const char *id;
    void (*make)(struct scene *scene);
} others[] = {
    {"chain-wrong-ca", wrong_ca},
    {"chain-same-name-ca", same_name_ca},
    {"chain-missing-intermediate", missing_intermediate},
    {"chain-other-root", other_root},
    {"chain-device-other-ca", device_of_other_ca},
    {"chain-malformed", not_der},
    {"chain-truncated", truncated},
    {"chain-empty", empty},
    {"chain-impostor-later", impostor_later},
    {"chain-too-long", too_long},
    {"ca-leaf-as-ca", leaf_as_ca},
    {"ca-path-length", path_length},
    {"ca-path-length-intermediate", path_length_intermediate},
    {"date-expired-anchor", expired_anchor},
    {"leaf-hash-md5", hash_md5},
};

bool scene_of_chain(struct scene *scene)
{
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(others[i].id, scene->id) == 0) {
            others[i].make(scene);
            return true;
        }
    }
    return one_intermediate(scene);
}

/* ---- what the client has configured besides the CA ---- */

static void forged_extra(struct scene *scene)
{
    struct cert_spec spec = scene_good_ca("Test Server CA", NULL);
    struct cert *forged = scene_cert(scene, &spec);
    scene->chain[1] = forged;
    scene->pinned = scene->mended ? scene->chain[0] : forged;
}

static void tutorial(struct scene *scene, const struct cert *stranger)
{
    struct cert_spec spec = {.cn = "broker"};
    scene_serve(scene, &spec);
    scene->fingerprint_instead = true;
    scene->sha1 = scene->mended ? scene->chain[0] : stranger;
}

bool scene_of_pin(struct scene *scene)
{
    struct cert_spec spec = scene_good_leaf(scene);
    const struct cert *stranger = scene_cert(scene, &spec);
    const struct cert *right = scene->mended ? scene->chain[0] : stranger;
    if (strcmp(scene->id, "pin-wrong") == 0)
        scene->pinned = right;
    else if (strcmp(scene->id, "pin-in-extra-certificate") == 0)
        forged_extra(scene);
    else if (strcmp(scene->id, "fingerprint-sha256") == 0)
        scene->sha256 = right;
    else if (strcmp(scene->id, "fingerprint-sha1") == 0)
        scene->sha1 = right;
    else if (strcmp(scene->id, "fingerprint-instead") == 0)
        tutorial(scene, stranger);
    else
        return false;
    return true;
}
