/* authority/oauth/jwks.c - the public halves of the keys that sign JWTs (RFC 7517 §5),
 * also of those that sign no more but whose tokens may live. */
#include "oauth.h"

static json_t *
public_half(const struct jwt_key *key)
{
    json_t *jwk = public_key_jwk(private_key_public(key->pair));

    json_object_set_new(jwk, "use", json_string("sig"));
    json_object_set_new(jwk, "alg", json_string(alg_name(ALG_ES256)));
    json_object_set_new(jwk, "kid", json_string(key->kid));
    return jwk;
}

void
oauth_jwks(struct oauth_call *call)
{
    const struct keys *keys = &call->authority->keys;
    json_t *list = json_array();

    for (size_t i = 0; i < keys->jwt_count; i++) {
        if (keys->jwt[i].until > call->request->now)
            json_array_append_new(list, public_half(&keys->jwt[i]));
    }
    call->answer->status = 200;
    call->answer->body = json_pack("{s:o}", "keys", list);
}
