/* gateway/postgres/verifiers.h - what a SCRAM log-in with a token is verified by: derived on
 * helper threads, few for each peer, and kept for those that have logged in. One lane's. */
#ifndef WRIT_GATEWAY_POSTGRES_VERIFIERS_H
#define WRIT_GATEWAY_POSTGRES_VERIFIERS_H

#include "base/address.h"
#include "crypto/scram.h"
#include "meter/rate.h"
#include "net/lane.h"
#include "token/public.h"

enum {
    VERIFIERS_KEPT = 1024,
    VERIFIERS_OF_ONE_PEER = 20, /* derivations in a second */
};

struct verifiers;

/* The table of rates is borrowed. */
enum status verifiers_new(struct lane *lane, struct rate_table *rates,
                          struct verifiers **out) WRIT_MUST_USE;
void verifiers_free(struct verifiers *verifiers); /* wipes; nobody is answered any more */

/* One that was kept. */
bool verifiers_find(struct verifiers *verifiers, const struct token_secret *secret,
                    struct scram_verifier *out);
/* After its password was proven: so that strangers can't push out who belongs here. */
void verifiers_keep(struct verifiers *verifiers, const struct token_secret *secret,
                    const struct scram_verifier *verifier);

struct verifier_ask;
struct verifier_want {
    const struct token_secret *secret; /* borrowed during the call */
    const struct ip *peer;             /* likewise */
    /* verifier is borrowed during it; NULL when the status is not OK. */
    void (*done)(enum status status, const struct scram_verifier *verifier, void *context);
    void *context;
};
/* Derives one; who asks for the same at a time waits for the same. done never runs inside the
 * call. LIMIT and FULL: this peer has asked too often, or too many wait: refuse it. */
enum status verifiers_ask(struct verifiers *verifiers, const struct verifier_want *want,
                          struct verifier_ask **out) WRIT_MUST_USE;
/* done does not come any more. Not after done. */
void verifiers_cancel(struct verifier_ask *ask);

#endif
