/* SPDX-License-Identifier: MIT */
#include <thimble/trust.h>

#include "trust/x509.h"

/* The anchor's name is what the last certificate of the chain calls its issuer. The reader is free
 * again by now. */
static bool is_named_by_last(struct th_trust_check *check, struct th_span anchor)
{
    struct th_x509 *x509 = &check->x509;
    th_x509_begin(x509, anchor.len, &check->name, check->hashes->sha256, &check->part);
    th_x509_feed(x509, anchor);
    return th_x509_end(x509) &&
           memcmp(x509->subject_digest, check->issuer_digest, sizeof x509->subject_digest) == 0;
}

static bool last_names_an_anchor(struct th_trust_check *check)
{
    for (uint8_t i = 0; i < check->trust->anchor_count; i++) {
        if (is_named_by_last(check, check->trust->anchors[i]))
            return true;
    }
    return false;
}

static void become(struct th_failure *failure, enum th_error error, uint8_t depth, const char *name)
{
    int32_t detail = failure->detail;
    *failure = th_failure_of(error);
    failure->detail = detail;
    failure->depth = depth;
    th_failure_name(failure, th_span_str(name));
}

static void explain_no_anchor(struct th_trust_check *check, struct th_failure *library)
{
    uint8_t last = (uint8_t)(check->count > 0 ? check->count - 1 : 0);
    if (check->count == 1 && check->self_issued)
        become(library, TH_ERR_TRUST_SELF_SIGNED, 0, check->subject);
    else if (last_names_an_anchor(check))
        become(library, TH_ERR_TRUST_SIGNATURE, last, check->subject);
    else
        become(library, TH_ERR_TRUST_UNKNOWN_CA, check->self_issued ? last : check->count,
               check->issuer);
}

void th_trust_explain(struct th_trust_check *check, struct th_failure *library)
{
    switch (library->error) {
    case TH_ERR_TRUST_UNKNOWN_CA:
    case TH_ERR_TRUST_SELF_SIGNED: explain_no_anchor(check, library); break;
    case TH_ERR_TRUST_SIGNATURE:
        if (library->depth == 0)
            become(library, library->error, 0, check->summary.subject);
        else if (library->depth + 1 == check->count)
            become(library, library->error, library->depth, check->subject);
        break;
    default: break;
    }
}
