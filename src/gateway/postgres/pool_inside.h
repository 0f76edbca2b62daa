/* gateway/postgres/pool_inside.h - a pool's own parts: the queue of sessions (pool.c), and the
 * connections that nobody has (idle.c). */
#ifndef WRIT_GATEWAY_POSTGRES_POOL_INSIDE_H
#define WRIT_GATEWAY_POSTGRES_POOL_INSIDE_H

#include "door.h"
#include "kept.h"

struct pg_kind {
    struct pg_kind *next;
    size_t users;         /* sessions and servers */
    struct buffer wanted; /* settings for the start-up: pairs */
    bool known;           /* a server of this kind has said its hello */
    struct buffer hello;  /* its settings, as messages */
};

struct pg_server {
    struct pg_server *next, *prev; /* among those that nobody has */
    struct pg_pool *pool;
    struct pg_kind *kind;
    struct stream *stream; /* NULL: a session has it */
    struct cancel_key key;
    struct buffer path; /* its search_path, pinned */
    uint64_t path_id;   /* the same for the same path; never the same for two */
    uint64_t since_us;  /* with nobody */
    unsigned awaits;    /* answers, until it is as it was at its log-in */
    struct buffer in;
    struct prepared prepared;
};

struct pg_pool {
    struct pg_pool *next;
    struct pg_door *door;
    struct upstream *upstream;
    unsigned size, taken; /* connections: the most, and those that are there or being made */
    size_t sessions, queued;
    struct pg_kind *kinds;
    struct pg_server *servers; /* that nobody has; the latest first */
    struct pg_session *first, *last;
    struct kepts kepts;
    struct buffer path; /* the latest, and its number */
    uint64_t path_id;
    bool news;    /* a kind has become known */
    bool serving; /* the message is under way */
    struct lane_message serve;
    struct timer timer;
};

void pool_poke(struct pg_pool *pool);
/* Of these settings; a reference, or NULL: out of memory. */
struct pg_kind *pool_kind(struct pg_pool *pool, struct slice wanted);
void pool_kind_release(struct pg_pool *pool, struct pg_kind *kind);

/* Counts among the pool's; NULL: out of memory. */
struct pg_server *pool_server_new(struct pg_pool *pool, struct pg_kind *kind);
/* Its stream is somebody else's affair. */
void pool_server_free(struct pg_server *server);
void pool_server_unlink(struct pg_server *server);
/* One that nobody has: says good-bye. */
void pool_server_close(struct pg_server *server);
/* From a session, which may have left something: it is kept, put back to its beginning, or
 * closed. */
void pool_server_back(struct pg_server *server, enum sql_trace trace);
bool pool_server_path(struct pg_server *server, struct slice path);
/* Closes those that nobody has used for so long. */
void pool_servers_sweep(struct pg_pool *pool, int64_t idle_ms);

#endif
