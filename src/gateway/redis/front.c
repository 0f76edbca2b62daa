/* gateway/redis/front.c - what the client sends: each command is decided as it is read, and
 * passed on, or answered in its turn. */
#include <stdlib.h>

#include "base/secret.h"
#include "session.h"

enum { OWED_MOST = 4096 }; /* then the client waits */

struct command {
    const struct slice *arguments;
    size_t count;
    struct slice whole; /* its bytes */
    struct redis_ask ask;
};

static void
out_of_memory(struct redis_session *session)
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
        out_of_memory(session);
        return;
    }
    resp_put_error(&owed->words, code, message);
    /* As Redis does: what is refused while it is queued spoils the transaction. */
    session->dirty |= session->multi;
}

static const char *
code_of(enum gate_refusal kind)
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

static void
answer_refusal(struct redis_session *session, const struct refusal *refusal)
{
    struct slice text = refusal->reason;

    if (refusal->kind == GATE_FORBIDDEN && refusal->right.size > 0)
        text = arena_format(&session->door->scratch, "you need %.*s: %.*s",
                            SLICE_PRINT(refusal->right), SLICE_PRINT(refusal->reason));
    answer(session, code_of(refusal->kind), text);
}

/* Refused by the door itself, with its line. */
static void
refuse(struct redis_session *session, const struct command *command, struct slice why)
{
    struct refusal refusal = { .kind = GATE_MALFORMED, .reason = why };

    errand_refuse(session->passage, &command->ask.errand, &session->door->scratch, &refusal);
    answer(session, code_of(refusal.kind), refusal.reason);
}

static struct redis_owed *
pass(struct redis_session *session, const struct command *command, enum owed_kind kind)
{
    struct redis_owed *owed = redis_owed_add(&session->owed, kind);

    if (owed == NULL) {
        out_of_memory(session);
        return NULL;
    }
    owed->bytes_in = command->whole.size;
    put_slice(&session->door->to_server, command->whole);
    return owed;
}

static bool
recorded_in_full(const struct redis_session *session)
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
digest_of_words(const struct redis_session *session, const struct command *command)
{
    return recorded_in_full(session) ? slice_hash(command->ask.errand.statement) : 0;
}

/* The same as the command before it, in one read: one line with a count for both. */
static bool
goes_on(const struct redis_session *session, const struct redis_owed *before, uint64_t same,
        enum owed_kind kind)
{
    return before != NULL && before->counted && before->same == same && before->kind == kind &&
           kind == OWED_REPLY && before->queued == session->multi;
}

static struct redis_owed *
ask_again(struct redis_session *session, const struct command *command)
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
    owed = pass(session, command, OWED_REPLY);
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

/* A command that needs rights. */
static struct redis_owed *
ask(struct redis_session *session, const struct command *command, enum owed_kind kind)
{
    uint64_t same = digest_of(&command->ask.errand) ^ digest_of_words(session, command);
    struct refusal refusal;
    struct errand errand;
    struct redis_owed *owed;

    if (goes_on(session, session->last_asked, same, kind)) {
        session->last_asked = ask_again(session, command);
        return session->last_asked;
    }
    session->last_asked = NULL;
    if (!errand_begin(session->passage, &command->ask.errand, &session->door->scratch, &errand,
                      &refusal)) {
        answer_refusal(session, &refusal);
        return NULL;
    }
    owed = pass(session, command, kind);
    if (owed == NULL) {
        errand_end(session->passage, &errand, &(struct errand_outcome){ .status = 503 });
        return NULL;
    }
    owed->errand = errand;
    owed->counted = true;
    owed->same = same;
    owed->queued = session->multi;
    session->last_asked = owed;
    return owed;
}

/* --- manners ------------------------------------------------------------------------------ */

static void
subscribe(struct redis_session *session, const struct command *command)
{
    struct redis_owed *owed;

    if (session->multi) {
        refuse(session, command, SLICE_LITERAL("subscribing within MULTI does not pass"));
        return;
    }
    owed = ask(session, command, OWED_SUBSCRIBED);
    if (owed != NULL)
        owed->confirmations = command->ask.channels;
}

