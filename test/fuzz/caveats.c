/* fuzz/caveats.c - any bytes as the caveats of a token whose checksum is right:
 * what is accepted narrows further and stays within its limits. */
#include <stdlib.h>

#include "base/encoding.h"
#include "token/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 18, MAC = 32 };

static struct slice
text_of(const uint8_t *data, size_t size, char *text)
{
    uint8_t binary[HEAD + 2048 + MAC] = { 1, 7, 1 };
    uint8_t crc_bytes[4];
    size_t end = 6;
    uint32_t crc;

    memcpy(binary + HEAD, data, size);
    memcpy(text, "writa_", 6);
    base62_encode(binary, HEAD + size + MAC, text + end);
    end += base62_encoded_size(HEAD + size + MAC);
    crc = crc32_of(slice_of(text, end));
    for (int i = 0; i < 4; i++)
        crc_bytes[i] = (uint8_t)(crc >> (24 - 8 * i));
    base62_encode(crc_bytes, sizeof crc_bytes, text + end);
    return slice_of(text, end + 6);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attenuation what = { .label = SLICE_LITERAL("more") };
    char text[4096];
    struct token_view view;
    struct buffer narrowed = { 0 };
    struct hop_id hop;

    if (size > 2048 || token_parse(text_of(data, size, text), &view) != STATUS_OK)
        return 0;
    if (view.caveat_count < 2 || view.caveat_count > 2 * TOKEN_CAVEATS_MAX ||
        view.caveats[0].kind != CAVEAT_HOP)
        abort();
    size_t before = view.caveat_count;
    if (token_attenuate(slice_of(text, 6 + base62_encoded_size(HEAD + size + MAC) + 6), &what,
                        &narrowed, &hop, NULL) == STATUS_OK) {
        if (token_parse(buffer_slice(&narrowed), &view) != STATUS_OK ||
            view.caveat_count != before + 2)
            abort();
    }
    buffer_wipe_free(&narrowed);
    return 0;
}
