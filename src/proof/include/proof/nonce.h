/* proof/nonce.h - nonces that need no memory (RFC 9449 §8): a time and a MAC over it,
 * under a key that is born and dies with the process, so that no other node's nonce
 * and none from before a restart is taken. */
#ifndef WRIT_PROOF_NONCE_H
#define WRIT_PROOF_NONCE_H

#include "base/slice.h"
#include "base/status.h"

/* Nonces of the one are none for the other (§8.2). */
enum nonce_place { NONCE_AUTHORITY, NONCE_GATEWAY };
enum nonce_age {
    NONCE_NONE,  /* none was given */
    NONCE_FRESH, /* less than NONCE_FRESH_MS old */
    NONCE_OLD,   /* still taken; the client should get a new one */
    NONCE_WRONG, /* not of this process and place, altered, or over */
};
enum { NONCE_TEXT_MAX = 48, NONCE_FRESH_MS = 150 * 1000, NONCE_LIFE_MS = 300 * 1000 };

/* Immutable; shared by all threads. */
struct nonce_source;
/* node: the name that stands, as a digest, in each nonce. */
enum status nonce_source_new(struct slice node, struct nonce_source **out) WRIT_MUST_USE;
void nonce_source_free(struct nonce_source *source);
/* NQCHAR alone (RFC 6749 appendix A), NUL-terminated. "" when the MAC can't be made. */
const char *nonce_make(const struct nonce_source *source, enum nonce_place place, int64_t now,
                       char out[NONCE_TEXT_MAX]);
enum nonce_age nonce_check(const struct nonce_source *source, enum nonce_place place,
                           struct slice text, int64_t now);

#endif
