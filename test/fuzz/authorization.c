/* fuzz/authorization.c - any value of Authorization and DPoP: one credential comes out, or a
 * refusal. */
#include <stdio.h>
#include <stdlib.h>

#include "http/classify.h"
#include "http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    struct buffer text = BUFFER_LIMITED(HTTP_HEAD_MAX);
    struct http_refusal why;
    struct asked asked = { 0 };

    put_text(&text, "GET /orders/x HTTP/1.1\r\nHost: gw\r\nAuthorization: ");
    put_bytes(&text, data, size);
    put_text(&text, "\r\n\r\n");
    if (buffer_status(&text) == STATUS_OK &&
        http_request_parse(buffer_slice(&text), &head, &why) == HTTP_PARSED) {
        credential_find(&head, true, &asked);
        if ((asked.token.size > 0) != (asked.scheme != SCHEME_NONE && asked.token.size > 0) ||
            (asked.fault.kind != GATE_NOTHING && asked.token.size > 0))
            abort();
    }
    buffer_free(&text);
    return 0;
}
