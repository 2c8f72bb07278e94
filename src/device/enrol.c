/* SPDX-License-Identifier: MIT */
#include "device/enrol.h"

#include "base/off_stack.h"

#include <thimble/certificate.h>

#define BIRTH ".birth"

struct birth_name {
    char text[TH_NAME_MAX + sizeof BIRTH];
};

static struct birth_name birth_name(const char *name)
{
    struct birth_name birth;
    size_t len = strlen(name);

    memcpy(birth.text, name, len);
    memcpy(birth.text + len, BIRTH, sizeof BIRTH);
    return birth;
}

static OFF_THE_STACK bool enrolled(const struct th_enrol *enrol)
{
    struct th_identity_report report;

    th_identity_report(enrol->identity, &report);
    return report.enrolled;
}

/* The next credential, without what is certified of it. BAD_STATE: there is none. */
static enum th_error load_request(const struct th_enrol *enrol, struct th_credential *out)
{
    return th_identity_load(enrol->identity, TH_NEXT, NULL, 0, out);
}

/* ---- asking ---- */

/* What a request says of the credential, without its key. */
struct asking {
    char name[TH_NAME_MAX + 1];
    uint8_t nonce[TH_REQUEST_NONCE];
};

static OFF_THE_STACK enum th_error load_asking(const struct th_enrol *enrol, struct asking *asking)
{
    struct th_credential credential;
    enum th_error error = load_request(enrol, &credential);

    if (error)
        return error;
    memcpy(asking->name, credential.name, sizeof asking->name);
    memcpy(asking->nonce, credential.nonce, sizeof asking->nonce);
    th_credential_wipe(&credential);
    return TH_OK;
}

static OFF_THE_STACK enum th_error ask_for_birth(const struct th_enrol *enrol, const char *name,
                                                 uint8_t *into, size_t room, size_t *len)
{
    struct birth_name birth = birth_name(name);

    return th_factory_csr(enrol->factory, enrol->crypto, th_span_str(birth.text), into, room, len);
}

static enum th_error put_requests(const struct th_enrol *enrol, const char *name, uint8_t *into,
                                  size_t room, size_t *len)
{
    size_t one, two, at = TH_ENROL_REQUEST_HEAD;
    enum th_error error = th_identity_next_csr(enrol->identity, enrol->crypto, into + at,
                                               room - at - TH_P256_SIGNATURE, &one);

    if (error)
        return error;
    at += one;
    error = ask_for_birth(enrol, name, into + at, room - at - TH_P256_SIGNATURE, &two);
    if (error)
        return error;
    enrol_put_le(into + REQUEST_CSR_LEN, one, 2);
    enrol_put_le(into + REQUEST_BIRTH_LEN, two, 2);
    *len = at + two;
    return TH_OK;
}

static OFF_THE_STACK enum th_error sign_request(const struct th_enrol *enrol, uint8_t *into,
                                                size_t *len)
{
    uint8_t digest[TH_SHA256_BYTES];

    th_enrol_request_digest(enrol->crypto->ops->hashes->sha256, th_span_of(into, *len), digest);
    enum th_error error = th_factory_sign(enrol->factory, enrol->crypto, digest, into + *len);
    *len += TH_P256_SIGNATURE;
    return error;
}

static enum th_error write_request(const struct th_enrol *enrol, const struct asking *asking,
                                   uint8_t *into, size_t room, size_t *len)
{
    size_t product = strlen(enrol->product);

    memset(into, 0, TH_ENROL_REQUEST_HEAD);
    memcpy(into, enrol_request_magic, sizeof enrol_request_magic);
    enrol_put_le(into + REQUEST_HARDWARE, enrol->hardware, 2);
    memcpy(into + REQUEST_NONCE, asking->nonce, sizeof asking->nonce);
    memcpy(into + REQUEST_PRODUCT, enrol->product, product);
    enum th_error error = put_requests(enrol, asking->name, into, room, len);
    return error ? error : sign_request(enrol, into, len);
}

enum th_error th_enrol_request(const struct th_enrol *enrol, struct th_span name, uint8_t *into,
                               size_t room, size_t *len)
{
    struct asking asking;
    size_t product = strlen(enrol->product);

    if (enrolled(enrol))
        return TH_ERR_ENROL_ALREADY;
    if (product == 0 || product > TH_MANIFEST_PRODUCT || !th_device_name_valid(name))
        return TH_ERR_INVALID;
    if (room < TH_ENROL_REQUEST_MAX)
        return TH_ERR_TOO_LARGE;
    enum th_error error = th_factory_key_make(enrol->factory, enrol->crypto, enrol->board);
    if (error == TH_OK)
        error = th_identity_next_make(enrol->identity, enrol->crypto, enrol->board, name);
    if (error == TH_OK)
        error = load_asking(enrol, &asking);
    return error ? error : write_request(enrol, &asking, into, room, len);
}

/* ---- taking the answer ---- */

