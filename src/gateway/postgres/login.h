/* gateway/postgres/login.h - the gateway's own log-in at a PostgreSQL server: messages in,
 * messages out; knows no socket. */
#ifndef WRIT_GATEWAY_POSTGRES_LOGIN_H
#define WRIT_GATEWAY_POSTGRES_LOGIN_H

#include "crypto/scram.h"
#include "wire.h"

struct pg_login;

struct pg_login_options {
    struct slice user, password; /* copied, and wiped */
    bool secured;                /* TLS: a password may be sent as it is */
    struct slice end_point;      /* tls-server-end-point data of the connection; empty: none */
    struct scram_memory *memory; /* borrowed */
};

enum status pg_login_new(const struct pg_login_options *options,
                         struct pg_login **out) WRIT_MUST_USE;
void pg_login_free(struct pg_login *login); /* accepts NULL */

/* One Authentication message; what must be answered is appended to out. *done: the server is
 * content. DENIED and INVALID: the log-in has failed, *why says how. */
enum status pg_login_read(struct pg_login *login, struct slice body, struct buffer *out, bool *done,
                          const char **why) WRIT_MUST_USE;

#endif
