/* SPDX-License-Identifier: MIT */
/* I1 I2 I4: requests and bundles of docs/enrolment.md: what is taken, and everything that is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/enrol.h>

#include "certs.h"
#include "ports/sim/flash.h"

static const struct th_crypto crypto = {&th_crypto_openssl, NULL};

/* ---- devices ---- */

struct device {
    struct sim_flash flash;
    struct th_board board;
    struct th_identity_store identity;
    struct th_factory factory;
    struct th_enrol enrol;
    uint8_t cells[128 * 1024], weak[128 * 1024];
};

static struct device lamp, other;

static bool fill(void *ctx, uint8_t *into, size_t len)
{
    static uint32_t drawn;

    (void)ctx;
    for (size_t i = 0; i < len; i++)
        into[i] = (uint8_t)((++drawn + 7) * 2654435761u >> 19);
    return true;
}

static const struct th_entropy_ops entropy_ops = {fill};

static enum th_error start(struct device *device, uint32_t seed)
{
    sim_flash_power_on(&device->flash, seed);
    enum th_error error =
        th_identity_open(&device->identity, &device->board, &th_flash_map_sim, seed);
    return error ? error
                 : th_factory_open(&device->factory, &device->board, &th_flash_map_sim, seed);
}

static void blank(struct device *device)
{
    sim_flash_init(&device->flash, (struct th_flash_geometry){sizeof device->cells, 1024, 4},
                   device->cells, device->weak, 1);
    device->board = (struct th_board){.entropy = {&entropy_ops, NULL},
                                      .flash = {&sim_flash_ops, &device->flash}};
    device->enrol = (struct th_enrol){.crypto = &crypto,
                                      .board = &device->board,
                                      .factory = &device->factory,
                                      .identity = &device->identity,
                                      .product = "thimble",
                                      .hardware = 3};
    assert_int_equal(start(device, 1), TH_OK);
}

static bool is_enrolled(struct device *device)
{
    struct th_identity_report report;

    assert_int_equal(start(device, 9), TH_OK);
    th_identity_report(&device->identity, &report);
    return report.enrolled || report.trusts;
}

static void reset(struct device *device)
{
    const struct th_reset whole = {.identity = &device->identity, .factory = &device->factory};

    assert_int_equal(th_reset_begin(&device->identity, TH_RESET_FACTORY), TH_OK);
    assert_int_equal(th_reset_finish(&whole), TH_OK);
}

/* ---- the authority ---- */

static struct cert server_ca, device_ca, idevid_ca;
static uint8_t update_secret[TH_P256_SECRET] = {1, 2, 3}, stranger_secret[TH_P256_SECRET] = {9};

/* What a bundle is made of, before it is put together; cases spoil parts of it. */
struct answer {
    struct th_enrol_request asked;
    struct cert certificates[2];
    struct th_span chains[2];
    uint8_t set[TH_TRUST_SET_MAX];
    size_t set_len;
    struct th_manifest manifest;
    const uint8_t *signer;
    uint8_t trust[TH_MANIFEST_BYTES + TH_TRUST_SET_MAX];
    uint8_t bytes[TH_ENROL_BUNDLE_MAX];
    size_t len;
};

static struct cert certify(struct th_span csr, const char *name, const struct cert *issuer)
{
    const uint8_t *at = csr.at;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)csr.len);

    assert_non_null(request);
    EVP_PKEY *key = X509_REQ_get_pubkey(request);
    assert_int_equal(X509_REQ_verify(request, key), 1);
    struct cert cert = cert_make(
        &(struct cert_spec){.cn = name, .issuer = issuer, .use_key = key, .purpose = "clientAuth"});
    EVP_PKEY_free(key);
    X509_REQ_free(request);
    return cert;
}

static void add_key(struct answer *answer, const uint8_t *secret, uint8_t components)
{
    struct th_trust_item item = {.kind = TH_ITEM_UPDATE_KEY, .key = {.components = components}};

    assert_true(crypto.ops->p256_public(NULL, secret, item.key.point));
    assert_int_equal(th_trust_set_add(answer->set, sizeof answer->set, &answer->set_len, &item),
                     TH_OK);
}

