/* SPDX-License-Identifier: MIT */
/*
 * link_client [OPTION…] STEP…: one link over the Linux port, led by the scripts of this folder.
 * Every event is a line on standard output.
 *
 *   --port N  --host H  --name S    the broker (127.0.0.1), its name in the certificate
 *   --protocol 4|5                  (5)
 *   --tls bearssl|openssl           with --ca F, and --cert F --key F; without it plaintext
 *   --fragment N                    BearSSL's record buffers and max_fragment_length (16384)
 *   --tls-session F                 stored TLS session, read at the start, written when it changes
 *   --id S --clean --keep-alive S --answer S --user U --password P
 *   --outbox F                      in a file; without it in memory
 *   --will TOPIC TEXT QOS
 *   --save F                        payloads of messages are appended to it
 *   --limit S                       seconds for all steps together (30)
 *   --pace N                        pub: at most N messages a millisecond
 *
 *   up                              until connected
 *   sub FILTER QOS                  until the broker grants it
 *   pub TOPIC QOS FIRST LAST        one message for each number, which is its text, with 40 more
 * bytes text TOPIC QOS TEXT KEY VALUE   retained, with a user property where KEY is not empty
 *   stream TOPIC QOS BYTES          one message from a source, a pattern of 251 bytes
 *   flush                           until all is acknowledged
 *   expect N                        until N messages came in, from the beginning on
 *   drop                            cuts the connection; the link reconnects
 *   down                            until the link has noticed that it is cut
 *   sleep MS
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <thimble/link.h>
#include <thimble/linux.h>
#include <thimble/mqtt.h>
#include <thimble/outbox_file.h>
#include <thimble/tls_bearssl.h>
#include <thimble/tls_openssl.h>

enum { BUFFER = 4096, OUTBOX = 256 * 1024, INBOUND = 2000, PATTERN = 251 };

static struct {
    struct th_linux loop;
    struct th_linux_net net;
    struct th_board board;
    struct th_broker broker;
    struct th_link link;
    struct th_link_config config;
    struct th_mqtt mqtt;
    struct th_mqtt_config session;
    struct th_mqtt_will will;

    struct th_bearssl bearssl;
    struct th_openssl openssl;
    struct th_openssl_shared shared;
    struct th_tls_config tls;
    struct th_trust trust;
    struct th_linux_certificates anchors;
    struct th_linux_identity identity;
    const char *tls_name, *ca, *cert, *key, *tls_session;
    unsigned fragment;
    uint8_t stored[TH_SESSION_OPENSSL];
    size_t stored_len, written_len;

    struct th_outbox_file file;
    struct th_outbox_ram ram;
    const char *outbox, *save;
    uint16_t inbound[INBOUND];
    _Alignas(8) uint8_t ram_at[OUTBOX];
    uint8_t rx[BUFFER], plain_rx[BUFFER], plain_tx[BUFFER];
    uint8_t tls_in[TH_BEARSSL_IN(16384)], tls_out[TH_BEARSSL_OUT(16384)];
    _Alignas(8) uint8_t scratch[16384];

    uint32_t limit_ms, begun_ms, now_ms, pace;
    unsigned long received;
    bool up, ever_down, granted, sent, stopped;
    struct th_mqtt_filter filter; /* the last one asked for */
    FILE *save_to;
    struct th_mqtt_source source;
    struct th_mqtt_publish streamed;
} me = {.fragment = 16384, .limit_ms = 30000};

static void die(const char *what, const char *why)
{
    printf("DIED %s: %s\n", what, why);
    exit(1);
}

static void die_of(const char *what, const struct th_failure *failure)
{
    char text[256];
    th_failure_text(failure, text, sizeof text);
    die(what, text);
}

static unsigned long number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        die(text, "not a number");
    return value;
}

/* ---- events ---- */

static void on_payload(struct th_span bytes)
{
    if (me.save_to)
        fwrite(bytes.at, 1, bytes.len, me.save_to);
}

