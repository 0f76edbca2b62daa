/* gateway/postgres/login.c - cleartext (over TLS alone), MD5 and SCRAM-SHA-256(-PLUS), as the
 * server asks. */
#include "login.h"

#include <stdlib.h>

#include "crypto/hash.h"

enum login_state {
    LOGIN_BEGUN,
    LOGIN_ANSWERED,
    LOGIN_SCRAM_FIRST,
    LOGIN_SCRAM_FINAL,
    LOGIN_PROVEN
};

struct pg_login {
    enum login_state state;
    struct buffer user, password;
    bool secured;
    struct buffer end_point;
    struct scram_memory *memory;
    struct scram_client *scram;
};

enum status
pg_login_new(const struct pg_login_options *options, struct pg_login **out)
{
    struct pg_login *login = calloc(1, sizeof(*login));

    if (login == NULL)
        return STATUS_MEMORY;
    put_slice(&login->user, options->user);
    put_slice(&login->password, options->password);
    put_slice(&login->end_point, options->end_point);
    login->secured = options->secured;
    login->memory = options->memory;
    if (buffer_status(&login->user) != STATUS_OK || buffer_status(&login->password) != STATUS_OK ||
        buffer_status(&login->end_point) != STATUS_OK) {
        pg_login_free(login);
        return STATUS_MEMORY;
    }
    *out = login;
    return STATUS_OK;
}

void
pg_login_free(struct pg_login *login)
{
    if (login == NULL)
        return;
    buffer_free(&login->user);
    buffer_wipe_free(&login->password);
    buffer_free(&login->end_point);
    scram_client_free(login->scram);
    free(login);
}

static enum status
refuse(const char **why, const char *text)
{
    *why = text;
    return STATUS_DENIED;
}

static enum status
send_cleartext(struct pg_login *login, struct buffer *out, const char **why)
{
    if (!login->secured)
        return refuse(why, "the upstream asks for the password in the clear, without TLS");
    pg_put_password(out, buffer_slice(&login->password));
    login->state = LOGIN_ANSWERED;
    return buffer_status(out);
}

/* --- MD5 --------------------------------------------------------------------------------- */

/* "md5" and MD5(MD5(password user) salt), each in hexadecimal digits. */
static enum status
send_md5(struct pg_login *login, struct slice salt, struct buffer *out, const char **why)
{
    const struct slice parts[] = { buffer_slice(&login->password), buffer_slice(&login->user) };
    struct buffer inner = { 0 }, answer = { 0 };
    enum status status;

    if (salt.size != 4)
        return STATUS_INVALID;
    status = hash_md5_hex(parts, 2, &inner);
    const struct slice salted[] = { buffer_slice(&inner), salt };
    put_text(&answer, "md5");
    if (status == STATUS_OK)
        status = hash_md5_hex(salted, 2, &answer);
    if (status == STATUS_OK)
        pg_put_password(out, buffer_slice(&answer));
    buffer_wipe_free(&inner);
    buffer_wipe_free(&answer);
    login->state = LOGIN_ANSWERED;
    return status == STATUS_OK ? buffer_status(out) : status;
}

/* --- SCRAM ------------------------------------------------------------------------------- */

static bool
is_listed(struct slice mechanisms, const char *name)
{
    struct cursor in = cursor_over(mechanisms);
    const uint8_t *end;

    while (in.at < in.end && (end = memchr(in.at, 0, cursor_left(&in))) != NULL && end > in.at) {
        if (slice_is(slice_of(in.at, (size_t)(end - in.at)), name))
            return true;
        in.at = end + 1;
    }
    return false;
}

/* With a mechanism's name and the length of its message (SASLInitialResponse). */
static enum status
begin_scram(struct pg_login *login, struct slice mechanisms, struct buffer *out, const char **why)
{
    struct buffer first = { 0 }, body = { 0 };
    bool plus = login->end_point.size > 0 && is_listed(mechanisms, "SCRAM-SHA-256-PLUS");

    if (!plus && !is_listed(mechanisms, "SCRAM-SHA-256"))
        return refuse(why, "the upstream offers no SASL mechanism that this gateway has");
    enum scram_binding binding = plus                        ? SCRAM_BOUND
                                 : login->end_point.size > 0 ? SCRAM_UNOFFERED
                                                             : SCRAM_UNBOUND;
    enum status status = scram_client_new(
        buffer_slice(&login->password), binding,
        plus ? buffer_slice(&login->end_point) : (struct slice){ 0 }, login->memory, &login->scram);
    if (status == STATUS_OK)
        status = scram_client_first(login->scram, &first);
    if (status == STATUS_OK) {
        put_text(&body, plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256");
        put_u8(&body, 0);
        put_slice32(&body, buffer_slice(&first));
        pg_put_sasl(out, buffer_slice(&body));
        status = buffer_status(&body);
        login->state = LOGIN_SCRAM_FIRST;
    }
    buffer_free(&first);
    buffer_free(&body);
    return status == STATUS_OK ? buffer_status(out) : status;
}

static enum status
continue_scram(struct pg_login *login, struct slice data, struct buffer *out, const char **why)
{
    struct buffer final = { 0 };
    enum status status = scram_client_final(login->scram, data, &final);

    if (status == STATUS_OK) {
        pg_put_sasl(out, buffer_slice(&final));
        status = buffer_status(out);
        login->state = LOGIN_SCRAM_FINAL;
    } else {
        *why = "the upstream's SCRAM message can't be used";
    }
    buffer_free(&final);
    return status;
}

static enum status
finish_scram(struct pg_login *login, struct slice data, const char **why)
{
    if (scram_client_verify(login->scram, data) != STATUS_OK)
        return refuse(why, "the upstream does not know the password itself: it is not who it "
                           "should be");
    login->state = LOGIN_PROVEN;
    return STATUS_OK;
}

/* What may be asked when is a matter of the state: a server that skips its own proof is
 * another one. */
enum status
pg_login_read(struct pg_login *login, struct slice body, struct buffer *out, bool *done,
              const char **why)
{
    uint32_t kind;
    struct slice data;

    *why = "the upstream's log-in messages are not in order";
    if (!pg_auth_read(body, &kind, &data))
        return STATUS_INVALID;
    switch (kind) {
    case PG_AUTH_OK:
        *done = login->state == LOGIN_BEGUN || login->state == LOGIN_ANSWERED ||
                login->state == LOGIN_PROVEN;
        return *done ? STATUS_OK : STATUS_INVALID;
    case PG_AUTH_CLEARTEXT:
        return login->state == LOGIN_BEGUN ? send_cleartext(login, out, why) : STATUS_INVALID;
    case PG_AUTH_MD5:
        return login->state == LOGIN_BEGUN ? send_md5(login, data, out, why) : STATUS_INVALID;
    case PG_AUTH_SASL:
        return login->state == LOGIN_BEGUN ? begin_scram(login, data, out, why) : STATUS_INVALID;
    case PG_AUTH_SASL_CONTINUE:
        return login->state == LOGIN_SCRAM_FIRST ? continue_scram(login, data, out, why)
                                                 : STATUS_INVALID;
    case PG_AUTH_SASL_FINAL:
        return login->state == LOGIN_SCRAM_FINAL ? finish_scram(login, data, why) : STATUS_INVALID;
    default:
        return refuse(why, "the upstream asks for a log-in that this gateway has not");
    }
}
