/* The gateway's log-in at a PostgreSQL server: each way that a server may ask, and the servers
 * that are not to be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/secret.h"
#include "postgres/login.h"

#define BYTES(text) SLICE_LITERAL(text)
#define END_POINT   SLICE_LITERAL("0123456789abcdef0123456789abcdef")
#define BOTH        BYTES("\0\0\0\xaSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
#define PLAIN       BYTES("\0\0\0\xaSCRAM-SHA-256\0\0")
#define AUTH_OK     BYTES("\0\0\0\0")
#define MD5_ANSWER  "md5f3279133415d26271aaf15ceaa150870"

struct fixture {
    struct scram_memory memory;
    struct pg_login *login;
    struct buffer out;
    bool done;
    const char *why;
};

static void
begin(struct fixture *fixture, bool secured, struct slice end_point)
{
    const struct pg_login_options options = { .user = SLICE_LITERAL("md5_user"),
                                              .password = SLICE_LITERAL("password"),
                                              .secured = secured,
                                              .end_point = end_point,
                                              .memory = &fixture->memory };

    assert_int_equal(pg_login_new(&options, &fixture->login), STATUS_OK);
    fixture->done = false;
}

static enum status
told(struct fixture *fixture, struct slice body)
{
    buffer_clear(&fixture->out);
    return pg_login_read(fixture->login, body, &fixture->out, &fixture->done, &fixture->why);
}

static void
end(struct fixture *fixture)
{
    pg_login_free(fixture->login);
    buffer_free(&fixture->out);
    scram_memory_wipe(&fixture->memory);
}

static void
assert_sent(const struct fixture *fixture, struct slice bytes)
{
    assert_int_equal(fixture->out.size, bytes.size);
    assert_memory_equal(fixture->out.bytes, bytes.at, bytes.size);
}

static void
at_once(void **state)
{
    struct fixture fixture = { 0 };

    (void)state;
    begin(&fixture, true, END_POINT);
    assert_int_equal(told(&fixture, AUTH_OK), STATUS_OK);
    assert_true(fixture.done);
    end(&fixture);
}

static void
cleartext(void **state)
{
    struct fixture fixture = { 0 };

    (void)state;
    begin(&fixture, true, END_POINT);
    assert_int_equal(told(&fixture, BYTES("\0\0\0\3")), STATUS_OK);
    assert_sent(&fixture, BYTES("p\0\0\0\xdpassword\0"));
    assert_false(fixture.done);
    assert_int_equal(told(&fixture, BYTES("\0\0\0\3")), STATUS_INVALID); /* asked twice */
    assert_int_equal(told(&fixture, AUTH_OK), STATUS_OK);
    assert_true(fixture.done);
    end(&fixture);
    /* Without TLS the password stays here. */
    begin(&fixture, false, (struct slice){ 0 });
    assert_int_equal(told(&fixture, BYTES("\0\0\0\3")), STATUS_DENIED);
    assert_int_equal(fixture.out.size, 0);
    end(&fixture);
}

static void
md5(void **state)
{
    struct fixture fixture = { 0 };

    (void)state;
    begin(&fixture, false, (struct slice){ 0 });
    assert_int_equal(told(&fixture, BYTES("\0\0\0\5salt")), STATUS_OK);
    /* "md5" + md5(md5("password" "md5_user") "salt"), computed by another program. */
    assert_sent(&fixture, BYTES("p\0\0\0\x28" MD5_ANSWER "\0"));
    assert_int_equal(told(&fixture, AUTH_OK), STATUS_OK);
    assert_true(fixture.done);
    end(&fixture);
    begin(&fixture, false, (struct slice){ 0 });
    assert_int_equal(told(&fixture, BYTES("\0\0\0\5sal")), STATUS_INVALID);
    end(&fixture);
}

/* The SASL message of a 'p' message; of the first one behind the mechanism and its length. */
static struct slice
sasl_of(const struct fixture *fixture, const char *mechanism)
{
    struct slice message = slice_from(buffer_slice(&fixture->out), 5);

    if (mechanism == NULL)
        return message;
    assert_true(slice_starts(message, slice_of(mechanism, strlen(mechanism) + 1)));
    return slice_from(message, strlen(mechanism) + 1 + 4);
}

struct server {
    struct scram_verifier verifier;
    struct scram_server *scram;
    struct buffer message;
};

static void
server_begin(struct server *server, const char *password, bool plus)
{
    server->verifier = (struct scram_verifier){ .salt = "0123456789abcde", .rounds = 16 };
    const struct scram_server_options options = { .salt = server->verifier.salt,
                                                  .rounds = server->verifier.rounds,
                                                  .end_point =
                                                      plus ? END_POINT : (struct slice){ 0 },
                                                  .plus = plus };

    assert_int_equal(scram_verifier_make(slice_text(password), &server->verifier), STATUS_OK);
    assert_int_equal(scram_server_new(&options, &server->scram), STATUS_OK);
}

static void
server_end(struct server *server)
{
    scram_server_free(server->scram);
    buffer_free(&server->message);
}

