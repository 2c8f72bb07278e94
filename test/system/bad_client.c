/* SPDX-License-Identifier: MIT */
/*
 * bad_client SERVER TABLE [ID...]: every row of test/system/bad_servers.tsv, over each backend and
 * TLS version: a link on the Linux port against the server (the program bad_server), bad and then
 * with its one defect mended. One line a run; what failed once more in a table at the end. T1 T2 T3
 * T4 T5 T6 T7 T9 T12 T14 T15 C2
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <thimble/linux.h>
#include <thimble/thimble.h>
#include <thimble/tls_bearssl.h>
#include <thimble/tls_openssl.h>

#define LONG_MS   10000
#define COLUMNS   6
#define FRAGMENTS 16384

/* ---- a row of the table ---- */

struct row {
    char line[1024];
    const char *id, *runs, *error, *evidence, *exceptions;
};

static bool read_row(FILE *table, struct row *row)
{
    char *fields[COLUMNS] = {0};
    do {
        if (fgets(row->line, sizeof row->line, table) == NULL)
            return false;
        row->line[strcspn(row->line, "\n")] = '\0';
    } while (row->line[0] == '#' || row->line[0] == '\0');
    char *at = row->line;
    for (int i = 0; i < COLUMNS && at != NULL; i++)
        fields[i] = strsep(&at, "\t");
    row->id = fields[0];
    row->runs = fields[1];
    row->error = fields[3];
    row->evidence = fields[4] ? fields[4] : "";
    row->exceptions = fields[5] ? fields[5] : "";
    return row->error != NULL;
}

/* "BearSSL-1.2=ERROR|evidence; OpenSSL-1.3=n/a: reason" */
static void expectation(const struct row *row, const char *run, char *error, char *evidence)
{
    char key[32];
    snprintf(error, 64, "%s", row->error);
    snprintf(evidence, 128, "%s", row->evidence);
    snprintf(key, sizeof key, "%s=", run);
    const char *at = strstr(row->exceptions, key);
    if (at == NULL)
        return;
    at += strlen(key);
    size_t len = strcspn(at, ";:");
    size_t error_len = strcspn(at, "|;:");
    snprintf(error, 64, "%.*s", (int)error_len, at);
    int evidence_len = error_len < len ? (int)(len - error_len - 1) : 0;
    snprintf(evidence, 128, "%.*s", evidence_len, at + error_len + 1);
}

/* ---- the server's process ---- */

static FILE *to_server, *from_server;
static pid_t server;

static void start_server(const char *path)
{
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0 || (server = fork()) < 0) {
        perror("bad_client");
        exit(2);
    }
    if (server == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execl(path, path, (char *)NULL);
        perror(path);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    to_server = fdopen(in[1], "w");
    from_server = fdopen(out[0], "r");
}

static int end_server(void)
{
    int status = -1;
    fclose(to_server);
    fclose(from_server);
    waitpid(server, &status, 0);
    return status;
}

/* ---- a client, as the server says it must be configured ---- */

static struct {
    struct th_linux loop;
    struct th_linux_net net;
    struct th_board board;
    struct th_openssl_shared shared;
    struct th_openssl openssl;
    struct th_bearssl bearssl;
    uint8_t tls_in[TH_BEARSSL_IN(FRAGMENTS)], tls_out[TH_BEARSSL_OUT(FRAGMENTS)];
    uint8_t scratch[16384];

    char name[64], alpn[64];
    uint8_t anchor_der[4096], certificate_der[4096], key_der[4096];
    struct th_span anchor, certificate;
    struct th_identity identity;
    uint8_t pin[1][TH_SHA256_BYTES], sha256[1][TH_SHA256_BYTES], sha1[1][TH_SHA1_BYTES];
    struct th_trust trust;
    struct th_tls_config tls_config;
    bool warm, repeat;
    uint32_t handshake_ms, answer_ms;

    struct th_broker broker;
    struct th_link_config link_config;
    struct th_mqtt_config mqtt_config;
    struct th_mqtt mqtt;
    struct th_link link;
    uint8_t mqtt_rx[512], session[TH_SESSION_OPENSSL];
    size_t session_len;
} client;

