/* gateway/postgres/sasl.c - SCRAM-SHA-256(-PLUS) as PostgreSQL has it ("SASL Authentication"),
 * with what the token's text is verified by. */
#include "sasl.h"

#include <stdlib.h>

#include "session.h"
#include "verifiers.h"

struct pg_sasl {
    struct token_secret secret;
    struct scram_server *server; /* NULL: the first message is awaited */
    struct scram_verifier verifier;
    bool verifier_known, late; /* late: the proof came before what it is verified by */
    struct verifier_ask *ask;  /* under way */
    struct buffer proof;
    uint8_t end_point[TLS_END_POINT_MAX];
    size_t end_point_size;
};

void
sasl_free(struct pg_sasl *sasl)
{
    if (sasl == NULL)
        return;
    if (sasl->ask != NULL)
        verifiers_cancel(sasl->ask);
    scram_server_free(sasl->server);
    scram_verifier_wipe(&sasl->verifier);
    token_secret_wipe(&sasl->secret);
    buffer_wipe_free(&sasl->proof);
    free(sasl);
}

static void
fail(struct pg_session *session, const char *sqlstate, const char *message, unsigned status)
{
    pg_session_fail(
        session,
        &(struct ending){ .sqlstate = sqlstate, .message = slice_text(message), .status = status });
}

/* --- the proof ------------------------------------------------------------------------ */

/* The proof holds: who it is and what the token may is the pipeline's question. */
static void
check_proof(struct pg_session *session)
{
    struct pg_sasl *sasl = session->sasl;
    struct buffer final = { 0 };
    enum status status =
        scram_server_final(sasl->server, buffer_slice(&sasl->proof), &sasl->verifier, &final);

    if (status == STATUS_OK) {
        pg_put_auth_data(&session->door->to_client, PG_AUTH_SASL_FINAL, buffer_slice(&final));
        verifiers_keep(session->door->verifiers, &sasl->secret, &sasl->verifier);
        if (pg_session_flush(session))
            pg_start_enter(session, slice_of(sasl->secret.text, sasl->secret.size));
    } else if (status == STATUS_DENIED) {
        pg_start_deny(session, SLICE_LITERAL("the proof is not of the token that the user's name "
                                             "is the public part of"));
    } else {
        fail(session, "08P01", "the SCRAM message is malformed", 400);
    }
    buffer_free(&final);
}

static void
on_verifier(enum status status, const struct scram_verifier *verifier, void *context)
{
    struct pg_session *session = context;
    struct pg_sasl *sasl = session->sasl;

    sasl->ask = NULL;
    if (status != STATUS_OK) {
        fail(session, "53300", "the gateway can't verify the log-in now", 503);
        return;
    }
    sasl->verifier = *verifier;
    sasl->verifier_known = true;
    if (sasl->late)
        check_proof(session);
}

static bool
want_verifier(struct pg_session *session)
{
    struct pg_sasl *sasl = session->sasl;
    struct verifiers *verifiers = session->door->verifiers;

    sasl->verifier_known = verifiers_find(verifiers, &sasl->secret, &sasl->verifier);
    if (sasl->verifier_known)
        return true;
    enum status status =
        verifiers_ask(verifiers,
                      &(struct verifier_want){ .secret = &sasl->secret,
                                               .peer = stream_peer(session->link.client),
                                               .done = on_verifier,
                                               .context = session },
                      &sasl->ask);
    if (status == STATUS_OK)
        return true;
    fail(session, "53300", "too many log-ins from this address at a time: try again", 429);
    return false;
}

/* --- messages --------------------------------------------------------------------------- */

/* The mechanism's name, and its first message behind a length (SASLInitialResponse). */
static bool
read_initial(struct slice body, bool *plus, struct slice *first)
{
    size_t end = slice_find(body, '\0');
    struct slice name = slice_first(body, end);
    struct cursor in = cursor_over(slice_from(body, end + 1));

    *plus = slice_is(name, "SCRAM-SHA-256-PLUS");
    return end < body.size && (*plus || slice_is(name, "SCRAM-SHA-256")) &&
           take_slice32(&in, first) && in.at == in.end;
}

static void
read_first(struct pg_session *session, struct slice body)
{
    struct pg_sasl *sasl = session->sasl;
    struct buffer answer = { 0 };
    struct slice first;
    bool plus;

    if (!read_initial(body, &plus, &first) || (plus && sasl->end_point_size == 0)) {
        fail(session, "08P01", "a SASL mechanism that was offered is expected", 400);
        return;
    }
    enum status status = scram_server_new(
        &(struct scram_server_options){
            .salt = sasl->secret.salt,
            .rounds = SCRAM_ROUNDS,
            .end_point = slice_of(sasl->end_point, sasl->end_point_size),
            .plus = plus,
        },
        &sasl->server);
    if (status == STATUS_OK)
        status = scram_server_first(sasl->server, first, &answer);
    if (status == STATUS_OK)
        pg_put_auth_data(&session->door->to_client, PG_AUTH_SASL_CONTINUE, buffer_slice(&answer));
    buffer_free(&answer);
    if (status == STATUS_DENIED)
        pg_start_deny(session, SLICE_LITERAL("the client was not told that it may bind the "
                                             "connection: somebody stands between"));
    else if (status != STATUS_OK)
        fail(session, "08P01", "the SCRAM message is malformed", 400);
    else if (want_verifier(session))
        (void)pg_session_flush(session);
}

static void
read_proof(struct pg_session *session, struct slice body)
{
    struct pg_sasl *sasl = session->sasl;

    if (sasl->late) {
        fail(session, "08P01", "bytes came before they were asked for", 400);
        return;
    }
    put_slice(&sasl->proof, body);
    sasl->late = true;
    if (buffer_status(&sasl->proof) != STATUS_OK)
        fail(session, "53200", "the gateway is out of memory", 503);
    else if (sasl->verifier_known)
        check_proof(session);
}

void
sasl_read(struct pg_session *session, struct slice body)
{
    if (session->sasl->server == NULL)
        read_first(session, body);
    else
        read_proof(session, body);
}

bool
sasl_begin(struct pg_session *session, struct slice user)
{
    struct pg_door *door = session->door;
    struct pg_sasl *sasl = calloc(1, sizeof(*sasl));
    const struct slice plain = slice_of("SCRAM-SHA-256\0", 15);
    const struct slice both = slice_of("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0", 34);

    if (sasl == NULL || world_token_secret(door->gate->reader, user, &sasl->secret) != STATUS_OK) {
        sasl_free(sasl);
        return false;
    }
    if (!stream_is_tls(session->link.client) ||
        !tls_stream_end_point(session->link.client, sasl->end_point, &sasl->end_point_size))
        sasl->end_point_size = 0;
    session->sasl = sasl;
    pg_put_auth_data(&door->to_client, PG_AUTH_SASL, sasl->end_point_size > 0 ? both : plain);
    return true;
}
