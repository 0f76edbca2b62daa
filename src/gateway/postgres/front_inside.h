/* gateway/postgres/front_inside.h - one message of the client, between the reading of messages
 * (front.c) and what they ask for (ask.c). */
#ifndef WRIT_GATEWAY_POSTGRES_FRONT_INSIDE_H
#define WRIT_GATEWAY_POSTGRES_FRONT_INSIDE_H

#include "session.h"

enum { NAME_MAX_SIZE = 256 }; /* of a statement or a portal */

struct message {
    uint8_t type;
    struct slice whole; /* with its header */
    struct slice body;
};

void ask_query(struct pg_session *session, const struct message *message);
void ask_parse(struct pg_session *session, const struct message *message);
/* Only its names are read: the values pass as they come, however long they are (more: bytes
 * behind the names). False: it does not pass. */
bool ask_bind(struct pg_session *session, struct slice portal, struct slice name, uint32_t more);
void ask_describe(struct pg_session *session, const struct message *message);
void ask_execute(struct pg_session *session, const struct message *message);
void ask_close(struct pg_session *session, const struct message *message);
void ask_sync(struct pg_session *session, const struct message *message);
void ask_flush(struct pg_session *session, const struct message *message);
void ask_copy_end(struct pg_session *session, const struct message *message);
void ask_function_call(struct pg_session *session, const struct message *message);
void ask_terminate(struct pg_session *session, const struct message *message);

/* Both end the session. */

void ask_malformed(struct pg_session *session, const char *message);
bool ask_out_of_memory(struct pg_session *session);

#endif
