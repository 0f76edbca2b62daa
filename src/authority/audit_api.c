/* authority/audit_api.c - the audit's questions through the API. */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#include "audit/search.h"
#include "base/clock.h"

/* One question in the making: asked on the lane, answered on a thread of its own. */
struct question {
    struct api_job job;
    struct audit *audit;
    struct api_answer *answer;
    char *dir;
    struct arena texts; /* of the query's slices */
    struct audit_query search;
    struct audit_advice_query advice;
    int64_t since;
    uint8_t public_key[32];
    struct audit_head head;
    bool head_known;
    enum status status;
    struct fault fault;
    json_t *body;
};

enum { QUESTION_TEXTS_MAX = 1 << 20 };

static void
question_free(struct api_job *job)
{
    struct question *question = (struct question *)job;

    json_decref(question->body);
    arena_free(&question->texts);
    free(question->dir);
    free(question);
}

static enum status
question_step(struct authority *authority, struct api_job *job, bool *done, struct fault *fault)
{
    struct question *question = (struct question *)job;

    *done = true;
    *fault = question->fault;
    question->answer->body = question->body;
    question->body = NULL;
    return question->status;
}

static enum status
question_new(struct authority *authority, struct api_answer *answer,
             void (*work)(struct api_job *job), struct question **out)
{
    struct question *question = calloc(1, sizeof *question);

    if (question == NULL)
        return STATUS_MEMORY;
    question->job = (struct api_job){ .work = work, .step = question_step, .free = question_free };
    question->audit = authority->audit;
    question->answer = answer;
    arena_init(&question->texts, QUESTION_TEXTS_MAX);
    if (asprintf(&question->dir, "%s/audit", authority->options.data) < 0) {
        question->dir = NULL;
        question_free(&question->job);
        return STATUS_MEMORY;
    }
    *out = question;
    return STATUS_OK;
}

static void
keep_text(struct question *question, struct slice *text)
{
    if (text->at != NULL)
        *text = arena_copy(&question->texts, *text);
}

static enum status
take_time(const struct api_request *request, const char *name, int64_t *out, struct fault *fault)
{
    struct slice text = api_query(request, name);

    if (text.at == NULL || time_parse_since(text, request->now, out) == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, STATUS_INVALID, "%s must be a time, or a duration ago such as 1h",
                     name);
}

static enum status
take_number(const struct api_request *request, const char *name, uint64_t *out, struct fault *fault)
{
    struct slice text = api_query(request, name);

    if (text.at == NULL || slice_u64(text, out))
        return STATUS_OK;
    return fault_set(fault, STATUS_INVALID, "%s must be a number", name);
}

static void
work_search(struct api_job *job)
{
    struct question *question = (struct question *)job;

    audit_flush(question->audit);
    question->status =
        audit_search(question->dir, &question->search, &question->body, &question->fault);
}

static enum status
take_query(const struct api_request *request, struct audit_query *query, struct fault *fault)
{
    uint64_t limit = 0;
    enum status status = take_time(request, "since", &query->since, fault);

    if (status == STATUS_OK)
        status = take_time(request, "until", &query->until, fault);
    if (status == STATUS_OK)
        status = take_number(request, "limit", &limit, fault);
    if (status == STATUS_OK)
        status = take_number(request, "cursor", &query->before_seq, fault);
    if (status == STATUS_OK)
        status = take_number(request, "after", &query->after_seq, fault);
    query->oldest_first = api_query(request, "after").at != NULL;
    query->limit = (size_t)(limit > 10000 ? 10000 : limit);
    query->subject = api_query(request, "subject");
    query->token = api_query(request, "token");
    query->resource = api_query(request, "resource");
    query->action = api_query(request, "action");
    query->decision = api_query(request, "decision");
    if (status == STATUS_OK && query->decision.size > 0 && !slice_is(query->decision, "allow") &&
        !slice_is(query->decision, "deny"))
        status = fault_set(fault, STATUS_INVALID, "decision is allow or deny");
    return status;
}

