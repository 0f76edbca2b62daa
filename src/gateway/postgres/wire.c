/* gateway/postgres/wire.c - reads and writes PostgreSQL protocol 3; each function is the
 * layout of its message. */
#include "wire.h"

/* Codes in the place of a version. */
enum { CODE_CANCEL = 80877102, CODE_TLS = 80877103, CODE_GSS = 80877104, VERSION_MAJOR = 3 };

/* --- reading ----------------------------------------------------------------------- */

enum wire
pg_header_read(struct cursor *in, struct pg_header *out)
{
    struct cursor at = *in;
    uint8_t type;
    uint32_t length;

    if (!take_u8(&at, &type) || !take_be32(&at, &length))
        return WIRE_MORE;
    /* The length counts itself. */
    if (length < 4 || length - 4 > PG_MESSAGE_MAX)
        return WIRE_MALFORMED;
    *out = (struct pg_header){ .type = type, .body = length - 4 };
    *in = at;
    return WIRE_OK;
}

/* A text that a zero byte ends. */
static bool
take_text(struct cursor *in, struct slice *out)
{
    const uint8_t *end = in->at == in->end ? NULL : memchr(in->at, 0, cursor_left(in));

    if (end == NULL)
        return false;
    *out = slice_of(in->at, (size_t)(end - in->at));
    in->at = end + 1;
    return true;
}

static bool
at_end(const struct cursor *in)
{
    return in->at == in->end;
}

bool
pg_parameter_next(struct slice *rest, struct slice *name, struct slice *value)
{
    struct cursor at = cursor_over(*rest);

    if (!take_text(&at, name) || name->size == 0 || !take_text(&at, value))
        return false;
    *rest = slice_of(at.at, cursor_left(&at));
    return true;
}

static bool
stands_before(struct slice parameters, struct slice name)
{
    struct slice other, value;

    while (pg_parameter_next(&parameters, &other, &value) && other.at != name.at) {
        if (slice_equal(other, name))
            return true;
    }
    return false;
}

static bool
read_parameters(struct slice body, struct pg_startup *out)
{
    struct slice rest, name, value;
    unsigned count = 0;

    /* The pairs end with an empty name, which is the last byte. */
    if (body.size == 0 || body.at[body.size - 1] != 0)
        return false;
    out->parameters = rest = slice_first(body, body.size - 1);
    while (rest.size > 0) {
        if (++count > PG_PARAMETERS_MAX || !pg_parameter_next(&rest, &name, &value) ||
            stands_before(out->parameters, name))
            return false;
        out->unknown_options |= slice_starts(name, SLICE_LITERAL("_pq_."));
    }
    return true;
}

static bool
read_cancel(struct slice body, struct pg_startup *out)
{
    struct cursor in = cursor_over(body);

    out->kind = PG_START_CANCEL;
    return take_be32(&in, &out->cancel_process) && take_be32(&in, &out->cancel_secret) &&
           at_end(&in);
}

enum wire
pg_startup_read(struct cursor *in, struct pg_startup *out)
{
    struct cursor at = *in;
    struct pg_startup startup = { .kind = PG_START_SESSION };
    uint32_t length, code;
    struct slice body;
    bool good;

    if (!take_be32(&at, &length))
        return WIRE_MORE;
    if (length < 8 || length > PG_START_MAX)
        return WIRE_MALFORMED;
    if (!take_be32(&at, &code) || !take_bytes(&at, length - 8, &body))
        return WIRE_MORE;
    switch (code) {
    case CODE_TLS:
        startup.kind = PG_START_TLS;
        good = body.size == 0;
        break;
    case CODE_GSS:
        startup.kind = PG_START_GSS;
        good = body.size == 0;
        break;
    case CODE_CANCEL:
        good = read_cancel(body, &startup);
        break;
    default:
        startup.minor = (uint16_t)code;
        good = code >> 16 == VERSION_MAJOR && read_parameters(body, &startup);
        break;
    }
    if (!good)
        return WIRE_MALFORMED;
    *out = startup;
    *in = at;
    return WIRE_OK;
}

bool
pg_password_read(struct slice body, struct slice *password)
{
    return pg_query_read(body, password);
}

bool
pg_query_read(struct slice body, struct slice *text)
{
    struct cursor in = cursor_over(body);

    return take_text(&in, text) && at_end(&in);
}

