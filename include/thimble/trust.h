/* SPDX-License-Identifier: MIT */
/*
 * The certificate policy every TLS backend shares. A backend's library checks signatures and builds
 * the chain; what libraries leave out or do differently (server names, extended key usage, key
 * sizes, hashes, CA bits, path lengths, name constraints, critical extensions, dates, pins) is
 * judged here, from the certificates' own bytes, fed as they arrive. Nobody buffers a certificate.
 *
 * Clauses: RFC 5280 §4.2, §6.1; RFC 9525 (server names); REQUIREMENTS T3, T4, T5, T15, C2.
 */
#ifndef THIMBLE_TRUST_H
#define THIMBLE_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/der.h>
#include <thimble/failure.h>
#include <thimble/span.h>

/* ---- what the caller trusts ---- */

#define TH_SHA256_BYTES 32
#define TH_SHA1_BYTES   20

/* What a certificate's dates are judged by. */
enum th_clock_kind {
    TH_CLOCK_FLOOR_ONLY = 0, /* no working clock: only `floor_s` is known to have passed */
    TH_CLOCK_HINT,           /* a working clock nobody vouches for (SNTP): it only warns */
    TH_CLOCK_TRUSTED,        /* a clock that may refuse: the host's own, or the agent's time */
};

struct th_clock_view {
    enum th_clock_kind kind;
    int64_t floor_s; /* the highest lower bound ever signed; 0 when none */
    int64_t now_s;   /* the working clock, for HINT and TRUSTED */
};

enum th_date_verdict {
    TH_DATE_VALID,
    TH_DATE_PROVISIONAL, /* accepted; to be judged again when time is trusted */
    TH_DATE_DOUBTFUL,    /* accepted with a warning: the hint disagrees */
    TH_DATE_EXPIRED,     /* refuse */
    TH_DATE_NOT_YET,     /* refuse */
};

/* notAfter < floor refuses. TRUSTED judges both dates. HINT never refuses. Not valid yet against
 * the floor alone is PROVISIONAL. */
enum th_date_verdict th_trust_date(const struct th_clock_view *clock, int64_t not_before_s,
                                   int64_t not_after_s);

/* How anchors and fingerprints go together. Pins always apply in addition to either. */
enum th_trust_mode {
    TH_TRUST_ANCHORS = 0,         /* a chain to an anchor; fingerprints, if any, in addition */
    TH_TRUST_FINGERPRINT_INSTEAD, /* the server's own certificate has one of the fingerprints, or,
                                     where none are given, its key one of the pins; no chain, no
                                     name, no purpose, no dates are judged */
    TH_TRUST_INSECURE_BENCH_ONLY, /* nothing is judged. Left out of builds that define
                                     TH_NO_INSECURE: then it is refused as TH_ERR_CONFIG */
};

/* Everything it points to must live and stay unchanged as long as the policy is in use. */
struct th_trust {
    enum th_trust_mode mode;
    const struct th_span *anchors; /* DER certificates; a self-signed or an intermediate one */
    uint8_t anchor_count;
    const uint8_t (*pins)[TH_SHA256_BYTES]; /* SHA-256 of a SubjectPublicKeyInfo: the server's own
                                               or any CA's in its chain must match one */
    uint8_t pin_count;
    const uint8_t (*sha256_fingerprints)[TH_SHA256_BYTES]; /* of the server's whole certificate */
    uint8_t sha256_fingerprint_count;
    const uint8_t (*sha1_fingerprints)[TH_SHA1_BYTES]; /* because deployed tutorials use them */
    uint8_t sha1_fingerprint_count;
    struct th_clock_view clock;
};

/* ---- hashes, supplied by the backend ---- */

#define TH_HASH_STATE 112

/* Aligned for any hash context of at most TH_HASH_STATE bytes. */
union th_hash_state {
    uint64_t align;
    uint8_t bytes[TH_HASH_STATE];
};

struct th_hash_ops {
    void (*init)(union th_hash_state *state);
    void (*update)(union th_hash_state *state, const uint8_t *bytes, size_t len);
    void (*out)(const union th_hash_state *state, uint8_t *digest); /* the state stays usable */
};

struct th_hashes {
    const struct th_hash_ops *sha256, *sha1;
};

/* ---- judging one chain, as its bytes arrive ---- */

#define TH_TRUST_CHAIN_MAX 6 /* certificates; longer is refused */
/* No backend reads more than this of a chain, whatever the server announces. */
#define TH_TRUST_CHAIN_BYTES_MAX 102400