static struct slice
challenge(struct server *server, struct slice first)
{
    buffer_clear(&server->message);
    put_be32(&server->message, PG_AUTH_SASL_CONTINUE);
    assert_int_equal(scram_server_first(server->scram, first, &server->message), STATUS_OK);
    return buffer_slice(&server->message);
}

static enum status
answer(struct server *server, struct slice final)
{
    buffer_clear(&server->message);
    put_be32(&server->message, PG_AUTH_SASL_FINAL);
    return scram_server_final(server->scram, final, &server->verifier, &server->message);
}

static void
scram(void **state)
{
    const struct {
        struct slice offer, end_point;
        const char *chosen;
    } rows[] = {
        { PLAIN, { 0 }, "SCRAM-SHA-256" },
        { PLAIN, END_POINT, "SCRAM-SHA-256" },
        { BOTH, { 0 }, "SCRAM-SHA-256" },
        { BOTH, END_POINT, "SCRAM-SHA-256-PLUS" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture fixture = { 0 };
        struct server server = { 0 };

        begin(&fixture, rows[i].end_point.size > 0, rows[i].end_point);
        server_begin(&server, "password", i == 3);
        assert_int_equal(told(&fixture, rows[i].offer), STATUS_OK);
        struct slice first = sasl_of(&fixture, rows[i].chosen);
        assert_true(slice_starts(first, i == 1   ? SLICE_LITERAL("y,,")
                                        : i == 3 ? SLICE_LITERAL("p=tls-server-end-point,,")
                                                 : SLICE_LITERAL("n,,")));
        assert_int_equal(told(&fixture, challenge(&server, first)), STATUS_OK);
        assert_int_equal(answer(&server, sasl_of(&fixture, NULL)), STATUS_OK);
        assert_int_equal(told(&fixture, buffer_slice(&server.message)), STATUS_OK);
        assert_false(fixture.done);
        assert_int_equal(told(&fixture, AUTH_OK), STATUS_OK);
        assert_true(fixture.done);
        server_end(&server);
        end(&fixture);
    }
}

/* One that does not know the password can't sign, and one that says OK before it has signed is
 * not believed either. */
static void
false_servers(void **state)
{
    struct fixture fixture = { 0 };
    struct server server = { 0 };

    (void)state;
    begin(&fixture, false, (struct slice){ 0 });
    server_begin(&server, "guess", false);
    assert_int_equal(told(&fixture, PLAIN), STATUS_OK);
    assert_int_equal(told(&fixture, AUTH_OK), STATUS_INVALID);
    assert_false(fixture.done);
    assert_int_equal(told(&fixture, BYTES("\0\0\0\3")), STATUS_INVALID);
    assert_int_equal(told(&fixture, BYTES("\0\0\0\5salt")), STATUS_INVALID);
    end(&fixture);

    begin(&fixture, false, (struct slice){ 0 });
    assert_int_equal(told(&fixture, PLAIN), STATUS_OK);
    assert_int_equal(told(&fixture, challenge(&server, sasl_of(&fixture, "SCRAM-SHA-256"))),
                     STATUS_OK);
    assert_int_equal(answer(&server, sasl_of(&fixture, NULL)), STATUS_DENIED);
    assert_int_equal(told(&fixture, AUTH_OK), STATUS_INVALID);
    assert_int_equal(
        told(&fixture, BYTES("\0\0\0\xcv=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")),
        STATUS_DENIED);
    assert_int_equal(told(&fixture, AUTH_OK), STATUS_INVALID);
    assert_false(fixture.done);
    server_end(&server);
    end(&fixture);
}

static void
other_ways(void **state)
{
    const struct {
        struct slice body;
        enum status status;
    } rows[] = {
        { BYTES("\0\0\0\2"), STATUS_DENIED },    /* Kerberos V5 */
        { BYTES("\0\0\0\7"), STATUS_DENIED },    /* GSSAPI */
        { BYTES("\0\0\0\xa\0"), STATUS_DENIED }, /* no mechanism */
        { BYTES("\0\0\0\xaOAUTHBEARER\0\0"), STATUS_DENIED },
        { BYTES("\0\0\0\xaSCRAM-SHA-256"), STATUS_DENIED }, /* without its end */
        { BYTES("\0\0\0\xbr=x"), STATUS_INVALID },          /* before it was begun */
        { BYTES("\0\0\0\xcv=x"), STATUS_INVALID },
        { BYTES("\0\0\0"), STATUS_INVALID },
        { BYTES("\0\0\0\0\0"), STATUS_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture fixture = { 0 };

        begin(&fixture, true, END_POINT);
        assert_int_equal(told(&fixture, rows[i].body), rows[i].status);
        assert_int_equal(fixture.out.size, 0);
        assert_true(fixture.why != NULL && fixture.why[0] != '\0');
        end(&fixture);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_once), cmocka_unit_test(cleartext),     cmocka_unit_test(md5),
        cmocka_unit_test(scram),   cmocka_unit_test(false_servers), cmocka_unit_test(other_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
