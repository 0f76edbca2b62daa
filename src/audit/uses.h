/* audit/uses.h - what was used how often: lines gathered by who, right and shape
 * of the object; the summary of a segment, and the sum over many. */
#ifndef WRIT_AUDIT_USES_H
#define WRIT_AUDIT_USES_H

#include "base/buffer.h"
#include "intern.h"
#include "record.h"

/* The object stands as its shape (shape.h). Of a denied use only who asked, and
 * the right that refused or was needed, are kept. */
enum use_text {
    USE_TOKEN, /* without the hop */
    USE_SUBJECT,
    USE_ROLE,
    USE_RIGHT,
    USE_RESOURCE,
    USE_ACTION,
    USE_OBJECT,
    USE_TEXTS
};

struct use_count {
    uint64_t allowed, denied;
    int64_t last;
};

struct uses {
    struct intern keys;
    struct use_count *counts; /* by key */
    size_t room;
};

enum { USE_KEY_MAX = USE_TEXTS * (2 + AUDIT_TEXT_MAX) };

enum status uses_add_record(struct uses *uses, const struct record *record) WRIT_MUST_USE;
enum status uses_add(struct uses *uses, const struct slice text[USE_TEXTS],
                     const struct use_count *count) WRIT_MUST_USE;
/* The texts of one; valid until the next add. */
void uses_texts(const struct uses *uses, uint32_t number, struct slice text[USE_TEXTS]);
void uses_free(struct uses *uses);

/* size:u32 key allowed:u64 denied:u64 last:u64, one after the other. */
void put_uses(struct buffer *out, const struct uses *uses);
/* Takes one off; false when nothing sound is left (in->at == in->end: at the end). */
bool take_use(struct cursor *in, struct slice text[USE_TEXTS], struct use_count *count);

/* An id text without "/HOP". */
struct slice token_base(struct slice token);

#endif
