/* gateway/redis/standing.c - what was allowed once and goes on: commands that wait at the
 * server or are queued there, subscriptions, MONITOR, tracking. It is judged again by the rights
 * of later: queued commands at EXEC, the others when open sessions are looked at. */
#include <search.h>
#include <stdlib.h>

#include "session.h"

enum {
    CHANNELS_SIZE_MAX = 16 << 20, /* of the names in one session, with what each costs */
    PATTERNS = 1,                 /* the kind of channels */
    STANDING_US = 30000000,       /* rights change with the clock too: looked at so often */
};

/* --- commands ------------------------------------------------------------------------- */

static size_t
size_of(const struct errand_ask *ask)
{
    size_t size = sizeof(struct redis_kept) + ask->count * sizeof(*ask->touches);

    for (size_t i = 0; i < ask->count; i++)
        size += ask->touches[i].object.size;
    return size + ask->statement.size;
}

static struct slice
put(char **at, struct slice text)
{
    struct slice copy = slice_of(*at, text.size);

    if (text.size > 0)
        memcpy(*at, text.at, text.size);
    *at += text.size;
    return copy;
}

struct redis_kept *
redis_kept_new(const struct errand_ask *ask)
{
    size_t size = size_of(ask);
    struct redis_kept *kept = malloc(size);

    if (kept == NULL)
        return NULL;
    struct errand_touch *touches = (struct errand_touch *)(kept + 1);
    char *text = (char *)(touches + ask->count);

    *kept = (struct redis_kept){ .size = size, .ask = *ask };
    for (size_t i = 0; i < ask->count; i++) {
        touches[i] = ask->touches[i]; /* an action is the command's name, which stays */
        touches[i].object = put(&text, ask->touches[i].object);
    }
    kept->ask.touches = touches;
    kept->ask.statement = put(&text, ask->statement);
    return kept;
}

void
redis_queued_add(struct redis_queued *queued, struct redis_kept *kept)
{
    *(queued->last != NULL ? &queued->last->next : &queued->first) = kept;
    queued->last = kept;
    queued->size += kept->size;
}

void
redis_queued_free(struct redis_queued *queued)
{
    struct redis_kept *next;

    for (struct redis_kept *at = queued->first; at != NULL; at = next) {
        next = at->next;
        free(at);
    }
    *queued = (struct redis_queued){ 0 };
}

/* --- channels ------------------------------------------------------------------------- */

struct channel {
    size_t size;
    char name[];
};

static const struct {
    const char *begin, *end;
} kinds[CHANNEL_KINDS] = {
    { "subscribe", "unsubscribe" },
    { "psubscribe", "punsubscribe" },
    { "ssubscribe", "sunsubscribe" },
};

static unsigned
kind_of(const struct redis_command *command)
{
    unsigned kind = 0;

    while (kind < CHANNEL_KINDS - 1 && strcmp(command->name, kinds[kind].begin) != 0 &&
           strcmp(command->name, kinds[kind].end) != 0)
        kind++;
    return kind;
}

static int
compare(const void *left, const void *right)
{
    const struct channel *a = left, *b = right;

    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return memcmp(a->name, b->name, a->size);
}

static size_t
cost_of(size_t name_size)
{
    return sizeof(struct channel) + 6 * sizeof(void *) + name_size;
}

static struct channel *
channel_new(struct slice name)
{
    struct channel *channel = malloc(sizeof(*channel) + name.size);

    if (channel == NULL)
        return NULL;
    channel->size = name.size;
    memcpy(channel->name, name.at, name.size);
    return channel;
}

static bool
add_channel(struct redis_channels *channels, struct slice name)
{
    struct channel *channel = channel_new(name);
    struct channel **found = channel == NULL ? NULL : tsearch(channel, &channels->root, compare);

    if (found == NULL || *found != channel)
        free(channel); /* out of memory, or it is there already */
    else
        channels->size += cost_of(name.size);
    return found != NULL;
}

static bool
remove_channel(struct redis_channels *channels, struct slice name)
{
    struct channel *asked = channel_new(name);
    struct channel **found = asked == NULL ? NULL : tfind(asked, &channels->root, compare);

    if (found != NULL) {
        struct channel *channel = *found;

        tdelete(channel, &channels->root, compare);
        free(channel);
        channels->size -= cost_of(name.size);
    }
    free(asked);
    return asked != NULL;
}

static void
free_channels(struct redis_channels *channels)
{
    tdestroy(channels->root, free);
    *channels = (struct redis_channels){ 0 };
}

