/* authority/oauth_tokens - introspection, revocation and the key set: who learns what,
 * who ends what, and who learns and ends nothing. */
#include "oauth_help.h"

#include <stdio.h>
#include <string.h>

#include "crypto/jws.h"
#include "token/text.h"

static const struct caller nightly = { .name = "nightly" };
static const struct caller copilot = { .name = "copilot" };

static void
own_token(struct fixture *f, const struct caller *client, const char *more,
          char out[TOKEN_TEXT_MAX + 1])
{
    expect(200, post(f, client, oauth_token, "grant_type=client_credentials%s", more));
    keep(f, "access_token", out);
}

static void
exchanged(struct fixture *f, const struct caller *client, const char *subject_token,
          char out[TOKEN_TEXT_MAX + 1])
{
    expect(200, post(f, client, oauth_token,
                     "grant_type=urn:ietf:params:oauth:grant-type:token-exchange"
                     "&subject_token_type=" TOKEN_TYPE_ACCESS "&subject_token=%s",
                     subject_token));
    keep(f, "access_token", out);
}

static char *
narrowed(const char *token, const struct attenuation *what, char out[TOKEN_TEXT_MAX + 1])
{
    struct buffer text = { 0 };
    struct hop_id hop;

    assert_int_equal(token_attenuate(slice_text(token), what, &text, &hop, NULL), STATUS_OK);
    snprintf(out, TOKEN_TEXT_MAX + 1, "%.*s", SLICE_PRINT(buffer_slice(&text)));
    buffer_wipe_free(&text);
    return out;
}

/* --- introspection ------------------------------------------------------------------- */

static bool
active(struct fixture *f, const struct caller *caller, const char *token)
{
    expect(200, post(f, caller, oauth_introspect, "token=%s&token_type_hint=refresh_token", token));
    if (json_is_true(json_object_get(f->body, "active")))
        return true;
    /* Nothing else is said (RFC 7662 §2.2). */
    assert_int_equal(json_object_size(f->body), 1);
    assert_true(json_is_false(json_object_get(f->body, "active")));
    return false;
}

static void
told_to_the_client(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller keyed = { .name = "nightly", .proven = key_of('k') };
    char token[TOKEN_TEXT_MAX + 1];
    const json_t *body;

    own_token(f, &keyed, "&audience=orders", token);
    assert_true(active(f, &nightly, token));
    body = f->body;
    assert_string_equal(text(f, "scope"), "orders:GET:/v1/**");
    assert_string_equal(text(f, "client_id"), "nightly");
    assert_string_equal(text(f, "sub"), "nightly");
    assert_string_equal(text(f, "aud"), "http://gw.example:7880/orders");
    assert_string_equal(text(f, "iss"), "http://127.0.0.1:7800");
    assert_string_equal(text(f, "token_type"), "DPoP");
    assert_int_equal(strlen(text(f, "jti")), TOKEN_ID_TEXT);
    assert_int_equal(json_integer_value(json_object_get(body, "exp")),
                     (f->now + MS_DAY) / MS_SECOND);
    assert_int_equal(json_integer_value(json_object_get(body, "iat")), f->now / MS_SECOND);
    assert_int_equal(json_integer_value(json_object_get(body, "nbf")), f->now / MS_SECOND);
    assert_non_null(json_object_get(json_object_get(body, "cnf"), "jkt"));
    assert_null(json_object_get(body, "username"));
    assert_null(json_object_get(body, "act"));
    fixture_free(f);
}

static void
told_on_behalf(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued amara = issue(f, "amara", "");
    char token[TOKEN_TEXT_MAX + 1];

    exchanged(f, &copilot, amara.token, token);
    assert_true(active(f, &copilot, token));
    assert_string_equal(text(f, "sub"), "amara");
    assert_string_equal(text(f, "username"), "amara");
    assert_string_equal(text(f, "client_id"), "copilot");
    assert_string_equal(json_string_value(json_object_get(json_object_get(f->body, "act"), "sub")),
                        "copilot");
    fixture_free(f);
}

/* The holder's caveats count: the scope is what is left. */
static void
told_of_narrowed_tokens(void **state)
{
    struct fixture *f = oauth_fixture();
    char token[TOKEN_TEXT_MAX + 1], less[TOKEN_TEXT_MAX + 1];

    own_token(f, &nightly, "", token);
    narrowed(token,
             &(struct attenuation){ .rights = SLICE_LITERAL("orders:GET:/v1/orders/**"),
                                    .expires_at = f->now + MS_MINUTE },
             less);
    assert_true(active(f, &nightly, less));
    assert_string_equal(text(f, "scope"), "orders:GET:/v1/orders/**");
    assert_int_equal(json_integer_value(json_object_get(f->body, "exp")),
                     (f->now + MS_MINUTE) / MS_SECOND);
    assert_int_equal(strlen(text(f, "jti")), TOKEN_ID_TEXT + 1 + HOP_ID_TEXT);
    fixture_free(f);
}