static void sha256_of(struct th_span bytes, uint8_t digest[TH_SHA256_BYTES])
{
    const struct th_hash_ops *sha256 = crypto.ops->hashes->sha256;
    union th_hash_state state;

    sha256->init(&state);
    sha256->update(&state, bytes.at, bytes.len);
    sha256->out(&state, digest);
}

static void make_set(struct answer *answer)
{
    const struct th_trust_item anchor = {.kind = TH_ITEM_ANCHOR, .bytes = server_ca.der};
    const struct th_trust_item broker = {
        .kind = TH_ITEM_BROKER, .bytes = TH_SPAN("broker.test"), .port = 8883};

    answer->set_len = 0;
    th_trust_set_add(answer->set, sizeof answer->set, &answer->set_len, &anchor);
    th_trust_set_add(answer->set, sizeof answer->set, &answer->set_len, &broker);
    add_key(answer, update_secret, 1u << TH_COMPONENT_TRUST);
    answer->signer = update_secret;
    answer->manifest = (struct th_manifest){.component = TH_COMPONENT_TRUST,
                                            .sequence = 1,
                                            .time_s = 1760000000,
                                            .product = "thimble",
                                            .hardware_max = UINT16_MAX,
                                            .block_size = 1024};
}

static void answer_begin(struct answer *answer, struct th_span request)
{
    memset(answer, 0, sizeof *answer);
    assert_int_equal(th_enrol_request_decode(request, &answer->asked), TH_OK);
    answer->certificates[0] = certify(answer->asked.csr, "lamp", &device_ca);
    answer->certificates[1] = certify(answer->asked.birth_csr, "lamp.birth", &idevid_ca);
    for (int i = 0; i < 2; i++)
        answer->chains[i] = answer->certificates[i].der;
    make_set(answer);
}

static void sign_trust(struct answer *answer)
{
    uint8_t digest[TH_SHA256_BYTES], signature[TH_P256_SIGNATURE], point[TH_P256_POINT];

    crypto.ops->p256_public(NULL, answer->signer, point);
    th_key_id(crypto.ops->hashes->sha256, point, answer->manifest.key_id);
    assert_int_equal(th_manifest_encode(&answer->manifest, answer->trust), TH_OK);
    th_manifest_digest(crypto.ops->hashes->sha256, answer->trust, digest);
    assert_true(crypto.ops->p256_sign(NULL, answer->signer, digest, signature));
    th_manifest_sign(answer->trust, signature);
    memcpy(answer->trust + TH_MANIFEST_BYTES, answer->set, answer->set_len);
}

static struct th_span answer_bytes(struct answer *answer)
{
    struct th_enrol_bundle bundle = {
        .time_s = 1763650000, .ldevid = answer->chains[0], .idevid = answer->chains[1]};

    if (answer->manifest.size == 0) {
        answer->manifest.size = (uint32_t)answer->set_len;
        sha256_of(th_span_of(answer->set, answer->set_len), answer->manifest.sha256);
    }
    sign_trust(answer);
    memcpy(bundle.nonce, answer->asked.nonce, sizeof bundle.nonce);
    bundle.trust = th_span_of(answer->trust, TH_MANIFEST_BYTES + answer->set_len);
    assert_int_equal(th_enrol_bundle_encode(crypto.ops->hashes->sha256, &bundle, answer->bytes,
                                            sizeof answer->bytes, &answer->len),
                     TH_OK);
    return th_span_of(answer->bytes, answer->len);
}

static void answer_free(struct answer *answer)
{
    cert_free(&answer->certificates[0]);
    cert_free(&answer->certificates[1]);
}

static uint8_t request_bytes[TH_ENROL_REQUEST_MAX];

static struct th_span request_of(struct device *device)
{
    size_t len;

