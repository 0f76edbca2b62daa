/* gateway/postgres/verifiers.c - a cache in sets, and derivations that several wait for. */
#include "verifiers.h"

#include <stdlib.h>

#include "base/secret.h"
#include "crypto/hash.h"
#include "net/work.h"

enum { WAYS = 4, SETS = VERIFIERS_KEPT / WAYS, RATE_PERIOD_MS = 1000 };

/* Names a verifier: of the token's own text and its salt, so that what was made under a key of
 * the ring that is gone is never found again. */
struct digest {
    uint8_t bytes[HASH_SIZE];
};

struct kept {
    uint64_t used; /* 0: free */
    struct digest of;
    struct scram_verifier verifier;
};

struct derivation;

struct verifier_ask {
    struct verifier_ask *next;
    struct derivation *derivation;
    void (*done)(enum status status, const struct scram_verifier *verifier, void *context);
    void *context;
};

/* Lives until its work is done, also without anybody that waits. */
struct derivation {
    struct work work;
    struct verifiers *verifiers; /* NULL: gone */
    struct derivation *next;
    struct digest of;
    struct token_secret secret;
    struct scram_verifier verifier;
    enum status status;
    struct verifier_ask *asks;
};

struct verifiers {
    struct lane *lane;
    struct rate_table *rates;
    uint64_t clock;
    struct derivation *under_way;
    struct kept kept[SETS][WAYS];
};

enum status
verifiers_new(struct lane *lane, struct rate_table *rates, struct verifiers **out)
{
    struct verifiers *verifiers = calloc(1, sizeof(*verifiers));

    if (verifiers == NULL)
        return STATUS_MEMORY;
    verifiers->lane = lane;
    verifiers->rates = rates;
    *out = verifiers;
    return STATUS_OK;
}

static void
free_asks(struct derivation *derivation)
{
    struct verifier_ask *next;

    for (struct verifier_ask *ask = derivation->asks; ask != NULL; ask = next) {
        next = ask->next;
        free(ask);
    }
    derivation->asks = NULL;
}

void
verifiers_free(struct verifiers *verifiers)
{
    if (verifiers == NULL)
        return;
    for (struct derivation *at = verifiers->under_way; at != NULL; at = at->next) {
        at->verifiers = NULL;
        free_asks(at);
    }
    secret_wipe(verifiers, sizeof(*verifiers));
    free(verifiers);
}

/* --- kept ones ------------------------------------------------------------------------- */

static bool
name_of(const struct token_secret *secret, struct digest *out)
{
    const struct slice parts[] = { slice_of(secret->salt, sizeof(secret->salt)),
                                   slice_of(secret->text, secret->size) };

    return hash_sha256(parts, 2, out->bytes) == STATUS_OK;
}

static struct kept *
set_of(struct verifiers *verifiers, const struct digest *of)
{
    return verifiers->kept[(of->bytes[0] << 8 | of->bytes[1]) % SETS];
}

static struct kept *
find(struct verifiers *verifiers, const struct digest *of)
{
    struct kept *set = set_of(verifiers, of);

    for (int i = 0; i < WAYS; i++) {
        if (set[i].used > 0 && secret_equal(&set[i].of, of, sizeof(*of)))
            return &set[i];
    }
    return NULL;
}

bool
verifiers_find(struct verifiers *verifiers, const struct token_secret *secret,
               struct scram_verifier *out)
{
    struct digest of;
    struct kept *kept = name_of(secret, &of) ? find(verifiers, &of) : NULL;

    if (kept == NULL)
        return false;
    kept->used = ++verifiers->clock;
    *out = kept->verifier;
    return true;
}

/* In the place of its set that was used longest ago. */
void
verifiers_keep(struct verifiers *verifiers, const struct token_secret *secret,
               const struct scram_verifier *verifier)
{
    struct digest of;
    struct kept *place;

    if (!name_of(secret, &of))
        return;
    place = find(verifiers, &of);
    if (place == NULL) {
        struct kept *set = set_of(verifiers, &of);
        place = &set[0];
        for (int i = 1; i < WAYS; i++) {
            if (set[i].used < place->used)
                place = &set[i];
        }
    }
    *place = (struct kept){ .used = ++verifiers->clock, .of = of, .verifier = *verifier };
}

