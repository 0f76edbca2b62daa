/* crypto/seal.c - AES-256-GCM (NIST SP 800-38D) around secrets at rest. */
#include "crypto/seal.h"

#include "crypto/random.h"
#include "ossl.h"

/* sealed: | version 1 | nonce 12 | ciphertext | tag 16 |
 * The version and the context are authenticated with it. */
enum { VERSION = 1, NONCE_SIZE = 12, TAG_SIZE = 16, PLAIN_MOST = 1 << 30 };

_Static_assert(SEAL_OVERHEAD == 1 + NONCE_SIZE + TAG_SIZE, "the header's promise");

static const unsigned char *
bytes_of(struct slice s)
{
    return (const unsigned char *)(s.size == 0 ? "" : s.at);
}

/* Adds what is authenticated and not encrypted. */
static bool
authenticate(EVP_CIPHER_CTX *cipher, uint8_t version, struct slice context)
{
    int added;

    return EVP_CipherUpdate(cipher, NULL, &added, &version, 1) == 1 &&
           (context.size == 0 ||
            EVP_CipherUpdate(cipher, NULL, &added, bytes_of(context), (int)context.size) == 1);
}

static bool
encrypt(EVP_CIPHER_CTX *cipher, const struct secret *key, struct slice context, struct slice plain,
        uint8_t *sealed)
{
    uint8_t *body = sealed + 1 + NONCE_SIZE;
    int size, rest;

    return EVP_EncryptInit_ex2(cipher, ossl_aes_256_gcm(), key->bytes, sealed + 1, NULL) == 1 &&
           authenticate(cipher, sealed[0], context) &&
           EVP_EncryptUpdate(cipher, body, &size, bytes_of(plain), (int)plain.size) == 1 &&
           EVP_EncryptFinal_ex(cipher, body + size, &rest) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, body + plain.size) == 1;
}

enum status
seal(const struct secret *key, struct slice context, struct slice plain, struct buffer *out)
{
    EVP_CIPHER_CTX *cipher;
    enum status status;
    uint8_t *room;
    bool fine;

    if (plain.size > PLAIN_MOST || context.size > PLAIN_MOST)
        return STATUS_TOO_LARGE;
    room = (uint8_t *)buffer_room(out, SEAL_OVERHEAD + plain.size);
    if (room == NULL)
        return buffer_status(out);
    room[0] = VERSION;
    status = random_bytes(room + 1, NONCE_SIZE);
    if (status != STATUS_OK)
        return status;
    cipher = EVP_CIPHER_CTX_new();
    fine =
        cipher != NULL && ossl_aes_256_gcm() != NULL && encrypt(cipher, key, context, plain, room);
    EVP_CIPHER_CTX_free(cipher);
    if (!fine)
        return ossl_failed();
    buffer_added(out, SEAL_OVERHEAD + plain.size);
    return STATUS_OK;
}

static bool
decrypt(EVP_CIPHER_CTX *cipher, const struct secret *key, struct slice context,
        const uint8_t *sealed, size_t plain_size, uint8_t *plain)
{
    const uint8_t *body = sealed + 1 + NONCE_SIZE;
    uint8_t tag[TAG_SIZE];
    int size, rest;

    memcpy(tag, body + plain_size, sizeof tag);
    return EVP_DecryptInit_ex2(cipher, ossl_aes_256_gcm(), key->bytes, sealed + 1, NULL) == 1 &&
           authenticate(cipher, sealed[0], context) &&
           EVP_DecryptUpdate(cipher, plain, &size, body, (int)plain_size) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1 &&
           EVP_DecryptFinal_ex(cipher, plain + size, &rest) == 1;
}

enum status
unseal(const struct secret *key, struct slice context, struct slice sealed, struct buffer *out)
{
    const uint8_t *bytes = bytes_of(sealed);
    EVP_CIPHER_CTX *cipher;
    size_t plain_size;
    uint8_t *room;
    bool fine;

    if (sealed.size < SEAL_OVERHEAD || sealed.size - SEAL_OVERHEAD > PLAIN_MOST ||
        context.size > PLAIN_MOST || bytes[0] != VERSION)
        return STATUS_DENIED;
    plain_size = sealed.size - SEAL_OVERHEAD;
    room = (uint8_t *)buffer_room(out, plain_size);
    if (room == NULL)
        return buffer_status(out);
    cipher = EVP_CIPHER_CTX_new();
    if (cipher == NULL || ossl_aes_256_gcm() == NULL) {
        EVP_CIPHER_CTX_free(cipher);
        return ossl_failed();
    }
    fine = decrypt(cipher, key, context, bytes, plain_size, room);
    EVP_CIPHER_CTX_free(cipher);
    if (!fine) {
        /* What a wrong tag left there is nobody's to read. */
        secret_wipe(room, plain_size);
        (void)ossl_failed();
        return STATUS_DENIED;
    }
    buffer_added(out, plain_size);
    return STATUS_OK;
}