static struct th_span unhex(const char *text, uint8_t *into, size_t room)
{
    size_t len = strlen(text) / 2;
    if (len > room || !th_trust_pin_parse(text, into, len)) {
        fprintf(stderr, "bad_client: cannot read %s\n", text);
        exit(2);
    }
    return th_span_of(into, len);
}

static void take_trust(const char *key, const char *value)
{
    struct th_trust *trust = &client.trust;
    if (strcmp(key, "anchor") == 0) {
        client.anchor = unhex(value, client.anchor_der, sizeof client.anchor_der);
    } else if (strcmp(key, "pin") == 0) {
        unhex(value, client.pin[0], TH_SHA256_BYTES);
        trust->pins = (const uint8_t(*)[TH_SHA256_BYTES])client.pin;
        trust->pin_count = 1;
    } else if (strcmp(key, "sha256") == 0) {
        unhex(value, client.sha256[0], TH_SHA256_BYTES);
        trust->sha256_fingerprints = (const uint8_t(*)[TH_SHA256_BYTES])client.sha256;
        trust->sha256_fingerprint_count = 1;
    } else if (strcmp(key, "sha1") == 0) {
        unhex(value, client.sha1[0], TH_SHA1_BYTES);
        trust->sha1_fingerprints = (const uint8_t(*)[TH_SHA1_BYTES])client.sha1;
        trust->sha1_fingerprint_count = 1;
    } else if (strcmp(key, "instead") == 0) {
        trust->mode = TH_TRUST_FINGERPRINT_INSTEAD;
    } else if (strcmp(key, "floor") == 0) {
        trust->clock = (struct th_clock_view){TH_CLOCK_FLOOR_ONLY, strtoll(value, NULL, 10), 0};
    }
}

static void take(const char *key, const char *value)
{
    struct th_identity *identity = &client.identity;
    if (strcmp(key, "port") == 0)
        client.broker.port = (uint16_t)atoi(value);
    else if (strcmp(key, "name") == 0)
        snprintf(client.name, sizeof client.name, "%s", value);
    else if (strcmp(key, "certificate") == 0)
        client.certificate = unhex(value, client.certificate_der, sizeof client.certificate_der);
    else if (strcmp(key, "key") == 0)
        identity->key = unhex(value, client.key_der, sizeof client.key_der);
    else if (strcmp(key, "alpn") == 0)
        snprintf(client.alpn, sizeof client.alpn, "%s", value);
    else if (strcmp(key, "fragment") == 0)
        client.tls_config.fragment_length = (enum th_fragment_length)atoi(value);
    else if (strcmp(key, "handshake_ms") == 0)
        client.handshake_ms = (uint32_t)atoi(value);
    else if (strcmp(key, "answer_ms") == 0)
        client.answer_ms = (uint32_t)atoi(value);
    else if (strcmp(key, "warm") == 0)
        client.warm = true;
    else if (strcmp(key, "repeat") == 0)
        client.repeat = true;
    else
        take_trust(key, value);
}

static void configure_defaults(void)
{
    client.certificate = client.identity.key = (struct th_span){NULL, 0};
    client.name[0] = client.alpn[0] = '\0';
    client.warm = client.repeat = false;
    client.handshake_ms = client.answer_ms = LONG_MS;
    client.trust = (struct th_trust){.anchors = &client.anchor, .anchor_count = 1};
    client.trust.clock = (struct th_clock_view){TH_CLOCK_TRUSTED, 0, time(NULL)};
    client.tls_config = (struct th_tls_config){.trust = &client.trust, .board = &client.board};
    client.broker = (struct th_broker){.host = "127.0.0.1", .server_name = client.name};
    client.session_len = 0;
}

static void ask_server(const char *id, const char *variant, const char *version)
{
    char line[16384];
    configure_defaults();
    fprintf(to_server, "%s %s %s\n", id, variant, version);
    fflush(to_server);
    while (fgets(line, sizeof line, from_server) != NULL) {
        char *value = line;
        line[strcspn(line, "\n")] = '\0';
        const char *key = strsep(&value, " ");
        if (strcmp(key, "ready") == 0)
            return;
        take(key, value ? value : "");
    }
    fprintf(stderr, "bad_client: the server has gone\n");
    exit(2);
}

/* ---- one attempt ---- */

struct outcome {
    bool connected, resumed;
    struct th_failure failure;
    unsigned attempts;
};

