/* SPDX-License-Identifier: MIT */
/*
 * The broker that is proved. It is the running one where `broker run` runs, else one of the same
 * files, started for the proof on free ports of 127.0.0.1. For the time of the proof the ACL has
 * further lines for the names of the proof, which all have a '.' and so are nobody else's.
 */
#ifndef TOOL_PROOF_STAGE_H
#define TOOL_PROOF_STAGE_H

#include <thimble/linux.h>

#include "home.h"
#include "listeners.h"
#include "process.h"

#define PROOF_DIR "broker/proof"

struct proof_stage {
    struct home *home;
    struct th_linux loop;
    bool loop_open, own; /* own: started by us */
    bool ready, reread;  /* what our own broker says: that it runs, that it reads its files again */
    struct listeners listeners;
    struct process process;
    const char *restart; /* a shell command that restarts a running one; NULL: it is left running */
    bool one_way;        /* every listener is for passwords */
    struct bytes acl, passwords; /* as they were */
};

/* Reads the configuration, makes the directory of the proof. `own`: leave a running broker alone.
 * EXIT_OK or an error it has printed. */
int proof_stage_open(struct proof_stage *stage, struct home *home, bool own);

#define PROOF_ACL_MARK "\n# For the proof, which takes these lines away again\n"

/* Has the broker run with `lines`, which begin with the mark, behind its ACL, and `passwords`
 * behind the others. */
int proof_stage_start(struct proof_stage *stage, const char *lines, const char *passwords);

/* Other passwords; then our own broker ends and starts again, and so does a running one by the
 * command for it; without one it reads its files. */
int proof_stage_again(struct proof_stage *stage, const char *passwords);

/* Puts the ACL back, ends what was started, removes the directory with all keys in it. */
void proof_stage_close(struct proof_stage *stage);

/* Sleeps until something happens, at most so long; reads what our own broker says. */
void proof_stage_wait(struct proof_stage *stage, uint32_t most_ms);

/* The first listener of a kind; NULL when there is none. */
const struct listener *proof_stage_listener(const struct proof_stage *stage,
                                            enum listener_kind kind);

#endif
