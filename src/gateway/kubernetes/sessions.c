/* gateway/kubernetes/sessions.c - the streams of an exec or attach, as the API server carries them:
 * channels of a WebSocket (remotecommand, v1 to v5), or streams of SPDY. */
#include "sessions.h"

#include <stdlib.h>

#include "../http/query.h"
#include "../http/websocket.h"
#include "../recorded.h"
#include "base/json.h"
#include "spdy.h"

enum channel { CHANNEL_INPUT, CHANNEL_OUTPUT, CHANNEL_ERRORS, CHANNEL_STATUS, CHANNEL_RESIZE };
enum { RESIZE_MOST = 256, SIZE_MOST = 10000 };

/* One direction of either protocol. */
struct side {
    struct websocket_frames socket;
    uint8_t channel; /* of the message that passes */
    struct spdy_frames spdy;
};

struct session {
    struct recorded recorded;
    struct side sides[2]; /* the client's, the cluster's */
    char resize[RESIZE_MOST];
    size_t resize_size;
};

/* --- sizes -------------------------------------------------------------------------- */

static unsigned
size_of(const json_t *size, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(size, name));

    return value > 0 && value <= SIZE_MOST ? (unsigned)value : 0;
}

/* {"Width":80,"Height":24}. False: it is none. */
static bool
told_size(struct session *session, uint64_t now_us, struct slice text, enum status *status)
{
    json_t *size = NULL;
    unsigned width, height;

    if (json_read(text, &size, NULL) != STATUS_OK)
        return false;
    width = size_of(size, "Width");
    height = size_of(size, "Height");
    json_decref(size);
    if (width == 0 || height == 0)
        return false;
    *status = recording_resize(session->recorded.recording, now_us, width, height);
    return true;
}

/* A message may come in pieces; each new one begins anew. */
static enum status
gather_size(struct session *session, uint64_t now_us, const struct websocket_run *run,
            struct slice bytes)
{
    enum status status = STATUS_OK;

    if (run->first)
        session->resize_size = 0;
    if (bytes.size > RESIZE_MOST - session->resize_size)
        return STATUS_OK;
    memcpy(session->resize + session->resize_size, bytes.at, bytes.size);
    session->resize_size += bytes.size;
    (void)told_size(session, now_us, slice_of(session->resize, session->resize_size), &status);
    return status;
}

/* --- channels of a WebSocket ----------------------------------------------------------- */

static enum status
put_channel(struct session *session, uint64_t now_us, enum tap_side from,
            const struct websocket_run *run)
{
    struct side *side = &session->sides[from];
    struct slice bytes = slice_of(run->bytes, run->size);

    if (run->first) {
        side->channel = run->bytes[0];
        bytes = slice_from(bytes, 1);
    }
    if (from == TAP_UPSTREAM)
        return side->channel == CHANNEL_STATUS
                   ? STATUS_OK
                   : recording_output(session->recorded.recording, now_us,
                                      side->channel == CHANNEL_ERRORS ? CAST_ERRORS : CAST_OUTPUT,
                                      bytes);
    return side->channel == CHANNEL_RESIZE
               ? gather_size(session, now_us, run, bytes)
               : recording_input(session->recorded.recording, now_us, bytes);
}

