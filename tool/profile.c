/* SPDX-License-Identifier: MIT */
/* thimble profile: what a device needs for a broker that is not ours. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "exits.h"
#include "home.h"
#include "hosts.h"
#include "json.h"
#include "names.h"
#include "options.h"
#include "peek.h"
#include "store_anchors.h"
#include "term.h"
#include "text.h"
#include "x509.h"

/* ---- aws ---- */

#define AWS_ALPN "x-amzn-mqtt-ca"

struct aws {
    const char *endpoint, *thing, *account, *region, *store;
    char region_text[64], folder[256];
    const char *partition; /* of its ARNs */
};

/* What its endpoints' chains end in, whichever key they have. */
static const char *const aws_roots[] = {"Amazon Root CA 1", "Amazon Root CA 2", "Amazon Root CA 3",
                                        "Amazon Root CA 4",
                                        "Starfield Services Root Certificate Authority - G2"};

/* "abc-ats.iot.eu-west-1.amazonaws.com" tells the region; a domain of one's own does not. */
static int take_region(struct aws *aws)
{
    static const char end[] = ".amazonaws.com";
    const char *begin = strstr(aws->endpoint, ".iot.");
    const char *stop = strstr(aws->endpoint, end);
    aws->partition = stop && strcmp(stop + sizeof end - 1, ".cn") == 0 ? "aws-cn" : "aws";
    if (aws->region)
        return EXIT_OK;
    if (!begin || !stop || stop <= begin + 5 ||
        (size_t)(stop - begin - 5) >= sizeof aws->region_text)
        return fail(EXIT_USAGE,
                    "%s does not tell its region\n"
                    "give it: thimble profile aws %s --region eu-west-1 …",
                    aws->endpoint, aws->endpoint);
    snprintf(aws->region_text, sizeof aws->region_text, "%.*s", (int)(stop - begin - 5), begin + 5);
    aws->region = aws->region_text;
    return EXIT_OK;
}

static int check_aws(struct aws *aws)
{
    const char *fault = names_host_fault(aws->endpoint);
    if (fault)
        return fail(EXIT_INPUT,
                    "'%s' is no endpoint: %s\n"
                    "aws iot describe-endpoint --endpoint-type iot:Data-ATS prints it",
                    aws->endpoint, fault);
    fault = aws->thing ? names_fault(aws->thing) : "there is none";
    if (fault)
        return fail(EXIT_INPUT,
                    "the name of the thing cannot be used: %s\n"
                    "--thing lamp",
                    fault);
    if (!aws->account || strlen(aws->account) != 12 || strspn(aws->account, "0123456789") != 12)
        return fail(EXIT_INPUT, "--account takes the 12 digits of the AWS account\n"
                                "aws sts get-caller-identity prints them");
    if (aws->region &&
        strspn(aws->region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(aws->region))
        return fail(EXIT_INPUT, "'%s' is no region\n--region eu-west-1", aws->region);
    return take_region(aws);
}

static void statement(struct json *json, const struct aws *aws, const char *action,
                      const char *kind, const char *const *below, size_t count)
{
    char text[512];
    json_open(json, NULL, '{');
    json_text(json, "Effect", "Allow");
    json_text(json, "Action", action);
    json_open(json, "Resource", '[');
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "arn:%s:iot:%s:%s:%s/%s%s", aws->partition, aws->region,
                 aws->account, kind, aws->thing, below[i]);
        json_text(json, NULL, text);
    }
    json_close(json, ']');
    json_close(json, '}');
}

/* The rights a device has at our own broker, in the words of AWS. */
static int write_policy(const struct aws *aws)
{
    static const char *const self[] = {""};
    static const char *const writes[] = {"/status", "/telemetry/*", "/zone/*", "/log", "/to/*"};
    static const char *const retains[] = {"/status"};
    static const char *const reads[] = {"/from/*"};
    struct text text;
    int code = text_open(&text);
    if (code != EXIT_OK)
        return code;
    struct json json = json_begin(text.file);
    json_text(&json, "Version", "2012-10-17");
    json_open(&json, "Statement", '[');
    statement(&json, aws, "iot:Connect", "client", self, 1);
    statement(&json, aws, "iot:Publish", "topic", writes, 5);
    statement(&json, aws, "iot:RetainPublish", "topic", retains, 1);
    statement(&json, aws, "iot:Subscribe", "topicfilter", reads, 1);
    statement(&json, aws, "iot:Receive", "topic", reads, 1);
    json_close(&json, ']');
    json_end(&json);
    return text_write(&text, path_of("%s/policy.json", aws->folder).text);
}

/* A key that is there stays: its certificate may exist already. */
static int write_key(const struct aws *aws)
{
    struct path path = path_of("%s/device.key", aws->folder);
    EVP_PKEY *key = NULL;
    int code = EXIT_OK;
    if (files_exist(path.text)) {
        code = x509_read_key(path.text, &key);
    } else {
        key = x509_key_new();
        code = key ? x509_write_key(path.text, key, FILES_NEW)
                   : fail(EXIT_FAILED, "cannot make a key: %s\ncheck libcrypto", x509_error());
    }
    X509_REQ *request = code == EXIT_OK ? x509_request(key, aws->thing) : NULL;
    if (code == EXIT_OK)
        code = request
                   ? x509_write_request(path_of("%s/device.csr", aws->folder).text, request,
                                        FILES_REPLACE)
                   : fail(EXIT_FAILED, "cannot make a request: %s\ncheck libcrypto", x509_error());
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return code;
}

