/* token/ring.h - inside the room: the prepared MAC of one key of the ring. */
#ifndef WRIT_TOKEN_RING_H
#define WRIT_TOKEN_RING_H

#include "crypto/key.h"
#include "crypto/mac.h"
#include "known.h"
#include "token/keyring.h"

/* The state's MAC for kid. When the ring has no such key, *known is false and the
 * answer is a MAC under a key that nobody knows, so that both cases cost the same. */
struct mac_state *keyring_state_mac(struct keyring_state *state, uint8_t kid, bool *known);
/* Of the newest key that issues; a key that nobody knows when there is none. */
struct mac_state *keyring_state_newest(struct keyring_state *state);
struct known_texts *keyring_state_known(struct keyring_state *state);

/* What JWTs are verified with, of the ring that was followed last. NULL: no such key. */
struct ring_signer {
    char kid[KEYRING_KID_MAX];
    struct public_key *key;
};
const struct public_key *keyring_state_signer(const struct keyring_state *state, struct slice kid);
struct slice keyring_state_issuer(const struct keyring_state *state);

#endif
