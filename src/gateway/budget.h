/* gateway/budget.h - how often a right may be used (max_rate), what it lets be open at once and
 * move in a time (max_concurrent, max_bytes): taken before the upstream is asked, given back when
 * it is over. */
#ifndef WRIT_GATEWAY_BUDGET_H
#define WRIT_GATEWAY_BUDGET_H

#include "pipeline_inside.h"

/* What one passage, or one errand, holds of its rights' budgets; NULL: nothing. */
struct budget_holds;

/* Counts one use of each right of the finding's allow. False: the finding tells why. */
bool hold_rates(struct gate *gate, struct finding *finding);
/* Takes what the finding's allow demands, beside what *holds has of it already. False: the
 * finding tells why; what was taken stays in *holds and is given back with it. */
bool budgets_take(struct passage *passage, struct finding *finding, struct budget_holds **holds);
/* Bytes that have moved in all since it was taken. */
void budgets_spend(struct gate *gate, struct budget_holds *holds, uint64_t moved);
/* Gives back; *holds is NULL afterwards. */
void budgets_end(struct gate *gate, struct budget_holds **holds);

/* Puts *more with *held, a right's budget once; the bytes that count from here on are told to
 * budgets_settle. *more is NULL afterwards. */
void budgets_join(struct gate *gate, struct budget_holds **held, struct budget_holds **more);
/* Counts so many bytes for each budget that is held, and gives all back; *held is NULL
 * afterwards. */
void budgets_settle(struct gate *gate, struct budget_holds **held, uint64_t bytes);

/* Of a passage under way: counts what has moved by now. False: it has taken by far more than
 * there was, and must be cut; *why tells. */
bool budgets_still_hold(struct passage *passage, struct refusal *why);

#endif