static void
whom_it_concerns(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller tools = { .name = "tools" }, warden = { .name = "warden" };
    struct issued may, may_not, amara = issue(f, "amara", "");
    char token[TOKEN_TEXT_MAX + 1], elsewhere[TOKEN_TEXT_MAX + 1];

    own_token(f, &nightly, "&audience=tools", token);
    own_token(f, &nightly, "&audience=orders", elsewhere);
    (void)with_rights(f, "tools", "['orders:HEAD:/v1/**']");
    (void)with_rights(f, "warden", "['writ:oauth.introspect:nightly']");
    may = issue(f, "warden", "");
    may_not = issue(f, "tools", "");
    assert_true(active(f, &nightly, token));
    assert_false(active(f, &copilot, token));      /* another client */
    assert_true(active(f, &tools, token));         /* the resource it is for */
    assert_false(active(f, &tools, elsewhere));    /* and only that */
    assert_true(active(f, &warden, token));        /* by right */
    assert_false(active(f, &warden, amara.token)); /* of another subject */
    assert_true(active(f, &(struct caller){ .token = may.token }, token));
    assert_false(active(f, &(struct caller){ .token = may_not.token }, token));
    assert_false(active(f, &(struct caller){ .token = may.token }, amara.token));
    assert_false(active(f, &(struct caller){ 0 }, token));
    fixture_free(f);
}

static void
the_dead_are_silent(void **state)
{
    struct fixture *f = oauth_fixture();
    char token[TOKEN_TEXT_MAX + 1], broken[TOKEN_TEXT_MAX + 1];
    char at[TIME_TEXT_MAX];
    struct issued later;

    later = issue(
        f, "nightly",
        arena_format(&f->arena, ", 'not_before': '%s'", time_format(f->now + MS_HOUR, at)).at);
    assert_false(active(f, &nightly, later.token));
    own_token(f, &nightly, "", token);
    strcpy(broken, token);
    broken[10] = broken[10] == 'a' ? 'b' : 'a';
    assert_false(active(f, &nightly, broken));
    assert_false(active(f, &nightly, "garbage"));
    assert_true(post(f, &nightly, oauth_introspect, "token=") == 400);
    refused(f, "invalid_request", "token");
    expect(200, post(f, &nightly, oauth_revoke, "token=%s", token));
    assert_false(active(f, &nightly, token));
    own_token(f, &nightly, "", token);
    f->now += 2 * MS_DAY;
    assert_false(active(f, &nightly, token));
    fixture_free(f);
}

static void
refresh_tokens_are_told(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued amara = issue(f, "amara", "");
    const struct caller gives = { .name = "copilot", .gives_refresh = true };
    char access[TOKEN_TEXT_MAX + 1], refresh[TOKEN_TEXT_MAX + 1];

    exchanged(f, &gives, amara.token, access);
    keep(f, "refresh_token", refresh);
    assert_true(active(f, &copilot, refresh));
    assert_string_equal(text(f, "token_type"), "");
    assert_false(active(f, &nightly, refresh));
    fixture_free(f);
}

/* --- revocation ---------------------------------------------------------------------------- */

static void
the_line_ends(void **state)
{
    struct fixture *f = oauth_fixture();
    char token[TOKEN_TEXT_MAX + 1], child[TOKEN_TEXT_MAX + 1];

    own_token(f, &nightly, "", token);
    exchanged(f, &copilot, token, child);
    expect(200, post(f, &nightly, oauth_revoke, "token=%s&token_type_hint=refresh_token", token));
    assert_null(f->body);
    assert_true(f->answer.wait_generation > 0); /* answered when it is enforced */
    assert_int_equal(verdict(f, token), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(f, child), CREDENTIAL_REVOKED);
    expect(200, post(f, &nightly, oauth_revoke, "token=%s", token)); /* again */
    fixture_free(f);
}

static void
the_family_ends(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued amara = issue(f, "amara", "");
    const struct caller gives = { .name = "copilot", .gives_refresh = true };
    char access[TOKEN_TEXT_MAX + 1], refresh[TOKEN_TEXT_MAX + 1];

    exchanged(f, &gives, amara.token, access);
    keep(f, "refresh_token", refresh);
    expect(200, post(f, &gives, oauth_revoke, "token=%s", refresh));
    assert_int_equal(verdict(f, access), CREDENTIAL_REVOKED);
    assert_true(
        post(f, &gives, oauth_token, "grant_type=refresh_token&refresh_token=%s", refresh) == 400);
    refused(f, "invalid_grant", "revoked");
    assert_int_equal(verdict(f, amara.token), CREDENTIAL_OK);
    fixture_free(f);
}

