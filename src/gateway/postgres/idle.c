/* gateway/postgres/idle.c - server connections that no session has: they wait, or are put back
 * to what they were at their log-in. */
#include <stdlib.h>

#include "pool_inside.h"
#include "session.h"

enum {
    LINGER_MS = 2000,
    RESET_US = 10 * 1000 * 1000, /* the longest that it may take */
    MESSAGE_MAX = 64 << 10,
};

struct pg_server *
pool_server_new(struct pg_pool *pool, struct pg_kind *kind)
{
    struct pg_server *server = calloc(1, sizeof(*server));

    if (server == NULL)
        return NULL;
    server->pool = pool;
    server->kind = kind;
    kind->users++;
    pool->taken++;
    return server;
}

void
pool_server_free(struct pg_server *server)
{
    struct pg_pool *pool = server->pool;

    pool->taken--;
    pool_kind_release(pool, server->kind);
    buffer_free(&server->path);
    buffer_free(&server->in);
    prepared_clear(&server->prepared);
    free(server);
    pool_poke(pool);
}

static void
link_server(struct pg_server *server)
{
    struct pg_pool *pool = server->pool;

    server->prev = NULL;
    server->next = pool->servers;
    if (server->next != NULL)
        server->next->prev = server;
    pool->servers = server;
    server->since_us = lane_mono_us(pool->door->gate->lane);
}

void
pool_server_unlink(struct pg_server *server)
{
    *(server->prev != NULL ? &server->prev->next : &server->pool->servers) = server->next;
    if (server->next != NULL)
        server->next->prev = server->prev;
    server->next = server->prev = NULL;
}

void
pool_server_close(struct pg_server *server)
{
    static const char terminate[] = { 'X', 0, 0, 0, 4 };
    const struct slice bytes = slice_of(terminate, sizeof(terminate));

    pool_server_unlink(server);
    if (stream_write(server->stream, &bytes, 1, NULL, NULL) == STREAM_BROKEN)
        stream_close(server->stream, NULL, NULL);
    else
        stream_finish(server->stream, LINGER_MS, NULL, NULL);
    pool_server_free(server);
}

bool
pool_server_path(struct pg_server *server, struct slice path)
{
    struct pg_pool *pool = server->pool;

    if (pool->path_id == 0 || !slice_equal(buffer_slice(&pool->path), path)) {
        buffer_clear(&pool->path);
        put_slice(&pool->path, path);
        pool->path_id++;
    }
    buffer_clear(&server->path);
    put_slice(&server->path, path);
    server->path_id = pool->path_id;
    return buffer_status(&pool->path) == STATUS_OK && buffer_status(&server->path) == STATUS_OK;
}

/* --- waiting ------------------------------------------------------------------------ */

/* Nothing is owed: it ended, or its settings are others now. */
static void
on_idle(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    pool_server_close(context);
}

static void
keep(struct pg_server *server)
{
    stream_read_start(server->stream, on_idle, server);
    pool_poke(server->pool);
}

/* --- the way back ------------------------------------------------------------------------ */

static bool
on_message(struct pg_server *server, uint8_t type, struct slice body)
{
    struct slice name, value;

    switch (type) {
    case 'Z':
        server->awaits--;
        return body.size == 1 && body.at[0] == 'I';
    case 'D':
        /* The settling's; before it only a function without a value is asked. */
        return server->awaits > 1 ||
               (pg_first_column_read(body, &value) && pool_server_path(server, value));
    case 'S':
        return pg_setting_read(body, &name, &value) && open_reads_as_we_do(name, value);
    case 'T':
    case 'C':
    case 'N':
        return true;
    default: /* an error among them */
        return false;
    }
}

/* False: it can't be used any more. */
static bool
take_answers(struct pg_server *server)
{
    struct cursor in = cursor_over(buffer_slice(&server->in));
    const uint8_t *from = in.at;

    while (server->awaits > 0) {
        struct cursor at = in;
        struct pg_header header;
        struct slice body;
        enum wire read = pg_header_read(&at, &header);

        if (read == WIRE_MALFORMED || (read == WIRE_OK && header.body > MESSAGE_MAX))
            return false;
        if (read == WIRE_MORE || !take_bytes(&at, header.body, &body))
            break;
        in = at;
        if (!on_message(server, header.type, body))
            return false;
    }
    buffer_consume(&server->in, (size_t)(in.at - from));
    return server->awaits > 0 || server->in.size == 0;
}

static void
on_answer(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct pg_server *server = context;

    put_slice(&server->in, bytes);
    if (status != STATUS_OK || buffer_status(&server->in) != STATUS_OK || !take_answers(server)) {
        pool_server_close(server);
    } else if (server->awaits == 0) {
        buffer_free(&server->in);
        keep(server);
    }
}

/* DISCARD ALL leaves nothing of what a session may have: settings, prepared statements,
 * temporary tables, cursors, locks, what is listened to, the state of sequences. It can't stand
 * with others in one query. Where no code but that of triggers has run the prepared statements,
 * which are the gateway's own, stay. */
static const char all_but_prepared[] =
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; "
    "SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

static void
reset(struct pg_server *server, enum sql_trace trace)
{
    struct buffer text = { 0 };
    bool all = trace > SQL_TRACE_ROWS;

    if (all)
        prepared_clear(&server->prepared);
    prepared_drop_unnamed(&server->prepared);
    pg_put_query(&text, all ? SLICE_LITERAL("DISCARD ALL") : slice_text(all_but_prepared));
    pg_put_query(&text, slice_text(open_settle));
    struct slice bytes = buffer_slice(&text);
    server->awaits = 2; /* queries */
    stream_read_start(server->stream, on_answer, server);
    if (buffer_status(&text) != STATUS_OK ||
        stream_write(server->stream, &bytes, 1, NULL, NULL) == STREAM_BROKEN)
        pool_server_close(server);
    buffer_free(&text);
}

static enum sql_trace
least_for_reset(enum pool_reset reset)
{
    switch (reset) {
    case POOL_RESET_ALWAYS:
        return SQL_TRACE_NONE;
    case POOL_RESET_WRITES:
        return SQL_TRACE_ROWS;
    case POOL_RESET_CALLS:
        break;
    }
    return SQL_TRACE_SESSION;
}

void
pool_server_back(struct pg_server *server, enum sql_trace trace)
{
    const struct pg_pool *pool = server->pool;

    link_server(server);
    if (trace == SQL_TRACE_ANY || pool->door->stopping)
        pool_server_close(server);
    else if (trace >= least_for_reset(pool->upstream->plan.pool.reset))
        reset(server, trace);
    else
        keep(server);
}

void
pool_servers_sweep(struct pg_pool *pool, int64_t idle_ms)
{
    uint64_t now = lane_mono_us(pool->door->gate->lane);
    struct pg_server *next;

    for (struct pg_server *at = pool->servers; at != NULL; at = next) {
        uint64_t most = at->awaits > 0 ? RESET_US : (uint64_t)idle_ms * 1000;

        next = at->next;
        if (now - at->since_us >= most)
            pool_server_close(at);
    }
}
