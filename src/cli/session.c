/* cli/session.c - a local client of a database behind the gateway: it is logged in with the
 * token, over TLS with a certificate of its key, and then joined with the gateway. */
#include <stdlib.h>

#include "connect.h"
#include "net/resolve.h"
#include "tunnel.h"

enum {
    START_MAX = 10000,
    ANSWER_MAX = 4096,
    CODE_CANCEL = 80877102,
    CODE_TLS = 80877103,
    CODE_GSS = 80877104
};

enum session_state {
    SESSION_START,  /* postgres: the client's first packets */
    SESSION_SILENT, /* the client waits */
    SESSION_TLS,    /* postgres: the gateway is asked for TLS */
    SESSION_LOGIN,  /* it is logged in at */
};

struct session {
    struct connect *connect;
    struct stream *client, *gateway;
    enum session_state state;
    struct buffer in;    /* of whom is read now */
    struct buffer start; /* postgres: what the client wants set, pairs */
    bool cancels;        /* postgres: all that is asked is in `in`, and nothing is answered */
    unsigned closing;
};

static void
free_session(struct session *session)
{
    buffer_wipe_free(&session->in);
    buffer_free(&session->start);
    free(session);
}

static void
on_closed(struct stream *stream, void *context)
{
    struct session *session = context;

    if (--session->closing == 0)
        free_session(session);
}

static void
end(struct session *session)
{
    session->closing = 1 + (session->gateway != NULL);
    if (session->gateway != NULL)
        stream_finish(session->gateway, 1000, on_closed, session);
    stream_finish(session->client, 1000, on_closed, session);
}

static bool
send_to(struct session *session, struct stream *stream, struct buffer *bytes)
{
    struct slice slice = buffer_slice(bytes);
    bool sent = buffer_status(bytes) == STATUS_OK &&
                stream_write(stream, &slice, 1, NULL, NULL) != STREAM_BROKEN;

    buffer_wipe_free(bytes);
    return sent;
}

static void
tell_postgres(struct buffer *out, const char *message)
{
    size_t size = sizeof("SFATAL") + sizeof("C08006") + 1 + strlen(message) + 1 + 1;

    put_u8(out, 'E');
    put_be32(out, (uint32_t)size + 4);
    put_bytes(out, "SFATAL\0C08006\0M", sizeof("SFATAL") + sizeof("C08006") + 1);
    put_bytes(out, message, strlen(message) + 1);
    put_u8(out, 0);
}

/* The client hears why, in its own protocol. */
static void
fail(struct session *session, const char *message)
{
    struct buffer out = { 0 };

    if (session->connect->place.kind == CONNECT_POSTGRES)
        tell_postgres(&out, message);
    else
        put_format(&out, "-ERR %s\r\n", message);
    (void)send_to(session, session->client, &out);
    end(session);
}

/* --- the gateway --------------------------------------------------------------------------- */

static void on_gateway(struct stream *stream, enum status status, struct slice bytes,
                       void *context);

static void
send_start(struct session *session)
{
    const char *upstream = session->connect->place.upstream;
    struct buffer out = { 0 };
    static const char database[] = "database";

    put_be32(&out, (uint32_t)(8 + session->start.size + sizeof(database) + strlen(upstream) + 2));
    put_be32(&out, 3 << 16);
    put_slice(&out, buffer_slice(&session->start));
    put_bytes(&out, database, sizeof(database));
    put_bytes(&out, upstream, strlen(upstream) + 1);
    put_u8(&out, 0);
    if (!send_to(session, session->gateway, &out))
        fail(session, "the gateway left");
}

static void
put_bulk(struct buffer *out, struct slice text)
{
    put_format(out, "$%zu\r\n", text.size);
    put_slice(out, text);
    put_text(out, "\r\n");
}

static void
send_auth(struct session *session)
{
    struct buffer out = { 0 };

    put_text(&out, "*3\r\n");
    put_bulk(&out, SLICE_LITERAL("AUTH"));
    put_bulk(&out, slice_text(session->connect->place.upstream));
    put_bulk(&out, buffer_slice(&session->connect->token));
    if (!send_to(session, session->gateway, &out))
        fail(session, "the gateway left");
}

