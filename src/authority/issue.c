/* authority/issue.c - a new token: what was asked, held against what the subject
 * has, made durable, and its text shown this one time. */
#include "internal.h"

#include "base/clock.h"
#include "base/encoding.h"
#include "crypto/random.h"

/* What POST /v1/tokens takes, parsed; slices borrow from the body. */
struct ask {
    struct slice subject, scope, name;
    struct slice roles[TOKEN_ROLES_MAX];
    size_t role_count;
    bool roles_given;
    int64_t ttl, idle, not_before;
    uint64_t max_uses;
    struct cidr networks[TOKEN_NETWORKS_MAX];
    size_t network_count;
    struct binding binding;
    bool has_parent;
    struct token_id parent;
};

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
take_roles(const json_t *body, struct ask *ask, struct fault *fault)
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
take_networks(const json_t *body, struct ask *ask, struct fault *fault)
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
take_binding(const json_t *body, struct ask *ask, struct fault *fault)
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

static enum status
take_rest(const json_t *body, struct ask *ask, struct fault *fault)
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
ask_parse(const json_t *body, struct ask *ask, struct fault *fault)
{
    static const char *const known[] = { "subject", "roles",    "scope",      "ttl",
                                         "idle",    "max_uses", "networks",   "cnf",
                                         "parent",  "name",     "not_before", NULL };
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
        status = take_rest(body, ask, fault);
    return status;
}

/* --- against what the subject has ------------------------------------------ */

/* The roles by id, each held by the subject now; all it holds when none were named. */
static enum status
choose_roles(struct authority *authority, struct ask *ask, name_id *roles, size_t *count,
             struct fault *fault)
{
    const struct policy *policy = world_policy_of(authority->world);
    const struct names *names = world_names(authority->world);
    name_id subject = names_find(names, ask->subject);
    struct subject_view view;

    /* Who may act as the operator is the kernel's word at the socket, never a text's. */
    if (builtin_name(CHANGE_SUBJECT_PUT, ask->subject))
        return fault_at(
            fault, STATUS_INVALID, "/subject",
            "%.*s is the operator at the local socket and has no tokens: give a subject "
            "of the policy the role " ADMIN_ROLE,
            SLICE_PRINT(slice_first(ask->subject, 64)));
    if (subject == NAME_NONE || !policy_subject(policy, subject, &view))
        return fault_at(fault, STATUS_NOT_FOUND, "/subject",
                        "there is no subject %.*s: write it to the policy first",
                        SLICE_PRINT(slice_first(ask->subject, 64)));
    if (view.disabled)
        return fault_at(fault, STATUS_CONFLICT, "/subject", "the subject %.*s is disabled",
                        SLICE_PRINT(ask->subject));
    if (!ask->roles_given) {
        if (view.role_count > TOKEN_ROLES_MAX)
            return fault_at(fault, STATUS_INVALID, "/roles",
                            "%.*s has more than %d roles: name those that the token needs",
                            SLICE_PRINT(ask->subject), TOKEN_ROLES_MAX);
        for (size_t i = 0; i < view.role_count; i++) {
            roles[i] = view.roles[i];
            ask->roles[i] = names_text(names, view.roles[i]);
        }
        *count = ask->role_count = view.role_count;
        return STATUS_OK;
    }
    for (size_t i = 0; i < ask->role_count; i++) {
        roles[i] = names_find(names, ask->roles[i]);
        if (roles[i] == NAME_NONE || !policy_subject_holds(policy, subject, roles[i]))
            return fault_at(fault, STATUS_INVALID, "/roles", "%.*s does not hold the role %.*s",
                            SLICE_PRINT(ask->subject), SLICE_PRINT(slice_first(ask->roles[i], 64)));
    }
    *count = ask->role_count;
    return STATUS_OK;
}

/* A child's uses count on its parent, so only who may issue for the parent's subject,
 * or holds the parent's line, hangs children below it. */
static enum status
may_be_parent(struct authority *authority, const struct api_request *request,
              const struct world_token_info *parent, struct fault *fault)
{
    struct world_token_info own;

    if (!request->caller.local &&
        world_token(authority->world, &request->caller.token_id, request->now, &own) &&
        token_id_equal(&own.record.line, &parent->record.line))
        return STATUS_OK;
    return api_permit(authority, request, SLICE_LITERAL("tokens.issue"), parent->record.subject,
                      fault);
}

/* The parent's line, live; the child's end is no later than that of its newest member. */
static enum status
under_parent(struct authority *authority, const struct api_request *request, const struct ask *ask,
             struct token_record *record, struct fault *fault)
{
    struct world_token_info parent, above, newest;
    int64_t now = record->issued_at;
    enum status status;
    unsigned depth = 1;

