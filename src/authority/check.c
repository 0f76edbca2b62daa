/* authority/check.c - would it be allowed, by which right, and why: the data
 * path's own engine, asked without a request. */
#include <stdlib.h>

#include "internal.h"

#include "base/clock.h"

/* What separates an object's segments of this resource: its upstream's door says. */
static enum object_syntax
syntax_of(const struct authority *authority, struct slice resource)
{
    size_t count;
    uint64_t generation;
    const struct upstream_view *views = world_upstreams(authority->reader, &count, &generation);

    if (slice_is(resource, "writ"))
        return OBJECT_FLAT;
    for (size_t i = 0; i < count; i++) {
        if (!slice_equal(views[i].name, resource))
            continue;
        if (slice_is(views[i].type, "postgres") || slice_is(views[i].type, "mysql"))
            return OBJECT_SQL;
        if (slice_is(views[i].type, "redis"))
            return OBJECT_FLAT;
    }
    return OBJECT_PATH;
}

static enum status
take_right(const struct authority *authority, struct slice text, struct request *out,
           struct fault *fault)
{
    enum object_syntax syntax = syntax_of(authority, slice_first(text, slice_find(text, ':')));

    if (text.size == 0)
        return fault_at(fault, STATUS_INVALID, "/right",
                        "right is missing: which one is asked about?");
    return request_from_right(text, syntax, out, fault);
}

/* Asked at the local socket, the request would come from this machine. */
static struct ip
peer_of(const struct api_request *request)
{
    if (request->caller.peer.family != IP_NONE)
        return request->caller.peer;
    return (struct ip){ .family = IP_V4, .bytes = { 127, 0, 0, 1 } };
}

static enum status
answer_decision(const struct decision *decision, struct api_answer *answer)
{
    bool allowed = decision_allows(decision);
    json_t *when = json_deep_copy(decision_when(decision));

    answer->body = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o}", "decision", allowed ? "allow" : "deny", "right",
        json_slice(decision_right(decision)), "role",
        decision_role(decision).size == 0 ? json_null() : json_slice(decision_role(decision)),
        "reason", allowed ? json_null() : json_slice(decision_reason(decision)), "hint",
        decision_hint(decision).size == 0 ? json_null() : json_slice(decision_hint(decision)),
        "when", when == NULL ? json_null() : when);
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

