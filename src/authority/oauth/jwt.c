/* authority/oauth/jwt.c - an access token as a JWT (RFC 9068): the same record in a text
 * that others can read. Where it is good is decided by the record all the same. */
#include "oauth.h"

#include "base/clock.h"
#include "crypto/jws.h"

static enum status
set_new(json_t *object, const char *name, json_t *value)
{
    return value != NULL && json_object_set_new(object, name, value) == 0 ? STATUS_OK
                                                                          : STATUS_MEMORY;
}

static json_t *
seconds(int64_t ms)
{
    return json_integer(ms / MS_SECOND);
}

/* Others read the scope and the end alone: a role for a time must not be told for longer. */
static int64_t
end_of(const struct authority *authority, const struct jwt_claims *claims)
{
    const struct policy *policy = world_policy_of(authority->world);
    int64_t end = claims->record->expires_at, now = clock_wall_ms();

    for (size_t i = 0; i < claims->lineage->count; i++) {
        struct subject_view view;

        if (!policy_subject(policy, claims->lineage->links[i].subject, &view))
            continue;
        for (size_t k = 0; k < view.role_count; k++)
            if (view.until[k] > now && view.until[k] < end)
                end = view.until[k];
    }
    return end;
}

/* RFC 9068 §2.2; cnf of RFC 7800, act of RFC 8693. */
static enum status
put_claims(const struct authority *authority, const struct jwt_claims *claims, json_t *payload)
{
    const struct token_record *record = claims->record;
    char id[TOKEN_ID_TEXT + 1];
    json_t *act = oauth_act(authority, claims->lineage);
    enum status status = act == NULL ? STATUS_OK : set_new(payload, "act", act);

    if (status == STATUS_OK)
        status = set_new(payload, "iss", json_slice(authority->options.issuer));
    if (status == STATUS_OK)
        status = set_new(payload, "sub", json_slice(oauth_sub(authority, claims->lineage)));
    if (status == STATUS_OK)
        status = set_new(payload, "aud", oauth_aud(authority, record->audience));
    if (status == STATUS_OK)
        status = set_new(payload, "client_id", json_slice(record->issued_by));
    if (status == STATUS_OK)
        status = set_new(payload, "iat", seconds(record->issued_at));
    if (status == STATUS_OK)
        status = set_new(payload, "nbf", seconds(record->not_before));
    if (status == STATUS_OK)
        status = set_new(payload, "exp", seconds(end_of(authority, claims)));
    if (status == STATUS_OK)
        status = set_new(payload, "jti", json_string(token_id_format(&record->id, id)));
    if (status == STATUS_OK && claims->scope.size > 0)
        status = set_new(payload, "scope", json_slice(claims->scope));
    if (status == STATUS_OK && record->binding.kind != BINDING_NONE)
        status = set_new(payload, "cnf", binding_json(&record->binding));
    return status;
}

enum status
oauth_jwt(struct authority *authority, const struct jwt_claims *claims, struct buffer *out)
{
    const struct jwt_key *key = jwt_key_active(&authority->keys);
    json_t *header = json_object(), *payload = json_object();
    enum status status = key == NULL                         ? STATUS_INTERNAL
                         : header == NULL || payload == NULL ? STATUS_MEMORY
                                                             : STATUS_OK;

    if (status == STATUS_OK)
        status = set_new(header, "typ", json_string("at+jwt"));
    if (status == STATUS_OK)
        status = set_new(header, "kid", json_string(key->kid));
    if (status == STATUS_OK)
        status = put_claims(authority, claims, payload);
    if (status == STATUS_OK)
        status = jws_sign(key->pair, ALG_ES256, header, payload, out);
    if (status == STATUS_OK && out->size > JWT_TOKEN_MAX)
        status = STATUS_TOO_LARGE;
    json_decref(header);
    json_decref(payload);
    return status;
}
