/* gateway/postgres/pool.h - server connections that the sessions of an upstream share, on one
 * lane: a session has one for the time of a transaction. Nothing of one session is left for
 * the next. */
#ifndef WRIT_GATEWAY_POSTGRES_POOL_H
#define WRIT_GATEWAY_POSTGRES_POOL_H

#include "kept.h"
#include "sql/sql.h"

struct analysis;
struct pg_door;
struct pg_owed;
struct pg_session;
struct pg_pool;   /* of one upstream */
struct pg_kind;   /* what its servers were told at their log-in: a session gets one of its own */
struct pg_server; /* one connection, logged in */

/* A session's part in it. Zeroed: its upstream does not pool. */
struct pool_seat {
    struct pg_pool *pool;
    struct pg_kind *kind, *first;   /* of now, and of its log-in */
    struct analysis *set_next;      /* a SET that holds once the server is ready */
    struct pg_server *server;       /* that it has, or that it logs in; NULL: none */
    struct pg_session *next, *prev; /* in the queue */
    uint64_t since_us;              /* in the queue; 0: not there */
    bool wants;                     /* its next message waits for a server */
    bool let_in;                    /* its client may ask */
    const char *sqlstate, *why;     /* there is none for it: the message is refused */
    uint64_t path_id, names_version;
    enum sql_trace trace; /* what its transaction may have left at the server */
};

/* The upstream pools: the client is let in as soon as it is known what servers say. */
void pool_enter(struct pg_session *session);
/* At the session's end; its server's stream is closed by it. */
void pool_leave(struct pg_session *session);

/* A server for the next transaction, at once. False: there is none now. */
bool pool_take(struct pg_session *session);
/* The session wants one and has none: it waits, or logs one in. */
void pool_ask(struct pg_session *session);
/* Somebody waits, and the session is between two transactions. */
bool pool_is_pressed(struct pg_session *session);
/* Gives the server back when nothing is under way. */
void pool_rest(struct pg_session *session);

/* The session's own log-in of a server: its path is known, it is done, it failed (static
 * texts; the session may be no more in the state of a log-in afterwards). */
bool pool_path(struct pg_session *session, struct slice path);
void pool_ready(struct pg_session *session);
void pool_failed(struct pg_session *session, const char *sqlstate, const char *why);

/* For the log-in: the client's settings. Then, for the client: the server's own. */
const struct buffer *pool_wanted(const struct pg_session *session);
const struct buffer *pool_hello(const struct pg_session *session);

/* What was prepared, and what of it the session's server has (NULL: it has no server). */
struct kepts *pool_kepts(const struct pg_session *session);
struct prepared *pool_prepared(const struct pg_session *session);

/* wanted.c: may the setting be one of a log-in's? */
bool wanted_may(struct slice name);
/* Where connections are shared: a SET of such a one, outside of a transaction, holds for the
 * session as if its log-in had said so. It was done; and the server is ready. */
bool wanted_keeps(const struct pg_session *session, const struct analysis *analysis);
void wanted_note(struct pg_session *session, const struct pg_owed *owed);
void wanted_ready(struct pg_session *session, bool alone);

/* Marks what may be left at the server that the session has. */
void pool_trace(struct pg_session *session, enum sql_trace trace);

void pools_stop(struct pg_door *door);
void pools_free(struct pg_door *door);

#endif
