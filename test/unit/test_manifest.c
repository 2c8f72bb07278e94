/* SPDX-License-Identifier: MIT */
/* O1 O2 O3 O4 O5 O15 O16: what a manifest must be before anything it announces is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <thimble/manifest.h>
#include <thimble/trust_set.h>

static const struct th_crypto crypto = {&th_crypto_openssl, NULL};
static const uint8_t release_secret[32] = {1, 2, 3}, bench_secret[32] = {4, 5, 6},
                     coproc_secret[32] = {7, 8, 9}, stranger_secret[32] = {10, 11, 12};

#define FIRMWARE (1u << TH_COMPONENT_FIRMWARE | 1u << TH_COMPONENT_TRUST)
#define COPROC   (1u << TH_COMPONENT_COPROC)

static struct th_update_key keys[3];

static int set_up(void **state)
{
    (void)state;
    const uint8_t *secrets[] = {release_secret, bench_secret, coproc_secret};
    const uint8_t components[] = {FIRMWARE, FIRMWARE, COPROC};

    for (size_t i = 0; i < 3; i++) {
        crypto.ops->p256_public(NULL, secrets[i], keys[i].point);
        keys[i].components = components[i];
        keys[i].development = i == 1;
    }
    return 0;
}

static const struct th_manifest_rules rules = {
    .product = "garden",
    .hardware = 3,
    .sequence = 10,
    .epoch = 2,
};

static struct th_manifest good(void)
{
    struct th_manifest manifest = {
        .component = TH_COMPONENT_FIRMWARE,
        .sequence = 11,
        .epoch = 2,
        .time_s = 1790000000,
        .product = "garden",
        .hardware_min = 2,
        .hardware_max = 4,
        .size = 100000,
        .block_size = 1024,
    };

    memset(manifest.sha256, 0xAA, sizeof manifest.sha256);
    memset(manifest.blocks, 0xBB, sizeof manifest.blocks);
    return manifest;
}

static void sign(struct th_manifest *manifest, const uint8_t *secret, uint8_t *bytes)
{
    uint8_t point[TH_P256_POINT], digest[32], signature[64];
    const struct th_hash_ops *sha256 = crypto.ops->hashes->sha256;

    crypto.ops->p256_public(NULL, secret, point);
    th_key_id(sha256, point, manifest->key_id);
    assert_int_equal(th_manifest_encode(manifest, bytes), TH_OK);
    th_manifest_digest(sha256, bytes, digest);
    assert_true(crypto.ops->p256_sign(NULL, secret, digest, signature));
    th_manifest_sign(bytes, signature);
}

static enum th_error verify_by(const uint8_t *bytes, const struct th_manifest_rules *by)
{
    struct th_manifest out;

    return th_manifest_verify(bytes, keys, 3, by, &crypto, &out);
}

static enum th_error verdict(struct th_manifest manifest, const uint8_t *secret)
{
    uint8_t bytes[TH_MANIFEST_BYTES];

    sign(&manifest, secret, bytes);
    return verify_by(bytes, &rules);
}

static void a_good_manifest_is_taken_and_read_back(void **state)
{
    (void)state;
    struct th_manifest manifest = good(), out;
    uint8_t bytes[TH_MANIFEST_BYTES];

    sign(&manifest, release_secret, bytes);
    assert_int_equal(th_manifest_verify(bytes, keys, 3, &rules, &crypto, &out), TH_OK);
    assert_memory_equal(&out, &manifest, sizeof out);
}

/* O1 */
static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct th_manifest manifest = good();
    uint8_t bytes[TH_MANIFEST_BYTES];

    sign(&manifest, release_secret, bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(verify_by(bytes, &rules), TH_OK);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(verify_by(bytes, &rules), TH_OK);
}

/* O2 */
static void product_and_hardware_must_match(void **state)
{
    (void)state;
    struct th_manifest manifest = good();

    strcpy(manifest.product, "gardens");
    assert_int_equal(verdict(manifest, release_secret), TH_ERR_UPDATE_PRODUCT);
    for (uint16_t low = 0; low < 6; low++) {
        for (uint16_t high = low; high < 6; high++) {
            manifest = good();
            manifest.hardware_min = low;
            manifest.hardware_max = high;
            assert_int_equal(verdict(manifest, release_secret),
                             low <= 3 && high >= 3 ? TH_OK : TH_ERR_UPDATE_HARDWARE);
        }
    }
}

/* O3 O4 */
static void sequence_must_rise_and_epoch_must_not_fall(void **state)
{
    (void)state;
    struct th_manifest manifest = good();

    manifest.sequence = 10;
    assert_int_equal(verdict(manifest, release_secret), TH_ERR_UPDATE_OLD);
    manifest.sequence = 0xFFFFFFFF;
    assert_int_equal(verdict(manifest, release_secret), TH_OK);
    manifest.epoch = 1;
    assert_int_equal(verdict(manifest, release_secret), TH_ERR_UPDATE_EPOCH);
    manifest.epoch = 3;
    assert_int_equal(verdict(manifest, release_secret), TH_OK);
}

/* O5 O16: a key signs for its own components only, whatever the manifest says. */
static void a_key_signs_only_what_it_may(void **state)
{
    (void)state;
    struct th_manifest manifest = good();

    assert_int_equal(verdict(manifest, stranger_secret), TH_ERR_UPDATE_KEY);
    assert_int_equal(verdict(manifest, coproc_secret), TH_ERR_UPDATE_KEY);
    manifest.component = TH_COMPONENT_COPROC;
    assert_int_equal(verdict(manifest, release_secret), TH_ERR_UPDATE_KEY);
    assert_int_equal(verdict(manifest, coproc_secret), TH_OK);
    manifest.component = TH_COMPONENT_TRUST;
    assert_int_equal(verdict(manifest, release_secret), TH_OK);
}

