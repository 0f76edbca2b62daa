/* authority/oauth/endpoint.c - the paths of OAuth, and a call's way: form, client, key,
 * handler, the audit's line, the answer. */
#include "oauth.h"

#include "crypto/hash.h"

struct endpoint {
    const char *method, *path;
    void (*document)(struct oauth_call *call); /* open to all, tells no secret */
    bool (*handle)(struct oauth_call *call);   /* or: for an authenticated caller */
    const char *action;                        /* of the audit's line */
    bool holders;                              /* also for the holder of a token, by its rights */
};

enum { NETWORK_SIZE = 8 }; /* of IPv6: a /64 */

#define METADATA_PATH "/.well-known/oauth-authorization-server"

static const struct endpoint endpoints[] = {
    { "GET", METADATA_PATH, oauth_metadata, NULL, NULL, false },
    { "GET", "/.well-known/jwks.json", oauth_jwks, NULL, NULL, false },
    { "GET", "/oauth/authorize", oauth_authorize_page, NULL, NULL, false },
    { "POST", "/oauth/token", NULL, oauth_token, "oauth.token", false },
    { "POST", "/oauth/introspect", NULL, oauth_introspect, "oauth.introspect", true },
    { "POST", "/oauth/revoke", NULL, oauth_revoke, "oauth.revoke", true },
};

bool
oauth_is_path(struct slice path)
{
    return slice_starts(path, SLICE_LITERAL("/oauth/")) ||
           slice_starts(path, SLICE_LITERAL("/.well-known/"));
}

/* An issuer with a path has its document at that path behind the well-known part
 * (RFC 8414 §3.1), and nowhere else. */
static bool
path_fits(const struct authority *authority, const char *pattern, struct slice path)
{
    struct slice issuer = authority->options.issuer, rest;
    size_t host = slice_find(issuer, ':') + 3;

    if (strcmp(pattern, METADATA_PATH) != 0)
        return slice_is(path, pattern);
    rest = slice_from(issuer, host);
    rest = slice_from(rest, slice_find(rest, '/'));
    if (slice_is(rest, "/"))
        rest = slice_from(rest, 1);
    return slice_starts(path, SLICE_LITERAL(METADATA_PATH)) &&
           slice_equal(slice_from(path, sizeof METADATA_PATH - 1), rest);
}

static const struct endpoint *
find(const struct authority *authority, struct slice path)
{
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        if (path_fits(authority, endpoints[i].path, path))
            return &endpoints[i];
    }
    return NULL;
}

/* --- limits --------------------------------------------------------------------- */

static enum status
take_rate(const struct authority *authority, const char *label, struct slice who, uint32_t most)
{
    const struct slice parts[] = { slice_text(label), who };
    uint8_t digest[HASH_SIZE];
    uint64_t key, retry_ms;

    if (hash_sha256(parts, 2, digest) != STATUS_OK)
        return STATUS_FULL;
    memcpy(&key, digest, sizeof key);
    return rate_take(authority->options.rates, key, most, 60000, clock_mono_us() / 1000, &retry_ms);
}

static enum status
take_address(const struct authority *authority, const struct ip *peer)
{
    /* Whoever has one address of IPv6 has all of its network. */
    size_t size = peer->family == IP_V6 ? NETWORK_SIZE : sizeof peer->bytes;

    return take_rate(authority, "oauth address", slice_of(peer->bytes, size),
                     authority->options.address_calls);
}

bool
oauth_wants_body(struct authority *authority, struct http_call *call)
{
    const struct http_head *head = http_call_head(call);
    struct client_view client;

    /* Of a body in chunks nobody knows how much memory it would take from us. */
    if (head->body == HTTP_BODY_CHUNKED || head->length > OAUTH_BODY_MAX)
        return false;
    return client_find(&authority->options.trusted, head, stream_peer(http_call_stream(call)),
                       &client) &&
           take_address(authority, &client.ip) == STATUS_OK;
}

/* --- a call of a client ------------------------------------------------------------ */

static bool
is_form(struct slice type)
{
    type = slice_trim(slice_first(type, slice_find(type, ';')));
    return slice_equal_nocase(type, SLICE_LITERAL("application/x-www-form-urlencoded"));
}

/* There was none, or it was not read: see oauth_wants_body. Whoever comes without one is
 * counted here, and not heard: nothing can be tried out past the limit. */
