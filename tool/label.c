/* SPDX-License-Identifier: MIT */
/* thimble label: what stands on a device: its set-up code, and a QR code that joins its access
 * point. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <qrencode.h>

#include <thimble/factory.h>

#include "commands.h"
#include "exits.h"
#include "files.h"
#include "flash_image.h"
#include "options.h"
#include "pass.h"
#include "term.h"

#define QUIET    4 /* light modules around the code (ISO/IEC 18004) */
#define SVG_ROOM 32768

struct label {
    const char *flash, *code_file, *name, *out;
    char code[TH_SETUP_CODE + 1], shown[TH_SETUP_CODE_SHOWN + 1];
    char pass[TH_SETUP_CODE + 1], ssid[48], join[160];
};

/* ---- the code ---- */

static int code_of_flash(struct label *label)
{
    struct flash_image image;
    struct th_factory factory;
    int code = flash_image_open(&image, label->flash, NULL);
    if (code != EXIT_OK)
        return code;
    bool has = th_factory_open(&factory, &image.board, image.map, 1) == TH_OK &&
               th_factory_code(&factory, label->code);
    flash_image_close(&image);
    return has ? EXIT_OK
               : fail(EXIT_MISSING,
                      "there is no set-up code in %s\nlet the device run once, which makes one: "
                      "thimble-device --flash %s",
                      label->flash, label->flash);
}

static int code_of_file(struct label *label)
{
    char typed[PASS_MAX + 1] = "";
    int code = pass_take(label->code_file, "Set-up code of the device: ", false,
                         "put it into a file: --code-file FILE", typed);
    if (code == EXIT_OK && !th_setup_code_parse(th_span_str(typed), label->code))
        code = fail(EXIT_INPUT, "a set-up code is 16 letters and digits, such as "
                                "0123-4567-89AB-CDEF\nlook at the device's console at its first "
                                "start");
    OPENSSL_cleanse(typed, sizeof typed);
    return code;
}

static int fill_in(struct label *label)
{
    const struct th_crypto crypto = {&th_crypto_openssl, NULL};
    if (!th_setup_code_wifi(&crypto, label->code, label->pass))
        return fail(EXIT_FAILED, "no memory\nend other programs");
    th_setup_code_show(label->code, label->shown);
    snprintf(label->ssid, sizeof label->ssid, "thimble-%s", label->name ? label->name : "setup");
    /* What phones take; neither part has a character that would need a backslash. */
    snprintf(label->join, sizeof label->join, "WIFI:T:WPA;S:%s;P:%s;;", label->ssid, label->pass);
    return EXIT_OK;
}

/* ---- drawing ---- */

static bool dark(const QRcode *qr, int x, int y)
{
    return x >= 0 && y >= 0 && x < qr->width && y < qr->width &&
           (qr->data[y * qr->width + x] & 1) != 0;
}

/* Two rows a line; what is light is drawn, as most terminals are dark. */
static void print_code(const QRcode *qr)
{
    static const char *const blocks[] = {" ", "\u2584", "\u2580", "\u2588"};
    for (int y = -QUIET; y < qr->width + QUIET; y += 2) {
        for (int x = -QUIET; x < qr->width + QUIET; x++)
            fputs(blocks[(dark(qr, x, y) ? 0 : 2) + (dark(qr, x, y + 1) ? 0 : 1)], stdout);
        fputc('\n', stdout);
    }
}

static int write_svg(const struct label *label, const QRcode *qr)
{
    static char svg[SVG_ROOM];
    int side = qr->width + 2 * QUIET;
    size_t len = (size_t)snprintf(
        svg, sizeof svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"62mm\" height=\"29mm\" viewBox=\"0 0 %d "
        "%d\" font-family=\"sans-serif\" font-size=\"3.4\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<path d=\"",
        side * 62 / 29, side);
    for (int y = 0; y < qr->width; y++) {
        for (int x = 0; x < qr->width; x++) {
            if (dark(qr, x, y) && len < sizeof svg - 512)
                len += (size_t)snprintf(svg + len, 32, "M%d %dh1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    len += (size_t)snprintf(
        svg + len, 512,
        "\"/>\n<g transform=\"translate(%d 9)\"><text font-weight=\"bold\">%s</text>\n"
        "<text y=\"6\">%s</text>\n<text y=\"14\">Set-up code</text>\n"
        "<text y=\"19\" font-family=\"monospace\">%s</text>\n"
        "<text y=\"26\">http://192.168.4.1</text></g>\n</svg>\n",
        side, label->ssid, label->pass, label->shown);
    int code = files_write(label->out, svg, len, FILES_SECRET, FILES_NEW);
    OPENSSL_cleanse(svg, sizeof svg);
    return code;
}

static int show(const struct label *label)
{
    QRcode *qr = QRcode_encodeString8bit(label->join, 0, QR_ECLEVEL_M);
    if (!qr)
        return fail(EXIT_FAILED, "no memory for the QR code\nend other programs");
    int code = label->out ? write_svg(label, qr) : EXIT_OK;
    if (code == EXIT_OK && label->out) {
        say_file(label->out, "the label, 62 by 29 mm; who has it can set the device up");
    } else if (code == EXIT_OK) {
        print_code(qr);
        printf("Wi-Fi        %s\npass phrase  %s\nset-up code  %s\npage         "
               "http://192.168.4.1\n",
               label->ssid, label->pass, label->shown);
    }
    QRcode_free(qr);
    return code;
}

int label_main(int argc, char **argv)
{
    static const struct usage usage = {
        "label", "[FLASH]", "Shows what stands on a device: set-up code, and a QR code to join it.",
        "FLASH is the image of a device's flash, whose factory area has the code. A phone's "
        "camera\n"
        "joins the access point by the QR code, and the page opens. Examples:\n"
        "  thimble label lamp.flash\n"
        "  thimble label lamp.flash --out lamp.svg"};
    static struct label label;
    struct words words = {.count = 0};
    const struct option options[] = {
        {0, "code-file", "FILE", "the code, in the first line of a file [asked for]", OPTION_TEXT,
         &label.code_file, 0, 0},
        {0, "name", "NAME", "of the device, as its access point has it [setup]", OPTION_TEXT,
         &label.name, 0, 0},
        {0, "out", "FILE", "a label to print, as SVG, instead of the terminal", OPTION_TEXT,
         &label.out, 0, 0},
    };
    int code =
        options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &words);
    if (code != OPTION_GO_ON)
        return code;
    if (words.count > 1 || (words.count == 1 && label.code_file))
        return fail(EXIT_USAGE, "one flash, or one --code-file\nthimble label lamp.flash");
    if (label.name && !th_device_name_valid(th_span_str(label.name)))
        return fail(EXIT_INPUT,
                    "'%s' cannot be the name of a device\nchoose 1 to 32 of a-z, 0-9, "
                    "'_' and '-', for example lamp-2",
                    label.name);
    label.flash = words.count == 1 ? words.at[0] : NULL;
    code = label.flash ? code_of_flash(&label) : code_of_file(&label);
    if (code == EXIT_OK)
        code = fill_in(&label);
    if (code == EXIT_OK)
        code = show(&label);
    OPENSSL_cleanse(&label, sizeof label);
    return code;
}
