/* authority/oauth/prove.c - which key the caller of an OAuth endpoint holds: what it gets
 * is bound to it (RFC 9449 §5, RFC 8705 §3). */
#include "oauth.h"

static bool
refuse_proof(struct oauth_call *call, enum proof_fault fault, const char *why)
{
    switch (fault) {
    case PROOF_NEEDS_NONCE:
        prove_nonce(call->authority, call->request->now, call->outcome->nonce);
        return oauth_refuse(call, OAUTH_USE_DPOP_NONCE, "%s", why);
    case PROOF_BUSY:
        return oauth_refuse(call, OAUTH_TEMPORARILY_UNAVAILABLE, "%s", why);
    default:
        return oauth_refuse(call, OAUTH_INVALID_DPOP_PROOF, "%s", why);
    }
}

static bool
is_by_certificate(const struct oauth_client *client)
{
    return client->auth == CLIENT_TLS || client->auth == CLIENT_SELF_SIGNED_TLS;
}

bool
oauth_prove(struct oauth_call *call)
{
    const struct api_shown *shown = &call->request->shown;
    struct api_caller *caller = &call->request->caller;
    enum proof_fault fault;
    const char *why;

    if (http_head_field(shown->head, HTTP_FIELD_DPOP) != NULL) {
        fault = prove_dpop(call->authority, call->request, (struct slice){ 0 }, caller, &why);
        if (fault != PROOF_FINE)
            return refuse_proof(call, fault, why);
    } else if (call->client.dpop_required) {
        return oauth_refuse(call, OAUTH_INVALID_DPOP_PROOF,
                            "this client must send a DPoP proof: its tokens are bound to its key");
    } else if (shown->has_certificate && is_by_certificate(&call->client)) {
        caller->proven.kind = BINDING_X5T;
        memcpy(caller->proven.thumbprint, shown->x5t, sizeof shown->x5t);
        caller->proof = AUDIT_PROOF_CERTIFICATE;
    }
    call->proven = caller->proven;
    call->proof = caller->proof;
    return true;
}
