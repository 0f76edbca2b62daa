/* crypto/certificate.h - what an X.509 certificate says, for binding tokens to it and
 * for knowing a client by it (RFC 8705). No chain is verified here: TLS did that. */
#ifndef WRIT_CRYPTO_CERTIFICATE_H
#define WRIT_CRYPTO_CERTIFICATE_H

#include "crypto/key.h"

struct certificate;

enum status certificate_from_der(struct slice der, struct certificate **out) WRIT_MUST_USE;
/* The first certificate of a PEM text. */
enum status certificate_from_pem(struct slice text, struct certificate **out,
                                 struct fault *fault) WRIT_MUST_USE;
void certificate_free(struct certificate *certificate); /* accepts NULL */

/* SHA-256 over the DER: x5t#S256. */
const uint8_t *certificate_thumbprint(const struct certificate *certificate);
/* NULL when the key is none that is verified here. Borrowed. */
const struct public_key *certificate_key(const struct certificate *certificate);
bool certificate_valid_at(const struct certificate *certificate, int64_t wall_ms);

enum certificate_name { NAME_SUBJECT_DN, NAME_SAN_DNS, NAME_SAN_URI, NAME_SAN_IP, NAME_SAN_EMAIL };
/* A DN in the string form of RFC 4514, compared by structure; DNS names without regard
 * to case, and never by a wildcard; the rest byte for byte (an IP by its value). */
bool certificate_is_named(const struct certificate *certificate, enum certificate_name kind,
                          struct slice value);
/* The subject's DN in the form of RFC 4514, for people and the audit. */
void certificate_put_subject(const struct certificate *certificate, struct buffer *out);

#endif
