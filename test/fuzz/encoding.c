/* fuzz/encoding.c - any bytes as base62, base64url and hex, and as what they
 * encode: each text that decodes is the one text of its bytes. */
#include <stdlib.h>

#include "base/encoding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MOST = 4096 };

static void
check(bool holds)
{
    if (!holds)
        abort();
}

static void
check_text(struct slice text)
{
    uint8_t *bytes = malloc(BYTES_MOST);
    char *again = malloc(2 * BYTES_MOST);
    struct buffer out = { 0 };
    size_t size = 0;

    if (bytes == NULL || again == NULL)
        abort();
    if (base62_decode(text, bytes, BYTES_MOST, &size)) {
        check(base62_encoded_size(size) == text.size);
        base62_encode(bytes, size, again);
        check(slice_equal(slice_of(again, text.size), text));
    }
    if (base64url_decode(text, bytes, BYTES_MOST, &size)) {
        put_base64url(&out, bytes, size);
        check(slice_equal(buffer_slice(&out), text));
    }
    buffer_clear(&out);
    if (text.size <= BYTES_MOST && hex_decode(text, bytes, text.size / 2)) {
        put_hex(&out, bytes, text.size / 2);
        check(slice_equal(buffer_slice(&out), text));
    }
    buffer_free(&out);
    free(again);
    free(bytes);
}

static void
check_bytes(const uint8_t *bytes, size_t size)
{
    size_t encoded = base62_encoded_size(size), decoded = 0;
    char *text = malloc(encoded + 1);
    uint8_t *back = malloc(size + 1);
    struct buffer out = { 0 };

    if (text == NULL || back == NULL)
        abort();
    base62_encode(bytes, size, text);
    check(base62_decode(slice_of(text, encoded), back, size, &decoded));
    check(decoded == size && slice_equal(slice_of(back, size), slice_of(bytes, size)));
    put_base64url(&out, bytes, size);
    check(base64url_decode(buffer_slice(&out), back, size, &decoded));
    check(decoded == size && slice_equal(slice_of(back, size), slice_of(bytes, size)));
    buffer_free(&out);
    free(back);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_text(slice_of(data, size));
    check_bytes(data, size);
    return 0;
}