static void another_keys_signature_is_refused(void **state)
{
    (void)state;
    struct th_manifest manifest = good();
    uint8_t bytes[TH_MANIFEST_BYTES], others[TH_MANIFEST_BYTES];

    sign(&manifest, stranger_secret, others);
    sign(&manifest, release_secret, bytes);
    memcpy(bytes + 192, others + 192, 64);
    assert_int_equal(verify_by(bytes, &rules), TH_ERR_UPDATE_SIGNATURE);
}

/* O15 */
static void development_is_for_development_builds(void **state)
{
    (void)state;
    struct th_manifest manifest = good();
    struct th_manifest_rules bench = rules;
    uint8_t bytes[TH_MANIFEST_BYTES];

    assert_int_equal(verdict(manifest, bench_secret), TH_ERR_UPDATE_DEVELOPMENT);
    manifest.development = true;
    assert_int_equal(verdict(manifest, release_secret), TH_ERR_UPDATE_DEVELOPMENT);
    bench.allow_development = true;
    sign(&manifest, bench_secret, bytes);
    assert_int_equal(verify_by(bytes, &bench), TH_OK);
}

static void fields_that_break_a_rule_are_not_encoded(void **state)
{
    (void)state;
    uint8_t bytes[TH_MANIFEST_BYTES];
    static const uint32_t block_sizes[] = {0, 1, 255, 257, 1000, 131072, 0x80000000u};

    for (size_t i = 0; i < sizeof block_sizes / sizeof block_sizes[0]; i++) {
        struct th_manifest manifest = good();

        manifest.block_size = block_sizes[i];
        assert_int_equal(th_manifest_encode(&manifest, bytes), TH_ERR_INVALID);
    }
    struct th_manifest manifest = good();
    manifest.product[0] = '\0';
    assert_int_equal(th_manifest_encode(&manifest, bytes), TH_ERR_INVALID);
    manifest = good();
    manifest.size = 0;
    assert_int_equal(th_manifest_encode(&manifest, bytes), TH_ERR_INVALID);
    manifest = good();
    manifest.component = 4;
    assert_int_equal(th_manifest_encode(&manifest, bytes), TH_ERR_INVALID);
    manifest = good();
    manifest.delta = true; /* to nothing (O8) */
    assert_int_equal(th_manifest_encode(&manifest, bytes), TH_ERR_INVALID);
    manifest = good();
    manifest.hardware_min = 9;
    assert_int_equal(th_manifest_encode(&manifest, bytes), TH_ERR_INVALID);
}

/* O16: the device knows what its set names; each bundle may name other keys for the next one. */
static size_t keys_of_set(const size_t *which, size_t count, struct th_update_key *out)
{
    uint8_t set[512];
    struct th_trust_item item = {.kind = TH_ITEM_PIN, .bytes = th_span_of(release_secret, 32)};
    size_t len = 0, n = 0;

    assert_int_equal(th_trust_set_add(set, sizeof set, &len, &item), TH_OK);
    item = (struct th_trust_item){.kind = TH_ITEM_BROKER, .bytes = th_span_str("b"), .port = 1};
    assert_int_equal(th_trust_set_add(set, sizeof set, &len, &item), TH_OK);
    for (size_t i = 0; i < count; i++) {
        item = (struct th_trust_item){.kind = TH_ITEM_UPDATE_KEY, .key = keys[which[i]]};
        item.key.components = FIRMWARE;
        assert_int_equal(th_trust_set_add(set, sizeof set, &len, &item), TH_OK);
    }
    assert_int_equal(th_trust_set_check(th_span_of(set, len)), TH_OK);
    while (th_trust_set_item(th_span_of(set, len), TH_ITEM_UPDATE_KEY, n, &item))
        out[n++] = item.key;
    return n;
}

static enum th_error by_set(const size_t *which, size_t count, const uint8_t *secret)
{
    struct th_manifest manifest = good(), out;
    struct th_update_key known[3];
    uint8_t bytes[TH_MANIFEST_BYTES];

    manifest.component = TH_COMPONENT_TRUST;
    sign(&manifest, secret, bytes);
    return th_manifest_verify(bytes, known, keys_of_set(which, count, known), &rules, &crypto,
                              &out);
}

static void a_key_is_rolled_by_a_bundle_that_the_old_one_signed(void **state)
{
    (void)state;
    static const size_t old[] = {0}, both[] = {0, 2}, new[] = {2};

    assert_int_equal(by_set(old, 1, coproc_secret), TH_ERR_UPDATE_KEY);
    assert_int_equal(by_set(old, 1, release_secret), TH_OK);
    assert_int_equal(by_set(both, 2, coproc_secret), TH_OK);
    assert_int_equal(by_set(new, 1, coproc_secret), TH_OK);
    assert_int_equal(by_set(new, 1, release_secret), TH_ERR_UPDATE_KEY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_manifest_is_taken_and_read_back),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(product_and_hardware_must_match),
        cmocka_unit_test(sequence_must_rise_and_epoch_must_not_fall),
        cmocka_unit_test(a_key_signs_only_what_it_may),
        cmocka_unit_test(another_keys_signature_is_refused),
        cmocka_unit_test(development_is_for_development_builds),
        cmocka_unit_test(fields_that_break_a_rule_are_not_encoded),
        cmocka_unit_test(a_key_is_rolled_by_a_bundle_that_the_old_one_signed),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