static struct th_tls backend_of(bool openssl)
{
    if (openssl) {
        th_openssl_init(&client.openssl, &client.shared, client.tls_in, 4096, client.tls_out, 4096);
        return (struct th_tls){&th_tls_openssl, &client.openssl};
    }
    size_t fragment =
        client.tls_config.fragment_length ? client.tls_config.fragment_length : FRAGMENTS;
    th_bearssl_init(&client.bearssl, &th_bearssl_host, client.tls_in, TH_BEARSSL_IN(fragment),
                    client.tls_out, TH_BEARSSL_OUT(fragment));
    return (struct th_tls){&th_tls_bearssl, &client.bearssl};
}

static void configure(bool openssl)
{
    client.identity.chain = &client.certificate;
    client.identity.chain_count = 1;
    client.identity.kind = TH_KEY_EC_P256;
    client.tls_config.identity = client.certificate.len > 0 ? &client.identity : NULL;
    client.tls_config.alpn = client.alpn[0] != '\0' ? client.alpn : NULL;
    client.mqtt_config = (struct th_mqtt_config){.version = &th_mqtt_v311,
                                                 .client_id = TH_SPAN("device"),
                                                 .clean_start = true,
                                                 .answer_timeout_ms = client.answer_ms,
                                                 .rx = client.mqtt_rx,
                                                 .rx_room = sizeof client.mqtt_rx};
    client.link_config =
        (struct th_link_config){.board = &client.board,
                                .brokers = &client.broker,
                                .broker_count = 1,
                                .tls = backend_of(openssl),
                                .tls_config = &client.tls_config,
                                .scratch = th_span_of(client.scratch, sizeof client.scratch),
                                .session = client.session,
                                .session_room = sizeof client.session,
                                .session_len = &client.session_len,
                                .times = {.handshake_ms = client.handshake_ms}};
}

/* True when this event settles the outcome. */
static bool settles(const struct th_link_event *event, struct outcome *outcome, uint32_t now_ms)
{
    if (event->kind == TH_LINK_EVENT_TLS)
        outcome->resumed = event->u.tls.info.resumed;
    if (event->kind == TH_LINK_EVENT_MQTT && event->u.mqtt.kind == TH_MQTT_EVENT_CONNECTED) {
        outcome->connected = true;
        if (!client.warm)
            return true;
        client.warm = outcome->connected = false;
        th_link_restart(&client.link, now_ms, false);
    }
    if (event->kind != TH_LINK_EVENT_FAILED)
        return false;
    outcome->failure = event->u.failed.failure;
    outcome->attempts++;
    if (!client.repeat || outcome->failure.error != TH_ERR_TLS_CLOSED)
        return true;
    th_link_restart(&client.link, now_ms, true);
    return false;
}

static struct outcome attempt(bool openssl)
{
    struct outcome outcome = {.failure = th_failure_of(TH_OK)};
    struct th_link_event event;
    configure(openssl);
    enum th_error error = th_mqtt_init(&client.mqtt, &client.mqtt_config);
    if (error == TH_OK)
        error = th_link_init(&client.link, &client.link_config, &client.mqtt);
    outcome.failure = th_failure_of(error);
    if (error != TH_OK)
        return outcome;
    th_link_start(&client.link, th_linux_now(&client.loop));
    uint32_t limit_ms = client.repeat ? 120000 : 2 * LONG_MS;
    uint32_t begun_ms = th_linux_now(&client.loop);
    bool settled = false;
    while (!settled && th_linux_now(&client.loop) - begun_ms < limit_ms) {
        while (!settled && th_link_next(&client.link, th_linux_now(&client.loop), &event))
            settled = settles(&event, &outcome, th_linux_now(&client.loop));
        uint32_t wait_ms = th_link_deadline(&client.link, th_linux_now(&client.loop));
        if (!settled)
            th_linux_wait(&client.loop, wait_ms < 200 ? wait_ms : 200);
    }
    th_link_restart(&client.link, th_linux_now(&client.loop), true);
    return outcome;
}

/* ---- judging ---- */

static unsigned passed, failed;
static char report[65536];

static void complain(const char *id, const char *run, const char *expected, const char *got)
{
    size_t len = strlen(report);
    snprintf(report + len, sizeof report - len, "  %-28s %-11s expected %s\n  %41s got      %s\n",
             id, run, expected, "", got);
}

