/* gateway/docker/sessions.c - execs and attaches, recorded: as a stream after an upgrade, or as
 * the answer's body to a client that asked for none. */
#include <stdlib.h>

#include "../recorded.h"
#include "frames.h"
#include "talk.h"

enum { SIZE_MOST = 10000 }; /* columns or rows */

/* What the daemon says is in frames or, with a terminal, is not; the session's own request says
 * which, but a recording had better not depend on that. */
struct session {
    struct recording *recording;
    struct lane *lane;
    struct docker_frames frames;
};

struct session_tap {
    struct stream_tap tap;
    struct session session;
};

struct session_filter {
    struct body_filter filter;
    struct session session;
};

/* --- what is said ----------------------------------------------------------------- */

static enum cast_stream
cast_of(enum docker_stream stream)
{
    return stream == DOCKER_STDIN || stream == DOCKER_STDOUT ? CAST_OUTPUT : CAST_ERRORS;
}

/* From what is no frame on, all is as it came; the head that was begun belongs to it. */
static enum status
put_raw(struct session *session, uint64_t now_us, unsigned held, struct slice rest)
{
    enum status status = recording_output(session->recording, now_us, CAST_OUTPUT,
                                          slice_of(session->frames.head, held));

    return status == STATUS_OK ? recording_output(session->recording, now_us, CAST_OUTPUT, rest)
                               : status;
}

static enum status
put_output(struct session *session, struct slice bytes)
{
    uint64_t now_us = lane_mono_us(session->lane);
    bool raw = session->frames.wrong;
    enum status status = STATUS_OK;
    enum docker_stream stream;
    struct slice run;

    while (status == STATUS_OK) {
        switch (docker_frames_next(&session->frames, &bytes, &stream, &run)) {
        case DOCKER_FRAME_MORE:
            return STATUS_OK;
        case DOCKER_FRAME_RUN:
            status = recording_output(session->recording, now_us, cast_of(stream), run);
            break;
        case DOCKER_FRAME_MALFORMED:
            return put_raw(session, now_us, raw ? 0 : session->frames.have, bytes);
        }
    }
    return status;
}

/* A head that stayed incomplete was none. */
static void
session_end(struct session *session)
{
    uint64_t now_us = lane_mono_us(session->lane);

    if (session->recording != NULL && !session->frames.wrong && session->frames.left == 0)
        (void)put_raw(session, now_us, session->frames.have, slice_of(NULL, 0));
    recording_end(session->recording, now_us);
}

/* --- its two shapes ---------------------------------------------------------------- */

static enum status
tap_bytes(struct stream_tap *tap, enum tap_side from, struct slice bytes)
{
    struct session *session = &((struct session_tap *)tap)->session;

    if (from == TAP_CLIENT)
        return recording_input(session->recording, lane_mono_us(session->lane), bytes);
    return put_output(session, bytes);
}

static void
tap_free(struct stream_tap *tap)
{
    session_end(&((struct session_tap *)tap)->session);
    free(tap);
}

static enum status
filter_feed(struct body_filter *filter, struct slice in, struct buffer *out)
{
    put_slice(out, in);
    return put_output(&((struct session_filter *)filter)->session, in);
}

static enum status
filter_end(struct body_filter *filter, struct buffer *out)
{
    return STATUS_OK;
}

static void
filter_free(struct body_filter *filter)
{
    session_end(&((struct session_filter *)filter)->session);
    free(filter);
}

/* --- its begin ---------------------------------------------------------------------- */

static struct slice
key_of(const struct http_passage *http)
{
    const struct docker_talk *talk = http->talk->own;

    return arena_format(docker_arena(http), "%.*s/%.*s",
                        SLICE_PRINT(http->passage->asked.request.resource), SLICE_PRINT(talk->id));
}

static unsigned
size_of(json_int_t size)
{
    return size > 0 && size <= SIZE_MOST ? (unsigned)size : 0;
}

/* A newer client says its terminal's size, [rows, columns], as it starts an exec. */
static enum status
session_begin(struct http_passage *http, struct session *out)
{
    const struct docker_talk *talk = http->talk->own;
    const json_t *size = json_object_get(http->talk->tree, "ConsoleSize");

    out->lane = http->passage->gate->lane;
    return passage_record(http->passage,
                          &(struct recorded_session){
                              .command = talk->command,
                              .key = key_of(http),
                              .height = size_of(json_integer_value(json_array_get(size, 0))),
                              .width = size_of(json_integer_value(json_array_get(size, 1))),
                          },
                          &out->recording);
}

enum status
docker_session_tap(struct http_passage *http, const struct http_head *head, struct stream_tap **out)
{
    struct session_tap *made;
    enum status status;

    if (!passage_records(http->passage))
        return STATUS_OK;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS_MEMORY;
    made->tap = (struct stream_tap){ .bytes = tap_bytes, .free = tap_free };
    status = session_begin(http, &made->session);
    if (status != STATUS_OK)
        free(made);
    else
        *out = &made->tap;
    return status;
}

enum status
docker_session_filter(struct http_passage *http, struct body_filter **out)
{
    struct session_filter *made;
    enum status status;

    if (!passage_records(http->passage))
        return STATUS_OK;
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS_MEMORY;
    made->filter =
        (struct body_filter){ .feed = filter_feed, .end = filter_end, .free = filter_free };
    status = session_begin(http, &made->session);
    if (status != STATUS_OK)
        free(made);
    else
        *out = &made->filter;
    return status;
}

/* --- its size ------------------------------------------------------------------------ */

static bool
take_size(struct http_passage *http, const char *name, unsigned *out)
{
    struct slice text;
    uint64_t size;

    if (!docker_take_param(http, name, &text) || !slice_u64(text, &size) || size > SIZE_MOST)
        return false;
    *out = (unsigned)size;
    return true;
}

void
docker_session_resized(struct http_passage *http)
{
    unsigned width, height;

    if (take_size(http, "w", &width) && take_size(http, "h", &height))
        passage_resized(http->passage, key_of(http), width, height);
}
