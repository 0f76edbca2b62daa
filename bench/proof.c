/* bench/proof.c - a DPoP proof checked and remembered, beside the bare verification of its
 * signature with the key at hand: ratios, in turn, in one run. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "crypto/jws.h"
#include "meter/replay.h"
#include "proof/dpop.h"

enum { ROUNDS = 21, PROOFS = 200 };

#define URL SLICE_LITERAL("https://gw.example/orders/v1/orders/42")
#define TOKEN                                                                                      \
    SLICE_LITERAL(                                                                                 \
        "writ_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abc")

struct run {
    enum sign_alg alg;
    struct private_key *key;
    struct public_key *public;
    struct signature_checker *checker; /* contexts kept: nothing but the signature */
    struct buffer proofs[PROOFS];
    struct nonce_source *nonces;
    struct dpop_verifier *verifier;
    struct replay_table *replays;
    struct arena arena;
    int64_t now;
};

static void
must(enum status status)
{
    if (status != STATUS_OK) {
        fprintf(stderr, "bench-proof: %s\n", status_text(status));
        exit(1);
    }
}

static void
prepare(struct run *run)
{
    json_t *jwk;

    run->now = clock_wall_ms();
    must(private_key_generate(run->alg, &run->key));
    jwk = public_key_jwk(private_key_public(run->key));
    must(public_key_from_jwk(jwk, &run->public, NULL));
    json_decref(jwk);
    must(signature_checker_new(run->public, run->alg, &run->checker));
    must(nonce_source_new(SLICE_LITERAL("bench"), &run->nonces));
    must(dpop_verifier_new(&run->verifier));
    must(replay_table_new(1 << 21, &run->replays));
    arena_init(&run->arena, 1 << 20);
    for (int i = 0; i < PROOFS; i++)
        must(dpop_make(
            run->key,
            &(struct dpop_claims){
                .method = SLICE_LITERAL("GET"), .url = URL, .token = TOKEN, .now = run->now },
            &run->proofs[i]));
}

static void
finish(struct run *run)
{
    for (int i = 0; i < PROOFS; i++)
        buffer_free(&run->proofs[i]);
    private_key_free(run->key);
    signature_checker_free(run->checker);
    public_key_free(run->public);
    nonce_source_free(run->nonces);
    dpop_verifier_free(run->verifier);
    replay_table_free(run->replays);
    arena_free(&run->arena);
}

/* What every checker must do at least. */
static uint64_t
bare(struct run *run, const struct jws *jws)
{
    uint64_t started = clock_mono_us();

    must(signature_check(run->checker, jws->signed_text, jws->signature));
    return clock_mono_us() - started;
}

static uint64_t
whole(struct run *run, struct slice text)
{
    const struct dpop_expected expected = { .method = SLICE_LITERAL("GET"),
                                            .target = URL,
                                            .token = TOKEN,
                                            .now = run->now,
                                            .nonces = run->nonces,
                                            .place = NONCE_GATEWAY };
    uint64_t started = clock_mono_us();
    struct dpop_proof proof;

    if (dpop_check(run->verifier, text, &expected, &run->arena, &proof) != DPOP_OK ||
        replay_take(run->replays, proof.replay_id, run->now, proof.replay_until) == STATUS_FULL)
        must(STATUS_DENIED);
    return clock_mono_us() - started;
}

/* One after the other for each proof, so that both see the same moments of the machine. */
static void
measure(struct run *run, double *bares, double *wholes)
{
    uint64_t bare_us = 0, whole_us = 0;

    for (int i = 0; i < PROOFS; i++) {
        struct jws jws;

        arena_reset(&run->arena);
        must(jws_split(buffer_slice(&run->proofs[i]), &run->arena, &jws));
        bare_us += bare(run, &jws);
        whole_us += whole(run, buffer_slice(&run->proofs[i]));
    }
    *bares = (double)bare_us / PROOFS;
    *wholes = (double)whole_us / PROOFS;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
compare(enum sign_alg alg)
{
    struct run run = { .alg = alg };
    double bares[ROUNDS], ratios[ROUNDS], wholes[ROUNDS];

    prepare(&run);
    measure(&run, &bares[0], &wholes[0]); /* keys become known */
    for (int round = 0; round < ROUNDS; round++) {
        measure(&run, &bares[round], &wholes[round]);
        ratios[round] = wholes[round] / bares[round];
    }
    qsort(bares, ROUNDS, sizeof bares[0], by_size);
    qsort(wholes, ROUNDS, sizeof wholes[0], by_size);
    qsort(ratios, ROUNDS, sizeof ratios[0], by_size);
    printf("%-6s signature alone %6.1f us   proof checked %6.1f us   ratio %.3f (%.3f to %.3f)\n",
           alg_name(alg), bares[ROUNDS / 2], wholes[ROUNDS / 2], ratios[ROUNDS / 2], ratios[1],
           ratios[ROUNDS - 2]);
    finish(&run);
}

int
main(void)
{
    compare(ALG_ES256);
    compare(ALG_EDDSA);
    return 0;
}
