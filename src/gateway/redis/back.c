/* gateway/redis/back.c - what the server answers: matched with what is owed, and passed on as
 * it came. */
#include <stdio.h>

#include "base/log.h"
#include "session.h"

/* In the middle of a reply the client can't be told: the log is. */
static void
impossible(struct redis_session *session)
{
    const char *why = session->skimmer.deep ? "an answer is nested deeper than the gateway reads"
                                            : "it broke the protocol";
    char text[80];

    log_write(LOG_WARN, "gateway", "a session's upstream failed", "upstream",
              session->passage->asked.upstream->name_text, "why", why, NULL);
    snprintf(text, sizeof(text), "upstream: %s", why);
    redis_session_fail(session, "ERR", slice_text(text), 502);
}

/* --- what is owed -------------------------------------------------------------------- */

static void
end_owed(struct redis_session *session, struct redis_owed *owed, unsigned status)
{
    const struct errand_outcome outcome = { .status = status,
                                            .bytes_in = owed->bytes_in,
                                            .bytes_out = owed->bytes_out };

    if (owed->counted && owed->queued)
        errand_end_queued(session->passage, &owed->errand, &outcome, &session->held);
    else if (owed->counted)
        errand_end(session->passage, &owed->errand, &outcome);
    if (owed->executes && session->passage != NULL)
        errand_settle(session->passage, &session->held, owed->bytes_out);
    if (owed->handed_on && session->owed.count > 1) {
        struct redis_owed *next = redis_owed_at(&session->owed, 1);

        next->bytes_in += owed->bytes_in;
        next->bytes_out += owed->bytes_out;
        next->failed |= owed->failed;
    }
    redis_owed_drop_first(&session->owed);
}

void
redis_back_speak(struct redis_session *session)
{
    struct redis_owed *owed;

    while ((owed = redis_owed_first(&session->owed)) != NULL && owed->kind == OWED_WORDS &&
           resp_skim_at_rest(&session->skimmer)) {
        bool last = owed->last;

        put_slice(&session->door->to_client, buffer_slice(&owed->words));
        end_owed(session, owed, 200);
        if (last) {
            if (redis_session_flush(session))
                redis_session_close(session, 400);
            return;
        }
    }
}

/* --- messages that nobody asked for now ---------------------------------------------------- */

enum news {
    NEWS_NONE,      /* a reply */
    NEWS_MESSAGE,   /* of a channel, an invalidation … */
    NEWS_CONFIRMED, /* a subscription began or ended */
};

static const struct {
    const char *word;
    enum news news;
    int kind; /* of channels */
} words[] = {
    { "subscribe", NEWS_CONFIRMED, 0 },  { "unsubscribe", NEWS_CONFIRMED, 0 },
    { "psubscribe", NEWS_CONFIRMED, 1 }, { "punsubscribe", NEWS_CONFIRMED, 1 },
    { "ssubscribe", NEWS_CONFIRMED, 2 }, { "sunsubscribe", NEWS_CONFIRMED, 2 },
    { "message", NEWS_MESSAGE, 0 },      { "pmessage", NEWS_MESSAGE, 1 },
    { "smessage", NEWS_MESSAGE, 2 },
};

static bool
is_subscribed(const struct redis_session *session)
{
    return session->channels[0] + session->channels[1] + session->channels[2] > 0;
}

/* In RESP3 they are pushes. In RESP2 they are arrays like others, which come only between the
 * first confirmation and the last. */
static enum news
news_of(struct redis_session *session, int *kind)
{
    const struct resp_skimmer *skimmer = &session->skimmer;
    const struct redis_owed *owed = redis_owed_first(&session->owed);
    bool confirms =
        owed != NULL && (owed->kind == OWED_SUBSCRIBED || owed->kind == OWED_UNSUBSCRIBED);
    struct slice word = slice_of(skimmer->word, skimmer->word_size);

    if (skimmer->type != '>' &&
        !(skimmer->type == '*' && !session->resp3 && (confirms || is_subscribed(session))))
        return NEWS_NONE;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        *kind = words[i].kind;
        if (slice_is(word, words[i].word))
            return words[i].news;
    }
    return skimmer->type == '>' ? NEWS_MESSAGE : NEWS_NONE;
}

