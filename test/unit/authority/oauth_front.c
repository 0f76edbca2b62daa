/* authority/oauth_front - the way of a call to the grants: forms, clients and how they say
 * who they are, limits, documents, and what the audit keeps of it. */
#include "oauth_help.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/encoding.h"
#include "crypto/hash.h"
#include "crypto/private_key.h"
#include "http/head.h"
#include "meter/rate.h"
#include "meter/replay.h"
#include "oauth_front.h"

#define CREDENTIALS "grant_type=client_credentials"

/* Self-signed, of O=Example, CN=nightly and DNS:nightly.example, for a hundred years. */
static const char nightly_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBuzCCAWGgAwIBAgIUbhUaMSiT8yh0GrFmHpCctH8tVj4wCgYIKoZIzj0EAwIw\n"
    "JDEQMA4GA1UECgwHRXhhbXBsZTEQMA4GA1UEAwwHbmlnaHRseTAgFw0yNjExMjcw\n"
    "MjMyMjhaGA8yMTI2MTEwMzAyMzIyOFowJDEQMA4GA1UECgwHRXhhbXBsZTEQMA4G\n"
    "A1UEAwwHbmlnaHRseTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLLUcOX5hiMO\n"
    "LKkj+SmMLGOULYMhge5Qi6IM3E5WqN2dbxQTdaHCdZEtRjY96NaXKgAxzlwPf2yz\n"
    "muJq+7R6iw2jbzBtMB0GA1UdDgQWBBRxzzUSyOrD0V+BiqbZAgVukcA1qjAfBgNV\n"
    "HSMEGDAWgBRxzzUSyOrD0V+BiqbZAgVukcA1qjAPBgNVHRMBAf8EBTADAQH/MBoG\n"
    "A1UdEQQTMBGCD25pZ2h0bHkuZXhhbXBsZTAKBggqhkjOPQQDAgNIADBFAiBDG1Ql\n"
    "tNrISb/UTO5tguUHACXiE+fxqVKVA/D9AoYOnAIhAJbgwSyrmUX33GX7iBh5gSkv\n"
    "5IObV00C4EFuWw3eHavo\n"
    "-----END CERTIFICATE-----\n";

/* --- definitions ---------------------------------------------------------------------- */

static void
definitions(void **state)
{
    static const struct {
        unsigned status;
        const char *client, *pointer;
    } cases[] = {
        { 200, "{'auth': 'client_secret'}", "" },
        { 200, "{'auth': 'client_secret_basic', 'grants': [], 'ttl': '5m'}", "" },
        { 200, "{'auth': 'client_secret_post', 'dpop': 'required', 'refresh': true}", "" },
        { 200, "{'auth': 'tls_client_auth', 'san_dns': 'nightly.example'}", "" },
        { 400, "{}", "/client/auth" },
        { 400, "{'auth': 'none'}", "/client/auth" },
        { 400, "{'auth': 'client_secret_jwt'}", "/client/auth" },
        { 400, "{'auth': 'client_secret', 'jwks': {'keys': []}}", "/client" },
        { 400, "{'auth': 'private_key_jwt'}", "/client" },
        { 400, "{'auth': 'private_key_jwt', 'jwks': {'keys': []}}", "/client/jwks" },
        { 400, "{'auth': 'private_key_jwt', 'jwks': {'keys': [{'kty': 'oct', 'k': 'AAAA'}]}}",
          "/client/jwks" },
        { 400, "{'auth': 'private_key_jwt', 'jwks_file': '/nowhere/at/all'}", "/client/jwks_file" },
        { 400, "{'auth': 'private_key_jwt', 'jwks_file': '/dev/zero'}", "/client/jwks_file" },
        { 400, "{'auth': 'tls_client_auth'}", "/client" },
        { 400, "{'auth': 'tls_client_auth', 'san_dns': 'a', 'san_uri': 'b'}", "/client" },
        { 400, "{'auth': 'client_secret', 'san_dns': 'a'}", "/client" },
        { 400, "{'auth': 'client_secret', 'grants': ['password']}", "/client/grants" },
        { 400, "{'auth': 'client_secret', 'token_format': 'paseto'}", "/client/token_format" },
        { 400, "{'auth': 'client_secret', 'ttl': 'soon'}", "/client/ttl" },
        { 400, "{'auth': 'client_secret', 'redirect_uris': []}", "/client" },
    };
    struct fixture *f = oauth_fixture();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned got = client_define(f, "nightly", cases[i].client);

        if (got != cases[i].status ||
            strncmp(text(f, "pointer"), cases[i].pointer, strlen(cases[i].pointer)) != 0)
            fail_msg("%s: %u at %s", cases[i].client, got, text(f, "pointer"));
    }
    fixture_free(f);
}

