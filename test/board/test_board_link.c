/* SPDX-License-Identifier: MIT */
/* The link on a board, against a real mosquitto with mutual TLS:
 * test_board_link lx106|mps2|linux. One list; what only a chip can show is skipped elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker.h"
#include "qemu.h"

#define CONNECT_MS 20000

static const struct qemu_machine *machine;
static struct qemu qemu;
static struct broker broker;
static struct client *client;
static char folder[] = "/tmp/board-broker-XXXXXX";

static int start_broker(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    broker_start(&broker, folder);
    return 0;
}

static int stop_broker(void **state)
{
    char command[64];

    (void)state;
    broker_stop(&broker);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static int start(void **state)
{
    (void)state;
    qemu_prepare(&qemu, machine, "link_demo.elf", NULL);
    broker_restart(&broker); /* it forgets sessions and retained messages */
    client = client_open(&broker, "board/#");
    return 0;
}

static int clear(void **state)
{
    (void)state;
    qemu_clear(&qemu);
    client_close(client);
    return 0;
}

/* Starts the board with the usual parameters and some more. */
static void boot(const char *const *more, const char *const *options)
{
    char files[300], port[32];
    const char *parameters[16] = {files, port, "floor=1767225600", "backoff=200"};
    unsigned count = 4;

    snprintf(files, sizeof(files), "files=%s/device", broker.folder);
    snprintf(port, sizeof(port), "port=%d", broker.port);
    for (; more != NULL && *more != NULL; more++)
        parameters[count++] = *more;
    qemu_start(&qemu, parameters, options);
}

static void expect_console(const char *text)
{
    if (qemu_expect(&qemu, text, CONNECT_MS) == NULL)
        fail_msg("no \"%s\" on the console:\n%s", text, qemu.text);
}

static void expect_answer(const char *command, const char *beginning)
{
    client_publish(client, "board/from/host/rpc", command);
    const char *answer = client_expect(client, "board/to/host/rpc", CONNECT_MS);
    if (answer == NULL || strncmp(answer, beginning, strlen(beginning)) != 0)
        fail_msg("\"%s\" is answered \"%s\"; console:\n%s", command,
                 answer != NULL ? answer : "(nothing)", qemu.text);
}