    assert_int_equal(th_enrol_request(&device->enrol, TH_SPAN("lamp"), request_bytes,
                                      sizeof request_bytes, &len),
                     TH_OK);
    return th_span_of(request_bytes, len);
}

static struct answer answer;
static struct th_enrolled enrolled;

static int fresh(void **state)
{
    (void)state;
    blank(&lamp);
    answer_begin(&answer, request_of(&lamp));
    return 0;
}

static int done(void **state)
{
    (void)state;
    answer_free(&answer);
    return 0;
}

static enum th_error take(void)
{
    return th_enrol_take(&lamp.enrol, answer_bytes(&answer), &enrolled);
}

/* ---- what is taken ---- */

static void a_device_takes_the_answer_to_its_request(void **state)
{
    (void)state;
    struct th_credential credential;
    struct th_identity identity;
    uint8_t chain[TH_CHAIN_MAX], trust[sizeof answer.trust];

    assert_int_equal(take(), TH_OK);
    assert_int_equal(enrolled.time_s, 1763650000);
    assert_int_equal(enrolled.manifest.sequence, 1);
    assert_int_equal(start(&lamp, 5), TH_OK);
    assert_int_equal(
        th_identity_load(&lamp.identity, TH_IN_FORCE, chain, sizeof chain, &credential), TH_OK);
    th_credential_identity(&credential, &identity);
    assert_int_equal(identity.chain_count, 1);
    assert_true(th_span_equal(identity.chain[0], answer.chains[0]));
    assert_string_equal(credential.name, "lamp");
    assert_int_equal(th_factory_idevid(&lamp.factory, chain, sizeof chain, &credential), TH_OK);
    assert_true(th_span_equal(credential.chain[0], answer.chains[1]));
    size_t len = th_identity_trust_read(&lamp.identity, TH_IN_FORCE, 0, trust, sizeof trust);
    assert_true(th_span_equal(th_span_of(trust, len),
                              th_span_of(answer.trust, TH_MANIFEST_BYTES + answer.set_len)));
}

/* I1: nothing of either key in the request. */
static void the_request_has_nothing_of_a_key(void **state)
{
    (void)state;
    struct th_credential keys[2];

    th_identity_load(&lamp.identity, TH_NEXT, NULL, 0, &keys[0]);
    th_factory_idevid(&lamp.factory, NULL, 0, &keys[1]);
    for (int i = 0; i < 2; i++) {
        for (size_t at = 7; at + 6 <= 7 + TH_P256_SECRET; at++) {
            for (size_t j = 0; j + 6 <= sizeof request_bytes; j++)
                assert_true(memcmp(request_bytes + j, keys[i].key + at, 6) != 0);
        }
    }
}

static void a_chain_with_its_issuer_is_taken(void **state)
{
    (void)state;
    uint8_t both[TH_CHAIN_MAX];
    size_t one = answer.chains[0].len;

    memcpy(both, answer.chains[0].at, one);
    memcpy(both + one, device_ca.der.at, device_ca.der.len);
    answer.chains[0] = th_span_of(both, one + device_ca.der.len);
    assert_int_equal(take(), TH_OK);
}

/* ---- I2: the authority's side of the request ---- */

static void an_altered_request_proves_nothing(void **state)
{
    (void)state;
    struct th_span request = request_of(&lamp);
    struct th_enrol_request found;
    uint8_t digest[TH_SHA256_BYTES];
    struct th_credential birth;

    th_factory_idevid(&lamp.factory, NULL, 0, &birth);
    for (size_t bit = 0; bit <= 8 * request.len; bit++) {
        uint8_t mask = (uint8_t)(1u << bit % 8);
        bool altered = bit < 8 * request.len;

        if (altered)
            request_bytes[bit / 8] ^= mask;
        bool good = th_enrol_request_decode(request, &found) == TH_OK;
        if (good) {
            th_enrol_request_digest(crypto.ops->hashes->sha256, found.signed_part, digest);
            good = crypto.ops->p256_verify(NULL, birth.point, digest, found.signature);
        }
        assert_int_equal(good, !altered);
        if (altered)
            request_bytes[bit / 8] ^= mask;
    }
    for (size_t len = 0; len < request.len; len++)
        assert_int_equal(th_enrol_request_decode(th_span_of(request.at, len), &found),
                         TH_ERR_ENROL_FORMAT);
}

