/* authority/oauth/mint.c - a grant's token: its record made as the API's issue makes it,
 * durable before it is told (RFC 6749 §5.1). */
#include "oauth.h"

#include "base/secret.h"

/* One making, from what is asked to what is told. */
struct making {
    struct oauth_call *call;
    struct grant_ask *ask;
    struct token_record access;
    struct change changes[2];
    size_t count;
};

bool
oauth_refuse_fault(struct oauth_call *call, enum status status, const struct fault *fault)
{
    static const char prefix[] = "invalid_scope: ";
    const char *text = fault->text[0] == '\0' ? status_text(status) : fault->text;
    enum oauth_error error = OAUTH_INVALID_REQUEST;

    if (strncmp(text, prefix, sizeof prefix - 1) == 0)
        text += sizeof prefix - 1;
    if (status_class_of(status) == STATUS_CLASS_BROKEN) {
        error = status == STATUS_IO || status == STATUS_FULL || status == STATUS_CORRUPT
                    ? OAUTH_TEMPORARILY_UNAVAILABLE
                    : OAUTH_SERVER_ERROR;
        text = status_text(status); /* what is inside is not a client's concern */
    } else if (strcmp(fault->pointer, "/scope") == 0) {
        error = OAUTH_INVALID_SCOPE;
    } else if (strcmp(fault->pointer, "/audience") == 0) {
        error = OAUTH_INVALID_TARGET;
    }
    return oauth_refuse(call, error, "%s", text);
}

static void
fill_ask(struct oauth_call *call, struct token_ask *token)
{
    token->binding = call->proven;
    token->issued_by = call->client.name;
    token->now = call->request->now;
    token->arena = call->request->arena;
}

/* The longest life that a token may have here: its line ends with limits.max_line. */
static enum status
make_refresh(struct making *making, struct fault *fault)
{
    struct authority *authority = making->call->authority;
    struct token_ask ask = making->ask->token;
    enum status status;

    ask.purpose = PURPOSE_REFRESH;
    ask.ttl = authority->options.settings.max_ttl_ms;
    status = token_record_make(authority, &ask, &making->ask->refresh, fault);
    if (status == STATUS_OK)
        making->changes[making->count++] = (struct change){ .kind = CHANGE_TOKEN_ISSUED,
                                                            .at = ask.now,
                                                            .token = making->ask->refresh };
    return status;
}

static enum status
make_access(struct making *making, struct fault *fault)
{
    struct authority *authority = making->call->authority;
    struct grant_ask *ask = making->ask;
    enum status status;

    ask->token.purpose = PURPOSE_ACCESS;
    ask->token.ttl = making->call->client.ttl;
    if (ask->token.ttl > authority->options.settings.max_ttl_ms)
        ask->token.ttl = authority->options.settings.max_ttl_ms;
    status = token_record_make(authority, &ask->token, &making->access, fault);
    if (status == STATUS_OK && ask->refresh_part != REFRESH_NONE) {
        /* It ends with its refresh token's line (RFC 7009 §2.1: the access tokens go
         * along). */
        making->access.parent_line = ask->refresh.line;
        if (ask->refresh.expires_at < making->access.expires_at)
            making->access.expires_at = ask->refresh.expires_at;
    }
    if (status == STATUS_OK)
        making->changes[making->count++] = (struct change){ .kind = CHANGE_TOKEN_ISSUED,
                                                            .at = ask->token.now,
                                                            .token = making->access };
    return status;
}

static bool
make(struct making *making)
{
    struct fault fault = { 0 };
    enum status status = STATUS_OK;

    fill_ask(making->call, &making->ask->token);
    if (making->ask->refresh_part == REFRESH_ISSUED || making->ask->refresh_part == REFRESH_ALONE)
        status = make_refresh(making, &fault);
    if (making->ask->refresh_part == REFRESH_ROTATED)
        making->changes[making->count++] =
            (struct change){ .kind = CHANGE_TOKEN_ROTATED,
                             .at = making->call->request->now,
                             .token = making->ask->refresh,
                             .expires_at = making->ask->predecessor_end };
    if (status == STATUS_OK && making->ask->refresh_part != REFRESH_ALONE)
        status = make_access(making, &fault);
    if (status == STATUS_OK)
        status =
            authority_commit(making->call->authority, making->changes, making->count, NULL, &fault);
    if (status != STATUS_OK)
        return oauth_refuse_fault(making->call, status, &fault);
    making->call->authority->counters.issued++;
    return true;
}

/* --- telling ------------------------------------------------------------------------ */

static bool
scope_asked(const struct making *making)
{
    return form_value(&making->call->form, "scope").size > 0;
}

/* What was granted, in rights: always told, for it may be less than the client expects. */
static struct slice
scope_told(const struct making *making, const struct lineage *lineage)
{
    struct slice scope = making->access.scope;

    if (!scope_asked(making) &&
        !oauth_scope_of(making->call->authority, lineage, making->access.audience,
                        making->call->request->arena, &scope))
        scope = making->access.scope;
    return scope;
}

static enum status
put_opaque(struct authority *authority, const struct token_record *record, struct buffer *out)
{
    char text[TOKEN_TEXT_SIZE + 1];
    enum status status = token_write(&record->id, record->kid, authority->keys.state, text);

    if (status == STATUS_OK)
        put_text(out, text);
    secret_wipe(text, sizeof text);
    return status;
}

