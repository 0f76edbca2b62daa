/* gateway/approval.c - waits for an approval, and goes on with it. */
#include "approval.h"

#include <stdlib.h>

/* One for each link of a lineage whose right asks for other approvers. */
enum { APPROVALS_MAX = 4, CALL_MAX = 64 << 10, TEXTS_MAX = CALL_MAX + (32 << 10) };

struct passage_approval {
    struct approval_ask ask;
    struct passage *passage;
    struct passage_approval *before;
    struct slice held[APPROVALS_MAX]; /* the `by` of those that were given, this one last */
    struct arena texts;
};

static size_t
count_of(const struct passage *passage)
{
    size_t count = 0;

    for (const struct passage_approval *at = passage->approval; at != NULL; at = at->before)
        count++;
    return count;
}

void
approval_end(struct passage *passage)
{
    while (passage->approval != NULL) {
        struct passage_approval *before = passage->approval->before;

        arena_free(&passage->approval->texts);
        free(passage->approval);
        passage->approval = before;
    }
}

void
approval_forsake(struct passage *passage)
{
    if (passage->approval != NULL)
        atomic_store(&passage->approval->ask.gone, true);
}

struct slice
approval_words(const struct passage *passage)
{
    return passage->approval == NULL ? slice_of("", 0) : slice_text(passage->approval->ask.words);
}

/* The picture may be another one than when it was asked for: all is judged again. */
static void
answered(struct approval_ask *ask)
{
    struct passage_approval *approval = LANE_OWNER(ask, struct passage_approval, ask);
    struct passage *passage = approval->passage;
    struct gate *gate = passage->gate;
    struct finding finding = { 0 };

    passage->state = PASSAGE_NEW;
    if (ask->verdict == APPROVAL_GIVEN && passage->wire != NULL) {
        size_t count = count_of(passage);

        approval->held[count - 1] = ask->wanted.by;
        passage->asked.request.approved = approval->held;
        passage->asked.request.approved_count = count;
        pipeline_enter(passage, &gate->scratch);
    } else {
        /* The audit says who it was, as far as that is still known. */
        (void)find_credential(passage, &gate->scratch, &finding);
        finding_refuse(&finding, ask->verdict == APPROVAL_UNASKED ? GATE_BUSY : GATE_UNAPPROVED,
                       passage->wire == NULL
                           ? SLICE_LITERAL("the client left while it waited for an approval")
                           : slice_text(ask->words));
        pipeline_conclude(passage, &finding);
    }
    arena_reset(&gate->scratch);
}

static struct slice
keep(struct passage_approval *approval, struct slice text)
{
    return text.size == 0 ? text : arena_copy(&approval->texts, text);
}

static bool
fill(struct passage_approval *approval, const struct finding *finding)
{
    const struct passage *passage = approval->passage;
    const struct asked *asked = &passage->asked;
    const struct credential *credential = &finding->credential;
    const struct approval *wanted = decision_approval(finding->decision);
    struct slice call = passage->door->call == NULL
                            ? slice_of("", 0)
                            : passage->door->call(passage, &approval->texts);

    approval->ask = (struct approval_ask){
        .lane = passage->gate->lane,
        .token = keep(approval, credential->id_text),
        .subject = keep(approval, credential->subject),
        .chain = keep(approval, credential->chain),
        .resource = keep(approval, asked->request.resource),
        .action = keep(approval, asked->request.action),
        .object = keep(approval, asked->request.object),
        .right = keep(approval, decision_right(finding->decision)),
        .agent = keep(approval, asked->agent),
        .call = call,
        .peer = asked->request.peer,
        .wanted = { keep(approval, wanted->by), wanted->within_ms, wanted->for_ms },
        .done = answered,
    };
    return call.at != NULL && call.size <= CALL_MAX && approval->ask.object.at != NULL &&
           approval->ask.right.at != NULL && approval->ask.wanted.by.at != NULL;
}

static struct passage_approval *
approval_new(struct passage *passage, const struct finding *finding)
{
    struct passage_approval *approval = calloc(1, sizeof *approval);

    if (approval == NULL)
        return NULL;
    approval->passage = passage;
    arena_init(&approval->texts, TEXTS_MAX);
    if (!passage_keep(passage) || !fill(approval, finding)) {
        arena_free(&approval->texts);
        free(approval);
        return NULL;
    }
    if (passage->approval != NULL)
        memcpy(approval->held, passage->approval->held, sizeof approval->held);
    approval->before = passage->approval;
    return approval;
}

bool
approval_wait(struct passage *passage, const struct finding *finding)
{
    const struct gateway_ports *ports = passage->gate->gateway->options.ports;

    if (finding->decision == NULL || decision_approval(finding->decision) == NULL ||
        !passage->door->waits || passage->wire == NULL ||
        passage->asked.fault.kind != GATE_NOTHING || count_of(passage) == APPROVALS_MAX)
        return false;
    struct passage_approval *approval = approval_new(passage, finding);
    if (approval == NULL)
        return false;
    passage->approval = approval;
    passage->state = PASSAGE_WAITING;
    ports->ask_approval(ports->app, &approval->ask);
    return true;
}