bool
redis_channels_fit(const struct redis_session *session, const struct redis_request *command)
{
    size_t size = session->standing[0].size + session->standing[1].size + session->standing[2].size;

    for (size_t i = 1; i < command->count && size <= CHANNELS_SIZE_MAX; i++)
        size += cost_of(command->arguments[i].size);
    return size <= CHANNELS_SIZE_MAX;
}

bool
redis_channels_add(struct redis_session *session, const struct redis_request *command)
{
    struct redis_channels *channels = &session->standing[kind_of(command->ask.command)];

    for (size_t i = 1; i < command->count; i++) {
        if (!add_channel(channels, command->arguments[i]))
            return false;
    }
    return true;
}

bool
redis_channels_remove(struct redis_session *session, const struct redis_request *command)
{
    struct redis_channels *channels = &session->standing[kind_of(command->ask.command)];

    if (command->count == 1)
        free_channels(channels);
    for (size_t i = 1; i < command->count; i++) {
        if (!remove_channel(channels, command->arguments[i]))
            return false;
    }
    return true;
}

void
redis_standing_free(struct redis_session *session)
{
    redis_queued_free(&session->queued);
    for (unsigned i = 0; i < CHANNEL_KINDS; i++)
        free_channels(&session->standing[i]);
}

/* --- judged again ----------------------------------------------------------------------- */

/* Where it holds, the memory of the decision is given back at once: there may be many. */
static bool
still_holds(struct redis_session *session, const struct errand_ask *ask, struct refusal *why)
{
    struct arena *arena = &session->door->gate->scratch;
    struct sql_limits limits;
    bool holds = errand_may(session->passage, ask, arena, &limits, why);

    if (holds)
        arena_reset(arena);
    return holds;
}

bool
redis_queued_hold(struct redis_session *session)
{
    struct refusal why;
    bool holds = true;

    for (struct redis_kept *at = session->queued.first; at != NULL && holds; at = at->next)
        holds = still_holds(session, &at->ask, &why);
    arena_reset(&session->door->gate->scratch);
    return holds;
}

static bool
name_holds(struct redis_session *session, const char *action, struct slice object,
           struct refusal *why)
{
    const struct errand_touch touch = { .action = slice_text(action), .object = object };
    const struct errand_ask ask = { .touches = &touch, .count = 1, .verb = slice_text(action) };

    return still_holds(session, &ask, why);
}

static bool
commands_hold(struct redis_session *session, struct refusal *why)
{
    const struct slice none = SLICE_LITERAL("-");

    for (size_t i = 0; i < session->owed.count; i++) {
        const struct redis_kept *kept = redis_owed_at(&session->owed, i)->kept;

        if (kept != NULL && !still_holds(session, &kept->ask, why))
            return false;
    }
    return (!session->monitoring || name_holds(session, "monitor", none, why)) &&
           (!session->tracking || name_holds(session, "client.tracking", none, why));
}

struct looking {
    struct redis_session *session;
    const char *action;
    bool patterns;
    struct refusal *why;
    bool holds;
};

static void
look_at_channel(const void *node, VISIT visit, void *context)
{
    const struct channel *channel = *(const struct channel *const *)node;
    struct looking *looking = context;
    struct slice name = slice_of(channel->name, channel->size);
    struct buffer object = { 0 }, wide = { 0 };

    if (!looking->holds || (visit != postorder && visit != leaf))
        return;
    bool read = !looking->patterns || redis_pattern_widen(name, &wide);
    put_object(&object, looking->patterns ? buffer_slice(&wide) : name);
    buffer_free(&wide);
    looking->holds =
        read && buffer_status(&object) == STATUS_OK &&
        name_holds(looking->session, looking->action, buffer_slice(&object), looking->why);
    buffer_free(&object);
}

static bool
channels_hold(struct redis_session *session, struct refusal *why)
{
    struct looking looking = { .session = session, .why = why, .holds = true };

    for (unsigned i = 0; i < CHANNEL_KINDS; i++) {
        looking.action = kinds[i].begin;
        looking.patterns = i == PATTERNS;
        twalk_r(session->standing[i].root, look_at_channel, &looking);
    }
    return looking.holds;
}

bool
redis_standing_holds(struct redis_session *session, struct refusal *why)
{
    struct gate *gate = session->door->gate;
    uint64_t seen = world_seen(gate->reader), now_us = lane_mono_us(gate->lane);

    if (session->state != SESSION_OPEN ||
        (seen == session->judged_by && now_us - session->judged_us < STANDING_US))
        return true;
    *why = (struct refusal){ .kind = GATE_BUSY,
                             .reason = SLICE_LITERAL("the gateway is out of memory") };
    session->judged_by = seen;
    session->judged_us = now_us;
    return commands_hold(session, why) && channels_hold(session, why);
}