/* ---- I4 ---- */

static void an_enrolled_device_takes_no_other_bundle(void **state)
{
    (void)state;
    size_t len;

    assert_int_equal(take(), TH_OK);
    assert_int_equal(take(), TH_ERR_ENROL_ALREADY);
    assert_int_equal(
        th_enrol_request(&lamp.enrol, TH_SPAN("lamp"), request_bytes, sizeof request_bytes, &len),
        TH_ERR_ENROL_ALREADY);
}

/* Also with the nonce of the new request put into it: the key is another one. */
static void a_bundle_for_an_earlier_request_is_refused(void **state)
{
    (void)state;
    struct th_enrol_request newer;

    th_enrol_request_decode(request_of(&lamp), &newer);
    assert_int_equal(take(), TH_ERR_ENROL_NONCE);
    memcpy(answer.asked.nonce, newer.nonce, sizeof newer.nonce);
    assert_int_equal(take(), TH_ERR_ENROL_CERTIFICATE);
    assert_false(is_enrolled(&lamp));
}

static void a_bundle_is_not_taken_again_after_a_reset(void **state)
{
    (void)state;
    struct th_enrol_request newer;

    assert_int_equal(take(), TH_OK);
    reset(&lamp);
    assert_int_equal(take(), TH_ERR_ENROL_NO_REQUEST);
    th_enrol_request_decode(request_of(&lamp), &newer);
    assert_int_equal(take(), TH_ERR_ENROL_NONCE);
    memcpy(answer.asked.nonce, newer.nonce, sizeof newer.nonce);
    assert_int_equal(take(), TH_ERR_ENROL_CERTIFICATE);
    assert_false(is_enrolled(&lamp));
}

static void another_devices_bundle_is_refused(void **state)
{
    (void)state;
    struct th_credential mine;

    blank(&other);
    request_of(&other);
    assert_int_equal(th_enrol_take(&other.enrol, answer_bytes(&answer), &enrolled),
                     TH_ERR_ENROL_NONCE);
    th_identity_load(&other.identity, TH_NEXT, NULL, 0, &mine);
    memcpy(answer.asked.nonce, mine.nonce, sizeof mine.nonce);
    assert_int_equal(th_enrol_take(&other.enrol, answer_bytes(&answer), &enrolled),
                     TH_ERR_ENROL_CERTIFICATE);
    assert_false(is_enrolled(&other));
}

static void a_device_that_has_not_asked_takes_nothing(void **state)
{
    (void)state;
    blank(&other);
    assert_int_equal(th_enrol_take(&other.enrol, answer_bytes(&answer), &enrolled),
                     TH_ERR_ENROL_NO_REQUEST);
}

/* ---- certificates that do not fit ---- */

