/* gateway/postgres/prepare.h - prepared statements of a session whose server may be another one
 * in each transaction. Where connections are not shared all of it does nothing. */
#ifndef WRIT_GATEWAY_POSTGRES_PREPARE_H
#define WRIT_GATEWAY_POSTGRES_PREPARE_H

#include "session.h"

/* What a name means from now on: the analysis, and the statement if it is kept. False: out of
 * memory. The reference of kept is the caller's. */
bool prepare_keep(struct pg_session *session, struct slice name, struct slice body,
                  struct pg_kept **kept);
/* The client's own Parse, which owed will be answered for; or the answer is the gateway's. */
bool prepare_parse(struct pg_session *session, struct slice name, struct pg_kept *kept,
                   struct pg_owed **owed);
/* The server has the statement when what follows comes there, under the name that is given. */
bool prepare_use(struct pg_session *session, struct slice *name, char text[KEPT_NAME_SIZE]);
/* The client's own Close: the server keeps the statement, for others. */
void prepare_close(struct pg_session *session, struct pg_owed *owed);
/* Answers what is answered by the gateway itself, as far as it is its turn. */
void prepare_answer(struct pg_session *session);

#endif