bool
pg_parse_read(struct slice body, struct slice *name, struct slice *text)
{
    struct cursor in = cursor_over(body);
    uint16_t types;
    struct slice oids;

    return take_text(&in, name) && take_text(&in, text) && take_be16(&in, &types) &&
           take_bytes(&in, (size_t)types * 4, &oids) && at_end(&in);
}

bool
pg_describe_read(struct slice body, uint8_t *what, struct slice *name)
{
    struct cursor in = cursor_over(body);

    return take_u8(&in, what) && (*what == 'S' || *what == 'P') && take_text(&in, name) &&
           at_end(&in);
}

bool
pg_execute_read(struct slice body, struct slice *portal, uint32_t *rows)
{
    struct cursor in = cursor_over(body);

    return take_text(&in, portal) && take_be32(&in, rows) && at_end(&in);
}

enum wire
pg_bind_head_read(struct slice head, struct slice *portal, struct slice *statement)
{
    struct cursor in = cursor_over(head);

    return take_text(&in, portal) && take_text(&in, statement) ? WIRE_OK : WIRE_MORE;
}

bool
pg_setting_read(struct slice body, struct slice *name, struct slice *value)
{
    struct cursor in = cursor_over(body);

    return take_text(&in, name) && take_text(&in, value) && at_end(&in);
}

bool
pg_first_column_read(struct slice body, struct slice *value)
{
    struct cursor in = cursor_over(body);
    uint16_t columns;
    uint32_t size;

    return take_be16(&in, &columns) && columns > 0 && take_be32(&in, &size) &&
           size <= PG_MESSAGE_MAX && take_bytes(&in, size, value);
}

struct slice
pg_error_field(struct slice body, uint8_t field)
{
    struct cursor in = cursor_over(body);
    struct slice text;
    uint8_t type;

    while (take_u8(&in, &type) && type != 0 && take_text(&in, &text)) {
        if (type == field)
            return text;
    }
    return (struct slice){ 0 };
}

bool
pg_auth_read(struct slice body, uint32_t *kind, struct slice *data)
{
    struct cursor in = cursor_over(body);

    if (!take_be32(&in, kind))
        return false;
    *data = slice_of(in.at, cursor_left(&in));
    return data->size == 0 || (*kind != PG_AUTH_OK && *kind != PG_AUTH_CLEARTEXT);
}

bool
pg_key_read(struct slice body, uint32_t *process, uint32_t *secret)
{
    struct cursor in = cursor_over(body);

    return take_be32(&in, process) && take_be32(&in, secret) && at_end(&in);
}

/* --- writing ------------------------------------------------------------------------- */

/* Begins a message; its length is set at its end. 0: one without a type. */
static size_t
begin(struct buffer *out, char type)
{
    if (type != 0)
        put_u8(out, (uint8_t)type);
    put_be32(out, 0);
    return out->size;
}

static void
end(struct buffer *out, size_t begun)
{
    if (buffer_status(out) != STATUS_OK)
        return;
    uint32_t length = (uint32_t)(out->size - begun) + 4;
    uint8_t *at = (uint8_t *)out->bytes + begun - 4;
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(length >> (24 - 8 * i));
}

static void
put_zero_text(struct buffer *out, struct slice text)
{
    put_slice(out, slice_first(text, slice_find(text, '\0')));
    put_u8(out, 0);
}

static void
put_field(struct buffer *out, char field, struct slice text)
{
    put_u8(out, (uint8_t)field);
    put_zero_text(out, text);
}

void
pg_put_error(struct buffer *out, const struct pg_error *error)
{
    size_t begun = begin(out, 'E');
    struct slice severity =
        error->severity == PG_FATAL ? SLICE_LITERAL("FATAL") : SLICE_LITERAL("ERROR");

    put_field(out, 'S', severity);
    put_field(out, 'V', severity);
    put_field(out, 'C', slice_text(error->sqlstate));
    put_field(out, 'M', error->message);
    if (error->hint.size > 0)
        put_field(out, 'H', error->hint);
    put_u8(out, 0);
    end(out, begun);
}

void
pg_put_ready(struct buffer *out, char transaction)
{
    size_t begun = begin(out, 'Z');

    put_u8(out, (uint8_t)transaction);
    end(out, begun);
}

void
pg_put_auth(struct buffer *out, enum pg_auth kind)
{
    pg_put_auth_data(out, kind, (struct slice){ 0 });
}

void
pg_put_auth_data(struct buffer *out, enum pg_auth kind, struct slice data)
{
    size_t begun = begin(out, 'R');

    put_be32(out, kind);
    put_slice(out, data);
    end(out, begun);
}

