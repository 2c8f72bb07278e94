/* SPDX-License-Identifier: MIT */
/* Topic names and filters, MQTT 3.1.1 §4.7 and 5.0 §4.7, §4.8.2; UTF-8 as §1.5.3 / §1.5.4 narrow
 * it. */
#ifndef THIMBLE_TOPIC_H
#define THIMBLE_TOPIC_H

#include <stdbool.h>

#include <thimble/span.h>

/* Well-formed UTF-8 without NUL and surrogates, at most 65535 bytes. Control characters and
 * non-characters are allowed, as the clauses only advise against them. */
bool th_utf8_valid(struct th_span text);

/* 1..65535 bytes of UTF-8, no '+', no '#'. */
bool th_topic_name_valid(struct th_span name);

/* 1..65535 bytes of UTF-8, wildcards only as whole levels, '#' only at the end. A filter that
 * begins with "$share/" must have a share name and a filter behind it. */
bool th_topic_filter_valid(struct th_span filter);

/* True when the valid name matches the valid filter; "$…" names match no leading wildcard. A shared
 * filter is matched by what stands behind its share name. */
bool th_topic_match(struct th_span filter, struct th_span name);

#endif
