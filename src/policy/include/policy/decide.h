/* policy/decide.h - may it happen: the only maker of a decision. Pure: no I/O,
 * no clock of its own, no allocation but the arena given. */
#ifndef WRIT_POLICY_DECIDE_H
#define WRIT_POLICY_DECIDE_H

#include "base/arena.h"
#include "policy/limits.h"
#include "policy/policy.h"

/* One token of a lineage: the presented one first, then its parent, and so on.
 * Each is judged with its own subject. */
struct lineage_link {
    struct slice token; /* the id, for reasons */
    struct slice line;  /* the bytes of its line's id: limits count for all of a line together */
    name_id subject;
    const name_id *roles; /* chosen at issue; counts only what the subject holds now */
    size_t role_count;
    const struct scope *scope;   /* NULL: all that the roles give */
    const struct cidr *networks; /* the peer must be in one; none: anywhere */
    size_t network_count;
    const struct slice *narrowings; /* rights lists of caveats; each list must allow */
    size_t narrowing_count;
    /* CIDR lists of caveats, separated by spaces; the peer must be in one of each. */
    const struct slice *caveat_networks;
    size_t caveat_network_count;
};

enum { LINEAGE_MAX = 16 };

struct lineage {
    const struct lineage_link *links;
    size_t count;
};

/* Opaque: the upstream is opened with one in hand, and only policy makes them. */
struct decision;

/* Never NULL: when the arena is full the answer is a static refusal. The decision
 * lives as long as the arena, the policy and the request. now is wall ms. */
const struct decision *policy_decide(const struct policy *policy, const struct lineage *lineage,
                                     const struct request *request, int64_t now,
                                     struct arena *arena);

/* May a session at request->resource be opened? It may when there is anything at all that
 * the token, each ancestor and each narrowing allow there, from the request's peer. Says
 * nothing of what is asked in the session: each request of it is decided by itself. */
const struct decision *policy_admit(const struct policy *policy, const struct lineage *lineage,
                                    const struct request *request, int64_t now,
                                    struct arena *arena);

bool decision_allows(const struct decision *decision);
/* On allow, the right that allowed; on refusal, the deny that refused or, when a
 * right is missing, the exact right that would be needed. */
struct slice decision_right(const struct decision *decision);
/* The conditions of that right, as they are written; NULL: none. Borrowed from the policy. */
const json_t *decision_when(const struct decision *decision);
/* The role in which that right stands; empty when none. */
struct slice decision_role(const struct decision *decision);
/* A sentence for people; "" on allow. Names the ancestor, condition or caveat that stopped it. */
struct slice decision_reason(const struct decision *decision);
/* The smallest change that would allow it, for the operator, not for the client:
 * "grant orders:DELETE:/v1/orders/42 to role support"; "" on allow or when there is none. */
struct slice decision_hint(const struct decision *decision);

enum refusal_kind {
    REFUSAL_NONE,      /* allowed */
    REFUSAL_MISSING,   /* no right for it: 403 insufficient_scope, decision_right is needed */
    REFUSAL_DENY,      /* a deny applies */
    REFUSAL_CONDITION, /* a right is there, its condition does not hold */
    REFUSAL_NETWORK,   /* the token may not be used from here */
    REFUSAL_PROOF,     /* a right is there but demands proof of possession: 401 */
    REFUSAL_APPROVAL,  /* a right is there, and waits for somebody's yes: decision_approval */
    REFUSAL_ANCESTOR,  /* the token allows it, an ancestor does not */
    /* The bound on matching work was reached, the request is too long or not in canonical
     * form, or memory is out: refused, never guessed. */
    REFUSAL_LIMIT,
};
enum refusal_kind decision_refusal(const struct decision *decision);

/* What would turn a refusal into an allow: the yes of somebody who holds one of these roles.
 * The request is then decided again with `by` among what it has. */
struct approval {
    struct slice by;   /* names of roles, with blanks between */
    int64_t within_ms; /* how long it is waited for */
    int64_t for_ms;    /* 0: for that one call; else for all that the right covers, that long */
};
/* NULL: none would help. Lives as long as the policy. */
const struct approval *decision_approval(const struct decision *decision);

/* Obligations: the gateway must hold each limit before the request passes. Where several rights
 * of a link allow, each with limits, those of all of them are held: none is evaded by another.
 * One for each such right with max_rate. */
struct rate_obligation {
    uint64_t key; /* the same for the same right, as it is written with its `when`, and line */
    uint32_t most;
    uint32_t period_ms;
};
size_t decision_rates(const struct decision *decision, const struct rate_obligation **out);
/* One for each such right with max_concurrent or max_bytes; both are counted under its key. */
struct budget_obligation {
    uint64_t key;
    struct budget_limits limits;
};
size_t decision_budgets(const struct decision *decision, const struct budget_obligation **out);
/* Narrows *limits to what this allow demands too. */
void decision_limit(const struct decision *decision, struct sql_limits *limits);

/* A door may turn an allow into a refusal, never back. */
const struct decision *decision_refuse(const struct decision *decision, struct slice reason,
                                       struct arena *arena);

/* For `can` and `who-can`: what one subject with these roles could do, as JSON-free
 * facts: decide with a lineage of one link and no token. */
const struct decision *policy_decide_subject(const struct policy *policy, name_id subject,
                                             const struct request *request, int64_t now,
                                             struct arena *arena);
/* The request for a right's text without patterns ("orders:GET:/v1/orders/42"); a
 * text with a bare star is INVALID. Slices borrow text. */
enum status request_from_right(struct slice text, enum object_syntax syntax, struct request *out,
                               struct fault *fault) WRIT_MUST_USE;

#endif
