/* gateway/errand.h - one request of a session that is open: a statement, a command. It is
 * judged with the picture of now, by the session's credential, and has lines of its own in
 * the audit. */
#ifndef WRIT_GATEWAY_ERRAND_H
#define WRIT_GATEWAY_ERRAND_H

#include "pipeline.h"

/* One thing that it touches. Slices as in struct request. */
struct errand_touch {
    struct slice action, object, columns;
};

struct errand_ask {
    const struct errand_touch *touches; /* all must be allowed; none: what is free to all */
    size_t count;
    struct slice verb;      /* the audit's action when there are no touches */
    struct slice statement; /* for the audit, without values */
    bool has_where;         /* SQL: an UPDATE or DELETE that is not of the whole table */
};

/* What was let through and is under way. Ends in errand_end alone. */
struct errand {
    uint64_t began_us;
    audit_ticket ticket;
    audit_ticket *more; /* of further touches; owned */
    size_t more_count;
    struct budget_holds *budgets; /* of its rights; NULL: none */
    struct sql_limits limits;     /* SQL: what the rights that allowed it demand */
};

/* True: each touch is allowed, and its line is in the audit (one for each, in a row): the
 * upstream may be asked. False: the refusal tells the first reason, and its line is
 * written. passage is an open session's; its slices are kept (passage_keep). */
bool errand_begin(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
                  struct errand *out, struct refusal *refusal);
/* The very same again, while the first is under way: decided anew, and counted by the lines of
 * the first. False: refused, with a line of its own. */
bool errand_again(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
                  struct errand *errand, struct refusal *refusal);
/* Would each touch be allowed now? Counts nothing. False: the refusal tells, and its line is
 * written. Fills *limits with what the rights demand. For a statement that is prepared. */
bool errand_may(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
                struct sql_limits *limits, struct refusal *refusal);
/* The door itself refuses: what is no request, or one that is never let through. The line
 * is written; a full audit makes *refusal GATE_BUSY. */
void errand_refuse(struct passage *passage, const struct errand_ask *ask, struct arena *arena,
                   struct refusal *refusal);

/* Bytes of this errand alone. */
struct errand_outcome {
    unsigned status;
    uint64_t bytes_in, bytes_out;
};
void errand_end(struct passage *passage, struct errand *errand,
                const struct errand_outcome *outcome);
/* The same for what the upstream has only queued, to run it later: its budgets stay taken, in
 * *held, until errand_settle. */
void errand_end_queued(struct passage *passage, struct errand *errand,
                       const struct errand_outcome *outcome, struct budget_holds **held);
/* What was queued has run, or never will: so many bytes were answered to all of it, which count
 * for each right that has a budget. *held is NULL afterwards. */
void errand_settle(struct passage *passage, struct budget_holds **held, uint64_t bytes);

#endif