static bool
refuse_empty(struct oauth_call *call, const struct http_head *head)
{
    if (head->length > OAUTH_BODY_MAX)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "the form is longer than %d bytes",
                            OAUTH_BODY_MAX);
    if (head->length > 0 || take_address(call->authority, &call->request->caller.peer) != STATUS_OK)
        return oauth_refuse(call, OAUTH_SLOW_DOWN, "too many calls from this address");
    if (head->body == HTTP_BODY_CHUNKED)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "send the form with a Content-Length");
    return oauth_refuse(call, OAUTH_INVALID_REQUEST, "the form is missing: no body came");
}

/* Members in which a token of ours belongs. */
static bool
takes_token(struct slice name)
{
    return slice_is(name, "token") || slice_is(name, "subject_token") ||
           slice_is(name, "actor_token") || slice_is(name, "refresh_token") ||
           slice_is(name, "client_secret");
}

/* Elsewhere it would be repeated, in the answer or the audit. */
static bool
refuse_misplaced(struct oauth_call *call)
{
    const struct slice nowhere = { 0 };

    for (size_t i = 0; i < call->form.count; i++) {
        const struct form_field *field = &call->form.fields[i];

        if (!token_text_stands_in(field->name, nowhere) &&
            (takes_token(field->name) || !token_text_stands_in(field->value, nowhere)))
            continue;
        call->form.count = 0; /* nothing of it is named */
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "a token or secret stands in a parameter where none belongs");
    }
    return true;
}

static bool
read_form(struct oauth_call *call)
{
    const struct http_head *head = call->request->shown.head;
    struct fault fault = { 0 };

    if (call->request->text.size == 0)
        return refuse_empty(call, head);
    if (call->request->query.size > 0)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "parameters belong in the body, never in the URL");
    if (!is_form(http_head_value(head, HTTP_FIELD_CONTENT_TYPE)))
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "the body must be application/x-www-form-urlencoded");
    if (call->request->text.size > OAUTH_BODY_MAX ||
        form_read(call->request->text, call->request->arena, &call->form, &fault) != STATUS_OK)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "%s",
                            fault.text[0] == '\0' ? "the form is too long" : fault.text);
    return refuse_misplaced(call);
}

/* A resource server or an operator may ask with a token instead. */
static bool
shows_token(const struct oauth_call *call)
{
    struct slice value = http_head_value(call->request->shown.head, HTTP_FIELD_AUTHORIZATION);
    struct slice scheme = slice_first(value, slice_find(value, ' '));

    return slice_equal_nocase(scheme, SLICE_LITERAL("Bearer")) ||
           slice_equal_nocase(scheme, SLICE_LITERAL("DPoP"));
}

static bool
authenticate_holder(struct oauth_call *call)
{
    struct api_caller *caller = &call->request->caller;

    caller_of_token(call->authority, call->request);
    if (caller->lineage.count > 0) {
        call->proven = caller->proven;
        call->proof = caller->proof;
        return api_count_use(call->authority, call->request) ||
               oauth_refuse(call, OAUTH_INVALID_TOKEN, "the token's uses are exhausted");
    }
    /* As at the API: the caller is the client of a protected resource here. */
    switch (caller->proof_fault) {
    case PROOF_FINE:
        return oauth_refuse(call, OAUTH_INVALID_TOKEN, "%.*s", SLICE_PRINT(caller->refusal));
    case PROOF_BUSY:
        return oauth_refuse(call, OAUTH_TEMPORARILY_UNAVAILABLE, "%.*s",
                            SLICE_PRINT(caller->refusal));
    case PROOF_NEEDS_NONCE:
        prove_nonce(call->authority, call->request->now, call->outcome->nonce);
        (void)oauth_refuse(call, OAUTH_USE_DPOP_NONCE, "%.*s", SLICE_PRINT(caller->refusal));
        call->outcome->challenge = DPOP_CHALLENGE("use_dpop_nonce");
        break;
    case PROOF_WRONG:
        (void)oauth_refuse(call, OAUTH_INVALID_DPOP_PROOF, "%.*s", SLICE_PRINT(caller->refusal));
        call->outcome->challenge = DPOP_CHALLENGE("invalid_dpop_proof");
        break;
    }
    call->answer->status = 401; /* RFC 9449 §7.1: 400 is the token endpoint's */
    return false;
}

/* For the audit. */
static void
name_client(struct oauth_call *call)
{
    struct api_caller *caller = &call->request->caller;
    struct subject_view view;

    caller->subject = call->client.name;
    if (policy_subject(world_policy_of(call->authority->world), call->client.subject, &view))
        caller->subject_type = slice_text(subject_type_name(view.type));
}

