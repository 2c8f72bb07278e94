/* SPDX-License-Identifier: MIT */
/* A device on an emulated board: address by DHCP, mutual TLS, MQTT, telemetry, commands; the TLS
 * session is kept over resets. The parameters are in docs/porting.md. */
#include "link_demo.h"

#include <cpu.h>
#include <string.h>
#include <thimble/time.h>

/* The ESP8266's own software watchdog waits about as long. */
#define WATCHDOG_MS 3200

/* Where the loop spends its time, for the measuring emulator. */
enum mark {
    MARK_START = 1,
    MARK_ADDRESS,
    MARK_TCP,
    MARK_TLS_FULL,
    MARK_TLS_RESUMED,
    MARK_CONNECTED,
    MARK_PUBLISHED,
    MARK_TELEMETRY_BEGIN,
    MARK_TELEMETRY_SENT,
    MARK_LOOP_IDLE = 16,
    MARK_LOOP_NETWORK,
    MARK_LOOP_LINK,
    MARK_LOOP_EVENT,
    MARK_LOOP_TELEMETRY,
};

static struct demo demo;

/* ---- the stored session: its length, then its bytes ---- */

static void keep_session(void)
{
    uint8_t kept[TH_RTC_BYTES] = {(uint8_t)demo.session_len};

    _Static_assert(TH_SESSION_BEARSSL < TH_RTC_BYTES && TH_SESSION_BEARSSL < 256, "RTC memory");
    memcpy(kept + 1, demo.session, demo.session_len);
    demo.board.rtc.ops->write(NULL, kept);
}

static void recall_session(void)
{
    uint8_t kept[TH_RTC_BYTES];

    demo.board.rtc.ops->read(NULL, kept);
    if (kept[0] > sizeof(demo.session))
        return;
    demo.session_len = kept[0];
    memcpy(demo.session, kept + 1, demo.session_len);
}

/* ---- events ---- */

static void tell_crash(void)
{
    struct th_crash crash;
    struct demo_text text = {.len = 0};

    if (demo.crash_told || !th_machine_crash(&crash))
        return;
    demo.crash_told = true;
    TEXT(&text, "{\"reason\":\"%s\",\"pc\":\"%08x\",\"return\":\"%08x\",\"cause\":%u,",
         crash.reason == TH_RESET_WATCHDOG ? "watchdog" : "exception", crash.pc,
         crash.return_address, crash.cause);
    TEXT(&text, "\"address\":\"%08x\",\"uptime_ms\":%u}", crash.address, crash.uptime_ms);
    demo_publish(&demo, "log", th_span_of(text.at, text.len), TH_MQTT_QOS1, false);
}

static void on_connected(const struct th_mqtt_connack *connack)
{
    struct demo_text filter = {.len = 0};

    th_cpu_mark(MARK_CONNECTED);
    SAY("connected to MQTT, session present %d\n", connack->session_present);
    TEXT(&filter, "%s/from/+/rpc", demo.id);
    struct th_mqtt_filter wanted = {.filter = th_span_of(filter.at, filter.len),
                                    .qos = TH_MQTT_QOS1};
    th_mqtt_subscribe(&demo.mqtt, &wanted, 1, NULL, 0, NULL);
    demo_publish(&demo, "status", TH_SPAN("online"), TH_MQTT_QOS1, true);
    tell_crash();
    demo.telemetry_at_ms = th_timer_now_ms();
}

static void on_mqtt(const struct th_mqtt_event *event)
{
    switch (event->kind) {
    case TH_MQTT_EVENT_CONNECTED: on_connected(&event->u.connack); break;
    case TH_MQTT_EVENT_SUBSCRIBED: SAY("subscribed\n"); break;
    case TH_MQTT_EVENT_MESSAGE: demo_command(&demo, &event->u.message); break;
    case TH_MQTT_EVENT_PUBLISHED: th_cpu_mark(MARK_PUBLISHED); break;
    default: break;
    }
}

static void on_tls(const struct th_tls_info *info, uint32_t took_ms)
{
    th_cpu_mark(info->resumed ? MARK_TLS_RESUMED : MARK_TLS_FULL);
    SAY("TLS %s with %s in %u ms, %u bytes in, %u out\n", info->resumed ? "resumed" : "negotiated",
        info->suite_name, took_ms, info->bytes_in, info->bytes_out);
}

static void on_failed(const struct th_failure *failure, enum th_link_state in, uint32_t retry_ms)
{
    char text[200];

    th_failure_text(failure, text, sizeof(text));
    SAY("failed in %s: %s; %s\n", th_link_state_name(in), text, th_error_remedy(failure->error));
    SAY("again in %u ms\n", retry_ms);
}

