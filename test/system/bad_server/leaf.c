/* SPDX-License-Identifier: MIT */
/* Defects of the server's own certificate. */
#include "scene.h"

#include <string.h>
#include <time.h>

static void expired(struct cert_spec *spec)
{
    spec->not_before_s = time(NULL) - 10 * DAY_S;
    spec->not_after_s = time(NULL) - DAY_S;
}

static void not_yet(struct cert_spec *spec)
{
    spec->not_before_s = time(NULL) + DAY_S;
}

static void common_name(struct cert_spec *spec)
{
    spec->cn = BROKER;
}

static void common_name_address(struct cert_spec *spec)
{
    spec->cn = "127.0.0.1";
}

static void device_purpose(struct cert_spec *spec)
{
    spec->purpose = "clientAuth";
}

static void any_purpose(struct cert_spec *spec)
{
    spec->purpose = "anyExtendedKeyUsage";
}

static void encipherment(struct cert_spec *spec)
{
    spec->usage = "critical,keyEncipherment";
}

static void rsa_1024(struct cert_spec *spec)
{
    spec->key = "RSA-1024";
}

static void p192(struct cert_spec *spec)
{
    spec->key = "prime192v1";
}

static void sha1(struct cert_spec *spec)
{
    spec->hash = "SHA1";
}

static void critical_extension(struct cert_spec *spec)
{
    spec->unknown_extension = "1.3.6.1.4.1.99999.1";
}

static void bad_signature(struct cert_spec *spec)
{
    spec->bad_signature = 1;
}

static void self_signed(struct cert_spec *spec)
{
    spec->issuer = NULL;
}

static void nothing_else(struct cert_spec *spec)
{
    (void)spec;
}

#define NAMES   "DNS:" BROKER
#define ADDRESS "IP:127.0.0.1"

static const struct row {
    const char *id, *server_name, *good_names, *bad_names;
    void (*spoil)(struct cert_spec *spec);
} rows[] = {
    {"name-wrong", BROKER, NAMES, "DNS:other.test", nothing_else},
    {"name-cn-only", BROKER, NAMES, NULL, common_name},
    {"name-cn-address", "127.0.0.1", ADDRESS, NULL, common_name_address},
    {"name-email-only", BROKER, NAMES, "email:a@" BROKER ",URI:mqtts://" BROKER, nothing_else},
    {"name-nul", BROKER, NAMES, "DNS:" BROKER "|.evil.test", nothing_else},
    {"name-subdomain", "broker.home.test", "DNS:broker.home.test", "DNS:home.test", nothing_else},
    {"wildcard-alone", BROKER, NAMES, "DNS:*", nothing_else},
    {"wildcard-two-labels", BROKER, NAMES, "DNS:*.test", nothing_else},
    {"wildcard-partial", "broker.home.test", "DNS:*.home.test", "DNS:b*.home.test", nothing_else},
    {"wildcard-deep", "a.broker.home.test", "DNS:*.broker.home.test", "DNS:*.home.test",
     nothing_else},
    {"wildcard-parent", "home.test", "DNS:home.test", "DNS:*.home.test", nothing_else},
    {"wildcard-not-first", "broker.home.test", "DNS:*.home.test", "DNS:broker.*.test",
     nothing_else},
    {"wildcard-twice", "broker.home.test", "DNS:*.home.test", "DNS:*.*.test", nothing_else},
    {"wildcard-address", "127.0.0.1", ADDRESS, "DNS:*.0.0.1", nothing_else},
    {"address-wrong", "127.0.0.1", ADDRESS, "IP:192.0.2.1", nothing_else},
    {"address-as-dns", "127.0.0.1", ADDRESS, "DNS:127.0.0.1", nothing_else},
    {"address-v6-wrong", "2001:db8::1", "IP:2001:db8::1", "IP:2001:db8::2", nothing_else},
    {"address-v4-in-v6", "127.0.0.1", ADDRESS, "IP:::ffff:127.0.0.1", nothing_else},
    {"date-expired", BROKER, NAMES, NAMES, expired},
    {"date-not-yet", BROKER, NAMES, NAMES, not_yet},
    {"date-before-floor", BROKER, NAMES, NAMES, expired},
    {"chain-self-signed", BROKER, NAMES, NAMES, self_signed},
    {"chain-device-same-ca", BROKER, NAMES, NAMES, device_purpose},
    {"chain-signature", BROKER, NAMES, NAMES, bad_signature},
    {"leaf-purpose-any", BROKER, NAMES, NAMES, any_purpose},
    {"leaf-key-usage", BROKER, NAMES, NAMES, encipherment},
    {"leaf-weak-rsa", BROKER, NAMES, NAMES, rsa_1024},
    {"leaf-small-curve", BROKER, NAMES, NAMES, p192},
    {"leaf-hash-sha1", BROKER, NAMES, NAMES, sha1},
    {"leaf-critical-extension", BROKER, NAMES, NAMES, critical_extension},
};

static void substitute(struct scene *scene, struct cert_spec *spec)
{
    if (spec->key == NULL)
        spec->use_key = scene->chain[0]->key;
    scene->substitute = scene_cert(scene, spec);
    scene_substitute(scene);
}

bool scene_of_leaf(struct scene *scene)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        if (strcmp(row->id, scene->id) != 0)
            continue;
        struct cert_spec spec = scene_good_leaf(scene);
        scene->server_name = row->server_name;
        spec.names = scene->mended ? row->good_names : row->bad_names;
        if (!scene->mended)
            row->spoil(&spec);
        else if (row->spoil == rsa_1024)
            spec.key = "RSA-2048";
        if (row->spoil == expired && strcmp(row->id, "date-before-floor") == 0)
            scene->floor_s = time(NULL) - DAY_S / 2;
        bool unusable = row->spoil == encipherment || row->spoil == p192;
        if (unusable && !scene->mended && scene->version == TLS1_2_VERSION)
            substitute(scene, &spec);
        else
            scene_serve(scene, &spec);
        return true;
    }
    return false;
}
