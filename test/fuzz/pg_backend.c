/* fuzz/pg_backend.c - messages of a PostgreSQL server. A server that began SCRAM and does not
 * know the password is never believed, whatever it says. */
#include <stdlib.h>

#include "postgres/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
    if (!good)
        abort();
}

struct session {
    struct pg_login *login;
    bool scram;
};

static void
log_in(struct session *session, struct slice body)
{
    struct buffer out = { 0 };
    uint32_t kind = 0;
    struct slice data;
    const char *why;
    bool done = false;
    enum status status = pg_login_read(session->login, body, &out, &done, &why);

    check(!done || (status == STATUS_OK && !session->scram));
    if (status == STATUS_OK && pg_auth_read(body, &kind, &data) && kind == PG_AUTH_SASL)
        session->scram = true;
    check(kind != PG_AUTH_SASL_FINAL || status != STATUS_OK);
    buffer_free(&out);
}

static void
read_body(struct session *session, uint8_t type, struct slice body)
{
    struct slice a, b;
    struct buffer out = { 0 };
    uint32_t process, secret;

    if (type == 'R') {
        log_in(session, body);
    } else if (type == 'S' && pg_setting_read(body, &a, &b)) {
        pg_put_setting(&out, a, b);
        check(slice_equal(slice_from(buffer_slice(&out), 5), body));
    } else if (type == 'K' && pg_key_read(body, &process, &secret)) {
        pg_put_key(&out, process, secret);
        check(slice_equal(slice_from(buffer_slice(&out), 5), body));
    } else if (type == 'D' && pg_first_column_read(body, &a)) {
        check(a.at >= body.at && a.at + a.size <= body.at + body.size);
    } else if (type == 'E' || type == 'N') {
        a = pg_error_field(body, 'M');
        check(a.size == 0 || (a.at > body.at && a.at + a.size < body.at + body.size));
    }
    buffer_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scram_memory memory = { 0 };
    struct pg_login_options options = { .user = SLICE_LITERAL("writ"),
                                        .password = SLICE_LITERAL("pencil"),
                                        .memory = &memory };
    struct cursor in = { data, data + size };
    struct session session = { 0 };
    struct pg_header header;
    struct slice body;

    options.secured = size > 0 && (data[0] & 1);
    if (size > 0 && (data[0] & 2))
        options.end_point = SLICE_LITERAL("0123456789abcdef0123456789abcdef");
    if (pg_login_new(&options, &session.login) != STATUS_OK)
        abort();
    while (pg_header_read(&in, &header) == WIRE_OK && take_bytes(&in, header.body, &body))
        read_body(&session, header.type, body);
    pg_login_free(session.login);
    return 0;
}
