/* SPDX-License-Identifier: MIT */
/*
 * Requests: JSON frames `{"id","src","method","params"}` in, `{"id","src","dst","result"}` or
 * `{"id","src","dst","error":{"code","message"}}` out, as Mongoose OS and Shelly devices have them.
 * This header is the part all transports share: it checks a frame whole, asks for the caller's
 * rights, checks the parameters by the method's table, runs the method, and answers. Who the caller
 * is comes from the transport (over MQTT: the topic, which the broker proves), never from the
 * frame. Format and codes: docs/rpc.md.
 */
#ifndef THIMBLE_RPC_H
#define THIMBLE_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <thimble/json.h>
#include <thimble/span.h>
#include <thimble/trust_set.h>

/* What an error answer carries as its code. */
enum th_rpc_code {
    TH_RPC_OK = 0,
    TH_RPC_BAD_REQUEST = 400, /* not JSON, or not a frame; the message says where */
    TH_RPC_UNPROVED = 401,    /* the set-up code must be proved first (local.h) */
    TH_RPC_FORBIDDEN = 403,   /* unknown caller, or a role too low for the method */
    TH_RPC_NOT_FOUND = 404,   /* no such method, setting, zone ... */
    TH_RPC_LATE = 408,        /* the request's time was over when it came */
    TH_RPC_CONFLICT = 409,    /* right in itself, but not now: the message says why */
    TH_RPC_TOO_LARGE = 413,   /* the request or its answer does not fit */
    TH_RPC_BAD_VALUE = 422, /* a parameter is missing, unknown, of the wrong type or out of range */
    TH_RPC_WAIT = 429,      /* too many wrong codes */
    TH_RPC_INTERNAL = 500,  /* the device's own failure, such as flash */
    TH_RPC_BUSY = 503,      /* too many requests at once: ask again */
};

/* ---- methods ---- */

enum th_rpc_type {
    TH_RPC_INTEGER, /* min..max */
    TH_RPC_BOOL,
    TH_RPC_TEXT,   /* a string of min..max bytes, no control characters */
    TH_RPC_OBJECT, /* the method looks inside by itself */
};

struct th_rpc_param {
    const char *name;
    uint8_t type;
    bool required;
    int32_t min, max;
    const char *help; /* half a sentence */
};

#define TH_RPC_PARAMS_MAX 8
#define TH_RPC_TEXT_MAX   255 /* bytes of a TEXT, at most */

struct th_rpc_call;

struct th_rpc_method {
    const char *name; /* "Zone.On" */
    uint8_t role;     /* the least enum th_role that may call it */
    bool acts;        /* changes something: a repeated nonce gets the first answer again. Its result
                         then has at most TH_RPC_KEPT_MAX bytes */
    uint8_t param_count;
    const struct th_rpc_param *params;
    const char *help; /* one sentence */
    /* Puts exactly one JSON value into call->result, or calls th_rpc_fail(). */
    void (*run)(void *ctx, struct th_rpc_call *call);
};

/* Naming a set links it; what nobody names costs nothing. */
struct th_rpc_set {
    const struct th_rpc_method *methods;
    uint8_t count;
    void *ctx; /* given to `run` */
};

/* ---- one request, as a method sees it ---- */

struct th_rpc_moment {
    uint32_t ms;   /* of the board's clock */
    int64_t utc_s; /* seconds since 1970; 0 while the clock is not trusted */
};

struct th_rpc_call {
    const struct th_rpc_method *method;
    struct th_span caller; /* for the call */
    enum th_role role;
    bool here;
    struct th_rpc_moment now;
    struct th_json params[TH_RPC_PARAMS_MAX]; /* by the method's table; NONE where not given */
    struct th_json_writer *result;
    enum th_rpc_code code;
    const char *message; /* a static string */
};

/* Has the answer be an error; what was put into the result is dropped. */
void th_rpc_fail(struct th_rpc_call *call, enum th_rpc_code code, const char *message);

