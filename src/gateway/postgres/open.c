/* gateway/postgres/open.c - the server's side of a log-in: the gateway logs in with its own
 * credential, pins down what names mean, and then lets the client in. */
#include <stdio.h>
#include <stdlib.h>

#include "../pipeline.h"
#include "base/log.h"
#include "crypto/random.h"
#include "session.h"

enum { HELLO_MAX = 64 << 10, MESSAGE_MAX = 64 << 10 };

/* The schemas that exist now, in their order, become the path itself: a schema that is made
 * later changes nothing of what a name means in this session. */
const char open_settle[] =
    "SELECT pg_catalog.set_config('search_path', (SELECT coalesce(pg_catalog.string_agg("
    "pg_catalog.quote_ident(s), ', '), '') FROM pg_catalog.unnest(pg_catalog.current_schemas("
    "false)) AS s), false)";

static void
fail(struct pg_session *session, const char *message)
{
    struct passage *passage = session->passage;

    pipeline_count_failure(passage);
    log_write(LOG_WARN, "gateway", "a session's upstream failed", "upstream",
              passage->asked.upstream->name_text, "why", message, NULL);
    if (session->seat.let_in) {
        pool_failed(session, "08006", message);
        return;
    }
    pg_session_fail(
        session,
        &(struct ending){ .sqlstate = "08006", .message = slice_text(message), .status = 502 });
}

/* --- reaching ------------------------------------------------------------------------- */

static enum status
make_login(struct pg_session *session)
{
    struct upstream *upstream = session->passage->asked.upstream;
    uint8_t end_point[TLS_END_POINT_MAX];
    struct buffer password = { 0 };
    size_t size = 0;
    enum status status = upstream_password(upstream, &password);

    if (stream_is_tls(session->link.server) &&
        !tls_stream_end_point(session->link.server, end_point, &size))
        size = 0;
    if (status == STATUS_OK)
        status =
            pg_login_new(&(struct pg_login_options){ .user = slice_text(upstream->plan.user),
                                                     .password = buffer_slice(&password),
                                                     .secured = stream_is_tls(session->link.server),
                                                     .end_point = slice_of(end_point, size),
                                                     .memory = &upstream->scram },
                         &session->login);
    buffer_wipe_free(&password);
    return status;
}

static void
on_reached(enum status status, struct stream *stream, const char *why, void *context)
{
    struct pg_session *session = context;
    const struct upstream_plan *plan = &session->passage->asked.upstream->plan;

    session->reach = NULL;
    if (status != STATUS_OK) {
        fail(session, why);
        return;
    }
    session->link.server = stream;
    if (make_login(session) != STATUS_OK) {
        fail(session, "the gateway's log-in at the upstream can't be made");
        return;
    }
    session->state = SESSION_LOGIN;
    pg_put_startup(
        &session->door->to_server, slice_text(plan->user), slice_text(plan->database),
        buffer_slice(session->seat.pool != NULL ? pool_wanted(session) : &session->wanted));
    duplex_read_server(&session->link);
    (void)pg_session_flush(session);
}

void
open_server(struct pg_session *session)
{
    struct upstream *upstream = session->passage->asked.upstream;

    if (reach_start(upstream, session->door->gate->lane, on_reached, session, &session->reach) !=
        STATUS_OK)
        fail(session, upstream->broken ? upstream->reason : "the upstream can't be dialled");
}

/* --- the log-in ------------------------------------------------------------------------- */

static void
on_auth(struct pg_session *session, struct slice body)
{
    const char *why = "";
    bool done = false;

    if (session->login == NULL ||
        pg_login_read(session->login, body, &session->door->to_server, &done, &why) != STATUS_OK) {
        fail(session, session->login == NULL ? "the upstream asked for a log-in twice" : why);
        return;
    }
    if (done) {
        pg_login_free(session->login);
        session->login = NULL;
    }
}

/* The server's words may name its role and database: they are for the operator. */
static void
on_error(struct pg_session *session, struct slice body)
{
    struct slice text = pg_error_field(body, 'M'), code = pg_error_field(body, 'C');
    char said[256];

    snprintf(said, sizeof(said), "%.*s (%.*s)", SLICE_PRINT(slice_first(text, 200)),
             SLICE_PRINT(slice_first(code, 5)));
    log_write(LOG_ERROR, "gateway", "the upstream refused a session", "upstream",
              session->passage->asked.upstream->name_text, "said", said, NULL);
    fail(session, slice_is(code, "53300") ? "the upstream has too many connections"
                                          : "the upstream refused the gateway's log-in");
}

bool
open_reads_as_we_do(struct slice name, struct slice value)
{
    if (slice_is(name, "standard_conforming_strings"))
        return slice_is(value, "on");
    if (slice_is(name, "client_encoding"))
        return slice_is(value, "UTF8") || slice_is(value, "SQL_ASCII");
    return true;
}

static void
on_setting(struct pg_session *session, struct slice body)
{
    struct slice name, value;

    if (!pg_setting_read(body, &name, &value) || session->hello.size > HELLO_MAX)
        fail(session, "the upstream's settings can't be read");
    else if (!open_reads_as_we_do(name, value))
        fail(session, "the upstream reads text otherwise than the gateway: "
                      "standard_conforming_strings must be on, and client_encoding UTF8");
    else
        pg_put_setting(&session->hello, name, value);
}

