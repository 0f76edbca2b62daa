/* http/write.c - heads as bytes; a value that could end its line is never written. */
#include "http/write.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

static bool
writable_value(struct slice value)
{
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.at[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool
writable_target(struct slice target)
{
    for (size_t i = 0; i < target.size; i++)
        if ((unsigned char)target.at[i] <= 0x20 || (unsigned char)target.at[i] >= 0x7f)
            return false;
    return target.size > 0;
}

static void
refuse(struct buffer *out)
{
    if (out->status == STATUS_OK)
        out->status = STATUS_INVALID;
}

void
http_put_request_line(struct buffer *out, struct slice method, struct slice target)
{
    if (!http_is_token(method) || !writable_target(target)) {
        refuse(out);
        return;
    }
    put_slice(out, method);
    put_u8(out, ' ');
    put_slice(out, target);
    put_slice(out, SLICE_LITERAL(" HTTP/1.1\r\n"));
}

void
http_put_status_line(struct buffer *out, unsigned status)
{
    char digits[3];

    if (status < 100 || status > 599) {
        refuse(out);
        return;
    }
    if (status == 200) {
        put_slice(out, SLICE_LITERAL("HTTP/1.1 200 OK\r\n"));
        return;
    }
    digits[0] = (char)('0' + status / 100);
    digits[1] = (char)('0' + status / 10 % 10);
    digits[2] = (char)('0' + status % 10);
    put_slice(out, SLICE_LITERAL("HTTP/1.1 "));
    put_bytes(out, digits, sizeof digits);
    put_u8(out, ' ');
    put_text(out, http_status_text(status));
    put_slice(out, SLICE_LITERAL("\r\n"));
}

static void
put_line(struct buffer *out, struct slice name, struct slice value)
{
    size_t size = name.size + value.size + 4;
    char *at = buffer_room(out, size);

    if (at == NULL)
        return;
    memcpy(at, name.at, name.size);
    at += name.size;
    *at++ = ':';
    *at++ = ' ';
    if (value.size > 0)
        memcpy(at, value.at, value.size);
    at += value.size;
    *at++ = '\r';
    *at = '\n';
    buffer_added(out, size);
}

void
http_put_header(struct buffer *out, struct slice name, struct slice value)
{
    if (!http_is_token(name) || !writable_value(value)) {
        refuse(out);
        return;
    }
    put_line(out, name, value);
}

void
http_put_headers(struct buffer *out, const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        http_put_header(out, headers[i].name, headers[i].value);
}

void
http_put_header_number(struct buffer *out, struct slice name, uint64_t value)
{
    char text[20], *at = text + sizeof text;

    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    put_line(out, name, slice_of(at, (size_t)(text + sizeof text - at)));
}

void
http_put_field(struct buffer *out, const struct http_head *head, const struct http_field *field)
{
    put_line(out, http_field_name(head, field), http_field_value(head, field));
}

void
http_date_format(int64_t at_ms, char out[HTTP_DATE_SIZE + 1])
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t seconds = (time_t)(at_ms / MS_SECOND);
    struct tm parts = { .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };
    char text[96]; /* strftime would ask the locale for the names */

    gmtime_r(&seconds, &parts);
    snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday],
             parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min,
             parts.tm_sec);
    text[HTTP_DATE_SIZE] = '\0';
    memcpy(out, text, HTTP_DATE_SIZE + 1);
}

void
http_put_date(struct buffer *out, int64_t now_ms)
{
    static _Thread_local int64_t second = -1;
    static _Thread_local char text[HTTP_DATE_SIZE + 1];

    if (now_ms / MS_SECOND != second) {
        http_date_format(now_ms, text);
        second = now_ms / MS_SECOND;
    }
    put_line(out, SLICE_LITERAL("Date"), slice_of(text, HTTP_DATE_SIZE));
}

const char *
http_status_text(unsigned status)
{
    switch (status) {
#define STATUS(number, text)                                                                       \
    case number:                                                                                   \
        return text;
        STATUS(100, "Continue")
        STATUS(101, "Switching Protocols")
        STATUS(103, "Early Hints")
        STATUS(200, "OK")
        STATUS(201, "Created")
        STATUS(202, "Accepted")
        STATUS(203, "Non-Authoritative Information")
        STATUS(204, "No Content")
        STATUS(205, "Reset Content")
        STATUS(206, "Partial Content")
        STATUS(207, "Multi-Status")
        STATUS(300, "Multiple Choices")
        STATUS(301, "Moved Permanently")
        STATUS(302, "Found")
        STATUS(303, "See Other")
        STATUS(304, "Not Modified")
        STATUS(307, "Temporary Redirect")
        STATUS(308, "Permanent Redirect")
        STATUS(400, "Bad Request")
        STATUS(401, "Unauthorized")
        STATUS(402, "Payment Required")
        STATUS(403, "Forbidden")
        STATUS(404, "Not Found")
        STATUS(405, "Method Not Allowed")
        STATUS(406, "Not Acceptable")
        STATUS(408, "Request Timeout")
        STATUS(409, "Conflict")
        STATUS(410, "Gone")
        STATUS(411, "Length Required")
        STATUS(412, "Precondition Failed")
        STATUS(413, "Content Too Large")
        STATUS(414, "URI Too Long")
        STATUS(415, "Unsupported Media Type")
        STATUS(416, "Range Not Satisfiable")
        STATUS(417, "Expectation Failed")
        STATUS(421, "Misdirected Request")
        STATUS(422, "Unprocessable Content")
        STATUS(423, "Locked")
        STATUS(425, "Too Early")
        STATUS(426, "Upgrade Required")
        STATUS(428, "Precondition Required")
        STATUS(429, "Too Many Requests")
        STATUS(431, "Request Header Fields Too Large")
        STATUS(500, "Internal Server Error")
        STATUS(501, "Not Implemented")
        STATUS(502, "Bad Gateway")
        STATUS(503, "Service Unavailable")
        STATUS(504, "Gateway Timeout")
        STATUS(505, "HTTP Version Not Supported")
        STATUS(507, "Insufficient Storage")
#undef STATUS
    default:
        return "";
    }
}
