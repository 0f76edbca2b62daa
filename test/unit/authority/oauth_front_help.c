/* authority/oauth_front_help - a client of the OAuth endpoints. */
#include "oauth_front.h"

#include <stdio.h>
#include <string.h>

#include "base/encoding.h"
#include "crypto/certificate.h"
#include "crypto/jws.h"
#include "meter/rate.h"
#include "meter/replay.h"

struct front *
front_new(void)
{
    struct front *front = calloc(1, sizeof *front);
    struct authority_options *options;
    struct nonce_source *nonces;

    assert_non_null(front);
    front->f = oauth_fixture();
    front->path = "/oauth/token";
    front->type = "application/x-www-form-urlencoded";
    options = &front->f->authority->options;
    options->client_calls = options->address_calls = 1000;
    assert_int_equal(private_key_generate(ALG_ES256, &front->key), STATUS_OK);
    assert_int_equal(private_key_generate(ALG_ES256, &front->other), STATUS_OK);
    assert_int_equal(rate_table_new(1024, &options->rates), STATUS_OK);
    assert_int_equal(replay_table_new(1024, &options->replays), STATUS_OK);
    assert_int_equal(nonce_source_new(SLICE_LITERAL("n1"), &nonces), STATUS_OK);
    options->nonces = nonces;
    return front;
}

void
front_free(struct front *front)
{
    struct authority_options options = front->f->authority->options;

    fixture_free(front->f);
    rate_table_free(options.rates);
    replay_table_free(options.replays);
    nonce_source_free((struct nonce_source *)(uintptr_t)options.nonces);
    private_key_free(front->key);
    private_key_free(front->other);
    free((void *)(uintptr_t)front->shown.der.at);
    free(front);
}

/* --- clients ---------------------------------------------------------------------------- */

unsigned
client_define(struct fixture *f, const char *name, const char *client)
{
    char path[64];
    unsigned status;

    snprintf(path, sizeof path, "/v1/subjects/%s", name);
    status = callf(f, NULL, "PUT", path, "{'type': 'service', 'roles': ['reader'], 'client': %s}",
                   client);
    return status == 201 ? 200 : status;
}

static void
define_with(struct front *front, const char *name, const char *auth, const struct public_key *key)
{
    json_t *set = json_pack("{s:[o]}", "keys", public_key_jwk(key));
    char *text_ = json_dumps(set, JSON_COMPACT), *client;

    assert_true(asprintf(&client, "{'auth': '%s', 'jwks': %s}", auth, text_) > 0);
    assert_int_equal(client_define(front->f, name, client), 200);
    free(client);
    free(text_);
    json_decref(set);
}

void
client_with_key(struct front *front, const char *name, const struct private_key *key)
{
    define_with(front, name, "private_key_jwt", private_key_public(key));
}

void
client_with_certificate(struct front *front, const char *name, const char *pem)
{
    struct certificate *certificate;

    assert_int_equal(certificate_from_pem(slice_text(pem), &certificate, NULL), STATUS_OK);
    define_with(front, name, "self_signed_tls_client_auth", certificate_key(certificate));
    certificate_free(certificate);
}

void
client_secret(struct front *front, const char *name, char out[TOKEN_TEXT_MAX + 1])
{
    struct fixture *f = front->f;
    char path[96];

    snprintf(path, sizeof path, "/v1/clients/%s/secret", name);
    expect(201, call(f, NULL, "POST", path, NULL));
    keep(f, "client_secret", out);
}

/* The PEM's base64 is the DER. */
void
show_certificate(struct front *front, const char *pem, bool trusted)
{
    const char *end = strstr(pem, "-----END"), *at = strchr(pem, '\n');
    struct certificate *certificate;
    char text_[4096];
    uint8_t der[4096];
    size_t size = 0, bytes;

    for (; at < end; at++) {
        if (*at != '\n' && *at != '=')
            text_[size++] = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    }
    assert_true(base64url_decode(slice_of(text_, size), der, sizeof der, &bytes));
    assert_int_equal(certificate_from_der(slice_of(der, bytes), &certificate), STATUS_OK);
    free((void *)(uintptr_t)front->shown.der.at);
    front->shown = (struct api_shown){ .has_certificate = true, .chain_trusted = trusted };
    memcpy(front->shown.x5t, certificate_thumbprint(certificate), THUMBPRINT_SIZE);
    certificate_free(certificate);
    front->shown.der = slice_of(memcpy(malloc(bytes), der, bytes), bytes);
}

