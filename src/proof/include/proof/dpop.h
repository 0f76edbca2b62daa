/* proof/dpop.h - DPoP proofs (RFC 9449): checked, and made. Pure: whoever checks one
 * also asks the replay table (meter/replay.h) whether it was seen before. */
#ifndef WRIT_PROOF_DPOP_H
#define WRIT_PROOF_DPOP_H

#include "base/arena.h"
#include "crypto/private_key.h"
#include "proof/nonce.h"

enum {
    DPOP_TEXT_MAX = 4096,
    DPOP_JTI_MAX = 256,
    DPOP_PAST_MS = 120 * 1000,  /* how old a proof may be … */
    DPOP_FUTURE_MS = 30 * 1000, /* … and how far ahead a client's clock, with a nonce … */
    DPOP_AHEAD_MS = 1000,       /* … and without one */
    DPOP_REPLAY_SIZE = 16,
};
#define DPOP_ALGS "ES256 EdDSA Ed25519 RS256 PS256" /* for challenges and metadata */

/* One thread's: keys that it met lately, by the text of their headers, in bounded
 * memory. */
struct dpop_verifier;
enum status dpop_verifier_new(struct dpop_verifier **out) WRIT_MUST_USE;
void dpop_verifier_free(struct dpop_verifier *verifier);

struct dpop_expected {
    struct slice method; /* htm */
    struct slice target; /* htu: the URL that the client saw; brought into normal form here */
    struct slice token;  /* whose ath must be there; empty: none is looked for */
    int64_t now;         /* wall ms */
    /* From when on this process remembers proofs: an older one, which an earlier process
     * could have accepted, needs a nonce, and so does one that is more than
     * DPOP_AHEAD_MS ahead, so that none outlives a restart. */
    int64_t started_at;
    const struct nonce_source *nonces;
    enum nonce_place place;
    bool nonce_required;
};

enum dpop_verdict {
    DPOP_OK,
    DPOP_MALFORMED, /* not a JWS, a member missing or of another type, duplicates, crit */
    DPOP_TYPE,      /* typ is not dpop+jwt */
    DPOP_ALGORITHM, /* none of ours, or not the key's */
    DPOP_KEY,       /* jwk is missing, private, weak or not of ours */
    DPOP_SIGNATURE,
    DPOP_METHOD,
    DPOP_TARGET,
    DPOP_TOO_OLD,
    DPOP_TOO_NEW,
    DPOP_TOKEN, /* ath is missing or of another token */
    DPOP_NONCE, /* one is needed, or it is not (any more) one of ours: use_dpop_nonce */
};
const char *
dpop_verdict_text(enum dpop_verdict verdict); /* for people, of the WWW-Authenticate alphabet */

struct dpop_proof {
    uint8_t jkt[THUMBPRINT_SIZE];
    enum sign_alg alg;
    /* What the replay table remembers, and until when (wall ms): a digest of jkt and jti. */
    uint8_t replay_id[DPOP_REPLAY_SIZE];
    int64_t replay_until;
    enum nonce_age nonce; /* NONCE_OLD: tell the client a new one with the answer */
};

/* Every check of §4.3, the cheap ones first, the signature before anything of the
 * payload is believed. The key to compare with the token's binding is out->jkt. */
enum dpop_verdict dpop_check(struct dpop_verifier *verifier, struct slice text,
                             const struct dpop_expected *expected, struct arena *arena,
                             struct dpop_proof *out) WRIT_MUST_USE;

/* A fresh proof, appended. */
struct dpop_claims {
    struct slice method, url; /* query and fragment are left out */
    struct slice token;       /* empty: no ath */
    struct slice nonce;       /* empty: none */
    int64_t now;
};
enum status dpop_make(const struct private_key *key, const struct dpop_claims *claims,
                      struct buffer *out) WRIT_MUST_USE;

#endif
