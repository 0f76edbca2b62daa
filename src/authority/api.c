/* authority/api.c - one API call: who calls, may it happen, the audit line, the
 * handler, the answer. The same arrows as at the gate. */
#include "oauth/oauth.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/log.h"

unsigned
api_status_of(enum status status)
{
    switch (status_class_of(status)) {
    case STATUS_CLASS_FINE:
        return 200;
    case STATUS_CLASS_CALLER:
        return status == STATUS_TOO_LARGE ? 413 : 400;
    case STATUS_CLASS_ABSENT:
        return 404;
    case STATUS_CLASS_CONFLICT:
        return 409;
    case STATUS_CLASS_REFUSED:
        return 403;
    case STATUS_CLASS_BUSY:
        return status == STATUS_LIMIT ? 429 : 503;
    case STATUS_CLASS_BROKEN:
        break;
    }
    return status == STATUS_FULL || status == STATUS_IO || status == STATUS_CORRUPT ? 503 : 500;
}

void
api_problem(struct api_answer *answer, unsigned status, const char *kind, const char *title,
            struct slice detail, json_t *more)
{
    json_t *body = json_object();
    char type[96];

    snprintf(type, sizeof type, "urn:writ:problem:%s", kind);
    json_object_set_new(body, "type", json_string(type));
    json_object_set_new(body, "title", json_string(title));
    json_object_set_new(body, "status", json_integer(status));
    if (detail.size > 0)
        json_object_set_new(body, "detail", json_slice(detail));
    if (more != NULL)
        json_object_update_missing(body, more);
    json_decref(more);
    json_decref(answer->body);
    *answer = (struct api_answer){ .status = status,
                                   .body = body,
                                   .content_type = "application/problem+json" };
}

void
fault_below(struct fault *fault, const char *pointer)
{
    char below[FAULT_POINTER_MAX];

    snprintf(below, sizeof below, "%s", fault->pointer);
    snprintf(fault->pointer, sizeof fault->pointer, "%s%.*s", pointer,
             (int)(sizeof below - strlen(pointer) - 1), below);
}

static void
problem_of_fault(struct api_answer *answer, enum status status, const struct fault *fault)
{
    unsigned code = api_status_of(status);
    json_t *more = NULL;

    if (fault->pointer[0] != '\0')
        more = json_pack("{s:s}", "pointer", fault->pointer);
    if (fault->line != 0) {
        if (more == NULL)
            more = json_object();
        json_object_set_new(more, "line", json_integer(fault->line));
        json_object_set_new(more, "column", json_integer(fault->column));
    }
    api_problem(
        answer, code,
        strncmp(fault->text, "invalid_scope", 13) == 0 ? "invalid_scope" : status_name(status),
        strncmp(fault->text, "invalid_scope", 13) == 0 ? "invalid_scope" : status_text(status),
        slice_text(fault->text[0] == '\0' ? status_text(status) : fault->text), more);
}

/* --- rights -------------------------------------------------------------------- */

static const struct decision *
decide(struct authority *authority, const struct api_request *request, struct slice action,
       struct slice object, bool listing, struct request *asked)
{
    struct buffer encoded = { 0 };
    const struct decision *decision;

    put_object(&encoded, object);
    *asked = (struct request){ .resource = SLICE_LITERAL("writ"),
                               .action = action,
                               .object = arena_copy(request->arena, buffer_slice(&encoded)),
                               .syntax = OBJECT_FLAT,
                               .listing = listing,
                               .peer = request->caller.peer };
    buffer_free(&encoded);
    decision = policy_decide(world_policy_of(authority->world), &request->caller.lineage, asked,
                             request->now, request->arena);
    return decision;
}

bool
api_may(struct authority *authority, const struct api_request *request, struct slice action,
        struct slice object)
{
    struct request asked;

    return decision_allows(decide(authority, request, action, object, false, &asked));
}

enum status
api_permit(struct authority *authority, const struct api_request *request, struct slice action,
           struct slice object, struct fault *fault)
{
    struct request asked;
    const struct decision *decision = decide(authority, request, action, object, false, &asked);

    if (decision_allows(decision))
        return STATUS_OK;
    return fault_set(fault, STATUS_DENIED, "you need the right writ:%.*s:%.*s", SLICE_PRINT(action),
                     SLICE_PRINT(asked.object));
}

/* --- the query string ------------------------------------------------------------ */