static void show_message(const struct th_mqtt_message *m)
{
    struct th_mqtt_property property;
    int shown = m->payload.len < 48 ? (int)m->payload.len : 48;
    printf("message %.*s qos=%d retain=%d dup=%d len=%u", (int)m->topic.len,
           (const char *)m->topic.at, m->qos, m->retain, m->dup, (unsigned)m->payload_len);
    for (size_t at = 0; th_mqtt_property_next(m->properties, &at, &property);) {
        if (property.id == TH_MQTT_USER_PROPERTY)
            printf(" %.*s=%.*s", (int)property.text.len, (const char *)property.text.at,
                   (int)property.value.len, (const char *)property.value.at);
    }
    printf(" text=%.*s\n", shown, (const char *)m->payload.at);
}

static void on_mqtt(const struct th_mqtt_event *event)
{
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED:
        me.up = true;
        printf("connected present=%d resent=%u as_new=%d\n", event->u.connack.session_present,
               event->u.connack.resent, event->u.connack.resent_as_new);
        if (!event->u.connack.session_present && me.filter.filter.len > 0)
            th_mqtt_subscribe(&me.mqtt, &me.filter, 1, NULL, 0, NULL);
        break;
    case TH_MQTT_EVENT_MESSAGE:
    case TH_MQTT_EVENT_BEGIN:
        show_message(&event->u.message);
        on_payload(event->u.message.payload);
        if (event->kind == TH_MQTT_EVENT_MESSAGE)
            me.received++;
        break;
    case TH_MQTT_EVENT_CHUNK: on_payload(event->u.chunk.bytes); break;
    case TH_MQTT_EVENT_END: me.received++; break;
    case TH_MQTT_EVENT_PUBLISHED:
        printf("published id=%u code=%u\n", event->u.ack.id, event->u.ack.reason_code);
        break;
    case TH_MQTT_EVENT_SENT: me.sent = true; break;
    case TH_MQTT_EVENT_SUBSCRIBED:
        printf("subscribed code=%u\n", event->u.ack.codes.at[0]);
        me.granted = true;
        break;
    default: break;
    }
}

static void on_failed(const struct th_link_event *event)
{
    char text[256];
    me.up = false;
    me.ever_down = true;
    th_failure_text(&event->u.failed.failure, text, sizeof text);
    printf("failed %s %s retry_ms=%u: %s\n", th_error_name(event->u.failed.failure.error),
           th_link_state_name(event->u.failed.in), (unsigned)event->u.failed.retry_ms, text);
}

static void on_tls(const struct th_tls_info *info, uint32_t took_ms)
{
    printf("tls version=%04x suite=%s resumed=%d client_certificate=%d in=%u out=%u ms=%u\n",
           info->version, info->suite_name, info->resumed, info->client_certificate,
           (unsigned)info->bytes_in, (unsigned)info->bytes_out, (unsigned)took_ms);
}

static void keep_tls_session(void)
{
    if (!me.tls_session || me.stored_len == me.written_len)
        return;
    FILE *file = fopen(me.tls_session, "wb");
    if (!file || fwrite(me.stored, 1, me.stored_len, file) != me.stored_len)
        die(me.tls_session, "cannot be written");
    fclose(file);
    me.written_len = me.stored_len;
}

static void turn(void)
{
    struct th_link_event event;
    me.now_ms = th_linux_now(&me.loop);
    while (th_link_next(&me.link, me.now_ms, &event)) {
        switch (event.kind) {
        case TH_LINK_EVENT_TLS: on_tls(&event.u.tls.info, event.u.tls.took_ms); break;
        case TH_LINK_EVENT_MQTT: on_mqtt(&event.u.mqtt); break;
        case TH_LINK_EVENT_FAILED: on_failed(&event); break;
        case TH_LINK_EVENT_STOPPED: me.stopped = true; break;
        default: break;
        }
    }
    keep_tls_session();
    if (me.now_ms - me.begun_ms > me.limit_ms)
        die("time", "the limit is over");
}

static void sleep_at_most(uint32_t most_ms)
{
    uint32_t wait = th_link_deadline(&me.link, me.now_ms);
    th_linux_wait(&me.loop, wait < most_ms ? wait : most_ms);
}

/* ---- steps ---- */

static void step_up(char **argv)
{
    (void)argv;
    for (turn(); !me.up; turn())
        sleep_at_most(1000);
}

static void step_down(char **argv)
{
    (void)argv;
    for (turn(); !me.ever_down; turn())
        sleep_at_most(1000);
    me.ever_down = false;
}