static void
key_files(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;
    char path[256], client[512], *long_text = calloc(1, 70000);
    json_t *set = json_pack("{s:[o]}", "keys", public_key_jwk(private_key_public(front->key)));
    char *keys = json_dumps(set, 0);
    struct claim claim = claim_of(front, "nightly");

    fixture_write(f, "keys.json", keys);
    snprintf(client, sizeof client, "{'auth': 'private_key_jwt', 'jwks_file': '%s'}",
             fixture_path(f, "keys.json", path));
    assert_int_equal(client_define(f, "nightly", client), 200);
    expect(200, post_assertion(front, &claim, CREDENTIALS));
    /* What is wrong with a file is told. */
    memset(long_text, ' ', 69999);
    fixture_write(f, "keys.json", long_text);
    assert_int_equal(client_define(f, "nightly", client), 400);
    assert_true(says(f, "longer than"));
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes: nothing waits */
    assert_int_equal(client_define(f, "nightly", client), 400);
    assert_true(says(f, "no ordinary file"));
    expect(401, post_assertion(front, &claim, CREDENTIALS));
    free(long_text);
    free(keys);
    json_decref(set);
    front_free(front);
}

/* A file of the machine is named by who sits at it alone. */
static void
files_are_local(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued admin = with_rights(f, "root", "['writ:*:**', 'orders:*:/**', 'tools:*:/**']");

    expect(403, call(f, admin.token, "PUT", "/v1/subjects/nightly",
                     "{'type': 'service', 'roles': ['reader'], 'client':"
                     " {'auth': 'private_key_jwt', 'jwks_file': '/etc/passwd'}}"));
    fixture_free(f);
}

/* --- secrets ------------------------------------------------------------------------------ */

static void
by_secret(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;
    char secret[TOKEN_TEXT_MAX + 1], old[TOKEN_TEXT_MAX + 1];

    assert_int_equal(client_define(f, "nightly", "{'auth': 'client_secret'}"), 200);
    client_secret(front, "nightly", secret);
    expect(200, post_basic(front, "nightly", secret, CREDENTIALS));
    expect(200, post_form(front, CREDENTIALS "&client_id=nightly&client_secret=%s", secret));
    /* Another's name, no name, and what only looks like a secret. */
    expect(401, post_basic(front, "copilot", secret, CREDENTIALS));
    assert_string_equal(text(f, "error"), "invalid_client");
    assert_string_equal(f->outcome.challenge, "Basic realm=\"writ\"");
    expect(401, post_form(front, CREDENTIALS "&client_id=copilot&client_secret=%s", secret));
    expect(401, post_form(front, CREDENTIALS "&client_secret=%s", secret));
    expect(401, post_basic(front, "nightly", issue(f, "nightly", "").token, CREDENTIALS));
    expect(401, post_basic(front, "nightly", "", CREDENTIALS));
    expect(401, post_basic(front, "nobody", secret, CREDENTIALS));
    expect(401, post_headers(front, "Authorization: Basic bmlnaHRseQ==\r\n", CREDENTIALS));
    expect(401, post_headers(front, "Authorization: Basic !!\r\n", CREDENTIALS));
    expect(401, post_form(front, CREDENTIALS "&client_id=nightly"));
    /* Two methods at once (RFC 6749 §2.3). */
    expect(400, post_basic(front, "nightly", secret, CREDENTIALS "&client_secret=x"));
    expect(401, post_basic(front, "nightly", secret, CREDENTIALS "&client_id=copilot"));
    /* As an access token it is worth nothing. */
    assert_int_equal(verdict(f, secret), CREDENTIAL_PURPOSE);
    /* Rotated with overlap, and then over. */
    strcpy(old, secret);
    client_secret(front, "nightly", secret);
    expect(200, post_basic(front, "nightly", old, CREDENTIALS));
    expect(200, post_basic(front, "nightly", secret, CREDENTIALS));
    f->now += 11 * MS_MINUTE;
    expect(401, post_basic(front, "nightly", old, CREDENTIALS));
    expect(200, post_basic(front, "nightly", secret, CREDENTIALS));
    /* The subject goes, and its secret with it. */
    expect(200, call(f, NULL, "PUT", "/v1/subjects/nightly",
                     "{'type': 'service', 'roles': ['reader']}"));
    expect(401, post_basic(front, "nightly", secret, CREDENTIALS));
    front_free(front);
}

