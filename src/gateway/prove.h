/* gateway/prove.h - is the holder of a token the one whose key it is bound to? */
#ifndef WRIT_GATEWAY_PROVE_H
#define WRIT_GATEWAY_PROVE_H

#include "gate.h"

/* What came along with the token. Slices live as long as the wire or the arena. */
struct proof_shown {
    struct slice dpop;           /* the DPoP field's value */
    unsigned dpop_count;         /* how many came */
    struct slice method, target; /* of the request, the URL as the client sees it */
    bool has_certificate;
    uint8_t x5t[32];
    struct slice der;
};

/* True for an unbound token shown as such, and for a bound one whose key is proven now,
 * or was when the passage began: what is open is not asked for a second proof, but must
 * still be bound to the same key. A proof that holds is used up. Fills asked.request.proof
 * and passage->proven. False: the refusal tells. */
bool prove(struct passage *passage, const struct credential *credential, struct arena *arena,
           struct refusal *refusal);

#endif
