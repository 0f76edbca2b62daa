/* authority/revoke.c - the end of a token, of one attenuation, or of many at once. */
#include "internal.h"

#include <stdlib.h>

#include "base/clock.h"

/* Lines revoked in one commit of a bulk revoke: a few milliseconds of the lane. */
enum { BULK_LINES = 500 };

static enum status
revoked_answer(struct api_answer *answer, uint64_t count, int64_t at, uint64_t generation)
{
    char text[TIME_TEXT_MAX];

    answer->body = json_pack("{s:I, s:s}", "revoked", (json_int_t)count, "effective_at",
                             time_format(at, text));
    answer->wait_generation = generation;
    answer->confirms = true;
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

enum status
api_token_revoke(struct authority *authority, const struct api_request *request,
                 struct api_answer *answer, struct fault *fault)
{
    struct world_token_info info;
    struct token_id id;
    struct hop_id hop;
    bool has_hop;
    uint64_t generation;
    enum status status;

    if (token_id_parse(request->params[0], &id, &hop, &has_hop) != STATUS_OK || has_hop ||
        !fleet_token(authority, &id, request->now, &info))
        return fault_set(fault, STATUS_NOT_FOUND, "there is no token with this id");
    if (info.life.revoked_at != TIME_NEVER)
        return revoked_answer(answer, 0, info.life.revoked_at, authority->announced);
    status = authority_commit(
        authority,
        &(struct change){ .kind = CHANGE_LINE_REVOKED, .at = request->now, .id = info.record.line },
        1, &generation, fault);
    if (status != STATUS_OK)
        return status;
    authority->counters.revoked++;
    return revoked_answer(answer, 1, request->now, generation);
}

enum status
api_hop_revoke(struct authority *authority, const struct api_request *request,
               struct api_answer *answer, struct fault *fault)
{
    struct world_token_info info;
    struct slice whole = arena_format(request->arena, "%.*s/%.*s", SLICE_PRINT(request->params[0]),
                                      SLICE_PRINT(request->params[1]));
    struct change change = { .kind = CHANGE_HOP_REVOKED, .at = request->now };
    bool has_hop;
    uint64_t generation;
    enum status status;

    if (token_id_parse(whole, &change.id, &change.hop, &has_hop) != STATUS_OK || !has_hop ||
        !fleet_token(authority, &change.id, request->now, &info))
        return fault_set(fault, STATUS_NOT_FOUND, "there is no token with this id");
    change.expires_at = info.record.expires_at;
    status = authority_commit(authority, &change, 1, &generation, fault);
    if (status != STATUS_OK)
        return status;
    authority->counters.revoked++;
    return revoked_answer(answer, 1, request->now, generation);
}

/* --- many at once ------------------------------------------------------------ */

/* A bulk revoke, in pieces between which the lane serves others: page by page
 * through the live tokens that were there when it was asked, newest first. */
struct bulk {
    struct api_job job;
    struct api_answer *answer;
    struct slice subject, role;
    int64_t issued_before, started_at;
    struct change *changes;
    size_t count;
    uint64_t revoked, generation;
    struct buffer cursor; /* of the next page; empty before the first */
    char *texts;          /* owns subject and role */
};

static enum status
collect_line(void *context, const struct store_token *token)
{
    struct bulk *bulk = context;

    for (size_t i = 0; i < bulk->count; i++) {
        if (token_id_equal(&bulk->changes[i].id, &token->record.line))
            return STATUS_OK;
    }
    bulk->changes[bulk->count++] = (struct change){ .kind = CHANGE_LINE_REVOKED,
                                                    .at = bulk->started_at,
                                                    .id = token->record.line };
    return STATUS_OK;
}

static enum status
bulk_step(struct authority *authority, struct api_job *job, bool *done, struct fault *fault)
{
    struct bulk *bulk = (struct bulk *)job;
    struct buffer next = { 0 };
    struct store_token_query query = { .subject = bulk->subject,
                                       .role = bulk->role,
                                       .issued_before = bulk->issued_before,
                                       .live_only = true,
                                       .now = clock_wall_ms(),
                                       .cursor = buffer_slice(&bulk->cursor),
                                       .limit = BULK_LINES };
    enum status status;

    bulk->count = 0;
    status = store_tokens(authority->store, &query, collect_line, bulk, &next);
    buffer_free(&bulk->cursor);
    bulk->cursor = next;
    if (status != STATUS_OK)
        return fault_set(fault, status, "after %llu revoked tokens: the store could not be read",
                         (unsigned long long)bulk->revoked);
    if (bulk->count > 0)
        status = authority_commit(authority, bulk->changes, bulk->count, &bulk->generation, fault);
    if (status != STATUS_OK) {
        fault_prefix(fault, "%llu tokens were revoked, the rest lives on",
                     (unsigned long long)bulk->revoked);
        return status;
    }
    bulk->revoked += bulk->count;
    authority->counters.revoked += bulk->count;
    *done = bulk->cursor.size == 0;
    return *done ? revoked_answer(bulk->answer, bulk->revoked, bulk->started_at, bulk->generation)
                 : STATUS_OK;
}

static void
bulk_free(struct api_job *job)
{
    struct bulk *bulk = (struct bulk *)job;

    buffer_free(&bulk->cursor);
    free(bulk->changes);
    free(bulk->texts);
    free(bulk);
}

static enum status
bulk_new(struct slice subject, struct slice role, int64_t issued_before, struct bulk **out)
{
    struct bulk *bulk = calloc(1, sizeof *bulk);

    if (bulk == NULL)
        return STATUS_MEMORY;
    bulk->job = (struct api_job){ .step = bulk_step, .free = bulk_free };
    bulk->changes = calloc(BULK_LINES, sizeof *bulk->changes);
    bulk->texts = malloc(subject.size + role.size + 1);
    if (bulk->changes == NULL || bulk->texts == NULL) {
        bulk_free(&bulk->job);
        return STATUS_MEMORY;
    }
    memcpy(bulk->texts, subject.size == 0 ? "" : subject.at, subject.size);
    memcpy(bulk->texts + subject.size, role.size == 0 ? "" : role.at, role.size);
    bulk->subject = slice_of(bulk->texts, subject.size);
    bulk->role = slice_of(bulk->texts + subject.size, role.size);
    bulk->issued_before = issued_before;
    *out = bulk;
    return STATUS_OK;
}

enum status
api_revocations(struct authority *authority, const struct api_request *request,
                struct api_answer *answer, struct fault *fault)
{
    static const char *const known[] = { "subject", "role", "issued_before", NULL };
    struct slice subject = { 0 }, role = { 0 }, before = { 0 };
    int64_t issued_before = 0;
    struct bulk *bulk;
    enum status status = json_only(request->body, known, fault);

    if (status == STATUS_OK)
        status = json_take_string(request->body, "subject", &subject, fault);
    if (status == STATUS_OK)
        status = json_take_string(request->body, "role", &role, fault);
    if (status == STATUS_OK)
        status = json_take_string(request->body, "issued_before", &before, fault);
    if (status != STATUS_OK)
        return status;
    if (before.at != NULL && time_parse_since(before, request->now, &issued_before) != STATUS_OK)
        return fault_at(fault, STATUS_INVALID, "/issued_before",
                        "issued_before must be a time, or a duration ago such as 7d");
    if (subject.size == 0 && role.size == 0 && issued_before == 0)
        return fault_set(fault, STATUS_INVALID,
                         "say which tokens: subject, role or issued_before (together they narrow)");
    status = bulk_new(subject, role, issued_before, &bulk);
    if (status != STATUS_OK)
        return status;
    bulk->answer = answer;
    bulk->started_at = request->now;
    bulk->generation = authority->announced;
    answer->job = &bulk->job;
    return STATUS_OK;
}