/* application/x-www-form-urlencoded, one value. A broken escape is left as it is. */
static struct slice
query_decode(struct arena *arena, struct slice text)
{
    struct slice copy = arena_copy(arena, text);
    char *out = (char *)(uintptr_t)copy.at;
    size_t size = 0;

    for (size_t i = 0; out != NULL && i < text.size; i++) {
        if (text.at[i] == '%' && i + 2 < text.size && hex_digit_value(text.at[i + 1]) >= 0 &&
            hex_digit_value(text.at[i + 2]) >= 0) {
            out[size++] =
                (char)(hex_digit_value(text.at[i + 1]) << 4 | hex_digit_value(text.at[i + 2]));
            i += 2;
        } else {
            out[size++] = text.at[i] == '+' ? ' ' : text.at[i];
        }
    }
    if (out != NULL)
        out[size] = '\0';
    return slice_of(copy.at, size);
}

struct slice
api_query(const struct api_request *request, const char *name)
{
    struct slice rest = request->query, pair;

    while (rest.size > 0 && slice_next(&rest, '&', &pair)) {
        size_t equals = slice_find(pair, '=');

        if (slice_is(slice_first(pair, equals), name))
            return query_decode(request->arena, equals == pair.size ? slice_from(pair, pair.size)
                                                                    : slice_from(pair, equals + 1));
    }
    return (struct slice){ 0 };
}

/* --- one call ---------------------------------------------------------------------- */

static void
fill_event(const struct authority *authority, const struct api_request *request,
           const struct request *asked, const struct decision *decision, struct audit_event *event)
{
    const struct api_caller *caller = &request->caller;

    *event = (struct audit_event){
        .at = request->now,
        .token = caller->token,
        .label = caller->label,
        .chain = caller->chain,
        .subject = caller->subject,
        .subject_type = caller->subject_type,
        .role = decision == NULL ? (struct slice){ 0 } : decision_role(decision),
        .resource = asked->resource,
        .action = asked->action,
        .object = asked->object,
        .right = decision == NULL ? (struct slice){ 0 } : decision_right(decision),
        .reason = decision == NULL ? (struct slice){ 0 } : decision_reason(decision),
        .agent = request->agent,
        .peer = caller->peer,
        .peer_port = caller->peer_port,
        .decision = decision != NULL && decision_allows(decision) ? AUDIT_ALLOW : AUDIT_DENY,
        .proof = caller->proof,
        .key = caller->proof == AUDIT_PROOF_NONE ? NULL : caller->proven.thumbprint,
    };
}

enum status
api_note(struct authority *authority, const struct api_request *request, struct slice action,
         struct slice object)
{
    struct audit_event event;
    struct buffer encoded = { 0 };
    struct request asked;
    const struct decision *decision =
        decide(authority, request, action, request->params[0], false, &asked);
    enum status status;

    put_object(&encoded, object);
    asked.object = buffer_slice(&encoded);
    fill_event(authority, request, &asked, decision, &event);
    status = buffer_status(&encoded);
    if (status == STATUS_OK)
        status = audit_line(authority->journal, &event, &(struct audit_outcome){ .status = 200 });
    buffer_free(&encoded);
    return status;
}

static void
refuse(struct authority *authority, const struct api_request *request,
       const struct decision *decision, struct api_answer *answer)
{
    struct slice reason = decision_reason(decision), right = decision_right(decision);

    authority->counters.refused++;
    api_problem(answer, 403, "insufficient_scope", "You have no right for this",
                arena_format(request->arena, "%.*s", SLICE_PRINT(reason)),
                json_pack("{s:o}", "right", json_slice(right)));
}

/* The right's max_rate, which holds here as at a door. Fills the event with the refusal. */
static bool
hold_rates(struct authority *authority, const struct decision *decision, struct audit_event *event,
           uint64_t *retry_ms)
{
    const struct rate_obligation *rates;
    size_t count = decision_rates(decision, &rates);

    *retry_ms = 0;
    for (size_t i = 0; i < count; i++) {
        if (rate_take(authority->options.rates, rates[i].key, rates[i].most, rates[i].period_ms,
                      clock_mono_us() / 1000, retry_ms) == STATUS_OK)
            continue;
        event->decision = AUDIT_DENY;
        event->reason = SLICE_LITERAL("the right's max_rate is used up for now");
        return false;
    }
    return true;
}

