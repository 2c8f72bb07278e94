/* SPDX-License-Identifier: MIT */
/* R10: enrolment requests, bundles and certificate chains of any bytes. A bundle is tried as it is,
 * and again as one that has the right digest and answers the device's request; what decodes reads
 * back as it was. Nothing of it enrols the device. */
#include <stdlib.h>
#include <string.h>

#include <thimble/certificate.h>
#include <thimble/enrol.h>

#include "ports/sim/flash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct th_crypto crypto = {&th_crypto_openssl, NULL};

static struct {
    bool made;
    struct sim_flash flash;
    struct th_board board;
    struct th_identity_store identity;
    struct th_factory factory;
    struct th_enrol enrol;
    uint8_t nonce[TH_REQUEST_NONCE];
    uint8_t cells[128 * 1024], weak[128 * 1024];
} device;

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    (void)ctx;
    memset(into, 0x35, len);
    return true;
}

static void make_device(void)
{
    static const struct th_entropy_ops entropy_ops = {fill};
    uint8_t request[TH_ENROL_REQUEST_MAX];
    struct th_enrol_request asked;
    size_t len;

    sim_flash_init(&device.flash, (struct th_flash_geometry){sizeof device.cells, 1024, 4},
                   device.cells, device.weak, 1);
    device.board = (struct th_board){.entropy = {&entropy_ops, NULL},
                                     .flash = {&sim_flash_ops, &device.flash}};
    device.enrol = (struct th_enrol){.crypto = &crypto,
                                     .board = &device.board,
                                     .factory = &device.factory,
                                     .identity = &device.identity,
                                     .product = "thimble"};
    if (th_identity_open(&device.identity, &device.board, &th_flash_map_sim, 1) ||
        th_factory_open(&device.factory, &device.board, &th_flash_map_sim, 1) ||
        th_enrol_request(&device.enrol, TH_SPAN("lamp"), request, sizeof request, &len) ||
        th_enrol_request_decode(th_span_of(request, len), &asked))
        abort();
    memcpy(device.nonce, asked.nonce, sizeof device.nonce);
    device.made = true;
}

static void try_chain(struct th_span bytes)
{
    struct th_span split[TH_CHAIN_COUNT];
    struct th_certificate certificate;
    uint8_t count = th_chain_split(bytes, split);
    size_t sum = 0;

    for (uint8_t i = 0; i < count; i++) {
        sum += split[i].len;
        th_certificate_read(split[i], crypto.ops->hashes->sha256, &certificate);
    }
    if (count > 0 && sum != bytes.len)
        abort();
}

static void take(struct th_span bytes)
{
    struct th_enrolled out;

    if (th_enrol_take(&device.enrol, bytes, &out) == TH_OK)
        abort();
}

static void try_bundle(const uint8_t *data, size_t size)
{
    static uint8_t bytes[TH_ENROL_BUNDLE_MAX], again[TH_ENROL_BUNDLE_MAX];
    const struct th_hash_ops *sha256 = crypto.ops->hashes->sha256;
    struct th_enrol_bundle bundle;
    union th_hash_state state;
    size_t len;

    take(th_span_of(data, size));
    if (size < TH_ENROL_BUNDLE_HEAD || size > sizeof bytes - TH_SHA256_BYTES)
        return;
    memcpy(bytes, data, size);
    memcpy(bytes + 8, device.nonce, sizeof device.nonce);
    sha256->init(&state);
    sha256->update(&state, bytes, size);
    sha256->out(&state, bytes + size);
    struct th_span whole = {bytes, size + TH_SHA256_BYTES};
    take(whole);
    if (th_enrol_bundle_decode(sha256, whole, &bundle) == TH_OK &&
        (th_enrol_bundle_encode(sha256, &bundle, again, sizeof again, &len) != TH_OK ||
         !th_span_equal(whole, th_span_of(again, len))))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct th_enrol_request request;

    if (!device.made)
        make_device();
    if (th_enrol_request_decode(th_span_of(data, size), &request) == TH_OK &&
        request.signed_part.len + TH_P256_SIGNATURE != size)
        abort();
    try_chain(th_span_of(data, size));
    try_bundle(data, size);
    return 0;
}