static void step_sub(char **argv)
{
    me.filter = (struct th_mqtt_filter){.filter = th_span_str(argv[0]),
                                        .qos = (enum th_mqtt_qos)number(argv[1])};
    me.granted = false;
    enum th_error error;
    while ((error = th_mqtt_subscribe(&me.mqtt, &me.filter, 1, NULL, 0, NULL)) != TH_OK) {
        if (error != TH_ERR_AGAIN)
            die("subscribe", th_error_name(error));
        sleep_at_most(1000);
        turn();
    }
    for (; !me.granted; turn())
        sleep_at_most(1000);
}

static uint16_t publish(const struct th_mqtt_publish *publish)
{
    uint16_t id = 0;
    for (;;) {
        enum th_error error = th_mqtt_publish(&me.mqtt, publish, &id);
        if (error == TH_OK)
            break;
        if (error != TH_ERR_AGAIN && error != TH_ERR_OUTBOX_FULL && error != TH_ERR_NOT_CONNECTED)
            die("publish", th_error_name(error));
        turn();
        sleep_at_most(100);
    }
    return id;
}

/* "taken N" is a promise: from then on the outbox answers for it. What was "taking" when we were
 * killed may be in it or not. */
static void step_pub(char **argv)
{
    char text[64];
    unsigned long first = number(argv[2]), last = number(argv[3]);
    uint32_t begun_ms = me.now_ms;
    for (unsigned long n = first; n <= last; n++) {
        for (; me.pace && n - first > me.pace * (me.now_ms - begun_ms); turn())
            sleep_at_most(1);
        int len = snprintf(text, sizeof text, "%lu %040d", n, 0);
        const struct th_mqtt_publish message = {.topic = th_span_str(argv[0]),
                                                .payload = th_span_of(text, (size_t)len),
                                                .qos = (enum th_mqtt_qos)number(argv[1])};
        printf("taking %lu\n", n);
        uint16_t id = publish(&message);
        printf("taken %lu id=%u\n", n, id);
        turn();
    }
}

static void step_text(char **argv)
{
    const struct th_mqtt_property property = {
        .id = TH_MQTT_USER_PROPERTY, .text = th_span_str(argv[3]), .value = th_span_str(argv[4])};
    const struct th_mqtt_publish message = {.topic = th_span_str(argv[0]),
                                            .payload = th_span_str(argv[2]),
                                            .qos = (enum th_mqtt_qos)number(argv[1]),
                                            .retain = true,
                                            .properties = &property,
                                            .property_count = argv[3][0] != '\0'};
    publish(&message);
}

static size_t read_pattern(void *user, uint32_t offset, uint8_t *into, size_t room)
{
    (void)user;
    size_t len = me.source.len - offset < room ? me.source.len - offset : room;
    for (size_t i = 0; i < len; i++)
        into[i] = (uint8_t)((offset + i) % PATTERN);
    return len;
}

static void step_stream(char **argv)
{
    me.source = (struct th_mqtt_source){.read = read_pattern, .len = (uint32_t)number(argv[2])};
    me.streamed = (struct th_mqtt_publish){.topic = th_span_str(argv[0]),
                                           .source = &me.source,
                                           .qos = (enum th_mqtt_qos)number(argv[1])};
    me.sent = false;
    publish(&me.streamed);
    for (; me.streamed.qos == TH_MQTT_QOS0 && !me.sent; turn())
        sleep_at_most(100);
}

static void step_flush(char **argv)
{
    (void)argv;
    for (turn(); th_mqtt_pending(&me.mqtt) > 0; turn())
        sleep_at_most(1000);
}

static void step_expect(char **argv)
{
    unsigned long wanted = number(argv[0]);
    for (turn(); me.received < wanted; turn())
        sleep_at_most(1000);
}

static void step_drop(char **argv)
{
    (void)argv;
    me.up = false;
    th_link_restart(&me.link, me.now_ms, false);
    turn();
}

static void step_sleep(char **argv)
{
    uint32_t until = th_linux_now(&me.loop) + (uint32_t)number(argv[0]);
    for (turn(); !th_time_reached(me.now_ms, until); turn())
        sleep_at_most(th_time_until(me.now_ms, until));
}

