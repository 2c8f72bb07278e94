/* SPDX-License-Identifier: MIT */
/* Who plays in the proof of a broker: names with a '.', certificates that live for ten minutes, and
 * one connection each. All hear everything the broker lets them hear. */
#ifndef TOOL_PROOF_CAST_H
#define TOOL_PROOF_CAST_H

#include "actor.h"
#include "proof_stage.h"

enum proof_who {
    PROOF_DEVICE,
    PROOF_OTHER,
    PROOF_BIRTH, /* the device's birth certificate */
    PROOF_VIEWER,
    PROOF_OPERATOR,
    PROOF_ADMIN,
    PROOF_HASS,
    PROOF_AGENT,
    PROOF_KEEPER,
    PROOF_WEB, /* a viewer over WebSocket */
    PROOF_CAST,
};

#define PROOF_BIT(who) (1U << (who))
#define PROOF_MAC      "02fffffffffe" /* of the device, which has asked for the legacy topics */

/* Further certificates, for connections that come and go. */
enum proof_paper {
    PROOF_PAPER_NONE,
    PROOF_PAPER_DEVICE,
    PROOF_PAPER_USER,
    PROOF_PAPER_BIRTH,
    PROOF_PAPER_REVOKED,
    PROOF_PAPER_REVOKED_BIRTH,
    PROOF_PAPER_LATER,   /* whose password comes when that of the revoked one goes */
    PROOF_PAPER_FOREIGN, /* the device's name, by a CA made for the proof; a wrong password */
    PROOF_PAPERS,
};

struct proof_member {
    struct actor actor;
    bool subscribed, acknowledged;
    uint8_t reason;
    char password[SECRET_MAX];
    char want[64], fence[64]; /* the payloads it is to look for */
    bool heard, fenced;
};

struct proof_cast {
    struct proof_stage *stage;
    struct proof_member members[PROOF_CAST];
    bool playing[PROOF_CAST];
    char nonce[17];
    char secret[SECRET_MAX]; /* what the passwords begin with; a '.' and the name follow */
    unsigned number;         /* of the message */
    bool impatient;          /* something that must be heard was not: the rest will not take long */
};

const char *proof_who_name(enum proof_who who);

/* Issues everything, recorded in the registry, and revokes what is to be revoked. */
int proof_cast_papers(struct proof_cast *cast, struct proof_stage *stage);

/* The lines they need in the broker's ACL, and in its password file: with the revoked one, or with
 * the later one in its place. Free with free(); NULL when there is no memory. */
char *proof_cast_acl(void);
char *proof_cast_passwords(const struct proof_cast *cast, bool revoked);

/* All connect and subscribe to everything. The first who cannot is named in `found`. */
bool proof_cast_connect(struct proof_cast *cast, char *found, size_t room);
void proof_cast_leave(struct proof_cast *cast);

/* A running broker reads their rights when it gets to it: waits until everybody hears what all may
 * hear, at most some seconds; who still hears nothing then shows in the rows. */
void proof_cast_settle(struct proof_cast *cast);

/* `who` publishes; the set of those who heard it is `*heard`. False, with the reason in `found`,
 * when it cannot be judged. No time limit decides: whoever has not heard it has heard a message
 * that was sent after it. */
bool proof_cast_say(struct proof_cast *cast, enum proof_who who, const char *topic, unsigned *heard,
                    char *found, size_t room);

/* The same for a message of somebody else: first what to listen for, then who has heard it. */
void proof_cast_expect(struct proof_cast *cast, const char *payload);
bool proof_cast_hearing(struct proof_cast *cast, unsigned *heard, char *found, size_t room);

/* One connection to see whether it is let in. */
struct proof_visit {
    const struct listener *listener;
    enum proof_paper paper;
    bool plaintext;
    const char *id;         /* NULL: the certificate's */
    const char *will_topic; /* NULL: none; the payload is `will` */
    const char *will;
    /* out */
    bool entered; /* CONNACK */
    bool refused; /* by TLS for the certificate, by CONNACK for the password; plaintext where there
                     is TLS: in whatever way */
    char found[160];
};

/* EXIT_OK, or an error that was printed. The connection is then cut without a word. */
int proof_cast_visit(struct proof_cast *cast, struct proof_visit *visit);

#endif