enum status
api_audit_search(struct authority *authority, const struct api_request *request,
                 struct api_answer *answer, struct fault *fault)
{
    struct audit_query query = { 0 };
    struct question *question;
    enum status status = take_query(request, &query, fault);

    if (status == STATUS_OK)
        status = question_new(authority, answer, work_search, &question);
    if (status != STATUS_OK)
        return status;
    question->search = query;
    keep_text(question, &question->search.subject);
    keep_text(question, &question->search.token);
    keep_text(question, &question->search.resource);
    keep_text(question, &question->search.action);
    keep_text(question, &question->search.decision);
    answer->job = &question->job;
    return STATUS_OK;
}

static void
work_map(struct api_job *job)
{
    struct question *question = (struct question *)job;

    audit_flush(question->audit);
    question->status = audit_map(question->dir, question->since, &question->body, &question->fault);
}

enum status
api_audit_map(struct authority *authority, const struct api_request *request,
              struct api_answer *answer, struct fault *fault)
{
    struct question *question;
    int64_t since = 0;
    enum status status = take_time(request, "since", &since, fault);

    if (status == STATUS_OK)
        status = question_new(authority, answer, work_map, &question);
    if (status != STATUS_OK)
        return status;
    question->since = since;
    answer->job = &question->job;
    return STATUS_OK;
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

static void
work_advice(struct api_job *job)
{
    struct question *question = (struct question *)job;

    audit_flush(question->audit);
    question->status =
        audit_advise(question->dir, &question->advice, &question->body, &question->fault);
}

enum status
api_advice(struct authority *authority, const struct api_request *request,
           struct api_answer *answer, struct fault *fault)
{
    struct audit_advice_query query = { .subject = api_query(request, "subject"),
                                        .token = api_query(request, "token"),
                                        .role = api_query(request, "role") };
    struct buffer held = { 0 };
    struct question *question;
    enum status status = take_time(request, "since", &query.since, fault);

    if (status == STATUS_OK &&
        (query.subject.size > 0) + (query.token.size > 0) + (query.role.size > 0) != 1)
        status = fault_set(fault, STATUS_INVALID, "name one of subject, token and role");
    if (status == STATUS_OK)
        status = question_new(authority, answer, work_advice, &question);
    if (status != STATUS_OK)
        return status;
    take_held(authority, request, &query, &held);
    question->advice = query;
    question->advice.held = buffer_slice(&held);
    keep_text(question, &question->advice.subject);
    keep_text(question, &question->advice.token);
    keep_text(question, &question->advice.role);
    keep_text(question, &question->advice.held);
    buffer_free(&held);
    answer->job = &question->job;
    return STATUS_OK;
}

/* --- verify -------------------------------------------------------------------------- */

static void
work_verify(struct api_job *job)
{
    struct question *question = (struct question *)job;
    struct audit_verdict verdict = { 0 };
    struct fault why = { 0 };
    enum status status =
        audit_verify(question->dir, question->public_key,
                     question->head_known ? &question->head : NULL, &verdict, &why);

    if (status != STATUS_OK && status != STATUS_CORRUPT) {
        question->status = status;
        question->fault = why;
        return;
    }
    question->body = json_pack(
        "{s:b, s:I, s:I, s:I, s:I, s:b, s:o}", "holds", status == STATUS_OK, "lines",
        (json_int_t)verdict.lines, "first", (json_int_t)verdict.first, "last",
        (json_int_t)verdict.last, "segments", (json_int_t)verdict.segments, "head_compared",
        question->head_known, "reason", status == STATUS_OK ? json_null() : json_string(why.text));
    question->status = question->body == NULL ? STATUS_MEMORY : STATUS_OK;
}

enum status
api_audit_verify(struct authority *authority, const struct api_request *request,
                 struct api_answer *answer, struct fault *fault)
{
    struct question *question;
    enum status status = question_new(authority, answer, work_verify, &question);

    if (status != STATUS_OK)
        return status;
    answer->job = &question->job;
    memcpy(question->public_key, authority->keys.signer_public, sizeof question->public_key);
    status = store_audit_head(authority->store, authority->options.node, &question->head.seq,
                              question->head.hash);
    question->head_known = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
