/* crypto/scram.c - the client of SCRAM-SHA-256 (RFC 5802 §3, §5). */
#include "crypto/scram.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "base/secret.h"
#include "crypto/mac.h"
#include "scram_inside.h"

enum { SALT_MAX = 1024, KEY_SIZE = SCRAM_KEY_SIZE };

struct scram_client {
    struct buffer password;
    enum scram_binding binding;
    uint8_t end_point[SCRAM_END_POINT_MAX];
    size_t end_point_size;
    struct scram_memory *memory;
    struct buffer nonce, auth; /* auth: AuthMessage as far as it is known */
    uint8_t server_signature[KEY_SIZE];
    bool final; /* the proof was sent: the signature is known */
};

void
scram_memory_wipe(struct scram_memory *memory)
{
    secret_wipe(memory, sizeof(*memory));
}

/* RFC 5802 §6: bound, could be bound, can't be bound. */
static void
put_gs2_header(const struct scram_client *client, struct buffer *out)
{
    static const char *const headers[] = { [SCRAM_UNBOUND] = "n,,",
                                           [SCRAM_UNOFFERED] = "y,,",
                                           [SCRAM_BOUND] = "p=tls-server-end-point,," };

    put_text(out, headers[client->binding]);
}

enum status
scram_client_new(struct slice password, enum scram_binding binding, struct slice end_point,
                 struct scram_memory *memory, struct scram_client **out)
{
    struct scram_client *client;

    if (end_point.size > SCRAM_END_POINT_MAX || (binding == SCRAM_BOUND) != (end_point.size > 0))
        return STATUS_INVALID;
    client = calloc(1, sizeof(*client));
    if (client == NULL)
        return STATUS_MEMORY;
    client->memory = memory;
    client->binding = binding;
    client->end_point_size = end_point.size;
    if (end_point.size > 0)
        memcpy(client->end_point, end_point.at, end_point.size);
    put_slice(&client->password, password);
    enum status status = buffer_status(&client->password);
    if (status == STATUS_OK)
        status = scram_put_nonce(&client->nonce);
    if (status != STATUS_OK) {
        scram_client_free(client);
        return status;
    }
    *out = client;
    return STATUS_OK;
}

void
scram_client_free(struct scram_client *client)
{
    if (client == NULL)
        return;
    buffer_wipe_free(&client->password);
    buffer_free(&client->nonce);
    buffer_free(&client->auth);
    secret_wipe(client, sizeof(*client));
    free(client);
}

void
scram_client_nonce_set(struct scram_client *client, struct slice nonce)
{
    buffer_clear(&client->nonce);
    put_slice(&client->nonce, nonce);
}

/* PostgreSQL takes the name from its start-up message: "n=" stays empty. */
enum status
scram_client_first(struct scram_client *client, struct buffer *out)
{
    put_text(&client->auth, "n=,r=");
    put_slice(&client->auth, buffer_slice(&client->nonce));
    put_gs2_header(client, out);
    put_slice(out, buffer_slice(&client->auth));
    enum status status = buffer_status(&client->auth);
    return status == STATUS_OK ? buffer_status(out) : status;
}

struct challenge {
    struct slice nonce;
    uint8_t salt[SALT_MAX];
    size_t salt_size;
    uint64_t rounds;
};

/* r=…,s=…,i=… and nothing else: an extension that we must understand ("m=") is not known. */
static bool
read_challenge(struct slice text, struct challenge *out)
{
    struct slice salt, rounds;

    return text.size <= SCRAM_MESSAGE_MAX && scram_take(&text, 'r', &out->nonce) &&
           scram_take(&text, 's', &salt) && scram_take(&text, 'i', &rounds) && text.size == 0 &&
           base64_decode(salt, out->salt, SALT_MAX, &out->salt_size) && out->salt_size > 0 &&
           slice_u64(rounds, &out->rounds) && out->rounds >= 1 && out->rounds <= SCRAM_ROUNDS_MAX;
}

