/* token/public.c - a token's public part: taken off its text, and made whole by the ring. */
#include "token/public.h"

#include "base/encoding.h"
#include "caveat.h"
#include "ring.h"

#define SALT_LABEL SLICE_LITERAL("writ scram salt 1")

enum { PREFIX = 6, CRC_TEXT = 6 };

enum status
token_public_write(struct slice token, struct buffer *out)
{
    struct token_view view;
    char text[TOKEN_TEXT_MAX];
    enum status status = token_parse(token, &view);

    if (status != STATUS_OK)
        return status;
    put_bytes(out, text, token_put_text("writp_", view.binary, view.binary_size - MAC_SIZE, text));
    token_view_wipe(&view);
    return buffer_status(out);
}

/* version kid id caveats…, with nothing left over. */
static enum status
read_binary(struct token_view *view)
{
    struct slice all = slice_of(view->binary, view->binary_size);
    struct slice caveats = slice_from(all, TOKEN_HEAD_SIZE);

    if (all.size < TOKEN_HEAD_SIZE || view->binary[0] != TOKEN_VERSION)
        return STATUS_INVALID;
    view->kid = view->binary[1];
    memcpy(view->id.bytes, view->binary + 2, TOKEN_ID_SIZE);
    token_id_format(&view->id, view->id_text);
    view->attenuated = caveats.size > 0;
    if (token_id_is_none(&view->id))
        return STATUS_INVALID;
    return view->attenuated ? caveats_read(caveats, view) : STATUS_OK;
}

enum status
token_public_parse(struct slice text, struct token_view *out)
{
    struct slice body = slice_from(text, PREFIX);

    out->binary_size = 0;
    out->caveat_count = 0;
    memset(out->mac, 0, sizeof(out->mac));
    if (!slice_starts(text, SLICE_LITERAL("writp_")) || text.size < TOKEN_PUBLIC_SIZE ||
        text.size > TOKEN_TEXT_MAX || !token_checksum_right(text) ||
        !base62_decode(slice_first(body, body.size - CRC_TEXT), out->binary, sizeof(out->binary),
                       &out->binary_size))
        return STATUS_INVALID;
    return read_binary(out);
}

/* Under the newest key of the ring, whatever key the text names: a salt says nothing of it. */
static enum status
make_salt(struct slice public_text, struct keyring_state *ring, uint8_t out[TOKEN_SALT_SIZE])
{
    const struct slice parts[] = { SALT_LABEL, public_text };
    uint8_t mac[MAC_SIZE];
    enum status status = mac_compute(keyring_state_newest(ring), parts, 2, mac);

    if (status == STATUS_OK)
        memcpy(out, mac, TOKEN_SALT_SIZE);
    return status;
}

static enum status
make_whole(struct token_view *view, struct keyring_state *ring, struct token_secret *out)
{
    size_t size = view->binary_size + MAC_SIZE;
    const char *prefix = view->attenuated ? "writa_" : "writ_";
    bool known;
    enum status status;

    if (size > sizeof(view->binary) ||
        strlen(prefix) + base62_encoded_size(size) + CRC_TEXT > TOKEN_TEXT_MAX)
        return STATUS_INVALID;
    status = token_mac(view, ring, view->mac, &known);
    if (status != STATUS_OK)
        return status;
    memcpy(view->binary + view->binary_size, view->mac, MAC_SIZE);
    view->binary_size = size;
    out->size = token_put_text(prefix, view->binary, size, out->text);
    return STATUS_OK;
}

enum status
token_secret_of(struct slice public_text, struct keyring_state *ring, struct token_secret *out)
{
    struct token_view view;
    enum status status = token_public_parse(public_text, &view);

    if (status == STATUS_OK)
        status = make_salt(public_text, ring, out->salt);
    if (status == STATUS_OK)
        status = make_whole(&view, ring, out);
    token_view_wipe(&view);
    return status;
}

void
token_secret_wipe(struct token_secret *secret)
{
    secret_wipe(secret, sizeof(*secret));
}