static enum status
answer_worthless(struct api_answer *answer, const char *reason)
{
    answer->body = json_pack("{s:s, s:n, s:n, s:s, s:n, s:n}", "decision", "deny", "right", "role",
                             "reason", reason, "hint", "when");
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* How the key of a bound token would be proven. */
static enum proof_kind
proof_of(const struct binding *binding)
{
    return binding->kind == BINDING_JKT   ? PROOF_DPOP
           : binding->kind == BINDING_X5T ? PROOF_CERTIFICATE
                                          : PROOF_NONE;
}

/* The text of a token that the authority itself derives from its id. */
static enum status
check_id(struct authority *authority, const struct api_request *request, struct slice id_text,
         char text[TOKEN_TEXT_SIZE + 1], struct request *asked, struct fault *fault)
{
    struct world_token_info info;
    struct token_id id;
    struct hop_id hop;
    bool has_hop;

    if (token_id_parse(id_text, &id, &hop, &has_hop) != STATUS_OK || has_hop ||
        !world_token(authority->world, &id, request->now, &info))
        return fault_set(fault, STATUS_NOT_FOUND, "there is no token with this id");
    asked->proof = proof_of(&info.record.binding);
    return token_write(&id, info.record.kid, authority->keys.state, text);
}

static enum status
check_token(struct authority *authority, const struct api_request *request, struct slice token,
            const struct request *asked, struct api_answer *answer)
{
    struct credential credential;
    enum credential_verdict verdict =
        world_authenticate(authority->reader, token, request->now, request->arena, &credential);

    if (verdict != CREDENTIAL_OK)
        return answer_worthless(answer, credential_verdict_text(verdict));
    /* Who holds the text alone gets no further than at the gate; who asks by its id is
     * told what its holder may. */
    if (credential.binding.kind != BINDING_NONE && asked->proof == PROOF_NONE)
        return answer_worthless(answer, "the token is bound to a key, whose proof is missing");
    return answer_decision(policy_decide(world_policy(authority->reader), &credential.lineage,
                                         asked, request->now, request->arena),
                           answer);
}

static enum status
check_subject(struct authority *authority, const struct api_request *request, struct slice subject,
              const struct request *asked, struct api_answer *answer, struct fault *fault)
{
    name_id id = names_find(world_names(authority->world), subject);
    struct subject_view view;

    if (id == NAME_NONE || !policy_subject(world_policy(authority->reader), id, &view))
        return fault_at(fault, STATUS_NOT_FOUND, "/subject", "there is no subject %.*s",
                        SLICE_PRINT(slice_first(subject, 64)));
    return answer_decision(policy_decide_subject(world_policy(authority->reader), id, asked,
                                                 request->now, request->arena),
                           answer);
}

enum status
api_check(struct authority *authority, const struct api_request *request, struct api_answer *answer,
          struct fault *fault)
{
    static const char *const known[] = { "token", "token_id", "subject", "right", "network", NULL };
    struct slice token = { 0 }, id = { 0 }, subject = { 0 }, right = { 0 }, network = { 0 };
    char text[TOKEN_TEXT_SIZE + 1];
    struct request asked;
    enum status status = json_only(request->body, known, fault);

    if (status == STATUS_OK)
        status = json_take_string(request->body, "token", &token, fault);
    if (status == STATUS_OK)
        status = json_take_string(request->body, "token_id", &id, fault);
    if (status == STATUS_OK)
        status = json_take_string(request->body, "subject", &subject, fault);
    if (status == STATUS_OK)
        status = json_take_string(request->body, "right", &right, fault);
    if (status == STATUS_OK)
        status = json_take_string(request->body, "network", &network, fault);
    if (status != STATUS_OK)
        return status;
    if ((token.at != NULL) + (id.at != NULL) + (subject.at != NULL) != 1)
        return fault_set(fault, STATUS_INVALID, "name one of token, token_id and subject");
    status = take_right(authority, right, &asked, fault);
    if (status != STATUS_OK)
        return status;
    asked.peer = peer_of(request);
    if (network.at != NULL && ip_parse(network, &asked.peer) != STATUS_OK)
        return fault_at(fault, STATUS_INVALID, "/network",
                        "network must be one address: where the request would come from");
    if (subject.at != NULL)
        return check_subject(authority, request, subject, &asked, answer, fault);
    if (token.at != NULL)
        return check_token(authority, request, token, &asked, answer);
    status = check_id(authority, request, id, text, &asked, fault);
    if (status == STATUS_OK)
        status = check_token(authority, request, slice_text(text), &asked, answer);
    secret_wipe(text, sizeof text);
    return status;
}

/* --- who can -------------------------------------------------------------------------- */

enum {
    WHO_CAN_MAX = 1000,
    WHO_CAN_PAGE = 500,
    WHO_CAN_TEXTS = 64 << 10,
    WHO_CAN_SCRATCH = 1 << 20
};

/* A page of tokens a turn: a million of them never hold up a revoke. */
struct who_can {
    struct api_job job;
    struct api_answer *answer;
    struct authority *authority;
    struct request asked;
    int64_t at;
    json_t *subjects, *roles, *tokens;
    struct buffer cursor;
    struct arena texts, scratch;
    bool begun, cut;
};

static bool
try_subject(void *context, name_id id)
{
    struct who_can *who = context;
    const struct decision *decision = policy_decide_subject(
        world_policy(who->authority->reader), id, &who->asked, who->at, &who->scratch);

    if (decision_allows(decision))
        json_array_append_new(
            who->subjects, json_pack("{s:o, s:o, s:o}", "subject",
                                     json_slice(names_text(world_names(who->authority->world), id)),
                                     "right", json_slice(decision_right(decision)), "role",
                                     json_slice(decision_role(decision))));
    arena_reset(&who->scratch);
    return json_array_size(who->subjects) < WHO_CAN_MAX;
}

struct role_try {
    const struct request *asked;
    struct slice right;
    bool allowed, denied;
};

static bool
try_rule(void *context, const struct rule_view *rule)
{
    struct role_try *attempt = context;

    if (right_covers(&rule->right, attempt->asked)) {
        if (rule->deny)
            attempt->denied = true;
        else if (!attempt->allowed)
            attempt->right = rule->right.text;
        attempt->allowed = attempt->allowed || !rule->deny;
    }
    return true;
}

static bool
try_role(void *context, name_id id)
{
    struct who_can *who = context;
    struct role_try attempt = { .asked = &who->asked };

    policy_role_rules(world_policy(who->authority->reader), id, try_rule, &attempt);
    if (attempt.allowed && !attempt.denied)
        json_array_append_new(
            who->roles, json_pack("{s:o, s:o}", "role",
                                  json_slice(names_text(world_names(who->authority->world), id)),
                                  "right", json_slice(attempt.right)));
    return json_array_size(who->roles) < WHO_CAN_MAX;
}

static enum status
try_token(void *context, const struct store_token *token)
{
    struct who_can *who = context;
    const struct token_id *id = &token->record.id;
    char text[TOKEN_TEXT_SIZE + 1], id_text[TOKEN_ID_TEXT + 1];
    struct world_token_info info;
    struct credential credential;
    const struct decision *decision;
    struct request asked = who->asked;

    if (who->cut || !world_token(who->authority->world, id, who->at, &info) ||
        info.state != TOKEN_LIVE ||
        token_write(id, info.record.kid, who->authority->keys.state, text) != STATUS_OK)
        return STATUS_OK;
    if (world_authenticate(who->authority->reader, slice_text(text), who->at, &who->scratch,
                           &credential) == CREDENTIAL_OK) {
        asked.proof = proof_of(&credential.binding);
        decision = policy_decide(world_policy(who->authority->reader), &credential.lineage, &asked,
                                 who->at, &who->scratch);
        if (decision_allows(decision))
            json_array_append_new(who->tokens, json_pack("{s:s, s:o, s:o}", "token",
                                                         token_id_format(id, id_text), "subject",
                                                         json_slice(credential.subject), "right",
                                                         json_slice(decision_right(decision))));
    }
    secret_wipe(text, sizeof text);
    arena_reset(&who->scratch);
    who->cut = json_array_size(who->tokens) == WHO_CAN_MAX;
    return STATUS_OK;
}

static enum status
who_can_step(struct authority *authority, struct api_job *job, bool *done, struct fault *fault)
{
    struct who_can *who = (struct who_can *)job;
    struct buffer next = { 0 };
    enum status status;

    if (!who->begun) {
        policy_each_subject(world_policy(authority->reader), try_subject, who);
        policy_each_role(world_policy(authority->reader), try_role, who);
        who->begun = true;
    }
    status = store_tokens(authority->store,
                          &(struct store_token_query){ .live_only = true,
                                                       .now = who->at,
                                                       .cursor = buffer_slice(&who->cursor),
                                                       .limit = WHO_CAN_PAGE },
                          try_token, who, &next);
    buffer_free(&who->cursor);
    who->cursor = next;
    *done = status != STATUS_OK || who->cut || who->cursor.size == 0;
    if (status == STATUS_OK && *done) {
        who->answer->body = json_pack("{s:O, s:O, s:O, s:b}", "subjects", who->subjects, "roles",
                                      who->roles, "tokens", who->tokens, "cut", who->cut);
        status = who->answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
    }
    return status;
}

static void
who_can_free(struct api_job *job)
{
    struct who_can *who = (struct who_can *)job;

    json_decref(who->subjects);
    json_decref(who->roles);
    json_decref(who->tokens);
    buffer_free(&who->cursor);
    arena_free(&who->texts);
    arena_free(&who->scratch);
    free(who);
}

/* The question outlives the call's memory when the peer goes. */
static enum status
who_can_ask(struct who_can *who, const struct api_request *request, struct fault *fault)
{
    struct slice at = api_query(request, "at"), right = api_query(request, "right");
    struct slice kept = arena_copy(&who->texts, right);
    enum status status;

    if (kept.at == NULL)
        return fault_set(fault, STATUS_TOO_LARGE, "the right is too long");
    status = take_right(who->authority, kept, &who->asked, fault);
    if (status == STATUS_OK && at.at != NULL && time_parse(at, &who->at) != STATUS_OK)
        status = fault_set(fault, STATUS_INVALID, "at must be a time such as 2026-12-31T08:00:00Z");
    who->asked.peer = peer_of(request);
    return status;
}

enum status
api_who_can(struct authority *authority, const struct api_request *request,
            struct api_answer *answer, struct fault *fault)
{
    struct who_can *who = calloc(1, sizeof *who);
    enum status status;

    if (who == NULL)
        return STATUS_MEMORY;
    who->job = (struct api_job){ .step = who_can_step, .free = who_can_free };
    who->answer = answer;
    who->authority = authority;
    who->at = request->now;
    arena_init(&who->texts, WHO_CAN_TEXTS);
    arena_init(&who->scratch, WHO_CAN_SCRATCH);
    who->subjects = json_array();
    who->roles = json_array();
    who->tokens = json_array();
    status = who_can_ask(who, request, fault);
    if (status == STATUS_OK)
        answer->job = &who->job;
    else
        who_can_free(&who->job);
    return status;
}