static void
refuse_rate(struct authority *authority, uint64_t retry_ms, struct api_answer *answer)
{
    authority->counters.refused++;
    api_problem(answer, 429, "rate-limited", "Too many requests",
                SLICE_LITERAL("the right's max_rate is used up for now"), NULL);
    answer->retry_after = (unsigned)(retry_ms / 1000 + 1);
}

/* Runs the handler and turns its fault into the answer. */
static void
run(struct authority *authority, const struct route *route, const struct api_request *request,
    struct api_answer *answer)
{
    struct fault fault = { 0 };

    answer->wait_fleet = slice_is(api_query(request, "wait"), "fleet");
    /* What was asked for before is there for what is asked now. */
    if (route->handle != api_token_issue)
        batch_commit(authority);
    enum status status = route->handle(authority, request, answer, &fault);
    if (status == STATUS_OK) {
        if (answer->status == 0)
            answer->status = 200;
        return;
    }
    if (answer->job != NULL) {
        answer->job->free(answer->job);
        answer->job = NULL;
    }
    if (status_class_of(status) == STATUS_CLASS_BROKEN)
        log_write(LOG_ERROR, "authority", "a call failed", "why",
                  fault.text[0] == '\0' ? status_text(status) : fault.text, NULL);
    problem_of_fault(answer, status, &fault);
}

static const struct route *
find(struct api_request *request, struct api_answer *answer, struct api_outcome *outcome)
{
    struct buffer allow = { 0 };
    bool wrong_method;
    const struct route *route = route_find(request, &wrong_method, &allow);

    if (route == NULL && request->caller.refusal.size == 0)
        request->caller.refusal = SLICE_LITERAL("there is no such call");
    if (route == NULL && wrong_method) {
        outcome->allow = arena_copy(request->arena, buffer_slice(&allow));
        api_problem(
            answer, 405, "method", "Not with this method",
            arena_format(request->arena, "this path takes %.*s", SLICE_PRINT(outcome->allow)),
            NULL);
    } else if (route == NULL) {
        api_problem(answer, 404, "not_found", "No such path",
                    SLICE_LITERAL("the paths are listed in /openapi.json"), NULL);
    }
    buffer_free(&allow);
    return route;
}

/* A proof that failed is told in its own scheme (RFC 9449 §7.1, §9). */
static void
refuse_proof(struct authority *authority, const struct api_request *request,
             struct api_answer *answer, struct api_outcome *outcome)
{
    switch (request->caller.proof_fault) {
    case PROOF_NEEDS_NONCE:
        prove_nonce(authority, request->now, outcome->nonce);
        outcome->challenge = DPOP_CHALLENGE("use_dpop_nonce");
        api_problem(answer, 401, "use-dpop-nonce", "The proof needs a nonce of this server",
                    request->caller.refusal, NULL);
        return;
    case PROOF_BUSY:
        api_problem(answer, 503, "unavailable", "The proof can't be remembered now",
                    request->caller.refusal, NULL);
        answer->retry_after = 1;
        return;
    default:
        outcome->challenge = DPOP_CHALLENGE("invalid_dpop_proof");
        api_problem(answer, 401, "invalid-proof", "The proof of possession does not hold",
                    request->caller.refusal, NULL);
    }
}

/* RFC 6750 §3: no error attribute when nothing was shown. */
static void
unauthenticated(struct authority *authority, const struct api_request *request,
                struct api_answer *answer, struct api_outcome *outcome)
{
    if (request->caller.proof_fault != PROOF_FINE) {
        refuse_proof(authority, request, answer, outcome);
    } else if (request->caller.refusal.size == 0) {
        outcome->challenge = "Bearer realm=\"writ\"";
        api_problem(
            answer, 401, "unauthenticated", "A token is needed",
            SLICE_LITERAL("send it as Authorization: Bearer writ_…, or use the local socket"),
            NULL);
    } else {
        outcome->challenge = "Bearer realm=\"writ\", error=\"invalid_token\"";
        api_problem(answer, 401, "invalid_token", "The token is worth nothing",
                    request->caller.refusal, NULL);
    }
}

bool
api_count_use(struct authority *authority, const struct api_request *request)
{
    const struct credential *credential = request->caller.credential;
    enum use_verdict verdict;

    if (credential == NULL)
        return true;
    verdict = world_use(authority->reader, credential, request->now);
    if (verdict == USE_CLAIM && authority_claim(authority, &credential->id, &verdict) != STATUS_OK)
        verdict = USE_EXHAUSTED;
    return verdict == USE_TAKEN;
}