static enum status
keys_for(const struct scram_client *client, const struct challenge *challenge)
{
    struct scram_memory *memory = client->memory;
    const uint8_t rounds[4] = { (uint8_t)(challenge->rounds >> 24),
                                (uint8_t)(challenge->rounds >> 16),
                                (uint8_t)(challenge->rounds >> 8), (uint8_t)challenge->rounds };
    const uint8_t size[2] = { (uint8_t)(challenge->salt_size >> 8), (uint8_t)challenge->salt_size };
    const struct slice parts[] = { slice_of(rounds, sizeof(rounds)), slice_of(size, sizeof(size)),
                                   slice_of(challenge->salt, challenge->salt_size),
                                   buffer_slice(&client->password) };
    uint8_t of[HASH_SIZE];
    enum status status = hash_sha256(parts, sizeof(parts) / sizeof(parts[0]), of);

    if (status != STATUS_OK)
        return status;
    if (memory->known && secret_equal(memory->of, of, sizeof(of)))
        return STATUS_OK;
    memory->known = false;
    status =
        scram_derive(buffer_slice(&client->password),
                     &(struct scram_salt){ .salt = slice_of(challenge->salt, challenge->salt_size),
                                           .rounds = (uint32_t)challenge->rounds },
                     memory->client_key, memory->server_key);
    if (status == STATUS_OK) {
        memcpy(memory->of, of, sizeof(of));
        memory->known = true;
    }
    return status;
}

/* "c=" and the nonce: what the proof is made over, and sent before it. */
static void
put_final_bare(const struct scram_client *client, struct slice nonce, struct buffer *out)
{
    struct buffer binding = { 0 };

    put_gs2_header(client, &binding);
    put_bytes(&binding, client->end_point, client->end_point_size);
    put_text(out, "c=");
    put_base64(out, binding.bytes, binding.size);
    put_text(out, ",r=");
    put_slice(out, nonce);
    buffer_free(&binding);
}

/* ClientProof = ClientKey XOR HMAC(H(ClientKey), AuthMessage). */
static enum status
sign(struct scram_client *client, uint8_t proof[KEY_SIZE])
{
    const struct scram_memory *memory = client->memory;
    const struct slice key = slice_of(memory->client_key, KEY_SIZE);
    const struct slice auth = buffer_slice(&client->auth);
    uint8_t stored[KEY_SIZE];
    enum status status = hash_sha256(&key, 1, stored);

    if (status == STATUS_OK)
        status = mac_once(stored, sizeof(stored), &auth, 1, proof);
    if (status == STATUS_OK)
        status = mac_once(memory->server_key, KEY_SIZE, &auth, 1, client->server_signature);
    for (size_t i = 0; i < KEY_SIZE && status == STATUS_OK; i++)
        proof[i] ^= memory->client_key[i];
    secret_wipe(stored, sizeof(stored));
    return status;
}

static bool
continues(struct slice nonce, struct slice ours)
{
    return nonce.size > ours.size && slice_starts(nonce, ours);
}

enum status
scram_client_final(struct scram_client *client, struct slice server_first, struct buffer *out)
{
    struct challenge challenge = { 0 };
    uint8_t proof[KEY_SIZE];

    if (!read_challenge(server_first, &challenge) ||
        !continues(challenge.nonce, buffer_slice(&client->nonce)))
        return STATUS_INVALID;
    enum status status = keys_for(client, &challenge);
    if (status != STATUS_OK)
        return status;
    put_u8(&client->auth, ',');
    put_slice(&client->auth, server_first);
    put_u8(&client->auth, ',');
    put_final_bare(client, challenge.nonce, &client->auth);
    put_final_bare(client, challenge.nonce, out);
    status = buffer_status(&client->auth);
    if (status == STATUS_OK)
        status = sign(client, proof);
    if (status != STATUS_OK)
        return status;
    put_text(out, ",p=");
    put_base64(out, proof, sizeof(proof));
    secret_wipe(proof, sizeof(proof));
    client->final = true;
    return buffer_status(out);
}

enum status
scram_client_verify(struct scram_client *client, struct slice server_final)
{
    struct slice text;
    uint8_t signature[KEY_SIZE];
    size_t size;

    if (!client->final || server_final.size > SCRAM_MESSAGE_MAX ||
        !scram_take(&server_final, 'v', &text) || server_final.size > 0 ||
        !base64_decode(text, signature, sizeof(signature), &size) || size != sizeof(signature) ||
        !secret_equal(signature, client->server_signature, sizeof(signature)))
        return STATUS_DENIED;
    return STATUS_OK;
}
