/* SPDX-License-Identifier: MIT */
/* thimble tls: judges a server as a device would, before any MQTT, and explains. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "exits.h"
#include "json.h"
#include "judge.h"
#include "peek.h"
#include "term.h"
#include "tls_chain.h"

struct look {
    struct peer_flags flags;
    char host[256];
    const char *backends[2];
    size_t backend_count;
    struct judge judges[2];
    STACK_OF(X509) * chain;
};

/* ---- HOST:PORT ---- */

static int bad_target(const char *target)
{
    return fail(EXIT_USAGE,
                "'%s' is no server: HOST, HOST:PORT or [IPV6]:PORT\n"
                "thimble tls broker.example:8883",
                target);
}

static int take_target(struct look *look, const char *target)
{
    const char *scheme = strstr(target, "://");
    const char *host = scheme ? scheme + 3 : target;
    const char *end = host + strcspn(host, "/");
    const char *port = NULL;
    if (*host == '[') {
        const char *bracket = memchr(host, ']', (size_t)(end - host));
        if (!bracket || (bracket + 1 != end && bracket[1] != ':'))
            return bad_target(target);
        port = bracket + 1 != end ? bracket + 2 : NULL;
        host++;
        end = bracket;
    } else {
        const char *first = memchr(host, ':', (size_t)(end - host));
        bool literal = first && memchr(first + 1, ':', (size_t)(end - first - 1));
        port = first && !literal ? first + 1 : NULL; /* a bare IPv6 literal has no port */
        end = port ? first : end;
    }
    size_t len = (size_t)(end - host);
    char digits[8] = "8883";
    if (port)
        snprintf(digits, sizeof digits, "%.*s", (int)strcspn(port, "/"), port);
    if (len == 0 || len >= sizeof look->host ||
        !options_number(digits, 1, 65535, &look->flags.port))
        return bad_target(target);
    memcpy(look->host, host, len);
    look->flags.host = look->host;
    return OPTION_GO_ON;
}

/* ---- text ---- */

static void show_connection(const struct judge *judge)
{
    char address[TH_ADDRESS_TEXT_MAX];
    if (judge->address_count)
        th_address_text(&judge->addresses[judge->address_at], address);
    if (judge->tcp)
        say("address   %s, connected in %u ms", address, judge->tcp_ms);
    else if (judge->address_count)
        say("address   %s", address);
}

static void show_handshake(const struct judge *judge)
{
    const struct th_tls_info *info = &judge->info;
    say("handshake TLS 1.%d, %s, %u ms, %u bytes received, %u sent (%s)", info->version - 0x0301,
        info->suite_name, judge->tls_ms, info->bytes_in, info->bytes_out,
        judge->peer.tls.ops->name);
    say("          %s", info->client_certificate          ? "our certificate was asked for and sent"
                        : judge->peer.tls_config.identity ? "our certificate was not asked for"
                                                          : "without a certificate of ours");
}

static void show_policy(const struct judge *judge)
{
    const struct th_trust *trust = &judge->peer.trust;
    const struct peer_flags *flags = &judge->peer.flags;
    const char *name = flags->server_name ? flags->server_name : flags->host;
    if (trust->mode == TH_TRUST_INSECURE_BENCH_ONLY) {
        say("judged    nothing: --insecure-bench-only");
        return;
    }
    if (trust->mode == TH_TRUST_ANCHORS)
        say("judged    chain to %u anchor%s of %s, name %s, purpose, key sizes, dates by this "
            "machine's clock",
            trust->anchor_count, trust->anchor_count == 1 ? "" : "s", flags->cafile, name);
    if (trust->pin_count)
        say("          %u pin%s", trust->pin_count, trust->pin_count == 1 ? "" : "s");
    if (trust->sha256_fingerprint_count + trust->sha1_fingerprint_count)
        say("          fingerprint%s", trust->mode == TH_TRUST_FINGERPRINT_INSTEAD
                                           ? " instead of a CA: no name, no dates"
                                           : "");
}

static int verdict(const struct judge *judge)
{
    if (judge->failure.error == TH_OK) {
        say("verdict   %sa device with these settings accepts this server%s (%s)",
            term_out(TERM_GREEN), term_out(TERM_PLAIN), judge->peer.tls.ops->name);
        if (judge->info.server.dates != TH_DATE_VALID && judge->peer.trust.mode == TH_TRUST_ANCHORS)
            warn("its dates are only provisionally good\ncorrect this machine's clock");
        return EXIT_OK;
    }
    char text[256];
    th_failure_text(&judge->failure, text, sizeof text);
    say("verdict   %sa device with these settings refuses%s (%s): %s", term_out(TERM_RED),
        term_out(TERM_PLAIN), judge->peer.tls.ops->name, text);
    say("  %snext:%s   %s", term_out(TERM_BOLD), term_out(TERM_PLAIN),
        th_error_remedy(judge->failure.error));
    return exits_of(judge->failure.error);
}

static int show(const struct look *look)
{
    int code = EXIT_OK;
    say("%s%s:%ld%s", term_out(TERM_BOLD), look->host, look->flags.port, term_out(TERM_PLAIN));
    show_connection(&look->judges[0]);
    if (look->chain)
        tls_chain_show(look->chain);
    show_policy(&look->judges[0]);
    for (size_t i = 0; i < look->backend_count; i++) {
        if (look->judges[i].tls)
            show_handshake(&look->judges[i]);
        int one = verdict(&look->judges[i]);
        code = code == EXIT_OK ? one : code;
    }
    return code;
}

