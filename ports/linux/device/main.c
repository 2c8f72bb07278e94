/* SPDX-License-Identifier: MIT */
/* thimble-device: a device as a Linux process. Its flash is a file. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <thimble/time.h>

#include "stores.h"

enum { EXIT_USAGE = 2, SETS_MAX = 32 };

enum verb { VERB_RUN, VERB_CSR, VERB_BUNDLE, VERB_RESET, VERB_DECOMMISSION, VERB_SHOW };

struct arguments {
    struct machine_options machine;
    enum verb verb;
    bool json;
    const char *name, *out, *bundle;
    const char *trust;
    const char *sets[SETS_MAX];
    int set_count;
};

static struct machine machine;
static struct th_device device;

/* ---- words ---- */

static void usage(FILE *to)
{
    fputs(
        "usage: thimble-device --flash FILE [options]\n"
        "\n"
        "Runs a device whose flash is FILE, until SIGTERM. A new file is a blank device.\n"
        "\n"
        "  --csr                asks for certificates over keys made here, and ends\n"
        "  --name NAME          of the device, for --csr [that of its last request]\n"
        "  --out FILE           of the request, for --csr [standard output]\n"
        "  --bundle FILE        takes what thimble device enrol has answered, and ends\n"
        "  --show               says who the device is and whom it trusts, and ends\n"
        "  --json               that as JSON\n"
        "  --factory-reset      erases certificate, key, trust, settings, sessions, and ends\n"
        "  --decommission       erases every secret, the birth key too, and ends\n"
        "\n"
        "  --flash FILE         its flash; one process at a time\n"
        "  --geometry NAME      of that flash: chip or lx106 [chip]\n"
        "  --tls NAME           openssl or bearssl [openssl]\n"
        "  --set NAME=VALUE     puts settings on trial for the next run, and ends; again for more\n"
        "  --trust FILE         puts a trust bundle on trial for the next run, and ends\n"
        "  --console PATH       the serial console: a terminal, such as one end of a PTY, or - "
        "for\n"
        "                       standard input and output; takes one JSON frame a line besides\n"
        "  --access-point INTERFACE=ADDRESS\n"
        "                       in configuration mode: addresses, names and the page for whoever\n"
        "                       joins that network, whose interface has this address already\n"
        "  --board NAME=VALUE   what the board is; again for more:\n"
        "      wifi=FILE        a radio; FILE holds ssid=, pass=, gone=, mute=, dhcp_silent=\n"
        "      gpio=CHIP        pin n is line n of that GPIO chip: gpiochip0, 0, or its label\n"
        "      pull=NAME        of pins that are inputs: up, down or none [up]\n"
        "      spi=DEVICE       the byte of zones.driver=spi, such as /dev/spidev0.0\n"
        "      adc=NAME         Ain0 to Ain7: the IIO converter of that name, or iio:device0\n"
        "      mux=A,B,C        pins that select one of 8 inputs before the converter's first,\n"
        "                       the lowest bit first\n"
        "      sysfs=DIR        where converters are looked for [/sys]\n"
        "      pins=FILE        instead of these, 32 virtual pins, a byte over SPI and 16 analog\n"
        "                       inputs, in FILE, to be watched there: thimble device run --pins\n"
        "      reset=REASON     power-on, restart, watchdog, crash [power-on]\n"
        "      clock=host[+S]   the host's clock, S seconds off, is trusted\n"
        "      counter=MS       the counter of milliseconds begins so much later\n"
        "      dns=SERVERS      name servers instead of the system's\n"
        "  --http ADDRESS:PORT  serves the page there in configuration mode, such as\n"
        "                       127.0.0.1:8080 (port 0: any) [nowhere]; elsewhere than on this\n"
        "                       host only with the setting http.lan, as others could alter it\n"
        "  --help, --version\n",
        to);
}

static int wrong(const char *what, const char *found)
{
    fprintf(stderr, "thimble-device: %s '%s'\n  next: thimble-device --help\n", what, found);
    return EXIT_USAGE;
}

static void say(void *user, const char *line)
{
    (void)user;
    if (!console_say(&machine.console, line))
        printf("%s\n", line);
}

