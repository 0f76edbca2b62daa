/* SCRAM-SHA-256: the published exchange, both sides with each other, and what each refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "crypto/scram.h"

#define END_POINT  SLICE_LITERAL("0123456789abcdef0123456789abcdef")
#define OTHER_HASH SLICE_LITERAL("0123456789abcdef0123456789abcdeF")

/* RFC 7677 §3. */
#define CLIENT_FIRST SLICE_LITERAL("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
#define SERVER_NONCE SLICE_LITERAL("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
#define SERVER_FIRST                                                                               \
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define BARE_FINAL   "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define CLIENT_FINAL BARE_FINAL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct scram_verifier
verifier_of(const char *password)
{
    struct scram_verifier verifier = { .rounds = SCRAM_ROUNDS };
    size_t size;

    assert_true(base64_decode(SLICE_LITERAL("W22ZaJ0SNY7soEsUEjb6gQ=="), verifier.salt,
                              sizeof(verifier.salt), &size));
    assert_int_equal(scram_verifier_make(slice_text(password), &verifier), STATUS_OK);
    return verifier;
}

static struct scram_server *
server_of(const struct scram_verifier *verifier, struct slice end_point, bool plus)
{
    const struct scram_server_options options = {
        .salt = verifier->salt, .rounds = verifier->rounds, .end_point = end_point, .plus = plus
    };
    struct scram_server *server;

    assert_int_equal(scram_server_new(&options, &server), STATUS_OK);
    return server;
}

static void
assert_text(const struct buffer *buffer, const char *text)
{
    assert_int_equal(buffer->size, strlen(text));
    assert_memory_equal(buffer->bytes, text, buffer->size);
}

static void
published_exchange(void **state)
{
    struct scram_verifier verifier = verifier_of("pencil");
    struct scram_server *server = server_of(&verifier, (struct slice){ 0 }, false);
    struct buffer out = { 0 };

    (void)state;
    scram_server_nonce_set(server, SERVER_NONCE);
    assert_int_equal(scram_server_first(server, CLIENT_FIRST, &out), STATUS_OK);
    assert_text(&out, SERVER_FIRST);
    buffer_clear(&out);
    assert_int_equal(scram_server_final(server, SLICE_LITERAL(CLIENT_FINAL), &verifier, &out),
                     STATUS_OK);
    assert_text(&out, SERVER_FINAL);
    /* Once. */
    assert_int_equal(scram_server_final(server, SLICE_LITERAL(CLIENT_FINAL), &verifier, &out),
                     STATUS_INVALID);
    buffer_free(&out);
    scram_server_free(server);
}

struct exchange {
    enum scram_binding binding;
    struct slice client_sees, server_sees; /* hashes of the certificate */
    bool plus;
    const char *client_password;
};

/* Where the exchange ended: 0 all is well; 1..4 the message that was refused. */
static int
run(const struct exchange *how, enum status *status)
{
    struct scram_verifier verifier = verifier_of("pencil");
    struct scram_memory memory = { 0 };
    struct scram_server *server = server_of(&verifier, how->server_sees, how->plus);
    struct scram_client *client;
    struct buffer message[4] = { 0 };
    int at = 1;

    assert_int_equal(scram_client_new(slice_text(how->client_password), how->binding,
                                      how->client_sees, &memory, &client),
                     STATUS_OK);
    assert_int_equal(scram_client_first(client, &message[0]), STATUS_OK);
    *status = scram_server_first(server, buffer_slice(&message[0]), &message[1]);
    if (*status == STATUS_OK && ++at)
        *status = scram_client_final(client, buffer_slice(&message[1]), &message[2]);
    if (*status == STATUS_OK && ++at)
        *status = scram_server_final(server, buffer_slice(&message[2]), &verifier, &message[3]);
    if (*status == STATUS_OK && ++at)
        *status = scram_client_verify(client, buffer_slice(&message[3]));
    for (int i = 0; i < 4; i++)
        buffer_free(&message[i]);
    scram_client_free(client);
    scram_server_free(server);
    scram_memory_wipe(&memory);
    return *status == STATUS_OK ? 0 : at;
}

