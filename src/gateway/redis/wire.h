/* gateway/redis/wire.h - RESP2 and RESP3 as bytes (redis.io/docs/reference/protocol-spec);
 * knows no policy. */
#ifndef WRIT_GATEWAY_REDIS_WIRE_H
#define WRIT_GATEWAY_REDIS_WIRE_H

#include "base/buffer.h"

enum resp { RESP_OK, RESP_MORE, RESP_MALFORMED };

enum {
    RESP_COMMAND_MAX = 16 << 20, /* bytes of a command */
    RESP_ARGUMENTS_MAX = 65536,
    RESP_DEPTH_MAX = 32, /* of arrays in a reply */
    /* Of a command before the log-in, whose sender nobody knows: */
    RESP_NARROW_MAX = 16 << 10,
    RESP_NARROW_ARGUMENTS_MAX = 10,
};

/* --- commands ------------------------------------------------------------------------ */

/* Where an argument stands, from the command's first byte. */
struct resp_part {
    uint32_t offset, size;
};

/* Goes on where it stopped, so that a command in many pieces is read once. Zeroed: before a
 * command. */
struct resp_reader {
    struct resp_part *parts; /* owned */
    uint32_t count, capacity, expected;
    size_t at;   /* bytes read of this command */
    bool narrow; /* the smaller limits hold: set before each read */
};

/* The command at the beginning of bytes, which are the same ones as before and more. OK: it
 * is reader->parts, and *used bytes long. Only arrays of bulk strings are commands. */
enum resp resp_command_read(struct resp_reader *reader, struct slice bytes, size_t *used,
                            const char **why);
void resp_reader_clear(struct resp_reader *reader); /* before the next command */
void resp_reader_free(struct resp_reader *reader);

/* --- replies --------------------------------------------------------------------------- */

/* Finds the ends of replies in a stream that passes. Zeroed: before the first. */
struct resp_skimmer {
    uint64_t left[RESP_DEPTH_MAX]; /* elements that are still to come, by depth */
    unsigned depth;
    uint64_t bulk; /* bytes of a bulk string that are still to come, with its end */
    char line[32]; /* of the beginning of a line */
    unsigned line_size;
    bool in_line, attribute;
    bool deep; /* why it is malformed: arrays in arrays, deeper than RESP_DEPTH_MAX */
    /* Of the reply at the top that is under way, or ended last: */
    char type;     /* its first byte; 0: none has come */
    char word[16]; /* the first string in it */
    unsigned word_size;
    bool word_open;
    int64_t number; /* the last integer in it */
    bool begun;
};

enum skim { SKIM_MORE, SKIM_REPLY, SKIM_MALFORMED };
/* Reads up to the end of one reply. *used: bytes that were taken. */
enum skim resp_skim(struct resp_skimmer *skimmer, struct slice bytes, size_t *used);
/* Between two replies. */
bool resp_skim_at_rest(const struct resp_skimmer *skimmer);

/* --- writing ----------------------------------------------------------------------------- */

void resp_put_error(struct buffer *out, const char *code, struct slice message);
void resp_put_simple(struct buffer *out, const char *text);
void resp_put_array(struct buffer *out, size_t count);
void resp_put_bulk(struct buffer *out, struct slice bytes);

#endif