/* Changes for the next run are no start to tell of; but a code that was made is told once. */
static void say_code(void *user, const char *line)
{
    if (strncmp(line, "set-up code: ", 13) == 0)
        say(user, line);
}

static int failed(const char *what, const struct th_failure *failure)
{
    char text[256];

    th_failure_text(failure, text, sizeof text);
    fprintf(stderr, "thimble-device: %s: %s\n  next: %s\n", what, text,
            th_error_remedy(failure->error));
    return EXIT_FAILURE;
}

/* ---- options ---- */

static const char *const reasons[] = {"power-on", "restart", "watchdog", "crash"};

static bool take_reset(const char *value, enum th_reset_reason *out)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strcmp(value, reasons[i]) == 0) {
            *out = (enum th_reset_reason)i;
            return true;
        }
    }
    return false;
}

static bool take_clock(const char *value, struct machine_options *options)
{
    char *end = NULL;

    if (strncmp(value, "host", 4) != 0)
        return false;
    options->host_clock = true;
    errno = 0;
    options->clock_off_s = value[4] ? strtoll(value + 4, &end, 10) : 0;
    return errno == 0 && (!end || (end != value + 4 && *end == '\0'));
}

static bool take_counter(const char *value, uint32_t *out)
{
    char *end;

    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    *out = (uint32_t)number;
    return errno == 0 && end != value && *end == '\0' && number <= UINT32_MAX;
}

static bool take_pull(const char *value, enum th_linux_pull *out)
{
    static const char *const pulls[] = {"up", "down", "none"};

    for (size_t i = 0; i < sizeof pulls / sizeof pulls[0]; i++) {
        if (strcmp(value, pulls[i]) == 0) {
            *out = (enum th_linux_pull)i;
            return true;
        }
    }
    return false;
}

/* Three different numbers of pins. */
static bool take_mux(const char *value, struct machine_options *options)
{
    uint8_t *pins = options->mux_pins;
    char *end;

    for (int i = 0; i < 3; i++) {
        unsigned long pin = strtoul(value, &end, 10);
        if (*value < '0' || *value > '9' || pin >= TH_LINUX_WIRES || *end != (i < 2 ? ',' : '\0'))
            return false;
        pins[i] = (uint8_t)pin;
        value = end + 1;
    }
    options->has_mux = true;
    return pins[0] != pins[1] && pins[0] != pins[2] && pins[1] != pins[2];
}

/* True when it is one of those that are text and no more. */
static bool take_board_text(const char *name, const char *value, struct machine_options *options)
{
    const struct {
        const char *name, **into;
    } texts[] = {{"wifi", &options->wifi},      {"pins", &options->pins},
                 {"gpio", &options->real.chip}, {"spi", &options->real.spi},
                 {"adc", &options->adc},        {"sysfs", &options->sysfs},
                 {"dns", &options->dns}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].into = value;
            return *value != '\0';
        }
    }
    return false;
}

static bool take_board(const char *text, struct machine_options *options)
{
    char name[16];
    size_t len = strcspn(text, "=");
    const char *value = text + len + 1;

    if (text[len] == '\0' || len >= sizeof name)
        return false;
    memcpy(name, text, len);
    name[len] = '\0';
    if (strcmp(name, "reset") == 0)
        return take_reset(value, &options->reset);
    if (strcmp(name, "clock") == 0)
        return take_clock(value, options);
    if (strcmp(name, "counter") == 0)
        return take_counter(value, &options->counter_ms);
    if (strcmp(name, "pull") == 0)
        return take_pull(value, &options->real.pull);
    if (strcmp(name, "mux") == 0)
        return take_mux(value, options);
    return take_board_text(name, value, options);
}

/* An address as it is, no name: [::1]:8080, 127.0.0.1:0. */
static bool take_http(const char *value, struct th_address *out)
{
    const char *port = strrchr(value, ':');
    char address[TH_ADDRESS_TEXT_MAX], *end;

    if (!port || (size_t)(port - value) >= sizeof address || port[1] < '0' || port[1] > '9')
        return false;
    memcpy(address, value, (size_t)(port - value));
    address[port - value] = '\0';
    unsigned long number = strtoul(port + 1, &end, 10);
    bool good = *end == '\0' && number <= UINT16_MAX && th_address_parse(address, out);
    out->port = (uint16_t)number;
    return good;
}

