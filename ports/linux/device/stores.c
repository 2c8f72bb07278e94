/* SPDX-License-Identifier: MIT */
#include "stores.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t nonce_of(const struct th_board *board)
{
    uint8_t raw[4] = {0};

    board->entropy.ops->fill(board->entropy.ctx, raw, sizeof raw);
    return raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 | (uint32_t)raw[3] << 24;
}

int stores_open(struct stores *stores, struct machine *machine)
{
    const struct th_board *board = &machine->board;
    const struct th_flash_map *map = th_flash_map_for(board->flash.ops->geometry(board->flash.ctx));
    const struct th_reset reset = {&stores->identity, &stores->factory, &stores->log,
                                   TH_RECORDS_KEPT, board};

    stores->machine = machine;
    enum th_error error = th_identity_open(&stores->identity, board, map, nonce_of(board));
    if (error == TH_OK)
        error = th_factory_open(&stores->factory, board, map, nonce_of(board));
    if (error == TH_OK)
        error = th_log_mount(&stores->log, board->flash.ops, board->flash.ctx,
                             th_flash_map_region(map, TH_FLASH_LOG), nonce_of(board));
    if (error == TH_OK)
        error = th_reset_finish(&reset);
    return error == TH_OK ? EXIT_SUCCESS : stores_failed("flash", error);
}

struct th_enrol stores_enrol(struct stores *stores)
{
    const struct th_device_config *config = &stores->machine->config;

    return (struct th_enrol){.crypto = config->crypto,
                             .board = config->board,
                             .factory = &stores->factory,
                             .identity = &stores->identity,
                             .product = config->product,
                             .hardware = config->hardware,
                             .allow_development = config->development};
}

int stores_failed(const char *what, enum th_error error)
{
    enum th_layer layer = th_error_layer(error);

    fprintf(stderr, "thimble-device: %s: %s\n  next: %s\n", what, th_error_text(error),
            th_error_remedy(error));
    if (error == TH_ERR_ENROL_ALREADY)
        return EXIT_EXISTS;
    return layer == TH_LAYER_ENROL || layer == TH_LAYER_UPDATE || layer == TH_LAYER_FILE
               ? EXIT_INPUT
               : EXIT_FAILURE;
}
