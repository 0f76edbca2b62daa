/* token/keyring.c - the ring of MAC keys, and one thread's prepared view of it. */
#include "token/keyring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "ring.h"

struct keyring {
    uint64_t version; /* unique in this process: an address may be used again */
    size_t count;
    struct ring_key keys[KEYRING_MAX];
    struct slice issuer; /* in issuer_text */
    char issuer_text[KEYRING_ISSUER_MAX];
    size_t signer_count;
    struct ring_signer signers[KEYRING_SIGNERS_MAX];
};

struct keyring_state {
    const struct keyring *ring; /* the one that was followed last */
    uint64_t version;           /* of the ring that is prepared; 0: none */
    size_t count;
    uint8_t kids[KEYRING_MAX];
    struct mac_state *macs[KEYRING_MAX];
    struct mac_state *newest;   /* of those: of the key that issues; NULL: none does */
    struct mac_state *stranger; /* under a random key, for a kid that is not in the ring */
    struct known_texts known;   /* under this ring */
};

static _Atomic uint64_t last_version;

static bool
has_duplicate(const struct ring_key *keys, size_t count)
{
    bool seen[UINT8_MAX + 1] = { false };

    for (size_t i = 0; i < count; i++) {
        if (seen[keys[i].kid])
            return true;
        seen[keys[i].kid] = true;
    }
    return false;
}

enum status
keyring_new(const struct ring_key *keys, size_t count, struct keyring **out)
{
    struct keyring *ring;

    if (count > KEYRING_MAX)
        return STATUS_TOO_LARGE;
    if (has_duplicate(keys, count))
        return STATUS_CONFLICT;
    ring = calloc(1, sizeof *ring);
    if (ring == NULL)
        return STATUS_MEMORY;
    ring->version = atomic_fetch_add(&last_version, 1) + 1;
    ring->count = count;
    if (count > 0)
        memcpy(ring->keys, keys, count * sizeof *keys);
    *out = ring;
    return STATUS_OK;
}

void
keyring_free(struct keyring *ring)
{
    if (ring == NULL)
        return;
    for (size_t i = 0; i < ring->signer_count; i++)
        public_key_free(ring->signers[i].key);
    secret_wipe(ring, sizeof *ring);
    free(ring);
}

enum status
keyring_set_issuer(struct keyring *ring, struct slice issuer)
{
    if (issuer.size > sizeof ring->issuer_text)
        return STATUS_TOO_LARGE;
    if (issuer.size > 0)
        memcpy(ring->issuer_text, issuer.at, issuer.size);
    ring->issuer = slice_of(ring->issuer_text, issuer.size);
    return STATUS_OK;
}

enum status
keyring_add_signer(struct keyring *ring, struct slice kid, const struct public_key *key)
{
    struct ring_signer *signer = &ring->signers[ring->signer_count];
    struct buffer packed = { 0 };
    enum status status;

    if (ring->signer_count == KEYRING_SIGNERS_MAX || kid.size == 0 || kid.size >= KEYRING_KID_MAX)
        return STATUS_LIMIT;
    status = public_key_pack(key, &packed);
    if (status == STATUS_OK)
        status = public_key_unpack(buffer_slice(&packed), &signer->key);
    buffer_free(&packed);
    if (status != STATUS_OK)
        return status;
    memcpy(signer->kid, kid.at, kid.size);
    signer->kid[kid.size] = '\0';
    ring->signer_count++;
    return STATUS_OK;
}

const struct public_key *
keyring_state_signer(const struct keyring_state *state, struct slice kid)
{
    const struct keyring *ring = state->ring;

    for (size_t i = 0; ring != NULL && i < ring->signer_count; i++) {
        if (slice_is(kid, ring->signers[i].kid))
            return ring->signers[i].key;
    }
    return NULL;
}

struct slice
keyring_state_issuer(const struct keyring_state *state)
{
    return state->ring == NULL ? (struct slice){ 0 } : state->ring->issuer;
}

bool
keyring_newest(const struct keyring *ring, uint8_t *kid)
{
    for (size_t i = ring->count; i-- > 0;) {
        if (!ring->keys[i].retired) {
            *kid = ring->keys[i].kid;
            return true;
        }
    }
    return false;
}

enum status
keyring_state_new(struct keyring_state **out)
{
    struct keyring_state *state = calloc(1, sizeof *state);
    struct secret key;
    enum status status;

    if (state == NULL)
        return STATUS_MEMORY;
    status = random_bytes(key.bytes, sizeof key.bytes);
    if (status == STATUS_OK)
        status = mac_state_new(key.bytes, sizeof key.bytes, &state->stranger);
    secret_wipe(&key, sizeof key);
    if (status != STATUS_OK) {
        free(state);
        return status;
    }
    *out = state;
    return STATUS_OK;
}

static void
free_macs(struct mac_state **macs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mac_state_free(macs[i]);
}

void
keyring_state_free(struct keyring_state *state)
{
    if (state == NULL)
        return;
    free_macs(state->macs, state->count);
    mac_state_free(state->stranger);
    secret_wipe(&state->known, sizeof state->known);
    free(state);
}

enum status
keyring_state_follow(struct keyring_state *state, const struct keyring *ring)
{
    struct mac_state *macs[KEYRING_MAX];
    uint8_t newest;
    bool known;

    state->ring = ring;
    if (ring->version == state->version)
        return STATUS_OK;
    for (size_t i = 0; i < ring->count; i++) {
        enum status status =
            mac_state_new(ring->keys[i].key.bytes, sizeof ring->keys[i].key.bytes, &macs[i]);
        if (status != STATUS_OK) {
            free_macs(macs, i);
            return status;
        }
    }
    free_macs(state->macs, state->count);
    secret_wipe(&state->known, sizeof state->known);
    for (size_t i = 0; i < ring->count; i++) {
        state->macs[i] = macs[i];
        state->kids[i] = ring->keys[i].kid;
    }
    state->count = ring->count;
    state->version = ring->version;
    state->newest = keyring_newest(ring, &newest) ? keyring_state_mac(state, newest, &known) : NULL;
    return STATUS_OK;
}

struct mac_state *
keyring_state_mac(struct keyring_state *state, uint8_t kid, bool *known)
{
    struct mac_state *found = state->stranger;

    *known = false;
    for (size_t i = 0; i < state->count; i++) {
        if (state->kids[i] == kid) {
            found = state->macs[i];
            *known = true;
        }
    }
    return found;
}

struct mac_state *
keyring_state_newest(struct keyring_state *state)
{
    return state->newest != NULL ? state->newest : state->stranger;
}

struct known_texts *
keyring_state_known(struct keyring_state *state)
{
    return &state->known;
}
