/* authority/prove.c - proof of possession at the authority: the API's and the OAuth
 * endpoints' way to it. */
#include "internal.h"

#include "proof/certificate.h"
#include "proof/dpop.h"

enum { PROOFS_OF_ONE_KEY = 1 << 16, PROOF_LIFE_MS = DPOP_PAST_MS + DPOP_FUTURE_MS };

/* The URLs under which a path of ours is known: the issuer's, and where we listen. */
enum { BASES = 3 };

static size_t
bases_of(const struct authority *authority, struct arena *arena, struct slice out[BASES])
{
    const struct authority_options *options = &authority->options;
    const char *scheme = options->tls_cert == NULL ? "http" : "https";
    struct slice listen = options->listen;
    size_t colon = listen.size, count = 0;

    out[count++] = options->issuer;
    if (listen.size == 0)
        return count;
    out[count++] = arena_format(arena, "%s://%.*s", scheme, SLICE_PRINT(listen));
    while (colon > 0 && listen.at[colon - 1] != ':')
        colon--;
    if (slice_starts(listen, SLICE_LITERAL("127.")) || slice_starts(listen, SLICE_LITERAL("[::1]")))
        out[count++] = arena_format(arena, "%s://localhost:%.*s", scheme,
                                    SLICE_PRINT(slice_from(listen, colon)));
    return count;
}

static enum dpop_verdict
check(struct authority *authority, const struct api_request *request, struct slice token,
      struct dpop_proof *proof)
{
    const struct http_head *head = request->shown.head;
    struct dpop_expected expected = {
        .method = http_head_method(head),
        .token = token,
        .now = request->now,
        .started_at = authority->options.started_at,
        .nonces = authority->options.nonces,
        .place = NONCE_AUTHORITY,
        .nonce_required = authority->options.nonce_required,
    };
    struct slice bases[BASES];
    size_t count = bases_of(authority, request->arena, bases);
    enum dpop_verdict verdict = DPOP_TARGET;

    for (size_t i = 0; i < count && verdict == DPOP_TARGET; i++) {
        struct slice base = bases[i];

        if (slice_ends(base, SLICE_LITERAL("/")))
            base = slice_first(base, base.size - 1);
        expected.target = arena_format(request->arena, "%.*s%.*s", SLICE_PRINT(base),
                                       SLICE_PRINT(http_head_path(head)));
        verdict = dpop_check(authority->dpop, http_head_value(head, HTTP_FIELD_DPOP), &expected,
                             request->arena, proof);
    }
    return verdict;
}

static enum proof_fault
use_up(struct authority *authority, const struct api_request *request,
       const struct dpop_proof *proof, const char **why)
{
    uint64_t key, retry_ms;

    memcpy(&key, proof->jkt + sizeof key, sizeof key);
    *why = "there is no room to remember this proof: try again in a moment";
    if (rate_take(authority->options.rates, key, PROOFS_OF_ONE_KEY, PROOF_LIFE_MS,
                  clock_mono_us() / 1000, &retry_ms) != STATUS_OK)
        return PROOF_BUSY;
    switch (replay_take(authority->options.replays, proof->replay_id, request->now,
                        proof->replay_until)) {
    case STATUS_OK:
        return PROOF_FINE;
    case STATUS_CONFLICT:
        *why = "the DPoP proof was used before (jti)";
        return PROOF_WRONG;
    default:
        return PROOF_BUSY;
    }
}

enum proof_fault
prove_dpop(struct authority *authority, const struct api_request *request, struct slice token,
           struct api_caller *out, const char **why)
{
    unsigned count = http_head_field_count(request->shown.head, HTTP_FIELD_DPOP);
    struct dpop_proof proof;
    enum dpop_verdict verdict;
    enum proof_fault fault;

    *why = count == 0 ? "the DPoP header with the proof is missing"
                      : "there is more than one DPoP header";
    if (count != 1)
        return PROOF_WRONG;
    verdict = check(authority, request, token, &proof);
    *why = dpop_verdict_text(verdict);
    if (verdict != DPOP_OK)
        return verdict == DPOP_NONCE ? PROOF_NEEDS_NONCE : PROOF_WRONG;
    fault = use_up(authority, request, &proof, why);
    if (fault != PROOF_FINE)
        return fault;
    out->proven.kind = BINDING_JKT;
    memcpy(out->proven.thumbprint, proof.jkt, sizeof proof.jkt);
    out->proof = AUDIT_PROOF_DPOP;
    return PROOF_FINE;
}

bool
prove_certificate(struct authority *authority, const struct api_request *request,
                  const struct binding *binding)
{
    const struct api_shown *shown = &request->shown;

    return shown->has_certificate &&
           certificate_proves(authority->certificates, binding, shown->x5t, shown->der);
}

void
prove_nonce(struct authority *authority, int64_t now, char out[NONCE_TEXT_MAX])
{
    nonce_make(authority->options.nonces, NONCE_AUTHORITY, now, out);
}
