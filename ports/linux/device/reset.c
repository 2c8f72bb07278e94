/* SPDX-License-Identifier: MIT */
/* thimble-device --factory-reset and --decommission (I9). */
#include <stdio.h>
#include <stdlib.h>

#include "stores.h"

int reset_main(struct stores *stores, enum th_reset_kind kind)
{
    const struct th_reset reset = {&stores->identity, &stores->factory, &stores->log,
                                   TH_RECORDS_KEPT, &stores->machine->board};
    enum th_error error = th_reset_begin(&stores->identity, kind);

    if (error == TH_OK)
        error = th_reset_finish(&reset);
    if (error)
        return stores_failed("reset", error);
    puts(kind == TH_RESET_DECOMMISSION
             ? "every secret is erased: birth key and set-up code too"
             : "certificate, key, trust, settings and sessions are erased; birth key and set-up "
               "code stay");
    return EXIT_SUCCESS;
}
