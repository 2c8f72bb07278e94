/* SPDX-License-Identifier: MIT */
/*
 * An operational certificate, in one transaction: what is true inside it is true when it is issued,
 * so that a revocation that was committed before is heeded. A kill before the commit has issued
 * nothing; one after it has issued a certificate that is in the registry, and that the same key
 * gets when it asks again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "agent.h"
#include "exits.h"
#include "term.h"

static void refuse(struct agent_issue *out, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void refuse(struct agent_issue *out, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    out->code = code;
    vsnprintf(out->message, sizeof out->message, format, arguments);
    va_end(arguments);
}

/* T15: SHA-256 and up in requests, too. */
static bool is_weakly_signed(X509_REQ *request)
{
    int digest = NID_undef;
    int nid = X509_REQ_get_signature_nid(request);
    return OBJ_find_sigid_algs(nid, &digest, NULL) != 1 ||
           (digest != NID_sha256 && digest != NID_sha384 && digest != NID_sha512);
}

static const char *request_fault(X509_REQ *request, const char *device)
{
    const char *fault = x509_request_fault(request, device);
    return fault                       ? fault
           : is_weakly_signed(request) ? "its signature's digest is weaker than SHA-256"
                                       : NULL;
}

/* F7 keeps other names out of the registry; a user has no operational certificate of this kind. */
static bool may_have_one(struct agent *agent, const char *device, struct agent_issue *out)
{
    struct registry_principal row;
    if (!registry_principal(&agent->home.registry, device, &row) || strcmp(row.kind, "device") != 0)
        refuse(out, TH_RPC_FORBIDDEN, "there is no device of that name");
    else if (strcmp(row.state, "active") != 0)
        refuse(out, TH_RPC_FORBIDDEN, "the device is %s; it gets no certificate", row.state);
    return out->code == 0;
}

/* A key is new, or it is the one that was issued for last and the answer was lost. Past half of its
 * life that certificate is no renewal any more. */
static bool key_is_usable(struct agent *agent, const char *device, X509_REQ *request,
                          struct agent_issue *out)
{
    struct registry_key_use use;
    uint8_t pin[32];
    int64_t now = time(NULL);
    x509_request_pin(request, pin);
    if (!registry_key_use(&agent->home.registry, pin, &use)) {
        refuse(out, TH_RPC_INTERNAL, "the agent cannot read its registry");
        return false;
    }
    if (!use.used)
        return true;
    bool same = strcmp(use.common_name, device) == 0;
    if (same && use.newest && !use.revoked && use.certificate &&
        now < use.not_before_s + (use.not_after_s - use.not_before_s) / 2) {
        out->certificate = use.certificate;
        out->again = true;
        return false;
    }
    X509_free(use.certificate);
    refuse(out, TH_RPC_CONFLICT,
           same ? "the key is not new: it has had a certificate; make another"
                : "the key is another one's");
    return false;
}

static X509 *sign(struct agent *agent, const char *device, X509_REQ *request,
                  const struct home_issuer *issuer)
{
    int64_t now = time(NULL), end = now + agent->options.valid_s;
    int64_t issuer_end = x509_not_after(issuer->certificate);
    int64_t slack = agent->options.valid_s / 20; /* of what lives for minutes, seconds */
    int64_t begin = now - (slack < HOME_CLOCK_SLACK_S ? slack : HOME_CLOCK_SLACK_S),
            issuer_begin = x509_not_before(issuer->certificate);
    return x509_issue(&(struct x509_order){
        .kind = X509_CLIENT,
        .common_name = device,
        .key = X509_REQ_get0_pubkey(request),
        .issuer = issuer->certificate,
        .issuer_key = issuer->key,
        .not_before_s = begin > issuer_begin ? begin : issuer_begin,
        .not_after_s = end < issuer_end ? end : issuer_end,
    });
}

static int issue(struct agent *agent, const char *device, X509_REQ *request,
                 struct agent_issue *out)
{
    struct home_issuer issuer;
    int code = home_issuer(&agent->home, REGISTRY_DEVICE, &issuer);
    if (code != EXIT_OK) {
        agent_alarm(agent, AGENT_ALARM_KEY, "nothing can be issued: %s", term_failed());
        return code;
    }
    out->certificate = sign(agent, device, request, &issuer);
    home_issuer_free(&issuer);
    if (!out->certificate)
        return fail(EXIT_FAILED, "cannot sign the certificate: %s\ncheck libcrypto", x509_error());
    code = registry_certificate_add(&agent->home.registry, REGISTRY_DEVICE, "ldevid", device,
                                    out->certificate);
    if (code == EXIT_OK)
        code = registry_event(&agent->home.registry, "renew", device);
    return code == EXIT_OK ? registry_commit(&agent->home.registry) : code;
}

/* Beside the key that was made here, if it was: then the file belongs to that key. */
static void write_file(struct agent *agent, const char *device, X509 *certificate)
{
    struct path folder = path_of("%s/devices/%s", agent->home.dir, device);
    struct path key = path_of("%s/device.key", folder.text);
    if (files_exist(folder.text) && !files_exist(key.text) &&
        x509_write_certificate(path_of("%s/device.crt", folder.text).text, certificate,
                               FILES_REPLACE) != EXIT_OK)
        agent_log(agent, "file", device, "not written: %s; the registry has the certificate",
                  term_failed());
}

static void in_transaction(struct agent *agent, const char *device, X509_REQ *request,
                           struct agent_issue *out)
{
    if (!may_have_one(agent, device, out) || !key_is_usable(agent, device, request, out))
        return;
    if (issue(agent, device, request, out) == EXIT_OK)
        return;
    X509_free(out->certificate);
    out->certificate = NULL;
    refuse(out, TH_RPC_INTERNAL, "the agent cannot issue now");
    if (!agent->alarms[AGENT_ALARM_KEY].on)
        agent_alarm(agent, AGENT_ALARM_REGISTRY, "a certificate was not issued: %s", term_failed());
}

void agent_issue(struct agent *agent, const char *device, X509_REQ *request,
                 struct agent_issue *out)
{
    *out = (struct agent_issue){.certificate = NULL};
    const char *fault = request_fault(request, device);
    if (fault) {
        refuse(out, TH_RPC_BAD_VALUE, "%s", fault);
        return;
    }
    if (agent_clock_fault(agent)) {
        refuse(out, TH_RPC_BUSY, "the agent's clock is not plausible");
        return;
    }
    if (registry_begin(&agent->home.registry) != EXIT_OK) {
        refuse(out, TH_RPC_BUSY, "the registry is busy; ask again");
        agent_alarm(agent, AGENT_ALARM_REGISTRY, "%s", term_failed());
        return;
    }
    in_transaction(agent, device, request, out);
    registry_rollback(&agent->home.registry); /* nothing after a commit */
    if (!out->certificate)
        return;
    agent_alarm_over(agent, AGENT_ALARM_REGISTRY);
    if (!out->again)
        agent_alarm_over(agent, AGENT_ALARM_KEY);
    write_file(agent, device, out->certificate);
}
