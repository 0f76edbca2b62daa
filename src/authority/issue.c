/* authority/issue.c - POST /v1/tokens: what was asked, made a record, made durable, and
 * its text shown this one time. */
#include "internal.h"

#include "base/clock.h"
#include "base/encoding.h"

static enum status
take_duration(const json_t *body, const char *name, int64_t *out, struct fault *fault)
{
    struct slice text = { 0 };
    enum status status = json_take_string(body, name, &text, fault);

    if (status != STATUS_OK || text.at == NULL)
        return status;
    if (duration_parse(text, out) != STATUS_OK || *out <= 0)
        return fault_at(fault, STATUS_INVALID, name[0] == 't' ? "/ttl" : "/idle",
                        "%s: '%.*s' is no duration; write 30s, 10m, 1h or 7d", name,
                        SLICE_PRINT(slice_first(text, 32)));
    return STATUS_OK;
}

static enum status
take_roles(const json_t *body, struct token_ask *ask, struct fault *fault)
{
    const json_t *list = json_object_get(body, "roles");
    json_t *item;
    size_t i;

    if (list == NULL || json_is_null(list))
        return STATUS_OK;
    if (!json_is_array(list) || json_array_size(list) > TOKEN_ROLES_MAX)
        return fault_at(fault, STATUS_INVALID, "/roles",
                        "roles must be a list of at most %d role names", TOKEN_ROLES_MAX);
    ask->roles_given = true;
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return fault_at(fault, STATUS_INVALID, "/roles", "a role must be text");
        ask->roles[ask->role_count++] = slice_of(json_string_value(item), json_string_length(item));
    }
    return STATUS_OK;
}

static enum status
take_networks(const json_t *body, struct token_ask *ask, struct fault *fault)
{
    const json_t *list = json_object_get(body, "networks");
    json_t *item;
    size_t i;

    if (list == NULL || json_is_null(list))
        return STATUS_OK;
    if (!json_is_array(list) || json_array_size(list) > TOKEN_NETWORKS_MAX)
        return fault_at(fault, STATUS_INVALID, "/networks",
                        "networks must be a list of at most %d networks", TOKEN_NETWORKS_MAX);
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item) || cidr_parse(slice_text(json_string_value(item)),
                                                &ask->networks[ask->network_count]) != STATUS_OK)
            return fault_at(fault, STATUS_INVALID, "/networks",
                            "entry %zu is no network; write 10.0.0.0/8 or one address", i + 1);
        ask->network_count++;
    }
    return STATUS_OK;
}

/* {"jkt": T} or {"x5t#S256": T}, never both (RFC 7800 §3, RFC 8705 §3.1, RFC 9449 §6). */
static enum status
take_binding(const json_t *body, struct token_ask *ask, struct fault *fault)
{
    static const char *const known[] = { "jkt", "x5t#S256", NULL };
    const json_t *cnf = json_object_get(body, "cnf");
    struct slice jkt = { 0 }, x5t = { 0 }, text;
    size_t size;
    enum status status;

    if (cnf == NULL || json_is_null(cnf))
        return STATUS_OK;
    if (!json_is_object(cnf))
        return fault_at(fault, STATUS_INVALID, "/cnf",
                        "cnf must be {\"jkt\": …} or {\"x5t#S256\": …}");
    status = json_only(cnf, known, fault);
    if (status == STATUS_OK)
        status = json_take_string(cnf, "jkt", &jkt, fault);
    if (status == STATUS_OK)
        status = json_take_string(cnf, "x5t#S256", &x5t, fault);
    if (status != STATUS_OK) {
        fault_below(fault, "/cnf");
        return status;
    }
    if ((jkt.at == NULL) == (x5t.at == NULL))
        return fault_at(fault, STATUS_INVALID, "/cnf", "cnf names one key: jkt or x5t#S256");
    text = jkt.at != NULL ? jkt : x5t;
    if (!base64url_decode(text, ask->binding.thumbprint, sizeof ask->binding.thumbprint, &size) ||
        size != sizeof ask->binding.thumbprint)
        return fault_at(fault, STATUS_INVALID, "/cnf",
                        "a thumbprint is the base64url of a SHA-256: 43 characters");
    ask->binding.kind = jkt.at != NULL ? BINDING_JKT : BINDING_X5T;
    return STATUS_OK;
}

