/* gateway/postgres/start.c - the client's side of a log-in: TLS, parameters, the token, and
 * what is answered when it does not hold. */
#include <stdio.h>
#include <stdlib.h>

#include "../pipeline.h"
#include "base/secret.h"
#include "base/serial.h"
#include "session.h"

enum {
    START_MAX = 10000, /* PostgreSQL's own MAX_STARTUP_PACKET_LENGTH */
    PASSWORD_MAX = 8192,
    TLS_HANDSHAKE_BYTE = 0x16, /* a TLS record: "direct" negotiation */
};

static void
fail(struct pg_session *session, const char *sqlstate, const char *message, unsigned status)
{
    pg_session_fail(
        session,
        &(struct ending){ .sqlstate = sqlstate, .message = slice_text(message), .status = status });
}

/* --- TLS ------------------------------------------------------------------------- */

static void
on_secured(struct stream *stream, enum status status, void *context)
{
    struct pg_session *session = context;

    if (session->state == SESSION_ENDED)
        return;
    if (status != STATUS_OK) {
        pg_session_drop(session, 400);
        return;
    }
    session->state = SESSION_START;
    duplex_read_client(&session->link);
}

static void
secure(struct pg_session *session, struct slice received)
{
    const struct gateway *gateway = session->door->gate->gateway;
    struct stream_tls how = { .server = gateway->places[DOOR_POSTGRES].tls, .received = received };

    session->state = SESSION_SECURING;
    duplex_hold_client(&session->link);
    if (how.server == NULL ||
        stream_secure(session->link.client, &how, on_secured, session) != STATUS_OK)
        pg_session_drop(session, 400);
}

/* One byte says yes or no. What came behind the request was sent before TLS, by anybody:
 * it is no part of the session. */
static void
answer_tls(struct pg_session *session, bool more)
{
    bool offered = session->door->gate->gateway->places[DOOR_POSTGRES].tls != NULL;

    if (more || session->tls_asked || stream_is_tls(session->link.client)) {
        fail(session, "08P01", "bytes came with the request for TLS, or it came twice", 400);
        return;
    }
    session->tls_asked = true;
    put_u8(&session->door->to_client, offered ? 'S' : 'N');
    if (pg_session_flush(session) && offered)
        secure(session, (struct slice){ 0 });
}

/* --- parameters --------------------------------------------------------------------- */

/* Statements are read as UTF-8: in an encoding where a quote can be half of a character the
 * server would read another statement. */
static bool
encoding_is_sound(struct slice value)
{
    static const char *const sound[] = { "utf8", "utf-8", "unicode", "sql_ascii", NULL };

    if (value.size > 2 && value.at[0] == '\'')
        value = slice_of(value.at + 1, value.size - 2);
    for (size_t i = 0; sound[i] != NULL; i++) {
        if (slice_equal_nocase(value, slice_text(sound[i])))
            return true;
    }
    return false;
}

static bool
set_wanted(struct pg_session *session, struct slice name, struct slice value)
{
    if (!wanted_may(name)) {
        fail(session, "42501", "a parameter is not taken at the log-in: SET it in the session",
             403);
        return false;
    }
    if (slice_equal_nocase(name, SLICE_LITERAL("client_encoding")) && !encoding_is_sound(value)) {
        fail(session, "22023", "client_encoding must be UTF8", 400);
        return false;
    }
    put_slice(&session->wanted, name);
    put_u8(&session->wanted, 0);
    put_slice(&session->wanted, value);
    put_u8(&session->wanted, 0);
    return true;
}

/* "-c name=value --name=value": words between blanks, which a backslash keeps. */
static bool
next_option(struct slice *rest, struct buffer *word)
{
    buffer_clear(word);
    *rest = slice_trim(*rest);
    while (rest->size > 0 && rest->at[0] != ' ') {
        if (rest->at[0] == '\\' && rest->size > 1)
            *rest = slice_from(*rest, 1);
        put_u8(word, (uint8_t)rest->at[0]);
        *rest = slice_from(*rest, 1);
    }
    return word->size > 0;
}

