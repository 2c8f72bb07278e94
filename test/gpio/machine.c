/* SPDX-License-Identifier: MIT */
/*
 * The first and only process of an emulated Raspberry Pi: drives its GPIO lines through the guard,
 * and looks at them through the kernel's own list of lines, beside the guard. R9. Prints "ok ..."
 * or "FAIL ..." a line, then "done", and switches the machine off.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gpiod.h>

#include <thimble/linux_gpio.h>

enum { RELAY = 17, OTHER = 22, BUTTON = 27, MOSI = 10 };

static struct th_linux_gpio gpio;
static struct th_linux_pins pins;
static int failures;

static int64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint32_t now_ms(void *ctx)
{
    (void)ctx;
    return (uint32_t)clock_ms();
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void check(const char *what, bool good)
{
    failures += !good;
    printf("%s   %s\n", good ? "ok  " : "FAIL", what);
}

/* ---- the kernel's own view: " gpio-529 (...   |thimble   ) out lo" ---- */

/* The line of the first chip, as the kernel lists it; "" when nobody has it. */
static const char *listed(unsigned line)
{
    static char text[256];
    unsigned base = 0, number;
    FILE *file = fopen("/sys/kernel/debug/gpio", "r");

    while (file && fgets(text, sizeof text, file)) {
        if (strncmp(text, "gpiochip0: GPIOs ", 17) == 0)
            base = (unsigned)strtoul(text + 17, NULL, 10);
        if (strncmp(text, " gpio-", 6) != 0)
            continue;
        number = (unsigned)strtoul(text + 6, NULL, 10);
        if (number == base + line) {
            fclose(file);
            text[strcspn(text, "\n")] = '\0';
            return text;
        }
    }
    if (file)
        fclose(file);
    text[0] = '\0';
    return text;
}

/* "out lo" by "thimble", say. */
static bool is(unsigned line, const char *who, const char *how)
{
    const char *text = listed(line);

    return strstr(text, who) && strstr(text, how);
}

static bool comes(unsigned line, const char *how, int within_ms)
{
    int64_t until_ms = clock_ms() + within_ms;

    while (!strstr(listed(line), how)) {
        if (clock_ms() > until_ms)
            return false;
        sleep_ms(5);
    }
    return true;
}

/* ---- scenes ---- */

static bool begin(const char *chip, const char *spi)
{
    const struct th_linux_gpio_config config = {.chip = chip, .spi = spi};
    struct th_failure failure;
    char text[256];

    if (th_linux_gpio_open(&gpio, &config, &failure) == TH_OK &&
        th_linux_pins_guard(&pins, th_linux_gpio_wires(&gpio), now_ms, NULL, &failure) == TH_OK) {
        th_linux_gpio_close(&gpio);
        return true;
    }
    th_failure_text(&failure, text, sizeof text);
    printf("FAIL   %s\n", text);
    failures++;
    return false;
}

static bool switch_on(uint8_t pin, uint32_t for_ms)
{
    return th_linux_pin_ops.arm_off(&pins, pin, TH_PIN_HIGH, now_ms(NULL) + for_ms) &&
           th_linux_pin_ops.set(&pins, pin, TH_PIN_LOW);
}

static void an_output_goes_off_at_its_time(void)
{
    enum th_pin_level level;
    int64_t on_ms;

    if (!begin("gpiochip0", NULL))
        return;
    check("off is driven",
          th_linux_pin_ops.set(&pins, RELAY, TH_PIN_HIGH) && is(RELAY, "thimble", "out hi"));
    on_ms = clock_ms();
    check("on is driven", switch_on(RELAY, 1000) && is(RELAY, "thimble", "out lo"));
    check("and read back", th_linux_pin_ops.get(&pins, RELAY, &level) && level == TH_PIN_LOW);
    check("it goes off", comes(RELAY, "out hi", 5000));
    printf("info   off %d ms after on, for 1000 ms\n", (int)(clock_ms() - on_ms));
    check("without a time it does not go on", !th_linux_pin_ops.set(&pins, RELAY, TH_PIN_LOW));
    th_linux_pins_close(&pins);
}

/* Of RELAY while nobody has it, as the driver has left it; -1: it cannot be had. */
static int level_of_free_line(void)
{
    struct gpiod_chip *chip = gpiod_chip_open("/dev/gpiochip0");
    struct gpiod_line *line = chip ? gpiod_chip_get_line(chip, RELAY) : NULL;
    const struct gpiod_line_request_config config = {
        .consumer = "look", .request_type = GPIOD_LINE_REQUEST_DIRECTION_AS_IS};
    int level = -1;

    if (line) {
        printf("info   the driver has the line as %s\n",
               gpiod_line_direction(line) == GPIOD_LINE_DIRECTION_OUTPUT ? "an output"
                                                                         : "an input");
        if (gpiod_line_request(line, &config, 0) == 0)
            level = gpiod_line_get_value(line);
    }
    if (chip)
        gpiod_chip_close(chip);
    return level;
}

