/* crypto/scram_server.c - the server of SCRAM-SHA-256 (RFC 5802 §3, §5, §6). */
#include <stdlib.h>

#include "base/encoding.h"
#include "base/secret.h"
#include "crypto/mac.h"
#include "scram_inside.h"

enum { CLIENT_NONCE_MAX = 256 };

enum server_state { SERVER_BEGUN, SERVER_CHALLENGED, SERVER_OVER };

struct scram_server {
    enum server_state state;
    uint8_t salt[SCRAM_SALT_SIZE];
    uint32_t rounds;
    uint8_t end_point[SCRAM_END_POINT_MAX];
    size_t end_point_size;
    bool plus;
    struct buffer own;     /* our half of the nonce */
    struct buffer nonce;   /* both halves */
    struct buffer binding; /* what "c=" must be, in base64 */
    struct buffer auth;    /* AuthMessage as far as it is known */
};

enum status
scram_verifier_make(struct slice password, struct scram_verifier *out)
{
    const struct scram_salt salt = { slice_of(out->salt, sizeof(out->salt)), out->rounds };
    uint8_t client_key[SCRAM_KEY_SIZE], server_key[SCRAM_KEY_SIZE];
    const struct slice key = slice_of(client_key, sizeof(client_key));
    enum status status = scram_derive(password, &salt, client_key, server_key);

    if (status == STATUS_OK)
        status = hash_sha256(&key, 1, out->stored_key);
    if (status == STATUS_OK)
        memcpy(out->server_key, server_key, sizeof(server_key));
    secret_wipe(client_key, sizeof(client_key));
    secret_wipe(server_key, sizeof(server_key));
    return status;
}

void
scram_verifier_wipe(struct scram_verifier *verifier)
{
    secret_wipe(verifier, sizeof(*verifier));
}

enum status
scram_server_new(const struct scram_server_options *options, struct scram_server **out)
{
    struct scram_server *server;

    if (options->end_point.size > SCRAM_END_POINT_MAX ||
        (options->plus && options->end_point.size == 0))
        return STATUS_INVALID;
    server = calloc(1, sizeof(*server));
    if (server == NULL)
        return STATUS_MEMORY;
    memcpy(server->salt, options->salt, SCRAM_SALT_SIZE);
    server->rounds = options->rounds;
    server->plus = options->plus;
    server->end_point_size = options->end_point.size;
    if (options->end_point.size > 0)
        memcpy(server->end_point, options->end_point.at, options->end_point.size);
    enum status status = scram_put_nonce(&server->own);
    if (status != STATUS_OK) {
        scram_server_free(server);
        return status;
    }
    *out = server;
    return STATUS_OK;
}

void
scram_server_free(struct scram_server *server)
{
    if (server == NULL)
        return;
    buffer_free(&server->own);
    buffer_free(&server->nonce);
    buffer_free(&server->binding);
    buffer_free(&server->auth);
    secret_wipe(server, sizeof(*server));
    free(server);
}

void
scram_server_nonce_set(struct scram_server *server, struct slice nonce)
{
    buffer_clear(&server->own);
    put_slice(&server->own, nonce);
}

/* "n", "y" or "p=tls-server-end-point", then an empty identity: nobody acts as another here. */
static enum status
read_gs2_header(const struct scram_server *server, struct slice *rest, struct slice *header)
{
    struct slice all = *rest;
    size_t end = slice_find(*rest, ',');
    struct slice flag = slice_first(*rest, end);

    *rest = slice_from(*rest, end);
    if (!slice_starts(*rest, SLICE_LITERAL(",,")))
        return STATUS_INVALID;
    *header = slice_first(all, end + 2);
    *rest = slice_from(*rest, 2);
    if (slice_starts(flag, SLICE_LITERAL("p=")))
        return server->plus && slice_is(flag, "p=tls-server-end-point") ? STATUS_OK
                                                                        : STATUS_INVALID;
    if (server->plus || !(slice_is(flag, "n") || slice_is(flag, "y")))
        return STATUS_INVALID;
    return slice_is(flag, "y") && server->end_point_size > 0 ? STATUS_DENIED : STATUS_OK;
}

/* RFC 5802 §7: printable ASCII but the comma, which ended it. */
static bool
nonce_is_sound(struct slice nonce)
{
    if (nonce.size == 0 || nonce.size > CLIENT_NONCE_MAX)
        return false;
    for (size_t i = 0; i < nonce.size; i++) {
        if (nonce.at[i] < 0x21 || nonce.at[i] > 0x7e)
            return false;
    }
    return true;
}

static enum status
put_challenge(struct scram_server *server, struct buffer *out)
{
    struct buffer text = { 0 };

    put_text(&text, "r=");
    put_slice(&text, buffer_slice(&server->nonce));
    put_text(&text, ",s=");
    put_base64(&text, server->salt, sizeof(server->salt));
    put_text(&text, ",i=");
    put_decimal(&text, server->rounds);
    put_slice(&server->auth, buffer_slice(&text));
    put_slice(out, buffer_slice(&text));
    enum status status = buffer_status(&text);
    buffer_free(&text);
    return status == STATUS_OK ? buffer_status(out) : status;
}