static void on_link(const struct th_link_event *event)
{
    switch (event->kind) {
    case TH_LINK_EVENT_TCP:
        th_cpu_mark(MARK_TCP);
        SAY("TCP connected in %u ms\n", event->u.tcp.took_ms);
        break;
    case TH_LINK_EVENT_TLS: on_tls(&event->u.tls.info, event->u.tls.took_ms); break;
    case TH_LINK_EVENT_MQTT: on_mqtt(&event->u.mqtt); break;
    case TH_LINK_EVENT_FAILED:
        on_failed(&event->u.failed.failure, event->u.failed.in, event->u.failed.retry_ms);
        break;
    default: break;
    }
    keep_session();
}

/* ---- the loop ---- */

/* True when there was something to tell. */
static bool telemetry(uint32_t now)
{
    struct demo_text text = {.len = 0};

    if (th_link_state(&demo.link) != TH_LINK_UP || !th_time_reached(now, demo.telemetry_at_ms))
        return false;
    demo.telemetry_at_ms = now + TELEMETRY_MS;
    demo_loan_note(now);
    TEXT(&text, "%u", now);
    th_cpu_mark(MARK_TELEMETRY_BEGIN);
    demo_publish(&demo, "telemetry/uptime_ms", th_span_of(text.at, text.len), TH_MQTT_QOS0, false);
    return true;
}

/* One round of everything that moves bytes. */
static void drive_link(void)
{
    while (th_link_next(&demo.link, th_timer_now_ms(), &demo.event)) {
        th_cpu_mark(MARK_LOOP_LINK);
        on_link(&demo.event);
        th_cpu_mark(MARK_LOOP_EVENT);
        th_machine_net_poll();
    }
}

static void wait_for_work(void)
{
    uint32_t now = th_timer_now_ms();
    uint32_t wait = th_time_sooner(th_machine_net_deadline(), th_link_deadline(&demo.link, now));

    if (th_link_state(&demo.link) == TH_LINK_UP)
        wait = th_time_sooner(wait, th_time_until(now, demo.telemetry_at_ms));
    if (demo.action != NULL)
        wait = th_time_sooner(wait, th_time_until(now, demo.action_at_ms));
    wait = th_time_sooner(wait, WATCHDOG_MS / 2);
    th_machine_idle(now + wait);
    th_cpu_mark(MARK_LOOP_IDLE);
}

static void run_once(void)
{
    demo.board.system.ops->feed_watchdog(NULL);
    th_machine_net_poll();
    th_cpu_mark(MARK_LOOP_NETWORK);
    bool given = telemetry(th_timer_now_ms());
    th_cpu_mark(MARK_LOOP_TELEMETRY);
    drive_link();
    th_cpu_mark(given ? MARK_TELEMETRY_SENT : MARK_LOOP_LINK);
    if (demo.action != NULL && th_time_reached(th_timer_now_ms(), demo.action_at_ms))
        demo.action(&demo);
    wait_for_work();
}

static void wait_for_address(void)
{
    while (!demo.board.net.ops->up(demo.board.net.ctx)) {
        demo.board.system.ops->feed_watchdog(NULL);
        th_machine_net_poll();
        th_machine_idle(th_timer_now_ms() +
                        th_time_sooner(th_machine_net_deadline(), WATCHDOG_MS / 2));
    }
    uint8_t ip[4];
    th_machine_net_address(ip);
    th_cpu_mark(MARK_ADDRESS);
    SAY("address %u.%u.%u.%u\n", ip[0], ip[1], ip[2], ip[3]);
}

/* All memory is reserved now, or the device does not start (it never runs out later). */
static bool start(void)
{
    demo.board = th_machine_board(th_machine_net());
    if (!demo_configure(&demo))
        return false;
    recall_session();
    enum th_error error = th_mqtt_init(&demo.mqtt, &demo.mqtt_config);
    if (error == TH_OK)
        error = th_link_init(&demo.link, &demo.link_config, &demo.mqtt);
    if (error == TH_OK && th_tls_bearssl.scratch_size > LOAN_BYTES)
        error = TH_ERR_MEMORY_HANDSHAKE;
    if (error != TH_OK)
        SAY("cannot start: %s; a handshake needs %u bytes of %u\n", th_error_text(error),
            (unsigned)th_tls_bearssl.scratch_size, (unsigned)LOAN_BYTES);
    return error == TH_OK;
}

int th_main(void)
{
    struct th_machine_slot slot;

    th_machine_start();
    th_cpu_mark(MARK_START);
    slot = th_machine_slot();
    SAY("Thimble link demo, slot %u%s, reset reason %d\n", slot.index,
        slot.trial ? " on trial" : "", th_machine_reset_reason());
    th_timer_watchdog_start(WATCHDOG_MS);
    th_machine_net_start();
    if (!start())
        return 1;
    wait_for_address();
    th_link_start(&demo.link, th_timer_now_ms());
    th_cpu_mark(MARK_LOOP_LINK);
    for (;;)
        run_once();
}
