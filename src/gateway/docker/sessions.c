/* gateway/docker/sessions.c - execs and attaches, recorded: as a stream after an upgrade, in frames
 * of a WebSocket, or as the answer's body to a client that asked for no upgrade. */
#include <stdlib.h>

#include "../http/query.h"
#include "../http/websocket.h"
#include "../recorded.h"
#include "frames.h"
#include "talk.h"

enum { SIZE_MOST = 10000 }; /* columns or rows */

struct session {
    struct recorded recorded;
    /* Without a terminal the daemon's stream is in frames. What is none is told as it came. */
    struct docker_frames frames;
    struct websocket_frames sockets[2]; /* the client's, the daemon's */
};

/* --- what is said ----------------------------------------------------------------- */

static enum status
raw_output(struct recorded *recorded, uint64_t now_us, struct slice bytes)
{
    return recording_output(recorded->recording, now_us, CAST_OUTPUT, bytes);
}

static enum status
raw_input(struct recorded *recorded, uint64_t now_us, struct slice bytes)
{
    return recording_input(recorded->recording, now_us, bytes);
}

static enum cast_stream
cast_of(enum docker_stream stream)
{
    return stream == DOCKER_STDIN || stream == DOCKER_STDOUT ? CAST_OUTPUT : CAST_ERRORS;
}

/* From what is no frame on, all is as it came; the head that was begun belongs to it. */
static enum status
put_raw(struct session *session, uint64_t now_us, unsigned held, struct slice rest)
{
    struct slice head = slice_of(session->frames.head, held);
    enum status status = raw_output(&session->recorded, now_us, head);

    return status == STATUS_OK ? raw_output(&session->recorded, now_us, rest) : status;
}

static enum status
framed_output(struct recorded *recorded, uint64_t now_us, struct slice bytes)
{
    struct session *session = (struct session *)recorded;
    bool raw = session->frames.wrong;
    enum status status = STATUS_OK;
    enum docker_stream stream;
    struct slice run;

    while (status == STATUS_OK) {
        switch (docker_frames_next(&session->frames, &bytes, &stream, &run)) {
        case DOCKER_FRAME_MORE:
            return STATUS_OK;
        case DOCKER_FRAME_RUN:
            status = recording_output(recorded->recording, now_us, cast_of(stream), run);
            break;
        case DOCKER_FRAME_MALFORMED:
            return put_raw(session, now_us, raw ? 0 : session->frames.have, bytes);
        }
    }
    return status;
}

/* A head that stayed incomplete was none. */
static void
framed_ends(struct recorded *recorded, uint64_t now_us)
{
    struct session *session = (struct session *)recorded;

    if (!session->frames.wrong && session->frames.left == 0)
        (void)put_raw(session, now_us, session->frames.have, slice_of(NULL, 0));
}

/* A session whose frames can't be read can't be recorded. */
static enum status
socket_bytes(struct session *session, uint64_t now_us, enum tap_side from, struct slice bytes)
{
    struct websocket_run run;

    for (;;) {
        enum status status = STATUS_OK;
        struct slice text;

        switch (websocket_next(&session->sockets[from], &bytes, &run)) {
        case WEBSOCKET_MORE:
            return STATUS_OK;
        case WEBSOCKET_MALFORMED:
            return STATUS_INVALID;
        case WEBSOCKET_RUN_READ:
            break;
        }
        text = slice_of(run.bytes, run.size);
        status = from == TAP_CLIENT ? raw_input(&session->recorded, now_us, text)
                                    : raw_output(&session->recorded, now_us, text);
        if (status != STATUS_OK)
            return status;
    }
}

static enum status
socket_output(struct recorded *recorded, uint64_t now_us, struct slice bytes)
{
    return socket_bytes((struct session *)recorded, now_us, TAP_UPSTREAM, bytes);
}

static enum status
socket_input(struct recorded *recorded, uint64_t now_us, struct slice bytes)
{
    return socket_bytes((struct session *)recorded, now_us, TAP_CLIENT, bytes);
}

/* --- its begin ---------------------------------------------------------------------- */

/* NULL: there is no memory for it. */
static struct recorded *
session_new(const struct docker_talk *talk)
{
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL)
        return NULL;
    session->recorded.output = talk->terminal ? raw_output : framed_output;
    session->recorded.input = raw_input;
    session->recorded.ends = talk->terminal ? NULL : framed_ends;
    if (slice_is(talk->path.after, "/attach/ws")) {
        session->recorded.output = socket_output;
        session->recorded.input = socket_input;
        session->recorded.ends = NULL;
    }
    return &session->recorded;
}

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
static struct recorded_session
about(const struct http_passage *http)
{
    const struct docker_talk *talk = http->talk->own;
    const json_t *size = json_object_get(http->talk->tree, "ConsoleSize");

    return (struct recorded_session){
        .command = talk->command,
        .key = key_of(http),
        .height = size_of(json_integer_value(json_array_get(size, 0))),
        .width = size_of(json_integer_value(json_array_get(size, 1))),
    };
}

enum status
docker_session_tap(struct http_passage *http, const struct http_head *head, struct stream_tap **out)
{
    const struct recorded_session session = about(http);

    if (!passage_records(http->passage))
        return STATUS_OK;
    return passage_tap(http->passage, &session, session_new(http->talk->own), out);
}

enum status
docker_session_filter(struct http_passage *http, struct body_filter **out)
{
    const struct recorded_session session = about(http);

    if (!passage_records(http->passage))
        return STATUS_OK;
    return passage_filter(http->passage, &session, session_new(http->talk->own), out);
}

/* --- what must not be ------------------------------------------------------------------ */

/* As the daemon reads a truth in a query. */
static bool
is_true(struct slice text)
{
    static const char *const no[] = { "", "0", "no", "false", "none" };

    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        if (slice_equal_nocase(slice_trim(text), slice_text(no[i])))
            return false;
    return true;
}

/* Who types and looks elsewhere for what comes of it leaves no record: input takes the output
 * with it. */
const char *
docker_session_refused(struct http_passage *http, bool *now)
{
    const struct docker_talk *talk = http->talk->own;
    struct slice in, out, errors, stream;

    if (!passage_records(http->passage))
        return NULL;
    *now = !passage_may_record(http->passage);
    if (*now)
        return "sessions must be recorded here, and can't be at the moment";
    if (talk->path.endpoint->kind == DOCKER_EXEC)
        return talk->blind ? "sessions are recorded here: an exec with input has its output and "
                             "its errors attached as well"
                           : NULL;
    if (!docker_take_param(http, "stdin", &in) || !docker_take_param(http, "stdout", &out) ||
        !docker_take_param(http, "stderr", &errors) || !docker_take_param(http, "stream", &stream))
        return NULL; /* it is refused already */
    return is_true(in) && !(is_true(out) && is_true(errors) && is_true(stream))
               ? "sessions are recorded here: an attach with stdin has stdout, stderr and stream "
                 "as well"
               : NULL;
}

/* --- its size ------------------------------------------------------------------------ */

static bool
take_size(const struct http_passage *http, const char *name, unsigned *out)
{
    struct slice text = { 0 };
    uint64_t size;

    if (query_find(http->target.query, name, docker_arena(http), &text) != QUERY_FOUND ||
        !slice_u64(text, &size) || size > SIZE_MOST)
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
