/* audit/event_json.c - a line of the log as JSON. */
#include "event_json.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/encoding.h"

/* The size of a well-formed UTF-8 sequence at the front (RFC 3629), 0 if none. */
static size_t
sequence_size(struct slice text)
{
    const uint8_t *at = (const uint8_t *)text.at;
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    if (size == 0 || at[0] > 0xf4 || size > text.size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

json_t *
text_json(struct slice text)
{
    json_t *value;
    struct buffer out = { 0 };

    if (text.size == 0)
        return json_null();
    value = json_slice(text);
    if (value != NULL)
        return value;
    while (text.size > 0) {
        size_t size = sequence_size(text);

        if (size == 0)
            put_text(&out, "\xef\xbf\xbd");
        else
            put_slice(&out, slice_first(text, size));
        text = slice_from(text, size == 0 ? 1 : size);
    }
    if (buffer_status(&out) == STATUS_OK)
        value = json_slice(buffer_slice(&out));
    buffer_free(&out);
    return value;
}

static json_t *
peer_json(const struct audit_event *event)
{
    char ip[IP_TEXT_MAX], text[IP_TEXT_MAX + 16];

    ip_format(&event->peer, ip);
    if (event->peer.family == IP_NONE || event->peer_port == 0)
        return json_string(ip);
    snprintf(text, sizeof text, event->peer.family == IP_V6 ? "[%s]:%u" : "%s:%u", ip,
             (unsigned)event->peer_port);
    return json_string(text);
}

static json_t *
proof_json(enum audit_proof proof)
{
    switch (proof) {
    case AUDIT_PROOF_DPOP:
        return json_string("dpop");
    case AUDIT_PROOF_CERTIFICATE:
        return json_string("certificate");
    default:
        return json_null();
    }
}

static json_t *
key_json(const uint8_t key[AUDIT_KEY_SIZE])
{
    struct buffer out = { 0 };
    json_t *value = NULL;

    put_base64url(&out, key, AUDIT_KEY_SIZE);
    if (buffer_status(&out) == STATUS_OK)
        value = json_slice(buffer_slice(&out));
    buffer_free(&out);
    return value;
}

static json_t *
hash_json(const uint8_t hash[HASH_SIZE])
{
    struct buffer out = { 0 };
    json_t *value = NULL;

    put_hex(&out, hash, HASH_SIZE);
    if (buffer_status(&out) == STATUS_OK)
        value = json_slice(buffer_slice(&out));
    buffer_free(&out);
    return value;
}

/* The parent first. A text that was cut ends with a whole pair. */
static json_t *
chain_json(struct slice chain)
{
    json_t *list = json_array();
    struct slice link;

    while (chain.size > 0 && slice_next(&chain, ' ', &link)) {
        size_t slash = slice_find(link, '/');

        if (slash < link.size)
            json_array_append_new(list, json_pack("{s:o, s:o}", "subject",
                                                  text_json(slice_first(link, slash)), "token",
                                                  text_json(slice_from(link, slash + 1))));
    }
    return list;
}

static json_t *
number_json(bool known, uint64_t value)
{
    return known ? json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value)) : json_null();
}

json_t *
event_json(const struct record *record, const char *node, const uint8_t hash[HASH_SIZE])
{
    const struct audit_event *event = &record->event;
    const struct audit_outcome *outcome = &record->outcome;
    bool ended = record->kind == FRAME_LINE;
    char at[TIME_TEXT_MAX];
    const struct {
        const char *name;
        json_t *value;
    } members[] = {
        { "seq", number_json(true, record->seq) },
        { "at", json_string(time_format(event->at, at)) },
        { "node", text_json(slice_text(node)) },
        { "session", number_json(event->session != 0, event->session) },
        { "token", text_json(event->token) },
        { "label", text_json(event->label) },
        { "subject", text_json(event->subject) },
        { "subject_type", text_json(event->subject_type) },
        { "role", text_json(event->role) },
        { "resource", text_json(event->resource) },
        { "action", text_json(event->action) },
        { "object", text_json(event->object) },
        { "decision", json_string(event->decision == AUDIT_ALLOW ? "allow" : "deny") },
        { "right", text_json(event->right) },
        { "reason", text_json(event->reason) },
        { "proof", proof_json(event->proof) },
        { "peer", peer_json(event) },
        { "agent", text_json(event->agent) },
        { "status", number_json(ended, outcome->status) },
        { "bytes_in", number_json(ended, outcome->bytes_in) },
        { "bytes_out", number_json(ended, outcome->bytes_out) },
        { "duration_us", number_json(ended, outcome->duration_us) },
        { "hash", hash_json(hash) },
    };
    json_t *object = json_object();
    bool fine = object != NULL;

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        fine = json_object_set_new(object, members[i].name, members[i].value) == 0 && fine;
    if (event->key != NULL)
        fine = json_object_set_new(object, "key", key_json(event->key)) == 0 && fine;
    if (event->chain.size > 0)
        fine = json_object_set_new(object, "chain", chain_json(event->chain)) == 0 && fine;
    if (event->statement.size > 0)
        fine = json_object_set_new(object, "statement", text_json(event->statement)) == 0 && fine;
    if (record->count > 1)
        fine = json_object_set_new(object, "count", json_integer(record->count)) == 0 && fine;
    if (fine)
        return object;
    json_decref(object);
    return NULL;
}
