/* SPDX-License-Identifier: MIT */
/* Factory area and identity: whose they are, and until when; never a key or a code. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h> /* OPENSSL_cleanse */
#include <openssl/err.h>

#include <thimble/factory.h>
#include <thimble/identity.h>
#include <thimble/trust_set.h>

#include "flash_show.h"
#include "term.h"
#include "trust_key.h"
#include "x509.h"

#define NONCE 0x7468696Eu

static void show_certificate(struct view *view, struct th_span der, const char *name,
                             const char *heading)
{
    char common_name[128], serial[X509_SERIAL_TEXT], from[24], to[24];
    X509 *certificate = x509_of_der(der.at, der.len);
    view_open(view, name, heading);
    if (!certificate) {
        ERR_clear_error();
        view_text(view, "error", "error", "not readable");
    } else {
        x509_common_name(certificate, common_name, sizeof common_name);
        x509_serial(certificate, serial);
        view_text(view, "subject", "subject", common_name);
        view_text(view, "serial", "serial", serial);
        view_text(view, "not_before", "valid from", term_date(x509_not_before(certificate), from));
        view_text(view, "not_after", "valid to", term_date(x509_not_after(certificate), to));
    }
    X509_free(certificate);
    view_close(view);
}

/* The credential has a key in it, and goes no further. */
static void show_credential(struct view *view, struct th_credential *credential, const char *name,
                            const char *heading)
{
    if (credential->chain_count > 0)
        show_certificate(view, credential->chain[0], name, heading);
    th_credential_wipe(credential);
}

void flash_show_factory(struct view *view, struct flash_image *image)
{
    struct th_factory factory;
    struct th_credential credential;
    char code[TH_SETUP_CODE + 1];
    uint8_t chain[TH_CHAIN_MAX];
    view_open(view, "factory", "Factory area");
    flash_show_units(view, image, TH_FLASH_FACTORY);
    enum th_error error = th_factory_open(&factory, &image->board, image->map, NONCE);
    if (error != TH_OK) {
        view_text(view, "error", "cannot be read", th_error_text(error));
    } else {
        view_bool(view, "setup_code", "set-up code", th_factory_code(&factory, code));
        OPENSSL_cleanse(code, sizeof code);
        view_bool(view, "birth_key", "birth key", th_factory_has_key(&factory));
        uint8_t calibration[TH_CALIBRATION_MAX];
        view_number(view, "calibration", "calibration bytes",
                    (int64_t)th_factory_calibration(&factory, calibration, sizeof calibration));
        if (th_factory_idevid(&factory, chain, sizeof chain, &credential) == TH_OK)
            show_credential(view, &credential, "idevid", "Birth certificate (IDevID)");
    }
    view_close(view);
}

static void show_trust(struct view *view, const struct th_identity_store *store,
                       enum th_identity_place place, const char *name, const char *heading)
{
    static uint8_t bundle[TH_MANIFEST_BYTES + TH_TRUST_SET_MAX];
    struct th_manifest manifest;
    char date[24], key[TRUST_KEY_ID_TEXT];
    size_t len = th_identity_trust_read(store, place, 0, bundle, sizeof bundle);
    if (len == 0)
        return;
    view_open(view, name, heading);
    if (len < TH_MANIFEST_BYTES || th_manifest_decode(bundle, &manifest) != TH_OK) {
        view_text(view, "error", "error", "its manifest is not readable");
        view_close(view);
        return;
    }
    struct th_span set = th_span_of(bundle + TH_MANIFEST_BYTES, len - TH_MANIFEST_BYTES);
    trust_key_id_text(manifest.key_id, key);
    view_number(view, "sequence", "sequence", manifest.sequence);
    view_text(view, "product", "product", manifest.product);
    view_text(view, "signed", "signed", term_date(manifest.time_s, date));
    view_text(view, "key", "by key", key);
    if (th_trust_set_check(set) != TH_OK) {
        view_text(view, "error", "error", "its trust set is not in form");
    } else {
        static const char *const kinds[] = {
            "",        "anchors",          "pins",        "fingerprints",
            "brokers", "recovery_brokers", "update_keys", "roles"};
        for (int kind = TH_ITEM_ANCHOR; kind <= TH_ITEM_ROLE; kind++) {
            struct th_trust_item item;
            int64_t count = 0;
            while (th_trust_set_item(set, (enum th_trust_item_kind)kind, (size_t)count, &item))
                count++;
            view_number(view, kinds[kind], kinds[kind], count);
        }
    }
    view_close(view);
}

void flash_show_identity(struct view *view, struct flash_image *image)
{
    static const char *const places[] = {"LDevID in force", "LDevID to come"};
    static const char *const names[] = {"ldevid", "next_ldevid"};
    struct th_identity_store store;
    struct th_identity_report report;
    view_open(view, "identity", "Identity");
    flash_show_units(view, image, TH_FLASH_IDENTITY);
    enum th_error error = th_identity_open(&store, &image->board, image->map, NONCE);
    if (error != TH_OK) {
        view_text(view, "error", "cannot be read", th_error_text(error));
        view_close(view);
        return;
    }
    th_identity_report(&store, &report);
    view_text(view, "name", "name", report.name);
    view_bool(view, "enrolled", "enrolled", report.enrolled);
    view_bool(view, "next", "a next key", report.requested);
    view_bool(view, "session", "a stored session", report.session);
    view_bool(view, "resetting", "a reset under way", report.resetting);
    for (int place = TH_IN_FORCE; place <= TH_NEXT; place++) {
        struct th_credential credential;
        uint8_t chain[TH_CHAIN_MAX];
        if (th_identity_load(&store, (enum th_identity_place)place, chain, sizeof chain,
                             &credential) == TH_OK)
            show_credential(view, &credential, names[place], places[place]);
    }
    show_trust(view, &store, TH_IN_FORCE, "trust", "Trust set in force");
    show_trust(view, &store, TH_NEXT, "next_trust", "Trust set to come");
    view_close(view);
}