static void
not_by_strangers(void **state)
{
    struct fixture *f = oauth_fixture();
    struct issued warden = with_rights(f, "warden", "['writ:tokens.revoke:nightly']");
    char token[TOKEN_TEXT_MAX + 1];

    own_token(f, &nightly, "", token);
    expect(200, post(f, &copilot, oauth_revoke, "token=%s", token));
    assert_int_equal(verdict(f, token), CREDENTIAL_OK);
    expect(200, post(f, &(struct caller){ 0 }, oauth_revoke, "token=%s", token));
    assert_int_equal(verdict(f, token), CREDENTIAL_OK);
    expect(200, post(f, &nightly, oauth_revoke, "token=garbage"));
    assert_true(post(f, &nightly, oauth_revoke, "token_type_hint=access_token") == 400);
    refused(f, "invalid_request", "token");
    expect(200,
           post(f, &(struct caller){ .token = warden.token }, oauth_revoke, "token=%s", token));
    assert_int_equal(verdict(f, token), CREDENTIAL_REVOKED);
    fixture_free(f);
}

/* The narrowed one ends, what it was made of lives. */
static void
one_hop_ends(void **state)
{
    struct fixture *f = oauth_fixture();
    char token[TOKEN_TEXT_MAX + 1], less[TOKEN_TEXT_MAX + 1];

    own_token(f, &nightly, "", token);
    narrowed(token, &(struct attenuation){ .label = SLICE_LITERAL("lent") }, less);
    assert_int_equal(verdict(f, less), CREDENTIAL_OK);
    expect(200, post(f, &nightly, oauth_revoke, "token=%s", less));
    assert_int_equal(verdict(f, less), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(f, token), CREDENTIAL_OK);
    fixture_free(f);
}

/* --- the key set ------------------------------------------------------------------------------ */

static bool
key_set(struct oauth_call *call)
{
    oauth_jwks(call);
    return true;
}

static struct jwks *
read_keys(struct fixture *f)
{
    struct jwks *set;

    expect(200, post(f, &(struct caller){ 0 }, key_set, "%s", ""));
    assert_int_equal(jwks_read(f->body, &set, NULL), STATUS_OK);
    return set;
}

static void
keys_are_public(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller jwt = { .name = "nightly", .form = TOKEN_FORM_JWT };
    char token[TOKEN_TEXT_MAX + 1], kid[64];
    struct jwks *set = read_keys(f);
    struct arena arena;
    struct jws jws;
    const json_t *key;

    assert_int_equal(jwks_count(set), 1);
    key = json_array_get(json_object_get(f->body, "keys"), 0);
    assert_null(json_object_get(key, "d"));
    assert_string_equal(json_string_value(json_object_get(key, "use")), "sig");
    assert_string_equal(json_string_value(json_object_get(key, "alg")), "ES256");
    strcpy(kid, json_string_value(json_object_get(key, "kid")));
    own_token(f, &jwt, "", token);
    arena_init(&arena, 1 << 16);
    assert_int_equal(jws_split(slice_text(token), &arena, &jws), STATUS_OK);
    assert_int_equal(public_key_verify(jwks_find(set, slice_text(kid), ALG_ES256), ALG_ES256,
                                       jws.signed_text, jws.signature),
                     STATUS_OK);
    arena_free(&arena);
    jwks_free(set);
    fixture_free(f);
}

/* A retired key verifies while a token of it may live, through a restart, and goes then. */
static void
keys_turn(void **state)
{
    struct fixture *f = oauth_fixture();
    const struct caller jwt = { .name = "nightly", .form = TOKEN_FORM_JWT };
    char old[TOKEN_TEXT_MAX + 1], fresh[TOKEN_TEXT_MAX + 1];
    struct jwks *set;

    own_token(f, &jwt, "", old);
    expect(200, call(f, NULL, "POST", "/v1/keys/rotate", "{}"));
    own_token(f, &jwt, "", fresh);
    assert_int_equal(verdict(f, old), CREDENTIAL_OK);
    assert_int_equal(verdict(f, fresh), CREDENTIAL_OK);
    fixture_reopen(f);
    set = read_keys(f);
    assert_int_equal(jwks_count(set), 2);
    jwks_free(set);
    assert_int_equal(verdict(f, old), CREDENTIAL_OK);
    assert_int_equal(verdict(f, fresh), CREDENTIAL_OK);
    jwt_keys_tidy(f->authority, f->now + 6 * MS_DAY);
    assert_int_equal(f->authority->keys.jwt_count, 2);
    jwt_keys_tidy(f->authority, f->now + 8 * MS_DAY);
    assert_int_equal(f->authority->keys.jwt_count, 1);
    assert_int_not_equal(verdict(f, old), CREDENTIAL_OK);
    assert_int_equal(verdict(f, fresh), CREDENTIAL_OK);
    fixture_reopen(f);
    assert_int_equal(f->authority->keys.jwt_count, 1);
    fixture_free(f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_to_the_client),      cmocka_unit_test(told_on_behalf),
        cmocka_unit_test(told_of_narrowed_tokens), cmocka_unit_test(whom_it_concerns),
        cmocka_unit_test(the_dead_are_silent),     cmocka_unit_test(refresh_tokens_are_told),
        cmocka_unit_test(the_line_ends),           cmocka_unit_test(the_family_ends),
        cmocka_unit_test(not_by_strangers),        cmocka_unit_test(one_hop_ends),
        cmocka_unit_test(keys_are_public),         cmocka_unit_test(keys_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