static bool one_of(const char *value, const char *a, const char *b)
{
    return strcmp(value, a) == 0 || strcmp(value, b) == 0;
}

/* False when it is no flag; `*code` is not 0 after an error it has printed. */
static bool take_flag(struct arguments *arguments, const char *name, int *code)
{
    static const struct {
        const char *name;
        enum verb verb;
    } verbs[] = {{"--csr", VERB_CSR},
                 {"--show", VERB_SHOW},
                 {"--factory-reset", VERB_RESET},
                 {"--decommission", VERB_DECOMMISSION}};

    if (strcmp(name, "--json") == 0) {
        arguments->json = true;
        return true;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(name, verbs[i].name) != 0)
            continue;
        if (arguments->verb != VERB_RUN && arguments->verb != verbs[i].verb)
            *code = wrong("one thing at a time, not also", name);
        arguments->verb = verbs[i].verb;
        return true;
    }
    return false;
}

/* False when it is none of those that belong to a verb. */
static bool take_verb_option(struct arguments *arguments, const char *name, const char *value)
{
    if (strcmp(name, "--name") == 0)
        arguments->name = value;
    else if (strcmp(name, "--out") == 0)
        arguments->out = value;
    else if (strcmp(name, "--bundle") == 0)
        arguments->bundle = value;
    else
        return false;
    return true;
}

/* 0, or the exit code after an error it has printed. */
static int take_option(struct arguments *arguments, const char *name, const char *value)
{
    struct access_point probe;
    struct machine_options *options = &arguments->machine;

    if (strcmp(name, "--flash") == 0)
        options->flash = value;
    else if (strcmp(name, "--trust") == 0)
        arguments->trust = value;
    else if (strcmp(name, "--console") == 0)
        options->console = value;
    else if (strcmp(name, "--access-point") == 0 && access_point_init(&probe, value, NULL))
        options->access_point = value;
    else if (strcmp(name, "--access-point") == 0)
        return wrong("--access-point takes a value such as wlan0=192.168.4.1, not", value);
    else if (take_verb_option(arguments, name, value))
        return 0;
    else if (strcmp(name, "--geometry") == 0 && one_of(value, "chip", "lx106"))
        options->geometry = value;
    else if (strcmp(name, "--tls") == 0 && one_of(value, "openssl", "bearssl"))
        options->backend = value;
    else if (strcmp(name, "--board") == 0 && take_board(value, options))
        return 0;
    else if (strcmp(name, "--http") == 0 && take_http(value, &options->http))
        return 0;
    else if (strcmp(name, "--http") == 0)
        return wrong("--http takes an address and a port, such as 127.0.0.1:8080, not", value);
    else if (strcmp(name, "--set") == 0 && arguments->set_count < SETS_MAX && strchr(value, '='))
        arguments->sets[arguments->set_count++] = value;
    else if (one_of(name, "--geometry", "--tls") || one_of(name, "--board", "--set"))
        return wrong(name, value);
    else
        return wrong("there is no option", name);
    return 0;
}

/* What belongs together on a board. */
static int check_board(const struct machine_options *options)
{
    if (options->pins && (options->real.chip || options->real.spi || options->adc))
        return wrong("virtual pins are instead of gpio, spi and adc, not beside",
                     options->real.chip  ? options->real.chip
                     : options->real.spi ? options->real.spi
                                         : options->adc);
    if (options->has_mux && !(options->real.chip && options->adc))
        return wrong("a multiplexer needs gpio=CHIP and", "adc=NAME");
    return 0;
}

