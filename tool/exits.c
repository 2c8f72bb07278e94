/* SPDX-License-Identifier: MIT */
#include "exits.h"

#include <stdio.h>

int exits_of(enum th_error error)
{
    switch (th_error_layer(error)) {
    case TH_LAYER_NONE: return EXIT_OK;
    case TH_LAYER_BOARD:
    case TH_LAYER_CALL: return EXIT_FAILED;
    case TH_LAYER_UPDATE:
    case TH_LAYER_ENROL:
    case TH_LAYER_FILE: return EXIT_INPUT;
    case TH_LAYER_NAME: return EXIT_NAME;
    case TH_LAYER_WIFI:
    case TH_LAYER_TCP: return EXIT_TCP;
    case TH_LAYER_TLS: return EXIT_TLS;
    case TH_LAYER_TRUST: return EXIT_TRUST;
    case TH_LAYER_SERVER_NAME: return EXIT_SERVER_NAME;
    case TH_LAYER_DATE: return EXIT_DATE;
    case TH_LAYER_MEMORY: return EXIT_MEMORY;
    case TH_LAYER_CONNACK: return EXIT_CONNACK;
    case TH_LAYER_PROTOCOL: return EXIT_PROTOCOL;
    case TH_LAYER_KEEP_ALIVE: return EXIT_KEEP_ALIVE;
    }
    return EXIT_FAILED;
}

void exits_print(void)
{
#define ROW(number, name, text) printf("  %2d  %s\n", number, text);
    EXIT_LIST(ROW)
#undef ROW
}
