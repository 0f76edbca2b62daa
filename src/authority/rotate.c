/* authority/rotate.c - a successor with the same rights and key; the predecessor
 * lives on for its grace, then dies. */
#include "internal.h"

#include "base/clock.h"
#include "crypto/random.h"

#define GRACE_DEFAULT (10 * MS_MINUTE)

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static enum status
take_grace(const json_t *body, int64_t *out, struct fault *fault)
{
    static const char *const known[] = { "grace", NULL };
    struct slice text = { 0 };
    enum status status;

    *out = GRACE_DEFAULT;
    if (body == NULL)
        return STATUS_OK;
    status = json_only(body, known, fault);
    if (status == STATUS_OK)
        status = json_take_string(body, "grace", &text, fault);
    if (status == STATUS_OK && text.at != NULL && duration_parse(text, out) != STATUS_OK)
        status = fault_at(fault, STATUS_INVALID, "/grace", "grace must be a duration such as 10m");
    return status;
}

static enum status
may_rotate(struct authority *authority, const struct api_request *request,
           const struct world_token_info *old, struct fault *fault)
{
    char newest[TOKEN_ID_TEXT + 1], most[TIME_TEXT_MAX];
    bool itself =
        token_id_equal(&request->caller.token_id, &old->record.id) && !request->caller.local;

    if (old->record.purpose == PURPOSE_REFRESH)
        return fault_set(fault, STATUS_CONFLICT,
                         "a refresh token is rotated by its use at /oauth/token");
    if (old->record.purpose == PURPOSE_CLIENT_SECRET)
        return fault_set(fault, STATUS_CONFLICT,
                         "a client secret is rotated by POST /v1/clients/%.*s/secret",
                         SLICE_PRINT(slice_first(old->record.subject, 64)));
    if (old->state != TOKEN_LIVE)
        return fault_set(fault, STATUS_CONFLICT, "the token is %s: issue a new one",
                         token_state_name(old->state));
    if (!token_id_equal(&old->newest, &old->record.id))
        return fault_set(fault, STATUS_CONFLICT,
                         "the token was rotated already; its newest successor is %s",
                         token_id_format(&old->newest, newest));
    if (!itself)
        return STATUS_OK;
    if (request->caller.attenuated)
        return fault_set(fault, STATUS_DENIED,
                         "a narrowed token can't rotate itself: that would take its caveats off");
    if (request->now - old->record.line_started_at >= authority->options.settings.max_line_ms)
        return fault_set(fault, STATUS_DENIED,
                         "the token has rotated itself for %s (limits.max_line): issue a new one",
                         duration_format(authority->options.settings.max_line_ms, most));
    return STATUS_OK;
}

/* A parent refers to a line: its newest member says when it ends. */
static int64_t
parent_end(const struct authority *authority, const struct token_record *record, int64_t now)
{
    struct world_token_info parent;

    if (!token_id_is_none(&record->parent_line) &&
        world_token(authority->world, &record->parent_line, now, &parent) &&
        world_token(authority->world, &parent.newest, now, &parent))
        return parent.life.expires_at;
    return TIME_NEVER;
}

enum status
token_successor_make(struct authority *authority, const struct token_record *old, int64_t now,
                     int64_t expires_most, struct token_record *out)
{
    int64_t life = old->expires_at - old->not_before;
    struct token_record record = *old;
    enum status status = random_bytes(record.id.bytes, sizeof record.id.bytes);

    record.predecessor = old->id;
    record.issued_at = record.not_before = now;
    if (old->expires_at != TIME_NEVER)
        record.expires_at = now + earlier(life, authority->options.settings.max_ttl_ms);
    record.expires_at = earlier(record.expires_at, expires_most);
    record.expires_at = earlier(record.expires_at, parent_end(authority, old, now));
    if (status == STATUS_OK && !keyring_newest(world_keyring(authority->world), &record.kid))
        status = STATUS_INTERNAL;
    if (status == STATUS_OK)
        *out = record;
    return status;
}

/* Who rotates itself does so for as long as a line may live. */
static int64_t
line_end(const struct authority *authority, const struct api_request *request,
         const struct token_record *old)
{
    return !request->caller.local && token_id_equal(&request->caller.token_id, &old->id)
               ? old->line_started_at + authority->options.settings.max_line_ms
               : TIME_NEVER;
}

static enum status
predecessor_json(struct authority *authority, const struct token_id *id, int64_t now, json_t *body)
{
    struct world_token_info old;
    char id_text[TOKEN_ID_TEXT + 1], at[TIME_TEXT_MAX];

    if (!world_token(authority->world, id, now, &old))
        return STATUS_NOT_FOUND;
    return json_object_set_new(body, "predecessor",
                               json_pack("{s:s, s:s}", "id", token_id_format(id, id_text),
                                         "expires_at", time_format(old.life.expires_at, at))) == 0
               ? STATUS_OK
               : STATUS_MEMORY;
}

static enum status
rotated_answer(struct authority *authority, const struct token_id *id, int64_t now,
               struct api_answer *answer, struct fault *fault)
{
    struct world_token_info info;
    enum status status = issued_answer(authority, id, now, answer, fault);

    if (status == STATUS_OK && world_token(authority->world, id, now, &info))
        status = predecessor_json(authority, &info.record.predecessor, now, answer->body);
    return status;
}

enum status
api_token_rotate(struct authority *authority, const struct api_request *request,
                 struct api_answer *answer, struct fault *fault)
{
    struct world_token_info old;
    struct change changes[3] = { { .kind = CHANGE_TOKEN_ROTATED, .at = request->now } };
    struct token_record *successor = &changes[0].token;
    struct token_id id;
    struct hop_id hop;
    bool has_hop;
    int64_t grace;
    size_t count = 1;
    enum status status = answer_find(authority, request, &id, fault);

    if (status == STATUS_OK)
        return rotated_answer(authority, &id, request->now, answer, fault);
    if (status != STATUS_NOT_FOUND)
        return status;
    if (token_id_parse(request->params[0], &id, &hop, &has_hop) != STATUS_OK || has_hop ||
        !world_token(authority->world, &id, request->now, &old))
        return fault_set(fault, STATUS_NOT_FOUND, "there is no token with this id");
    status = take_grace(request->body, &grace, fault);
    if (status == STATUS_OK)
        status = may_rotate(authority, request, &old, fault);
    if (status != STATUS_OK)
        return status;
    status = token_successor_make(authority, &old.record, request->now,
                                  line_end(authority, request, &old.record), successor);
    if (status != STATUS_OK)
        return status;
    successor->issued_by = request->caller.subject;
    changes[0].expires_at = earlier(old.life.expires_at, request->now + grace);
    id = successor->id;
    count += answer_changes(request, &id, &changes[1]);
    status = authority_commit(authority, changes, count, NULL, fault);
    if (status == STATUS_OK) {
        authority->counters.rotated++;
        handover_note(authority, &changes[0]);
        status = rotated_answer(authority, &id, request->now, answer, fault);
    }
    return status;
}