static void
unsubscribe(struct redis_session *session, const struct command *command)
{
    struct redis_owed *owed;

    if (session->multi) {
        refuse(session, command, SLICE_LITERAL("unsubscribing within MULTI does not pass"));
        return;
    }
    owed = pass(session, command, command->count > 1 ? OWED_SUBSCRIBED : OWED_UNSUBSCRIBED);
    if (owed != NULL)
        owed->confirmations = (unsigned)command->count - 1;
}

static void
begin_transaction(struct redis_session *session, const struct command *command)
{
    if (pass(session, command, OWED_REPLY) != NULL && !session->multi) {
        session->multi = true;
        session->dirty = false;
    }
}

static void
execute(struct redis_session *session, const struct command *command)
{
    bool abort = session->multi && session->dirty;
    struct command discard = *command;

    session->multi = session->dirty = false;
    if (abort)
        discard.whole = SLICE_LITERAL("*1\r\n$7\r\nDISCARD\r\n");
    (void)pass(session, &discard, abort ? OWED_ABORT : OWED_REPLY);
}

static void
discard(struct redis_session *session, const struct command *command)
{
    session->multi = session->dirty = false;
    (void)pass(session, command, OWED_REPLY);
}

static void
monitor(struct redis_session *session, const struct command *command)
{
    if (session->multi)
        refuse(session, command, SLICE_LITERAL("MONITOR within MULTI does not pass"));
    else if (ask(session, command, OWED_REPLY) != NULL)
        session->monitoring = true;
}

/* HELLO [2|3 [SETNAME name]], word for word: Redis knows AUTH in more spellings than one. */
static bool
is_plain_hello(const struct command *command)
{
    const struct slice *words = command->arguments;

    if (command->count == 1)
        return true;
    if (!slice_is(words[1], "2") && !slice_is(words[1], "3"))
        return false;
    return command->count == 2 ||
           (command->count == 4 && slice_equal_nocase(words[2], SLICE_LITERAL("setname")));
}

/* Another version of the protocol, for a client that has logged in. Within MULTI its answer
 * would come with EXEC's, and the gateway would not know which version holds. */
static void
hello(struct redis_session *session, const struct command *command)
{
    if (session->multi) {
        refuse(session, command, SLICE_LITERAL("HELLO within MULTI does not pass"));
        return;
    }
    if (!is_plain_hello(command)) {
        refuse(session, command,
               SLICE_LITERAL("this session has logged in already: HELLO [2|3 [SETNAME name]]"));
        return;
    }
    struct redis_owed *owed = pass(session, command, OWED_REPLY);
    if (owed != NULL)
        owed->hello = true;
}

static void
on_command(struct redis_session *session, struct command *command)
{
    struct slice why;

    if (!redis_classify(command->arguments, command->count, &session->door->scratch, &command->ask,
                        &why)) {
        refuse(session, command, why);
        return;
    }
    if (recorded_in_full(session))
        redis_words_full(command->arguments, command->count, &session->door->scratch,
                         &command->ask);
    enum redis_manner manner = command->ask.command->manner;
    if (manner != REDIS_ASK)
        session->last_asked = NULL;
    if (session->monitoring && strcmp(command->ask.command->name, "quit") != 0) {
        refuse(session, command, SLICE_LITERAL("after MONITOR nothing but QUIT passes"));
        return;
    }
    switch (manner) {
    case REDIS_ASK:
        (void)ask(session, command, OWED_REPLY);
        break;
    case REDIS_FREE:
        (void)pass(session, command, OWED_REPLY);
        break;
    case REDIS_SUBSCRIBE:
        subscribe(session, command);
        break;
    case REDIS_UNSUBSCRIBE:
        unsubscribe(session, command);
        break;
    case REDIS_MULTI:
        begin_transaction(session, command);
        break;
    case REDIS_EXEC:
        execute(session, command);
        break;
    case REDIS_DISCARD:
        discard(session, command);
        break;
    case REDIS_MONITOR:
        monitor(session, command);
        break;
    case REDIS_HELLO:
        hello(session, command);
        break;
    case REDIS_AUTH:
        refuse(session, command, SLICE_LITERAL("this session has logged in already"));
        break;
    case REDIS_NEVER:
    case REDIS_CONTAINER:
        refuse(session, command, SLICE_LITERAL("this command does not pass the gateway"));
        break;
    }
}

