/* proof/certificate.c - a certificate against the key that a token is bound to. */
#include "proof/certificate.h"

#include <stdlib.h>

#include "base/encoding.h"
#include "base/secret.h"

enum { KNOWN = 256, FIELD_MAX = 16384 };

struct known_certificate {
    bool used, has_key;
    uint8_t x5t[THUMBPRINT_SIZE], jkt[THUMBPRINT_SIZE];
};

struct certificate_prover {
    struct known_certificate known[KNOWN];
};

enum status
certificate_prover_new(struct certificate_prover **out)
{
    *out = calloc(1, sizeof **out);
    return *out == NULL ? STATUS_MEMORY : STATUS_OK;
}

void
certificate_prover_free(struct certificate_prover *prover)
{
    free(prover);
}

/* --- the forwarded one (RFC 9440 §2.2, RFC 8941 §3.3.5) ------------------------- */

enum status
certificate_from_field(struct slice value, struct arena *arena, struct slice *der)
{
    struct certificate *certificate;
    struct slice text;
    uint8_t *bytes;
    size_t size;
    enum status status;

    if (value.size < 2 || value.size > FIELD_MAX || value.at[0] != ':' ||
        value.at[value.size - 1] != ':')
        return STATUS_INVALID;
    text = slice_of(value.at + 1, value.size - 2);
    bytes = arena_take(arena, text.size + 3);
    if (bytes == NULL)
        return STATUS_MEMORY;
    if (!base64_decode(text, bytes, text.size + 3, &size))
        return STATUS_INVALID;
    status = certificate_from_der(slice_of(bytes, size), &certificate);
    if (status != STATUS_OK)
        return status;
    certificate_free(certificate);
    *der = slice_of(bytes, size);
    return STATUS_OK;
}

/* --- does it prove the key? -------------------------------------------------------- */

static void
learn(struct known_certificate *known, const uint8_t x5t[THUMBPRINT_SIZE], struct slice der)
{
    struct certificate *certificate;

    known->used = true;
    known->has_key = false;
    memcpy(known->x5t, x5t, sizeof known->x5t);
    if (certificate_from_der(der, &certificate) != STATUS_OK)
        return;
    /* What the thumbprint was made of must be what is read here. */
    if (certificate_key(certificate) != NULL &&
        memcmp(certificate_thumbprint(certificate), x5t, THUMBPRINT_SIZE) == 0) {
        memcpy(known->jkt, public_key_thumbprint(certificate_key(certificate)), sizeof known->jkt);
        known->has_key = true;
    }
    certificate_free(certificate);
}

bool
certificate_proves(struct certificate_prover *prover, const struct binding *binding,
                   const uint8_t x5t[THUMBPRINT_SIZE], struct slice der)
{
    struct known_certificate *known = &prover->known[x5t[0]];

    switch (binding->kind) {
    case BINDING_NONE:
        return false;
    case BINDING_X5T:
        return secret_equal(binding->thumbprint, x5t, THUMBPRINT_SIZE);
    case BINDING_JKT:
        break;
    }
    if (!known->used || memcmp(known->x5t, x5t, sizeof known->x5t) != 0)
        learn(known, x5t, der);
    return known->has_key && secret_equal(known->jkt, binding->thumbprint, THUMBPRINT_SIZE);
}