static void certificates_over_other_keys_or_names_are_refused(void **state)
{
    (void)state;
    struct th_span good[2] = {answer.chains[0], answer.chains[1]};
    struct cert wrong_name = certify(answer.asked.csr, "lamp2", &device_ca);
    struct cert wrong_birth = certify(answer.asked.birth_csr, "lamp", &device_ca);
    struct cert wrong_key = certify(answer.asked.birth_csr, "lamp", &device_ca);
    const struct th_span cases[][2] = {
        {good[1], good[0]},
        {wrong_name.der, good[1]},
        {wrong_key.der, good[1]},
        {good[0], wrong_birth.der},
        {good[0], good[0]},
        {server_ca.der, good[1]},
        {TH_SPAN("0\x02no"), good[1]},
        {good[0], {good[1].at, good[1].len - 1}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer.chains[0] = cases[i][0];
        answer.chains[1] = cases[i][1];
        assert_int_equal(take(), TH_ERR_ENROL_CERTIFICATE);
    }
    assert_false(is_enrolled(&lamp));
    cert_free(&wrong_name);
    cert_free(&wrong_birth);
    cert_free(&wrong_key);
}

/* ---- trust sets that are not believed ---- */

static void a_set_nobody_could_follow_is_refused(void **state)
{
    (void)state;
    answer.set_len = 60; /* cut within the anchor */
    assert_int_equal(take(), TH_ERR_TRUST_SET_FORMAT);
    assert_false(is_enrolled(&lamp));
}

static void a_manifest_for_something_else_is_refused(void **state)
{
    (void)state;
    struct th_manifest good = answer.manifest;

    answer.manifest.component = TH_COMPONENT_FIRMWARE;
    assert_int_equal(take(), TH_ERR_UPDATE_FORMAT);
    answer.manifest = good;
    answer.manifest.size = 7;
    assert_int_equal(take(), TH_ERR_UPDATE_FORMAT);
    answer.manifest.size = (uint32_t)answer.set_len; /* with a digest of zeros */
    assert_int_equal(take(), TH_ERR_UPDATE_FORMAT);
    answer.manifest = good;
    memcpy(answer.manifest.product, "other", 6);
    assert_int_equal(take(), TH_ERR_UPDATE_PRODUCT);
    answer.manifest = good;
    answer.manifest.hardware_max = 2;
    assert_int_equal(take(), TH_ERR_UPDATE_HARDWARE);
    answer.manifest = good;
    answer.manifest.development = true;
    assert_int_equal(take(), TH_ERR_UPDATE_DEVELOPMENT);
    assert_false(is_enrolled(&lamp));
    lamp.enrol.allow_development = true;
    assert_int_equal(take(), TH_OK);
}

static void only_a_key_of_the_set_may_have_signed_it(void **state)
{
    (void)state;
    answer.signer = stranger_secret;
    assert_int_equal(take(), TH_ERR_UPDATE_KEY);
    add_key(&answer, stranger_secret, 1u << TH_COMPONENT_FIRMWARE); /* not for trust */
    answer.manifest.size = 0;
    assert_int_equal(take(), TH_ERR_UPDATE_KEY);
    answer.signer = update_secret;
    assert_int_equal(take(), TH_OK);
}

static void an_altered_manifest_is_refused(void **state)
{
    (void)state;
    uint8_t digest[TH_SHA256_BYTES];

    answer_bytes(&answer);
    size_t begin = answer.len - TH_SHA256_BYTES - answer.set_len - TH_MANIFEST_BYTES;
    for (size_t i = 0; i < TH_MANIFEST_BYTES; i++) {
        answer.bytes[begin + i] ^= 0x20;
        sha256_of(th_span_of(answer.bytes, answer.len - TH_SHA256_BYTES), digest);
        memcpy(answer.bytes + answer.len - TH_SHA256_BYTES, digest, sizeof digest);
        enum th_error error =
            th_enrol_take(&lamp.enrol, th_span_of(answer.bytes, answer.len), &enrolled);
        if (error < TH_ERR_UPDATE_FORMAT || error > TH_ERR_TRUST_SET_FORMAT)
            fail_msg("byte %zu of the manifest altered: error %d", i, error);
        answer.bytes[begin + i] ^= 0x20;
    }
    assert_false(is_enrolled(&lamp));
}

/* ---- bytes on the way ---- */

static void a_bundle_with_any_bit_altered_or_cut_is_refused(void **state)
{
    (void)state;
    answer_bytes(&answer);
    for (size_t bit = 0; bit < 8 * answer.len; bit++) {
        answer.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(
            th_enrol_take(&lamp.enrol, th_span_of(answer.bytes, answer.len), &enrolled),
            TH_ERR_ENROL_FORMAT);
        answer.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < answer.len; len++)
        assert_int_equal(th_enrol_take(&lamp.enrol, th_span_of(answer.bytes, len), &enrolled),
                         TH_ERR_ENROL_FORMAT);
    assert_false(is_enrolled(&lamp));
    assert_int_equal(th_enrol_take(&lamp.enrol, th_span_of(answer.bytes, answer.len), &enrolled),
                     TH_OK);
}

static void names_that_break_the_rule_get_no_request(void **state)
{
    (void)state;
    size_t len;

    assert_int_equal(
        th_enrol_request(&lamp.enrol, TH_SPAN("a+b"), request_bytes, sizeof request_bytes, &len),
        TH_ERR_INVALID);
    assert_int_equal(th_enrol_request(&lamp.enrol, TH_SPAN("lamp"), request_bytes, 100, &len),
                     TH_ERR_TOO_LARGE);
    lamp.enrol.product = "";
    assert_int_equal(
        th_enrol_request(&lamp.enrol, TH_SPAN("lamp"), request_bytes, sizeof request_bytes, &len),
        TH_ERR_INVALID);
    lamp.enrol.product = "thimble";
    assert_int_equal(take(), TH_OK); /* the request before is still waiting */
}

/* R1: cut anywhere, the device is enrolled or takes the same bundle after the next start. */
static void a_cut_while_a_bundle_is_taken_costs_nothing(void **state)
{
    (void)state;
    static struct device before;
    struct th_span bytes = answer_bytes(&answer);
    unsigned cases = 0;

    before = lamp;
    for (int tear = 0; tear < SIM_TEAR_KINDS; tear++) {
        for (uint32_t at = 0;; at += 3) {
            lamp = before;
            sim_flash_power_on(&lamp.flash, at);
            sim_flash_cut(&lamp.flash, at, (enum sim_tear)tear);
            enum th_error error = th_enrol_take(&lamp.enrol, bytes, &enrolled);
            if (!lamp.flash.dead)
                break;
            assert_int_equal(error, TH_ERR_STORE);
            if (!is_enrolled(&lamp))
                assert_int_equal(th_enrol_take(&lamp.enrol, bytes, &enrolled), TH_OK);
            assert_int_equal(start(&lamp, 77), TH_OK);
            assert_int_equal(th_enrol_take(&lamp.enrol, bytes, &enrolled), TH_ERR_ENROL_ALREADY);
            cases++;
        }
    }
    print_message("%u cuts\n", cases);
}

static int authorities(void **state)
{
    (void)state;
    server_ca = cert_root("server CA");
    device_ca = cert_root("device CA");
    idevid_ca = cert_root("IDevID CA");
    return 0;
}

static int authorities_end(void **state)
{
    (void)state;
    cert_free(&server_ca);
    cert_free(&device_ca);
    cert_free(&idevid_ca);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_device_takes_the_answer_to_its_request),
        CASE(the_request_has_nothing_of_a_key),
        CASE(a_chain_with_its_issuer_is_taken),
        CASE(an_altered_request_proves_nothing),
        CASE(an_enrolled_device_takes_no_other_bundle),
        CASE(a_bundle_for_an_earlier_request_is_refused),
        CASE(a_bundle_is_not_taken_again_after_a_reset),
        CASE(another_devices_bundle_is_refused),
        CASE(a_device_that_has_not_asked_takes_nothing),
        CASE(certificates_over_other_keys_or_names_are_refused),
        CASE(a_set_nobody_could_follow_is_refused),
        CASE(a_manifest_for_something_else_is_refused),
        CASE(only_a_key_of_the_set_may_have_signed_it),
        CASE(an_altered_manifest_is_refused),
        CASE(a_bundle_with_any_bit_altered_or_cut_is_refused),
        CASE(names_that_break_the_rule_get_no_request),
        CASE(a_cut_while_a_bundle_is_taken_costs_nothing),
    };
    return cmocka_run_group_tests(tests, authorities, authorities_end);
}
