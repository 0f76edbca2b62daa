/* authority/oauth/authenticate.c - which client calls (RFC 6749 §2.3): by exactly one
 * method, the one that it is registered with. */
#include "oauth.h"

#include "base/encoding.h"
#include "crypto/jws.h"

enum { BASIC_MAX = 2048 };

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* Whatever was wrong: who knows a client's name learns nothing by it. */
static bool
refuse_client(struct oauth_call *call)
{
    client_free(&call->client);
    return oauth_refuse(call, OAUTH_INVALID_CLIENT,
                        "client authentication failed: the client is not known, or it showed "
                        "something else than what it is registered with");
}

/* --- what was shown ----------------------------------------------------------- */

static struct slice
basic_value(const struct oauth_call *call)
{
    struct slice value = http_head_value(call->request->shown.head, HTTP_FIELD_AUTHORIZATION);
    struct slice scheme = slice_first(value, slice_find(value, ' '));

    if (!slice_equal_nocase(scheme, SLICE_LITERAL("Basic")))
        return (struct slice){ 0 };
    return slice_trim(slice_from(value, scheme.size));
}

/* Name and secret are form-encoded each before they are joined (§2.3.1). */
static bool
decode_part(struct slice text, struct arena *arena, struct slice *out)
{
    struct slice pair = arena_format(arena, "v=%.*s", SLICE_PRINT(text));
    struct form form;

    if (slice_find(text, '&') != text.size || form_read(pair, arena, &form, NULL) != STATUS_OK ||
        form.count != 1)
        return false;
    *out = form.fields[0].value;
    return true;
}

static bool
read_basic(struct oauth_call *call, struct slice value, struct slice *name, struct slice *secret)
{
    char *text = arena_take(call->request->arena, BASIC_MAX);
    struct slice whole;
    size_t size, colon;

    if (text == NULL || !base64_decode(value, (uint8_t *)text, BASIC_MAX, &size))
        return false;
    whole = slice_of(text, size);
    colon = slice_find(whole, ':');
    return colon < size && decode_part(slice_first(whole, colon), call->request->arena, name) &&
           decode_part(slice_from(whole, colon + 1), call->request->arena, secret);
}

/* --- the methods ------------------------------------------------------------------ */

/* The secret is judged first, and whose it is: who shows a wrong one learns of no name
 * whether it is a client's, neither by the words nor by the time. */
static bool
by_secret(struct oauth_call *call, struct slice name, struct slice secret, bool basic)
{
    const struct presented_text shown = { .text = secret,
                                          .purpose = PURPOSE_CLIENT_SECRET,
                                          .now = call->request->now };
    struct credential credential;
    enum credential_verdict verdict =
        world_authenticate_as(call->authority->reader, &shown, call->request->arena, &credential);

    if (verdict != CREDENTIAL_OK || !slice_equal(credential.subject, name) ||
        oauth_client_find(call, name) != STATUS_OK || call->client.auth != CLIENT_SECRET ||
        (basic && call->client.post_only) || (!basic && call->client.basic_only))
        return refuse_client(call);
    if (world_use(call->authority->reader, &credential, call->request->now) != USE_TAKEN)
        return refuse_client(call);
    return true;
}

static bool
by_assertion(struct oauth_call *call, struct slice assertion)
{
    if (!slice_is(form_value(&call->form, "client_assertion_type"), ASSERTION_TYPE))
        return oauth_refuse(call, OAUTH_INVALID_CLIENT,
                            "client_assertion_type must be " ASSERTION_TYPE);
    return assertion_holds(call, assertion) || refuse_client(call);
}

/* RFC 8705 §2: a name in a chain that is trusted, or one of the client's own keys. */
static bool
certificate_fits(const struct oauth_call *call, const struct certificate *certificate)
{
    const struct oauth_client *client = &call->client;
    const struct public_key *key = certificate_key(certificate);

    if (!certificate_valid_at(certificate, call->request->now))
        return false;
    if (client->auth == CLIENT_TLS)
        return call->request->shown.chain_trusted &&
               certificate_is_named(certificate, client->certificate_name,
                                    client->certificate_value);
    if (client->auth != CLIENT_SELF_SIGNED_TLS || key == NULL)
        return false;
    for (size_t i = 0; i < jwks_count(client->keys); i++) {
        if (memcmp(public_key_thumbprint(jwks_at(client->keys, i)), public_key_thumbprint(key),
                   THUMBPRINT_SIZE) == 0)
            return true;
    }
    return false;
}

static bool
by_certificate(struct oauth_call *call, struct slice name)
{
    const struct api_shown *shown = &call->request->shown;
    struct certificate *certificate;
    bool fits;

    if (name.size == 0 || !shown->has_certificate ||
        certificate_from_der(shown->der, &certificate) != STATUS_OK)
        return refuse_client(call);
    fits = oauth_client_find(call, name) == STATUS_OK && certificate_fits(call, certificate);
    certificate_free(certificate);
    return fits || refuse_client(call);
}

bool
oauth_authenticate(struct oauth_call *call)
{
    struct slice name = form_value(&call->form, "client_id"), shown_name = { 0 };
    struct slice secret = form_value(&call->form, "client_secret");
    struct slice assertion = form_value(&call->form, "client_assertion");
    struct slice basic = basic_value(call);

    if (http_head_field_count(call->request->shown.head, HTTP_FIELD_AUTHORIZATION) > 1 ||
        (basic.size > 0) + (secret.size > 0) + (assertion.size > 0) > 1)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST,
                            "show one thing that says which client this is, not several");
    if (assertion.size > 0)
        return by_assertion(call, assertion);
    if (basic.size > 0) {
        struct slice basic_secret = { 0 };

        if (!read_basic(call, basic, &shown_name, &basic_secret) ||
            (name.size > 0 && !slice_equal(name, shown_name)))
            return refuse_client(call);
        return by_secret(call, shown_name, basic_secret, true);
    }
    return secret.size > 0 ? by_secret(call, name, secret, false) : by_certificate(call, name);
}