static int check_arguments(struct arguments *arguments)
{
    int code = check_board(&arguments->machine);

    if (code != 0)
        return code;
    if (arguments->bundle && arguments->verb != VERB_RUN)
        return wrong("one thing at a time, not also", "--bundle");
    if (arguments->bundle)
        arguments->verb = VERB_BUNDLE;
    if (arguments->verb != VERB_RUN && (arguments->set_count > 0 || arguments->trust))
        return wrong("one thing at a time, not also", arguments->trust ? "--trust" : "--set");
    if ((arguments->name || arguments->out) && arguments->verb != VERB_CSR)
        return wrong("for --csr alone:", arguments->name ? "--name" : "--out");
    if (arguments->machine.console && arguments->verb != VERB_RUN)
        return wrong("for a device that runs:", "--console");
    if (arguments->json && arguments->verb != VERB_SHOW)
        return wrong("for --show alone:", "--json");
    return arguments->machine.flash ? 0 : wrong("there is no", "--flash FILE");
}

static int take_arguments(struct arguments *arguments, int argc, char **argv)
{
    arguments->machine =
        (struct machine_options){.geometry = "chip", .backend = "openssl", .sysfs = "/sys"};
    for (int i = 1; i < argc; i += 2) {
        int code = 0;
        if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            exit(EXIT_SUCCESS);
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("thimble-device " THIMBLE_VERSION);
            exit(EXIT_SUCCESS);
        }
        if (take_flag(arguments, argv[i], &code))
            i--; /* it has no value */
        else if (i + 1 == argc)
            return wrong("a value is missing behind", argv[i]);
        else
            code = take_option(arguments, argv[i], argv[i + 1]);
        if (code != 0)
            return code;
    }
    return check_arguments(arguments);
}

/* ---- starting ---- */

static uint32_t now(void)
{
    return machine.board.clock.ops->now_ms(machine.board.clock.ctx);
}

static int start(void)
{
    struct th_failure failure;

    machine.restart = false;
    failure = th_failure_of(th_device_start(&device, &machine.config, now()));
    if (failure.error != TH_OK)
        return failed("start", &failure);
    if (machine.options.host_clock)
        th_device_set_clock(&device, TH_CLOCK_TRUSTED,
                            ((int64_t)time(NULL) + machine.options.clock_off_s) * 1000, now());
    return EXIT_SUCCESS;
}

/* ---- changes from the outside, for the next run ---- */

static int put_one(struct th_settings_change *change, const char *text)
{
    size_t name = strcspn(text, "=");
    const char *value = text + name + 1, *why = "";
    const struct th_setting *setting = th_setting_find(th_span_of(text, name));

    if (!setting)
        return wrong("there is no setting", text);
    enum th_error error = th_settings_put(change, setting, th_span_str(value), &why);
    if (error == TH_OK)
        return 0;
    fprintf(stderr, "thimble-device: %s: %s\n  next: choose another value; %s\n", setting->name,
            error == TH_ERR_INVALID ? why : th_error_text(error), th_setting_help(setting));
    return EXIT_FAILURE;
}

static int try_settings(const struct arguments *arguments)
{
    struct th_settings in_force = {&device.log, TH_RECORD_SETTINGS};
    struct th_settings_change change;

    struct th_failure failure =
        th_failure_of(th_settings_begin(&change, &in_force, machine.work, sizeof machine.work));
    if (failure.error != TH_OK)
        return failed("settings", &failure);
    for (int i = 0; i < arguments->set_count; i++) {
        int code = put_one(&change, arguments->sets[i]);
        if (code != 0) {
            th_settings_drop(&change);
            return code;
        }
    }
    failure = th_failure_of(th_device_try_settings(&device, &change, "", now()));
    if (failure.error != TH_OK)
        return failed("settings", &failure);
    puts("the settings are on trial from the next run on");
    return EXIT_SUCCESS;
}

static int try_trust(const char *path)
{
    static uint8_t bytes[TH_TRUST_BUNDLE_MAX + 1];
    struct th_failure failure = th_failure_of(TH_ERR_FILE_MISSING);
    FILE *file = fopen(path, "rb");

    th_failure_name(&failure, th_span_str(path));
    if (!file)
        return failed("trust bundle", &failure);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    failure.error = th_device_try_trust(&device, th_span_of(bytes, len), "", now());
    if (failure.error != TH_OK)
        return failed("trust bundle", &failure);
    puts("the trust bundle is on trial from the next run on");
    return EXIT_SUCCESS;
}

/* ---- running ---- */

