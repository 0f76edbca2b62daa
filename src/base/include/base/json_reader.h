/* base/json_reader.h - JSON (RFC 8259), token by token, without a tree: for what is read once
 * on a busy path and passed on as it came.
 *
 * Strict: UTF-8 and pairs of surrogates are checked, a member whose name the same object has
 * already is refused however it is spelled, depth and members are limited, nothing may be left
 * over. Two different names count as the same once in 2^64. */
#ifndef WRIT_BASE_JSON_READER_H
#define WRIT_BASE_JSON_READER_H

#include "base/buffer.h"

enum { JSON_READER_DEPTH = 64, JSON_READER_MEMBERS = 4096 };

enum json_token {
    JSON_TOKEN_OBJECT, /* { */
    JSON_TOKEN_ARRAY,  /* [ */
    JSON_TOKEN_END,    /* } or ] */
    JSON_TOKEN_NAME,   /* of a member; its value comes next */
    JSON_TOKEN_STRING,
    JSON_TOKEN_NUMBER,
    JSON_TOKEN_TRUE,
    JSON_TOKEN_FALSE,
    JSON_TOKEN_NULL,
    JSON_TOKEN_DONE,  /* the value is complete, and nothing stands behind it */
    JSON_TOKEN_WRONG, /* reader->why */
};

struct json_reader {
    const char *start, *at, *end;
    struct buffer text; /* of the last string, where it has escapes */
    unsigned depth;
    uint64_t arrays; /* a bit for each level: 1 where it is an array */
    uint64_t *names; /* hashes of the members of the objects that are open */
    size_t name_count, name_room;
    size_t level_names[JSON_READER_DEPTH + 1]; /* where each level's begin */
    uint8_t wants;                             /* what may come next; the reader's */
    const char *why;
};

/* The bytes outlive the reader. */
void json_reader_init(struct json_reader *reader, struct slice bytes);
void json_reader_free(struct json_reader *reader);

/* raw is the token as it is spelled, quotes included; text is a string's or a name's value,
 * until the next call. */
struct json_piece {
    enum json_token token;
    struct slice raw, text;
};
enum json_token json_next(struct json_reader *reader, struct json_piece *out);
/* Behind a NAME, or in an array: the rest of the value that *first began, as it stands in the
 * bytes, is read and checked. For a scalar that is the token itself. False: WRONG. */
bool json_skip(struct json_reader *reader, const struct json_piece *first, struct slice *whole);

#endif