static void
log_in(struct session *session)
{
    session->state = SESSION_LOGIN;
    buffer_clear(&session->in);
    stream_read_start(session->gateway, on_gateway, session);
    if (session->connect->place.kind == CONNECT_POSTGRES)
        send_start(session);
    else
        send_auth(session);
}

static void
on_secured(struct stream *stream, enum status status, void *context)
{
    if (status == STATUS_OK)
        log_in(context);
    else
        fail(context, "TLS with the gateway failed: is its certificate trusted (--ca)?");
}

/* 'S' or 'N', and nothing else: what comes with it was sent before TLS. */
static void
on_tls_answer(struct session *session, struct slice bytes)
{
    struct stream_tls how = { .client = session->connect->tls };

    stream_read_stop(session->gateway);
    session->state = SESSION_SILENT;
    if (bytes.size != 1 || bytes.at[0] != 'S' ||
        stream_secure(session->gateway, &how, on_secured, session) != STATUS_OK)
        fail(session, "the gateway's database door has no TLS");
}

static void
join(struct session *session, size_t used)
{
    struct slice rest = slice_from(buffer_slice(&session->in), used);
    struct tunnel_end client = { .stream = session->client };
    struct tunnel_end gateway = { .stream = session->gateway, .pending = rest };

    tunnel_join(&client, &gateway);
    free_session(session);
}

/* Authentication asks for the token; an error is the client's to see. */
static void
read_postgres(struct session *session)
{
    static const uint8_t cleartext[] = { 'R', 0, 0, 0, 8, 0, 0, 0, 3 };
    struct buffer out = { 0 };
    struct slice token = buffer_slice(&session->connect->token);

    if (session->in.size < sizeof(cleartext) && session->in.bytes[0] == 'R')
        return;
    if (session->in.bytes[0] == 'E') {
        join(session, 0);
        return;
    }
    if (session->in.size != sizeof(cleartext) ||
        memcmp(session->in.bytes, cleartext, sizeof(cleartext)) != 0) {
        fail(session, "the gateway did not ask for the token");
        return;
    }
    put_u8(&out, 'p');
    put_be32(&out, (uint32_t)token.size + 5);
    put_slice(&out, token);
    put_u8(&out, 0);
    if (send_to(session, session->gateway, &out))
        join(session, sizeof(cleartext));
    else
        fail(session, "the gateway left");
}

/* One line: +OK is not the client's, who has not asked. */
static void
read_redis(struct session *session)
{
    size_t end_of_line = slice_find(buffer_slice(&session->in), '\n');

    if (end_of_line == session->in.size)
        return;
    join(session, session->in.bytes[0] == '+' ? end_of_line + 1 : 0);
}

static void
on_gateway(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct session *session = context;

    if (status != STATUS_OK) {
        fail(session, "the gateway left");
        return;
    }
    if (session->state == SESSION_TLS) {
        on_tls_answer(session, bytes);
        return;
    }
    put_slice(&session->in, bytes);
    if (buffer_status(&session->in) != STATUS_OK || session->in.size > ANSWER_MAX) {
        fail(session, "the gateway's answer is too long");
        return;
    }
    if (session->connect->place.kind == CONNECT_POSTGRES)
        read_postgres(session);
    else
        read_redis(session);
}

static void
ask_tls(struct session *session)
{
    struct buffer out = { 0 };

    session->state = SESSION_TLS;
    put_be32(&out, 8);
    put_be32(&out, CODE_TLS);
    stream_read_start(session->gateway, on_gateway, session);
    if (!send_to(session, session->gateway, &out))
        fail(session, "the gateway left");
}

/* The key in it is the gateway's. It is sent before TLS, as every client does. */
static void
pass_cancel(struct session *session)
{
    if (send_to(session, session->gateway, &session->in))
        stream_shutdown(session->gateway);
    end(session);
}

