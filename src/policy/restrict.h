/* policy/restrict.h - what holds a token back whatever its rights are. */
#ifndef WRIT_POLICY_RESTRICT_H
#define WRIT_POLICY_RESTRICT_H

#include "explain.h"

/* Fills question->subjects. False: the finding tells who does not act any more. */
bool subjects_act(struct question *question, struct finding *out);
/* Is the peer where each link of the lineage may be used? */
bool networks_hold(const struct question *question, struct finding *out);
/* Does the subject have the role now, itself or by inheritance? */
bool subject_holds(const struct policy *policy, const struct subject *subject, name_id role,
                   int64_t now);

#endif
