/* authority/oauth/token.c - POST /oauth/token, by its grant; and the grant of a client
 * that comes for itself (RFC 6749 §4.4). */
#include "oauth.h"

static const struct grant_row {
    const char *type;
    bool (*handle)(struct oauth_call *call);
} grants[] = {
    { "client_credentials", oauth_client_credentials },
    { "urn:ietf:params:oauth:grant-type:token-exchange", oauth_exchange },
    { "refresh_token", oauth_refresh },
};

bool
oauth_token(struct oauth_call *call)
{
    struct slice type = form_value(&call->form, "grant_type");

    if (type.size == 0)
        return oauth_refuse(call, OAUTH_INVALID_REQUEST, "grant_type is missing");
    for (size_t i = 0; i < sizeof grants / sizeof grants[0]; i++) {
        if (slice_is(type, grants[i].type))
            return grants[i].handle(call);
    }
    return oauth_refuse(call, OAUTH_UNSUPPORTED_GRANT_TYPE,
                        "grant_type is client_credentials, refresh_token, or "
                        "urn:ietf:params:oauth:grant-type:token-exchange");
}

/* No refresh token goes along (§4.4.3): the client can come again. */
bool
oauth_client_credentials(struct oauth_call *call)
{
    struct grant_ask ask = { .token = { .subject = call->client.name,
                                        .scope = form_value(&call->form, "scope") },
                             .form = call->client.form };

    if (!call->client.client_credentials)
        return oauth_refuse(call, OAUTH_UNAUTHORIZED_CLIENT,
                            "this client may not use client_credentials: see grants of its client");
    return oauth_audience(call, &ask.token.audience) && oauth_mint(call, &ask);
}