static void
one_place_for_a_secret(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;
    char secret[TOKEN_TEXT_MAX + 1];

    assert_int_equal(client_define(f, "nightly", "{'auth': 'client_secret_basic'}"), 200);
    client_secret(front, "nightly", secret);
    expect(200, post_basic(front, "nightly", secret, CREDENTIALS));
    expect(401, post_form(front, CREDENTIALS "&client_id=nightly&client_secret=%s", secret));
    assert_int_equal(client_define(f, "nightly", "{'auth': 'client_secret_post'}"), 200);
    expect(401, post_basic(front, "nightly", secret, CREDENTIALS));
    expect(200, post_form(front, CREDENTIALS "&client_id=nightly&client_secret=%s", secret));
    front_free(front);
}

static void
no_secrets_for_keys(void **state)
{
    struct fixture *f = oauth_fixture();

    expect(409, call(f, NULL, "POST", "/v1/clients/nightly/secret", NULL));
    assert_int_equal(client_define(f, "nightly", "{'auth': 'tls_client_auth', 'san_dns': 'a'}"),
                     200);
    expect(409, call(f, NULL, "POST", "/v1/clients/nightly/secret", NULL));
    expect(404, call(f, NULL, "POST", "/v1/clients/nobody/secret", NULL));
    fixture_free(f);
}

/* --- assertions ------------------------------------------------------------------------- */

static void
by_assertion(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;
    struct claim good = claim_of(front, "nightly");

    client_with_key(front, "nightly", front->key);
    expect(200, post_assertion(front, &good, CREDENTIALS));
    /* Once (RFC 7523 §3, jti), by its own client. */
    expect(401, post_again(front, CREDENTIALS));
    good.audience = "http://127.0.0.1:7800/oauth/token";
    expect(200, post_assertion(front, &good, CREDENTIALS "&client_id=nightly"));
    expect(401, post_assertion(front, &good, CREDENTIALS "&client_id=copilot"));
    front_free(front);
}

