/* db/pg_handle.h - what pg.c and pg_talk.c share. */
#ifndef WRIT_DB_PG_HANDLE_H
#define WRIT_DB_PG_HANDLE_H

#include "db/pg.h"

#include <libpq-fe.h>

/* Of pg_type.dat: they never change, and CockroachDB and YugabyteDB keep them. */
enum { PG_OID_BYTEA = 17, PG_OID_INT8 = 20, PG_OID_TEXT = 25 };

struct pg {
    PGconn *connection;
    char *url;
    const struct pg_statement *statements;
    size_t statement_count;
    unsigned connect_ms, answer_ms;
    bool prepared, lost;
    size_t added;  /* statements of the transaction under way */
    bool broken;   /* one of them could not be sent */
    char state[6]; /* SQLSTATE of the last failure */
};

/* Both tell *fault and return what they mean to the caller. */
enum status pg_fail(struct pg *pg, const PGresult *result, struct fault *fault) WRIT_MUST_USE;
enum status pg_fail_lost(struct pg *pg, struct fault *fault);
/* Waits for the answers to what was sent outside of a pipeline. */
enum status pg_finish(struct pg *pg, struct fault *fault) WRIT_MUST_USE;
void pg_types(const struct pg_statement *statement, Oid types[PG_VALUES_MAX]);

#endif
