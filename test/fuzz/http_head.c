/* fuzz/http_head.c - heads of requests and answers: no byte past the end is read, what
 * is parsed lies within the bytes, and what is written again reads the same. */
#include <stdint.h>
#include <stdlib.h>

#include "http/head.h"
#include "http/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
    if (!good)
        abort();
}

static void
check_spans(const struct http_head *head, size_t size)
{
    check(head->size <= size && head->count <= HTTP_FIELDS_MAX);
    for (unsigned i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        struct slice value = http_field_value(head, field);

        check(http_is_token(http_field_name(head, field)));
        check(field->value.at + field->value.size <= head->size);
        check(memchr(value.at, '\n', value.size) == NULL);
        check(memchr(value.at, '\r', value.size) == NULL);
        check(memchr(value.at, '\0', value.size) == NULL);
        check(slice_trim(value).size == value.size);
    }
}

/* The parsed request as this program would write it must mean the same. */
static void
check_again(const struct http_head *head)
{
    static struct http_head again;
    struct buffer out = { 0 };
    struct http_refusal why;

    http_put_request_line(&out, http_head_method(head), http_span_slice(head, head->target));
    for (unsigned i = 0; i < head->count; i++)
        http_put_header(&out, http_field_name(head, &head->fields[i]),
                        http_field_value(head, &head->fields[i]));
    put_text(&out, "\r\n");
    check(buffer_status(&out) == STATUS_OK);
    /* Blanks are added behind the colons: a head at the limit may go over it. */
    if (out.size <= HTTP_HEAD_MAX && head->minor == 1) {
        check(http_request_parse(buffer_slice(&out), &again, &why) == HTTP_PARSED);
        check(again.count == head->count && again.body == head->body);
        check(again.length == head->length && again.keep_alive == head->keep_alive);
        check(slice_equal(http_head_path(&again), http_head_path(head)));
        check(slice_equal(http_head_host(&again), http_head_host(head)));
    }
    buffer_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head head;
    struct http_refusal why = { 0 };
    struct slice bytes = slice_of(data, size);

    switch (http_request_parse(bytes, &head, &why)) {
    case HTTP_PARSED:
        check_spans(&head, size);
        check(head.minor == 0 || head.host.size > 0);
        check(head.body != HTTP_BODY_CLOSE);
        check_again(&head);
        break;
    case HTTP_MALFORMED:
        check(why.status >= 400 && why.reason != NULL);
        break;
    case HTTP_NEED_MORE:
        break;
    }
    if (http_response_parse(bytes, HTTP_METHOD_GET, &head, &why) == HTTP_PARSED)
        check_spans(&head, size);
    return 0;
}