static bool ended(struct th_linux_watch *signals)
{
    struct signalfd_siginfo info;

    if (!signals->ready)
        return false;
    signals->ready = false;
    return read(signals->fd, &info, sizeof info) == (ssize_t)sizeof info;
}

/* What the pins answer, each thing once, and not more than one a second: several may be wrong, and
 * they are asked again and again. */
static void tell_of_pins(void)
{
    static char told[8][TH_LINUX_WHY];
    static uint32_t told_ms, count;
    const char *why = th_linux_pins_why(&machine.pins);

    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        if (strcmp(why, told[i]) == 0) /* which are empty at first */
            return;
    }
    if (count > 0 && now() - told_ms < 1000)
        return;
    told_ms = now();
    snprintf(told[count++ % (sizeof told / sizeof told[0])], TH_LINUX_WHY, "%s", why);
    printf("pins: %s\n", why);
}

/* Where the page is, once it is open. */
static void tell_page(void)
{
    static bool told;
    struct th_address at;
    char text[TH_ADDRESS_TEXT_MAX];
    bool open = th_config_mode_open(&machine.page) && th_linux_listen_at(&machine.listener, &at);

    if (open && !told) {
        th_address_text(&at, text);
        printf("the page is at http://%s/config\n", text);
    }
    told = open;
}

static int run(void)
{
    struct th_linux_watch signals;
    sigset_t mask;
    bool stopping = false;
    int code = EXIT_SUCCESS;

    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    int fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0 || !th_linux_watch(&machine.loop, &signals, fd))
        return EXIT_FAILURE;
    while (!stopping || !th_device_stopped(&device)) {
        if (machine.restart) {
            machine.reset = TH_RESET_REQUESTED;
            if (start() != EXIT_SUCCESS)
                break;
        }
        th_device_step(&device, now());
        console_step(&machine.console, now());
        tell_page();
        tell_of_pins();
        /* Whoever runs this starts it anew, which begins with everything off. */
        if (th_linux_pins_lost(&machine.pins)) {
            printf("pins: %s\n", wiring_rescue(&machine) ? "what was on is off; this process ends"
                                                         : "what is on could not be switched off");
            code = EXIT_FAILURE;
            break;
        }
        uint32_t wait_ms =
            access_point_step(&machine.point, &device, &machine.page, &machine.listener, now());
        if (!machine.restart)
            th_linux_wait(&machine.loop,
                          th_time_sooner(wait_ms, th_device_deadline(&device, now())));
        if (ended(&signals)) {
            stopping = true;
            th_device_stop(&device, now());
        }
    }
    th_linux_unwatch(&signals);
    close(fd);
    return code;
}

/* The device does not start: what is done here is there at its next start. */
static int run_verb(const struct arguments *arguments)
{
    static struct stores stores;
    int code = stores_open(&stores, &machine);

    if (code != EXIT_SUCCESS)
        return code;
    switch (arguments->verb) {
    case VERB_CSR: return csr_main(&stores, arguments->name, arguments->out);
    case VERB_BUNDLE: return bundle_main(&stores, arguments->bundle);
    case VERB_RESET: return reset_main(&stores, TH_RESET_FACTORY);
    case VERB_DECOMMISSION: return reset_main(&stores, TH_RESET_DECOMMISSION);
    case VERB_SHOW: return show_main(&stores, arguments->json);
    case VERB_RUN: break;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct arguments arguments;
    struct th_failure failure;
    int code = take_arguments(&arguments, argc, argv);

    if (code != 0)
        return code;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (machine_open(&machine, &arguments.machine, &failure) != TH_OK)
        return failed("cannot open the machine", &failure);
    if (arguments.verb != VERB_RUN) {
        code = run_verb(&arguments);
        machine_close(&machine);
        return code;
    }
    bool changes = arguments.set_count > 0 || arguments.trust;
    machine.config.say = changes ? say_code : say;
    code = start();
    if (code == EXIT_SUCCESS && arguments.set_count > 0)
        code = try_settings(&arguments);
    else if (code == EXIT_SUCCESS && arguments.trust)
        code = try_trust(arguments.trust);
    else if (code == EXIT_SUCCESS)
        code = run();
    machine_close(&machine);
    return code;
}
