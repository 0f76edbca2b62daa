/* authority/oauth/metadata.c - what this authority offers (RFC 8414), so that stock
 * clients find their way. */
#include "oauth.h"

static json_t *
url_json(const struct oauth_call *call, const char *path)
{
    struct slice issuer = call->authority->options.issuer;

    if (slice_ends(issuer, SLICE_LITERAL("/")))
        issuer = slice_first(issuer, issuer.size - 1);
    return json_slice(arena_format(call->request->arena, "%.*s%s", SLICE_PRINT(issuer), path));
}

static json_t *
words(const char *text)
{
    struct slice rest = slice_text(text), word;
    json_t *list = json_array();

    while (slice_next(&rest, ' ', &word))
        json_array_append_new(list, json_slice(word));
    return list;
}

/* Log-in through a browser is not enabled, yet clients insist on its members. */
void
oauth_metadata(struct oauth_call *call)
{
    static const char methods[] = "client_secret_basic client_secret_post private_key_jwt "
                                  "tls_client_auth self_signed_tls_client_auth";
    static const char signatures[] = DPOP_ALGS;
    const struct {
        const char *name;
        json_t *value;
    } members[] = {
        { "issuer", json_slice(call->authority->options.issuer) },
        { "authorization_endpoint", url_json(call, "/oauth/authorize") },
        { "token_endpoint", url_json(call, "/oauth/token") },
        { "jwks_uri", url_json(call, "/.well-known/jwks.json") },
        { "introspection_endpoint", url_json(call, "/oauth/introspect") },
        { "revocation_endpoint", url_json(call, "/oauth/revoke") },
        { "response_types_supported", words("code") },
        { "grant_types_supported",
          words("client_credentials urn:ietf:params:oauth:grant-type:token-exchange "
                "refresh_token") },
        { "token_endpoint_auth_methods_supported", words(methods) },
        { "token_endpoint_auth_signing_alg_values_supported", words(signatures) },
        { "introspection_endpoint_auth_methods_supported", words(methods) },
        { "introspection_endpoint_auth_signing_alg_values_supported", words(signatures) },
        { "revocation_endpoint_auth_methods_supported", words(methods) },
        { "revocation_endpoint_auth_signing_alg_values_supported", words(signatures) },
        { "code_challenge_methods_supported", words("S256") },
        { "dpop_signing_alg_values_supported", words(DPOP_ALGS) },
        { "tls_client_certificate_bound_access_tokens", json_true() },
    };
    json_t *body = json_object();

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        json_object_set_new(body, members[i].name, members[i].value);
    call->answer->body = body;
}

void
oauth_authorize_page(struct oauth_call *call)
{
    call->answer->content_type = "text/html; charset=utf-8";
    call->answer->text = SLICE_LITERAL(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>Writ</title></head>\n<body><h1>Log-in is not enabled</h1>\n"
        "<p>This authority gives tokens to clients that come for themselves "
        "(client_credentials) or exchange a token. There is no page to log in at: ask the "
        "operator for a token.</p></body></html>\n");
}
