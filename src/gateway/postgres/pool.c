/* gateway/postgres/pool.c - lends server connections to sessions, and takes them back. */
#include "pool.h"

#include <stdlib.h>

#include "../pipeline.h"
#include "pool_inside.h"
#include "session.h"

enum {
    TICK_MS = 1000,
    WAITING_TICK_MS = TIMER_GRAIN_MS,
    LOGIN_MS = 30 * 1000, /* of a server, from the dialling on */
    IDLE_MS = 60 * 1000,
    LATE_US = 1000 * 1000, /* then the first in the queue comes before those whom a server fits */
    LOOK_MOST = 64,        /* in the queue, for somebody whom a server fits */
};

/* --- pools -------------------------------------------------------------------------------- */

static void on_serve(struct lane_message *message);
static void on_tick(struct timer *timer);

static struct lane *
lane_of(const struct pg_pool *pool)
{
    return pool->door->gate->lane;
}

/* This lane's share of the connections: at least one. */
static unsigned
share_of(const struct pg_door *door, unsigned size)
{
    unsigned lanes = door->gate->gateway->options.lanes;
    unsigned share = size / lanes + (door->gate->index < size % lanes);

    return share == 0 ? 1 : share;
}

static struct pg_pool *
pool_of(struct pg_door *door, struct upstream *upstream)
{
    struct pg_pool *pool = door->pools;

    while (pool != NULL && pool->upstream != upstream)
        pool = pool->next;
    if (pool != NULL)
        return pool;
    pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return NULL;
    pool->door = door;
    pool->upstream = upstream;
    upstream_use(upstream);
    pool->size = share_of(door, upstream->plan.pool.size);
    pool->serve.run = on_serve;
    pool->timer.fire = on_tick;
    pool->next = door->pools;
    door->pools = pool;
    timer_arm(lane_of(pool), &pool->timer, TICK_MS);
    return pool;
}

static void
pool_free(struct pg_pool *pool)
{
    struct pg_pool **link = &pool->door->pools;

    while (*link != pool)
        link = &(*link)->next;
    *link = pool->next;
    timer_disarm(&pool->timer);
    upstream_release(pool->upstream);
    buffer_free(&pool->path);
    free(pool);
}

/* Outside of the caller's call somebody is served, if there is anybody and something. */
void
pool_poke(struct pg_pool *pool)
{
    if (pool->first != NULL && !pool->serving)
        pool->serving = lane_post(lane_of(pool), &pool->serve);
}

/* --- the queue ------------------------------------------------------------------------------ */

static void
enqueue(struct pg_session *session, bool first)
{
    struct pool_seat *seat = &session->seat;
    struct pg_pool *pool = seat->pool;

    if (pool->first == NULL)
        timer_arm(lane_of(pool), &pool->timer, WAITING_TICK_MS);
    seat->since_us = lane_mono_us(lane_of(pool));
    seat->next = first ? pool->first : NULL;
    seat->prev = first ? NULL : pool->last;
    *(seat->prev != NULL ? &seat->prev->seat.next : &pool->first) = session;
    *(seat->next != NULL ? &seat->next->seat.prev : &pool->last) = session;
    pool->queued++;
    pool_poke(pool);
}

static void
dequeue(struct pg_session *session)
{
    struct pool_seat *seat = &session->seat;
    struct pg_pool *pool = seat->pool;

    if (seat->since_us == 0)
        return;
    *(seat->prev != NULL ? &seat->prev->seat.next : &pool->first) = seat->next;
    *(seat->next != NULL ? &seat->next->seat.prev : &pool->last) = seat->prev;
    seat->next = seat->prev = NULL;
    seat->since_us = 0;
    pool->queued--;
}

static void
fail_for_memory(struct pg_session *session)
{
    pg_session_fail(session,
                    &(struct ending){ .sqlstate = "53200",
                                      .message = SLICE_LITERAL("the gateway is out of memory"),
                                      .status = 503 });
}

/* --- lending ------------------------------------------------------------------------------------
 */

