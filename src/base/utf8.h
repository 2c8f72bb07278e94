/* SPDX-License-Identifier: MIT */
/* Strings as MQTT narrows UTF-8: no NUL, no surrogates (3.1.1 §1.5.3, 5.0 §1.5.4). */
#ifndef TH_BASE_UTF8_H
#define TH_BASE_UTF8_H

#include <stdbool.h>

#include <thimble/span.h>

/* Well-formed, any length. With `name`, '+' and '#' are refused as well. */
bool th_utf8_check(struct th_span text, bool name);

#endif
