/* authority/handover.c - a token that was rotated lives on for its grace: who still shows
 * it is told, and when nobody does it ends early. */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#include "audit/search.h"
#include "base/log.h"

enum {
    HANDOVERS_MAX = 4096, /* further ones end with their grace */
    ENDED_IN_ONE = 64,
    HOLDERS_MAX = 20,
    LINES_MAX = 1000, /* of the audit that are looked at for holders */
    TEXTS_MAX = 1 << 16,
};
#define QUIET_MIN MS_MINUTE

struct handover {
    struct token_id old;
    int64_t at, end; /* of the rotation; of the grace that was given */
};

void
handover_note(struct authority *authority, const struct change *rotated)
{
    struct handovers *list = &authority->handovers;

    if (list->count == list->capacity && list->capacity < HANDOVERS_MAX) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct handover *items = reallocarray(list->items, capacity, sizeof *items);

        if (items != NULL) {
            list->items = items;
            list->capacity = capacity;
        }
    }
    if (list->count < list->capacity)
        list->items[list->count++] = (struct handover){ .old = rotated->token.predecessor,
                                                        .at = rotated->at,
                                                        .end = rotated->expires_at };
}

/* Others of its line were used after it, and it was not for a good part of its grace.
 * What this process has not seen it does not judge. */
static bool
is_over(const struct authority *authority, const struct handover *handover,
        const struct world_token_info *info, int64_t now)
{
    int64_t quiet = (handover->end - handover->at) / 4;
    int64_t since = info->member_used > handover->at ? info->member_used : handover->at;

    if (since < authority->options.started_at)
        since = authority->options.started_at;
    return info->life.last_used / MS_SECOND > since / MS_SECOND &&
           now - since >= (quiet > QUIET_MIN ? quiet : QUIET_MIN);
}

void
handover_tick(struct authority *authority, int64_t now)
{
    struct handovers *list = &authority->handovers;
    struct change ended[ENDED_IN_ONE];
    size_t kept = 0, count = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct world_token_info info;

        if (!world_token(authority->world, &list->items[i].old, now, &info) ||
            info.life.revoked_at != TIME_NEVER || info.life.expires_at <= now)
            continue;
        if (count < ENDED_IN_ONE && is_over(authority, &list->items[i], &info, now))
            ended[count++] = (struct change){
                .kind = CHANGE_MEMBER_ENDED, .at = now, .id = list->items[i].old, .expires_at = now
            };
        list->items[kept++] = list->items[i]; /* the next tick sees that it has ended */
    }
    list->count = kept;
    if (count > 0 && authority_commit(authority, ended, count, NULL, NULL) != STATUS_OK)
        log_write(LOG_WARN, "authority", "rotated tokens that nobody uses live on", NULL);
}

void
handover_free(struct handovers *list)
{
    free(list->items);
    *list = (struct handovers){ 0 };
}

/* --- as the API shows it ------------------------------------------------------------- */

/* Who showed the predecessor since: read from the audit on a thread of its own. */
struct holders {
    struct api_job job;
    struct audit *audit;
    struct api_answer *answer;
    char *dir;
    struct arena texts;
    struct audit_query query;
    json_t *found;
    enum status status;
    struct fault fault;
};

static void
work_holders(struct api_job *job)
{
    struct holders *holders = (struct holders *)job;

    audit_flush(holders->audit);
    holders->status = audit_search(holders->dir, &holders->query, &holders->found, &holders->fault);
}

/* The address alone: "10.0.0.7:5555" and "[::1]:5555" without the port. */
static json_t *
address_of(const json_t *event)
{
    struct slice text = slice_text(json_string_value(json_object_get(event, "peer")));
    struct slice host;
    uint16_t port;

    return host_port_parse(text, &host, &port) == STATUS_OK ? json_slice(host) : json_slice(text);
}

static bool
is_listed(const json_t *list, const json_t *peer, const json_t *agent)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_equal(json_object_get(item, "peer"), peer) &&
            json_equal(json_object_get(item, "agent"), agent))
            return true;
    }
    return false;
}