static bool
take_options(struct pg_session *session, struct slice options)
{
    struct buffer word = { 0 };
    bool named = false, good = true;

    while (good && next_option(&options, &word)) {
        struct slice text = buffer_slice(&word);

        if (!named && slice_is(text, "-c")) {
            named = true;
            continue;
        }
        if (!named && slice_starts(text, SLICE_LITERAL("--")))
            text = slice_from(text, 2);
        else if (!named && slice_starts(text, SLICE_LITERAL("-c")))
            text = slice_from(text, 2);
        else if (!named)
            text = (struct slice){ 0 };
        size_t equals = slice_find(text, '=');
        if (equals == text.size) {
            fail(session, "08P01", "options can hold -c name=value alone", 400);
            good = false;
        } else {
            good = set_wanted(session, slice_first(text, equals), slice_from(text, equals + 1));
        }
        named = false;
    }
    buffer_free(&word);
    return good;
}

struct wishes {
    struct slice user, database, application;
};

static bool
take_parameter(struct pg_session *session, struct slice name, struct slice value,
               struct wishes *wishes)
{
    if (slice_is(name, "user")) {
        wishes->user = value;
    } else if (slice_is(name, "database")) {
        wishes->database = value;
    } else if (slice_is(name, "options")) {
        return take_options(session, value);
    } else if (slice_is(name, "replication")) {
        fail(session, "0A000", "replication does not pass this gateway", 400);
        return false;
    } else if (!slice_starts(name, SLICE_LITERAL("_pq_."))) {
        if (slice_is(name, "application_name"))
            wishes->application = value;
        return set_wanted(session, name, value);
    }
    return true;
}

/* --- the token -------------------------------------------------------------------------- */

static bool
may_ask(const struct pg_session *session)
{
    const struct gateway *gateway = session->door->gate->gateway;

    return stream_is_tls(session->link.client) ||
           ip_is_loopback(stream_peer(session->link.client)) ||
           (gateway->places[DOOR_POSTGRES].tls == NULL &&
            gateway->options.doors[DOOR_POSTGRES].insecure);
}

static bool
keep_wishes(struct pg_session *session, const struct wishes *wishes)
{
    struct slice database = wishes->database.size > 0 ? wishes->database : wishes->user;

    session->upstream_name = slice_strdup(database);
    if (asprintf(&session->agent, "%.*s%suser %.*s",
                 SLICE_PRINT(slice_first(wishes->application, 64)),
                 wishes->application.size > 0 ? ", " : "",
                 SLICE_PRINT(slice_first(wishes->user, 64))) < 0)
        session->agent = NULL;
    return session->upstream_name != NULL && session->agent != NULL &&
           buffer_status(&session->wanted) == STATUS_OK;
}

static void
begin(struct pg_session *session, const struct pg_startup *startup)
{
    struct slice rest = startup->parameters, name, value;
    struct wishes wishes = { 0 };
    struct buffer *out = &session->door->to_client;

    while (pg_parameter_next(&rest, &name, &value)) {
        if (!take_parameter(session, name, value, &wishes))
            return;
    }
    if (wishes.user.size == 0) {
        fail(session, "28000", "no user name was given", 400);
        return;
    }
    if (!keep_wishes(session, &wishes)) {
        fail(session, "53200", "the gateway is out of memory", 503);
        return;
    }
    if (!may_ask(session)) {
        fail(session, "28000", "this connection is not secured: connect with TLS (sslmode=require)",
             401);
        return;
    }
    pg_put_negotiation(out, startup);
    if (!sasl_begin(session, wishes.user))
        pg_put_auth(out, PG_AUTH_CLEARTEXT);
    session->state = SESSION_PASSWORD;
    (void)pg_session_flush(session);
}

