/* gateway/redis/front.c - what the client sends: each command by its manner, in the state in
 * which the session is. */
#include <stdlib.h>

#include "base/secret.h"
#include "session.h"

enum { OWED_MOST = 4096 }; /* then the client waits */

/* --- manners ------------------------------------------------------------------------------ */

static void
subscribe(struct redis_session *session, const struct redis_request *command)
{
    struct redis_owed *owed;

    if (session->multi) {
        redis_refuse(session, command, SLICE_LITERAL("subscribing within MULTI does not pass"));
        return;
    }
    if (!redis_channels_fit(session, command)) {
        redis_refuse(session, command, SLICE_LITERAL("too many channels for one session"));
        return;
    }
    owed = redis_ask(session, command, OWED_SUBSCRIBED);
    if (owed == NULL)
        return;
    owed->confirmations = command->ask.channels;
    if (!redis_channels_add(session, command))
        redis_out_of_memory(session);
}

static void
unsubscribe(struct redis_session *session, const struct redis_request *command)
{
    struct redis_owed *owed;

    if (session->multi) {
        redis_refuse(session, command, SLICE_LITERAL("unsubscribing within MULTI does not pass"));
        return;
    }
    owed = redis_pass(session, command, command->count > 1 ? OWED_SUBSCRIBED : OWED_UNSUBSCRIBED);
    if (owed == NULL)
        return;
    owed->confirmations = (unsigned)command->count - 1;
    if (!redis_channels_remove(session, command))
        redis_out_of_memory(session);
}

static void
begin_transaction(struct redis_session *session, const struct redis_request *command)
{
    if (redis_pass(session, command, OWED_REPLY) != NULL && !session->multi) {
        session->multi = true;
        session->dirty = false;
    }
}

static void
end_transaction(struct redis_session *session, const struct redis_request *command,
                enum owed_kind kind)
{
    struct redis_owed *owed = redis_pass(session, command, kind);

    if (owed == NULL)
        return;
    owed->executes = true;
    session->multi = session->dirty = false;
    redis_queued_free(&session->queued);
}

/* It runs by the rights of now, not by those of when it was queued. */
static void
execute(struct redis_session *session, const struct redis_request *command)
{
    bool abort = session->multi && (session->dirty || !redis_queued_hold(session));
    struct redis_request discard = *command;

    if (abort)
        discard.whole = SLICE_LITERAL("*1\r\n$7\r\nDISCARD\r\n");
    end_transaction(session, &discard, abort ? OWED_ABORT : OWED_REPLY);
}

/* Off in one spelling alone, and not when it may be discarded: what is on is judged again. */
static void
track(struct redis_session *session, const struct redis_request *command)
{
    bool off = !session->multi && command->count == 3 &&
               slice_equal_nocase(command->arguments[2], SLICE_LITERAL("off"));

    if (redis_ask(session, command, OWED_REPLY) != NULL)
        session->tracking = !off;
}

static void
monitor(struct redis_session *session, const struct redis_request *command)
{
    if (session->multi)
        redis_refuse(session, command, SLICE_LITERAL("MONITOR within MULTI does not pass"));
    else if (redis_ask(session, command, OWED_REPLY) != NULL)
        session->monitoring = true;
}

/* HELLO [2|3 [SETNAME name]], word for word: Redis knows AUTH in more spellings than one. */
static bool
is_plain_hello(const struct redis_request *command)
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
hello(struct redis_session *session, const struct redis_request *command)
{
    if (session->multi) {
        redis_refuse(session, command, SLICE_LITERAL("HELLO within MULTI does not pass"));
        return;
    }
    if (!is_plain_hello(command)) {
        redis_refuse(
            session, command,
            SLICE_LITERAL("this session has logged in already: HELLO [2|3 [SETNAME name]]"));
        return;
    }
    struct redis_owed *owed = redis_pass(session, command, OWED_REPLY);
    if (owed != NULL)
        owed->hello = true;
}

static void
on_command(struct redis_session *session, struct redis_request *command)
{
    struct slice why;

    if (!redis_classify(command->arguments, command->count, &session->door->scratch, &command->ask,
                        &why)) {
        redis_refuse(session, command, why);
        return;
    }
    if (redis_recorded_in_full(session))
        redis_words_full(command->arguments, command->count, &session->door->scratch,
                         &command->ask);
    enum redis_manner manner = command->ask.command->manner;
    if (manner != REDIS_ASK && manner != REDIS_BLOCK)
        session->last_asked = NULL;
    if (session->monitoring && strcmp(command->ask.command->name, "quit") != 0) {
        redis_refuse(session, command, SLICE_LITERAL("after MONITOR nothing but QUIT passes"));
        return;
    }
    switch (manner) {
    case REDIS_ASK:
    case REDIS_BLOCK:
        (void)redis_ask(session, command, OWED_REPLY);
        break;
    case REDIS_FREE:
        (void)redis_pass(session, command, OWED_REPLY);
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
        end_transaction(session, command, OWED_REPLY);
        break;
    case REDIS_TRACK:
        track(session, command);
        break;
    case REDIS_MONITOR:
        monitor(session, command);
        break;
    case REDIS_HELLO:
        hello(session, command);
        break;
    case REDIS_AUTH:
        redis_refuse(session, command, SLICE_LITERAL("this session has logged in already"));
        break;
    case REDIS_NEVER:
    case REDIS_CONTAINER:
        redis_refuse(session, command, SLICE_LITERAL("this command does not pass the gateway"));
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

    if (session->passage == NULL) {
        redis_session_fail(session, "ERR", slice_text(why), 400);
        return;
    }
    errand_refuse(session->passage, &none, &session->door->scratch, &refusal);
    redis_part(session, why);
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
        redis_out_of_memory(session);
        return false;
    }
    for (uint32_t i = 0; i < reader->count; i++)
        arguments[i] = slice_of(bytes->at + reader->parts[i].offset, reader->parts[i].size);
    struct redis_request command = { .arguments = arguments,
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

    if (session->deaf)
        return;
    session->last_asked = NULL;
    if (kept) {
        put_slice(&session->in, bytes);
        bytes = buffer_slice(&session->in);
    }
    while (may_go_on(session) && bytes.size > 0 && take_command(session, &bytes))
        continue;
    if (session->state == SESSION_ENDED)
        return;
    if (!keep(session, session->deaf ? slice_from(bytes, bytes.size) : bytes, kept)) {
        redis_out_of_memory(session);
        return;
    }
    redis_back_speak(session);
    if (session->state == SESSION_ENDED)
        return;
    if (!may_go_on(session) && !session->deaf)
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
