/* gateway/prove.c - proof of possession at the gate: DPoP (RFC 9449 §7), or a client
 * certificate (RFC 8705 §3). */
#include "doors.h"

#include "base/secret.h"
#include "proof/certificate.h"
#include "proof/dpop.h"

/* What one key may use up of the memory of all: half of it in the life of a proof. */
enum { PROOFS_OF_ONE_KEY = 1 << 19, PROOF_LIFE_MS = DPOP_PAST_MS + DPOP_FUTURE_MS };

static bool
refuse_with(struct refusal *refusal, enum gate_refusal kind, const char *reason)
{
    *refusal = (struct refusal){ .kind = kind, .reason = slice_text(reason) };
    return false;
}

static bool
refuse_busy(struct refusal *refusal, const char *reason, uint32_t retry_s)
{
    (void)refuse_with(refusal, retry_s > 1 ? GATE_RATE : GATE_BUSY, reason);
    refusal->retry_after_s = retry_s;
    return false;
}

static bool
same_key(const struct binding *a, const struct binding *b)
{
    return a->kind == b->kind && secret_equal(a->thumbprint, b->thumbprint, sizeof a->thumbprint);
}

/* No key may fill the set that all share, and no proof is taken twice. */
static bool
use_up(struct gate *gate, const struct dpop_proof *proof, struct refusal *refusal)
{
    const struct gateway_options *options = &gate->gateway->options;
    uint64_t key, retry_ms = 0;

    memcpy(&key, proof->jkt, sizeof key);
    switch (rate_take(options->rates, key, PROOFS_OF_ONE_KEY, PROOF_LIFE_MS,
                      lane_mono_us(gate->lane) / 1000, &retry_ms)) {
    case STATUS_OK:
        break;
    case STATUS_LIMIT:
        return refuse_busy(refusal, "this key has used more proofs than are remembered for one",
                           (uint32_t)(retry_ms / 1000 + 2));
    default:
        return refuse_busy(refusal, "the gateway has no room to count this key's proofs", 1);
    }
    switch (replay_take(options->replays, proof->replay_id, lane_now_ms(gate->lane),
                        proof->replay_until)) {
    case STATUS_OK:
        return true;
    case STATUS_CONFLICT:
        return refuse_with(refusal, GATE_PROOF, "the DPoP proof was used before (jti)");
    default:
        return refuse_busy(refusal, "the gateway has no room to remember this proof", 1);
    }
}

static bool
refuse_proof(enum dpop_verdict verdict, struct refusal *refusal)
{
    return refuse_with(refusal, verdict == DPOP_NONCE ? GATE_NONCE : GATE_PROOF,
                       dpop_verdict_text(verdict));
}

static bool
prove_by_dpop(struct passage *passage, const struct binding *binding,
              const struct proof_shown *shown, struct arena *arena, struct refusal *refusal)
{
    struct gate *gate = passage->gate;
    const struct gateway_options *options = &gate->gateway->options;
    const struct dpop_expected expected = {
        .method = shown->method,
        .target = shown->target,
        .token = passage->asked.token,
        .now = lane_now_ms(gate->lane),
        .started_at = options->started_at,
        .nonces = options->nonces,
        .place = NONCE_GATEWAY,
        .nonce_required = options->nonce_required,
    };
    struct dpop_proof proof;

    if (shown->dpop_count != 1)
        return refuse_with(refusal, GATE_PROOF,
                           shown->dpop_count == 0 ? "the DPoP header with the proof is missing"
                                                  : "there is more than one DPoP header");
    enum dpop_verdict verdict = dpop_check(gate->dpop, shown->dpop, &expected, arena, &proof);
    if (verdict != DPOP_OK)
        return refuse_proof(verdict, refusal);
    if (!secret_equal(proof.jkt, binding->thumbprint, sizeof proof.jkt))
        return refuse_with(refusal, GATE_BAD_TOKEN,
                           "the token is bound to another key than the proof's");
    if (!use_up(gate, &proof, refusal))
        return false;
    passage->nonce_old = proof.nonce == NONCE_OLD;
    passage->asked.request.proof = PROOF_DPOP;
    return true;
}

/* A bound token is never worth anything as a bearer's, unless the connection itself
 * proves the key (no downgrade). */
static bool
prove_by_certificate(struct passage *passage, const struct binding *binding,
                     const struct proof_shown *shown, struct refusal *refusal)
{
    if (shown->has_certificate &&
        certificate_proves(passage->gate->certificates, binding, shown->x5t, shown->der)) {
        passage->asked.request.proof = PROOF_CERTIFICATE;
        return true;
    }
    if (binding->kind == BINDING_JKT)
        return refuse_with(refusal, GATE_UNPROVEN,
                           "the token is bound to a key: show it as DPoP, with a proof");
    return refuse_with(refusal, GATE_UNPROVEN,
                       shown->has_certificate
                           ? "the token is bound to another certificate than the one shown"
                           : "the token is bound to a certificate, and none was shown");
}

/* While the wire is there; later what was proven counts. */
static bool
prove_now(struct passage *passage, const struct binding *binding, struct arena *arena,
          struct refusal *refusal)
{
    struct proof_shown shown = { 0 };
    enum token_scheme scheme = passage->asked.scheme;

    if (scheme == SCHEME_API_KEY)
        return refuse_with(refusal, GATE_UNPROVEN,
                           "a token that is bound to a key does not belong in X-Api-Key");
    if (scheme == SCHEME_DPOP && binding->kind != BINDING_JKT)
        return refuse_with(refusal, GATE_BAD_TOKEN,
                           "the token is bound to a certificate: show it as Bearer");
    if (passage->door->show != NULL && !passage->door->show(passage, arena, &shown, refusal))
        return false;
    return scheme == SCHEME_DPOP ? prove_by_dpop(passage, binding, &shown, arena, refusal)
                                 : prove_by_certificate(passage, binding, &shown, refusal);
}

bool
prove(struct passage *passage, const struct credential *credential, struct arena *arena,
      struct refusal *refusal)
{
    const struct binding *binding = &credential->binding;

    if (binding->kind == BINDING_NONE) {
        if (passage->asked.scheme == SCHEME_DPOP)
            return refuse_with(refusal, GATE_BAD_TOKEN,
                               "the token is bound to no key: show it as Bearer");
        return passage->proven.kind == BINDING_NONE ||
               refuse_with(refusal, GATE_UNPROVEN, "the token's key is another one now");
    }
    if (passage->proven.kind != BINDING_NONE || passage->state != PASSAGE_NEW)
        return same_key(&passage->proven, binding) ||
               refuse_with(refusal, GATE_UNPROVEN, "the token's key is another one now");
    if (!prove_now(passage, binding, arena, refusal))
        return false;
    passage->proven = *binding;
    return true;
}
