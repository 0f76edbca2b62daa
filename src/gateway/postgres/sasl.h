/* gateway/postgres/sasl.h - a client's log-in by SCRAM: the user's name is the token's public
 * part, and the token itself never crosses the wire. */
#ifndef WRIT_GATEWAY_POSTGRES_SASL_H
#define WRIT_GATEWAY_POSTGRES_SASL_H

#include "base/slice.h"

struct pg_session;
struct pg_sasl; /* one log-in under way */

/* True: the name is a public part, and the client is asked to prove that it has the token. */
bool sasl_begin(struct pg_session *session, struct slice user);
/* The body of a client's message of it. */
void sasl_read(struct pg_session *session, struct slice body);
void sasl_free(struct pg_sasl *sasl); /* wipes; accepts NULL */

#endif
