/* authority/approvals.h - the book of calls that wait for somebody's yes, and of what was
 * said. It is this node's alone and lives as long as the process: a call that waits holds a
 * connection of this process, and what is forgotten is asked again. */
#ifndef WRIT_AUTHORITY_APPROVALS_H
#define WRIT_AUTHORITY_APPROVALS_H

#include "authority/authority.h"
#include "base/arena.h"

enum approval_state {
    ENTRY_PENDING,
    ENTRY_APPROVED,
    ENTRY_REFUSED, /* or withdrawn */
    ENTRY_EXPIRED, /* nobody said anything in time */
    ENTRY_GONE,    /* the client left before, and what was asked for was that call alone */
};

enum { APPROVAL_ID_SIZE = 16 };

struct approval_entry {
    struct approval_entry *next, *prev; /* newest first */
    struct approval_question question;  /* texts in the arena; waits while PENDING */
    struct arena arena;
    char id[APPROVAL_ID_SIZE + 1];
    enum approval_state state;
    bool waits;              /* somebody does, for the answer */
    int64_t asked_at, until; /* wall ms */
    int64_t answered_at;     /* 0: not yet */
    int64_t stands_until;    /* of an approval for a time */
    struct slice answered_by, reason;
};

/* What just became of an entry. */
enum approval_event {
    TOLD_REQUESTED,
    TOLD_APPROVED,
    TOLD_REFUSED,
    TOLD_EXPIRED,
    TOLD_GONE,
    TOLD_WITHDRAWN,
};

/* All zero: empty, and nobody is told. */
struct approvals {
    void (*told)(void *context, const struct approval_entry *entry, enum approval_event event);
    void *context;
    struct approval_entry *newest, *oldest;
    size_t count, pending;
    bool stopped;
};

void approvals_ask(struct approvals *approvals, const struct approval_question *question,
                   int64_t now);
struct approval_entry *approvals_find(const struct approvals *approvals, struct slice id);
/* approved: pass it on; else refuse. The entry is PENDING. */
void approvals_answer(struct approvals *approvals, struct approval_entry *entry, bool approved,
                      struct slice by, struct slice reason, int64_t now);
/* An approval that stands for a time stands no more: calls are asked for again. */
void approvals_withdraw(struct approvals *approvals, struct approval_entry *entry, struct slice by,
                        struct slice reason, int64_t now);
/* Each second: ends what waited too long and what nobody waits for. */
void approvals_tick(struct approvals *approvals, int64_t now);
/* Nothing is approved any more: whoever waits is told. */
void approvals_stop(struct approvals *approvals);
void approvals_free(struct approvals *approvals);

#endif