static const struct {
    const char *name;
    int arguments;
    void (*run)(char **argv);
} steps[] = {
    {"up", 0, step_up},         {"sub", 2, step_sub},       {"pub", 4, step_pub},
    {"text", 5, step_text},     {"stream", 3, step_stream}, {"flush", 0, step_flush},
    {"expect", 1, step_expect}, {"drop", 0, step_drop},     {"down", 0, step_down},
    {"sleep", 1, step_sleep},
};

static void run_steps(int argc, char **argv)
{
    for (int i = 0; i < argc;) {
        size_t which = 0;
        while (which < sizeof steps / sizeof steps[0] && strcmp(steps[which].name, argv[i]) != 0)
            which++;
        if (which == sizeof steps / sizeof steps[0] || argc - i - 1 < steps[which].arguments)
            die(argv[i], "not a step, or too few arguments");
        steps[which].run(argv + i + 1);
        printf("step %s done\n", argv[i]);
        i += 1 + steps[which].arguments;
    }
}

/* ---- options ---- */

static bool set_text(const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {
        {"--host", &me.broker.host}, {"--name", &me.broker.server_name},
        {"--tls", &me.tls_name},     {"--ca", &me.ca},
        {"--cert", &me.cert},        {"--key", &me.key},
        {"--outbox", &me.outbox},    {"--tls-session", &me.tls_session},
        {"--save", &me.save},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].to = value;
            return true;
        }
    }
    return false;
}

static void set_option(const char *name, const char *value)
{
    if (set_text(name, value))
        return;
    if (strcmp(name, "--port") == 0)
        me.broker.port = (uint16_t)number(value);
    else if (strcmp(name, "--protocol") == 0)
        me.session.version = value[0] == '4' ? &th_mqtt_v311 : &th_mqtt_v5;
    else if (strcmp(name, "--fragment") == 0)
        me.fragment = (unsigned)number(value);
    else if (strcmp(name, "--id") == 0)
        me.session.client_id = th_span_str(value);
    else if (strcmp(name, "--keep-alive") == 0)
        me.session.keep_alive_s = (uint16_t)number(value);
    else if (strcmp(name, "--pace") == 0)
        me.pace = (uint32_t)number(value);
    else if (strcmp(name, "--answer") == 0)
        me.session.answer_timeout_ms = (uint32_t)number(value) * 1000;
    else if (strcmp(name, "--limit") == 0)
        me.limit_ms = (uint32_t)number(value) * 1000;
    else if (strcmp(name, "--user") == 0)
        me.session.user = th_span_str(value), me.session.user_set = true;
    else if (strcmp(name, "--password") == 0)
        me.session.password = th_span_str(value), me.session.password_set = true;
    else
        die(name, "not an option");
}

static int take_options(int argc, char **argv)
{
    int i = 1;
    me.broker.host = "127.0.0.1";
    me.session.version = &th_mqtt_v5;
    me.session.session_expiry_s = TH_MQTT_SESSION_NEVER_EXPIRES;
    while (i < argc && argv[i][0] == '-') {
        if (strcmp(argv[i], "--clean") == 0) {
            me.session.clean_start = true;
            i += 1;
        } else if (strcmp(argv[i], "--will") == 0 && i + 3 < argc) {
            me.will = (struct th_mqtt_will){.topic = th_span_str(argv[i + 1]),
                                            .payload = th_span_str(argv[i + 2]),
                                            .qos = (enum th_mqtt_qos)number(argv[i + 3])};
            me.session.will = &me.will;
            i += 4;
        } else if (i + 1 < argc) {
            set_option(argv[i], argv[i + 1]);
            i += 2;
        } else {
            die(argv[i], "its value is missing");
        }
    }
    return i;
}

/* ---- set-up ---- */

