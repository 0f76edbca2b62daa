/* authority/tokens.c - tokens as the API shows them: never their text. */
#include "internal.h"

#include "base/clock.h"
#include "base/encoding.h"

static json_t *
time_json(int64_t at)
{
    char text[TIME_TEXT_MAX];

    return at == TIME_NEVER || at == 0 ? json_null() : json_string(time_format(at, text));
}

static json_t *
id_json(const struct token_id *id)
{
    char text[TOKEN_ID_TEXT + 1];

    return token_id_is_none(id) ? json_null() : json_string(token_id_format(id, text));
}

static json_t *
words_json(struct slice words)
{
    json_t *list = json_array();
    struct slice word;

    while (words.size > 0 && slice_next(&words, ' ', &word))
        json_array_append_new(list, json_slice(word));
    return list;
}

static json_t *
networks_json(const struct token_record *record)
{
    json_t *list = json_array();
    char text[CIDR_TEXT_MAX];

    for (size_t i = 0; i < record->network_count; i++)
        json_array_append_new(list, json_string(cidr_format(&record->networks[i], text)));
    return list;
}

json_t *
binding_json(const struct binding *binding)
{
    struct buffer text = { 0 };
    json_t *cnf;

    if (binding->kind == BINDING_NONE)
        return json_null();
    put_base64url(&text, binding->thumbprint, sizeof binding->thumbprint);
    cnf = json_object();
    json_object_set_new(cnf, binding->kind == BINDING_JKT ? "jkt" : "x5t#S256",
                        json_slice(buffer_slice(&text)));
    buffer_free(&text);
    return cnf;
}

static json_t *
duration_json(int64_t ms)
{
    char text[TIME_TEXT_MAX];

    return ms == TIME_NEVER ? json_null() : json_string(duration_format(ms, text));
}

static json_t *
text_json(struct slice text)
{
    return text.size == 0 ? json_null() : json_slice(text);
}

json_t *
token_json(const struct token_record *record, const struct token_life *life, int64_t now)
{
    json_t *out = json_object();

    json_object_set_new(out, "id", id_json(&record->id));
    json_object_set_new(out, "subject", json_slice(record->subject));
    json_object_set_new(out, "roles", words_json(record->roles));
    json_object_set_new(out, "scope",
                        json_slice(record->scope.at == NULL ? SLICE_LITERAL("") : record->scope));
    json_object_set_new(out, "state",
                        json_string(token_state_name(token_state_at(record, life, now))));
    json_object_set_new(out, "name", text_json(record->name));
    json_object_set_new(out, "issued_at", time_json(record->issued_at));
    json_object_set_new(out, "not_before", time_json(record->not_before));
    json_object_set_new(out, "expires_at", time_json(life->expires_at));
    json_object_set_new(out, "revoked_at", time_json(life->revoked_at));
    json_object_set_new(out, "last_used_at", time_json(life->last_used));
    json_object_set_new(out, "idle", duration_json(record->idle_ms));
    json_object_set_new(out, "uses", json_integer(life->uses));
    json_object_set_new(out, "max_uses",
                        record->max_uses == USES_UNLIMITED ? json_null()
                                                           : json_integer(record->max_uses));
    json_object_set_new(out, "networks", networks_json(record));
    json_object_set_new(out, "cnf", binding_json(&record->binding));
    json_object_set_new(out, "parent", id_json(&record->parent_line));
    json_object_set_new(out, "line", id_json(&record->line));
    json_object_set_new(out, "rotated_from", id_json(&record->predecessor));
    json_object_set_new(out, "issued_by", text_json(record->issued_by));
    json_object_set_new(out, "purpose", json_string(token_purpose_name(record->purpose)));
    json_object_set_new(out, "audience",
                        record->audience.size == 0 ? json_null() : words_json(record->audience));
    return out;
}

enum status
api_token_show(struct authority *authority, const struct api_request *request,
               struct api_answer *answer, struct fault *fault)
{
    struct world_token_info info;
    struct token_id id;
    struct hop_id hop;
    bool has_hop;

    if (token_id_parse(request->params[0], &id, &hop, &has_hop) != STATUS_OK || has_hop ||
        !world_token(authority->world, &id, request->now, &info))
        return fault_set(fault, STATUS_NOT_FOUND, "there is no token with this id");
    answer->body = token_json(&info.record, &info.life, request->now);
    /* What its lineage says, too: a child of a revoked parent is revoked. */
    json_object_set_new(answer->body, "state", json_string(token_state_name(info.state)));
    json_object_set_new(answer->body, "newest", id_json(&info.newest));
    return handover_show(authority, &info, request->now, answer);
}

/* --- the list ------------------------------------------------------------------ */

struct page {
    struct authority *authority;
    const struct api_request *request;
    json_t *items;
};

static enum status
add_item(void *context, const struct store_token *token)
{
    struct page *page = context;
    struct world_token_info info;
    bool known = world_token(page->authority->world, &token->record.id, page->request->now, &info);
    json_t *item;

    /* The list holds what the caller may read one by one. */
    if (!api_may(page->authority, page->request, SLICE_LITERAL("tokens.read"),
                 token->record.subject))
        return STATUS_OK;
    item = token_json(&token->record, known ? &info.life : &token->life, page->request->now);
    if (known)
        json_object_set_new(item, "state", json_string(token_state_name(info.state)));
    return json_array_append_new(page->items, item) == 0 ? STATUS_OK : STATUS_MEMORY;
}

static enum status
list_query(const struct api_request *request, struct store_token_query *query, struct fault *fault)
{
    struct slice limit = api_query(request, "limit"), live = api_query(request, "live");
    uint64_t number = 100;

    if (limit.at != NULL && (!slice_u64(limit, &number) || number == 0 || number > 1000))
        return fault_set(fault, STATUS_INVALID, "limit must be a number from 1 to 1000");
    *query = (struct store_token_query){ .subject = api_query(request, "subject"),
                                         .role = api_query(request, "role"),
                                         .live_only = slice_is(live, "true"),
                                         .now = request->now,
                                         .cursor = api_query(request, "cursor"),
                                         .limit = (size_t)number };
    return STATUS_OK;
}

enum status
api_token_list(struct authority *authority, const struct api_request *request,
               struct api_answer *answer, struct fault *fault)
{
    struct page page = { .authority = authority, .request = request, .items = json_array() };
    struct store_token_query query;
    struct buffer next = { 0 };
    enum status status = list_query(request, &query, fault);

    if (status == STATUS_OK) {
        status = store_tokens(authority->store, &query, add_item, &page, &next);
        if (status == STATUS_INVALID)
            (void)fault_set(fault, status, "cursor: take it from \"next\" of the page before");
    }
    if (status == STATUS_OK)
        answer->body = json_pack("{s:O, s:o}", "items", page.items, "next",
                                 next.size == 0 ? json_null() : json_slice(buffer_slice(&next)));
    buffer_free(&next);
    json_decref(page.items);
    return status == STATUS_OK && answer->body == NULL ? STATUS_MEMORY : status;
}
