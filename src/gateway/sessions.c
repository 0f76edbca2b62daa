/* gateway/sessions.c - asks every lane for its open sessions, or to end one: a message to
 * each, whose answers a thread that may wait puts together. */
#include "gateway/sessions.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "pipeline_inside.h"

enum { ANSWER_SECONDS = 5 };

struct asking;

/* What one lane is asked, and its answer. */
struct part {
    struct lane_message message;
    struct asking *asking;
    struct gate *gate;
    struct buffer found;
    size_t count;
};

/* Lives until the last lane has answered, also when the asker no longer waits. */
struct asking {
    atomic_uint holders;
    sem_t answered;
    struct session_question question; /* texts in `texts` */
    char *texts;
    unsigned count;
    struct part parts[];
};

static void
release(struct asking *asking)
{
    if (atomic_fetch_sub(&asking->holders, 1) != 1)
        return;
    for (unsigned i = 0; i < asking->count; i++)
        buffer_free(&asking->parts[i].found);
    sem_destroy(&asking->answered);
    free(asking->texts);
    free(asking);
}

/* --- on a lane ------------------------------------------------------------ */

static void
put_member(struct buffer *out, const char *name, struct slice value)
{
    put_format(out, ",\"%s\":", name);
    if (value.size == 0)
        put_text(out, "null");
    else
        put_json_string(out, value);
}

static void
put_session(struct buffer *out, const struct passage *passage, const struct finding *finding)
{
    const struct asked *asked = &passage->asked;
    const struct credential *credential = &finding->credential;
    struct gate *gate = passage->gate;
    uint64_t age_us = lane_mono_us(gate->lane) - passage->began_us;
    char at[TIME_TEXT_MAX], ip[IP_TEXT_MAX];

    /* A number of 63 bits is a text in JSON: readers make doubles of numbers. */
    put_format(out, "{\"id\":\"%llu\"", (unsigned long long)asked->session);
    put_member(out, "door", slice_text(passage->door->name));
    put_member(out, "upstream", asked->request.resource);
    put_member(out, "action", asked->request.action);
    put_member(out, "object", asked->request.object);
    put_member(out, "token", credential->id_text);
    put_member(out, "subject", credential->subject);
    put_member(out, "chain", credential->chain);
    put_member(out, "agent", asked->agent);
    put_member(out, "peer", slice_text(ip_format(&asked->request.peer, ip)));
    put_format(out, ",\"peer_port\":%u", (unsigned)asked->peer_port);
    put_member(out, "opened_at",
               slice_text(time_format(lane_now_ms(gate->lane) - (int64_t)(age_us / 1000), at)));
    put_format(out, ",\"duration_ms\":%llu,\"bytes\":%llu", (unsigned long long)(age_us / 1000),
               (unsigned long long)passage->door->traffic(passage));
    put_member(out, "node", slice_text(gate->gateway->options.node));
    put_u8(out, '}');
}

static bool
is_meant(const struct session_question *question, const struct passage *passage,
         const struct finding *finding)
{
    return passage->state == PASSAGE_OPEN &&
           (question->id == 0 || question->id == passage->asked.session) &&
           (question->upstream.size == 0 ||
            slice_equal(question->upstream, passage->asked.request.resource)) &&
           (question->subject.size == 0 ||
            slice_equal(question->subject, finding->credential.subject));
}

static void
cut(struct passage *passage)
{
    struct refusal ended = { .kind = GATE_BUSY,
                             .reason = SLICE_LITERAL("this session was ended by an operator") };

    counter_add(&passage->gate->counters.cut, 1);
    passage->door->cut(passage, &ended);
}

static void
on_asked(struct lane_message *message)
{
    struct part *part = LANE_OWNER(message, struct part, message);
    struct asking *asking = part->asking;
    const struct session_question *question = &asking->question;
    struct gate *gate = part->gate;
    struct passage *next;

    for (struct passage *at = gate->open.next; at != &gate->open; at = next) {
        struct finding finding = { 0 };

        next = at->next;
        /* Who holds nothing any more is shown without a name, until it is cut. */
        (void)find_credential(at, &gate->scratch, &finding);
        if (is_meant(question, at, &finding)) {
            if (part->count < SESSIONS_MAX) {
                if (part->count++ > 0)
                    put_u8(&part->found, ',');
                put_session(&part->found, at, &finding);
            }
            if (question->cut)
                cut(at);
        }
        arena_reset(&gate->scratch);
    }
    sem_post(&asking->answered);
    release(asking);
}

/* --- who asks ------------------------------------------------------------- */

static bool
keep_texts(struct asking *asking, const struct session_question *question)
{
    size_t subject = question->subject.size, upstream = question->upstream.size;

    asking->question = *question;
    asking->texts = malloc(subject + upstream + 1);
    if (asking->texts == NULL)
        return false;
    if (subject > 0)
        memcpy(asking->texts, question->subject.at, subject);
    if (upstream > 0)
        memcpy(asking->texts + subject, question->upstream.at, upstream);
    asking->question.subject = slice_of(asking->texts, subject);
    asking->question.upstream = slice_of(asking->texts + subject, upstream);
    return true;
}

static struct asking *
asking_new(struct gateway *gateway, const struct session_question *question)
{
    unsigned lanes = gateway->options.lanes;
    struct asking *asking = calloc(1, sizeof(*asking) + lanes * sizeof(struct part));

    if (asking == NULL)
        return NULL;
    if (!keep_texts(asking, question) || sem_init(&asking->answered, 0, 0) != 0) {
        free(asking->texts);
        free(asking);
        return NULL;
    }
    atomic_init(&asking->holders, lanes + 1);
    asking->count = lanes;
    for (unsigned i = 0; i < lanes; i++)
        asking->parts[i] = (struct part){
            .message = { .run = on_asked },
            .asking = asking,
            .gate = &gateway->gates[i],
        };
    return asking;
}

/* A lane that has ended has no session. */
static void
ask_lanes(struct asking *asking)
{
    for (unsigned i = 0; i < asking->count; i++) {
        struct part *part = &asking->parts[i];

        if (part->gate->lane != NULL && lane_post(part->gate->lane, &part->message))
            continue;
        sem_post(&asking->answered);
        release(asking);
    }
}

static enum status
wait_for_lanes(struct asking *asking)
{
    struct timespec until;
    unsigned left = asking->count;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ANSWER_SECONDS;
    while (left > 0) {
        if (sem_clockwait(&asking->answered, CLOCK_MONOTONIC, &until) == 0)
            left--;
        else if (errno != EINTR)
            return STATUS_TIMEOUT;
    }
    return STATUS_OK;
}

enum status
gateway_sessions(struct gateway *gateway, const struct session_question *question,
                 struct buffer *out)
{
    struct asking *asking = asking_new(gateway, question);
    enum status status;
    bool first = true;

    if (asking == NULL)
        return STATUS_MEMORY;
    ask_lanes(asking);
    status = wait_for_lanes(asking);
    for (unsigned i = 0; status == STATUS_OK && i < asking->count; i++) {
        const struct buffer *found = &asking->parts[i].found;

        status = buffer_status(found);
        if (found->size == 0)
            continue;
        if (!first)
            put_u8(out, ',');
        first = false;
        put_slice(out, buffer_slice(found));
    }
    release(asking);
    return status == STATUS_OK ? buffer_status(out) : status;
}
