/* gateway/pipeline_inside.h - the arrows of the pipeline, for what goes through it: a
 * request, and an errand of a session. */
#ifndef WRIT_GATEWAY_PIPELINE_INSIDE_H
#define WRIT_GATEWAY_PIPELINE_INSIDE_H

#include "pipeline.h"

/* What the arrows have made so far. Each arrow reads what came before it and adds
 * its own value; the first refusal stands. */
struct finding {
    struct credential credential;
    const struct decision *decision;
    struct refusal refusal;
};

/* These refuse: false, with the reason in the finding. */
bool finding_refuse(struct finding *finding, enum gate_refusal kind, struct slice reason);
bool finding_refuse_unaudited(struct finding *finding);
bool find_credential(const struct passage *passage, struct arena *arena, struct finding *finding);
bool find_decision(struct passage *passage, const struct request *request, struct arena *arena,
                   struct finding *finding);
bool find_admission(struct passage *passage, struct arena *arena, struct finding *finding);
/* Asked before a use is taken, so that none is lost to a full journal. */
bool has_audit_room(struct gate *gate, struct finding *finding);

/* Refuses or admits, by the finding: exactly one of the two. */
void pipeline_conclude(struct passage *passage, struct finding *finding);

struct audit_event describe(const struct passage *passage, const struct request *request,
                            const struct finding *finding);
void count_refusal(struct gate_counters *counters, enum gate_refusal kind);

#endif
