/* gateway/recorded.h - a passage whose streams are recorded, for doors that have such. */
#ifndef WRIT_GATEWAY_RECORDED_H
#define WRIT_GATEWAY_RECORDED_H

#include "gate.h"
#include "gateway/recording.h"

/* What a door knows of a session, beside what the passage does; borrowed for the call. */
struct recorded_session {
    struct slice command;
    unsigned width, height; /* 0: not known */
    struct slice key;       /* of recorder_resize; "" when the size comes in the session itself */
};

/* Are sessions recorded here? */
bool passage_records(const struct passage *passage);
/* *out is NULL with OK where they are not. Not OK: it must be recorded and can't. The recording
 * is the caller's, to be ended on this lane. */
enum status passage_record(struct passage *passage, const struct recorded_session *session,
                           struct recording **out) WRIT_MUST_USE;
/* The terminal of all sessions with this key has another size. */
void passage_resized(const struct passage *passage, struct slice key, unsigned width,
                     unsigned height);

#endif