static struct pg_server *
find_server(const struct pg_pool *pool, const struct pg_kind *kind)
{
    struct pg_server *server = pool->servers;

    while (server != NULL && (server->kind != kind || server->awaits > 0))
        server = server->next;
    return server;
}

/* Names mean what they mean at this server. */
static bool
adopt(struct pg_session *session, const struct pg_server *server)
{
    struct pool_seat *seat = &session->seat;
    const struct upstream *upstream = seat->pool->upstream;

    if (seat->path_id == server->path_id && seat->names_version == session->names.version)
        return true;
    if (pg_names_begin(&session->names, buffer_slice(&server->path)) != STATUS_OK)
        return false;
    session->names.user = slice_text(upstream->plan.user);
    session->names.database = slice_text(upstream->plan.database);
    session->names.initial_known = true;
    seat->path_id = server->path_id;
    seat->names_version = session->names.version;
    return true;
}

static bool
lend(struct pg_session *session, struct pg_server *server)
{
    struct pool_seat *seat = &session->seat;

    if (!adopt(session, server)) {
        fail_for_memory(session);
        return false;
    }
    pool_server_unlink(server);
    seat->server = server;
    seat->wants = false;
    session->server_key = server->key;
    prepared_next_batch(&server->prepared);
    duplex_join(&session->link, server->stream);
    server->stream = NULL;
    return true;
}

bool
pool_take(struct pg_session *session)
{
    struct pool_seat *seat = &session->seat;
    /* Nobody comes before those who wait. */
    struct pg_server *server =
        seat->pool->first != NULL ? NULL : find_server(seat->pool, seat->kind);

    return server != NULL && lend(session, server);
}

/* A connection may be made: there is room, or one that nobody uses makes room. */
static bool
make_room(struct pg_pool *pool)
{
    struct pg_server *oldest = NULL;

    if (pool->taken < pool->size)
        return true;
    for (struct pg_server *at = pool->servers; at != NULL; at = at->next) {
        if (at->awaits == 0)
            oldest = at;
    }
    if (oldest != NULL)
        pool_server_close(oldest);
    return oldest != NULL;
}

static void
make_server(struct pg_session *session)
{
    struct pool_seat *seat = &session->seat;

    session->state = SESSION_REACHING;
    session->names.initial_known = false;
    timer_arm(lane_of(seat->pool), &session->patience, LOGIN_MS);
    seat->server = pool_server_new(seat->pool, seat->kind);
    if (seat->server != NULL)
        open_server(session);
    else if (seat->let_in)
        pool_failed(session, "53200", "the gateway is out of memory");
    else
        fail_for_memory(session);
}

/* Its message is refused when its turn comes, which is at once. */
static void
deny(struct pg_session *session, const char *why)
{
    struct pool_seat *seat = &session->seat;

    dequeue(session);
    pipeline_count_failure(session->passage);
    if (!seat->let_in) {
        pg_session_fail(
            session,
            &(struct ending){ .sqlstate = "53300", .message = slice_text(why), .status = 503 });
        return;
    }
    seat->sqlstate = "53300";
    seat->why = why;
    enqueue(session, true);
}

void
pool_ask(struct pg_session *session)
{
    struct pool_seat *seat = &session->seat;
    struct pg_pool *pool = seat->pool;

    if (seat->since_us != 0)
        return;
    if (pool->first == NULL && make_room(pool))
        make_server(session);
    else if (pool->queued >= pool->upstream->plan.pool.queue)
        deny(session, "too many sessions wait for a connection of the upstream");
    else
        enqueue(session, false);
}

bool
pool_is_pressed(struct pg_session *session)
{
    const struct pool_seat *seat = &session->seat;

    if (seat->pool == NULL || seat->pool->first == NULL || session->batch ||
        session->owed.count == 0)
        return false;
    enum owed_kind last = pg_owed_last(&session->owed)->kind;
    return last == OWED_SYNC || last == OWED_QUERY;
}

/* --- serving -----------------------------------------------------------------------------------
 */