/* The lineage of what was made just now, as every door sees it. */
static bool
read_lineage(const struct making *making, struct slice text, struct credential *out)
{
    struct api_request *request = making->call->request;

    return world_authenticate(making->call->authority->reader, text, request->now, request->arena,
                              out) == CREDENTIAL_OK;
}

static enum status
put_access(const struct making *making, const struct lineage *lineage, struct slice scope,
           struct buffer *text)
{
    struct jwt_claims claims = { .record = &making->access, .lineage = lineage, .scope = scope };
    enum status status = STATUS_OK;

    if (making->ask->form == TOKEN_FORM_OPAQUE)
        return STATUS_OK;
    buffer_clear(text);
    status = oauth_jwt(making->call->authority, &claims, text);
    if (status == STATUS_TOO_LARGE && !scope_asked(making)) {
        /* Who reads the text alone finds no right in it, and refuses. */
        buffer_clear(text);
        claims.scope = (struct slice){ 0 };
        status = oauth_jwt(making->call->authority, &claims, text);
    }
    return status;
}

static enum status
set_new(json_t *object, const char *name, json_t *value)
{
    return value != NULL && json_object_set_new(object, name, value) == 0 ? STATUS_OK
                                                                          : STATUS_MEMORY;
}

static enum status
tell_refresh(const struct making *making, json_t *body)
{
    struct buffer text = { 0 };
    enum status status;

    if (making->ask->refresh_part == REFRESH_NONE)
        return STATUS_OK;
    status = put_opaque(making->call->authority, &making->ask->refresh, &text);
    if (status == STATUS_OK)
        status = set_new(body, "refresh_token", json_slice(buffer_slice(&text)));
    buffer_wipe_free(&text);
    return status;
}

static enum status
fill_body(const struct making *making, struct slice token, struct slice scope, json_t *body)
{
    int64_t now = making->call->request->now;
    enum status status = set_new(body, "access_token", json_slice(token));

    /* Bound through TLS it is presented as Bearer (RFC 8705 §3), through DPoP as DPoP
     * (RFC 9449 §5). */
    if (status == STATUS_OK)
        status =
            set_new(body, "token_type",
                    json_string(making->access.binding.kind == BINDING_JKT ? "DPoP" : "Bearer"));
    if (status == STATUS_OK)
        status = set_new(body, "expires_in",
                         json_integer((making->access.expires_at - now) / MS_SECOND));
    if (status == STATUS_OK && scope.size > 0)
        status = set_new(body, "scope", json_slice(scope));
    if (status == STATUS_OK && making->ask->issued_token_type != NULL)
        status = set_new(body, "issued_token_type", json_string(making->ask->issued_token_type));
    return status == STATUS_OK ? tell_refresh(making, body) : status;
}

static enum status
tell(const struct making *making, struct buffer *text, json_t *body)
{
    struct credential credential;
    struct slice scope;
    enum status status = put_opaque(making->call->authority, &making->access, text);

    if (status != STATUS_OK)
        return status;
    if (!read_lineage(making, buffer_slice(text), &credential))
        return STATUS_INTERNAL;
    scope = scope_told(making, &credential.lineage);
    status = put_access(making, &credential.lineage, scope, text);
    return status == STATUS_OK ? fill_body(making, buffer_slice(text), scope, body) : status;
}

/* RFC 8693 §2.2.1: what was issued stands in access_token, even when it is none. */
static enum status
tell_alone(const struct making *making, struct buffer *text, json_t *body)
{
    const struct token_record *record = &making->ask->refresh;
    int64_t life = record->expires_at - making->call->request->now;
    enum status status = put_opaque(making->call->authority, record, text);

    if (status == STATUS_OK)
        status = set_new(body, "access_token", json_slice(buffer_slice(text)));
    if (status == STATUS_OK)
        status = set_new(body, "token_type", json_string("N_A"));
    if (status == STATUS_OK)
        status = set_new(body, "expires_in", json_integer(life / MS_SECOND));
    if (status == STATUS_OK)
        status = set_new(body, "issued_token_type", json_string(making->ask->issued_token_type));
    if (status == STATUS_OK && record->scope.size > 0)
        status = set_new(body, "scope", json_slice(record->scope));
    return status;
}

bool
oauth_mint(struct oauth_call *call, struct grant_ask *ask)
{
    struct making making = { .call = call, .ask = ask };
    struct buffer text = { 0 };
    json_t *body;
    enum status status;

    if (!make(&making))
        return false;
    body = json_object();
    if (body == NULL)
        status = STATUS_MEMORY;
    else if (ask->refresh_part == REFRESH_ALONE)
        status = tell_alone(&making, &text, body);
    else
        status = tell(&making, &text, body);
    buffer_wipe_free(&text);
    if (status != STATUS_OK) {
        json_decref(body);
        return status == STATUS_TOO_LARGE
                   ? oauth_refuse(call, OAUTH_INVALID_SCOPE,
                                  "a JWT of so many rights is too long: ask for fewer")
                   : oauth_refuse(call, OAUTH_SERVER_ERROR, "the token can't be told");
    }
    call->answer->status = 200;
    call->answer->body = body;
    return true;
}