/* The slices point into the session, until the passage keeps them. */
static void
enter(struct pg_session *session, struct slice token, struct refusal fault)
{
    struct pg_door *door = session->door;
    struct gate *gate = door->gate;
    struct passage *passage = passage_new(gate, &postgres_door, session);

    if (passage == NULL) {
        fail(session, "53200", "the gateway is out of memory", 503);
        return;
    }
    struct slice name = slice_text(session->upstream_name);
    routes_follow(gate->routes, gate->reader);
    passage->asked = (struct asked){
        .request = { .resource = name_valid(name) ? name : SLICE_LITERAL("-"),
                     .action = SLICE_LITERAL("login"),
                     .object = SLICE_LITERAL("-"),
                     .syntax = OBJECT_SQL,
                     .peer = *stream_peer(session->link.client) },
        .token = token,
        .scheme = SCHEME_BEARER,
        .agent = slice_text(session->agent),
        .login = true,
        .session = serial_next(),
        .peer_port = stream_peer_port(session->link.client),
        .upstream = routes_by_name(gate->routes, DOOR_POSTGRES, name),
        .fault = fault,
    };
    if (passage->asked.upstream != NULL)
        upstream_use(passage->asked.upstream);
    session->passage = passage;
    session->state = SESSION_JUDGED;
    duplex_hold_client(&session->link);
    pipeline_enter(passage, &door->scratch);
    arena_reset(&door->scratch);
}

void
pg_start_enter(struct pg_session *session, struct slice token)
{
    enter(session, token, (struct refusal){ .kind = GATE_NOTHING });
}

void
pg_start_deny(struct pg_session *session, struct slice reason)
{
    enter(session, (struct slice){ 0 },
          (struct refusal){ .kind = GATE_BAD_TOKEN, .reason = reason });
}

static void
read_password(struct pg_session *session, struct cursor *in)
{
    struct cursor at = *in;
    struct pg_header header;
    struct slice body, token;

    switch (pg_header_read(&at, &header)) {
    case WIRE_MORE:
        return;
    case WIRE_MALFORMED:
        header.type = 0;
        break;
    case WIRE_OK:
        break;
    }
    if (header.type != 'p' || header.body > PASSWORD_MAX) {
        fail(session, "08P01", "the password is expected", 400);
        return;
    }
    if (!take_bytes(&at, header.body, &body))
        return;
    if (at.at != at.end || (session->sasl == NULL && !pg_password_read(body, &token))) {
        fail(session, "08P01", "the password message is malformed", 400);
        return;
    }
    in->at = at.at;
    if (session->sasl == NULL)
        pg_start_enter(session, token);
    else
        sasl_read(session, body);
}

/* --- the pipeline's answers ----------------------------------------------------------------- */

static const char *
sqlstate_of(enum gate_refusal kind)
{
    switch (kind) {
    case GATE_UNKNOWN:
        return "3D000";
    case GATE_FORBIDDEN:
    case GATE_DENIED:
    case GATE_UNAPPROVED:
        return "42501";
    case GATE_RATE:
        return "53300";
    case GATE_BUSY:
        return "53300";
    case GATE_UNPROVEN:
    case GATE_PROOF:
    case GATE_NO_TOKEN:
        return "28000";
    default:
        return "28P01";
    }
}

/* The pipeline frees the passage. */
void
pg_start_refuse(struct passage *passage, const struct refusal *refusal)
{
    struct pg_session *session = passage->wire;
    char hint[640];

    session->passage = NULL;
    snprintf(hint, sizeof(hint), "the right needed: %.*s",
             SLICE_PRINT(slice_first(refusal->right, 600)));
    pg_session_fail(session, &(struct ending){
                                 .sqlstate = sqlstate_of(refusal->kind),
                                 .message = refusal->reason,
                                 .hint = refusal->kind == GATE_FORBIDDEN && refusal->right.size > 0
                                             ? slice_text(hint)
                                             : (struct slice){ 0 },
                                 .status = refusal_status(refusal->kind),
                             });
}