#define REFUSED_WITH(member, value)                                                                \
    do {                                                                                           \
        struct claim bad = claim_of(front, "nightly");                                             \
        bad.member = (value);                                                                      \
        if (post_assertion(front, &bad, CREDENTIALS) != 401)                                       \
            fail_msg("taken with %s = %s", #member, #value);                                       \
        assert_string_equal(text(front->f, "error"), "invalid_client");                            \
    } while (0)

static void
hostile_assertions(void **state)
{
    struct front *front = front_new();
    int64_t now = front->f->now / 1000;

    client_with_key(front, "nightly", front->key);
    client_with_key(front, "copilot", front->other);
    REFUSED_WITH(audience, "http://127.0.0.1:7800/oauth/revoke");
    REFUSED_WITH(audience, "http://127.0.0.1:7800.evil.example");
    REFUSED_WITH(audience, "http://127.0.0.1:7800/");
    REFUSED_WITH(audience, "");
    REFUSED_WITH(subject, "copilot");
    REFUSED_WITH(issuer, "copilot");
    REFUSED_WITH(jti, "");
    REFUSED_WITH(expires_at, now - 31);
    REFUSED_WITH(expires_at, now + 3600);
    REFUSED_WITH(expires_at, 0);
    REFUSED_WITH(expires_at, INT64_MAX / 1000); /* and no sum runs over */
    REFUSED_WITH(expires_at, INT64_MAX);
    REFUSED_WITH(not_before, now + 60);
    REFUSED_WITH(issued_at, now + 60);
    REFUSED_WITH(key, front->other);
    REFUSED_WITH(kid, "unknown");
    REFUSED_WITH(crit, true);
    REFUSED_WITH(alg, "none");
    REFUSED_WITH(alg, "HS256");
    REFUSED_WITH(alg, "RS256");
    /* What was signed for another use of the same key. */
    REFUSED_WITH(typ, "dpop+jwt");
    REFUSED_WITH(typ, "at+jwt");
    REFUSED_WITH(issuer, "nobody");
    expect_front(401, post_form(front, CREDENTIALS ASSERTION "x"));
    expect_front(401, post_form(front, CREDENTIALS ASSERTION "a.b.c"));
    expect_front(401, post_form(front, CREDENTIALS "&client_assertion=a.b.c"));
    front_free(front);
}

static void
typed_assertions(void **state)
{
    struct front *front = front_new();
    struct claim claim = claim_of(front, "nightly");

    client_with_key(front, "nightly", front->key);
    claim.typ = "JWT";
    expect_front(200, post_assertion(front, &claim, CREDENTIALS));
    claim.typ = "client-authentication+jwt";
    expect_front(200, post_assertion(front, &claim, CREDENTIALS));
    front_free(front);
}

/* What an earlier process may have taken: told by iat, or by an exp that it would not have
 * taken yet. */
static void
no_assertion_outlives_a_restart(void **state)
{
    struct front *front = front_new();
    struct claim claim = claim_of(front, "nightly");
    int64_t now = front->f->now / 1000;

    client_with_key(front, "nightly", front->key);
    front->f->authority->options.started_at = now * 1000;
    claim.issued_at = now - 1;
    expect_front(401, post_assertion(front, &claim, CREDENTIALS));
    claim.issued_at = now;
    expect_front(200, post_assertion(front, &claim, CREDENTIALS));
    claim.issued_at = 0;
    expect_front(401, post_assertion(front, &claim, CREDENTIALS));
    /* Later such ones are as good as any (iat is OPTIONAL, RFC 7523 §3). */
    front->f->now += 400 * 1000;
    claim.expires_at = now + 400 + 60;
    expect_front(200, post_assertion(front, &claim, CREDENTIALS));
    expect_front(401, post_again(front, CREDENTIALS));
    front_free(front);
}

/* --- certificates ------------------------------------------------------------------------ */

static void
by_certificate(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;

    show_certificate(front, nightly_pem, true);
    assert_int_equal(
        client_define(f, "nightly", "{'auth': 'tls_client_auth', 'san_dns': 'nightly.example'}"),
        200);
    expect(200, post_form(front, CREDENTIALS "&client_id=nightly"));
    assert_string_equal(text(f, "token_type"), "Bearer");
    expect(401, post_form(front, CREDENTIALS));
    expect(401, post_form(front, CREDENTIALS "&client_id=copilot"));
    assert_int_equal(
        client_define(f, "nightly", "{'auth': 'tls_client_auth', 'san_dns': 'other.example'}"),
        200);
    expect(401, post_form(front, CREDENTIALS "&client_id=nightly"));
    assert_int_equal(
        client_define(f, "nightly",
                      "{'auth': 'tls_client_auth', 'subject_dn': 'CN=nightly,O=Example'}"),
        200);
    expect(200, post_form(front, CREDENTIALS "&client_id=nightly"));
    /* A chain that nobody trusts names whom it likes; and none was shown. */
    show_certificate(front, nightly_pem, false);
    expect(401, post_form(front, CREDENTIALS "&client_id=nightly"));
    front->shown.has_certificate = false;
    expect(401, post_form(front, CREDENTIALS "&client_id=nightly"));
    front_free(front);
}

static void
by_own_certificate(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;

    show_certificate(front, nightly_pem, false);
    client_with_certificate(front, "nightly", nightly_pem);
    expect(200, post_form(front, CREDENTIALS "&client_id=nightly"));
    f->now += INT64_C(200) * 365 * MS_DAY; /* it has run out */
    expect(401, post_form(front, CREDENTIALS "&client_id=nightly"));
    f->now -= INT64_C(200) * 365 * MS_DAY;
    client_with_key(front, "copilot", front->key);
    expect(401, post_form(front, CREDENTIALS "&client_id=copilot"));
    front_free(front);
}

/* --- proofs -------------------------------------------------------------------------------- */

static void
proofs(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;
    char secret[TOKEN_TEXT_MAX + 1];
    const char *url = "http://127.0.0.1:7800/oauth/token";

    assert_int_equal(client_define(f, "nightly", "{'auth': 'client_secret', 'dpop': 'required'}"),
                     200);
    client_secret(front, "nightly", secret);
    expect(400, post_basic(front, "nightly", secret, CREDENTIALS));
    assert_string_equal(text(f, "error"), "invalid_dpop_proof");
    expect(200, post_proven(front, url, "nightly", secret, CREDENTIALS));
    assert_string_equal(text(f, "token_type"), "DPoP");
    expect(400, post_again(front, CREDENTIALS));
    assert_string_equal(text(f, "error"), "invalid_dpop_proof");
    expect(400, post_proven(front, "http://127.0.0.1:7800/oauth/revoke", "nightly", secret,
                            CREDENTIALS));
    expect(400,
           post_proven(front, "http://other.example/oauth/token", "nightly", secret, CREDENTIALS));
    f->authority->options.nonce_required = true;
    expect(400, post_proven(front, url, "nightly", secret, CREDENTIALS));
    assert_string_equal(text(f, "error"), "use_dpop_nonce");
    snprintf(front->nonce, sizeof front->nonce, "%s", f->outcome.nonce);
    expect(200, post_proven(front, url, "nightly", secret, CREDENTIALS));
    front_free(front);
}

/* --- holders of tokens ------------------------------------------------------------------- */

/* A use is a use here as well. */
static void
uses_of_holders(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;
    struct issued about = issue(f, "amara", ""), once;

    (void)with_rights(f, "watcher", "['writ:oauth.introspect:*']");
    once = issue(f, "watcher", ", 'max_uses': 2");
    expect(200, post_bearer(front, "/oauth/introspect", once.token, "token=%s", about.token));
    assert_true(json_is_true(json_object_get(f->body, "active")));
    expect(200, post_bearer(front, "/oauth/introspect", once.token, "token=%s", about.token));
    expect(401, post_bearer(front, "/oauth/introspect", once.token, "token=%s", about.token));
    assert_string_equal(text(f, "error"), "invalid_token");
    front_free(front);
}

/* --- what the audit keeps ------------------------------------------------------------------ */

/* A token that stands in the wrong member comes neither into the answer nor the audit. */
static void
no_secret_is_repeated(void **state)
{
    static const char *const forms[] = {
        CREDENTIALS "&scope=%s",
        CREDENTIALS "&resource=%s",
        CREDENTIALS "&audience=%s",
        CREDENTIALS "&resource=http://127.0.0.1:7880/%s",
        CREDENTIALS "&%s=1&%s=2",
        "grant_type=%s",
        CREDENTIALS "&scope=orders:GET:/%s",
    };
    struct front *front = front_new();
    struct fixture *f = front->f;
    struct issued amara = issue(f, "amara", "");
    char form[1024], secret[TOKEN_TEXT_MAX + 1], *answer;

    assert_int_equal(client_define(f, "nightly", "{'auth': 'client_secret'}"), 200);
    client_secret(front, "nightly", secret);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        fill_form(form, sizeof form, forms[i], amara.token);
        assert_true(post_basic(front, "nightly", secret, form) >= 400);
        answer = json_dumps(f->body, 0);
        if (strstr(answer, amara.token) != NULL)
            fail_msg("%s: %s", forms[i], answer);
        free(answer);
    }
    assert_true(post_form(front, CREDENTIALS "&client_id=%s&client_secret=nightly", secret) >= 400);
    assert_false(audit_holds(front, amara.token));
    assert_false(audit_holds(front, secret));
    front_free(front);
}

