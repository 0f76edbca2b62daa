/* gateway/recorded.c - from a passage to what its recording is about, and from its streams to what
 * the recording is told. */
#include "recorded.h"

#include <stdlib.h>

#include "pipeline_inside.h"

bool
passage_records(const struct passage *passage)
{
    return passage->gate->gateway->options.recorder != NULL;
}

bool
passage_withholds(const struct passage *passage, struct slice name)
{
    return passage_records(passage) &&
           slice_equal_nocase(name, SLICE_LITERAL("Sec-WebSocket-Extensions"));
}

bool
passage_may_record(const struct passage *passage)
{
    const struct recorder *recorder = passage->gate->gateway->options.recorder;

    return recorder == NULL || recorder_takes(recorder, lane_mono_us(passage->gate->lane));
}

void
passage_resized(const struct passage *passage, struct slice key, unsigned width, unsigned height)
{
    if (passage_records(passage))
        recorder_resize(passage->gate->gateway->options.recorder, key,
                        lane_mono_us(passage->gate->lane), width, height);
}

/* --- as a tap ------------------------------------------------------------------ */

static struct recorded *
of_tap(const struct stream_tap *tap)
{
    return LANE_OWNER((struct stream_tap *)(uintptr_t)tap, struct recorded, tap);
}

static struct recorded *
of_filter(const struct body_filter *filter)
{
    return LANE_OWNER((struct body_filter *)(uintptr_t)filter, struct recorded, filter);
}

static void
end(struct recorded *recorded)
{
    uint64_t now_us = lane_mono_us(recorded->lane);

    if (recorded->recording != NULL && recorded->ends != NULL)
        recorded->ends(recorded, now_us);
    recording_end(recorded->recording, now_us);
    free(recorded);
}

static enum status
tap_bytes(struct stream_tap *tap, enum tap_side from, struct slice bytes)
{
    struct recorded *recorded = of_tap(tap);
    uint64_t now_us = lane_mono_us(recorded->lane);

    return from == TAP_CLIENT ? recorded->input(recorded, now_us, bytes)
                              : recorded->output(recorded, now_us, bytes);
}

static bool
tap_behind(const struct stream_tap *tap)
{
    return recording_behind(of_tap(tap)->recording);
}

static void
tap_free(struct stream_tap *tap)
{
    end(of_tap(tap));
}

/* --- as a filter, that lets everything pass ---------------------------------------- */

static enum status
filter_feed(struct body_filter *filter, struct slice in, struct buffer *out)
{
    struct recorded *recorded = of_filter(filter);

    put_slice(out, in);
    return recorded->output(recorded, lane_mono_us(recorded->lane), in);
}

static enum status
filter_end(struct body_filter *filter, struct buffer *out)
{
    return STATUS_OK;
}

static bool
filter_behind(const struct body_filter *filter)
{
    return recording_behind(of_filter(filter)->recording);
}

static void
filter_free(struct body_filter *filter)
{
    end(of_filter(filter));
}

/* --- its begin ------------------------------------------------------------------------ */

static enum status
begin(struct passage *passage, const struct recorded_session *session, struct recorded *made)
{
    struct gate *gate = passage->gate;
    const struct request *request = &passage->asked.request;
    struct finding finding = { 0 };
    enum status status;

    if (made == NULL)
        return STATUS_MEMORY;
    made->tap = (struct stream_tap){ .bytes = tap_bytes, .behind = tap_behind, .free = tap_free };
    made->filter = (struct body_filter){
        .feed = filter_feed, .end = filter_end, .behind = filter_behind, .free = filter_free
    };
    made->lane = gate->lane;
    /* Who holds nothing any more will be cut; here it is recorded without a name. */
    (void)find_credential(passage, &gate->scratch, &finding);
    status = recording_begin(
        gate->gateway->options.recorder,
        &(struct recording_about){
            .session = passage->asked.session,
            .token = finding.credential.id_text,
            .subject = finding.credential.subject,
            .subject_type = slice_text(subject_type_name(finding.credential.subject_type)),
            .chain = finding.credential.chain,
            .upstream = request->resource,
            .action = request->action,
            .object = request->object,
            .command = session->command,
            .peer = request->peer,
            .key = session->key,
            .width = session->width,
            .height = session->height,
            .started_at = lane_now_ms(gate->lane),
            .now_us = lane_mono_us(gate->lane),
        },
        &made->recording);
    arena_reset(&gate->scratch);
    if (status != STATUS_OK)
        free(made);
    return status;
}

enum status
passage_tap(struct passage *passage, const struct recorded_session *session, struct recorded *made,
            struct stream_tap **out)
{
    enum status status = begin(passage, session, made);

    if (status == STATUS_OK)
        *out = &made->tap;
    return status;
}

enum status
passage_filter(struct passage *passage, const struct recorded_session *session,
               struct recorded *made, struct body_filter **out)
{
    enum status status = begin(passage, session, made);

    if (status == STATUS_OK)
        *out = &made->filter;
    return status;
}
