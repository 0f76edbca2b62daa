/* audit/record.c - encodes and decodes the frames of the log, strictly. */
#include "record.h"

#include "bytes.h"

enum {
    AT_KIND = 4,
    AT_DECISION = 5,
    AT_PROOF = 6,
    AT_FAMILY = 7,
    AT_SEQ = 8,
    AT_TIME = 16,
    AT_POSITION = 24,
    AT_JOURNAL = 32,
    AT_PORT = 34,
    AT_COUNT = 36,
    AT_SESSION = 40,
    AT_PEER = 48,
    AT_STATUS = 64,
    AT_CHAIN = 68, /* its length */
    AT_ZERO = 70,
    AT_BYTES_IN = 72,
    AT_BYTES_OUT = 80,
    AT_DURATION = 88,
    AT_LENGTHS = 96
};

static void
texts_of(const struct audit_event *event, struct slice text[TEXT_COUNT])
{
    text[TEXT_TOKEN] = event->token;
    text[TEXT_LABEL] = event->label;
    text[TEXT_SUBJECT] = event->subject;
    text[TEXT_SUBJECT_TYPE] = event->subject_type;
    text[TEXT_ROLE] = event->role;
    text[TEXT_RIGHT] = event->right;
    text[TEXT_RESOURCE] = event->resource;
    text[TEXT_ACTION] = event->action;
    text[TEXT_OBJECT] = event->object;
    text[TEXT_REASON] = event->reason;
    text[TEXT_AGENT] = event->agent;
    text[TEXT_STATEMENT] = event->statement;
}

static size_t
text_size(struct slice text)
{
    return text.size > AUDIT_TEXT_MAX ? AUDIT_TEXT_MAX : text.size;
}

static size_t
key_size(enum audit_proof proof)
{
    return proof == AUDIT_PROOF_NONE ? 0 : AUDIT_KEY_SIZE;
}

size_t
record_size(const struct audit_event *event)
{
    struct slice text[TEXT_COUNT];
    size_t size = LINE_FIXED;

    texts_of(event, text);
    for (unsigned i = 0; i < TEXT_COUNT; i++)
        size += text_size(text[i]);
    return size + key_size(event->proof) + text_size(event->chain);
}

/* A cut text fills its place exactly: whole UTF-8 characters, the marker, and in
 * the gap before it (at most three bytes) full stops. */
static void
write_cut(struct slice text, uint8_t *to)
{
    const size_t marker = sizeof CUT_MARKER - 1;
    size_t kept = AUDIT_TEXT_MAX - marker;

    for (unsigned back = 0; back < 3 && ((uint8_t)text.at[kept] & 0xc0) == 0x80; back++)
        kept--;
    memcpy(to, text.at, kept);
    memset(to + kept, '.', AUDIT_TEXT_MAX - marker - kept);
    memcpy(to + AUDIT_TEXT_MAX - marker, CUT_MARKER, marker);
}

/* Returns where the next stands. */
static uint8_t *
write_text(struct slice text, uint8_t *to)
{
    size_t length = text_size(text);

    if (length < text.size)
        write_cut(text, to);
    else if (length > 0)
        memcpy(to, text.at, length);
    return to + length;
}

void
record_write(const struct audit_event *event, const struct audit_outcome *outcome, uint8_t *to,
             size_t size)
{
    struct slice text[TEXT_COUNT];
    uint8_t *at = to + LINE_FIXED;

    memset(to, 0, LINE_FIXED);
    store32(to, (uint32_t)size);
    to[AT_KIND] = FRAME_LINE;
    to[AT_DECISION] = (uint8_t)event->decision;
    to[AT_PROOF] = (uint8_t)event->proof;
    to[AT_FAMILY] = (uint8_t)event->peer.family;
    store64(to + AT_TIME, (uint64_t)event->at);
    store16(to + AT_PORT, event->peer_port);
    store64(to + AT_SESSION, event->session);
    if (event->peer.family != IP_NONE)
        memcpy(to + AT_PEER, event->peer.bytes, event->peer.family == IP_V4 ? 4 : 16);
    if (outcome != NULL)
        record_complete(to, 1, outcome);
    else
        store32(to + AT_COUNT, 1);
    texts_of(event, text);
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        store16(to + AT_LENGTHS + 2 * i, (uint16_t)text_size(text[i]));
        at = write_text(text[i], at);
    }
    if (event->key != NULL)
        memcpy(at, event->key, key_size(event->proof));
    else
        memset(at, 0, key_size(event->proof));
    store16(to + AT_CHAIN, (uint16_t)text_size(event->chain));
    (void)write_text(event->chain, at + key_size(event->proof));
}