/* --- calls ------------------------------------------------------------------------------ */

static unsigned
come(struct front *front, const char *method, const char *path, const char *body)
{
    static struct http_head head;
    static char bytes[HTTP_HEAD_MAX];
    struct fixture *f = front->f;
    struct http_refusal why;
    struct api_request request = { .method = slice_text(method),
                                   .text = slice_text(body),
                                   .now = f->now,
                                   .arena = &f->arena,
                                   .shown = front->shown };

    snprintf(bytes, sizeof bytes,
             "%s %s HTTP/1.1\r\nHost: 127.0.0.1:7800\r\nContent-Type: %s\r\n"
             "Content-Length: %zu\r\n%s\r\n",
             method, path, front->type, strlen(body), front->headers);
    assert_int_equal(http_request_parse(slice_text(bytes), &head, &why), HTTP_PARSED);
    arena_reset(&f->arena);
    json_decref(f->body);
    f->answer = (struct api_answer){ 0 };
    f->outcome = (struct api_outcome){ 0 };
    request.shown.head = &head;
    request.path = http_head_path(&head);
    request.query = http_head_query(&head);
    request.caller.peer = f->peer;
    api_handle(f->authority, &request, &f->answer, &f->outcome);
    audit_end(f->authority->journal, f->outcome.ticket,
              &(struct audit_outcome){ .status = f->answer.status });
    world_quiescent(f->authority->reader);
    world_reclaim(f->world);
    f->body = f->answer.body;
    return f->status = f->answer.status;
}

unsigned
get(struct front *front, const char *method, const char *path)
{
    front->headers[0] = '\0';
    return come(front, method, path, "");
}

unsigned
post_again(struct front *front, const char *form)
{
    return come(front, "POST", front->path, front->form);
}

unsigned
post_headers(struct front *front, const char *headers, const char *form)
{
    snprintf(front->headers, sizeof front->headers, "%s", headers);
    snprintf(front->form, sizeof front->form, "%s", form);
    return come(front, "POST", front->path, front->form);
}

static void WRIT_PRINTF(2, 0)
write_form(struct front *front, const char *format, va_list arguments)
{
    int size = vsnprintf(front->form, sizeof front->form, format, arguments);

    assert_true(size >= 0 && (size_t)size < sizeof front->form);
}

unsigned
post_form(struct front *front, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_form(front, format, arguments);
    va_end(arguments);
    front->headers[0] = '\0';
    return come(front, "POST", front->path, front->form);
}

