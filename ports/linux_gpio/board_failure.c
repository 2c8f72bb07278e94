/* SPDX-License-Identifier: MIT */
#include "board_failure.h"

#include <errno.h>

static enum th_error error_of(int error_number)
{
    switch (error_number) {
    case ENOENT:
    case ENXIO: return TH_ERR_BOARD_MISSING;
    case EACCES:
    case EPERM: return TH_ERR_BOARD_DENIED;
    case ENOTTY:
    case ENODEV:
    case EISDIR:
    case ENOTDIR:
    case EINVAL: return TH_ERR_BOARD_KIND;
    default: return TH_ERR_BOARD_SYSTEM;
    }
}

enum th_error board_failure(struct th_failure *failure, const char *name, int error_number)
{
    *failure = th_failure_of(error_of(error_number));
    if (failure->error == TH_ERR_BOARD_SYSTEM)
        failure->detail = error_number;
    th_failure_name(failure, th_span_str(name));
    return failure->error;
}
