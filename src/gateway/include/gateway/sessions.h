/* gateway/sessions.h - what goes on through the gate at this moment, for whoever may look
 * at it or end it. */
#ifndef WRIT_GATEWAY_SESSIONS_H
#define WRIT_GATEWAY_SESSIONS_H

#include "gateway/gateway.h"

struct session_question {
    uint64_t id;                    /* the session's number in the audit; 0: any */
    struct slice subject, upstream; /* empty: any */
    bool cut;                       /* what is found is ended */
};

/* From a thread that is no lane's: waits for all lanes. Appends the JSON objects of what was
 * found, with commas between them, SESSIONS_MAX of each lane at most. TIMEOUT: a lane has not
 * answered, and nothing is told. */
enum { SESSIONS_MAX = 1000 };
enum status gateway_sessions(struct gateway *gateway, const struct session_question *question,
                             struct buffer *out) WRIT_MUST_USE;

#endif