/* Who ended what: the line names the token. */
static void
lines_name_the_token(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;
    char secret[TOKEN_TEXT_MAX + 1], token[TOKEN_TEXT_MAX + 1];
    struct issued mine;

    assert_int_equal(client_define(f, "nightly", "{'auth': 'client_secret'}"), 200);
    client_secret(front, "nightly", secret);
    mine = issue(f, "nightly", "");
    snprintf(token, sizeof token, "token=%s", mine.token);
    front->path = "/oauth/revoke";
    expect(200, post_basic(front, "nightly", secret, token));
    assert_int_equal(verdict(f, mine.token), CREDENTIAL_REVOKED);
    assert_true(audit_holds(front, mine.id));
    front_free(front);
}

/* --- documents, forms, limits ------------------------------------------------------------ */

static void
documents(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;

    expect(200, get(front, "GET", "/.well-known/oauth-authorization-server"));
    assert_string_equal(text(f, "issuer"), "http://127.0.0.1:7800");
    assert_string_equal(text(f, "token_endpoint"), "http://127.0.0.1:7800/oauth/token");
    expect(404, get(front, "GET", "/.well-known/oauth-authorization-server/tenant"));
    expect(404, get(front, "GET", "/.well-known/openid-configuration"));
    expect(404, get(front, "POST", "/oauth/register"));
    expect(405, get(front, "GET", "/oauth/token"));
    expect(200, get(front, "GET", "/.well-known/jwks.json"));
    expect(200, get(front, "GET", "/oauth/authorize"));
    expect(204, get(front, "OPTIONS", "/oauth/token"));
    assert_true(f->outcome.shared);
    /* An issuer with a path has its document behind the well-known part (RFC 8414 §3.1). */
    f->authority->options.issuer = SLICE_LITERAL("https://id.example/tenant");
    expect(404, get(front, "GET", "/.well-known/oauth-authorization-server"));
    expect(200, get(front, "GET", "/.well-known/oauth-authorization-server/tenant"));
    assert_string_equal(text(f, "token_endpoint"), "https://id.example/tenant/oauth/token");
    f->authority->options.issuer = SLICE_LITERAL("https://id.example/");
    expect(200, get(front, "GET", "/.well-known/oauth-authorization-server"));
    assert_string_equal(text(f, "token_endpoint"), "https://id.example/oauth/token");
    front_free(front);
}