/* The header as the client sent it, and the connection when it is bound. */
static void
expect_binding(struct scram_server *server, struct slice header)
{
    struct buffer plain = { 0 };

    put_slice(&plain, header);
    if (server->plus)
        put_bytes(&plain, server->end_point, server->end_point_size);
    put_base64(&server->binding, plain.bytes, plain.size);
    if (buffer_status(&plain) != STATUS_OK)
        server->binding.status = buffer_status(&plain);
    buffer_free(&plain);
}

enum status
scram_server_first(struct scram_server *server, struct slice client_first, struct buffer *out)
{
    struct slice rest = client_first, header, bare, name, nonce;

    if (server->state != SERVER_BEGUN || client_first.size > SCRAM_MESSAGE_MAX)
        return STATUS_INVALID;
    server->state = SERVER_OVER;
    enum status status = read_gs2_header(server, &rest, &header);
    if (status != STATUS_OK)
        return status;
    bare = rest;
    if (!scram_take(&rest, 'n', &name) || !scram_take(&rest, 'r', &nonce) || rest.size > 0 ||
        !nonce_is_sound(nonce))
        return STATUS_INVALID;
    put_slice(&server->nonce, nonce);
    put_slice(&server->nonce, buffer_slice(&server->own));
    expect_binding(server, header);
    put_slice(&server->auth, bare);
    put_u8(&server->auth, ',');
    status = put_challenge(server, out);
    if (status == STATUS_OK && (buffer_status(&server->nonce) != STATUS_OK ||
                                buffer_status(&server->binding) != STATUS_OK))
        status = STATUS_MEMORY;
    if (status == STATUS_OK)
        server->state = SERVER_CHALLENGED;
    return status;
}

/* Is the proof ClientKey XOR HMAC(StoredKey, AuthMessage), of a key whose hash is StoredKey? */
static enum status
check_proof(const struct scram_server *server, const struct scram_verifier *verifier,
            uint8_t proof[SCRAM_KEY_SIZE])
{
    const struct slice auth = buffer_slice(&server->auth);
    const struct slice key = slice_of(proof, SCRAM_KEY_SIZE);
    uint8_t signature[SCRAM_KEY_SIZE], stored[SCRAM_KEY_SIZE];
    enum status status =
        mac_once(verifier->stored_key, sizeof(verifier->stored_key), &auth, 1, signature);

    for (size_t i = 0; i < SCRAM_KEY_SIZE && status == STATUS_OK; i++)
        proof[i] ^= signature[i];
    if (status == STATUS_OK)
        status = hash_sha256(&key, 1, stored);
    if (status == STATUS_OK && !secret_equal(stored, verifier->stored_key, sizeof(stored)))
        status = STATUS_DENIED;
    secret_wipe(signature, sizeof(signature));
    return status;
}

struct client_final {
    struct slice bare, binding, nonce;
    uint8_t proof[SCRAM_KEY_SIZE];
};

/* c=…,r=…,p=… and nothing else. */
static bool
read_final(struct slice text, struct client_final *out)
{
    struct slice rest = text, proof;
    size_t size;

    if (text.size > SCRAM_MESSAGE_MAX || !scram_take(&rest, 'c', &out->binding) ||
        !scram_take(&rest, 'r', &out->nonce) || rest.size == 0)
        return false;
    out->bare = slice_first(text, text.size - rest.size - 1);
    return scram_take(&rest, 'p', &proof) && rest.size == 0 &&
           base64_decode(proof, out->proof, sizeof(out->proof), &size) &&
           size == sizeof(out->proof);
}

static enum status
put_signature(const struct scram_server *server, const struct scram_verifier *verifier,
              struct buffer *out)
{
    const struct slice auth = buffer_slice(&server->auth);
    uint8_t signature[SCRAM_KEY_SIZE];
    enum status status =
        mac_once(verifier->server_key, sizeof(verifier->server_key), &auth, 1, signature);

    if (status != STATUS_OK)
        return status;
    put_text(out, "v=");
    put_base64(out, signature, sizeof(signature));
    return buffer_status(out);
}

enum status
scram_server_final(struct scram_server *server, struct slice client_final,
                   const struct scram_verifier *verifier, struct buffer *out)
{
    struct client_final got;

    if (server->state != SERVER_CHALLENGED)
        return STATUS_INVALID;
    server->state = SERVER_OVER;
    if (!read_final(client_final, &got))
        return STATUS_INVALID;
    put_u8(&server->auth, ',');
    put_slice(&server->auth, got.bare);
    enum status status = buffer_status(&server->auth);
    if (status == STATUS_OK)
        status = check_proof(server, verifier, got.proof);
    if (status == STATUS_OK && (!slice_equal(got.binding, buffer_slice(&server->binding)) ||
                                !slice_equal(got.nonce, buffer_slice(&server->nonce))))
        status = STATUS_DENIED;
    secret_wipe(got.proof, sizeof(got.proof));
    return status == STATUS_OK ? put_signature(server, verifier, out) : status;
}
