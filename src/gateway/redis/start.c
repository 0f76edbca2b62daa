/* gateway/redis/start.c - the log-in: AUTH or HELLO with the upstream's name and the token,
 * and the gateway's own at the server. */
#include <stdio.h>
#include <stdlib.h>

#include "../pipeline.h"
#include "base/log.h"
#include "base/serial.h"
#include "net/tls.h"
#include "session.h"

enum { AGENT_MAX = 64, REPLY_MAX = 64 << 10 };

static void
say_error(struct redis_session *session, const char *code, const char *text)
{
    resp_put_error(&session->door->to_client, code, slice_text(text));
}

static bool
may_ask(const struct redis_session *session)
{
    const struct gateway *gateway = session->door->gate->gateway;

    return stream_is_tls(session->link.client) ||
           ip_is_loopback(stream_peer(session->link.client)) ||
           gateway->options.doors[DOOR_REDIS].insecure;
}

/* --- the client's --------------------------------------------------------------------- */

struct login {
    struct slice name, token, agent;
    bool asked; /* an AUTH was there */
};

static void
enter(struct redis_session *session, const struct login *login)
{
    struct redis_lane *door = session->door;
    struct gate *gate = door->gate;
    struct passage *passage;

    session->upstream_name = slice_strdup(login->name);
    session->agent = slice_strdup(slice_first(login->agent, AGENT_MAX));
    passage = session->upstream_name == NULL || session->agent == NULL
                  ? NULL
                  : passage_new(gate, &redis_door, session);
    if (passage == NULL) {
        redis_session_fail(session, "ERR", SLICE_LITERAL("the gateway is out of memory"), 503);
        return;
    }
    struct slice name = slice_text(session->upstream_name);
    bool valid = name.size == login->name.size && name_valid(name);
    routes_follow(gate->routes, gate->reader);
    passage->asked = (struct asked){
        .request = { .resource = valid ? name : SLICE_LITERAL("-"),
                     .action = SLICE_LITERAL("login"),
                     .object = SLICE_LITERAL("-"),
                     .syntax = OBJECT_FLAT,
                     .peer = *stream_peer(session->link.client) },
        .token = login->token,
        .scheme = SCHEME_BEARER,
        .agent = slice_text(session->agent),
        .login = true,
        .session = serial_next(),
        .peer_port = stream_peer_port(session->link.client),
        .upstream = valid ? routes_by_name(gate->routes, DOOR_REDIS, name) : NULL,
    };
    if (passage->asked.upstream != NULL)
        upstream_use(passage->asked.upstream);
    session->passage = passage;
    session->state = SESSION_JUDGED;
    duplex_hold_client(&session->link);
    pipeline_enter(passage, &door->scratch);
}

static void
log_in(struct redis_session *session, const struct login *login)
{
    if (!may_ask(session))
        redis_session_fail(session, "WRONGPASS",
                           SLICE_LITERAL("this connection is not secured: connect with TLS"), 401);
    else
        enter(session, login);
}

/* HELLO 2|3 [AUTH name token] [SETNAME name]; what the server is asked is without AUTH. */
static bool
read_hello(struct redis_session *session, const struct slice *arguments, size_t count,
           struct login *out)
{
    bool three = count > 1 && slice_is(arguments[1], "3");
    size_t at = 2;

    if (count < 2 || (!three && !slice_is(arguments[1], "2"))) {
        say_error(session, "NOPROTO", "unsupported protocol version");
        return false;
    }
    while (at < count) {
        if (slice_equal_nocase(arguments[at], SLICE_LITERAL("auth")) && at + 2 < count) {
            *out = (struct login){ arguments[at + 1], arguments[at + 2], out->agent, true };
            at += 3;
        } else if (slice_equal_nocase(arguments[at], SLICE_LITERAL("setname")) && at + 1 < count) {
            out->agent = arguments[at + 1];
            at += 2;
        } else {
            say_error(session, "ERR", "syntax error in HELLO");
            return false;
        }
    }
    if (!out->asked)
        return true;
    resp_put_array(&session->hello, out->agent.size > 0 ? 4 : 2);
    resp_put_bulk(&session->hello, SLICE_LITERAL("HELLO"));
    resp_put_bulk(&session->hello, arguments[1]);
    if (out->agent.size > 0) {
        resp_put_bulk(&session->hello, SLICE_LITERAL("SETNAME"));
        resp_put_bulk(&session->hello, out->agent);
    }
    return true;
}

/* Before the log-in: as Redis with a password for all. */
void
redis_start_command(struct redis_session *session, const struct slice *arguments, size_t count)
{
    const struct redis_command *command = redis_command_find(arguments[0]);
    enum redis_manner manner = command == NULL ? REDIS_ASK : command->manner;
    struct login login = { 0 };

    if (manner == REDIS_AUTH && count == 3) {
        log_in(session, &(struct login){ arguments[1], arguments[2], { 0 }, true });
    } else if (manner == REDIS_AUTH) {
        say_error(session, "WRONGPASS",
                  "AUTH NAME TOKEN: the user is the name of an upstream of this gateway");
    } else if (manner == REDIS_HELLO && count > 1) {
        if (!read_hello(session, arguments, count, &login))
            return;
        if (login.asked)
            log_in(session, &login);
        else
            say_error(session, "NOAUTH",
                      "HELLO must be called with AUTH NAME TOKEN, or after AUTH");
    } else if (command != NULL && strcmp(command->name, "quit") == 0) {
        resp_put_simple(&session->door->to_client, "OK");
        if (redis_session_flush(session))
            redis_session_close(session, 200);
    } else {
        say_error(session, "NOAUTH", "Authentication required: AUTH NAME TOKEN");
    }
}

