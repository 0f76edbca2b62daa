/* cli/binding.c - what a token is bound to, out of a key or certificate file. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

#include "base/encoding.h"
#include "crypto/certificate.h"
#include "crypto/private_key.h"

enum { FILE_MAX = 65536 };

static enum status
read_small(const char *path, struct buffer *out, struct fault *fault)
{
    FILE *file = fopen(path, "re");
    char *room = buffer_room(out, FILE_MAX);

    if (file == NULL || room == NULL) {
        if (file != NULL)
            fclose(file);
        return fault_set(fault, STATUS_NOT_FOUND, "cannot read %s", path);
    }
    buffer_added(out, fread(room, 1, FILE_MAX, file));
    fclose(file);
    return STATUS_OK;
}

static void
put_thumbprint(struct buffer *out, const uint8_t thumbprint[THUMBPRINT_SIZE])
{
    put_base64url(out, thumbprint, THUMBPRINT_SIZE);
}

static enum status
key_of_json(struct slice text, struct public_key **out, struct fault *fault)
{
    json_t *jwk = NULL;
    enum status status = json_read(text, &jwk, fault);

    if (status == STATUS_OK)
        status = public_key_from_jwk(jwk, out, fault);
    json_decref(jwk);
    return status;
}

/* A JWK, a public key or certificate in PEM, or a pair made by writ key new. */
static enum status
key_of_file(const char *path, struct slice text, struct public_key **out, struct fault *fault)
{
    static const char pair[] = "PRIVATE KEY-----";
    struct private_key *key;
    enum status status;

    if (slice_starts(text, SLICE_LITERAL("{")))
        return key_of_json(text, out, fault);
    if (memmem(text.at, text.size, pair, sizeof pair - 1) == NULL)
        return public_key_from_pem(text, out, fault);
    status = private_key_read(path, &key, fault);
    if (status != STATUS_OK)
        return status;
    json_t *jwk = public_key_jwk(private_key_public(key));
    status = public_key_from_jwk(jwk, out, fault);
    json_decref(jwk);
    private_key_free(key);
    return status;
}

/* RFC 7638. */
enum status
binding_of_key(const char *path, struct buffer *out, struct fault *fault)
{
    struct buffer text = { 0 };
    struct public_key *key = NULL;
    enum status status = read_small(path, &text, fault);

    if (status == STATUS_OK) {
        status = key_of_file(path, slice_trim(buffer_slice(&text)), &key, fault);
        if (status != STATUS_OK)
            fault_prefix(fault, "%s", path);
    }
    if (status == STATUS_OK)
        put_thumbprint(out, public_key_thumbprint(key));
    public_key_free(key);
    buffer_wipe_free(&text);
    return status;
}

/* RFC 8705 §3.1: SHA-256 of the certificate's DER, the first in the file. */
enum status
binding_of_certificate(const char *path, struct buffer *out, struct fault *fault)
{
    struct buffer text = { 0 };
    struct certificate *certificate;
    enum status status = read_small(path, &text, fault);

    if (status == STATUS_OK) {
        status = certificate_from_pem(buffer_slice(&text), &certificate, fault);
        if (status != STATUS_OK)
            fault_prefix(fault, "%s", path);
    }
    if (status == STATUS_OK) {
        put_thumbprint(out, certificate_thumbprint(certificate));
        certificate_free(certificate);
    }
    buffer_free(&text);
    return status;
}