/* The certificate in front is over this key and has this name. */
static bool is_ours(const struct th_enrol *enrol, struct th_span chain, const uint8_t *point,
                    const char *name)
{
    const struct th_hash_ops *sha256 = enrol->crypto->ops->hashes->sha256;
    struct th_span split[TH_CHAIN_COUNT];
    struct th_certificate certificate;

    return th_chain_split(chain, split) > 0 &&
           th_certificate_read(split[0], sha256, &certificate) &&
           th_certificate_is_over(&certificate, point, sha256) &&
           strcmp(certificate.subject, name) == 0;
}

static enum th_error check_birth(const struct th_enrol *enrol, const struct th_enrol_bundle *bundle,
                                 const char *name)
{
    struct birth_name birth = birth_name(name);
    struct th_credential idevid;
    enum th_error error = th_factory_idevid(enrol->factory, NULL, 0, &idevid);
    bool ours = error == TH_OK && is_ours(enrol, bundle->idevid, idevid.point, birth.text);

    th_credential_wipe(&idevid);
    return ours ? TH_OK : TH_ERR_ENROL_CERTIFICATE;
}

static OFF_THE_STACK enum th_error check_answer(const struct th_enrol *enrol,
                                                const struct th_enrol_bundle *bundle)
{
    struct th_credential asked;
    enum th_error error = load_request(enrol, &asked);

    if (error)
        return error == TH_ERR_BAD_STATE ? TH_ERR_ENROL_NO_REQUEST : error;
    if (memcmp(bundle->nonce, asked.nonce, sizeof asked.nonce) != 0)
        error = TH_ERR_ENROL_NONCE;
    else if (!is_ours(enrol, bundle->ldevid, asked.point, asked.name))
        error = TH_ERR_ENROL_CERTIFICATE;
    else
        error = check_birth(enrol, bundle, asked.name);
    th_credential_wipe(&asked);
    return error;
}

/* The set's own key that the manifest names; without one it is signed by nobody the set knows. */
static OFF_THE_STACK bool find_signer(struct th_span set, const struct th_hash_ops *sha256,
                                      const uint8_t key_id[TH_KEY_ID_BYTES],
                                      struct th_update_key *out)
{
    struct th_trust_item item;

    for (size_t n = 0; th_trust_set_item(set, TH_ITEM_UPDATE_KEY, n, &item); n++) {
        uint8_t id[TH_KEY_ID_BYTES];

        th_key_id(sha256, item.key.point, id);
        *out = item.key;
        if (memcmp(id, key_id, sizeof id) == 0)
            return true;
    }
    return false;
}

static OFF_THE_STACK bool set_is_announced(const struct th_manifest *manifest, struct th_span set,
                                           const struct th_hash_ops *sha256)
{
    uint8_t digest[TH_SHA256_BYTES];
    union th_hash_state state;

    sha256->init(&state);
    sha256->update(&state, set.at, set.len);
    sha256->out(&state, digest);
    return manifest->component == TH_COMPONENT_TRUST && manifest->size == set.len &&
           !manifest->delta && memcmp(manifest->sha256, digest, sizeof digest) == 0;
}

static enum th_error check_trust(const struct th_enrol *enrol, struct th_span trust,
                                 struct th_manifest *manifest)
{
    const struct th_hash_ops *sha256 = enrol->crypto->ops->hashes->sha256;
    struct th_span set = {trust.at + TH_MANIFEST_BYTES, trust.len - TH_MANIFEST_BYTES};
    const struct th_manifest_rules rules = {
        .product = enrol->product,
        .hardware = enrol->hardware,
        .allow_development = enrol->allow_development,
    };
    struct th_update_key key;

    if (th_trust_set_check(set) != TH_OK)
        return TH_ERR_TRUST_SET_FORMAT;
    if (th_manifest_decode(trust.at, manifest) != TH_OK || !set_is_announced(manifest, set, sha256))
        return TH_ERR_UPDATE_FORMAT;
    if (!find_signer(set, sha256, manifest->key_id, &key))
        return TH_ERR_UPDATE_KEY;
    return th_manifest_verify(trust.at, &key, 1, &rules, enrol->crypto, manifest);
}

enum th_error th_enrol_take(const struct th_enrol *enrol, struct th_span bytes,
                            struct th_enrolled *out)
{
    struct th_enrol_bundle bundle;
    enum th_error error =
        th_enrol_bundle_decode(enrol->crypto->ops->hashes->sha256, bytes, &bundle);

    memset(out, 0, sizeof *out);
    if (error)
        return error;
    if (enrolled(enrol))
        return TH_ERR_ENROL_ALREADY;
    error = check_answer(enrol, &bundle);
    if (error == TH_OK)
        error = check_trust(enrol, bundle.trust, &out->manifest);
    if (error)
        return error;
    out->time_s = bundle.time_s;
    /* Over a key that stays: stored again after a cut, it is the same. */
    error = th_factory_certify(enrol->factory, bundle.idevid);
    return error ? error : th_identity_enrol(enrol->identity, bundle.ldevid, bundle.trust);
}