static void
on_connected(struct stream *stream, enum status status, void *context)
{
    struct session *session = context;
    const struct connect *connect = session->connect;

    if (status != STATUS_OK)
        fail(session, status == STATUS_DENIED ? "the gateway's certificate is not trusted (--ca)"
                                              : "the gateway is not reachable");
    else if (session->cancels)
        pass_cancel(session);
    else if (connect->place.kind == CONNECT_POSTGRES && connect->tls != NULL)
        ask_tls(session);
    else
        log_in(session);
}

static void
on_resolved(enum status status, const struct ip *ips, size_t count, void *context)
{
    struct session *session = context;
    struct connect *connect = session->connect;
    struct stream_target target = { .timeout_ms = 10000 };
    struct slice host;

    if (status == STATUS_OK)
        target.ip = ips[0];
    if (connect->place.kind == CONNECT_REDIS)
        target.tls = connect->tls;
    if (status != STATUS_OK ||
        host_port_parse(slice_text(connect->place.address), &host, &target.port) != STATUS_OK ||
        stream_connect(connect->lane, &target, on_connected, session, &session->gateway) !=
            STATUS_OK) {
        session->gateway = NULL;
        fail(session, "the gateway is not reachable");
    }
}

static void
reach(struct session *session)
{
    struct slice host;
    uint16_t port;

    session->state = SESSION_SILENT;
    if (session->connect->over[0] != '\0')
        fail(session, session->connect->over);
    else if (host_port_parse(slice_text(session->connect->place.address), &host, &port) !=
                 STATUS_OK ||
             resolve_name(session->connect->lane, host, on_resolved, session) != STATUS_OK)
        fail(session, "the gateway is not reachable");
}

/* --- the client ------------------------------------------------------------------------------ */

/* Its settings without the database's name, which is the upstream's. */
static bool
take_settings(struct session *session, struct slice body)
{
    while (body.size > 1) {
        size_t name = slice_find(body, '\0');
        size_t value = slice_find(slice_from(body, name + 1), '\0');

        if (name == 0 || name + 1 + value >= body.size)
            return false;
        if (!slice_is(slice_first(body, name), "database"))
            put_slice(&session->start, slice_first(body, name + value + 2));
        body = slice_from(body, name + value + 2);
    }
    return body.size == 1 && buffer_status(&session->start) == STATUS_OK;
}

/* On this host there is nothing to secure. */
static void
refuse_tls(struct session *session)
{
    struct buffer out = { 0 };

    put_u8(&out, 'N');
    buffer_clear(&session->in);
    if (!send_to(session, session->client, &out))
        end(session);
}

static void
read_start(struct session *session)
{
    struct cursor in = cursor_over(buffer_slice(&session->in));
    uint32_t size, code;

    if (!take_be32(&in, &size) || !take_be32(&in, &code))
        return;
    if (size < 8 || size > START_MAX || session->in.size > size) {
        fail(session, "this is no start of a PostgreSQL session");
    } else if (session->in.size == size && (code == CODE_TLS || code == CODE_GSS)) {
        refuse_tls(session);
    } else if (session->in.size == size && code >> 16 == 3) {
        stream_read_stop(session->client);
        if (take_settings(session, slice_from(buffer_slice(&session->in), 8)))
            reach(session);
        else
            fail(session, "the start-up message is malformed");
    } else if (session->in.size == size && code == CODE_CANCEL) {
        stream_read_stop(session->client);
        session->cancels = true;
        reach(session);
    } else if (session->in.size == size) {
        fail(session, "this is no start of a PostgreSQL session");
    }
}

static void
on_client(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct session *session = context;

    if (status != STATUS_OK) {
        end(session);
        return;
    }
    put_slice(&session->in, bytes);
    if (buffer_status(&session->in) != STATUS_OK)
        end(session);
    else
        read_start(session);
}

void
connect_session(struct connect *connect, struct stream *client)
{
    struct session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        stream_close(client, NULL, NULL);
        return;
    }
    session->connect = connect;
    session->client = client;
    if (connect->place.kind == CONNECT_POSTGRES)
        stream_read_start(client, on_client, session);
    else
        reach(session);
}