static int write_roots(const struct aws *aws)
{
    const char *store;
    STACK_OF(X509) *anchors = sk_X509_new_null();
    int code = store_path(aws->store, &store);
    if (code == EXIT_OK)
        code = store_named(store, aws_roots, sizeof aws_roots / sizeof aws_roots[0], anchors);
    if (code == EXIT_OK && sk_X509_num(anchors) == 0)
        code = fail(EXIT_MISSING,
                    "%s has none of Amazon's authorities\n"
                    "apt-get install --reinstall ca-certificates",
                    store);
    if (code == EXIT_OK)
        code = store_write(path_of("%s/ca.crt", aws->folder).text, anchors);
    sk_X509_pop_free(anchors, X509_free);
    return code;
}

static void show_aws(const struct aws *aws)
{
    const char *folder = aws->folder, *name = aws->thing;
    if (term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "endpoint", aws->endpoint);
        json_number(&json, "port", 443);
        json_text(&json, "alpn", AWS_ALPN);
        json_text(&json, "key", path_of("%s/device.key", folder).text);
        json_text(&json, "request", path_of("%s/device.csr", folder).text);
        json_text(&json, "policy", path_of("%s/policy.json", folder).text);
        json_text(&json, "anchors", path_of("%s/ca.crt", folder).text);
        json_end(&json);
        return;
    }
    say("%sFor %s at AWS IoT Core, %s:%s", term_out(TERM_BOLD), name, aws->region,
        term_out(TERM_PLAIN));
    say_file(path_of("%s/device.key", folder).text, "its private key: stays with it alone");
    say_file(path_of("%s/device.csr", folder).text, "its request");
    say_file(path_of("%s/policy.json", folder).text, "what it may do there");
    say_file(path_of("%s/ca.crt", folder).text, "what it knows AWS by");
    say("With the AWS command line:");
    say("  aws iot create-thing --thing-name %s", name);
    say("  aws iot create-policy --policy-name thimble-%s --policy-document file://%s/policy.json",
        name, folder);
    say("  arn=$(aws iot create-certificate-from-csr --set-as-active --query certificateArn "
        "--output "
        "text \\\n      --certificate-signing-request file://%s/device.csr "
        "--certificate-pem-outfile %s/device.crt)",
        folder, folder);
    say("  aws iot attach-policy --policy-name thimble-%s --target \"$arn\"", name);
    say("  aws iot attach-thing-principal --thing-name %s --principal \"$arn\"", name);
    say("Next: %sthimble pub -h %s -p 443 --alpn " AWS_ALPN
        " --cafile %s/ca.crt --cert %s/device.crt --key %s/device.key -i %s -t %s/status -m hello "
        "-q 1%s",
        term_out(TERM_CYAN), aws->endpoint, folder, folder, folder, name, name,
        term_out(TERM_PLAIN));
}

