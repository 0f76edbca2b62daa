/* policy/condition.h - the `when` of a right: read once, asked at each decision. */
#ifndef WRIT_POLICY_CONDITION_H
#define WRIT_POLICY_CONDITION_H

#include "base/json.h"
#include "condition_budget.h"
#include "fact_rules.h"

struct condition {
    struct cidr *networks; /* owned */
    size_t network_count;
    bool has_time, proof;
    uint16_t from, to;        /* minutes of the day; to < from runs past midnight */
    uint8_t days;             /* bit 0: Monday */
    int16_t zone;             /* minutes east of UTC */
    int64_t until;            /* TIME_NEVER: no end */
    uint32_t most, period_ms; /* most 0: no rate */
    struct budget_limits budget;
    bool where; /* an UPDATE or DELETE names its rows */
    struct sql_limits limits;
    struct fact_rules facts;
    struct approval approval; /* by is owned; empty: none is needed */
    bool deny;                /* it stands in a deny */
    uint64_t text;            /* a hash of how it is written: two conditions differ in it */
};

/* Does the door have something to do when it holds? */
static inline bool
condition_obliges(const struct condition *condition)
{
    return condition->most > 0 || budget_limits_bind(&condition->budget) ||
           condition->limits.read_only || condition->limits.max_rows > 0 ||
           condition->limits.statement_timeout_ms > 0;
}

/* Faults carry pointers below `pointer`. deny: what only narrows an allow is refused. */
enum status condition_read(const json_t *json, const char *pointer, bool deny,
                           struct condition **out, struct fault *fault) WRIT_MUST_USE;
void condition_free(struct condition *condition); /* accepts NULL */

enum condition_answer {
    CONDITION_HOLDS,
    CONDITION_FAILS,
    CONDITION_PROOF,    /* all hold but the proof of possession */
    CONDITION_APPROVAL, /* all hold, and an approval is missing */
    CONDITION_UNKNOWN,  /* can't be evaluated: an allow does not hold, a deny applies */
};

/* *failed names what decided, when it does not hold. The rate is no question but
 * an obligation. */
enum condition_answer condition_ask(const struct condition *condition,
                                    const struct request *request, int64_t now,
                                    const char **failed);

#endif
