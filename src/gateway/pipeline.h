/* gateway/pipeline.h - the one way through the gate. */
#ifndef WRIT_GATEWAY_PIPELINE_H
#define WRIT_GATEWAY_PIPELINE_H

#include "doors.h"

/* passage->asked is filled. Ends in exactly one of the door's refuse and open,
 * now or, after a claim, later. The audit's line is written before either. */
void pipeline_enter(struct passage *passage, struct arena *arena);

/* The one exit of what was admitted: the audit's line is completed, the counters
 * are true, the passage is gone. status is the protocol's own number. */
void pipeline_leave(struct passage *passage, unsigned status, uint64_t bytes_in,
                    uint64_t bytes_out);

/* The client left before the answer. False: the passage is open and the door ends
 * it; true: it waits for its claim and ends by itself, the door forgets it. */
bool pipeline_abandon(struct passage *passage);

/* Decides again for a passage that goes on, with nothing counted. False: *why tells, in
 * words that live as long as the arena. */
bool pipeline_still_holds(struct passage *passage, struct arena *arena, struct refusal *why);

/* For answers that count in no decision (the upstream failed after the allow). */
void pipeline_count_failure(struct passage *passage);

#endif