/* What is remembered of the server's own certificate, for the log and for a stored session. */
struct th_trust_summary {
    char subject[TH_FAILURE_NAME_MAX]; /* common name, or the first DNS name */
    char issuer[TH_FAILURE_NAME_MAX];  /* its issuer's common name */
    int64_t not_before_s, not_after_s; /* the narrowest over the whole chain; INT64_MIN and _MAX in
                                          the modes that judge no dates */
    int64_t floor_s;                 /* the latest notBefore in the chain: where the clock floor may
                                        go once the chain's signatures are verified (C1); 0 in the
                                        modes that judge no dates */
    enum th_date_verdict dates;      /* the worst over the chain */
    uint8_t sha256[TH_SHA256_BYTES]; /* its fingerprint */
};

/* A running check, which a backend embeds. Fields are private to src/trust; the reader of a
 * certificate within is at most 400 bytes, the rest is hash states, digests and the outcome. */
struct th_trust_check;
#include <thimble/trust_check.h> /* struct th_trust_check */
size_t th_trust_check_size(void);

/* Begins a chain. `server_name` is a DNS name or an IP address literal (no brackets); NULL judges
 * no name and is allowed only with FINGERPRINT_INSTEAD and INSECURE. Policy, hashes and name must
 * live until the end of the check. */
void th_trust_begin(struct th_trust_check *check, const struct th_trust *trust,
                    const struct th_hashes *hashes, const char *server_name);

/* For each certificate, the server's own first, then its issuer ...: begin with its length, feed
 * all its bytes in any pieces, end. A failure does not stop the feeding; the first one is reported.
 * A certificate that is not the issuer of the one before, and what follows it, counts for
 * nothing: feed a chain in order. Pins are matched against all that is fed, so feed nothing that
 * the library did not verify: stop, or call th_trust_anchor(), where it finds its anchor. */
void th_trust_certificate(struct th_trust_check *check, size_t len);
void th_trust_feed(struct th_trust_check *check, const uint8_t *bytes, size_t len);
void th_trust_certificate_end(struct th_trust_check *check);

/* Adds the anchor that the chain was found to end at: its own constraints (CA bit, path length, key
 * usage, name constraints, key size, dates) count too, and its key for the pins. Call it when the
 * library tells which anchor it used; an anchor that was sent by the server too is not counted
 * twice. Certificates fed after it are read over. */
void th_trust_anchor(struct th_trust_check *check, struct th_span der);

/* The verdict of the policy alone; the library's own comes beside it. `out` is filled on failure.
 * TH_OK says: if the library also found good signatures up to an anchor, this server is ours. */
enum th_error th_trust_end(struct th_trust_check *check, struct th_failure *out);

/* Gives the library's failure to find a chain the same words over every backend. What it changes:
 *   TRUST_UNKNOWN_CA, TRUST_SELF_SIGNED  into TRUST_SELF_SIGNED, when the server sent one
 * certificate that names itself as its issuer; TRUST_SIGNATURE, when the last certificate names one
 * of our anchors as its issuer, which yet has not signed it; else TRUST_UNKNOWN_CA with the name of
 * the issuer that is missing TRUST_SIGNATURE                      the name of the certificate at
 * library->depth Every other failure is left as it is. Call it after the last certificate was fed.
 */
void th_trust_explain(struct th_trust_check *check, struct th_failure *library);

/* Valid after th_trust_end() gave TH_OK; lives as long as the check. */
const struct th_trust_summary *th_trust_result(const struct th_trust_check *check);

/* Which failure to report when policy and library both object: the one a person can act on first
 * (names the rule in docs/trust.md). Either may be TH_OK. */
const struct th_failure *th_trust_worse(const struct th_failure *policy,
                                        const struct th_failure *library);

/* Judges a chain the policy already accepted again, at a better time: the dates of a summary, for
 * C5. */
enum th_date_verdict th_trust_dates_again(const struct th_trust_summary *summary,
                                          const struct th_clock_view *clock);

/* A digest over everything in the policy but the clock: a stored session made under another policy
 * is unusable (T10). */
void th_trust_digest(const struct th_trust *trust, const struct th_hashes *hashes,
                     uint8_t digest[TH_SHA256_BYTES]);

/* ---- server names (T4) ---- */

/* `pattern` from a certificate's dNSName against the name we connect to: case-insensitive, whole
 * labels; "*" only as the whole leftmost label, and never for a name of fewer than three labels.
 * Never true for an IP address literal: those are matched with iPAddress alone. */
bool th_trust_name_matches(struct th_span pattern, const char *server_name);

/* ---- pins as people write them ---- */

/* Hexadecimal with or without ':' between bytes, exactly `len` bytes; base64 is taken as well for
 * 32-byte pins ("sha256//..."). False when the text is neither. */
bool th_trust_pin_parse(const char *text, uint8_t *into, size_t len);

#endif