    if (!ask->has_parent)
        return STATUS_OK;
    if (!world_token(authority->world, &ask->parent, now, &parent))
        return fault_at(fault, STATUS_NOT_FOUND, "/parent",
                        "there is no token with the parent's id");
    if (parent.state != TOKEN_LIVE)
        return fault_at(fault, STATUS_CONFLICT, "/parent",
                        "the parent is %s: it can have no children",
                        token_state_name(parent.state));
    status = may_be_parent(authority, request, &parent, fault);
    if (status != STATUS_OK)
        return status;
    for (above = parent; !token_id_is_none(&above.record.parent_line); depth++) {
        if (depth >= TOKEN_DEPTH_MAX - 1 ||
            !world_token(authority->world, &above.record.parent_line, now, &above))
            return fault_at(fault, STATUS_INVALID, "/parent", "a lineage has at most %d tokens",
                            TOKEN_DEPTH_MAX);
    }
    record->parent_line = parent.record.line;
    if (!world_token(authority->world, &parent.newest, now, &newest))
        return fault_set(fault, STATUS_INTERNAL, "the parent's line has no newest member");
    if (newest.life.expires_at < record->expires_at)
        record->expires_at = newest.life.expires_at;
    if (record->expires_at <= record->not_before)
        return fault_at(fault, STATUS_INVALID, "/not_before", "the parent has ended by then");
    return STATUS_OK;
}

static enum status
set_times(const struct authority *authority, const struct ask *ask, struct token_record *record,
          struct fault *fault)
{
    int64_t ttl = ask->ttl == 0 ? authority->options.settings.default_ttl_ms : ask->ttl;
    char most[TIME_TEXT_MAX];

    if (ttl > authority->options.settings.max_ttl_ms)
        return fault_at(
            fault, STATUS_INVALID, "/ttl",
            "the longest life of a token here is %s (limits.max_ttl); let it rotate instead",
            duration_format(authority->options.settings.max_ttl_ms, most));
    record->not_before = ask->not_before > record->issued_at ? ask->not_before : record->issued_at;
    if (record->not_before - record->issued_at > authority->options.settings.max_ttl_ms)
        return fault_at(fault, STATUS_INVALID, "/not_before", "not_before is too far away");
    record->expires_at = record->not_before + ttl;
    record->idle_ms = ask->idle == 0 ? TIME_NEVER : ask->idle;
    record->max_uses = ask->max_uses == 0 ? USES_UNLIMITED : (uint32_t)ask->max_uses;
    return STATUS_OK;
}

static struct slice
join_roles(struct arena *arena, const struct ask *ask)
{
    struct slice joined = { 0 };

    for (size_t i = 0; i < ask->role_count; i++) {
        joined = i == 0 ? arena_copy(arena, ask->roles[0])
                        : arena_format(arena, "%.*s %.*s", SLICE_PRINT(joined),
                                       SLICE_PRINT(ask->roles[i]));
        if (joined.at == NULL)
            break;
    }
    return joined;
}

static enum status
record_make(struct authority *authority, const struct api_request *request, struct ask *ask,
            struct token_record *out, struct fault *fault)
{
    struct token_record record = { .issued_at = request->now,
                                   .line_started_at = request->now,
                                   .binding = ask->binding,
                                   .subject = ask->subject,
                                   .scope = ask->scope,
                                   .networks = ask->networks,
                                   .network_count = ask->network_count,
                                   .name = ask->name,
                                   .issued_by = request->caller.subject };
    name_id roles[TOKEN_ROLES_MAX];
    size_t role_count = 0;
    enum status status = choose_roles(authority, ask, roles, &role_count, fault);

    if (status == STATUS_OK && ask->scope.size > 0) {
        status = policy_scope_fits(world_policy_of(authority->world), roles, role_count, ask->scope,
                                   fault);
        if (status != STATUS_OK)
            (void)fault_at(fault, status, "/scope", "invalid_scope: %s",
                           fault->text[0] == '\0' ? status_text(status) : fault->text);
    }
    if (status == STATUS_OK)
        status = set_times(authority, ask, &record, fault);
    if (status == STATUS_OK)
        status = under_parent(authority, request, ask, &record, fault);
    if (status == STATUS_OK)
        status = random_bytes(record.id.bytes, sizeof record.id.bytes);
    record.roles = join_roles(request->arena, ask);
    if (status == STATUS_OK && record.roles.at == NULL && ask->role_count > 0)
        status = STATUS_MEMORY;
    if (status == STATUS_OK && !keyring_newest(world_keyring(authority->world), &record.kid))
        status = fault_set(fault, STATUS_INTERNAL, "the key ring is empty");
    record.line = record.id;
    if (status == STATUS_OK)
        *out = record;
    return status;
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
    struct ask ask = { 0 };
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
        status = record_make(authority, request, &ask, &record, fault);
    if (status != STATUS_OK)
        return status;
    changes[0] =
        (struct change){ .kind = CHANGE_TOKEN_ISSUED, .at = request->now, .token = record };
    count += answer_changes(request, &record.id, &changes[1]);
    status = authority_commit(authority, changes, count, NULL, fault);
    if (status == STATUS_OK)
        status = issued_answer(authority, &record.id, request->now, answer, fault);
    if (status == STATUS_OK) {
        authority->counters.issued++;
        answer->location =
            arena_format(request->arena, "/v1/tokens/%s", token_id_format(&record.id, id_text));
    }
    return status;
}