/* ---- JSON ---- */

static void json_judge(struct json *json, const struct judge *judge)
{
    const struct th_tls_info *info = &judge->info;
    json_open(json, NULL, '{');
    json_text(json, "backend", judge->peer.tls.ops->name);
    json_bool(json, "accepted", judge->failure.error == TH_OK);
    if (judge->tls) {
        json_text(json, "version", info->version == 0x0304 ? "TLS 1.3" : "TLS 1.2");
        json_text(json, "suite", info->suite_name);
        json_bool(json, "client_certificate", info->client_certificate);
        json_number(json, "handshake_ms", judge->tls_ms);
        json_number(json, "bytes_in", info->bytes_in);
        json_number(json, "bytes_out", info->bytes_out);
    }
    if (judge->failure.error != TH_OK) {
        char text[256];
        th_failure_text(&judge->failure, text, sizeof text);
        json_number(json, "error", judge->failure.error);
        json_text(json, "error_name", th_error_name(judge->failure.error));
        json_text(json, "layer", th_layer_name(th_error_layer(judge->failure.error)));
        json_text(json, "found", text);
        json_text(json, "next", th_error_remedy(judge->failure.error));
    }
    json_close(json, '}');
}

static int show_json(const struct look *look)
{
    int code = EXIT_OK;
    const struct judge *first = &look->judges[0];
    struct json json = json_begin(stdout);
    json_text(&json, "host", look->host);
    json_number(&json, "port", look->flags.port);
    if (first->address_count) {
        char address[TH_ADDRESS_TEXT_MAX];
        th_address_text(&first->addresses[first->address_at], address);
        json_text(&json, "address", address);
    }
    json_bool(&json, "connected", first->tcp);
    json_open(&json, "certificates", '[');
    if (look->chain)
        tls_chain_json(&json, look->chain);
    json_close(&json, ']');
    json_open(&json, "verdicts", '[');
    for (size_t i = 0; i < look->backend_count; i++) {
        json_judge(&json, &look->judges[i]);
        int one = exits_of(look->judges[i].failure.error);
        code = code == EXIT_OK ? one : code;
    }
    json_close(&json, ']');
    json_number(&json, "exit", code);
    json_end(&json);
    return code;
}

/* ---- the whole ---- */

static int run(struct look *look, struct th_linux *loop)
{
    int code = EXIT_OK;
    struct peer_flags flags[2];
    for (size_t i = 0; code == EXIT_OK && i < look->backend_count; i++) {
        flags[i] = look->flags;
        flags[i].backend = look->backends[i];
        code = judge_open(&look->judges[i], loop, &flags[i]);
        if (code == EXIT_OK)
            judge_run(&look->judges[i]);
    }
    const struct judge *first = &look->judges[0];
    if (code == EXIT_OK && first->tcp) {
        const char *name = look->flags.server_name ? look->flags.server_name : look->host;
        struct th_address literal;
        look->chain = peek_chain(&first->addresses[first->address_at],
                                 th_address_parse(name, &literal) ? NULL : name);
    }
    if (code == EXIT_OK)
        code = term.json ? show_json(look) : show(look);
    for (size_t i = 0; i < look->backend_count; i++) {
        if (look->judges[i].peer.loop)
            judge_close(&look->judges[i]);
    }
    sk_X509_pop_free(look->chain, X509_free);
    return code;
}

static const struct usage usage = {
    "tls", "HOST[:PORT]", "Judges a server as a device would, before any MQTT, and explains.",
    "The exit code names the layer that refused: thimble --exit-codes. Examples:\n"
    "  thimble tls broker.example:8883 --cafile ca.crt\n"
    "  thimble tls broker.example --as lamp --tls-backend both\n"
    "  thimble tls 192.0.2.7:8883 --fingerprint 12:34:... --fingerprint-instead"};

static int take(struct look *look, int argc, char **argv)
{
    struct words rest = {0};
    struct option options[PEER_OPTIONS_MAX] = {OPTION_ROW_JSON};
    peer_flags_init(&look->flags);
    size_t count = peer_options_tls(options, 1, &look->flags);
    int code = options_take(&usage, options, count, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count > 1 || (rest.count == 0 && !look->flags.as))
        return fail(EXIT_USAGE, "tls needs one server\nthimble tls broker.example:8883");
    const char *backend = look->flags.backend;
    bool both = backend && strcmp(backend, "both") == 0;
    look->backends[0] = both ? "openssl" : backend;
    look->backends[1] = "bearssl";
    look->backend_count = both ? 2 : 1;
    return rest.count ? take_target(look, rest.at[0]) : OPTION_GO_ON;
}

int tls_main(int argc, char **argv)
{
    struct look *look = calloc(1, sizeof *look);
    struct th_failure failure;
    struct th_linux loop;
    if (!look)
        return fail(EXIT_FAILED, "no memory\nend other programs");
    int code = take(look, argc, argv);
    if (code == OPTION_GO_ON) {
        if (th_linux_init(&loop, &failure)) {
            code = run(look, &loop);
            th_linux_close(&loop);
        } else {
            code = fail(EXIT_FAILED, "cannot start: %s\n%s", th_error_text(failure.error),
                        th_error_remedy(failure.error));
        }
    }
    free(look);
    return code;
}
