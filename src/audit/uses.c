/* audit/uses.c - gathers lines by who asked, under which right, for what. */
#include "uses.h"

#include <stdlib.h>

#include "bytes.h"
#include "shape.h"

struct slice
token_base(struct slice token)
{
    return slice_first(token, slice_find(token, '/'));
}

static size_t
key_write(const struct slice text[USE_TEXTS], uint8_t key[USE_KEY_MAX])
{
    size_t size = 0;

    for (unsigned i = 0; i < USE_TEXTS; i++) {
        store16(key + size, (uint16_t)text[i].size);
        if (text[i].size > 0)
            memcpy(key + size + 2, text[i].at, text[i].size);
        size += 2 + text[i].size;
    }
    return size;
}

static bool
key_read(struct slice key, struct slice text[USE_TEXTS])
{
    size_t at = 0;

    for (unsigned i = 0; i < USE_TEXTS; i++) {
        size_t size;

        if (key.size - at < 2)
            return false;
        size = load16((const uint8_t *)key.at + at);
        if (size > AUDIT_TEXT_MAX || size > key.size - at - 2)
            return false;
        text[i] = slice_of(key.at + at + 2, size);
        at += 2 + size;
    }
    return at == key.size;
}

enum status
uses_add(struct uses *uses, const struct slice text[USE_TEXTS], const struct use_count *count)
{
    uint8_t key[USE_KEY_MAX];
    uint32_t number, before = uses->keys.count;
    enum status status;

    if (before == uses->room) {
        size_t room = uses->room == 0 ? 256 : 2 * uses->room;
        struct use_count *more = reallocarray(uses->counts, room, sizeof *more);

        if (more == NULL)
            return STATUS_MEMORY;
        uses->counts = more;
        uses->room = room;
    }
    status = intern_add(&uses->keys, slice_of(key, key_write(text, key)), &number);
    if (status != STATUS_OK)
        return status;
    if (number == before)
        uses->counts[number] = (struct use_count){ .last = INT64_MIN };
    uses->counts[number].allowed += count->allowed;
    uses->counts[number].denied += count->denied;
    if (count->last > uses->counts[number].last)
        uses->counts[number].last = count->last;
    return STATUS_OK;
}

enum status
uses_add_record(struct uses *uses, const struct record *record)
{
    const struct audit_event *event = &record->event;
    struct use_count count = { .last = event->at };
    char shape[AUDIT_TEXT_MAX];
    struct slice text[USE_TEXTS] = { [USE_TOKEN] = token_base(event->token),
                                     [USE_SUBJECT] = event->subject,
                                     [USE_ROLE] = event->role,
                                     [USE_RIGHT] = event->right };

    if (event->decision == AUDIT_ALLOW) {
        count.allowed = record->count;
        text[USE_RESOURCE] = event->resource;
        text[USE_ACTION] = event->action;
        text[USE_OBJECT] = shape_of(event->object, shape);
    } else {
        count.denied = record->count;
    }
    return uses_add(uses, text, &count);
}

void
uses_texts(const struct uses *uses, uint32_t number, struct slice text[USE_TEXTS])
{
    (void)!key_read(intern_get(&uses->keys, number), text);
}

void
uses_free(struct uses *uses)
{
    intern_free(&uses->keys);
    free(uses->counts);
    *uses = (struct uses){ 0 };
}

void
put_uses(struct buffer *out, const struct uses *uses)
{
    for (uint32_t i = 0; i < uses->keys.count; i++) {
        struct slice key = intern_get(&uses->keys, i);
        uint8_t fixed[24];
        uint8_t size[4];

        store32(size, (uint32_t)key.size);
        store64(fixed, uses->counts[i].allowed);
        store64(fixed + 8, uses->counts[i].denied);
        store64(fixed + 16, (uint64_t)uses->counts[i].last);
        put_bytes(out, size, sizeof size);
        put_slice(out, key);
        put_bytes(out, fixed, sizeof fixed);
    }
}

bool
take_use(struct cursor *in, struct slice text[USE_TEXTS], struct use_count *count)
{
    struct cursor at = *in;
    struct slice size, key, fixed;
    const uint8_t *bytes;

    if (!take_bytes(&at, 4, &size) || !take_bytes(&at, load32((const uint8_t *)size.at), &key) ||
        !take_bytes(&at, 24, &fixed) || !key_read(key, text))
        return false;
    bytes = (const uint8_t *)fixed.at;
    *count = (struct use_count){ .allowed = load64(bytes),
                                 .denied = load64(bytes + 8),
                                 .last = (int64_t)load64(bytes + 16) };
    *in = at;
    return true;
}
