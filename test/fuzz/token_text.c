/* fuzz/token_text.c - any text as a token, with its own checksum and with a right one. */
#include <stdlib.h>

#include "base/encoding.h"
#include "token/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses looks valid, and is the only text of its bytes. */
static void
check(struct slice text)
{
    struct token_view view;
    char again[TOKEN_TEXT_MAX];
    size_t prefix;

    if (token_parse(text, &view) != STATUS_OK)
        return;
    prefix = view.attenuated ? 6 : 5;
    base62_encode(view.binary, view.binary_size, again);
    if (!token_text_valid(text) || text.size > TOKEN_TEXT_MAX ||
        !slice_equal(slice_of(again, base62_encoded_size(view.binary_size)),
                     slice_of(text.at + prefix, text.size - prefix - 6)))
        abort();
    token_view_wipe(&view);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    uint8_t bytes[4];
    uint32_t crc;

    check(slice_of(data, size));
    if (size > sizeof text - 6)
        return 0;
    memcpy(text, data, size);
    crc = crc32_of(slice_of(data, size));
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(crc >> (24 - 8 * i));
    base62_encode(bytes, sizeof bytes, text + size);
    check(slice_of(text, size + 6));
    return 0;
}