/* Whose turn it is, and with which server; *server NULL: it makes one, or is told that there is
 * none. NULL: nobody's. */
static struct pg_session *
next_turn(struct pg_pool *pool, struct pg_server **server)
{
    struct pg_session *first = pool->first, *at = first;
    unsigned looked = 0;

    *server = NULL;
    if (first == NULL || first->seat.why != NULL)
        return first;
    bool late = lane_mono_us(lane_of(pool)) - first->seat.since_us > LATE_US;
    while (pool->servers != NULL && at != NULL && looked++ < (late ? 1 : LOOK_MOST)) {
        *server = find_server(pool, at->seat.kind);
        if (*server != NULL)
            return at;
        at = at->seat.next;
    }
    return make_room(pool) ? first : NULL;
}

/* Those who only wait to be let in need no server, once one of their kind was there. */
static void
let_in_known(struct pg_pool *pool)
{
    struct pg_session *next;

    pool->news = false;
    for (struct pg_session *at = pool->first; at != NULL; at = next) {
        next = at->seat.next;
        if (at->seat.let_in || !at->seat.kind->known)
            continue;
        dequeue(at);
        open_let_in(at);
    }
}

static void
give_turn(struct pg_session *session, struct pg_server *server)
{
    dequeue(session);
    session->seat.wants = false;
    if (session->seat.why == NULL && server == NULL) {
        make_server(session);
        return;
    }
    if (server != NULL && !lend(session, server))
        return;
    pg_front_resume(session);
    pool_rest(session);
}

static void
on_serve(struct lane_message *message)
{
    struct pg_pool *pool = LANE_OWNER(message, struct pg_pool, serve);
    struct pg_server *server;
    struct pg_session *session;

    pool->serving = false;
    if (pool->news)
        let_in_known(pool);
    while ((session = next_turn(pool, &server)) != NULL)
        give_turn(session, server);
}

/* The first has waited longest. */
static void
deny_late(struct pg_pool *pool)
{
    uint64_t now = lane_mono_us(lane_of(pool));
    uint64_t most = (uint64_t)pool->upstream->plan.pool.wait_ms * 1000;

    for (struct pg_session *at = pool->first, *next; at != NULL; at = next) {
        next = at->seat.next;
        if (at->seat.why == NULL && now - at->seat.since_us <= most)
            return;
        if (at->seat.why == NULL)
            deny(at, "no connection of the upstream became free in time");
    }
}

static void
on_tick(struct timer *timer)
{
    struct pg_pool *pool = LANE_OWNER(timer, struct pg_pool, timer);
    int64_t idle_ms = pool->upstream->plan.idle_ms;

    deny_late(pool);
    pool_servers_sweep(pool, pool->upstream->retired ? 0 : idle_ms > 0 ? idle_ms : IDLE_MS);
    if (pool->sessions == 0 && pool->taken == 0 && !pool->serving) {
        pool_free(pool);
        return;
    }
    timer_arm(lane_of(pool), &pool->timer, pool->first != NULL ? WAITING_TICK_MS : TICK_MS);
}

/* --- a session's coming and going ------------------------------------------------------------- */

void
pool_enter(struct pg_session *session)
{
    struct pool_seat *seat = &session->seat;
    struct pg_pool *pool = pool_of(session->door, session->passage->asked.upstream);

    if (pool != NULL)
        seat->kind = pool_kind(pool, buffer_slice(&session->wanted));
    if (seat->kind == NULL) {
        fail_for_memory(session);
        return;
    }
    buffer_free(&session->wanted);
    seat->pool = pool;
    seat->first = seat->kind;
    seat->first->users++;
    pool->sessions++;
    if (seat->kind->known)
        open_let_in(session);
    else
        pool_ask(session);
}

void
pool_leave(struct pg_session *session)
{
    struct pool_seat *seat = &session->seat;
    struct pg_pool *pool = seat->pool;

    if (pool == NULL)
        return;
    dequeue(session);
    if (seat->server != NULL)
        pool_server_free(seat->server);
    pool_kind_release(pool, seat->kind);
    pool_kind_release(pool, seat->first);
    pool->sessions--;
    pool_poke(pool);
    *seat = (struct pool_seat){ 0 };
}

