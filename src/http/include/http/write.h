/* http/write.h - heads as bytes that can be read in one way only.
 *
 * A value with CR, LF, NUL or another control, or a name that is no token, makes
 * the buffer's sticky status INVALID; nothing of it is written. */
#ifndef WRIT_HTTP_WRITE_H
#define WRIT_HTTP_WRITE_H

#include "base/buffer.h"
#include "http/head.h"

struct http_header {
    struct slice name, value;
};

#define HTTP_HEADER(header_name, header_value)                                                     \
    ((struct http_header){ SLICE_LITERAL(header_name), (header_value) })

void http_put_request_line(struct buffer *out, struct slice method, struct slice target);
void http_put_status_line(struct buffer *out, unsigned status);
void http_put_header(struct buffer *out, struct slice name, struct slice value);
void http_put_headers(struct buffer *out, const struct http_header *headers, size_t count);
/* name is one of the program's own and is not checked. */
void http_put_header_number(struct buffer *out, struct slice name, uint64_t value);
/* A parsed field as it is: the parser has checked it. */
void http_put_field(struct buffer *out, const struct http_head *head,
                    const struct http_field *field);
/* "Date: …" of this wall time; the text is kept for the second. */
void http_put_date(struct buffer *out, int64_t now_ms);

/* "OK", "Not Found"; "" for a status without a name. */
const char *http_status_text(unsigned status);
/* "Tue, 24 Nov 2026 18:00:00 GMT" */
enum { HTTP_DATE_SIZE = 29 };
void http_date_format(int64_t at_ms, char out[HTTP_DATE_SIZE + 1]);

#endif