/* Names of upstreams, or "writ": whether they are there is seen by token_record_make. */
static enum status
take_audience(const json_t *body, struct token_ask *ask, struct fault *fault)
{
    const json_t *list = json_object_get(body, "audience");
    struct buffer names = BUFFER_LIMITED(TOKEN_AUDIENCE_MAX);
    enum status status = STATUS_OK;
    json_t *item;
    size_t i;

    if (list == NULL || json_is_null(list))
        return STATUS_OK;
    if (!json_is_array(list) || json_array_size(list) == 0)
        return fault_at(fault, STATUS_INVALID, "/audience",
                        "audience must be a list of upstreams' names");
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item) || !name_valid(slice_text(json_string_value(item))))
            status = fault_at(fault, STATUS_INVALID, "/audience", "entry %zu is no name", i + 1);
        else
            audience_add(&names, slice_text(json_string_value(item)));
    }
    if (status == STATUS_OK && buffer_status(&names) != STATUS_OK)
        status = fault_at(fault, STATUS_INVALID, "/audience", "an audience has at most %d bytes",
                          TOKEN_AUDIENCE_MAX);
    ask->audience = arena_copy(ask->arena, buffer_slice(&names));
    if (status == STATUS_OK && ask->audience.at == NULL)
        status = STATUS_MEMORY;
    buffer_free(&names);
    return status;
}

static enum status
take_rest(const json_t *body, struct token_ask *ask, struct fault *fault)
{
    struct slice parent = { 0 }, not_before = { 0 };
    struct hop_id hop;
    bool has_hop;
    enum status status = json_take_string(body, "parent", &parent, fault);

    if (status == STATUS_OK)
        status = json_take_string(body, "not_before", &not_before, fault);
    if (status != STATUS_OK)
        return status;
    if (parent.at != NULL) {
        if (token_id_parse(parent, &ask->parent, &hop, &has_hop) != STATUS_OK || has_hop)
            return fault_at(fault, STATUS_INVALID, "/parent", "parent must be a token's id");
        ask->has_parent = true;
    }
    if (not_before.at != NULL && time_parse(not_before, &ask->not_before) != STATUS_OK)
        return fault_at(fault, STATUS_INVALID, "/not_before",
                        "not_before must be a time such as 2026-12-31T08:00:00Z");
    return STATUS_OK;
}

static enum status
ask_parse(const json_t *body, struct token_ask *ask, struct fault *fault)
{
    static const char *const known[] = { "subject",    "roles",    "scope", "ttl",    "idle",
                                         "max_uses",   "networks", "cnf",   "parent", "name",
                                         "not_before", "audience", NULL };
    enum status status = json_only(body, known, fault);

    if (status == STATUS_OK)
        status = json_take_string(body, "subject", &ask->subject, fault);
    if (status == STATUS_OK && ask->subject.size == 0)
        status =
            fault_at(fault, STATUS_INVALID, "/subject", "subject is missing: whose token is it?");
    if (status == STATUS_OK)
        status = json_take_string(body, "scope", &ask->scope, fault);
    if (status == STATUS_OK)
        status = json_take_string(body, "name", &ask->name, fault);
    if (status == STATUS_OK && ask->name.size > TOKEN_NAME_MAX)
        status =
            fault_at(fault, STATUS_INVALID, "/name", "a name has at most %d bytes", TOKEN_NAME_MAX);
    if (status == STATUS_OK)
        status = take_duration(body, "ttl", &ask->ttl, fault);
    if (status == STATUS_OK)
        status = take_duration(body, "idle", &ask->idle, fault);
    if (status == STATUS_OK)
        status = json_take_u64(body, "max_uses", USES_UNLIMITED - 1, &ask->max_uses, fault);
    if (status == STATUS_OK && json_is_integer(json_object_get(body, "max_uses")) &&
        ask->max_uses == 0)
        status = fault_at(fault, STATUS_INVALID, "/max_uses", "max_uses must be at least 1");
    if (status == STATUS_OK)
        status = take_roles(body, ask, fault);
    if (status == STATUS_OK)
        status = take_networks(body, ask, fault);
    if (status == STATUS_OK)
        status = take_binding(body, ask, fault);
    if (status == STATUS_OK)
        status = take_audience(body, ask, fault);
    if (status == STATUS_OK)
        status = take_rest(body, ask, fault);
    return status;
}