bool
pool_path(struct pg_session *session, struct slice path)
{
    struct pool_seat *seat = &session->seat;

    if (!pool_server_path(seat->server, path))
        return false;
    seat->path_id = seat->server->path_id;
    seat->names_version = session->names.version;
    return true;
}

const struct buffer *
pool_wanted(const struct pg_session *session)
{
    return &session->seat.kind->wanted;
}

struct kepts *
pool_kepts(const struct pg_session *session)
{
    return &session->seat.pool->kepts;
}

struct prepared *
pool_prepared(const struct pg_session *session)
{
    return session->seat.server == NULL ? NULL : &session->seat.server->prepared;
}

const struct buffer *
pool_hello(const struct pg_session *session)
{
    return &session->seat.kind->hello;
}

void
pool_ready(struct pg_session *session)
{
    struct pool_seat *seat = &session->seat;
    struct pg_kind *kind = seat->kind;

    timer_disarm(&session->patience);
    seat->wants = false;
    seat->server->key = session->server_key;
    buffer_free(&kind->hello);
    kind->hello = session->hello;
    session->hello = (struct buffer){ 0 };
    kind->known = seat->pool->news = true;
    pool_poke(seat->pool);
}

void
pool_failed(struct pg_session *session, const char *sqlstate, const char *why)
{
    struct pool_seat *seat = &session->seat;

    timer_disarm(&session->patience);
    if (session->reach != NULL)
        reach_cancel(session->reach);
    session->reach = NULL;
    pg_login_free(session->login);
    session->login = NULL;
    if (session->link.server != NULL)
        duplex_shed(&session->link);
    buffer_wipe_free(&session->door->to_server);
    buffer_free(&session->from_server.in);
    buffer_free(&session->hello);
    if (seat->server != NULL)
        pool_server_free(seat->server);
    seat->server = NULL;
    seat->sqlstate = sqlstate;
    seat->why = why;
    session->state = SESSION_OPEN;
    enqueue(session, true);
}

/* --- between transactions -----------------------------------------------------------------------
 */

static bool
is_at_rest(const struct pg_session *session)
{
    return session->state == SESSION_OPEN && session->link.server != NULL &&
           session->transaction == 'I' && session->owed.count == 0 && !session->batch &&
           session->from_client.left == 0 && session->from_server.left == 0 &&
           session->from_server.in.size == 0 && duplex_may_part(&session->link);
}

/* What a transaction has named goes with it; prepared statements are kept. */
static void
forget(struct pg_session *session)
{
    named_clear(&session->portals);
    named_clear(&session->cursors);
}

void
pool_rest(struct pg_session *session)
{
    struct pool_seat *seat = &session->seat;
    struct pg_server *server = seat->server;
    enum sql_trace trace = seat->trace;

    if (seat->pool == NULL || !is_at_rest(session))
        return;
    forget(session);
    server->stream = duplex_part(&session->link);
    seat->server = NULL;
    seat->trace = SQL_TRACE_NONE;
    pool_server_back(server, trace);
}

void
pool_trace(struct pg_session *session, enum sql_trace trace)
{
    if (trace > session->seat.trace)
        session->seat.trace = trace;
}

/* --- the door's end ------------------------------------------------------------------------------
 */

void
pools_stop(struct pg_door *door)
{
    for (struct pg_pool *at = door->pools; at != NULL; at = at->next) {
        while (at->servers != NULL)
            pool_server_close(at->servers);
    }
}

void
pools_free(struct pg_door *door)
{
    struct pg_pool *pool;

    while ((pool = door->pools) != NULL) {
        while (pool->servers != NULL) { /* their streams went with the lane */
            struct pg_server *server = pool->servers;
            pool_server_unlink(server);
            pool_server_free(server);
        }
        pool_free(pool);
    }
}