static enum status
socket_bytes(struct session *session, uint64_t now_us, enum tap_side from, struct slice bytes)
{
    struct websocket_run run;

    for (;;) {
        enum status status;

        switch (websocket_next(&session->sides[from].socket, &bytes, &run)) {
        case WEBSOCKET_MORE:
            return STATUS_OK;
        case WEBSOCKET_MALFORMED:
            return STATUS_INVALID;
        case WEBSOCKET_RUN_READ:
            break;
        }
        status = put_channel(session, now_us, from, &run);
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

/* --- streams of SPDY --------------------------------------------------------------------- */

/* What comes of the cluster is shown, its last word of the exit too. Of the client, what reads as a
 * size is one. */
static enum status
put_stream(struct session *session, uint64_t now_us, enum tap_side from, struct slice bytes)
{
    enum status status = STATUS_OK;

    if (from == TAP_UPSTREAM)
        return recording_output(session->recorded.recording, now_us, CAST_OUTPUT, bytes);
    if (bytes.size <= RESIZE_MOST && slice_starts(bytes, SLICE_LITERAL("{\"Width\":")) &&
        told_size(session, now_us, slice_trim(bytes), &status))
        return status;
    return recording_input(session->recorded.recording, now_us, bytes);
}

static enum status
spdy_bytes(struct session *session, uint64_t now_us, enum tap_side from, struct slice bytes)
{
    struct slice run;
    uint32_t stream;

    for (;;) {
        enum status status;

        switch (spdy_next(&session->sides[from].spdy, &bytes, &stream, &run)) {
        case SPDY_MORE:
            return STATUS_OK;
        case SPDY_MALFORMED:
            return STATUS_INVALID;
        case SPDY_DATA:
            break;
        }
        status = put_stream(session, now_us, from, run);
        if (status != STATUS_OK)
            return status;
    }
}

static enum status
spdy_output(struct recorded *recorded, uint64_t now_us, struct slice bytes)
{
    return spdy_bytes((struct session *)recorded, now_us, TAP_UPSTREAM, bytes);
}

static enum status
spdy_input(struct recorded *recorded, uint64_t now_us, struct slice bytes)
{
    return spdy_bytes((struct session *)recorded, now_us, TAP_CLIENT, bytes);
}

/* --- its begin ------------------------------------------------------------------------------ */

static bool
is_recorded(const struct kube_attributes *attributes)
{
    return attributes->connect == KUBE_EXEC || attributes->connect == KUBE_ATTACH;
}

static bool
is_true(const struct http_passage *http, const char *name)
{
    struct slice value = { 0 };

    return query_find(http->target.query, name, http_call_arena(http->call), &value) ==
               QUERY_FOUND &&
           !slice_is(value, "0") && !slice_equal_nocase(value, SLICE_LITERAL("false")) &&
           !slice_equal_nocase(value, SLICE_LITERAL("f"));
}

/* Are the channels carried as base64? Only those of plain bytes are read. */
static bool
in_base64(const struct http_head *head)
{
    for (unsigned i = 0; i < head->count; i++) {
        struct slice value = http_field_value(head, &head->fields[i]), part;

        if (!slice_equal_nocase(http_field_name(head, &head->fields[i]),
                                SLICE_LITERAL("Sec-WebSocket-Protocol")))
            continue;
        while (slice_next(&value, '.', &part)) {
            size_t size = part.size < 6 ? part.size : 6;

            if (slice_equal_nocase(slice_from(part, part.size - size), SLICE_LITERAL("base64")))
                return true;
        }
    }
    return false;
}

const char *
kube_session_refused(const struct http_passage *http, const struct kube_attributes *attributes,
                     bool *now)
{
    if (!is_recorded(attributes) || !passage_records(http->passage))
        return NULL;
    *now = !passage_may_record(http->passage);
    if (*now)
        return "sessions must be recorded here, and can't be at the moment";
    if (in_base64(http_call_head(http->call)))
        return "sessions are recorded here, and those in base64 are not read: offer "
               "v5.channel.k8s.io or v4.channel.k8s.io alone";
    return is_true(http, "stdin") && !is_true(http, "stdout")
               ? "sessions are recorded here: one with stdin has stdout as well"
               : NULL;
}

enum status
kube_session_tap(struct http_passage *http, const struct http_head *head, struct slice command,
                 struct stream_tap **out)
{
    const struct recorded_session about = { .command = command };
    struct slice to = http_head_value(http_call_head(http->call), HTTP_FIELD_UPGRADE);
    struct session *session;

    if (!passage_records(http->passage))
        return STATUS_OK;
    session = calloc(1, sizeof *session);
    if (session == NULL)
        return STATUS_MEMORY;
    if (slice_equal_nocase(to, SLICE_LITERAL("websocket"))) {
        session->recorded.output = socket_output;
        session->recorded.input = socket_input;
    } else {
        session->recorded.output = spdy_output;
        session->recorded.input = spdy_input;
    }
    return passage_tap(http->passage, &about, &session->recorded, out);
}
