/* authority/oauth/introspect.c - what a token is, for whom it concerns (RFC 7662). To
 * everybody else, and for every dead token, the answer is the same. */
#include "oauth.h"

/* The client that got it, its own subject, the resource it is meant for, or who may. */
static bool
concerns(const struct oauth_call *call, const struct shown_token *shown)
{
    const struct token_record *record = &shown->info.record;
    struct slice client = call->client.name;

    if (client.size > 0 &&
        (slice_equal(client, record->issued_by) || slice_equal(client, record->subject) ||
         (record->audience.size > 0 && audience_within(client, record->audience))))
        return true;
    return oauth_may(call, "oauth.introspect", record->subject);
}

static void
put_seconds(json_t *body, const char *name, int64_t ms)
{
    if (ms != TIME_NEVER)
        json_object_set_new(body, name, json_integer(ms / MS_SECOND));
}

/* §2.2. The scope is what the token comes to with its caveats and those above it. */
static void
put_rights(const struct oauth_call *call, const struct shown_token *shown, json_t *body)
{
    struct slice scope;

    if (oauth_scope_of(call->authority, &shown->credential.lineage, shown->info.record.audience,
                       call->request->arena, &scope))
        json_object_set_new(body, "scope",
                            json_slice(scope.at == NULL ? SLICE_LITERAL("") : scope));
}

static void
put_who(const struct oauth_call *call, const struct shown_token *shown, json_t *body)
{
    const struct authority *authority = call->authority;
    const struct lineage *lineage = &shown->credential.lineage;
    struct slice sub = oauth_sub(authority, lineage);
    json_t *act = oauth_act(authority, lineage);
    struct subject_view view;

    json_object_set_new(body, "sub", json_slice(sub));
    if (policy_subject(world_policy_of(authority->world),
                       lineage->links[lineage->count - 1].subject, &view) &&
        view.type == SUBJECT_USER)
        json_object_set_new(body, "username", json_slice(sub));
    if (act != NULL)
        json_object_set_new(body, "act", act);
    if (shown->info.record.issued_by.size > 0)
        json_object_set_new(body, "client_id", json_slice(shown->info.record.issued_by));
}

static json_t *
active(const struct oauth_call *call, const struct shown_token *shown)
{
    const struct token_record *record = &shown->info.record;
    const struct binding *binding = &shown->credential.binding;
    json_t *body = json_object();

    json_object_set_new(body, "active", json_true());
    put_rights(call, shown, body);
    put_who(call, shown, body);
    json_object_set_new(body, "aud", oauth_aud(call->authority, record->audience));
    json_object_set_new(body, "iss", json_slice(call->authority->options.issuer));
    put_seconds(body, "exp", shown->credential.expires_at);
    put_seconds(body, "iat", record->issued_at);
    put_seconds(body, "nbf", record->not_before);
    json_object_set_new(body, "jti", json_slice(shown->credential.id_text));
    if (record->purpose == PURPOSE_ACCESS)
        json_object_set_new(body, "token_type",
                            json_string(binding->kind == BINDING_JKT ? "DPoP" : "Bearer"));
    if (binding->kind != BINDING_NONE)
        json_object_set_new(body, "cnf", binding_json(binding));
    return body;
}

bool
oauth_introspect(struct oauth_call *call)
{
    struct shown_token *shown = arena_zeroed(call->request->arena, sizeof *shown);
    struct slice text = form_value(&call->form, "token");

    if (shown == NULL)
        return oauth_refuse(call, OAUTH_SERVER_ERROR, "out of memory");
    if (text.size == 0)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "token is missing");
    call->answer->status = 200;
    if (oauth_find(call, text, shown) && shown->verdict == CREDENTIAL_OK && concerns(call, shown))
        call->answer->body = active(call, shown);
    else
        call->answer->body = json_pack("{s:b}", "active", 0);
    return true;
}
