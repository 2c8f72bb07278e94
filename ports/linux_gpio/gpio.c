/* SPDX-License-Identifier: MIT */
/* The wires of a GPIO chip and of a SPI device. */
#include <errno.h>
#include <fcntl.h>
#include <gpiod.h>
#include <linux/spi/spidev.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "board_failure.h"

#define SPI_HZ 2000000u

static const char consumer[] = "thimble";

/* ---- pins ---- */

/* Says what the kernel made of it, and what to do. False. */
static bool refused(const struct th_linux_gpio *gpio, uint8_t pin, struct gpiod_line *line,
                    char why[TH_LINUX_WHY])
{
    int error = errno;
    const char *holder = line ? gpiod_line_consumer(line) : NULL;

    if (error == EBUSY)
        snprintf(why, TH_LINUX_WHY, "%s line %u is in use%s%.40s: end that, or choose another pin",
                 gpio->name, pin, holder ? " by " : "", holder ? holder : "");
    else
        snprintf(why, TH_LINUX_WHY, "%s line %u: %s", gpio->name, pin, strerror(error));
    return false;
}

static bool is_line(const struct th_linux_gpio *gpio, uint8_t pin, char why[TH_LINUX_WHY])
{
    if (gpio->chip && pin < gpio->count)
        return true;
    if (gpio->chip)
        snprintf(why, TH_LINUX_WHY, "%s has no line %u, only 0 to %u", gpio->name, pin,
                 gpio->count - 1);
    else
        snprintf(why, TH_LINUX_WHY, "pin %u: no GPIO chip was given", pin);
    return false;
}

static void give_back(struct th_linux_gpio *gpio, uint8_t pin)
{
    if (gpio->lines[pin])
        gpiod_line_release(gpio->lines[pin]);
    gpio->lines[pin] = NULL;
}

/* As output with that level from the first moment on, or as input. */
static bool request(struct th_linux_gpio *gpio, uint8_t pin, bool output, bool high,
                    char why[TH_LINUX_WHY])
{
    static const int pulls[] = {GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP,
                                GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN,
                                GPIOD_LINE_REQUEST_FLAG_BIAS_DISABLE};
    const struct gpiod_line_request_config config = {
        .consumer = consumer,
        .request_type =
            output ? GPIOD_LINE_REQUEST_DIRECTION_OUTPUT : GPIOD_LINE_REQUEST_DIRECTION_INPUT,
        .flags = output ? 0 : pulls[gpio->pull]};

    give_back(gpio, pin);
    struct gpiod_line *line = gpiod_chip_get_line(gpio->chip, pin);
    if (!line || gpiod_line_request(line, &config, high) != 0)
        return refused(gpio, pin, line, why);
    gpio->lines[pin] = line;
    gpio->outputs[pin] = output;
    return true;
}

static bool drive(void *ctx, uint8_t pin, bool high, char why[TH_LINUX_WHY])
{
    struct th_linux_gpio *gpio = ctx;

    if (!is_line(gpio, pin, why))
        return false;
    if (!gpio->lines[pin] || !gpio->outputs[pin])
        return request(gpio, pin, true, high, why);
    if (gpiod_line_set_value(gpio->lines[pin], high) != 0)
        return refused(gpio, pin, NULL, why);
    return true;
}

static bool level(void *ctx, uint8_t pin, bool *high, char why[TH_LINUX_WHY])
{
    struct th_linux_gpio *gpio = ctx;

    if (!is_line(gpio, pin, why))
        return false;
    if (!gpio->lines[pin] && !request(gpio, pin, false, false, why))
        return false;
    int value = gpiod_line_get_value(gpio->lines[pin]);
    if (value < 0)
        return refused(gpio, pin, NULL, why);
    *high = value != 0;
    return true;
}

/* An input again: a line that is only given back may stay driven. */
static void let_go(void *ctx, uint8_t pin)
{
    struct th_linux_gpio *gpio = ctx;
    char why[TH_LINUX_WHY];

    if (gpio->lines[pin] && gpio->outputs[pin])
        request(gpio, pin, false, false, why);
}

/* ---- SPI ---- */

static bool send_byte(void *ctx, uint8_t byte, char why[TH_LINUX_WHY])
{
    const struct th_linux_gpio *gpio = ctx;
    struct spi_ioc_transfer transfer = {
        .tx_buf = (uintptr_t)&byte, .len = 1, .speed_hz = SPI_HZ, .bits_per_word = 8};

    if (gpio->spi >= 0 && ioctl(gpio->spi, SPI_IOC_MESSAGE(1), &transfer) == 1)
        return true;
    snprintf(why, TH_LINUX_WHY, "SPI: %s", gpio->spi < 0 ? "no device was given" : strerror(errno));
    return false;
}

/* Mode 0, most significant bit first. */
static bool open_spi(struct th_linux_gpio *gpio, const char *path)
{
    uint8_t mode = SPI_MODE_0, lsb_first = 0, bits = 8;
    uint32_t hz = SPI_HZ;

    gpio->spi = open(path, O_RDWR | O_CLOEXEC);
    return gpio->spi >= 0 && ioctl(gpio->spi, SPI_IOC_WR_MODE, &mode) == 0 &&
           ioctl(gpio->spi, SPI_IOC_WR_LSB_FIRST, &lsb_first) == 0 &&
           ioctl(gpio->spi, SPI_IOC_WR_BITS_PER_WORD, &bits) == 0 &&
           ioctl(gpio->spi, SPI_IOC_WR_MAX_SPEED_HZ, &hz) == 0;
}

/* ---- opening and closing ---- */

/* gpiod_chip_open_lookup() opens whatever has the name, and tells of the last way it has tried:
 * only a path or a name of /dev gives a reason that can be told. */
static struct gpiod_chip *open_chip(const char *name)
{
    char path[64];

    if (strchr(name, '/'))
        return gpiod_chip_open(name);
    snprintf(path, sizeof path, "/dev/%s%s", name[strspn(name, "0123456789")] ? "" : "gpiochip",
             name);
    if (access(path, F_OK) == 0)
        return gpiod_chip_open(path);
    struct gpiod_chip *chip = gpiod_chip_open_by_label(name);
    if (!chip && errno != EACCES)
        errno = ENOENT;
    return chip;
}

enum th_error th_linux_gpio_open(struct th_linux_gpio *gpio,
                                 const struct th_linux_gpio_config *config,
                                 struct th_failure *failure)
{
    memset(gpio, 0, sizeof *gpio);
    gpio->spi = -1;
    gpio->pull = config->pull;
    if (config->chip) {
        gpio->chip = open_chip(config->chip);
        if (!gpio->chip)
            return board_failure(failure, config->chip, errno);
        snprintf(gpio->name, sizeof gpio->name, "%s", gpiod_chip_name(gpio->chip));
        gpio->count = gpiod_chip_num_lines(gpio->chip);
    }
    if (config->spi && !open_spi(gpio, config->spi)) {
        board_failure(failure, config->spi, errno);
        th_linux_gpio_close(gpio);
        return failure->error;
    }
    return TH_OK;
}

struct th_linux_wires th_linux_gpio_wires(struct th_linux_gpio *gpio)
{
    static const struct th_linux_wires_ops ops = {drive, level, let_go, send_byte, NULL};

    return (struct th_linux_wires){&ops, gpio};
}

void th_linux_gpio_close(struct th_linux_gpio *gpio)
{
    if (gpio->chip)
        gpiod_chip_close(gpio->chip);
    if (gpio->spi >= 0)
        close(gpio->spi);
    gpio->chip = NULL;
    gpio->spi = -1;
}
