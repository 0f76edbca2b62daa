/* gateway/redis/ask.c - one command: decided, and passed on with what is owed for it, or
 * answered in its turn. */
#include <stdlib.h>

#include "session.h"

void
redis_out_of_memory(struct redis_session *session)
{
    redis_session_fail(session, "ERR", SLICE_LITERAL("the gateway is out of memory"), 503);
}

/* An answer of the gateway's own, when its turn comes. */
static void
answer(struct redis_session *session, const char *code, struct slice message)
{
    struct redis_owed *owed = redis_owed_add(&session->owed, OWED_WORDS);

    session->last_asked = NULL; /* it is not the last any more */
    if (owed == NULL) {
        redis_out_of_memory(session);
        return;
    }
    resp_put_error(&owed->words, code, message);
    /* As Redis does: what is refused while it is queued spoils the transaction. */
    session->dirty |= session->multi;
}

void
redis_part(struct redis_session *session, const char *why)
{
    struct redis_owed *owed = redis_owed_add(&session->owed, OWED_WORDS);

    session->last_asked = NULL;
    session->deaf = true;
    if (owed == NULL) {
        redis_out_of_memory(session);
        return;
    }
    owed->last = true;
    resp_put_error(&owed->words, "ERR", slice_text(why));
}

const char *
redis_code_of(enum gate_refusal kind)
{
    switch (refusal_status(kind)) {
    case 403:
        return "NOPERM";
    case 401:
        return "WRONGPASS";
    default:
        return "ERR";
    }
}

struct slice
redis_words_of(const struct refusal *refusal, struct arena *arena)
{
    if (refusal->kind != GATE_FORBIDDEN || refusal->right.size == 0)
        return refusal->reason;
    return arena_format(arena, "you need %.*s: %.*s", SLICE_PRINT(refusal->right),
                        SLICE_PRINT(refusal->reason));
}

static void
answer_refusal(struct redis_session *session, const struct refusal *refusal)
{
    struct slice text = redis_words_of(refusal, &session->door->scratch);

    answer(session, redis_code_of(refusal->kind), text);
}

void
redis_refuse(struct redis_session *session, const struct redis_request *command, struct slice why)
{
    struct refusal refusal = { .kind = GATE_MALFORMED, .reason = why };

    errand_refuse(session->passage, &command->ask.errand, &session->door->scratch, &refusal);
    answer(session, redis_code_of(refusal.kind), refusal.reason);
}

struct redis_owed *
redis_pass(struct redis_session *session, const struct redis_request *command, enum owed_kind kind)
{
    struct redis_owed *owed = redis_owed_add(&session->owed, kind);

    if (owed == NULL) {
        redis_out_of_memory(session);
        return NULL;
    }
    owed->bytes_in = command->whole.size;
    put_slice(&session->door->to_server, command->whole);
    return owed;
}

bool
redis_recorded_in_full(const struct redis_session *session)
{
    return session->passage->asked.upstream->plan.record == RECORD_FULL;
}

static uint64_t
digest_of(const struct errand_ask *ask)
{
    uint64_t digest = slice_hash(ask->touches[0].action);

    for (size_t i = 0; i < ask->count; i++)
        digest = (digest ^ slice_hash(ask->touches[i].object)) * UINT64_C(0x9e3779b97f4a7c15);
    return digest;
}

/* Recorded in full, two commands are the same when their values are. */
static uint64_t
digest_of_words(const struct redis_session *session, const struct redis_request *command)
{
    return redis_recorded_in_full(session) ? slice_hash(command->ask.errand.statement) : 0;
}

/* The same as the command before it, in one read: one line with a count for both. */
static bool
goes_on(const struct redis_session *session, const struct redis_owed *before, uint64_t same,
        enum owed_kind kind)
{
    return before != NULL && before->counted && before->kept == NULL && before->same == same &&
           before->kind == kind && kind == OWED_REPLY && before->queued == session->multi;
}

static struct redis_owed *
ask_again(struct redis_session *session, const struct redis_request *command)
{
    struct redis_owed *before = session->last_asked, *owed;
    struct refusal refusal;

    if (!errand_again(session->passage, &command->ask.errand, &session->door->scratch,
                      &before->errand, &refusal)) {
        answer_refusal(session, &refusal);
        return NULL;
    }
    /* The ring may move. */
    size_t at = session->owed.count - 1;
    owed = redis_pass(session, command, OWED_REPLY);
    if (owed == NULL)
        return NULL;
    before = redis_owed_at(&session->owed, at);
    owed->errand = before->errand;
    owed->counted = true;
    owed->same = before->same;
    owed->queued = before->queued;
    before->errand = (struct errand){ 0 };
    before->counted = false;
    before->handed_on = true;
    return owed;
}

/* What waits or is queued is judged again later. False: it is refused, or the session has
 * ended. */
static bool
keep(struct redis_session *session, const struct redis_request *command, struct redis_kept **out)
{
    if (!session->multi && command->ask.command->manner != REDIS_BLOCK)
        return true;
    *out = redis_kept_new(&command->ask.errand);
    if (*out == NULL) {
        redis_out_of_memory(session);
        return false;
    }
    if (!session->multi || session->queued.size + (*out)->size <= RESP_COMMAND_MAX)
        return true;
    redis_refuse(session, command, SLICE_LITERAL("the transaction is too long for this gateway"));
    return false;
}

static bool
begin(struct redis_session *session, const struct redis_request *command, struct errand *errand)
{
    struct refusal refusal;
    bool begun = errand_begin(session->passage, &command->ask.errand, &session->door->scratch,
                              errand, &refusal);

    if (!begun)
        answer_refusal(session, &refusal);
    return begun;
}

struct redis_owed *
redis_ask(struct redis_session *session, const struct redis_request *command, enum owed_kind kind)
{
    uint64_t same = digest_of(&command->ask.errand) ^ digest_of_words(session, command);
    struct redis_kept *kept = NULL;
    struct errand errand;

    if (goes_on(session, session->last_asked, same, kind)) {
        session->last_asked = ask_again(session, command);
        return session->last_asked;
    }
    session->last_asked = NULL;
    /* What has begun must have its place. */
    if (!redis_owed_room(&session->owed)) {
        redis_out_of_memory(session);
        return NULL;
    }
    if (!keep(session, command, &kept) || !begin(session, command, &errand)) {
        free(kept);
        return NULL;
    }
    struct redis_owed *owed = redis_pass(session, command, kind);
    owed->errand = errand;
    owed->counted = true;
    owed->same = same;
    owed->queued = session->multi;
    if (session->multi)
        redis_queued_add(&session->queued, kept);
    else
        owed->kept = kept;
    session->last_asked = owed;
    return owed;
}
