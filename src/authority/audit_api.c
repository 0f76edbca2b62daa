/* authority/audit_api.c - the audit's questions through the API. */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#include "audit/search.h"
#include "base/clock.h"

static enum status
audit_dir(const struct authority *authority, char **out)
{
    return asprintf(out, "%s/audit", authority->options.data) < 0 ? STATUS_MEMORY : STATUS_OK;
}

static enum status
take_time(const struct api_request *request, const char *name, int64_t *out, struct fault *fault)
{
    struct slice text = api_query(request, name);

    if (text.at == NULL || time_parse_since(text, request->now, out) == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, STATUS_INVALID, "%s must be a time, or a duration ago such as 1h", name);
}

static enum status
take_number(const struct api_request *request, const char *name, uint64_t *out, struct fault *fault)
{
    struct slice text = api_query(request, name);

    if (text.at == NULL || slice_u64(text, out))
        return STATUS_OK;
    return fault_set(fault, STATUS_INVALID, "%s must be a number", name);
}

enum status
api_audit_search(struct authority *authority, const struct api_request *request,
                 struct api_answer *answer, struct fault *fault)
{
    struct audit_query query = { .subject = api_query(request, "subject"),
                                 .token = api_query(request, "token"),
                                 .resource = api_query(request, "resource"),
                                 .action = api_query(request, "action"),
                                 .decision = api_query(request, "decision") };
    uint64_t limit = 0;
    char *dir;
    enum status status = take_time(request, "since", &query.since, fault);

    if (status == STATUS_OK)
        status = take_time(request, "until", &query.until, fault);
    if (status == STATUS_OK)
        status = take_number(request, "limit", &limit, fault);
    if (status == STATUS_OK)
        status = take_number(request, "cursor", &query.before_seq, fault);
    if (status == STATUS_OK)
        status = take_number(request, "after", &query.after_seq, fault);
    if (status == STATUS_OK && query.decision.size > 0 && !slice_is(query.decision, "allow") &&
        !slice_is(query.decision, "deny"))
        status = fault_set(fault, STATUS_INVALID, "decision is allow or deny");
    if (status == STATUS_OK)
        status = audit_dir(authority, &dir);
    if (status != STATUS_OK)
        return status;
    query.limit = (size_t)(limit > 10000 ? 10000 : limit);
    status = audit_search(dir, &query, &answer->body, fault);
    free(dir);
    return status;
}

enum status
api_audit_map(struct authority *authority, const struct api_request *request,
              struct api_answer *answer, struct fault *fault)
{
    int64_t since = 0;
    char *dir;
    enum status status = take_time(request, "since", &since, fault);

    if (status == STATUS_OK)
        status = audit_dir(authority, &dir);
    if (status != STATUS_OK)
        return status;
    status = audit_map(dir, since, &answer->body, fault);
    free(dir);
    return status;
}

/* --- advice ------------------------------------------------------------------------- */

static bool
add_held(void *context, const struct rule_view *rule)
{
    struct buffer *out = context;

    if (!rule->deny)
        put_format(out, "%s%.*s", out->size == 0 ? "" : " ", SLICE_PRINT(rule->right.text));
    return true;
}

static void
hold_roles(const struct authority *authority, struct slice subject, struct buffer *out)
{
    const struct policy *policy = world_policy_of(authority->world);
    name_id id = names_find(world_names(authority->world), subject);
    struct subject_view view;

    if (id == NAME_NONE || !policy_subject(policy, id, &view))
        return;
    for (size_t i = 0; i < view.role_count; i++)
        policy_role_rules(policy, view.roles[i], add_held, out);
}

/* What is held now, so that the unused can be named. */
static void
take_held(const struct authority *authority, const struct api_request *request,
          const struct audit_advice_query *query, struct buffer *out)
{
    struct world_token_info info;
    struct token_id id;
    struct hop_id hop;
    bool has_hop;
    name_id role;

    if (query->subject.size > 0) {
        hold_roles(authority, query->subject, out);
    } else if (query->role.size > 0) {
        role = names_find(world_names(authority->world), query->role);
        if (role != NAME_NONE)
            policy_role_rules(world_policy_of(authority->world), role, add_held, out);
    } else if (token_id_parse(query->token, &id, &hop, &has_hop) == STATUS_OK &&
               world_token(authority->world, &id, request->now, &info)) {
        if (info.record.scope.size > 0)
            put_slice(out, info.record.scope);
        else
            hold_roles(authority, info.record.subject, out);
    }
}

enum status
api_advice(struct authority *authority, const struct api_request *request, struct api_answer *answer,
           struct fault *fault)
{
    struct audit_advice_query query = { .subject = api_query(request, "subject"),
                                        .token = api_query(request, "token"),
                                        .role = api_query(request, "role") };
    struct buffer held = { 0 };
    char *dir;
    enum status status = take_time(request, "since", &query.since, fault);

    if (status == STATUS_OK &&
        (query.subject.size > 0) + (query.token.size > 0) + (query.role.size > 0) != 1)
        status = fault_set(fault, STATUS_INVALID, "name one of subject, token and role");
    if (status == STATUS_OK)
        status = audit_dir(authority, &dir);
    if (status != STATUS_OK)
        return status;
    take_held(authority, request, &query, &held);
    query.held = buffer_slice(&held);
    status = audit_advise(dir, &query, &answer->body, fault);
    buffer_free(&held);
    free(dir);
    return status;
}

/* --- verify -------------------------------------------------------------------------- */

enum status
api_audit_verify(struct authority *authority, const struct api_request *request,
                 struct api_answer *answer, struct fault *fault)
{
    struct audit_head head;
    struct audit_verdict verdict;
    struct fault why = { 0 };
    char *dir;
    enum status status = store_audit_head(authority->store, authority->options.node, &head.seq, head.hash);
    bool known = status == STATUS_OK;

    if (!known && status != STATUS_NOT_FOUND)
        return status;
    status = audit_dir(authority, &dir);
    if (status != STATUS_OK)
        return status;
    status = audit_verify(dir, authority->keys.signer_public, known ? &head : NULL, &verdict, &why);
    free(dir);
    if (status != STATUS_OK && status != STATUS_CORRUPT) {
        *fault = why;
        return status;
    }
    answer->body = json_pack("{s:b, s:I, s:I, s:I, s:I, s:o}", "holds", status == STATUS_OK, "lines",
                             (json_int_t)verdict.lines, "first", (json_int_t)verdict.first, "last",
                             (json_int_t)verdict.last, "segments", (json_int_t)verdict.segments, "reason",
                             status == STATUS_OK ? json_null() : json_string(why.text));
    return answer->body == NULL ? STATUS_MEMORY : STATUS_OK;
}