static void connect_with(const char *parameter)
{
    boot((const char *const[]){parameter, NULL}, NULL);
    expect_console("TLS negotiated with TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    expect_console("subscribed");
    expect_answer("ping one", "pong one");
}

static void it_connects_with_mutual_tls_and_answers_over_3_1_1(void **state)
{
    (void)state;
    connect_with("version=4");
    assert_non_null(client_expect(client, "board/telemetry/uptime_ms", CONNECT_MS));
}

static void it_connects_with_mutual_tls_and_answers_over_5_0(void **state)
{
    (void)state;
    connect_with("version=5");
}

static void expect_status(const char *wanted)
{
    const char *status;

    do {
        status = client_expect(client, "board/status", CONNECT_MS);
        assert_non_null(status);
    } while (strcmp(status, wanted) != 0);
}

static void it_announces_itself_and_its_will_when_the_power_goes(void **state)
{
    (void)state;
    connect_with("keepalive=5");
    expect_status("online");
    qemu_kill(&qemu);
    expect_status("offline");
}

/* T10: the session lies in RTC memory; after a restart of the broker there is nothing to resume. */
static void the_tls_session_is_resumed_after_a_reset_and_not_after_a_broker_restart(void **state)
{
    (void)state;
    connect_with("version=4");
    expect_answer("restart", "in 300 ms");
    expect_console("TLS resumed");
    expect_answer("ping two", "pong two");
    /* The answer's acknowledgement must be through: one that finds the board reset is answered with
     * a TCP reset, and OpenSSL forgets a session that ends so. */
    usleep(500000);
    qemu_command(&qemu, "system_reset", NULL);
    expect_console("TLS resumed");
    expect_answer("ping three", "pong three");
    broker_restart(&broker);
    expect_console("TLS negotiated");
    expect_console("subscribed");
    expect_answer("ping four", "pong four");
}

static void a_crash_is_reported_over_mqtt(void **state)
{
    (void)state;
    connect_with("version=4");
    expect_answer("crash", "in 300 ms");
    const char *report = client_expect(client, "board/log", CONNECT_MS);
    assert_non_null(report);
    assert_memory_equal(report, "{\"reason\":\"exception\",\"pc\":\"", 28);
    expect_answer("ping", "pong");
}

static void a_hang_is_ended_by_the_watchdog_and_reported_over_mqtt(void **state)
{
    (void)state;
    connect_with("version=4");
    expect_answer("hang", "in 300 ms");
    const char *report = client_expect(client, "board/log", CONNECT_MS);
    assert_non_null(report);
    assert_memory_equal(report, "{\"reason\":\"watchdog\",\"pc\":\"", 27);
    expect_answer("ping", "pong");
}

/* R9 */
static void an_output_goes_off_on_time_while_the_loop_is_held(void **state)
{
    (void)state;
    char pins[512], trace[1024] = "";

    snprintf(pins, sizeof(pins), "pins-out=%s", qemu_path(&qemu, "pins"));
    boot((const char *const[]){pins, NULL}, QEMU_OWN_TIME);
    expect_console("subscribed");
    expect_answer("hold 3 600", "held");
    FILE *file = fopen(qemu_path(&qemu, "pins"), "r");
    assert_non_null(file);
    trace[fread(trace, 1, sizeof(trace) - 1, file)] = '\0';
    fclose(file);
    const char *on = strstr(trace, " 3 1\n"), *off = strstr(trace, " 3 0\n");
    assert_true(on != NULL && off != NULL);
    /* A process has the time of the host, which may be busy. */
    assert_in_range(strtol(off - 8, NULL, 16) - strtol(on - 8, NULL, 16), 599,
                    machine->is_process ? 700 : 602);
}

static void a_link_that_is_cut_under_load_comes_back(void **state)
{
    (void)state;
    boot((const char *const[]){"keepalive=5", "answer=3000", NULL}, NULL);
    expect_console("subscribed");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5; i++)
            client_publish(client, "board/from/host/rpc", "ping load");
        qemu_command(&qemu, "set_link", "{\"name\":\"net\",\"up\":false}");
        expect_console("failed in");
        qemu_command(&qemu, "set_link", "{\"name\":\"net\",\"up\":true}");
        expect_console("connected to MQTT");
        /* Answers of before the cut come first. */
        client_publish(client, "board/from/host/rpc", "ping after");
        const char *answer;
        do {
            answer = client_expect(client, "board/to/host/rpc", CONNECT_MS);
            assert_non_null(answer);
        } while (strcmp(answer, "pong after") != 0);
    }
}

static void a_broker_of_another_authority_is_refused(void **state)
{
    (void)state;
    struct broker other;
    char other_folder[] = "/tmp/board-broker-XXXXXX", port[32];

    assert_non_null(mkdtemp(other_folder));
    broker_start(&other, other_folder);
    snprintf(port, sizeof(port), "port=%d", other.port);
    char files[300];
    snprintf(files, sizeof(files), "files=%s/device", broker.folder);
    qemu_start(&qemu, (const char *const[]){files, port, NULL}, NULL);
    expect_console("failed in tls: trust: ");
    assert_null(strstr(qemu.text, "connected to MQTT"));
    broker_stop(&other);
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", other_folder);
    assert_int_equal(system(command), 0);
}

static void a_broker_of_another_name_is_refused(void **state)
{
    (void)state;
    boot((const char *const[]){"name=broker.example", NULL}, NULL);
    expect_console("failed in tls: server name: ");
    assert_null(strstr(qemu.text, "connected to MQTT"));
}