void
record_place(uint8_t *frame, uint64_t seq, uint16_t journal, uint64_t position)
{
    store64(frame + AT_SEQ, seq);
    store16(frame + AT_JOURNAL, journal);
    store64(frame + AT_POSITION, position);
}

void
record_open(uint8_t *frame)
{
    frame[AT_KIND] = FRAME_OPEN;
}

int64_t
record_at(const uint8_t *frame)
{
    return (int64_t)load64(frame + AT_TIME);
}

void
record_complete(uint8_t *frame, uint32_t count, const struct audit_outcome *outcome)
{
    store32(frame + AT_COUNT, count);
    store32(frame + AT_STATUS, outcome->status);
    store64(frame + AT_BYTES_IN, outcome->bytes_in);
    store64(frame + AT_BYTES_OUT, outcome->bytes_out);
    store64(frame + AT_DURATION, outcome->duration_us);
}

static void
outcome_read(const uint8_t *at, struct audit_outcome *out)
{
    out->status = load32(at + AT_STATUS);
    out->bytes_in = load64(at + AT_BYTES_IN);
    out->bytes_out = load64(at + AT_BYTES_OUT);
    out->duration_us = load64(at + AT_DURATION);
}

enum frame_fit
frame_split(struct slice bytes, struct slice *frame, enum frame_kind *kind)
{
    const uint8_t *at = (const uint8_t *)bytes.at;
    uint32_t size, least, most;

    if (bytes.size < FRAME_HEAD_SIZE)
        return FRAME_MORE;
    size = load32(at);
    switch (at[AT_KIND]) {
    case FRAME_LINE:
    case FRAME_OPEN:
        least = LINE_FIXED;
        most = LINE_MAX;
        break;
    case FRAME_END:
        least = most = ENDING_SIZE;
        break;
    case FRAME_HEAD:
    case FRAME_NOTE:
    case FRAME_FOOTER:
        least = most = SEAL_SIZE;
        break;
    default:
        return FRAME_MALFORMED;
    }
    if (size < least || size > most)
        return FRAME_MALFORMED;
    if (bytes.size < size)
        return FRAME_MORE;
    *frame = slice_first(bytes, size);
    *kind = (enum frame_kind)at[AT_KIND];
    return FRAME_WHOLE;
}

static bool
all_zero(const uint8_t *at, size_t size)
{
    uint8_t seen = 0;

    for (size_t i = 0; i < size; i++)
        seen |= at[i];
    return seen == 0;
}

static bool
fixed_read(const uint8_t *at, struct record *out)
{
    static const uint8_t address_size[] = { [IP_NONE] = 0, [IP_V4] = 4, [IP_V6] = 16 };
    struct audit_event *event = &out->event;
    unsigned used;

    if (at[AT_DECISION] > AUDIT_ALLOW || at[AT_PROOF] > AUDIT_PROOF_CERTIFICATE ||
        at[AT_FAMILY] > IP_V6 || !all_zero(at + AT_ZERO, 2))
        return false;
    used = address_size[at[AT_FAMILY]];
    if (!all_zero(at + AT_PEER + used, 16 - used))
        return false;
    out->seq = load64(at + AT_SEQ);
    out->position = load64(at + AT_POSITION);
    out->journal = load16(at + AT_JOURNAL);
    out->count = load32(at + AT_COUNT);
    outcome_read(at, &out->outcome);
    if (out->count == 0)
        return false;
    if (out->kind == FRAME_OPEN &&
        (out->count != 1 || (!all_zero(at + AT_STATUS, 4) || !all_zero(at + AT_BYTES_IN, 24))))
        return false;
    event->at = (int64_t)load64(at + AT_TIME);
    event->session = load64(at + AT_SESSION);
    event->decision = (enum audit_decision)at[AT_DECISION];
    event->proof = (enum audit_proof)at[AT_PROOF];
    event->peer.family = (enum ip_family)at[AT_FAMILY];
    memcpy(event->peer.bytes, at + AT_PEER, 16);
    event->peer_port = load16(at + AT_PORT);
    return true;
}