static void
settle_names(struct pg_session *session)
{
    if (session->login != NULL) {
        fail(session, "the upstream skipped the log-in");
        return;
    }
    session->state = SESSION_SETTLING;
    pg_put_query(&session->door->to_server, slice_text(open_settle));
}

/* --- the opening -------------------------------------------------------------------------- */

static bool
take_slot(struct pg_session *session)
{
    struct pg_door *door = session->door;

    for (uint32_t tried = 0; tried < door->slot_count; tried++) {
        uint32_t slot = (door->next_slot + tried) % door->slot_count;
        if (door->slots[slot] != NULL)
            continue;
        door->slots[slot] = session;
        door->next_slot = slot + 1;
        session->slot = slot;
        return true;
    }
    uint32_t more = door->slot_count == 0 ? 64 : door->slot_count * 2;
    if (more > CANCEL_SLOTS)
        return false;
    struct pg_session **slots = realloc(door->slots, more * sizeof(struct pg_session *));
    if (slots == NULL)
        return false;
    memset(slots + door->slot_count, 0, (more - door->slot_count) * sizeof(struct pg_session *));
    door->slots = slots;
    door->next_slot = door->slot_count;
    door->slot_count = more;
    return take_slot(session);
}

static void
let_in(struct pg_session *session, struct slice hello)
{
    struct pg_door *door = session->door;
    struct buffer *out = &door->to_client;

    if (!take_slot(session) ||
        random_bytes(&session->key.secret, sizeof(session->key.secret)) != STATUS_OK) {
        fail(session, "the gateway has no room for another session");
        return;
    }
    session->key.process = cancel_process(door->gate->index, session->slot);
    timer_disarm(&session->patience);
    session->state = SESSION_OPEN;
    session->seat.let_in = session->seat.pool != NULL;
    pg_put_auth(out, PG_AUTH_OK);
    put_slice(out, hello);
    pg_put_key(out, session->key.process, session->key.secret);
    pg_put_ready(out, 'I');
    buffer_free(&session->hello);
    buffer_free(&session->wanted);
    duplex_read_client(&session->link);
}

void
open_let_in(struct pg_session *session)
{
    let_in(session, buffer_slice(pool_hello(session)));
    (void)pg_session_flush(session);
}

static void
on_settled(struct pg_session *session)
{
    if (session->seat.pool == NULL) {
        let_in(session, buffer_slice(&session->hello));
        return;
    }
    pool_ready(session);
    if (session->seat.let_in)
        session->state = SESSION_OPEN;
    else
        let_in(session, buffer_slice(pool_hello(session)));
}

static void
on_ready(struct pg_session *session)
{
    if (session->state == SESSION_LOGIN)
        settle_names(session);
    else if (session->names.initial_known)
        on_settled(session);
    else
        fail(session, "the upstream's search_path can't be read");
}

static void
on_row(struct pg_session *session, struct slice body)
{
    const struct upstream *upstream = session->passage->asked.upstream;
    struct slice path;

    if (session->state != SESSION_SETTLING || !pg_first_column_read(body, &path) ||
        pg_names_begin(&session->names, path) != STATUS_OK) {
        fail(session, "the upstream's search_path can't be read");
        return;
    }
    session->names.user = slice_text(upstream->plan.user);
    session->names.database = slice_text(upstream->plan.database);
    session->names.initial_known = true;
    if (session->seat.pool != NULL && !pool_path(session, path))
        fail(session, "the gateway is out of memory");
}

static void
on_message(struct pg_session *session, uint8_t type, struct slice body)
{
    switch (type) {
    case 'R':
        on_auth(session, body);
        break;
    case 'S':
        on_setting(session, body);
        break;
    case 'K':
        if (!pg_key_read(body, &session->server_key.process, &session->server_key.secret))
            fail(session, "the upstream's key can't be read");
        break;
    case 'E':
        on_error(session, body);
        break;
    case 'D':
        on_row(session, body);
        break;
    case 'Z':
        on_ready(session);
        break;
    case 'N': /* a notice */
    case 'T': /* the row's description, … */
    case 'C': /* … and the end of the settling */
        break;
    default:
        fail(session, "the upstream sent what does not belong to a log-in");
        break;
    }
}

static bool
take_message(struct pg_session *session, struct cursor *in)
{
    struct cursor at = *in;
    struct pg_header header;
    struct slice body;
    enum wire read = pg_header_read(&at, &header);

    if (read == WIRE_MORE)
        return false;
    if (read == WIRE_MALFORMED || header.body > MESSAGE_MAX) {
        fail(session, "the upstream broke the protocol");
        return false;
    }
    if (!take_bytes(&at, header.body, &body))
        return false;
    *in = at;
    on_message(session, header.type, body);
    return true;
}

void
open_read(struct pg_session *session, struct slice bytes)
{
    struct buffer *kept = &session->from_server.in;

    put_slice(kept, bytes);
    if (buffer_status(kept) != STATUS_OK) {
        fail(session, "the gateway is out of memory");
        return;
    }
    struct cursor in = cursor_over(buffer_slice(kept));
    const uint8_t *from = in.at;
    while (session->state == SESSION_LOGIN || session->state == SESSION_SETTLING) {
        if (!take_message(session, &in))
            break;
    }
    /* The session has ended, or goes on without this server. */
    if (session->state == SESSION_ENDED || session->link.server == NULL)
        return;
    buffer_consume(kept, (size_t)(in.at - from));
    if (pg_session_flush(session) && session->state == SESSION_OPEN) {
        pg_front_resume(session);
        pool_rest(session);
    }
}
