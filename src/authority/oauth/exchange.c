/* authority/oauth/exchange.c - token exchange (RFC 8693): a child of the subject token's
 * line, for whoever acts. It can only be narrower: every request is decided by the whole
 * lineage, each token with its own subject. Delegation alone is offered: the acting
 * subject stays visible, nobody becomes another (§1.1). */
#include "oauth.h"

/* A token that came with the call, proven. */
struct shown {
    struct credential credential;
    struct world_token_info info;
};

struct exchange {
    struct oauth_call *call;
    struct shown subject, actor;
    bool has_actor;
    struct grant_ask ask;
};

static bool
is_access_type(struct slice type)
{
    return slice_is(type, TOKEN_TYPE_ACCESS) || slice_is(type, TOKEN_TYPE_JWT);
}

static bool
refuse_shown(struct oauth_call *call, const char *what, const char *why)
{
    return oauth_refuse(call, OAUTH_INVALID_REQUEST, "%s: %s", what, why);
}

/* §2.2.2: a token that is worth nothing is invalid_request. */
static bool
take_shown(struct oauth_call *call, const char *what, struct slice text, struct shown *out)
{
    struct authority *authority = call->authority;
    struct api_request *request = call->request;
    enum credential_verdict verdict =
        world_authenticate(authority->reader, text, request->now, request->arena, &out->credential);

    if (verdict != CREDENTIAL_OK)
        return refuse_shown(call, what, credential_verdict_text(verdict));
    if (!world_token(authority->world, &out->credential.id, request->now, &out->info))
        return refuse_shown(call, what, "the token is not known");
    if (out->credential.id_text.size > TOKEN_ID_TEXT)
        return refuse_shown(call, what,
                            "a token narrowed by its holder can't be exchanged: what comes out "
                            "would not carry its caveats. Ask for a scope instead");
    if (!oauth_proves(call, &out->credential.binding))
        return refuse_shown(call, what,
                            "the token is bound to a key: this call has to prove that very key");
    return true;
}

static bool
take_subject(struct exchange *exchange)
{
    struct oauth_call *call = exchange->call;
    struct slice text = form_value(&call->form, "subject_token");
    struct slice type = form_value(&call->form, "subject_token_type");

    if (text.size == 0 || type.size == 0)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "subject_token and subject_token_type are needed");
    if (!is_access_type(type))
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "subject_token_type is " TOKEN_TYPE_ACCESS " or " TOKEN_TYPE_JWT);
    if (!take_shown(call, "subject_token", text, &exchange->subject))
        return false;
    call->subject_token = &exchange->subject.credential;
    return true;
}

/* The actor's token says who acts; what it holds itself down to must hold on, and a child
 * has one parent alone. So it is one whose limits can be carried over. */
static bool
actor_fits(struct exchange *exchange)
{
    const struct token_record *record = &exchange->actor.info.record;
    struct token_ask *token = &exchange->ask.token;
    struct slice roles = record->roles, role;

    if (!token_id_is_none(&record->parent_line) || record->network_count > 0 ||
        record->max_uses != USES_UNLIMITED || record->idle_ms != TIME_NEVER)
        return refuse_shown(exchange->call, "actor_token",
                            "it has a parent, networks, an idle time or a limit of uses, which "
                            "the new token would not have: come as the client itself");
    token->subject = record->subject;
    token->roles_given = true;
    while (roles.size > 0 && slice_next(&roles, ' ', &role) && token->role_count < TOKEN_ROLES_MAX)
        token->roles[token->role_count++] = role;
    if (exchange->actor.credential.expires_at < token->expires_most)
        token->expires_most = exchange->actor.credential.expires_at;
    return true;
}