/* The n-th parameter, which the table has checked; `otherwise` when it was not given. */
int32_t th_rpc_integer(const struct th_rpc_call *call, unsigned n, int32_t otherwise);
bool th_rpc_bool(const struct th_rpc_call *call, unsigned n, bool otherwise);
/* Copies a TEXT with a NUL; "" when it was not given. `room` is at least max + 1. */
void th_rpc_text(const struct th_rpc_call *call, unsigned n, char *into, size_t room);

/* ---- the dispatcher ---- */

#define TH_RPC_SETS_MAX   12
#define TH_RPC_KEPT       32   /* (caller, nonce) pairs remembered */
#define TH_RPC_KEPT_MAX   48   /* bytes of a result that is kept for a repeat */
#define TH_RPC_NONCE_MAX  32   /* characters */
#define TH_RPC_ID_MAX     40   /* bytes of an id as JSON */
#define TH_RPC_SRC_MAX    128  /* bytes of src as JSON */
#define TH_RPC_FRAME_MAX  1024 /* bytes of a request */
#define TH_RPC_ANSWER_MAX 2048 /* bytes of an answer */
#define TH_RPC_ERROR_MAX  448  /* bytes of an answer that is an error */

/* Private: what was answered to a nonce. */
struct th_rpc_kept {
    uint64_t digest; /* of caller and nonce */
    const char *message;
    uint16_t code; /* 0: `result` is one */
    bool used;
    uint8_t len;
    uint8_t result[TH_RPC_KEPT_MAX];
};

/* Fields private. */
struct th_rpc {
    const struct th_rpc_set *sets[TH_RPC_SETS_MAX];
    uint8_t set_count;
    struct th_span device; /* the device's id: `src` of answers */
    /* Told of each request once it is answered, for the log; `call` lives for the call. NULL: not.
     * call->method is NULL where there is none of that name. */
    void (*heard)(void *ctx, const struct th_rpc_call *call);
    void *heard_ctx;
    struct th_rpc_kept kept[TH_RPC_KEPT];
    uint8_t oldest;
};

/* `device` lives as long as `rpc`. */
void th_rpc_init(struct th_rpc *rpc, struct th_span device);

/* Adds a set, which lives as long as `rpc`. False when there is no room. */
bool th_rpc_add(struct th_rpc *rpc, const struct th_rpc_set *set);

/* Whom a transport vouches for. */
struct th_rpc_caller {
    struct th_span name;
    enum th_role role; /* NONE: everything is answered with 403 */
    bool here;         /* on the spot: has no topic on which a change could be proved */
};

/* A frame, checked but not yet acted on. Spans point into the frame. */
struct th_rpc_frame {
    struct th_json id, src, tag, method, params;
    int64_t expires_s;                /* UTC, seconds since 1970; 0: never */
    char nonce[TH_RPC_NONCE_MAX + 1]; /* "": none */
    enum th_rpc_code code;            /* other than OK: it is to be answered with this error */
    const char *message;
    bool is_answer; /* to somebody's request: nothing is ever said to it */
};

/* Reads a frame. Members it does not know are passed over; `args` is taken for `params`, as older
 * Mongoose OS clients write it. Never fails: what is wrong is in `code`. */
void th_rpc_read(struct th_span bytes, struct th_rpc_frame *frame);

/* A frame for a request that is too large to be looked at: it is answered with 413. */
void th_rpc_too_large(struct th_rpc_frame *frame);

/* True when the frame asks for an answer: it has an id. */
bool th_rpc_wants_answer(const struct th_rpc_frame *frame);

/* Acts on the frame and writes the answer into `into` (TH_RPC_ANSWER_MAX holds any answer of the
 * methods here); returns it, never empty when `room` is at least TH_RPC_ERROR_MAX. A frame with an
 * error is answered with it. */
struct th_span th_rpc_handle(struct th_rpc *rpc, const struct th_rpc_frame *frame,
                             const struct th_rpc_caller *caller, struct th_rpc_moment now,
                             uint8_t *into, size_t room);

/* Rpc.List and Rpc.Describe over what was added; `ctx` is the dispatcher. */
#define TH_RPC_METHODS 2
extern const struct th_rpc_method th_rpc_methods[TH_RPC_METHODS];

#endif
