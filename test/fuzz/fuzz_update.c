/* SPDX-License-Identifier: MIT */
/* R10: manifests and trust sets of any bytes. What is taken reads back as it was written. */
#include <stdlib.h>
#include <string.h>

#include <thimble/manifest.h>
#include <thimble/trust_set.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_manifest(const uint8_t *data, size_t size)
{
    uint8_t bytes[TH_MANIFEST_BYTES] = {0}, again[TH_MANIFEST_BYTES];
    struct th_manifest manifest;

    memcpy(bytes, data, size < sizeof bytes ? size : sizeof bytes);
    if (th_manifest_decode(bytes, &manifest) != TH_OK)
        return;
    if (th_manifest_encode(&manifest, again) != TH_OK || memcmp(bytes, again, 192) != 0)
        abort();
}

static void try_set(struct th_span set)
{
    static uint8_t again[TH_TRUST_SET_MAX];
    struct th_trust_item item;
    size_t at = 0, len = 0;

    if (th_trust_set_check(set) != TH_OK)
        return;
    while (th_trust_set_next(set, &at, &item)) {
        if (th_trust_set_add(again, sizeof again, &len, &item) != TH_OK)
            abort();
        if (item.kind == TH_ITEM_ROLE && th_trust_set_role(set, item.bytes) != item.role)
            abort();
    }
    if (th_trust_set_check(th_span_of(again, len)) != TH_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_manifest(data, size);
    try_set(th_span_of(data, size));
    return 0;
}
