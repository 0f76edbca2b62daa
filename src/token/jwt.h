/* token/jwt.h - inside the room: an access token as a JWT (RFC 9068). It is another text
 * of the same record: its jti is the token's id, and what the record says now counts, not
 * what the claims said at issue. */
#ifndef WRIT_TOKEN_JWT_H
#define WRIT_TOKEN_JWT_H

#include "ring.h"

enum { TOKEN_JWT_MAX = 4096 };

/* Three parts behind "ey": no other token of ours looks like that. */
bool jwt_looks_like(struct slice text);
/* Fills the view with the id. INVALID: no JWT of ours; DENIED: its signature or issuer is
 * none that the ring knows. */
enum status jwt_recognize(struct slice text, struct keyring_state *ring,
                          struct token_view *out) WRIT_MUST_USE;

#endif