static bool
authenticate(struct oauth_call *call, const struct endpoint *endpoint)
{
    if (endpoint->holders && shows_token(call))
        return authenticate_holder(call);
    if (!oauth_authenticate(call))
        return false;
    name_client(call);
    if (take_rate(call->authority, "oauth client", call->client.name,
                  call->authority->options.client_calls) != STATUS_OK)
        return oauth_refuse(call, OAUTH_SLOW_DOWN, "this client calls too often: wait a minute");
    return oauth_prove(call);
}

/* --- the audit ------------------------------------------------------------------------ */

static struct slice
description_of(const struct oauth_call *call)
{
    const json_t *text = json_object_get(call->answer->body, "error_description");

    return slice_text(json_string_value(text));
}

static void
begin_line(struct oauth_call *call, const char *action, bool allowed)
{
    const struct api_caller *caller = &call->request->caller;
    struct slice subject = caller->subject;
    struct slice named = form_value(&call->form, "client_id");
    struct audit_event event = {
        .at = call->request->now,
        .token = call->subject_token != NULL ? call->subject_token->id_text : caller->token,
        .chain = call->subject_token != NULL ? call->subject_token->chain : caller->chain,
        .subject = subject,
        .subject_type = caller->subject_type,
        .resource = SLICE_LITERAL("writ"),
        .action = slice_text(action),
        .object = subject.size > 0            ? subject
                  : subject_name_valid(named) ? named
                                              : SLICE_LITERAL("-"),
        .reason = allowed ? (struct slice){ 0 } : description_of(call),
        .agent = call->request->agent,
        .peer = caller->peer,
        .peer_port = caller->peer_port,
        .decision = allowed ? AUDIT_ALLOW : AUDIT_DENY,
        .proof = caller->proof,
        .key = caller->proof == AUDIT_PROOF_NONE ? NULL : caller->proven.thumbprint,
    };

    /* What was made is not told, so that nobody has it: no line, no answer. */
    if (audit_begin(call->authority->journal, &event, &call->outcome->ticket) != STATUS_OK)
        (void)oauth_refuse(call, OAUTH_TEMPORARILY_UNAVAILABLE,
                           "the audit can't be written, so nothing is answered");
}

/* --- all calls --------------------------------------------------------------------------- */

static void
refuse_method(struct oauth_call *call, const struct endpoint *endpoint)
{
    call->outcome->allow = slice_text(endpoint->method);
    api_problem(call->answer, 405, "method", "Not with this method",
                arena_format(call->request->arena, "this path takes %s", endpoint->method), NULL);
}

static void
refuse_path(struct oauth_call *call)
{
    bool known = slice_is(call->request->path, "/oauth/register") ||
                 slice_is(call->request->path, "/oauth/device");

    api_problem(call->answer, 404, "not_found", known ? "Not enabled" : "No such path",
                known ? SLICE_LITERAL("clients are subjects of the policy: registration and "
                                      "log-in by device are not enabled")
                      : SLICE_LITERAL("what there is stands in " METADATA_PATH),
                NULL);
}

static void
answer_preflight(struct oauth_call *call, const struct endpoint *endpoint)
{
    call->answer->status = 204;
    call->outcome->allow = slice_text(endpoint->method);
}

void
oauth_handle(struct authority *authority, struct api_request *request, struct api_answer *answer,
             struct api_outcome *outcome)
{
    const struct endpoint *endpoint = find(authority, request->path);
    struct oauth_call call = {
        .authority = authority, .request = request, .answer = answer, .outcome = outcome
    };
    bool allowed;

    outcome->shared = true;
    outcome->unlined = endpoint == NULL || !slice_is(request->method, endpoint->method);
    if (endpoint == NULL) {
        refuse_path(&call);
    } else if (slice_is(request->method, "OPTIONS")) {
        outcome->unlined = false;
        answer_preflight(&call, endpoint);
    } else if (outcome->unlined) {
        refuse_method(&call, endpoint);
    } else if (endpoint->document != NULL) {
        endpoint->document(&call);
    } else {
        allowed = read_form(&call) && authenticate(&call, endpoint) && endpoint->handle(&call);
        begin_line(&call, endpoint->action, allowed);
    }
    if (answer->status == 0)
        answer->status = 200;
    client_free(&call.client);
}
