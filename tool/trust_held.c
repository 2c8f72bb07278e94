/* SPDX-License-Identifier: MIT */
#include "trust_held.h"

#include <string.h>

#include <thimble/trust_set.h>

#include "exits.h"

static struct path place(const struct home *home, const char *device)
{
    return path_of("%s/devices/%s/trust.bundle", home->dir, device);
}

int trust_held_keep(const struct home *home, const char *device, const void *bundle, size_t len)
{
    if (!files_exist(path_of("%s/devices/%s", home->dir, device).text))
        return EXIT_OK;
    return files_write(place(home, device).text, bundle, len, FILES_PUBLIC, FILES_REPLACE);
}

static bool set_has(struct th_span set, const struct bytes *anchor)
{
    struct th_trust_item item;
    if (th_trust_set_check(set) != TH_OK)
        return false;
    for (size_t n = 0; th_trust_set_item(set, TH_ITEM_ANCHOR, n, &item); n++) {
        if (th_span_equal(item.bytes, th_span_of(anchor->at, anchor->len)))
            return true;
    }
    return false;
}

bool trust_held_has(const struct home *home, const char *device, X509 *anchor)
{
    struct path path = place(home, device);
    struct bytes bundle = {NULL, 0};
    if (!files_exist(path.text) || files_read(path.text, &bundle) != EXIT_OK)
        return false;
    struct bytes der = x509_der(anchor);
    bool has =
        bundle.len > TH_MANIFEST_BYTES &&
        set_has(th_span_of(bundle.at + TH_MANIFEST_BYTES, bundle.len - TH_MANIFEST_BYTES), &der);
    bytes_free(&der);
    bytes_free(&bundle);
    return has;
}