void
pg_start_open(struct passage *passage, const struct decision *decision)
{
    struct pg_session *session = passage->wire;

    session->state = SESSION_REACHING;
    if (!decision_allows(decision) || !passage_keep(passage)) {
        fail(session, "53200", "the gateway is out of memory", 503);
        return;
    }
    buffer_wipe_free(&session->from_client.in);
    sasl_free(session->sasl);
    session->sasl = NULL;
    if (passage->asked.upstream->plan.pool.size > 0)
        pool_enter(session);
    else
        open_server(session);
}

bool
pg_start_show(const struct passage *passage, struct arena *arena, struct proof_shown *out,
              struct refusal *refusal)
{
    const struct pg_session *session = passage->wire;

    if (tls_stream_peer_thumbprint(session->link.client, out->x5t))
        out->has_certificate = tls_stream_peer_der(session->link.client, &out->der);
    return true;
}

/* --- the first packets ------------------------------------------------------------------------ */

static void
cancel(struct pg_session *session, const struct pg_startup *startup)
{
    struct gate *gate = session->door->gate;
    const struct cancel_key key = { startup->cancel_process, startup->cancel_secret };
    uint64_t retry_ms = 0,
             who = slice_hash(slice_of(stream_peer(session->link.client)->bytes,
                                       sizeof(stream_peer(session->link.client)->bytes)));

    /* Secrets have 32 bits: nobody tries many. */
    if (rate_take(gate->gateway->options.rates, who, 50, 1000, lane_mono_us(gate->lane) / 1000,
                  &retry_ms) == STATUS_OK)
        cancel_ask(gate, &key);
    pg_session_close(session, 200);
}

static void
read_start(struct pg_session *session, struct cursor *in)
{
    struct pg_startup startup;

    if (in->at < in->end && *in->at == TLS_HANDSHAKE_BYTE && !session->tls_asked &&
        !stream_is_tls(session->link.client) &&
        session->door->gate->gateway->places[DOOR_POSTGRES].tls != NULL) {
        struct slice received = slice_of(in->at, cursor_left(in));
        session->tls_asked = true;
        in->at = in->end;
        secure(session, received);
        return;
    }
    switch (pg_startup_read(in, &startup)) {
    case WIRE_MORE:
        return;
    case WIRE_MALFORMED:
        fail(session, "08P01", "this is no start of a PostgreSQL session", 400);
        return;
    case WIRE_OK:
        break;
    }
    bool more = in->at < in->end;
    switch (startup.kind) {
    case PG_START_TLS:
        answer_tls(session, more);
        break;
    case PG_START_GSS:
        put_u8(&session->door->to_client, 'N');
        (void)pg_session_flush(session);
        break;
    case PG_START_CANCEL:
        cancel(session, &startup);
        break;
    case PG_START_SESSION:
        if (more)
            fail(session, "08P01", "bytes came before they were asked for", 400);
        else
            begin(session, &startup);
        break;
    }
}

/* The packets are small: what has come is kept until one is whole. */
void
pg_start_read(struct pg_session *session, struct slice bytes)
{
    struct buffer *kept = &session->from_client.in;

    put_slice(kept, bytes);
    if (buffer_status(kept) != STATUS_OK || kept->size > START_MAX + PASSWORD_MAX) {
        fail(session, "08P01", "the log-in is too long", 400);
        return;
    }
    for (;;) {
        struct cursor in = cursor_over(buffer_slice(kept));
        const uint8_t *from = in.at;

        if (session->state == SESSION_START)
            read_start(session, &in);
        else if (session->state == SESSION_PASSWORD)
            read_password(session, &in);
        else
            return;
        if (session->state == SESSION_ENDED || in.at == from)
            return;
        /* Wiped: the token stood there. The buffer is gone when the session went on. */
        size_t used = (size_t)(in.at - from);
        if (kept->size >= used) {
            secret_wipe(kept->bytes, used);
            buffer_consume(kept, used);
        }
    }
}
