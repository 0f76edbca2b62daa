/* authority/webhook_message.c - what a receiver is told, and how it knows that we say it. */
#include <stdio.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "crypto/random.h"
#include "webhook.h"

#define KEY_PREFIX SLICE_LITERAL("whsec_")
enum { KEY_MAX = 4096, ID_BYTES = 16 };

static const char *const types[] = {
    [TOLD_REQUESTED] = "approval.requested", [TOLD_APPROVED] = "approval.approved",
    [TOLD_REFUSED] = "approval.refused",     [TOLD_EXPIRED] = "approval.expired",
    [TOLD_GONE] = "approval.gone",           [TOLD_WITHDRAWN] = "approval.withdrawn",
};

static struct slice
without_line_end(struct slice text)
{
    while (text.size > 0 && (text.at[text.size - 1] == '\n' || text.at[text.size - 1] == '\r'))
        text.size--;
    return text;
}

enum status
webhook_key(struct slice text, struct buffer *key, struct fault *fault)
{
    text = without_line_end(text);
    if (slice_starts(text, KEY_PREFIX)) {
        size_t size = 0;
        char *room = buffer_room(key, KEY_MAX);

        if (room == NULL)
            return STATUS_MEMORY;
        if (!base64_decode(slice_from(text, KEY_PREFIX.size), (uint8_t *)room, KEY_MAX, &size))
            return fault_set(fault, STATUS_INVALID, "holds no base64 behind whsec_");
        buffer_added(key, size);
    } else {
        put_slice(key, text);
    }
    if (buffer_status(key) != STATUS_OK)
        return buffer_status(key);
    return key->size >= WEBHOOK_KEY_MIN
               ? STATUS_OK
               : fault_set(fault, STATUS_INVALID, "holds a secret of fewer than %d bytes",
                           WEBHOOK_KEY_MIN);
}

enum status
webhook_id(char out[WEBHOOK_ID_SIZE + 1])
{
    uint8_t random[ID_BYTES];
    struct buffer text = { 0 };
    enum status status = random_bytes(random, sizeof random);

    if (status != STATUS_OK)
        return status;
    put_text(&text, "msg_");
    put_hex(&text, random, sizeof random);
    status = buffer_status(&text);
    if (status == STATUS_OK) {
        memcpy(out, text.bytes, WEBHOOK_ID_SIZE);
        out[WEBHOOK_ID_SIZE] = '\0';
    }
    buffer_free(&text);
    return status;
}

enum status
webhook_body(const struct approval_entry *entry, enum approval_event event, const char *id,
             int64_t at, struct buffer *out)
{
    char time[TIME_TEXT_MAX];
    json_t *body = json_pack("{s:s, s:s, s:s, s:o}", "type", types[event], "id", id, "at",
                             time_format(at, time), "approval", approval_json_whole(entry));

    if (body == NULL)
        return STATUS_MEMORY;
    put_json(out, body);
    json_decref(body);
    return buffer_status(out);
}

enum status
webhook_sign(struct mac_state *key, const struct webhook_signed *what, struct buffer *out)
{
    char time[32];
    uint8_t mac[MAC_SIZE];
    enum status status;

    snprintf(time, sizeof time, ".%lld.", (long long)what->timestamp);
    const struct slice parts[] = { what->id, slice_text(time), what->body };
    status = mac_compute(key, parts, sizeof parts / sizeof parts[0], mac);
    if (status != STATUS_OK)
        return status;
    put_text(out, "v1,");
    put_base64(out, mac, sizeof mac);
    return buffer_status(out);
}
