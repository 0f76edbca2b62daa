/* crypto/mac.c - HMAC-SHA-256 (RFC 2104). */
#include "crypto/mac.h"

#include <openssl/core_names.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "ossl.h"

enum { BLOCK_SIZE = 64 }; /* of SHA-256 */

struct mac_state {
    EVP_MAC_CTX *context;
};

enum status
mac_state_new(const void *key, size_t size, struct mac_state **out)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    struct mac_state *state = calloc(1, sizeof *state);

    if (state == NULL)
        return STATUS_MEMORY;
    /* A NULL key would mean "the key as before", also where its size is 0. */
    if (ossl_hmac() == NULL || (state->context = EVP_MAC_CTX_new(ossl_hmac())) == NULL ||
        EVP_MAC_init(state->context, size == 0 ? (const void *)"" : key, size, params) != 1) {
        mac_state_free(state);
        return ossl_failed();
    }
    *out = state;
    return STATUS_OK;
}

void
mac_state_free(struct mac_state *state)
{
    if (state == NULL)
        return;
    EVP_MAC_CTX_free(state->context); /* wipes the key */
    free(state);
}

enum status
mac_compute(struct mac_state *state, const struct slice *parts, size_t count, uint8_t out[MAC_SIZE])
{
    uint8_t mac[MAC_SIZE];
    size_t size;

    if (EVP_MAC_init(state->context, NULL, 0, NULL) != 1)
        return ossl_failed();
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0 &&
            EVP_MAC_update(state->context, (const unsigned char *)parts[i].at, parts[i].size) != 1)
            return ossl_failed();
    }
    if (EVP_MAC_final(state->context, mac, &size, sizeof mac) != 1 || size != sizeof mac)
        return ossl_failed();
    memcpy(out, mac, sizeof mac);
    return STATUS_OK;
}

static bool
update(EVP_MD_CTX *digest, const struct slice *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0 && EVP_DigestUpdate(digest, parts[i].at, parts[i].size) != 1)
            return false;
    }
    return true;
}

/* H((key xor pad) || parts) with the thread's own SHA-256 context. */
static bool
keyed_hash(const uint8_t key[BLOCK_SIZE], uint8_t pad, const struct slice *parts, size_t count,
           uint8_t out[MAC_SIZE])
{
    EVP_MD_CTX *digest = ossl_thread()->digest;
    uint8_t block[BLOCK_SIZE];
    bool fine;

    for (size_t i = 0; i < BLOCK_SIZE; i++)
        block[i] = key[i] ^ pad;
    fine = EVP_DigestInit_ex2(digest, NULL, NULL) == 1 &&
           EVP_DigestUpdate(digest, block, sizeof block) == 1 && update(digest, parts, count) &&
           EVP_DigestFinal_ex(digest, out, NULL) == 1;
    secret_wipe(block, sizeof block);
    return fine;
}

/* RFC 2104 §2 from two hashes: re-keying an EVP_MAC_CTX takes half as long again
 * and keeps a copy of the key until the next one comes. */
enum status
mac_once(const void *key, size_t size, const struct slice *parts, size_t count,
         uint8_t out[MAC_SIZE])
{
    struct slice whole_key = slice_of(key, size);
    uint8_t block[BLOCK_SIZE] = { 0 }, inner[MAC_SIZE], mac[MAC_SIZE];
    bool fine = ossl_thread() != NULL;

    if (fine && size > sizeof block)
        fine = hash_sha256(&whole_key, 1, block) == STATUS_OK;
    else if (fine && size > 0)
        memcpy(block, key, size);
    fine = fine && keyed_hash(block, 0x36, parts, count, inner) &&
           keyed_hash(block, 0x5c, &(struct slice){ (const char *)inner, sizeof inner }, 1, mac);
    if (fine)
        memcpy(out, mac, sizeof mac);
    secret_wipe(block, sizeof block);
    secret_wipe(inner, sizeof inner);
    secret_wipe(mac, sizeof mac);
    return fine ? STATUS_OK : ossl_failed();
}
