/* audit/record.h - the frames of the log: one canonical encoding of each line,
 * of the end of a line that was sealed open, and of what is signed.
 *
 *     frame = size:u32 kind:u8 … , little-endian, fixed places, then the texts, where
 *             possession was proven the thumbprint of the key, and for a child its chain
 *
 * In a segment each frame is followed by hash = SHA-256(hash before || frame). */
#ifndef WRIT_AUDIT_RECORD_H
#define WRIT_AUDIT_RECORD_H

#include "audit/event.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

enum frame_kind {
    FRAME_LINE = 1, /* complete */
    FRAME_OPEN,     /* a line whose end is not known yet */
    FRAME_END,      /* the end of a line sealed open, or the last count of a folded one */
    FRAME_HEAD,     /* a signature over all that stands before it */
    FRAME_NOTE,     /* signed: segments up to one were removed by retention */
    FRAME_FOOTER    /* signed: the segment is closed */
};

/* In the order in which they stand. The first eight say who asked for what under
 * which right: what most lines have in common with their neighbours. */
enum record_text {
    TEXT_TOKEN,
    TEXT_LABEL,
    TEXT_SUBJECT,
    TEXT_SUBJECT_TYPE,
    TEXT_ROLE,
    TEXT_RIGHT,
    TEXT_RESOURCE,
    TEXT_ACTION,
    TEXT_OBJECT,
    TEXT_REASON,
    TEXT_AGENT,
    TEXT_STATEMENT,
    TEXT_COUNT
};

enum {
    LINE_FIXED = 120,
    LINE_MAX = LINE_FIXED + (TEXT_COUNT + 1) * AUDIT_TEXT_MAX + AUDIT_KEY_SIZE,
    ENDING_SIZE = 48,
    SEAL_SIZE = 184,
    SEAL_SIGNED = SEAL_SIZE - ED25519_SIGNATURE_SIZE,
    FRAME_HEAD_SIZE = 5,
    FRAME_MAX = LINE_MAX
};

/* Ends a text that was cut at AUDIT_TEXT_MAX. */
#define CUT_MARKER "\xe2\x80\xa6"

struct record {
    enum frame_kind kind;
    uint64_t seq, position; /* position: where the line stood in its journal */
    uint16_t journal;
    uint32_t count; /* 1, or how many a folded line stands for */
    struct slice text[TEXT_COUNT];
    struct audit_event event; /* its slices are those of text */
    struct audit_outcome outcome;
};

struct ending {
    uint64_t seq; /* of the line that ends */
    uint32_t count;
    struct audit_outcome outcome;
};

/* HEAD and FOOTER say how far their segment reaches; NOTE says the same of the
 * last segment that retention removed. */
struct seal_frame {
    enum frame_kind kind;
    uint64_t segment, first, last; /* last < first: no line yet */
    int64_t min_at, max_at;
    uint8_t chain[HASH_SIZE];    /* HEAD, FOOTER: before this frame; NOTE: closing hash */
    uint8_t previous[HASH_SIZE]; /* closing hash of the segment before */
    uint8_t signature[ED25519_SIGNATURE_SIZE];
};

/* Frames of lines are made without seq and origin; record_place adds them. */
size_t record_size(const struct audit_event *event);
void record_write(const struct audit_event *event, const struct audit_outcome *outcome, uint8_t *to,
                  size_t size);
void record_place(uint8_t *frame, uint64_t seq, uint16_t journal, uint64_t position);
void record_open(uint8_t *frame);
int64_t record_at(const uint8_t *frame); /* the line's time */
void record_complete(uint8_t *frame, uint32_t count, const struct audit_outcome *outcome);
void ending_write(const struct ending *ending, uint8_t to[ENDING_SIZE]);
/* All but the signature, which goes over the bytes before it. */
void seal_write(const struct seal_frame *seal, uint8_t to[SEAL_SIZE]);

enum frame_fit { FRAME_MORE, FRAME_WHOLE, FRAME_MALFORMED };
/* Where the first frame of bytes ends; looks at its size and kind alone. */
enum frame_fit frame_split(struct slice bytes, struct slice *frame, enum frame_kind *kind);
/* False for whatever record_write would not have written. Slices borrow. */
bool record_read(struct slice frame, struct record *out);
bool ending_read(struct slice frame, struct ending *out);
bool seal_read(struct slice frame, struct seal_frame *out);

/* The bytes that a seal's signature covers: a label, then the frame up to it. */
enum { SEAL_MESSAGE_SIZE = 16 + SEAL_SIGNED };
void seal_message(const uint8_t frame[SEAL_SIZE], uint8_t to[SEAL_MESSAGE_SIZE]);

enum status chain_next(uint8_t chain[HASH_SIZE], struct slice frame) WRIT_MUST_USE;

#endif