/* The events come newest first, so that the first of a holder is its last use. */
static json_t *
list_holders(const json_t *events)
{
    json_t *list = json_array(), *event;
    size_t i;

    json_array_foreach(events, i, event)
    {
        json_t *peer = address_of(event), *agent = json_object_get(event, "agent");

        if (peer == NULL)
            peer = json_null();
        if (agent == NULL)
            agent = json_null();
        if (json_array_size(list) < HOLDERS_MAX && !is_listed(list, peer, agent))
            json_array_append_new(list, json_pack("{s:O, s:O, s:O}", "peer", peer, "agent", agent,
                                                  "last_used", json_object_get(event, "at")));
        json_decref(peer);
    }
    return list;
}

static enum status
step_holders(struct authority *authority, struct api_job *job, bool *done, struct fault *fault)
{
    struct holders *holders = (struct holders *)job;
    json_t *predecessor = json_object_get(holders->answer->body, "predecessor");

    *done = true;
    *fault = holders->fault;
    if (holders->status == STATUS_OK)
        json_object_set_new(predecessor, "holders",
                            list_holders(json_object_get(holders->found, "items")));
    return holders->status;
}

static void
free_holders(struct api_job *job)
{
    struct holders *holders = (struct holders *)job;

    json_decref(holders->found);
    arena_free(&holders->texts);
    free(holders->dir);
    free(holders);
}

static enum status
ask_holders(struct authority *authority, const struct token_id *old, int64_t since,
            struct api_answer *answer)
{
    struct holders *holders = calloc(1, sizeof *holders);
    char id[TOKEN_ID_TEXT + 1];

    if (holders == NULL)
        return STATUS_MEMORY;
    holders->job =
        (struct api_job){ .work = work_holders, .step = step_holders, .free = free_holders };
    holders->audit = authority->audit;
    holders->answer = answer;
    arena_init(&holders->texts, TEXTS_MAX);
    holders->query = (struct audit_query){
        .token = arena_copy(&holders->texts, slice_text(token_id_format(old, id))),
        .decision = SLICE_LITERAL("allow"),
        .since = since,
        .limit = LINES_MAX,
    };
    if (asprintf(&holders->dir, "%s/audit", authority->options.data) < 0)
        holders->dir = NULL;
    if (holders->dir == NULL || holders->query.token.at == NULL) {
        free_holders(&holders->job);
        return STATUS_MEMORY;
    }
    answer->job = &holders->job;
    return STATUS_OK;
}

struct successor {
    const struct token_id *old;
    struct token_id id;
};

static enum status
take_successor(void *context, const struct store_token *token)
{
    struct successor *successor = context;

    if (token_id_equal(&token->record.predecessor, successor->old))
        successor->id = token->record.id;
    return STATUS_OK;
}

/* Of a member that was rotated: what it was rotated into. A line has few members. */
static enum status
tell_successor(struct authority *authority, const struct world_token_info *info, json_t *body)
{
    struct successor successor = { .old = &info->record.id };
    struct buffer next = { 0 };
    char id[TOKEN_ID_TEXT + 1];
    enum status status =
        store_tokens(authority->store,
                     &(struct store_token_query){ .line = info->record.line, .limit = LINES_MAX },
                     take_successor, &successor, &next);

    buffer_free(&next);
    if (status == STATUS_OK)
        json_object_set_new(body, "successor",
                            token_id_is_none(&successor.id)
                                ? json_null()
                                : json_string(token_id_format(&successor.id, id)));
    return status;
}

enum status
handover_show(struct authority *authority, const struct world_token_info *info, int64_t now,
              struct api_answer *answer)
{
    struct world_token_info old;
    char id[TOKEN_ID_TEXT + 1], end[TIME_TEXT_MAX], used[TIME_TEXT_MAX];

    if (!token_id_equal(&info->newest, &info->record.id))
        return tell_successor(authority, info, answer->body);
    if (token_id_is_none(&info->record.predecessor) ||
        !world_token(authority->world, &info->record.predecessor, now, &old) ||
        old.life.expires_at <= now || old.life.revoked_at != TIME_NEVER)
        return STATUS_OK;
    json_object_set_new(answer->body, "predecessor",
                        json_pack("{s:s, s:s, s:o}", "id", token_id_format(&old.record.id, id),
                                  "expires_at", time_format(old.life.expires_at, end), "last_used",
                                  old.member_used == 0
                                      ? json_null()
                                      : json_string(time_format(old.member_used, used))));
    return ask_holders(authority, &old.record.id, info->record.issued_at, answer);
}
