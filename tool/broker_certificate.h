/* SPDX-License-Identifier: MIT */
/* The broker's certificate made anew for the names it has, over the key it has. */
#ifndef TOOL_BROKER_CERTIFICATE_H
#define TOOL_BROKER_CERTIFICATE_H

#include "home.h"

/* Inside a transaction; by the server CA that is active there. */
int broker_certificate_renew(struct home *home);

#endif
