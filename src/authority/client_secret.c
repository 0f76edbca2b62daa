/* authority/client_secret.c - a client's secret: a token of ours that is good for nothing
 * but saying who the client is. It has no end of its own; it is rotated with overlap. */
#include "oauth/oauth.h"

#include "base/clock.h"

#define GRACE_DEFAULT (10 * MS_MINUTE)

static enum status
take_grace(const json_t *body, int64_t *out, struct fault *fault)
{
    static const char *const known[] = { "grace", NULL };
    struct slice text = { 0 };
    enum status status = STATUS_OK;

    *out = GRACE_DEFAULT;
    if (body != NULL)
        status = json_only(body, known, fault);
    if (status == STATUS_OK && body != NULL)
        status = json_take_string(body, "grace", &text, fault);
    if (status == STATUS_OK && text.at != NULL && duration_parse(text, out) != STATUS_OK)
        status = fault_at(fault, STATUS_INVALID, "/grace", "grace must be a duration such as 10m");
    return status;
}

static enum status
take_definition(void *context, const struct change *object)
{
    return json_read(object->body, context, NULL);
}

static enum status
check_client(struct authority *authority, struct slice name, struct fault *fault)
{
    struct oauth_client client;
    json_t *definition = NULL;
    enum status status =
        store_object_get(authority->store, CHANGE_SUBJECT_PUT, name, take_definition, &definition);

    if (status == STATUS_NOT_FOUND)
        return fault_set(fault, STATUS_NOT_FOUND, "there is no subject %.*s",
                         SLICE_PRINT(slice_first(name, 64)));
    if (status == STATUS_OK)
        status = client_read(name, definition, true, &client, fault);
    json_decref(definition);
    if (status == STATUS_NOT_FOUND)
        return fault_set(fault, STATUS_CONFLICT,
                         "%.*s is no client: give it client: {auth: client_secret_basic} first",
                         SLICE_PRINT(name));
    if (status != STATUS_OK)
        return status;
    if (client.auth != CLIENT_SECRET)
        status = fault_set(fault, STATUS_CONFLICT,
                           "%.*s shows who it is by a key of its own and has no secret",
                           SLICE_PRINT(name));
    client_free(&client);
    return status;
}

/* --- the newest that lives ------------------------------------------------------- */

struct search {
    struct authority *authority;
    int64_t now;
    bool found;
    struct token_id id;
};

static enum status
consider(void *context, const struct store_token *token)
{
    struct search *search = context;
    struct world_token_info info;

    if (search->found || token->record.purpose != PURPOSE_CLIENT_SECRET ||
        !world_token(search->authority->world, &token->record.id, search->now, &info) ||
        info.state != TOKEN_LIVE || !token_id_equal(&info.newest, &token->record.id))
        return STATUS_OK;
    search->found = true;
    search->id = token->record.id;
    return STATUS_OK;
}

static enum status
find_newest(struct search *search, struct slice name)
{
    struct buffer next = { 0 }, cursor = { 0 };
    struct store_token_query query = {
        .subject = name, .live_only = true, .now = search->now, .limit = 100
    };
    enum status status;

    do {
        query.cursor = buffer_slice(&cursor);
        status = store_tokens(search->authority->store, &query, consider, search, &next);
        buffer_clear(&cursor);
        put_slice(&cursor, buffer_slice(&next));
    } while (status == STATUS_OK && !search->found && next.size > 0);
    buffer_free(&next);
    buffer_free(&cursor);
    return status;
}

/* --- made ----------------------------------------------------------------------- */

static enum status
change_first(struct authority *authority, const struct api_request *request, struct change *out,
             struct fault *fault)
{
    struct token_ask *ask = arena_zeroed(request->arena, sizeof *ask);
    enum status status;

    if (ask == NULL)
        return STATUS_MEMORY;
    ask->subject = request->params[0];
    ask->roles_given = true; /* none */
    ask->purpose = PURPOSE_CLIENT_SECRET;
    ask->issued_by = request->caller.subject;
    ask->expires_most = TIME_NEVER;
    ask->now = request->now;
    ask->arena = request->arena;
    *out = (struct change){ .kind = CHANGE_TOKEN_ISSUED, .at = request->now };
    status = token_record_make(authority, ask, &out->token, fault);
    out->token.expires_at = TIME_NEVER;
    return status;
}

static enum status
change_next(struct authority *authority, const struct api_request *request,
            const struct token_id *id, struct change *out, struct fault *fault)
{
    struct world_token_info old;
    int64_t grace;
    enum status status = take_grace(request->body, &grace, fault);

    if (status != STATUS_OK)
        return status;
    if (!world_token(authority->world, id, request->now, &old))
        return STATUS_NOT_FOUND;
    *out = (struct change){ .kind = CHANGE_TOKEN_ROTATED,
                            .at = request->now,
                            .expires_at = request->now + grace };
    status = token_successor_make(authority, &old.record, request->now, TIME_NEVER, &out->token);
    out->token.issued_by = request->caller.subject;
    return status;
}

static enum status
answer_with(struct authority *authority, const struct change *change, struct api_answer *answer)
{
    char text[TOKEN_TEXT_SIZE + 1], id[TOKEN_ID_TEXT + 1], old[TOKEN_ID_TEXT + 1];
    char at[TIME_TEXT_MAX], end[TIME_TEXT_MAX];
    const struct token_record *record = &change->token;
    enum status status = token_write(&record->id, record->kid, authority->keys.state, text);

    if (status != STATUS_OK)
        return status;
    answer->body = json_pack("{s:o, s:s, s:s, s:s, s:n}", "client_id", json_slice(record->subject),
                             "client_secret", text, "id", token_id_format(&record->id, id),
                             "issued_at", time_format(record->issued_at, at), "expires_at");
    secret_wipe(text, sizeof text);
    if (answer->body != NULL && change->kind == CHANGE_TOKEN_ROTATED)
        json_object_set_new(answer->body, "predecessor",
                            json_pack("{s:s, s:s}", "id",
                                      token_id_format(&record->predecessor, old), "expires_at",
                                      time_format(change->expires_at, end)));
    answer->status = 201;
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

enum status
api_client_secret(struct authority *authority, const struct api_request *request,
                  struct api_answer *answer, struct fault *fault)
{
    struct search search = { .authority = authority, .now = request->now };
    struct change change;
    enum status status = check_client(authority, request->params[0], fault);

    if (status == STATUS_OK)
        status = find_newest(&search, request->params[0]);
    if (status == STATUS_OK)
        status = search.found ? change_next(authority, request, &search.id, &change, fault)
                              : change_first(authority, request, &change, fault);
    if (status == STATUS_OK)
        status = authority_commit(authority, &change, 1, NULL, fault);
    return status == STATUS_OK ? answer_with(authority, &change, answer) : status;
}