/* mosquitto's order of suites counts, not the board's: our configuration must ask for it. */
static void the_broker_that_thimble_sets_up_negotiates_chacha20(void **state)
{
    (void)state;
    struct broker ours;
    char files[300], port[32];

    broker_start_thimble(&ours, qemu.folder);
    snprintf(files, sizeof(files), "files=%s/device", ours.folder);
    snprintf(port, sizeof(port), "port=%d", ours.port);
    qemu_start(&qemu, (const char *const[]){files, port, "floor=1767225600", NULL}, NULL);
    expect_console("TLS negotiated with TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    expect_console("subscribed");
    broker_stop(&ours);
}

/* T13 */
static void without_entropy_there_is_no_handshake(void **state)
{
    (void)state;
    boot((const char *const[]){"entropy=/dev/zero", NULL}, NULL);
    expect_console("failed in tls");
    assert_null(strstr(qemu.text, "TLS negotiated"));
}

static void it_does_not_start_without_its_certificates(void **state)
{
    (void)state;
    qemu_start(&qemu, (const char *const[]){"files=/nowhere", NULL}, NULL);
    assert_int_equal(qemu_wait(&qemu, 10000), 1);
    assert_non_null(strstr(qemu.text, "cannot load /nowhere/ca.der"));
}

/* DESIGN's budget. */
static void the_stack_stays_within_five_and_a_half_kilobytes(void **state)
{
    (void)state;
    if (machine->is_process)
        skip(); /* its stack is the system's */
    connect_with("version=5");
    client_publish(client, "board/from/host/rpc", "memory");
    const char *answer = client_expect(client, "board/to/host/rpc", CONNECT_MS);
    unsigned peak = 0;
    assert_non_null(answer);
    assert_int_equal(sscanf(answer, "{\"stack_peak\":%u", &peak), 1);
    print_message("stack peak %u bytes\n", peak);
    assert_in_range(peak, 2048, 5632);
}

/* CHIPS.md's rules, over handshakes, resumption, traffic and a restart. */
static void nothing_in_the_link_breaks_the_access_rules_of_the_chip(void **state)
{
    (void)state;
    char plugin[1024], report[8192] = "";

    if (machine != &qemu_lx106)
        skip();
    snprintf(plugin, sizeof(plugin), "%s/plugin.so,out=%s,board=lx106", TH_BOARDS,
             qemu_path(&qemu, "report"));
    boot((const char *const[]){"version=5", NULL}, (const char *const[]){"-plugin", plugin, NULL});
    expect_console("subscribed");
    expect_answer("ping", "pong");
    expect_answer("memory", "{");
    expect_answer("restart", "in 300 ms");
    expect_console("TLS resumed");
    expect_answer("ping", "pong");
    qemu_command(&qemu, "quit", NULL);
    qemu_wait(&qemu, 10000);
    FILE *file = fopen(qemu_path(&qemu, "report"), "r");
    assert_non_null(file);
    report[fread(report, 1, sizeof(report) - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(report, "instructions "));
    if (strstr(report, "violation") != NULL)
        fail_msg("%s", strstr(report, "violation"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, clear)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(it_connects_with_mutual_tls_and_answers_over_3_1_1),
        TEST(it_connects_with_mutual_tls_and_answers_over_5_0),
        TEST(it_announces_itself_and_its_will_when_the_power_goes),
        TEST(the_tls_session_is_resumed_after_a_reset_and_not_after_a_broker_restart),
        TEST(a_crash_is_reported_over_mqtt),
        TEST(a_hang_is_ended_by_the_watchdog_and_reported_over_mqtt),
        TEST(an_output_goes_off_on_time_while_the_loop_is_held),
        TEST(a_link_that_is_cut_under_load_comes_back),
        TEST(a_broker_of_another_authority_is_refused),
        TEST(a_broker_of_another_name_is_refused),
        TEST(the_broker_that_thimble_sets_up_negotiates_chacha20),
        TEST(without_entropy_there_is_no_handshake),
        TEST(it_does_not_start_without_its_certificates),
        TEST(the_stack_stays_within_five_and_a_half_kilobytes),
        TEST(nothing_in_the_link_breaks_the_access_rules_of_the_chip),
    };

    machine = qemu_machine_named(argc > 1 ? argv[1] : "");
    return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
