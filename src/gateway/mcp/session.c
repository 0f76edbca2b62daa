/* gateway/mcp/session.c - "ID.SEAL". */
#include "session.h"

#include "base/encoding.h"
#include "base/secret.h"
#include "crypto/mac.h"

enum { SEAL_SIZE = 16, SEAL_TEXT = 22, SESSION_MAX = 512 };

static bool
seal(const struct mcp_owner *owner, struct slice id, uint8_t out[MAC_SIZE])
{
    const struct slice parts[] = {
        SLICE_LITERAL("writ mcp session 1\0"),
        owner->upstream,
        SLICE_LITERAL("\0"),
        slice_of(owner->line->bytes, sizeof owner->line->bytes),
        id,
    };

    return mac_once(owner->key, SECRET_SIZE, parts, sizeof parts / sizeof parts[0], out) ==
           STATUS_OK;
}

struct slice
mcp_session_seal(const struct mcp_owner *owner, struct slice id, struct arena *arena)
{
    struct buffer text = BUFFER_LIMITED(SESSION_MAX + SEAL_TEXT + 1);
    struct slice sealed = { 0 };
    uint8_t mac[MAC_SIZE];

    if (id.size == 0 || id.size > SESSION_MAX || !seal(owner, id, mac))
        return sealed;
    put_slice(&text, id);
    put_u8(&text, '.');
    put_base64url(&text, mac, SEAL_SIZE);
    if (buffer_status(&text) == STATUS_OK)
        sealed = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return sealed;
}

bool
mcp_session_open(const struct mcp_owner *owner, struct slice sealed, struct slice *id)
{
    uint8_t given[SEAL_SIZE], mac[MAC_SIZE];
    size_t size;

    if (sealed.size < SEAL_TEXT + 2 || sealed.size > SESSION_MAX + SEAL_TEXT + 1 ||
        sealed.at[sealed.size - SEAL_TEXT - 1] != '.' ||
        !base64url_decode(slice_from(sealed, sealed.size - SEAL_TEXT), given, sizeof given,
                          &size) ||
        size != SEAL_SIZE)
        return false;
    *id = slice_first(sealed, sealed.size - SEAL_TEXT - 1);
    return seal(owner, *id, mac) && secret_equal(given, mac, SEAL_SIZE);
}