static void
put_basic(struct front *front, const char *name, const char *secret)
{
    struct buffer encoded = { 0 };
    char pair[512];
    int size = snprintf(pair, sizeof pair, "%s:%s", name, secret);

    put_base64url(&encoded, pair, (size_t)size);
    for (size_t i = 0; i < encoded.size; i++) {
        char c = encoded.bytes[i];

        encoded.bytes[i] = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    while (encoded.size % 4 != 0)
        put_text(&encoded, "=");
    snprintf(front->headers, sizeof front->headers, "Authorization: Basic %.*s\r\n",
             SLICE_PRINT(buffer_slice(&encoded)));
    buffer_free(&encoded);
}

unsigned
post_basic(struct front *front, const char *name, const char *secret, const char *form)
{
    put_basic(front, name, secret);
    snprintf(front->form, sizeof front->form, "%s", form);
    return come(front, "POST", front->path, front->form);
}

unsigned
post_proven(struct front *front, const char *url, const char *name, const char *secret,
            const char *form)
{
    const struct dpop_claims claims = { .method = SLICE_LITERAL("POST"),
                                        .url = slice_text(url),
                                        .nonce = slice_text(front->nonce),
                                        .now = front->f->now };
    struct buffer proof = { 0 };
    size_t size;

    put_basic(front, name, secret);
    assert_int_equal(dpop_make(front->key, &claims, &proof), STATUS_OK);
    size = strlen(front->headers);
    snprintf(front->headers + size, sizeof front->headers - size, "DPoP: %.*s\r\n",
             SLICE_PRINT(buffer_slice(&proof)));
    buffer_free(&proof);
    snprintf(front->form, sizeof front->form, "%s", form);
    return come(front, "POST", front->path, front->form);
}

unsigned
post_bearer(struct front *front, const char *path, const char *token, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_form(front, format, arguments);
    va_end(arguments);
    snprintf(front->headers, sizeof front->headers, "Authorization: Bearer %s\r\n", token);
    return come(front, "POST", path, front->form);
}

void
fill_form(char *out, size_t size, const char *pattern, const char *value)
{
    char *end = out + size - 1;

    for (; *pattern != '\0'; pattern++) {
        if (strncmp(pattern, "%s", 2) == 0) {
            assert_true(out + strlen(value) < end);
            out = stpcpy(out, value);
            pattern++;
        } else {
            assert_true(out < end);
            *out++ = *pattern;
        }
    }
    *out = '\0';
}

/* --- assertions ------------------------------------------------------------------------ */

struct claim
claim_of(const struct front *front, const char *name)
{
    static char jti[32];
    static unsigned count;

    snprintf(jti, sizeof jti, "assertion-%u", ++count);
    return (struct claim){ .issuer = name,
                           .subject = name,
                           .audience = "http://127.0.0.1:7800",
                           .jti = jti,
                           .expires_at = front->f->now / 1000 + 60,
                           .issued_at = front->f->now / 1000,
                           .key = front->key };
}

static void
put_text_claim(json_t *object, const char *name, const char *value)
{
    if (value != NULL)
        json_object_set_new(object, name, json_string(value));
}

static void
put_time_claim(json_t *object, const char *name, int64_t value)
{
    if (value != 0)
        json_object_set_new(object, name, json_integer(value));
}

static json_t *
payload_of(const struct claim *claim)
{
    json_t *payload = json_object();

    put_text_claim(payload, "iss", claim->issuer);
    put_text_claim(payload, "sub", claim->subject);
    put_text_claim(payload, "aud", claim->audience);
    put_text_claim(payload, "jti", claim->jti);
    put_time_claim(payload, "exp", claim->expires_at);
    put_time_claim(payload, "nbf", claim->not_before);
    put_time_claim(payload, "iat", claim->issued_at);
    return payload;
}

/* The header says another algorithm than the one that signed. */
static void
swap_header(struct buffer *text_, json_t *header)
{
    struct slice rest = buffer_slice(text_);
    struct buffer swapped = { 0 };
    char *json = json_dumps(header, JSON_COMPACT);

    rest = slice_from(rest, slice_find(rest, '.'));
    put_base64url(&swapped, json, strlen(json));
    put_slice(&swapped, rest);
    free(json);
    buffer_free(text_);
    *text_ = swapped;
}

unsigned
post_assertion(struct front *front, const struct claim *claim, const char *form)
{
    static unsigned count;
    struct claim fresh = *claim;
    struct buffer text_ = { 0 };
    json_t *header = json_object(), *payload;
    char jti[32];

    /* Only a call made again byte by byte repeats its jti. */
    snprintf(jti, sizeof jti, "sent-%u", ++count);
    if (fresh.jti[0] != '\0')
        fresh.jti = jti;
    payload = payload_of(&fresh);
    put_text_claim(header, "kid", claim->kid);
    put_text_claim(header, "typ", claim->typ);
    if (claim->crit)
        json_object_set_new(header, "crit", json_pack("[s]", "exp"));
    assert_int_equal(jws_sign(claim->key, ALG_ES256, header, payload, &text_), STATUS_OK);
    if (claim->alg != NULL) {
        put_text_claim(header, "alg", claim->alg);
        swap_header(&text_, header);
    }
    snprintf(front->form, sizeof front->form, "%s" ASSERTION "%.*s", form,
             SLICE_PRINT(buffer_slice(&text_)));
    buffer_free(&text_);
    json_decref(header);
    json_decref(payload);
    front->headers[0] = '\0';
    return come(front, "POST", front->path, front->form);
}

/* --- the audit -------------------------------------------------------------------------- */

bool
audit_holds(struct front *front, const char *text_)
{
    struct fixture *f = front->f;
    char *lines;
    bool found;

    audit_flush(f->audit);
    expect(200, call(f, NULL, "GET", "/v1/audit?limit=1000&resource=writ", NULL));
    lines = json_dumps(f->body, 0);
    found = strstr(lines, text_) != NULL;
    free(lines);
    return found;
}
