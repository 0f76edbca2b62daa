/* gateway/pipeline.h - the one way through the gate. */
#ifndef WRIT_GATEWAY_PIPELINE_H
#define WRIT_GATEWAY_PIPELINE_H

#include "doors.h"

/* passage->asked is filled. Ends in exactly one of the door's refuse and open,
 * now or, after a claim, later. The audit's line is written before either. */
void pipeline_enter(struct passage *passage, struct arena *arena);

/* Before the triple is certain: may its client ask for anything at all at this upstream?
 * Counts nothing. False: it is refused, with its line, and the passage is gone. */
bool pipeline_admit(struct passage *passage, struct arena *arena);
/* Nothing was asked yet and nobody is there to be answered: gone without a line. */
void pipeline_drop(struct passage *passage);
/* Would the passage's client be allowed this too, now? Of request, the triple counts (peer
 * and proof are the passage's). Without a line: for lists that are filtered. */
bool pipeline_would(struct passage *passage, const struct request *request, struct arena *arena);
/* The same, or allowed once somebody has approved it. */
bool pipeline_could(struct passage *passage, const struct request *request, struct arena *arena);

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
