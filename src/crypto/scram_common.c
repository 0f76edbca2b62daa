/* crypto/scram_common.c - keys, nonces and attributes of SCRAM (RFC 5802 §3, §5.1). */
#include "base/encoding.h"
#include "base/secret.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "ossl.h"
#include "scram_inside.h"

enum status
scram_derive(struct slice password, const struct scram_salt *salt,
             uint8_t client_key[SCRAM_KEY_SIZE], uint8_t server_key[SCRAM_KEY_SIZE])
{
    const struct slice client = SLICE_LITERAL("Client Key"), server = SLICE_LITERAL("Server Key");
    uint8_t salted[SCRAM_KEY_SIZE];
    enum status status;

    if (password.size > INT32_MAX || salt->salt.size > INT32_MAX)
        return STATUS_TOO_LARGE;
    if (PKCS5_PBKDF2_HMAC(password.at == NULL ? "" : password.at, (int)password.size,
                          (const unsigned char *)salt->salt.at, (int)salt->salt.size,
                          (int)salt->rounds, ossl_sha256(), sizeof(salted), salted) != 1)
        return ossl_failed();
    status = mac_once(salted, sizeof(salted), &client, 1, client_key);
    if (status == STATUS_OK)
        status = mac_once(salted, sizeof(salted), &server, 1, server_key);
    secret_wipe(salted, sizeof(salted));
    return status;
}

enum status
scram_put_nonce(struct buffer *out)
{
    uint8_t bytes[SCRAM_NONCE_SIZE];
    enum status status = random_bytes(bytes, sizeof(bytes));

    if (status == STATUS_OK)
        put_base64(out, bytes, sizeof(bytes));
    return status == STATUS_OK ? buffer_status(out) : status;
}

bool
scram_take(struct slice *rest, char name, struct slice *value)
{
    size_t end = slice_find(*rest, ',');

    if (rest->size < 2 || rest->at[0] != name || rest->at[1] != '=')
        return false;
    /* A comma promises another attribute. */
    if (end + 1 == rest->size)
        return false;
    *value = slice_from(slice_first(*rest, end), 2);
    *rest = slice_from(*rest, end + 1);
    return true;
}