/* --- derivations ------------------------------------------------------------------------- */

static void
derive(struct work *work)
{
    struct derivation *derivation = LANE_OWNER(work, struct derivation, work);

    derivation->status = scram_verifier_make(
        slice_of(derivation->secret.text, derivation->secret.size), &derivation->verifier);
}

static void
free_derivation(struct derivation *derivation)
{
    free_asks(derivation);
    secret_wipe(derivation, sizeof(*derivation));
    free(derivation);
}

static void
unlink_derivation(struct derivation *derivation)
{
    struct derivation **at = &derivation->verifiers->under_way;

    while (*at != derivation)
        at = &(*at)->next;
    *at = derivation->next;
}

/* A callback may ask anew, call off another's asking, or end all of this: so the list is looked
 * at afresh each time, and the derivation can be found until it is empty. */
static void
derived(struct work *work, bool late)
{
    struct derivation *derivation = LANE_OWNER(work, struct derivation, work);
    struct verifier_ask *ask;

    if (late)
        free_asks(derivation);
    while ((ask = derivation->asks) != NULL) {
        derivation->asks = ask->next;
        ask->done(derivation->status,
                  derivation->status == STATUS_OK ? &derivation->verifier : NULL, ask->context);
        free(ask);
    }
    if (derivation->verifiers != NULL)
        unlink_derivation(derivation);
    free_derivation(derivation);
}

/* A network of one household or server has as many IPv6 addresses as it likes: /64. */
static uint64_t
key_of(const struct ip *peer)
{
    uint8_t bytes[10] = "vf";

    memcpy(bytes + 2, peer->bytes, peer->family == IP_V4 ? 4 : 8);
    return slice_hash(slice_of(bytes, sizeof(bytes)));
}

static enum status
start(struct verifiers *verifiers, const struct verifier_want *want, const struct digest *of,
      struct derivation **out)
{
    struct derivation *derivation;
    uint64_t retry_ms;
    enum status status = rate_take(verifiers->rates, key_of(want->peer), VERIFIERS_OF_ONE_PEER,
                                   RATE_PERIOD_MS, lane_mono_us(verifiers->lane) / 1000, &retry_ms);

    if (status != STATUS_OK)
        return status;
    derivation = calloc(1, sizeof(*derivation));
    if (derivation == NULL)
        return STATUS_MEMORY;
    *derivation = (struct derivation){ .work = { .run = derive, .done = derived },
                                       .verifiers = verifiers,
                                       .next = verifiers->under_way,
                                       .of = *of,
                                       .secret = *want->secret };
    derivation->verifier.rounds = SCRAM_ROUNDS;
    memcpy(derivation->verifier.salt, want->secret->salt, SCRAM_SALT_SIZE);
    status = work_start(verifiers->lane, &derivation->work);
    if (status != STATUS_OK) {
        free_derivation(derivation);
        return status;
    }
    verifiers->under_way = derivation;
    *out = derivation;
    return STATUS_OK;
}

enum status
verifiers_ask(struct verifiers *verifiers, const struct verifier_want *want,
              struct verifier_ask **out)
{
    struct verifier_ask *ask = calloc(1, sizeof(*ask));
    struct derivation *derivation;
    struct digest of;
    enum status status = STATUS_OK;

    if (ask == NULL)
        return STATUS_MEMORY;
    if (!name_of(want->secret, &of)) {
        free(ask);
        return STATUS_CRYPTO;
    }
    derivation = verifiers->under_way;
    while (derivation != NULL && !secret_equal(&derivation->of, &of, sizeof(of)))
        derivation = derivation->next;
    if (derivation == NULL)
        status = start(verifiers, want, &of, &derivation);
    if (status != STATUS_OK) {
        free(ask);
        return status;
    }
    *ask = (struct verifier_ask){ .next = derivation->asks,
                                  .derivation = derivation,
                                  .done = want->done,
                                  .context = want->context };
    derivation->asks = ask;
    *out = ask;
    return STATUS_OK;
}

void
verifiers_cancel(struct verifier_ask *ask)
{
    struct verifier_ask **at = &ask->derivation->asks;

    while (*at != ask)
        at = &(*at)->next;
    *at = ask->next;
    free(ask);
}