static bool
take_actor(struct exchange *exchange)
{
    struct oauth_call *call = exchange->call;
    struct slice text = form_value(&call->form, "actor_token");
    struct slice type = form_value(&call->form, "actor_token_type");

    exchange->ask.token.subject = call->client.name;
    if ((text.size == 0) != (type.size == 0))
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "actor_token and actor_token_type come together or not at all");
    if (text.size == 0)
        return true;
    if (!is_access_type(type))
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "actor_token_type is " TOKEN_TYPE_ACCESS " or " TOKEN_TYPE_JWT);
    exchange->has_actor = true;
    return take_shown(call, "actor_token", text, &exchange->actor) && actor_fits(exchange);
}

static bool
take_form(struct exchange *exchange)
{
    struct oauth_call *call = exchange->call;
    struct slice type = form_value(&call->form, "requested_token_type");
    struct grant_ask *ask = &exchange->ask;

    ask->form = slice_is(type, TOKEN_TYPE_JWT) ? TOKEN_FORM_JWT : call->client.form;
    ask->refresh_part = call->client.gives_refresh ? REFRESH_ISSUED : REFRESH_NONE;
    if (slice_is(type, TOKEN_TYPE_REFRESH) && call->client.gives_refresh) {
        ask->refresh_part = REFRESH_ALONE;
        ask->issued_token_type = TOKEN_TYPE_REFRESH;
    } else if (type.size == 0 || is_access_type(type)) {
        ask->issued_token_type =
            slice_is(type, TOKEN_TYPE_JWT) ? TOKEN_TYPE_JWT : TOKEN_TYPE_ACCESS;
    } else {
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "requested_token_type: this client is given access tokens%s",
                            call->client.gives_refresh ? ", JWTs and refresh tokens" : " and JWTs");
    }
    return true;
}

/* A scope that was asked for lies within what the subject token comes to, and within the
 * actor's token; without one the actor's own holds. */
static bool
take_scope(struct exchange *exchange)
{
    struct oauth_call *call = exchange->call;
    struct token_ask *token = &exchange->ask.token;
    struct fault fault = { 0 };
    enum status status = STATUS_OK;

    token->scope = form_value(&call->form, "scope");
    if (token->scope.size > 0)
        status = oauth_scope_within(call->authority, &exchange->subject.credential.lineage,
                                    token->scope, &fault);
    if (status == STATUS_OK && token->scope.size > 0 && exchange->has_actor)
        status = oauth_scope_within(call->authority, &exchange->actor.credential.lineage,
                                    token->scope, &fault);
    if (token->scope.size == 0 && exchange->has_actor)
        token->scope = exchange->actor.info.record.scope;
    return status == STATUS_OK || oauth_refuse_fault(call, status, &fault);
}

/* Within the subject token's (token_record_make sees to that), and the actor token's. */
static bool
take_audience(struct exchange *exchange)
{
    struct oauth_call *call = exchange->call;
    struct token_ask *token = &exchange->ask.token;
    struct slice own;

    if (!oauth_audience(call, &token->audience))
        return false;
    if (!exchange->has_actor || exchange->actor.info.record.audience.size == 0)
        return true;
    own = token->audience.size > 0 ? token->audience : exchange->subject.info.record.audience;
    if (own.size > 0 && audience_within(own, exchange->actor.info.record.audience))
        return true;
    return oauth_refuse(call, OAUTH_INVALID_TARGET, "the actor's token is not good there");
}

bool
oauth_exchange(struct oauth_call *call)
{
    struct exchange *exchange = arena_zeroed(call->request->arena, sizeof *exchange);

    if (exchange == NULL)
        return oauth_refuse(call, OAUTH_SERVER_ERROR, "out of memory");
    exchange->call = call;
    if (!call->client.token_exchange)
        return oauth_refuse(call, OAUTH_UNAUTHORIZED_CLIENT,
                            "this client may not exchange tokens: see grants of its client");
    if (!take_form(exchange) || !take_subject(exchange))
        return false;
    exchange->ask.token.has_parent = true;
    exchange->ask.token.parent = exchange->subject.credential.id;
    exchange->ask.token.expires_most = exchange->subject.credential.expires_at;
    return take_actor(exchange) && take_scope(exchange) && take_audience(exchange) &&
           oauth_mint(call, &exchange->ask);
}