/* The bad server must be refused with this error and evidence. */
static bool judge_bad(const struct row *row, const char *run, const struct outcome *outcome,
                      char *told)
{
    char error[64], evidence[128], text[256] = "", expected[256], got[512];
    expectation(row, run, error, evidence);
    th_failure_text(&outcome->failure, text, sizeof text);
    const char *name = th_error_name(outcome->failure.error);
    bool every_byte = client.repeat && outcome->connected && outcome->attempts > 100;
    bool refused = !outcome->connected || every_byte;
    bool borne = outcome->connected && strcmp(error, "OK") == 0; /* a gap that is known */
    snprintf(told, 64, "%s", outcome->failure.error ? name : "connected");
    if (every_byte)
        snprintf(told, 64, "%s (%u cuts)", name, outcome->attempts);
    if (borne || (refused && strcmp(name, error) == 0 && strstr(text, evidence) != NULL))
        return true;
    snprintf(expected, sizeof expected, "%s with \"%s\"", error, evidence);
    snprintf(got, sizeof got, "%s: %s (after %u failures)", outcome->connected ? "connected" : name,
             text, outcome->attempts);
    complain(row->id, run, expected, got);
    return false;
}

static bool judge_mended(const struct row *row, const char *run, const struct outcome *outcome)
{
    char text[256] = "", got[512];
    if (outcome->connected)
        return true;
    th_failure_text(&outcome->failure, text, sizeof text);
    snprintf(got, sizeof got, "%s: %s", th_error_name(outcome->failure.error), text);
    complain(row->id, run, "to connect once mended", got);
    return false;
}

static void run_row(const struct row *row, bool openssl, const char *version)
{
    char run[32], error[64], evidence[128], told[64];
    snprintf(run, sizeof run, "%s-%s", openssl ? "OpenSSL" : "BearSSL", version);
    expectation(row, run, error, evidence);
    if (strcmp(error, "n/a") == 0)
        return;
    ask_server(row->id, "bad", version);
    struct outcome bad = attempt(openssl);
    bool good = judge_bad(row, run, &bad, told);
    ask_server(row->id, "mended", version);
    struct outcome mended = attempt(openssl);
    good = judge_mended(row, run, &mended) && good;
    *(good ? &passed : &failed) += 1;
    printf("%s %-28s %-11s %-24s mended: %s\n", good ? "ok  " : "FAIL", row->id, run, told,
           mended.connected ? "connected" : th_error_name(mended.failure.error));
    fflush(stdout);
}

static bool wanted(const char *id, int count, char **ids)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(ids[i], id) == 0)
            return true;
    }
    return count == 0;
}

static void run_table(FILE *table, int count, char **ids)
{
    struct row row;
    unsigned rows = 0;
    while (read_row(table, &row)) {
        if (!wanted(row.id, count, ids))
            continue;
        rows++;
        bool old = strcmp(row.runs, "1.3") != 0, new = strcmp(row.runs, "1.2") != 0;
        if (old)
            run_row(&row, false, "1.2");
        if (old)
            run_row(&row, true, "1.2");
        if (new)
            run_row(&row, true, "1.3");
    }
    if (failed > 0)
        printf("\nWhat failed:\n%s", report);
    printf("\n%u bad servers; %u passed, %u failed\n", rows, passed, failed);
}

int main(int argc, char **argv)
{
    struct th_failure failure;
    FILE *table = argc > 2 ? fopen(argv[2], "r") : NULL;
    if (table == NULL) {
        fprintf(stderr, "usage: bad_client SERVER TABLE [ID...]\n");
        return 2;
    }
    if (!th_linux_init(&client.loop, &failure) || !th_openssl_shared_init(&client.shared) ||
        th_tls_bearssl.scratch_size > sizeof client.scratch) {
        fprintf(stderr, "bad_client: cannot start\n");
        return 2;
    }
    th_linux_net_init(&client.net, &client.loop);
    th_linux_board(&client.net, &client.board);
    start_server(argv[1]);
    run_table(table, argc - 3, argv + 3);
    bool clean = end_server() == 0;
    th_linux_net_close(&client.net);
    th_openssl_shared_free(&client.shared);
    th_linux_close(&client.loop);
    fclose(table);
    return failed == 0 && passed > 0 && clean ? 0 : 1;
}
