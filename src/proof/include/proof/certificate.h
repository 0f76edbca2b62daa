/* proof/certificate.h - possession proven by a client certificate (RFC 8705): of the
 * TLS connection, or forwarded by a terminator that is trusted (RFC 9440). */
#ifndef WRIT_PROOF_CERTIFICATE_H
#define WRIT_PROOF_CERTIFICATE_H

#include "base/arena.h"
#include "crypto/certificate.h"
#include "token/record.h"

/* One thread's: the key thumbprints of certificates that it met lately, by x5t. */
struct certificate_prover;
enum status certificate_prover_new(struct certificate_prover **out) WRIT_MUST_USE;
void certificate_prover_free(struct certificate_prover *prover);

/* Client-Cert (RFC 9440 §2.2): one byte sequence of RFC 8941, ":base64:". The DER lies
 * in the arena. INVALID for anything else, and for what is no certificate. */
enum status certificate_from_field(struct slice value, struct arena *arena,
                                   struct slice *der) WRIT_MUST_USE;

/* Does the certificate prove the key that the token is bound to? x5t: that very
 * certificate; jkt: a certificate whose key has that thumbprint. x5t is the DER's
 * SHA-256, made once for a connection; der is only read for a jkt that is not known. */
bool certificate_proves(struct certificate_prover *prover, const struct binding *binding,
                        const uint8_t x5t[THUMBPRINT_SIZE], struct slice der);

#endif