/* As the metadata writes it, so it is taken as an audience. */
static void
issuer_with_a_slash(void **state)
{
    struct front *front = front_new();
    struct claim claim = claim_of(front, "nightly");

    client_with_key(front, "nightly", front->key);
    front->f->authority->options.issuer = SLICE_LITERAL("https://id.example/");
    claim.audience = "https://id.example/oauth/token";
    expect_front(200, post_assertion(front, &claim, CREDENTIALS));
    claim.audience = "https://id.example/";
    expect_front(200, post_assertion(front, &claim, CREDENTIALS));
    front_free(front);
}

static void
forms(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;

    expect(400, post_form(front, "grant_type=a&grant_type=b"));
    expect(400, post_form(front, "grant_type=%%zz"));
    front->type = "application/json";
    expect(400, post_form(front, "{}"));
    front->type = "application/x-www-form-urlencoded; charset=utf-8";
    expect(401, post_form(front, CREDENTIALS));
    front->path = "/oauth/token?client_id=nightly";
    expect(400, post_form(front, CREDENTIALS));
    front_free(front);
}

static void
limits(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;
    char secret[TOKEN_TEXT_MAX + 1];

    assert_int_equal(client_define(f, "nightly", "{'auth': 'client_secret'}"), 200);
    client_secret(front, "nightly", secret);
    f->authority->options.client_calls = 2;
    expect(200, post_basic(front, "nightly", secret, CREDENTIALS));
    expect(200, post_basic(front, "nightly", secret, CREDENTIALS));
    expect(429, post_basic(front, "nightly", secret, CREDENTIALS));
    assert_string_equal(text(f, "error"), "slow_down");
    assert_true(f->answer.retry_after > 0);
    front_free(front);
}

/* Who has a network of IPv6 has as many addresses as it likes: it counts as one. */
static void
limits_of_networks(void **state)
{
    struct front *front = front_new();
    struct fixture *f = front->f;

    f->authority->options.address_calls = 2;
    f->peer = (struct ip){ .family = IP_V6, .bytes = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1 } };
    for (uint8_t i = 0; i < 3; i++) {
        f->peer.bytes[15] = i;
        expect(i < 2 ? 400 : 429, post_form(front, "%s", ""));
    }
    f->peer.bytes[7] = 2;
    expect(400, post_form(front, "%s", ""));
    front_free(front);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions),
        cmocka_unit_test(key_files),
        cmocka_unit_test(files_are_local),
        cmocka_unit_test(by_secret),
        cmocka_unit_test(one_place_for_a_secret),
        cmocka_unit_test(no_secrets_for_keys),
        cmocka_unit_test(by_assertion),
        cmocka_unit_test(hostile_assertions),
        cmocka_unit_test(typed_assertions),
        cmocka_unit_test(no_assertion_outlives_a_restart),
        cmocka_unit_test(by_certificate),
        cmocka_unit_test(by_own_certificate),
        cmocka_unit_test(proofs),
        cmocka_unit_test(uses_of_holders),
        cmocka_unit_test(no_secret_is_repeated),
        cmocka_unit_test(lines_name_the_token),
        cmocka_unit_test(documents),
        cmocka_unit_test(issuer_with_a_slash),
        cmocka_unit_test(forms),
        cmocka_unit_test(limits),
        cmocka_unit_test(limits_of_networks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
