/* SPDX-License-Identifier: MIT */
#include <thimble/error.h>

#include <stddef.h>
#include <stdint.h>

struct row {
    uint8_t number, layer;
    const char *name, *text, *remedy;
};

static const struct row rows[] = {
#define ROW(number, name, layer, text, remedy) {number, TH_LAYER_##layer, #name, text, remedy},
    TH_ERROR_LIST(ROW)
#undef ROW
};

static const char *const layers[] = {
#define LAYER(name, text) text,
    TH_LAYER_LIST(LAYER)
#undef LAYER
};

static const struct row unknown = {0, TH_LAYER_NONE, "", "", ""};

static const struct row *row_of(enum th_error error)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].number == error)
            return &rows[i];
    }
    return &unknown;
}

const char *th_error_name(enum th_error error)
{
    return row_of(error)->name;
}

const char *th_error_text(enum th_error error)
{
    return row_of(error)->text;
}

const char *th_error_remedy(enum th_error error)
{
    return row_of(error)->remedy;
}

enum th_layer th_error_layer(enum th_error error)
{
    return (enum th_layer)row_of(error)->layer;
}

const char *th_layer_name(enum th_layer layer)
{
    return (size_t)layer < sizeof layers / sizeof layers[0] ? layers[layer] : "";
}