/* --- the pipeline's answers --------------------------------------------------------------- */

/* The connection goes on, as with Redis: another AUTH may follow. */
void
redis_start_refuse(struct passage *passage, const struct refusal *refusal)
{
    struct redis_session *session = passage->wire;
    unsigned status = refusal_status(refusal->kind);
    const char *code = status == 429 || status == 503 ? "ERR"
                       : status == 403                ? "NOPERM"
                                                      : "WRONGPASS";

    session->passage = NULL;
    resp_put_error(&session->door->to_client, code, refusal->reason);
    free(session->upstream_name);
    free(session->agent);
    session->upstream_name = session->agent = NULL;
    buffer_free(&session->hello);
    session->state = SESSION_START;
    if (redis_session_flush(session))
        duplex_read_client(&session->link);
}

static void
fail(struct redis_session *session, const char *why)
{
    struct passage *passage = session->passage;
    char text[200];

    pipeline_count_failure(passage);
    log_write(LOG_WARN, "gateway", "a session's upstream failed", "upstream",
              passage->asked.upstream->name_text, "why", why, NULL);
    snprintf(text, sizeof(text), "upstream: %.180s", why);
    redis_session_fail(session, "ERR", slice_text(text), 502);
}

/* A user without a password (nopass) logs in with an empty one: without AUTH it would be
 * another user, the default one. */
static void
put_login(struct buffer *out, const char *user, struct slice password)
{
    if (user == NULL && password.size == 0) {
        resp_put_array(out, 1);
        resp_put_bulk(out, SLICE_LITERAL("PING"));
        return;
    }
    resp_put_array(out, user != NULL ? 3 : 2);
    resp_put_bulk(out, SLICE_LITERAL("AUTH"));
    if (user != NULL)
        resp_put_bulk(out, slice_text(user));
    resp_put_bulk(out, password);
}

/* The server's own log-in, then the client's HELLO: their replies come in this order. */
static void
ask_server(struct redis_session *session)
{
    struct upstream *upstream = session->passage->asked.upstream;
    struct buffer password = { 0 };
    struct buffer *out = &session->door->to_server;

    if (upstream_password(upstream, &password) != STATUS_OK) {
        buffer_wipe_free(&password);
        fail(session, "the gateway's own password can't be read");
        return;
    }
    if (upstream->plan.password_file != NULL && password.size == 0) {
        buffer_wipe_free(&password);
        fail(session, "the file of the gateway's own password is empty");
        return;
    }
    session->state = SESSION_LOGIN;
    put_login(out, upstream->plan.user, buffer_slice(&password));
    buffer_wipe_free(&password);
    duplex_read_server(&session->link);
    (void)redis_session_flush(session);
}

static void
on_dialled(enum status status, struct stream *stream, const char *why, void *context)
{
    struct redis_session *session = context;

    session->dial = NULL;
    if (status != STATUS_OK) {
        fail(session, why);
        return;
    }
    session->link.server = stream;
    ask_server(session);
}

void
redis_start_open(struct passage *passage, const struct decision *decision)
{
    struct redis_session *session = passage->wire;

    session->state = SESSION_REACHING;
    if (!decision_allows(decision) || !passage_keep(passage))
        redis_session_fail(session, "ERR", SLICE_LITERAL("the gateway is out of memory"), 503);
    else if (dial_start(passage->asked.upstream, session->door->gate->lane, on_dialled, session,
                        &session->dial) != STATUS_OK)
        fail(session, "it can't be dialled");
}

bool
redis_start_show(const struct passage *passage, struct arena *arena, struct proof_shown *out,
                 struct refusal *refusal)
{
    const struct redis_session *session = passage->wire;

    if (tls_stream_peer_thumbprint(session->link.client, out->x5t))
        out->has_certificate = tls_stream_peer_der(session->link.client, &out->der);
    return true;
}

/* --- the server's -------------------------------------------------------------------------- */

static void
let_in(struct redis_session *session)
{
    struct redis_owed *owed =
        redis_owed_add(&session->owed, session->hello.size > 0 ? OWED_REPLY : OWED_WORDS);

    if (owed == NULL) {
        redis_session_fail(session, "ERR", SLICE_LITERAL("the gateway is out of memory"), 503);
        return;
    }
    timer_disarm(&session->patience);
    session->state = SESSION_OPEN;
    owed->hello = session->hello.size > 0;
    if (owed->hello)
        put_slice(&session->door->to_server, buffer_slice(&session->hello));
    else
        resp_put_simple(&owed->words, "OK");
    buffer_free(&session->hello);
    redis_back_speak(session);
    duplex_read_client(&session->link);
    if (redis_session_flush(session))
        redis_front_read(session, (struct slice){ 0 });
}

/* One short line: +OK or +PONG. Nothing else was asked. */
void
redis_start_reply(struct redis_session *session, struct slice bytes)
{
    size_t used;
    enum skim skim = resp_skim(&session->skimmer, bytes, &used);

    if (skim == SKIM_MORE)
        return;
    char type = session->skimmer.type;
    if (skim == SKIM_MALFORMED || used != bytes.size || session->state != SESSION_LOGIN)
        fail(session, "its answer to the log-in can't be read");
    else if (type != '+')
        fail(session, "it refused the gateway's log-in");
    else
        let_in(session);
}