static int profile_aws(int argc, char **argv)
{
    static const struct usage usage = {
        "profile aws", "ENDPOINT", "Makes what a device needs for AWS IoT Core.",
        "A key, a request for AWS to sign, a policy for this thing alone, and Amazon's "
        "authorities\n"
        "out of this machine's store. Devices connect to port 443 with ALPN. Example:\n"
        "  thimble profile aws abc-ats.iot.eu-west-1.amazonaws.com --thing lamp --account "
        "123456789012"};
    struct aws aws = {.endpoint = NULL};
    const char *to = NULL;
    struct words rest = {0};
    const struct option options[] = {
        {0, "thing", "NAME", "the thing's name, its client id and first topic level", OPTION_TEXT,
         &aws.thing, 0, 0},
        {0, "account", "DIGITS", "the AWS account", OPTION_TEXT, &aws.account, 0, 0},
        {0, "region", "REGION", "where the endpoint does not tell it", OPTION_TEXT, &aws.region, 0,
         0},
        {0, "to", "FOLDER", "where the files go [aws-NAME]", OPTION_TEXT, &to, 0, 0},
        {0, "store", "FILE", "authorities to choose from, PEM [the system's]", OPTION_TEXT,
         &aws.store, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count != 1)
        return fail(EXIT_USAGE, "profile aws needs the endpoint\nthimble profile aws --help");
    aws.endpoint = rest.at[0];
    code = check_aws(&aws);
    if (code != EXIT_OK)
        return code;
    snprintf(aws.folder, sizeof aws.folder, "%s%s", to ? to : "aws-", to ? "" : aws.thing);
    code = files_directory(aws.folder);
    if (code == EXIT_OK)
        code = write_roots(&aws);
    if (code == EXIT_OK)
        code = write_key(&aws);
    if (code == EXIT_OK)
        code = write_policy(&aws);
    if (code == EXIT_OK)
        show_aws(&aws);
    return code;
}

/* ---- public ---- */

struct public
{
    char host[256];
    long port;
    const char *to, *store;
};

static int split_target(const char *target, struct public *public)
{
    const char *colon = strrchr(target, ':');
    bool literal = colon && strchr(target, ':') != colon; /* a bare IPv6 address has no port */
    size_t len = colon && !literal ? (size_t)(colon - target) : strlen(target);
    if (len == 0 || len >= sizeof public->host ||
        (colon && !literal && !options_number(colon + 1, 1, 65535, &public->port)))
        return fail(EXIT_USAGE, "'%s' is no server\nthimble profile public broker.example:8883",
                    target);
    snprintf(public->host, sizeof public->host, "%.*s", (int)len, target);
    const char *fault = names_host_fault(public->host);
    return fault ? fail(EXIT_INPUT,
                        "'%s' is no server: %s\nthimble profile public "
                        "broker.example:8883",
                        public->host, fault)
                 : EXIT_OK;
}

static int save_anchor(const struct public *public, const char *path, X509 *anchor)
{
    char name[128], date[24];
    STACK_OF(X509) *anchors = sk_X509_new_null();
    bool kept = anchors && sk_X509_push(anchors, anchor) > 0;
    int code =
        kept ? store_write(path, anchors) : fail(EXIT_FAILED, "no memory\nend other programs");
    sk_X509_free(anchors);
    if (code != EXIT_OK)
        return code;
    x509_common_name(anchor, name, sizeof name);
    if (term.json) {
        struct json json = json_begin(stdout);
        json_text(&json, "anchors", path);
        json_text(&json, "name", name);
        json_number(&json, "not_after", x509_not_after(anchor));
        json_end(&json);
        return EXIT_OK;
    }
    say("%s:%ld is known by one authority: %s, until %s", public->host, public->port, name,
        term_date(x509_not_after(anchor), date));
    say_file(path, "its certificate alone");
    say("A server may change its authority. Next: %sthimble tls %s:%ld --cafile %s%s",
        term_out(TERM_CYAN), public->host, public->port, path, term_out(TERM_PLAIN));
    return EXIT_OK;
}

static int find_anchor(const struct public *public)
{
    struct th_address addresses[TH_LINK_ADDRESSES_MAX], literal;
    const char *store, *why;
    int code = store_path(public->store, &store);
    if (code != EXIT_OK)
        return code;
    size_t count = hosts_addresses(public->host, (uint16_t) public->port, addresses);
    if (count == 0)
        return fail(EXIT_NAME, "'%s' has no address\ncheck the name", public->host);
    const char *sni = th_address_parse(public->host, &literal) ? NULL : public->host;
    STACK_OF(X509) *chain = NULL;
    for (size_t i = 0; i < count && !chain; i++)
        chain = peek_chain(&addresses[i], sni);
    if (!chain)
        return fail(EXIT_TLS, "%s:%ld shows no certificate\nthimble tls %s:%ld says more",
                    public->host, public->port, public->host, public->port);
    X509 *anchor = store_anchor(store, chain, public->host, &why);
    sk_X509_pop_free(chain, X509_free);
    if (!anchor)
        return fail(EXIT_TRUST,
                    "no authority of %s stands for %s: %s\n"
                    "ask its owner for the CA's certificate, and give it as --cafile",
                    store, public->host, why);
    struct path path =
        path_of("%s%s", public->to ? public->to : public->host, public->to ? "" : ".ca.crt");
    code = save_anchor(public, path.text, anchor);
    X509_free(anchor);
    return code;
}

static int profile_public(int argc, char **argv)
{
    static const struct usage usage = {
        "profile public", "HOST[:PORT]", "Finds the one well-known authority a server needs.",
        "A device has no room for all authorities of a system, and is safer with one. The server\n"
        "is verified with this machine's store, and the root its chain ends in is written.\n"
        "Example:\n"
        "  thimble profile public test.mosquitto.org:8886"};
    struct public public = {.port = 8883};
    struct words rest = {0};
    const struct option options[] = {
        {0, "to", "FILE", "where it goes [HOST.ca.crt]", OPTION_TEXT, &public.to, 0, 0},
        {0, "store", "FILE", "authorities to choose from, PEM [the system's]", OPTION_TEXT,
         &public.store, 0, 0},
        OPTION_ROW_JSON,
    };
    int code = options_take(&usage, options, sizeof options / sizeof options[0], argc, argv, &rest);
    if (code != OPTION_GO_ON)
        return code;
    if (rest.count != 1)
        return fail(EXIT_USAGE, "profile public needs one server\nthimble profile public --help");
    code = split_target(rest.at[0], &public);
    return code == EXIT_OK ? find_anchor(&public) : code;
}

int profile_main(int argc, char **argv)
{
    static const struct command verbs[] = {
        {"aws", profile_aws, "AWS IoT Core: key, request, policy, authorities"},
        {"public", profile_public, "the one well-known authority a server needs"},
    };
    return commands_run("profile", verbs, 2, argc, argv);
}
