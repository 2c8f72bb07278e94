/* SPDX-License-Identifier: MIT */
/* thimble-device --show: who the device is and whom it trusts. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <thimble/certificate.h>
#include <thimble/json.h>

#include "stores.h"

struct shown {
    struct th_identity_report report;
    struct th_certificate ldevid, idevid; /* subject "": none */
    struct th_manifest manifest;          /* sequence 0: none */
    size_t trust_len;
    uint8_t trust[TH_TRUST_BUNDLE_MAX];
    bool has_code;
};

static void read_certificate(struct stores *stores, enum th_error error,
                             struct th_credential *credential, struct th_certificate *out)
{
    const struct th_hash_ops *sha256 = stores->machine->crypto.ops->hashes->sha256;

    if (error == TH_OK && credential->chain_count > 0)
        th_certificate_read(credential->chain[0], sha256, out);
    th_credential_wipe(credential);
}

static void look(struct stores *stores, struct shown *shown)
{
    struct th_credential credential;
    uint8_t chain[TH_CHAIN_MAX];
    char code[TH_SETUP_CODE + 1];

    th_identity_report(&stores->identity, &shown->report);
    enum th_error error =
        th_identity_load(&stores->identity, TH_IN_FORCE, chain, sizeof chain, &credential);
    read_certificate(stores, error, &credential, &shown->ldevid);
    error = th_factory_idevid(&stores->factory, chain, sizeof chain, &credential);
    read_certificate(stores, error, &credential, &shown->idevid);
    shown->trust_len = th_identity_trust_read(&stores->identity, TH_IN_FORCE, 0, shown->trust,
                                              sizeof shown->trust);
    if (shown->trust_len > TH_MANIFEST_BYTES)
        th_manifest_decode(shown->trust, &shown->manifest);
    shown->has_code = th_factory_code(&stores->factory, code);
    volatile char *secret = code;
    for (size_t i = 0; i < sizeof code; i++)
        secret[i] = 0;
}

static struct th_span set_of(const struct shown *shown)
{
    return shown->trust_len > TH_MANIFEST_BYTES
               ? th_span_of(shown->trust + TH_MANIFEST_BYTES, shown->trust_len - TH_MANIFEST_BYTES)
               : th_span_of(NULL, 0);
}

/* ---- text ---- */

static void print_certificate(const char *what, const struct th_certificate *certificate)
{
    time_t end = (time_t)certificate->not_after_s;
    struct tm tm;
    char date[32] = "";

    if (certificate->subject[0] == '\0')
        return;
    if (gmtime_r(&end, &tm))
        strftime(date, sizeof date, "%Y-%m-%d", &tm);
    printf("%-12s %s, issued by %s, until %s\n", what, certificate->subject, certificate->issuer,
           date);
}

static void print_trust(const struct shown *shown)
{
    static const char *const roles[] = {"none", "viewer", "operator", "admin", "agent"};
    struct th_trust_item item;
    size_t at = 0;

    if (shown->trust_len == 0)
        return;
    printf("%-12s bundle %u\n", "trust", shown->manifest.sequence);
    while (th_trust_set_next(set_of(shown), &at, &item)) {
        if (item.kind == TH_ITEM_BROKER || item.kind == TH_ITEM_RECOVERY)
            printf("%-12s %.*s:%u\n", item.kind == TH_ITEM_BROKER ? "broker" : "recovery",
                   (int)item.bytes.len, (const char *)item.bytes.at, item.port);
        else if (item.kind == TH_ITEM_ROLE)
            printf("%-12s %.*s\n", roles[item.role], (int)item.bytes.len,
                   (const char *)item.bytes.at);
    }
}

static void print(const struct shown *shown)
{
    const struct th_identity_report *report = &shown->report;

    printf("%-12s %s\n", "name", report->name[0] ? report->name : "(none)");
    printf("%-12s %s\n", "state",
           report->enrolled    ? "enrolled"
           : report->requested ? "waiting for the answer to its request"
                               : "blank");
    print_certificate("certificate", &shown->ldevid);
    print_certificate("birth", &shown->idevid);
    print_trust(shown);
    if (report->enrolled && report->requested)
        printf("%-12s a next certificate%s\n", "renewal", report->certified ? "" : " is asked for");
    if (report->candidate)
        printf("%-12s another trust set\n", "on trial");
    printf("%-12s %s\n", "set-up code", shown->has_code ? "is set" : "none yet");
}

/* ---- JSON ---- */

static void put_certificate(struct th_json_writer *json, const char *name,
                            const struct th_certificate *certificate)
{
    if (certificate->subject[0] == '\0')
        return;
    th_json_name(json, name);
    th_json_open(json, '{');
    th_json_name(json, "subject");
    th_json_put_string(json, th_span_str(certificate->subject));
    th_json_name(json, "issuer");
    th_json_put_string(json, th_span_str(certificate->issuer));
    th_json_name(json, "not_before");
    th_json_put_integer(json, certificate->not_before_s);
    th_json_name(json, "not_after");
    th_json_put_integer(json, certificate->not_after_s);
    th_json_close(json, '}');
}

static void put_trust(struct th_json_writer *json, const struct shown *shown)
{
    struct th_trust_item item;
    size_t at = 0;

    th_json_name(json, "trust");
    th_json_put_integer(json, shown->manifest.sequence);
    th_json_name(json, "brokers");
    th_json_open(json, '[');
    while (th_trust_set_next(set_of(shown), &at, &item)) {
        if (item.kind != TH_ITEM_BROKER)
            continue;
        th_json_open(json, '{');
        th_json_name(json, "host");
        th_json_put_string(json, item.bytes);
        th_json_name(json, "port");
        th_json_put_integer(json, item.port);
        th_json_close(json, '}');
    }
    th_json_close(json, ']');
}

static int print_json(const struct shown *shown)
{
    static uint8_t text[TH_TRUST_BUNDLE_MAX + 2048];
    struct th_json_writer json = th_json_writer_of(text, sizeof text);
    const struct th_identity_report *report = &shown->report;

    th_json_open(&json, '{');
    th_json_name(&json, "name");
    th_json_put_string(&json, th_span_str(report->name));
    th_json_name(&json, "enrolled");
    th_json_put_bool(&json, report->enrolled);
    th_json_name(&json, "requested");
    th_json_put_bool(&json, report->requested);
    th_json_name(&json, "setup_code");
    th_json_put_bool(&json, shown->has_code);
    put_certificate(&json, "certificate", &shown->ldevid);
    put_certificate(&json, "birth", &shown->idevid);
    if (shown->trust_len > 0)
        put_trust(&json, shown);
    th_json_close(&json, '}');
    struct th_span written = th_json_written(&json);
    return printf("%.*s\n", (int)written.len, (const char *)written.at) > 1 ? EXIT_SUCCESS
                                                                            : EXIT_FAILURE;
}

int show_main(struct stores *stores, bool json)
{
    static struct shown shown;

    look(stores, &shown);
    if (json)
        return print_json(&shown);
    print(&shown);
    return EXIT_SUCCESS;
}
