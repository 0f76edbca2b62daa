/* cli/binding.c - what a token is bound to, out of a key or certificate file. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

#include "base/encoding.h"
#include "crypto/hash.h"

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
put_thumbprint(struct buffer *out, struct slice bytes)
{
    uint8_t hash[HASH_SIZE];

    if (hash_sha256(&bytes, 1, hash) == STATUS_OK)
        put_base64url(out, hash, sizeof hash);
}

/* RFC 7638 §3.2: the required members alone, in name order, without blanks. */
enum status
jwk_thumbprint(const char *path, struct buffer *out, struct fault *fault)
{
    static const char *const by_type[][5] = { { "EC", "crv", "kty", "x", "y" },
                                              { "OKP", "crv", "kty", "x" },
                                              { "RSA", "e", "kty", "n" } };
    struct buffer text = { 0 }, canonical = { 0 };
    json_t *jwk = NULL;
    const char *type;
    enum status status = read_small(path, &text, fault);

    if (status == STATUS_OK)
        status = json_read(slice_trim(buffer_slice(&text)), &jwk, fault);
    type = json_string_value(json_object_get(jwk, "kty"));
    for (size_t i = 0; type != NULL && i < 3; i++) {
        if (strcmp(by_type[i][0], type) != 0)
            continue;
        for (size_t k = 1; k < 5 && by_type[i][k] != NULL; k++) {
            const char *value = json_string_value(json_object_get(jwk, by_type[i][k]));
            if (value == NULL)
                status =
                    fault_set(fault, STATUS_INVALID, "%s: the key has no %s", path, by_type[i][k]);
            put_format(&canonical, "%c\"%s\":", k == 1 ? '{' : ',', by_type[i][k]);
            put_json_string(&canonical, slice_text(value == NULL ? "" : value));
        }
        put_text(&canonical, "}");
    }
    if (status == STATUS_OK && canonical.size == 0)
        status = fault_set(fault, STATUS_INVALID, "%s is no JWK of type EC, OKP or RSA", path);
    if (status == STATUS_OK)
        put_thumbprint(out, buffer_slice(&canonical));
    json_decref(jwk);
    buffer_wipe_free(&text);
    buffer_free(&canonical);
    return status;
}

/* RFC 8705 §3.1: SHA-256 of the certificate's DER, the first in the file. */
enum status
certificate_thumbprint(const char *path, struct buffer *out, struct fault *fault)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    struct buffer text = { 0 }, body = { 0 };
    uint8_t der[FILE_MAX];
    const char *from, *to;
    size_t size;
    enum status status = read_small(path, &text, fault);

    if (status != STATUS_OK)
        return status;
    from = memmem(text.bytes, text.size, begin, sizeof begin - 1);
    to = from == NULL ? NULL
                      : memmem(from, text.size - (size_t)(from - text.bytes), end, sizeof end - 1);
    for (const char *at = from == NULL ? NULL : from + sizeof begin - 1; to != NULL && at < to;
         at++) {
        char c = *at == '+' ? '-' : *at == '/' ? '_' : *at;
        if (c != '\n' && c != '\r' && c != '=')
            put_u8(&body, (uint8_t)c);
    }
    if (body.size == 0 || !base64url_decode(buffer_slice(&body), der, sizeof der, &size))
        status = fault_set(fault, STATUS_INVALID, "%s holds no PEM certificate", path);
    else
        put_thumbprint(out, slice_of(der, size));
    buffer_free(&text);
    buffer_free(&body);
    return status;
}
