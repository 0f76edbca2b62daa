/* authority/oauth/assertion.c - private_key_jwt: a client that signs who it is (RFC 7523
 * §3, OpenID Connect Core §9). */
#include "oauth.h"

#include "crypto/hash.h"
#include "crypto/jws.h"

enum { JTI_MAX = 256, LIFE_MAX_MS = 5 * 60 * 1000, SKEW_MS = 30 * 1000 };
#define SECONDS_MAX INT64_C(253402300799) /* the end of the year 9999: no sum runs over */

struct claims {
    struct slice issuer, subject, audience, jti;
    int64_t expires_at, not_before, issued_at; /* wall ms; 0: absent */
};

static bool
take_text(const json_t *payload, const char *name, struct slice *out)
{
    const json_t *member = json_object_get(payload, name);

    if (!json_is_string(member))
        return false;
    *out = slice_of(json_string_value(member), json_string_length(member));
    return out->size > 0;
}

static bool
take_time(const json_t *payload, const char *name, int64_t *out)
{
    const json_t *member = json_object_get(payload, name);

    *out = 0;
    if (member == NULL)
        return true;
    if (!json_is_integer(member) || json_integer_value(member) <= 0 ||
        json_integer_value(member) > SECONDS_MAX)
        return false;
    *out = json_integer_value(member) * 1000;
    return true;
}

/* aud is one text: a list could name a server that would use the assertion here. */
static bool
take_claims(const json_t *payload, struct claims *out)
{
    return json_is_object(payload) && take_text(payload, "iss", &out->issuer) &&
           take_text(payload, "sub", &out->subject) && take_text(payload, "aud", &out->audience) &&
           take_text(payload, "jti", &out->jti) && out->jti.size <= JTI_MAX &&
           take_time(payload, "exp", &out->expires_at) && out->expires_at > 0 &&
           take_time(payload, "nbf", &out->not_before) &&
           take_time(payload, "iat", &out->issued_at);
}

static bool
is_for_us(const struct oauth_call *call, struct slice audience)
{
    struct slice issuer = call->authority->options.issuer, path;

    if (slice_equal(audience, issuer))
        return true;
    /* The old habit: the URL of the endpoint, as the metadata writes it. */
    if (slice_ends(issuer, SLICE_LITERAL("/")))
        issuer.size--;
    path = slice_from(audience, issuer.size);
    return slice_starts(audience, issuer) && slice_equal(path, call->request->path);
}

static bool
times_hold(const struct claims *claims, int64_t now)
{
    return now < claims->expires_at + SKEW_MS &&
           claims->expires_at <= now + LIFE_MAX_MS + SKEW_MS &&
           claims->not_before <= now + SKEW_MS && claims->issued_at <= now + 1000;
}

/* Once, until it is over. */
static bool
is_first_use(const struct oauth_call *call, const struct claims *claims)
{
    const struct slice parts[] = { SLICE_LITERAL("writ assertion"), claims->issuer,
                                   SLICE_LITERAL("\n"), claims->jti };
    uint8_t digest[HASH_SIZE];

    return hash_sha256(parts, sizeof parts / sizeof parts[0], digest) == STATUS_OK &&
           replay_take(call->authority->options.replays, digest, call->request->now,
                       claims->expires_at + 2 * SKEW_MS) == STATUS_OK;
}

/* What the client's key signed for another use is no assertion (RFC 8725 §3.11). */
static bool
type_fits(const json_t *header)
{
    struct slice type;

    if (json_object_get(header, "typ") == NULL)
        return true;
    return take_text(header, "typ", &type) &&
           (slice_equal_nocase(type, SLICE_LITERAL("JWT")) ||
            slice_equal_nocase(type, SLICE_LITERAL("client-authentication+jwt")));
}

/* The key is the client's own, by the header's kid; no key that came along is looked at. */
static bool
signature_holds(const struct oauth_call *call, const struct jws *jws)
{
    const struct public_key *key;
    struct slice kid = { 0 };
    enum sign_alg alg;
    json_t *header;
    bool holds;

    if (jws_header(jws->header, &header, &alg, NULL) != STATUS_OK)
        return false;
    (void)take_text(header, "kid", &kid);
    key = call->client.keys == NULL ? NULL : jwks_find(call->client.keys, kid, alg);
    holds = key != NULL && type_fits(header) &&
            public_key_verify(key, alg, jws->signed_text, jws->signature) == STATUS_OK;
    json_decref(header);
    return holds;
}

/* What an earlier process may have taken is taken no more: it was made since the start, or
 * ends so late that it would not have been taken before. A node that never served before
 * knows of no such. */
static bool
outlives_no_restart(const struct oauth_call *call, const struct claims *claims)
{
    int64_t start = call->authority->options.started_at;

    return claims->issued_at >= start || claims->expires_at > start + LIFE_MAX_MS + SKEW_MS;
}

static bool
claims_hold(struct oauth_call *call, const struct jws *jws, const struct claims *claims)
{
    struct slice named = form_value(&call->form, "client_id");

    return slice_equal(claims->issuer, claims->subject) &&
           (named.size == 0 || slice_equal(named, claims->issuer)) &&
           is_for_us(call, claims->audience) && times_hold(claims, call->request->now) &&
           outlives_no_restart(call, claims) &&
           oauth_client_find(call, claims->issuer) == STATUS_OK &&
           call->client.auth == CLIENT_PRIVATE_KEY_JWT && signature_holds(call, jws) &&
           is_first_use(call, claims);
}

bool
assertion_holds(struct oauth_call *call, struct slice assertion)
{
    struct claims claims = { 0 };
    struct jws jws;
    json_t *payload;
    bool holds;

    if (jws_split(assertion, call->request->arena, &jws) != STATUS_OK ||
        json_read(jws.payload, &payload, NULL) != STATUS_OK)
        return false;
    holds = take_claims(payload, &claims) && claims_hold(call, &jws, &claims);
    json_decref(payload);
    return holds;
}
