/* authority/oauth/proven.c - was the key that a token is bound to proven on this call? */
#include "oauth.h"

#include "base/secret.h"

bool
oauth_proves(const struct oauth_call *call, const struct binding *binding)
{
    return binding->kind == BINDING_NONE ||
           (binding->kind == call->proven.kind &&
            secret_equal(binding->thumbprint, call->proven.thumbprint, sizeof binding->thumbprint));
}