bool
record_read(struct slice frame, struct record *out)
{
    const uint8_t *at = (const uint8_t *)frame.at;
    struct record record = { 0 };
    size_t offset = LINE_FIXED;

    if (frame.size < LINE_FIXED || load32(at) != frame.size ||
        (at[AT_KIND] != FRAME_LINE && at[AT_KIND] != FRAME_OPEN))
        return false;
    record.kind = (enum frame_kind)at[AT_KIND];
    if (!fixed_read(at, &record))
        return false;
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        size_t length = load16(at + AT_LENGTHS + 2 * i);

        if (length > AUDIT_TEXT_MAX || length > frame.size - offset)
            return false;
        record.text[i] = slice_of(frame.at + offset, length);
        offset += length;
    }
    size_t key = key_size(record.event.proof), chain = load16(at + AT_CHAIN);

    if (chain > AUDIT_TEXT_MAX || frame.size - offset != key + chain)
        return false;
    if (key > 0)
        record.event.key = at + offset;
    record.event.chain = slice_of(frame.at + offset + key, chain);
    record.event.token = record.text[TEXT_TOKEN];
    record.event.label = record.text[TEXT_LABEL];
    record.event.subject = record.text[TEXT_SUBJECT];
    record.event.subject_type = record.text[TEXT_SUBJECT_TYPE];
    record.event.role = record.text[TEXT_ROLE];
    record.event.right = record.text[TEXT_RIGHT];
    record.event.resource = record.text[TEXT_RESOURCE];
    record.event.action = record.text[TEXT_ACTION];
    record.event.object = record.text[TEXT_OBJECT];
    record.event.reason = record.text[TEXT_REASON];
    record.event.agent = record.text[TEXT_AGENT];
    record.event.statement = record.text[TEXT_STATEMENT];
    *out = record;
    return true;
}

void
ending_write(const struct ending *ending, uint8_t to[ENDING_SIZE])
{
    memset(to, 0, ENDING_SIZE);
    store32(to, ENDING_SIZE);
    to[AT_KIND] = FRAME_END;
    store64(to + AT_SEQ, ending->seq);
    store32(to + 16, ending->outcome.status);
    store32(to + 20, ending->count);
    store64(to + 24, ending->outcome.bytes_in);
    store64(to + 32, ending->outcome.bytes_out);
    store64(to + 40, ending->outcome.duration_us);
}

bool
ending_read(struct slice frame, struct ending *out)
{
    const uint8_t *at = (const uint8_t *)frame.at;

    if (frame.size != ENDING_SIZE || load32(at) != ENDING_SIZE || at[AT_KIND] != FRAME_END ||
        !all_zero(at + AT_DECISION, 3) || load32(at + 20) == 0)
        return false;
    *out = (struct ending){
        .seq = load64(at + AT_SEQ),
        .count = load32(at + 20),
        .outcome = { .status = load32(at + 16),
                     .bytes_in = load64(at + 24),
                     .bytes_out = load64(at + 32),
                     .duration_us = load64(at + 40) },
    };
    return true;
}

void
seal_write(const struct seal_frame *seal, uint8_t to[SEAL_SIZE])
{
    memset(to, 0, SEAL_SIZE);
    store32(to, SEAL_SIZE);
    to[AT_KIND] = (uint8_t)seal->kind;
    store64(to + 8, seal->segment);
    store64(to + 16, seal->first);
    store64(to + 24, seal->last);
    store64(to + 32, (uint64_t)seal->min_at);
    store64(to + 40, (uint64_t)seal->max_at);
    memcpy(to + 48, seal->chain, HASH_SIZE);
    memcpy(to + 80, seal->previous, HASH_SIZE);
    memcpy(to + SEAL_SIGNED, seal->signature, ED25519_SIGNATURE_SIZE);
}

bool
seal_read(struct slice frame, struct seal_frame *out)
{
    const uint8_t *at = (const uint8_t *)frame.at;

    if (frame.size != SEAL_SIZE || load32(at) != SEAL_SIZE || at[AT_KIND] < FRAME_HEAD ||
        at[AT_KIND] > FRAME_FOOTER || !all_zero(at + AT_DECISION, 3) ||
        !all_zero(at + 112, SEAL_SIGNED - 112))
        return false;
    *out = (struct seal_frame){
        .kind = (enum frame_kind)at[AT_KIND],
        .segment = load64(at + 8),
        .first = load64(at + 16),
        .last = load64(at + 24),
        .min_at = (int64_t)load64(at + 32),
        .max_at = (int64_t)load64(at + 40),
    };
    memcpy(out->chain, at + 48, HASH_SIZE);
    memcpy(out->previous, at + 80, HASH_SIZE);
    memcpy(out->signature, at + SEAL_SIGNED, ED25519_SIGNATURE_SIZE);
    return true;
}

void
seal_message(const uint8_t frame[SEAL_SIZE], uint8_t to[SEAL_MESSAGE_SIZE])
{
    /* The label keeps a signature of the log from passing for any other. */
    memcpy(to, "writ audit log 1", 16);
    memcpy(to + 16, frame, SEAL_SIGNED);
}

enum status
chain_next(uint8_t chain[HASH_SIZE], struct slice frame)
{
    const struct slice parts[] = { slice_of(chain, HASH_SIZE), frame };

    return hash_sha256(parts, 2, chain);
}
