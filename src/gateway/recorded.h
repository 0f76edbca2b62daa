/* gateway/recorded.h - a passage whose streams are recorded, for doors that have such. */
#ifndef WRIT_GATEWAY_RECORDED_H
#define WRIT_GATEWAY_RECORDED_H

#include "gateway/recording.h"
#include "http/dialect.h"

/* What a door knows of a session, beside what the passage does; borrowed for the call. */
struct recorded_session {
    struct slice command;
    unsigned width, height; /* 0: not known */
    struct slice key;       /* of recorder_resize; "" when the size comes in the session itself */
};

/* The first member of what a door knows of the streams. */
struct recorded {
    struct stream_tap tap;
    struct body_filter filter;
    struct recording *recording;
    struct lane *lane;
    /* What the bytes of a side show, told to the recording. Not OK: the session is cut. */
    enum status (*output)(struct recorded *recorded, uint64_t now_us, struct slice bytes);
    enum status (*input)(struct recorded *recorded, uint64_t now_us, struct slice bytes);
    void (*ends)(struct recorded *recorded, uint64_t now_us); /* may be NULL */
};

/* Are sessions recorded here? */
bool passage_records(const struct passage *passage);
/* A field by which client and upstream would agree on frames that are not read. */
bool passage_withholds(const struct passage *passage, struct slice name);
/* False: a session must be recorded, and can't be at the moment. */
bool passage_may_record(const struct passage *passage);
/* The recording begins, and made is the tap's, or filter's, to free. Not OK: it must be recorded
 * and can't; made is gone, as it is when it was NULL for want of memory. */
enum status passage_tap(struct passage *passage, const struct recorded_session *session,
                        struct recorded *made, struct stream_tap **out) WRIT_MUST_USE;
enum status passage_filter(struct passage *passage, const struct recorded_session *session,
                           struct recorded *made, struct body_filter **out) WRIT_MUST_USE;
/* The terminal of all sessions with this key has another size. */
void passage_resized(const struct passage *passage, struct slice key, unsigned width,
                     unsigned height);

#endif