void
pg_put_setting(struct buffer *out, struct slice name, struct slice value)
{
    size_t begun = begin(out, 'S');

    put_zero_text(out, name);
    put_zero_text(out, value);
    end(out, begun);
}

void
pg_put_key(struct buffer *out, uint32_t process, uint32_t secret)
{
    size_t begun = begin(out, 'K');

    put_be32(out, process);
    put_be32(out, secret);
    end(out, begun);
}

void
pg_put_negotiation(struct buffer *out, const struct pg_startup *startup)
{
    struct slice rest = startup->parameters, name, value;
    uint32_t unknown = 0;
    size_t begun;

    if (startup->minor == 0 && !startup->unknown_options)
        return;
    begun = begin(out, 'v');
    put_be32(out, VERSION_MAJOR << 16);
    while (pg_parameter_next(&rest, &name, &value))
        unknown += slice_starts(name, SLICE_LITERAL("_pq_."));
    put_be32(out, unknown);
    rest = startup->parameters;
    while (pg_parameter_next(&rest, &name, &value)) {
        if (slice_starts(name, SLICE_LITERAL("_pq_.")))
            put_zero_text(out, name);
    }
    end(out, begun);
}

void
pg_put_startup(struct buffer *out, struct slice user, struct slice database, struct slice more)
{
    size_t begun = begin(out, 0);

    put_be32(out, VERSION_MAJOR << 16);
    put_zero_text(out, SLICE_LITERAL("user"));
    put_zero_text(out, user);
    put_zero_text(out, SLICE_LITERAL("database"));
    put_zero_text(out, database);
    put_slice(out, more);
    put_u8(out, 0);
    end(out, begun);
}

static void
put_text_message(struct buffer *out, char type, struct slice text)
{
    size_t begun = begin(out, type);

    put_zero_text(out, text);
    end(out, begun);
}

void
pg_put_password(struct buffer *out, struct slice password)
{
    put_text_message(out, 'p', password);
}

void
pg_put_sasl(struct buffer *out, struct slice body)
{
    size_t begun = begin(out, 'p');

    put_slice(out, body);
    end(out, begun);
}

void
pg_put_query(struct buffer *out, struct slice text)
{
    put_text_message(out, 'Q', text);
}

void
pg_put_parse(struct buffer *out, struct slice name, struct slice text)
{
    size_t begun = begin(out, 'P');

    put_zero_text(out, name);
    put_zero_text(out, text);
    put_be16(out, 0);
    end(out, begun);
}

void
pg_put_parse_of(struct buffer *out, struct slice name, struct slice rest)
{
    size_t begun = begin(out, 'P');

    put_zero_text(out, name);
    put_slice(out, rest);
    end(out, begun);
}

void
pg_put_bind_head(struct buffer *out, struct slice portal, struct slice statement, uint32_t more)
{
    put_u8(out, 'B');
    put_be32(out, (uint32_t)(4 + portal.size + 1 + statement.size + 1) + more);
    put_zero_text(out, portal);
    put_zero_text(out, statement);
}

void
pg_put_bind(struct buffer *out, struct slice portal, struct slice statement)
{
    size_t begun = begin(out, 'B');

    put_zero_text(out, portal);
    put_zero_text(out, statement);
    put_be16(out, 0); /* formats of values, … */
    put_be16(out, 0); /* values, … */
    put_be16(out, 0); /* formats of columns */
    end(out, begun);
}

void
pg_put_execute(struct buffer *out, struct slice portal)
{
    size_t begun = begin(out, 'E');

    put_zero_text(out, portal);
    put_be32(out, 0);
    end(out, begun);
}

static void
put_named(struct buffer *out, char type, char what, struct slice name)
{
    size_t begun = begin(out, type);

    put_u8(out, (uint8_t)what);
    put_zero_text(out, name);
    end(out, begun);
}

void
pg_put_done(struct buffer *out, char type)
{
    end(out, begin(out, type));
}

void
pg_put_describe(struct buffer *out, char what, struct slice name)
{
    put_named(out, 'D', what, name);
}

void
pg_put_close(struct buffer *out, char what, struct slice name)
{
    put_named(out, 'C', what, name);
}

void
pg_put_sync(struct buffer *out)
{
    end(out, begin(out, 'S'));
}

void
pg_put_cancel_request(struct buffer *out, uint32_t process, uint32_t secret)
{
    size_t begun = begin(out, 0);

    put_be32(out, CODE_CANCEL);
    put_be32(out, process);
    put_be32(out, secret);
    end(out, begun);
}