enum { BODY_MAX = 1 << 20 };

/* The body of a POST or PUT as a JSON object; absent is NULL. */
static enum status
take_body(const struct route *route, struct api_request *request, struct fault *fault)
{
    enum status status;

    if (request->text.size > (route->body_max == 0 ? BODY_MAX : route->body_max))
        return fault_set(fault, STATUS_TOO_LARGE, "the body is too long for this path");
    if (slice_trim(request->text).size == 0)
        return STATUS_OK;
    status = json_read(request->text, &request->body, fault);
    if (status == STATUS_OK && !json_is_object(request->body))
        status = fault_set(fault, STATUS_INVALID, "the body must be a JSON object");
    return status;
}

/* Where it would be logged. Neither the audit nor the answer repeats it. */
static bool
refuse_misplaced(struct api_request *request, struct api_answer *answer)
{
    struct slice nowhere = { 0 };

    if (!token_text_stands_in(request->path, nowhere) &&
        !token_text_stands_in(request->query, nowhere) &&
        !token_text_stands_in(request->agent, nowhere))
        return false;
    request->path = SLICE_LITERAL("-");
    request->agent = nowhere;
    request->caller.refusal = SLICE_LITERAL("a token stands where it may be logged");
    api_problem(answer, 400, "misplaced-token", "A token stands where none belongs",
                SLICE_LITERAL("name the token by its id; its text belongs in Authorization alone: "
                              "revoke it, for it may have been logged"),
                NULL);
    return true;
}

static bool
refuse_unclear(struct api_request *request, struct api_answer *answer)
{
    if (!request->unclear)
        return false;
    request->caller.refusal = SLICE_LITERAL("the proxy's Forwarded or X-Forwarded-For can't be "
                                            "read, or they differ");
    api_problem(answer, 400, "malformed-request", "The request is malformed or ambiguous",
                request->caller.refusal, NULL);
    return true;
}

void
api_handle(struct authority *authority, struct api_request *request, struct api_answer *answer,
           struct api_outcome *outcome)
{
    const struct route *route;
    const struct decision *decision;
    struct audit_event event;
    struct request asked;
    struct fault fault = { 0 };
    uint64_t retry_ms = 0;
    enum status status;

    authority->counters.calls++;
    outcome->unlined = true;
    if (refuse_misplaced(request, answer) || refuse_unclear(request, answer))
        return;
    if (oauth_is_path(request->path)) {
        batch_commit(authority);
        oauth_handle(authority, request, answer, outcome);
        return;
    }
    route = find(request, answer, outcome);
    if (route == NULL)
        return;
    if (route->action == NULL) {
        outcome->unlined = false; /* open to all, and tells nothing */
        run(authority, route, request, answer);
        return;
    }
    if (request->caller.lineage.count == 0) {
        unauthenticated(authority, request, answer, outcome);
        return;
    }
    outcome->unlined = false;
    status = take_body(route, request, &fault);
    decision =
        decide(authority, request, slice_text(route->action),
               route->object == NULL ? SLICE_LITERAL("-") : route->object(authority, request),
               route->listing, &asked);
    fill_event(authority, request, &asked, decision, &event);
    bool limited = decision_allows(decision) && !hold_rates(authority, decision, &event, &retry_ms);
    if (audit_begin(authority->journal, &event, &outcome->ticket) != STATUS_OK) {
        api_problem(answer, 503, "audit", "The audit can't be written",
                    SLICE_LITERAL("nothing is done that would leave no line; is the disk full?"),
                    NULL);
        return;
    }
    if (!decision_allows(decision)) {
        outcome->challenge = "Bearer realm=\"writ\", error=\"insufficient_scope\"";
        refuse(authority, request, decision, answer);
    } else if (status != STATUS_OK) {
        problem_of_fault(answer, status, &fault);
    } else if (limited) {
        refuse_rate(authority, retry_ms, answer);
    } else if (!api_count_use(authority, request)) {
        request->caller.refusal = SLICE_LITERAL("the token's uses are exhausted");
        unauthenticated(authority, request, answer, outcome);
    } else if (route->local_only && !request->caller.local) {
        api_problem(answer, 403, "local_only", "Only at the local socket",
                    SLICE_LITERAL("this names files of the machine; call it on the machine itself"),
                    NULL);
    } else {
        run(authority, route, request, answer);
    }
}
