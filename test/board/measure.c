/* SPDX-License-Identifier: MIT */
/* For scripts/footprint: runs the link demo in the measuring emulator through a full handshake, a
 * restart, a resumed handshake, commands and telemetry. Prints the plugin's report, and
 * "stack_peak BYTES". R11: the longest gap of the main loop by call site is among it. Usage:
 * measure lx106|mps2 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "qemu.h"

#define WAIT_MS 60000

static struct qemu qemu;
static struct broker broker;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "measure: %s; console:\n%s\n", what, qemu.text);
    broker_stop(&broker);
    exit(1);
}

static void expect(const char *text)
{
    if (qemu_expect(&qemu, text, WAIT_MS) == NULL)
        give_up(text);
}

static const char *ask(struct client *client, const char *command)
{
    client_publish(client, "board/from/host/rpc", command);
    const char *answer = client_expect(client, "board/to/host/rpc", WAIT_MS);
    if (answer == NULL)
        give_up(command);
    return answer;
}

/* After the full handshake: it reaches deepest. */
static void print_stack_peak(struct client *client)
{
    const char *memory = ask(client, "memory");
    unsigned peak = 0;

    if (sscanf(memory, "{\"stack_peak\":%u", &peak) != 1)
        give_up(memory);
    printf("stack_peak %u\n", peak);
}

static void print_report(void)
{
    char line[256];
    FILE *file = fopen(qemu_path(&qemu, "report"), "r");

    if (file == NULL)
        give_up("the plugin wrote no report");
    while (fgets(line, sizeof(line), file) != NULL)
        fputs(line, stdout);
    fclose(file);
}

int main(int argc, char **argv)
{
    char files[300], port[32], plugin[1024];

    qemu_prepare(&qemu, qemu_machine_named(argc > 1 ? argv[1] : ""), "link_demo.elf", NULL);
    broker_start(&broker, qemu_path(&qemu, "broker"));
    struct client *client = client_open(&broker, "board/#");
    snprintf(files, sizeof(files), "files=%s/device", broker.folder);
    snprintf(port, sizeof(port), "port=%d", broker.port);
    snprintf(plugin, sizeof(plugin), "%s/plugin.so,out=%s,board=%s", TH_BOARDS,
             qemu_path(&qemu, "report"), qemu.machine->name);
    qemu_start(&qemu, (const char *const[]){files, port, "version=5", "floor=1767225600", NULL},
               (const char *const[]){"-plugin", plugin, "-icount", "shift=0", NULL});
    expect("TLS negotiated");
    expect("subscribed");
    print_stack_peak(client);
    ask(client, "restart");
    expect("TLS resumed");
    expect("subscribed");
    client_expect(client, "board/telemetry/uptime_ms", WAIT_MS);
    qemu_command(&qemu, "quit", NULL);
    qemu_wait(&qemu, WAIT_MS);
    print_report();
    client_close(client);
    broker_stop(&broker);
    qemu_clear(&qemu);
    return 0;
}