static void
both_sides(void **state)
{
    const struct slice none = { 0 };
    const struct {
        struct exchange how;
        int ends;
        enum status status;
    } rows[] = {
        { { SCRAM_UNBOUND, none, none, false, "pencil" }, 0, STATUS_OK },
        { { SCRAM_UNBOUND, none, END_POINT, false, "pencil" }, 0, STATUS_OK },
        { { SCRAM_UNOFFERED, none, none, false, "pencil" }, 0, STATUS_OK },
        { { SCRAM_BOUND, END_POINT, END_POINT, true, "pencil" }, 0, STATUS_OK },
        /* Somebody took -PLUS out of the offer. */
        { { SCRAM_UNOFFERED, none, END_POINT, false, "pencil" }, 1, STATUS_DENIED },
        /* Mechanism and flag must agree. */
        { { SCRAM_BOUND, END_POINT, END_POINT, false, "pencil" }, 1, STATUS_INVALID },
        { { SCRAM_UNBOUND, none, END_POINT, true, "pencil" }, 1, STATUS_INVALID },
        /* Somebody stands between, with a certificate of its own. */
        { { SCRAM_BOUND, OTHER_HASH, END_POINT, true, "pencil" }, 3, STATUS_DENIED },
        { { SCRAM_UNBOUND, none, none, false, "pencil2" }, 3, STATUS_DENIED },
        { { SCRAM_UNBOUND, none, none, false, "" }, 3, STATUS_DENIED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum status status = STATUS_OK;
        int ends = run(&rows[i].how, &status);

        if (ends != rows[i].ends || status != rows[i].status)
            fail_msg("row %zu ends at %d with %s", i, ends, status_name(status));
    }
}

static void
client_first_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "n",
        "n,",
        "n,,",
        "x,,n=,r=abc",
        "p=tls-unique,,n=,r=abc",
        "n,a=admin,n=,r=abc",
        "n,,m=ext,n=,r=abc",
        "n,,n=,r=",
        "n,,n=,r=abc,",
        "n,,n=,r=abc,x=1",
        "n,,r=abc,n=",
        "n,,n=,r=a b",
        "n,,n=,r=a\x7f",
        "n,,n=,r=a\xc3\xa9",
        "N,,n=,r=abc",
    };
    struct scram_verifier verifier = verifier_of("pencil");
    struct buffer out = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct scram_server *server = server_of(&verifier, (struct slice){ 0 }, false);
        assert_int_equal(scram_server_first(server, slice_text(texts[i]), &out), STATUS_INVALID);
        /* Once in error, always in error. */
        assert_int_equal(scram_server_first(server, CLIENT_FIRST, &out), STATUS_INVALID);
        assert_int_equal(scram_server_final(server, SLICE_LITERAL(CLIENT_FINAL), &verifier, &out),
                         STATUS_INVALID);
        scram_server_free(server);
    }
    assert_int_equal(out.size, 0);
    buffer_free(&out);
}

