/* policy/explain.h - a decision, and what is found on the way to it. */
#ifndef WRIT_POLICY_EXPLAIN_H
#define WRIT_POLICY_EXPLAIN_H

#include "matcher.h"
#include "picture.h"
#include "policy/decide.h"

struct decision {
    enum refusal_kind refusal;
    /* The rule that allowed, denied, or did not hold; not read before it is asked
     * for, since it lies far from all that the decision touched. */
    const struct rule *rule;
    struct slice right; /* that is needed; when there is no rule */
    struct slice reason, hint;
    const struct rate_obligation *rates;
    size_t rate_count;
    const struct budget_obligation *budgets;
    size_t budget_count;
    struct sql_limits limits;
};

/* What one decision works with. */
struct question {
    const struct policy *policy;
    const struct lineage *lineage;
    const struct request *request;
    struct prepared *prepared;
    int64_t now;
    struct arena *arena;
    const struct fact *guarded;                  /* the first that is; NULL: none */
    const struct subject *subjects[LINEAGE_MAX]; /* of each link */
};

enum cause {
    CAUSE_LINEAGE,   /* no link, or too many */
    CAUSE_MALFORMED, /* the request is not in canonical form */
    CAUSE_TOO_LONG,
    CAUSE_STEPS, /* the budget of the search is used up */
    CAUSE_NO_SUBJECT,
    CAUSE_DISABLED,
    CAUSE_DENY,
    CAUSE_NETWORK,
    CAUSE_CAVEAT_NETWORK,
    CAUSE_NO_RIGHT,
    CAUSE_CONDITION,
    CAUSE_PROOF,
    CAUSE_APPROVAL,
    CAUSE_SCOPE,
    CAUSE_CAVEAT,
};

/* Why it is refused, at which link. */
struct finding {
    enum cause cause;
    size_t link;
    const struct rule *rule; /* the deny, or the right whose condition does not hold */
    const char *condition;
    struct slice narrowing; /* the caveat */
};

/* Does one of the role's rights, with its condition, allow it? */
bool role_allows(const struct question *question, const struct role *role);

const struct decision *explain(const struct question *question, const struct finding *finding);
/* For when there is no memory for a decision. */
const struct decision *decision_without_memory(void);

#endif
