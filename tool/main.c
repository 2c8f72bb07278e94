/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "exits.h"
#include "key_pass.h"
#include "term.h"

static const struct command commands[] = {
    {"ca", ca_main, "the certificate authorities: init, show, export, import, rotate"},
    {"broker", broker_main, "a mosquitto that only your devices and users can use: init, run"},
    {"device", device_main, "devices: enrol, list"},
    {"user", user_main, "people and programs: add, list"},
    {"trust", trust_main, "what devices trust, signed: keygen, sign, show, push"},
    {"flash", flash_main, "looks into the flash of a device: inspect"},
    {"label", label_main, "what stands on a device: its set-up code, and a QR code"},
    {"call", call_main, "asks a device for something"},
    {"config", config_main, "a device's settings: get, set on trial, compare"},
    {"zone", zone_main, "switches a device's zones, and shows them"},
    {"log", log_main, "what a device has said, and what has failed"},
    {"watch", watch_main, "what devices are doing, live"},
    {"pub", pub_main, "publishes a message, a file, or lines"},
    {"sub", sub_main, "subscribes and prints what arrives"},
    {"profile", profile_main, "for brokers of others: AWS IoT Core, well-known authorities"},
    {"tls", tls_main, "judges a server as a device would, and explains"},
    {"doctor", doctor_main, "names the cause when something does not connect"},
    {"demo", demo_main, "shows the whole story with a real broker"},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void examples(void)
{
    printf("%sthimble%s puts small devices on an MQTT broker securely, and keeps them there.\n\n"
           "From nothing to a working broker (everything is kept in ~/.thimble, or --dir DIR):\n\n",
           term_out(TERM_BOLD), term_out(TERM_PLAIN));
    static const char *const rows[][2] = {
        {"thimble ca init", "ca/server.crt ca/device.crt ca/idevid.crt, their keys, registry.db"},
        {"thimble broker init", "broker/mosquitto.conf acl server.crt server.key clients.crl"},
        {"thimble broker run", "starts mosquitto in the foreground: broker/data/"},
        {"thimble device enrol lamp", "devices/lamp/device.key device.csr device.crt ca.crt"},
        {"thimble user add alice", "users/alice/user.key user.crt ca.crt, a line in broker/acl"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        printf("  %s%-26s%s %s\n", term_out(TERM_CYAN), rows[i][0], term_out(TERM_PLAIN),
               rows[i][1]);
    printf("\nAll commands: thimble --help. Exit codes: thimble --exit-codes.\n");
}

/* Started without standard input, output or error, the next files opened would pose as them. */
static void fill_standard_files(void)
{
    int file;
    do {
        file = open("/dev/null", O_RDWR);
    } while (file >= 0 && file <= STDERR_FILENO);
    if (file >= 0)
        close(file);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        examples();
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("thimble %s\n", THIMBLE_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--exit-codes") == 0) {
        exits_print();
        return EXIT_OK;
    }
    bool help = strcmp(argv[1], "help") == 0;
    if (help && argc > 2) { /* `thimble help ca` */
        char flag[] = "--help";
        char *asked[] = {argv[2], flag};
        return commands_run("", commands, COMMANDS, 2, asked);
    }
    return commands_run("", commands, COMMANDS, help ? 0 : argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    fill_standard_files();
    term_init();
    signal(SIGPIPE, SIG_IGN);
    int code = run(argc, argv);
    key_pass_wipe();
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    /* A reader that has seen enough is no error; a full disk is. */
    struct pollfd output = {STDOUT_FILENO, POLLOUT, 0};
    bool reader_gone = poll(&output, 1, 0) == 1 && (output.revents & POLLERR);
    if (code != EXIT_OK || reader_gone)
        return code;
    term.json = false;
    return fail(EXIT_FAILED, "the output could not be written\nfree space on its disk");
}