static void
client_final_refused(void **state)
{
    static const struct {
        const char *text;
        enum status status;
    } rows[] = {
        { "", STATUS_INVALID },
        { BARE_FINAL, STATUS_INVALID },
        { BARE_FINAL ",", STATUS_INVALID },
        { BARE_FINAL ",p=", STATUS_INVALID },
        { CLIENT_FINAL ",", STATUS_INVALID },
        { CLIENT_FINAL ",x=1", STATUS_INVALID },
        { BARE_FINAL ",x=1,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", STATUS_INVALID },
        { BARE_FINAL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ", STATUS_INVALID },
        { BARE_FINAL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndQ==", STATUS_INVALID },
        { BARE_FINAL ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", STATUS_DENIED },
        { "c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
          ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
          STATUS_DENIED },
        { "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
          STATUS_DENIED },
    };
    struct scram_verifier verifier = verifier_of("pencil");
    struct buffer out = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scram_server *server = server_of(&verifier, (struct slice){ 0 }, false);
        scram_server_nonce_set(server, SERVER_NONCE);
        assert_int_equal(scram_server_first(server, CLIENT_FIRST, &out), STATUS_OK);
        buffer_clear(&out);
        enum status status = scram_server_final(server, slice_text(rows[i].text), &verifier, &out);
        if (status != rows[i].status)
            fail_msg("row %zu: %s", i, status_name(status));
        assert_int_equal(out.size, 0);
        scram_server_free(server);
    }
    buffer_free(&out);
}

static void
server_first_refused(void **state)
{
    static const struct {
        const char *text;
        enum status status;
    } rows[] = {
        { "r=abcX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", STATUS_OK },
        { "r=abcX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1", STATUS_OK },
        { "r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", STATUS_INVALID },
        { "r=abdX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", STATUS_INVALID },
        { "r=abcX,s=,i=4096", STATUS_INVALID },
        { "r=abcX,s=W22ZaJ0SNY7soEsUEjb6gQ,i=4096", STATUS_INVALID },
        { "r=abcX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0", STATUS_INVALID },
        { "r=abcX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1", STATUS_INVALID },
        { "r=abcX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294967297", STATUS_INVALID },
        { "r=abcX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,", STATUS_INVALID },
        { "r=abcX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,m=x", STATUS_INVALID },
        { "m=x,r=abcX,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", STATUS_INVALID },
        { "e=other-error", STATUS_INVALID },
        { "", STATUS_INVALID },
    };
    struct scram_memory memory = { 0 };
    struct buffer out = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scram_client *client;
        assert_int_equal(scram_client_new(SLICE_LITERAL("pencil"), SCRAM_UNBOUND,
                                          (struct slice){ 0 }, &memory, &client),
                         STATUS_OK);
        scram_client_nonce_set(client, SLICE_LITERAL("abc"));
        assert_int_equal(scram_client_first(client, &out), STATUS_OK);
        assert_text(&out, "n,,n=,r=abc");
        buffer_clear(&out);
        enum status status = scram_client_final(client, slice_text(rows[i].text), &out);
        if (status != rows[i].status)
            fail_msg("row %zu: %s", i, status_name(status));
        /* Any signature but the right one. */
        assert_int_equal(scram_client_verify(client, SLICE_LITERAL(SERVER_FINAL)), STATUS_DENIED);
        assert_int_equal(scram_client_verify(client, SLICE_LITERAL("v=")), STATUS_DENIED);
        buffer_clear(&out);
        scram_client_free(client);
    }
    buffer_free(&out);
    scram_memory_wipe(&memory);
}

static void
options_must_fit(void **state)
{
    struct scram_verifier verifier = verifier_of("pencil");
    struct scram_server_options options = { .salt = verifier.salt, .rounds = 1, .plus = true };
    struct scram_memory memory = { 0 };
    struct scram_server *server = NULL;
    struct scram_client *client = NULL;

    (void)state;
    assert_int_equal(scram_server_new(&options, &server), STATUS_INVALID);
    assert_int_equal(
        scram_client_new(SLICE_LITERAL("x"), SCRAM_BOUND, (struct slice){ 0 }, &memory, &client),
        STATUS_INVALID);
    assert_int_equal(
        scram_client_new(SLICE_LITERAL("x"), SCRAM_UNBOUND, END_POINT, &memory, &client),
        STATUS_INVALID);
    assert_null(server);
    assert_null(client);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_exchange),   cmocka_unit_test(both_sides),
        cmocka_unit_test(client_first_refused), cmocka_unit_test(client_final_refused),
        cmocka_unit_test(server_first_refused), cmocka_unit_test(options_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
