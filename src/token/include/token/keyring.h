/* token/keyring.h - the keys under which tokens' MACs are made.
 *
 * A ring is immutable; the world publishes a new one when a key is added or
 * retired. A keyring_state is one thread's prepared MAC contexts for it. */
#ifndef WRIT_TOKEN_KEYRING_H
#define WRIT_TOKEN_KEYRING_H

#include "base/secret.h"
#include "base/slice.h"
#include "base/status.h"

enum { KEYRING_MAX = 32 };

struct ring_key {
    uint8_t kid;
    bool retired; /* verifies, never issues */
    struct secret key;
};

struct keyring;
struct public_key;
enum status keyring_new(const struct ring_key *keys, size_t count,
                        struct keyring **out) WRIT_MUST_USE;
void keyring_free(struct keyring *ring); /* wipes */
/* Before it is published: the issuer of JWTs, and a key that has signed some (copied). */
enum { KEYRING_SIGNERS_MAX = KEYRING_MAX, KEYRING_KID_MAX = 64, KEYRING_ISSUER_MAX = 512 };
enum status keyring_set_issuer(struct keyring *ring, struct slice issuer) WRIT_MUST_USE;
enum status keyring_add_signer(struct keyring *ring, struct slice kid,
                               const struct public_key *key) WRIT_MUST_USE;
bool keyring_newest(const struct keyring *ring, uint8_t *kid); /* false: empty */

struct keyring_state;
enum status keyring_state_new(struct keyring_state **out) WRIT_MUST_USE;
void keyring_state_free(struct keyring_state *state);
/* Prepares contexts for a ring when it differs from the last one (by pointer and
 * version); no cost when it is the same. */
enum status keyring_state_follow(struct keyring_state *state,
                                 const struct keyring *ring) WRIT_MUST_USE;

#endif
