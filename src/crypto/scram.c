/* crypto/scram.c - the client of SCRAM-SHA-256 (RFC 5802 §3, §5). */
#include "crypto/scram.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "ossl.h"

enum { NONCE_SIZE = 18, SALT_MAX = 1024, END_POINT_MAX = 64, KEY_SIZE = HASH_SIZE };

struct scram_client {
    struct buffer password;
    uint8_t end_point[END_POINT_MAX];
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

static void
put_base64(struct buffer *out, const void *bytes, size_t size)
{
    char *room = buffer_room(out, 4 * ((size + 2) / 3) + 1);

    if (room != NULL)
        buffer_added(out, (size_t)EVP_EncodeBlock((unsigned char *)room, bytes, (int)size));
}

/* "p=tls-server-end-point,," binds the connection; "n,," says that we can't (RFC 5802 §6). */
static void
put_gs2_header(const struct scram_client *client, struct buffer *out)
{
    put_text(out, client->end_point_size > 0 ? "p=tls-server-end-point,," : "n,,");
}

static enum status
make_nonce(struct scram_client *client)
{
    uint8_t bytes[NONCE_SIZE];
    enum status status = random_bytes(bytes, sizeof(bytes));

    if (status == STATUS_OK)
        put_base64(&client->nonce, bytes, sizeof(bytes));
    return status == STATUS_OK ? buffer_status(&client->nonce) : status;
}

enum status
scram_client_new(struct slice password, struct slice end_point, struct scram_memory *memory,
                 struct scram_client **out)
{
    struct scram_client *client;

    if (end_point.size > END_POINT_MAX)
        return STATUS_INVALID;
    client = calloc(1, sizeof(*client));
    if (client == NULL)
        return STATUS_MEMORY;
    client->memory = memory;
    client->end_point_size = end_point.size;
    if (end_point.size > 0)
        memcpy(client->end_point, end_point.at, end_point.size);
    put_slice(&client->password, password);
    enum status status = buffer_status(&client->password);
    if (status == STATUS_OK)
        status = make_nonce(client);
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

/* One attribute, "x=value"; the next begins behind the comma. */
static bool
take_attribute(struct slice *rest, char name, struct slice *value)
{
    size_t end = slice_find(*rest, ',');

    if (rest->size < 2 || rest->at[0] != name || rest->at[1] != '=')
        return false;
    *value = slice_from(slice_first(*rest, end), 2);
    *rest = slice_from(*rest, end + 1);
    return true;
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

    return text.size <= SCRAM_MESSAGE_MAX && take_attribute(&text, 'r', &out->nonce) &&
           take_attribute(&text, 's', &salt) && take_attribute(&text, 'i', &rounds) &&
           text.size == 0 && base64_decode(salt, out->salt, SALT_MAX, &out->salt_size) &&
           out->salt_size > 0 && slice_u64(rounds, &out->rounds) && out->rounds >= 1 &&
           out->rounds <= SCRAM_ROUNDS_MAX;
}

static enum status
derive(const struct slice password, const struct challenge *challenge, struct scram_memory *memory)
{
    const struct slice client = SLICE_LITERAL("Client Key"), server = SLICE_LITERAL("Server Key");
    uint8_t salted[KEY_SIZE];
    enum status status;

    if (PKCS5_PBKDF2_HMAC(password.at == NULL ? "" : password.at, (int)password.size,
                          challenge->salt, (int)challenge->salt_size, (int)challenge->rounds,
                          ossl_sha256(), sizeof(salted), salted) != 1)
        return ossl_failed();
    status = mac_once(salted, sizeof(salted), &client, 1, memory->client_key);
    if (status == STATUS_OK)
        status = mac_once(salted, sizeof(salted), &server, 1, memory->server_key);
    secret_wipe(salted, sizeof(salted));
    return status;
}

static enum status
keys_for(const struct scram_client *client, const struct challenge *challenge)
{
    struct scram_memory *memory = client->memory;
    const uint8_t rounds[4] = { (uint8_t)(challenge->rounds >> 24), (uint8_t)(challenge->rounds >> 16),
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
    status = derive(buffer_slice(&client->password), challenge, memory);
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
        !take_attribute(&server_final, 'v', &text) || server_final.size > 0 ||
        !base64_decode(text, signature, sizeof(signature), &size) || size != sizeof(signature) ||
        !secret_equal(signature, client->server_signature, sizeof(signature)))
        return STATUS_DENIED;
    return STATUS_OK;
}