/* --- reading -------------------------------------------------------------------------------- */

static bool
may_go_on(struct redis_session *session)
{
    if (session->owed.count >= OWED_MOST)
        return false;
    return session->state == SESSION_START ||
           (session->state == SESSION_OPEN && !lull_holds(&session->door->lull));
}

static void
malformed(struct redis_session *session, const char *why)
{
    const struct errand_ask none = { .verb = SLICE_LITERAL("unknown") };
    struct refusal refusal = { .kind = GATE_MALFORMED, .reason = slice_text(why) };

    if (session->passage != NULL)
        errand_refuse(session->passage, &none, &session->door->scratch, &refusal);
    redis_session_fail(session, "ERR", slice_text(why), 400);
}

/* One command off the front. False: it is not whole, or the session has ended. */
static bool
take_command(struct redis_session *session, struct slice *bytes)
{
    struct resp_reader *reader = &session->reader;
    struct arena *arena = &session->door->scratch;
    struct slice *arguments;
    const char *why = "";
    size_t used;

    reader->narrow = session->state == SESSION_START;
    switch (resp_command_read(reader, *bytes, &used, &why)) {
    case RESP_MORE:
        return false;
    case RESP_MALFORMED:
        malformed(session, why);
        return false;
    case RESP_OK:
        break;
    }
    arguments = arena_take(arena, reader->count * sizeof(*arguments));
    if (arguments == NULL) {
        out_of_memory(session);
        return false;
    }
    for (uint32_t i = 0; i < reader->count; i++)
        arguments[i] = slice_of(bytes->at + reader->parts[i].offset, reader->parts[i].size);
    struct command command = { .arguments = arguments,
                               .count = reader->count,
                               .whole = slice_first(*bytes, used) };
    *bytes = slice_from(*bytes, used);
    resp_reader_clear(reader);
    if (session->state == SESSION_START)
        redis_start_command(session, arguments, command.count);
    else
        on_command(session, &command);
    arena_reset(arena);
    return session->state != SESSION_ENDED;
}

static bool
keep(struct redis_session *session, struct slice rest, bool kept)
{
    struct buffer *in = &session->in;

    /* What was taken is wiped: a token may have stood in it. */
    if (kept) {
        size_t used = in->size - rest.size;
        secret_wipe(in->bytes, used);
        buffer_consume(in, used);
    } else {
        put_slice(in, rest);
    }
    if (in->size == 0 && in->capacity > 0)
        buffer_wipe_free(in);
    return buffer_status(in) == STATUS_OK;
}

void
redis_front_read(struct redis_session *session, struct slice bytes)
{
    bool kept = session->in.size > 0;

    session->last_asked = NULL;
    if (kept) {
        put_slice(&session->in, bytes);
        bytes = buffer_slice(&session->in);
    }
    while (may_go_on(session) && bytes.size > 0 && take_command(session, &bytes))
        continue;
    if (session->state == SESSION_ENDED)
        return;
    if (!keep(session, bytes, kept)) {
        out_of_memory(session);
        return;
    }
    redis_back_speak(session);
    if (!may_go_on(session))
        duplex_hold_client(&session->link);
    (void)redis_session_flush(session);
}

void
redis_front_resume(struct redis_session *session)
{
    if (session->state != SESSION_OPEN || !session->link.client_held || !may_go_on(session) ||
        stream_queued(session->link.server) > DUPLEX_LOW)
        return;
    duplex_read_client(&session->link);
    if (session->in.size > 0)
        redis_front_read(session, (struct slice){ 0 });
}
