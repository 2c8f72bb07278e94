/* SPDX-License-Identifier: MIT */
/* What a device or a user needs: <kind>s/<name>/<kind>.{key,csr,crt} and ca.crt, a device also
 * birth.{key,csr,crt} (IDevID), a user of several connections user.2.{key,csr,crt} and so on. The
 * one way a client's certificate is issued. */
#ifndef TOOL_CLIENT_FILES_H
#define TOOL_CLIENT_FILES_H

#include "home.h"
#include "json.h"
#include "options.h"

#define CLIENT_PAPERS_MAX 32 /* certificates of one client */

struct client {
    const char *kind; /* "device", "user" */
    const char *name;
    const char *role; /* NULL for a device */
    int days;         /* of the operational certificate */
    int connections;  /* of a user: a certificate for each */
    bool homeassistant;
    bool rsa;                /* RSA-2048 keys instead of P-256 */
    const char *pkcs12_pass; /* of a user: PKCS#12 files too, under this; NULL: none */
    const char *requests[2]; /* files of a device's own two requests; NULL: made here, with keys */
    X509_REQ *own[2];        /* or the requests themselves. A name that has certificates over their
                                keys is no error then: it is given them again */
    bool replace;            /* revokes what the name has, and gives it new keys and certificates */
    int64_t not_after_s;     /* out */
    bool again;              /* out: nothing was issued, `own` was answered before */
};

/* OPTION_GO_ON, or EXIT_INPUT with the rule. */
int client_check_name(const char *kind, const char *name);

/* Makes directory, key and request where they are not yet, checks the request as if it came from
 * elsewhere (I2), issues in one transaction, and writes certificate and anchors. Run again after it
 * was cut off, it finishes; a name that is complete or of another kind is EXIT_EXISTS. */
int client_make(struct home *home, struct client *client);

/* Tells the broker of what client_make() did, which gave back `code`; gives back the first error.
 * Also where the name was complete: an earlier run may have been cut off before this. */
int client_told(struct home *home, const struct client *client, int code);

struct path client_path(const struct home *home, const struct client *client, const char *file);

/* One object with name, files and dates. */
void client_json(struct json *json, struct home *home, const char *kind, const char *name);

/* Says which commands to try with this client. */
void client_next(struct home *home, const char *kind, const char *name);

int client_list(const struct usage *usage, const char *kind, int argc, char **argv);

/* "show NAME" */
int client_show(const struct usage *usage, const char *kind, int argc, char **argv);

#endif
