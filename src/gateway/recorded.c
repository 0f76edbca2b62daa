/* gateway/recorded.c - from a passage to what its recording is about. */
#include "recorded.h"

#include "pipeline_inside.h"

bool
passage_records(const struct passage *passage)
{
    return passage->gate->gateway->options.recorder != NULL;
}

enum status
passage_record(struct passage *passage, const struct recorded_session *session,
               struct recording **out)
{
    struct gate *gate = passage->gate;
    const struct request *request = &passage->asked.request;
    struct finding finding = { 0 };
    char peer[IP_TEXT_MAX];
    enum status status;

    *out = NULL;
    if (!passage_records(passage))
        return STATUS_OK;
    /* Who holds nothing any more will be cut; here it is recorded without a name. */
    (void)find_credential(passage, &gate->scratch, &finding);
    status = recording_begin(gate->gateway->options.recorder,
                             &(struct recording_about){
                                 .session = passage->asked.session,
                                 .token = finding.credential.id_text,
                                 .subject = finding.credential.subject,
                                 .chain = finding.credential.chain,
                                 .upstream = request->resource,
                                 .action = request->action,
                                 .object = request->object,
                                 .command = session->command,
                                 .peer = slice_text(ip_format(&request->peer, peer)),
                                 .key = session->key,
                                 .width = session->width,
                                 .height = session->height,
                                 .started_at = lane_now_ms(gate->lane),
                                 .now_us = lane_mono_us(gate->lane),
                             },
                             out);
    arena_reset(&gate->scratch);
    return status;
}

void
passage_resized(const struct passage *passage, struct slice key, unsigned width, unsigned height)
{
    if (passage_records(passage))
        recorder_resize(passage->gate->gateway->options.recorder, key,
                        lane_mono_us(passage->gate->lane), width, height);
}