static void set_up_tls(void)
{
    struct th_failure failure;
    me.config.plaintext = !me.tls_name;
    if (!me.tls_name)
        return;
    if (!me.ca || th_linux_certificates_load(&me.anchors, me.ca, &failure) != TH_OK)
        die_of("--ca", &failure);
    if (me.cert && th_linux_identity_load(&me.identity, me.cert, me.key, &failure) != TH_OK)
        die_of("--cert", &failure);
    me.trust = (struct th_trust){.anchors = me.anchors.at,
                                 .anchor_count = me.anchors.count,
                                 .clock = {.kind = TH_CLOCK_TRUSTED, .now_s = time(NULL)}};
    me.tls = (struct th_tls_config){
        .trust = &me.trust,
        .identity = me.cert ? &me.identity.identity : NULL,
        .board = &me.board,
        .fragment_length = (enum th_fragment_length)(me.fragment == 16384 ? 0 : me.fragment)};
    me.config.tls_config = &me.tls;
    if (strcmp(me.tls_name, "bearssl") == 0) {
        th_bearssl_init(&me.bearssl, &th_bearssl_host, me.tls_in, TH_BEARSSL_IN(me.fragment),
                        me.tls_out, TH_BEARSSL_OUT(me.fragment));
        me.config.tls = (struct th_tls){&th_tls_bearssl, &me.bearssl};
    } else if (th_openssl_shared_init(&me.shared)) {
        th_openssl_init(&me.openssl, &me.shared, me.tls_in, BUFFER, me.tls_out, BUFFER);
        me.config.tls = (struct th_tls){&th_tls_openssl, &me.openssl};
    } else {
        die("OpenSSL", "cannot be set up");
    }
    me.config.scratch = th_span_of(me.scratch, sizeof me.scratch);
    me.config.session = me.stored;
    me.config.session_room = sizeof me.stored;
    me.config.session_len = &me.stored_len;
    FILE *file = me.tls_session ? fopen(me.tls_session, "rb") : NULL;
    if (file) {
        me.stored_len = me.written_len = fread(me.stored, 1, sizeof me.stored, file);
        fclose(file);
    }
}

static void set_up_outbox(void)
{
    struct th_failure failure;
    struct th_outbox_file_config config = {.path = me.outbox,
                                           .inbound_room = INBOUND,
                                           .protocol = me.session.version == &th_mqtt_v311 ? 4 : 5};
    if (!me.outbox) {
        me.session.outbox =
            th_outbox_ram_init(&me.ram, me.ram_at, sizeof me.ram_at, me.inbound, INBOUND);
        return;
    }
    if (th_outbox_file_open(&me.file, &config, &failure) != TH_OK)
        die_of("--outbox", &failure);
    me.session.outbox = th_outbox_file(&me.file);
    printf("outbox restored=%u cut=%u\n", (unsigned)me.file.restored, (unsigned)me.file.cut_bytes);
}

static void set_up(void)
{
    struct th_failure failure;
    if (!th_linux_init(&me.loop, &failure))
        die_of("loop", &failure);
    th_linux_net_init(&me.net, &me.loop);
    th_linux_board(&me.net, &me.board);
    set_up_tls();
    set_up_outbox();
    if (me.save && !(me.save_to = fopen(me.save, "wb")))
        die(me.save, "cannot be written");
    me.config.board = &me.board;
    me.config.brokers = &me.broker;
    me.config.broker_count = 1;
    me.config.plain_rx = me.plain_rx;
    me.config.plain_tx = me.plain_tx;
    me.config.plain_rx_room = me.config.plain_tx_room = BUFFER;
    me.config.times.backoff_first_ms = 200;
    me.config.times.backoff_max_ms = 1000;
    me.session.rx = me.rx;
    me.session.rx_room = sizeof me.rx;
    me.session.large = &th_mqtt_large;
    me.session.fields = &th_mqtt_connect_fields;
    enum th_error error = th_mqtt_init(&me.mqtt, &me.session);
    if (error == TH_OK)
        error = th_link_init(&me.link, &me.config, &me.mqtt);
    if (error != TH_OK)
        die("configuration", th_error_name(error));
}

int main(int argc, char **argv)
{
    int first = take_options(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 1 << 16); /* a line that was written survives kill -9 */
    set_up();
    me.begun_ms = me.now_ms = th_linux_now(&me.loop);
    th_link_start(&me.link, me.now_ms);
    run_steps(argc - first, argv + first);
    th_link_stop(&me.link, me.now_ms);
    for (turn(); !me.stopped; turn())
        sleep_at_most(100);
    if (me.save_to)
        fclose(me.save_to);
    th_linux_net_close(&me.net);
    th_linux_close(&me.loop);
    if (me.outbox)
        th_outbox_file_close(&me.file);
    th_linux_certificates_free(&me.anchors);
    th_linux_identity_free(&me.identity);
    if (me.tls_name && strcmp(me.tls_name, "openssl") == 0)
        th_openssl_shared_free(&me.shared);
    printf("END received=%lu\n", me.received);
    return 0;
}