/* The number in a confirmation is of all subscriptions of the client (shard channels apart). */
static void
count_channels(struct redis_session *session, int kind)
{
    int64_t others = kind == 2 ? 0 : session->channels[1 - kind];
    int64_t now = session->skimmer.number - others;

    session->channels[kind] = now < 0 ? 0 : now;
}

static void
confirmed(struct redis_session *session, int kind)
{
    struct redis_owed *owed = redis_owed_first(&session->owed);
    int64_t before = session->channels[kind];

    count_channels(session, kind);
    if (owed == NULL || (owed->kind != OWED_SUBSCRIBED && owed->kind != OWED_UNSUBSCRIBED))
        return; /* a shard channel that the server gave up */
    if (owed->kind == OWED_UNSUBSCRIBED && owed->confirmations == 0)
        owed->confirmations = before > 0 ? (unsigned)before : 1;
    if (--owed->confirmations == 0)
        end_owed(session, owed, 200);
}

/* --- replies ---------------------------------------------------------------------------------- */

static unsigned
status_of(const struct redis_session *session, struct redis_owed *owed)
{
    owed->failed |= session->skimmer.type == '-' || session->skimmer.type == '!';
    if (owed->failed)
        return 400;
    return owed->queued ? 202 : 200;
}

/* A reply has ended. False: the session has. */
static bool
on_reply(struct redis_session *session)
{
    struct redis_owed *owed = redis_owed_first(&session->owed);
    int kind = 0;

    switch (news_of(session, &kind)) {
    case NEWS_MESSAGE:
        return true;
    case NEWS_CONFIRMED:
        confirmed(session, kind);
        return true;
    case NEWS_NONE:
        break;
    }
    if (owed == NULL) {
        if (session->monitoring)
            return true;
        impossible(session);
        return false;
    }
    /* HELLO is answered in the version that it asked for. */
    if (owed->hello && session->skimmer.type != '-')
        session->resp3 = session->skimmer.type == '%';
    /* A SUBSCRIBE that is refused by the server is answered once. */
    end_owed(session, owed, status_of(session, owed));
    return true;
}

static bool
replaces_next(struct redis_session *session)
{
    struct redis_owed *owed = redis_owed_first(&session->owed);

    return owed != NULL && owed->kind == OWED_ABORT;
}

static void
put_abort(struct redis_session *session)
{
    resp_put_error(&session->door->to_client, "EXECABORT",
                   SLICE_LITERAL("Transaction discarded because of previous errors."));
}

/* What belongs to one reply, as far as it is here. False: the session has ended. */
static bool
take_reply(struct redis_session *session, struct slice *bytes)
{
    bool replaced = replaces_next(session);
    struct redis_owed *owed = redis_owed_first(&session->owed);
    size_t used = 0;
    enum skim skim = resp_skim(&session->skimmer, *bytes, &used);

    if (skim == SKIM_MALFORMED) {
        impossible(session);
        return false;
    }
    /* What comes of its own accord is never what an EXEC waits for. */
    replaced = replaced && session->skimmer.type != '>';
    if (owed != NULL)
        owed->bytes_out += used;
    if (!replaced)
        put_slice(&session->door->to_client, slice_first(*bytes, used));
    *bytes = slice_from(*bytes, used);
    if (skim == SKIM_MORE)
        return true;
    if (replaced)
        put_abort(session);
    if (!on_reply(session))
        return false;
    redis_back_speak(session);
    return session->state != SESSION_ENDED;
}

void
redis_back_read(struct redis_session *session, struct slice bytes)
{
    while (bytes.size > 0) {
        if (!take_reply(session, &bytes))
            return;
    }
    if (redis_session_flush(session))
        redis_front_resume(session);
}

void
redis_back_abandon(struct redis_session *session, unsigned status)
{
    struct redis_owed *owed;

    while ((owed = redis_owed_first(&session->owed)) != NULL) {
        if (session->passage == NULL)
            owed->counted = false;
        end_owed(session, owed, status);
    }
    if (session->passage != NULL)
        errand_settle(session->passage, &session->held, 0);
}