/* A process that has switched RELAY on for so long and is then sent a signal. */
static void end_by(int how, uint32_t for_ms, const char *what)
{
    pid_t child = fork();

    if (child == 0) {
        if (!begin("pinctrl-bcm2835", NULL) || !switch_on(RELAY, for_ms))
            _exit(1);
        for (;;)
            pause();
    }
    check("a device of its own switches it on", comes(RELAY, "out lo", 5000));
    kill(child, how);
    /* With its guard the line goes too: then nobody has it. */
    int64_t until_ms = clock_ms() + 5000;
    bool off = false;
    while (!off && clock_ms() < until_ms)
        off = how == SIGSTOP ? is(RELAY, "thimble", "out hi") : !strstr(listed(RELAY), "thimble");
    check(what, off);
    if (how == SIGKILL)
        check("and stays off, with nobody holding it", level_of_free_line() == 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    sleep_ms(300);
}

static void a_killed_guard_is_noticed(void)
{
    enum th_pin_level level;

    if (!begin("gpiochip0", NULL))
        return;
    check("on, for a minute", switch_on(RELAY, 60000) && is(RELAY, "thimble", "out lo"));
    kill(pins.pid, SIGKILL);
    waitpid(pins.pid, NULL, 0);
    check("a guard that was killed is noticed",
          !th_linux_pin_ops.get(&pins, RELAY, &level) && th_linux_pins_lost(&pins));
    printf("info   after the guard was killed while the relay was on (0), its level is %d\n",
           level_of_free_line());
    struct th_linux_wires wires = th_linux_gpio_wires(&gpio);
    struct th_failure failure;
    check("what it left on is switched off from here",
          th_linux_gpio_open(&gpio, &(struct th_linux_gpio_config){.chip = "gpiochip0"},
                             &failure) == TH_OK &&
              th_linux_pins_rescue(&pins, &wires) && is(RELAY, "thimble", "out hi"));
    th_linux_gpio_close(&gpio);
    check("and stays off", level_of_free_line() == 1);
    close(pins.guard);
}

static void what_cannot_be_had_is_told(void)
{
    struct gpiod_chip *chip = gpiod_chip_open("/dev/gpiochip0");
    struct gpiod_line *line = chip ? gpiod_chip_get_line(chip, OTHER) : NULL;
    enum th_pin_level level;

    /* Before the other has its line, which the guard would inherit. */
    if (!begin("0", NULL))
        return;
    check("somebody else has a line",
          line && gpiod_line_request_output(line, "irrigation", 1) == 0);
    check("it is refused", !th_linux_pin_ops.set(&pins, OTHER, TH_PIN_HIGH));
    check("and who has it is named", strstr(th_linux_pins_why(&pins), "irrigation") != NULL);
    printf("info   %s\n", th_linux_pins_why(&pins));
    check("a line the chip does not have is refused",
          !th_linux_pin_ops.set(&pins, 200, TH_PIN_HIGH) &&
              strstr(th_linux_pins_why(&pins), "has no line 200"));
    check("an input is read",
          th_linux_pin_ops.get(&pins, BUTTON, &level) && is(BUTTON, "thimble", "in "));
    check("and becomes an output when it is driven",
          th_linux_pin_ops.set(&pins, BUTTON, TH_PIN_HIGH) && is(BUTTON, "thimble", "out hi"));
    gpiod_chip_close(chip);
    check("given back by the other, it can be had",
          th_linux_pin_ops.set(&pins, OTHER, TH_PIN_HIGH) && is(OTHER, "thimble", "out hi"));
    th_linux_pins_close(&pins);
}

/* The bus is bits over lines: the last bit stays on its data line, so that the order shows. */
static void a_byte_goes_over_spi(void)
{
    uint8_t byte;

    if (!begin(NULL, "/dev/spidev0.0"))
        return;
    check("a byte is sent", th_linux_spi_ops.output(&pins, 0x01, NULL, 0));
    check("its lowest bit is the last", is(MOSI, "", "out hi"));
    const struct th_spi_step step = {now_ms(NULL) + 500, 0xFE};
    check("another is sent, with a step", th_linux_spi_ops.output(&pins, 0xFD, &step, 1));
    check("the step is sent at its time", comes(MOSI, "out lo", 5000));
    check("the last byte is told", th_linux_spi_ops.last(&pins, &byte) && byte == 0xFE);
    th_linux_pins_close(&pins);
    check("at the end all is off", is(MOSI, "", "out hi"));
}

/* ---- the machine ---- */

static void load(const char *module)
{
    int fd = open(module, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0)
        perror(module);
    close(fd);
}

int main(void)
{
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sys", "/sys", "sysfs", 0, NULL);
    mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    int console = open("/dev/console", O_RDWR | O_CLOEXEC);
    dup2(console, STDOUT_FILENO);
    dup2(console, STDERR_FILENO);
    setvbuf(stdout, NULL, _IOLBF, 0);
    load("/spi-bitbang.ko");
    load("/spi-gpio.ko");
    for (int i = 0; i < 100 && access("/dev/gpiochip0", F_OK) != 0; i++)
        sleep_ms(100);
    an_output_goes_off_at_its_time();
    end_by(SIGKILL, 60000, "it is killed: off at once");
    end_by(SIGSTOP, 2000, "it is stopped: off at its time");
    a_killed_guard_is_noticed();
    what_cannot_be_had_is_told();
    a_byte_goes_over_spi();
    printf("done, %d failed\n", failures);
    sync();
    sleep_ms(200);
    reboot(RB_POWER_OFF);
    return 0;
}
