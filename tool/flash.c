/* SPDX-License-Identifier: MIT */
/* thimble flash: looks into the flash of a device. */
#include "commands.h"
#include "exits.h"
#include "flash_image.h"
#include "flash_show.h"
#include "options.h"
#include "term.h"
#include "view.h"

static void show(struct flash_image *image)
{
    struct view view = view_begin();
    view_text(&view, "file", "file", image->path);
    view_text(&view, "map", "map", image->map->name);
    view_number(&view, "size", "bytes", image->size);
    view_number(&view, "erase_unit", "erase unit", image->map->erase_unit);
    flash_show_map(&view, image);
    flash_show_boot(&view, image);
    flash_show_log(&view, image);
    flash_show_factory(&view, image);
    flash_show_identity(&view, image);
    flash_show_slots(&view, image);
    view_end(&view);
}

static int flash_inspect(int argc, char **argv)
{
    static const struct usage usage = {
        "flash inspect", "FILE", "Shows what lies on a device's flash.",
        "FILE is the whole flash, as thimble-device keeps it or as it was read from a chip. It is\n"
        "not changed. Secrets are never shown, only that they are there. Example:\n"
        "  thimble flash inspect lamp.flash"};
    const char *map = NULL;
    struct words rest = {0};
    const struct option options[] = {
        {0, "map", "NAME", "chip, lx106 or sim [what fits]", OPTION_TEXT, &map, 0, 0},
        OPTION_ROW_JSON,
    };
    struct flash_image image;
    int code = options_take(&usage, options, 2, argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count != 1)
        return fail(EXIT_USAGE, "flash inspect needs one file\nthimble flash inspect lamp.flash");
    code = flash_image_open(&image, rest.at[0], map);
    if (code != EXIT_OK)
        return code;
    if (image.guessed)
        warn("nothing in %s is a log of a device: blank, damaged, or another map\n"
             "thimble flash inspect --map lx106 %s",
             image.path, image.path);
    show(&image);
    flash_image_close(&image);
    return EXIT_OK;
}

int flash_main(int argc, char **argv)
{
    static const struct command verbs[] = {
        {"inspect", flash_inspect, "shows what lies on a device's flash"},
    };
    return commands_run("flash", verbs, 1, argc, argv);
}
