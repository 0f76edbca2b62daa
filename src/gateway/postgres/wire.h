/* gateway/postgres/wire.h - PostgreSQL protocol 3 messages as bytes ("Message Formats" in
 * PostgreSQL's manual); knows no policy. Slices point into what was read. */
#ifndef WRIT_GATEWAY_POSTGRES_WIRE_H
#define WRIT_GATEWAY_POSTGRES_WIRE_H

#include "base/buffer.h"

enum wire { WIRE_OK, WIRE_MORE, WIRE_MALFORMED };

enum {
    PG_START_MAX = 10000,        /* a start-up packet; PostgreSQL's own limit */
    PG_MESSAGE_MAX = 0x3fffffff, /* the body of any message; PostgreSQL's own limit */
    PG_PARAMETERS_MAX = 64,      /* pairs of a start-up packet: each is compared with all */
};

/* --- reading ----------------------------------------------------------------------- */

struct pg_header {
    uint8_t type;
    uint32_t body; /* bytes that follow */
};
/* A length below its own four bytes, or beyond PG_MESSAGE_MAX, is refused before it is
 * waited for. */
enum wire pg_header_read(struct cursor *in, struct pg_header *out);

enum pg_start_kind { PG_START_SESSION, PG_START_TLS, PG_START_GSS, PG_START_CANCEL };

struct pg_startup {
    enum pg_start_kind kind;
    uint16_t minor;          /* of protocol 3 */
    struct slice parameters; /* pairs, each text ended by a zero byte; see pg_parameter_next */
    bool unknown_options;    /* some begin with "_pq_." */
    uint32_t cancel_process, cancel_secret;
};
/* The first packet, which has no type. MALFORMED also for another major version, a name that
 * comes twice, too many of them, and bytes behind the last pair. */
enum wire pg_startup_read(struct cursor *in, struct pg_startup *out);
/* False at the end. */
bool pg_parameter_next(struct slice *rest, struct slice *name, struct slice *value);

/* Bodies, whole. False: malformed; nothing may be left over. */
bool pg_password_read(struct slice body, struct slice *password);
bool pg_query_read(struct slice body, struct slice *text);
bool pg_parse_read(struct slice body, struct slice *name, struct slice *text);
/* Describe and Close: what is 'S' or 'P'. */
bool pg_describe_read(struct slice body, uint8_t *what, struct slice *name);
bool pg_execute_read(struct slice body, struct slice *portal, uint32_t *rows);
/* The beginning of a Bind: values may follow that never come here. */
enum wire pg_bind_head_read(struct slice head, struct slice *portal, struct slice *statement);
/* ParameterStatus. */
bool pg_setting_read(struct slice body, struct slice *name, struct slice *value);
/* The first column of a DataRow; false also for NULL. */
bool pg_first_column_read(struct slice body, struct slice *value);
/* One field of ErrorResponse and NoticeResponse ('M', 'C' …); empty: none. */
struct slice pg_error_field(struct slice body, uint8_t field);

enum pg_auth {
    PG_AUTH_OK = 0,
    PG_AUTH_CLEARTEXT = 3,
    PG_AUTH_MD5 = 5,
    PG_AUTH_SASL = 10,
    PG_AUTH_SASL_CONTINUE = 11,
    PG_AUTH_SASL_FINAL = 12,
};
/* data: the salt, the mechanisms' names, the mechanism's message; nothing where the kind has
 * none. */
bool pg_auth_read(struct slice body, uint32_t *kind, struct slice *data);
bool pg_key_read(struct slice body, uint32_t *process, uint32_t *secret);

/* --- writing ------------------------------------------------------------------------- */

enum pg_severity { PG_ERROR, PG_FATAL };

struct pg_error {
    enum pg_severity severity;
    const char *sqlstate;
    struct slice message, hint; /* zero bytes in them end them; an empty hint is not told */
};
void pg_put_error(struct buffer *out, const struct pg_error *error);
void pg_put_ready(struct buffer *out, char transaction);
void pg_put_auth(struct buffer *out, enum pg_auth kind);
void pg_put_auth_data(struct buffer *out, enum pg_auth kind, struct slice data);
/* ParseComplete ('1'), CloseComplete ('3'). */
void pg_put_done(struct buffer *out, char type);
void pg_put_setting(struct buffer *out, struct slice name, struct slice value);
void pg_put_key(struct buffer *out, uint32_t process, uint32_t secret);
/* NegotiateProtocolVersion, when the client asked for more than 3.0; else nothing. */
void pg_put_negotiation(struct buffer *out, const struct pg_startup *startup);

void pg_put_startup(struct buffer *out, struct slice user, struct slice database,
                    struct slice more);
void pg_put_password(struct buffer *out, struct slice password);
/* A SASL message, as one body. */
void pg_put_sasl(struct buffer *out, struct slice body);
void pg_put_query(struct buffer *out, struct slice text);
void pg_put_parse(struct buffer *out, struct slice name, struct slice text);
/* rest: what stands behind the name. */
void pg_put_parse_of(struct buffer *out, struct slice name, struct slice rest);
void pg_put_bind(struct buffer *out, struct slice portal, struct slice statement); /* no values */
/* Its beginning: the caller sends as many bytes more. */
void pg_put_bind_head(struct buffer *out, struct slice portal, struct slice statement,
                      uint32_t more);
void pg_put_describe(struct buffer *out, char what, struct slice name);
void pg_put_execute(struct buffer *out, struct slice portal);
void pg_put_close(struct buffer *out, char what, struct slice name);
void pg_put_sync(struct buffer *out);
void pg_put_cancel_request(struct buffer *out, uint32_t process, uint32_t secret);

#endif