/* A child's uses count on its parent, so only who may issue for the parent's subject,
 * or holds the parent's line, hangs children below it. */
static enum status
may_be_parent(struct authority *authority, const struct api_request *request,
              const struct token_ask *ask, struct fault *fault)
{
    struct world_token_info parent, own;

    if (!ask->has_parent || !world_token(authority->world, &ask->parent, request->now, &parent))
        return STATUS_OK; /* what is not there is said by token_record_make */
    if (!request->caller.local &&
        world_token(authority->world, &request->caller.token_id, request->now, &own) &&
        token_id_equal(&own.record.line, &parent.record.line))
        return STATUS_OK;
    return api_permit(authority, request, SLICE_LITERAL("tokens.issue"), parent.record.subject,
                      fault);
}

enum status
issued_answer(struct authority *authority, const struct token_id *id, int64_t now,
              struct api_answer *answer, struct fault *fault)
{
    struct world_token_info info;
    char text[TOKEN_TEXT_SIZE + 1];
    enum status status;
    json_t *body;

    if (!world_token(authority->world, id, now, &info))
        return fault_set(fault, STATUS_NOT_FOUND, "the token is not there any more");
    status = token_write(&info.record.id, info.record.kid, authority->keys.state, text);
    if (status != STATUS_OK)
        return status;
    body = token_json(&info.record, &info.life, now);
    if (body == NULL || json_object_set_new(body, "token", json_string(text)) != 0) {
        json_decref(body);
        status = STATUS_MEMORY;
    } else {
        answer->status = 201;
        answer->body = body;
    }
    secret_wipe(text, sizeof text);
    return status;
}

enum status
api_token_issue(struct authority *authority, const struct api_request *request,
                struct api_answer *answer, struct fault *fault)
{
    struct token_ask ask = { .issued_by = request->caller.subject,
                             .now = request->now,
                             .arena = request->arena };
    struct change changes[3];
    struct token_record record;
    struct token_id id;
    char id_text[TOKEN_ID_TEXT + 1];
    size_t count = 1;
    enum status status = answer_find(authority, request, &id, fault);

    if (status == STATUS_OK)
        return issued_answer(authority, &id, request->now, answer, fault);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = ask_parse(request->body, &ask, fault);
    if (status == STATUS_OK)
        status = may_be_parent(authority, request, &ask, fault);
    if (status == STATUS_OK)
        status = token_record_make(authority, &ask, &record, fault);
    if (status != STATUS_OK)
        return status;
    answer->location =
        arena_format(request->arena, "/v1/tokens/%s", token_id_format(&record.id, id_text));
    changes[0] =
        (struct change){ .kind = CHANGE_TOKEN_ISSUED, .at = request->now, .token = record };
    count += answer_changes(request, &record.id, &changes[1]);
    /* With a key to find it again it can't wait for others: the same may be asked meanwhile. */
    if (request->idempotency_key.size == 0)
        return batch_issue(authority, changes, answer);
    status = authority_commit(authority, changes, count, NULL, fault);
    if (status == STATUS_OK)
        status = issued_answer(authority, &record.id, request->now, answer, fault);
    if (status == STATUS_OK)
        authority->counters.issued++;
    return status;
}
