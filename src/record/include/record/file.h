/* record/file.h - a recording as it lies on the disk: sealed chunks, as bytes; no descriptors.
 *
 *   file:  | "WRITREC" 7 | version 1 | id 16 | sealed key 61 | chunk … |
 *   chunk: | size of what is sealed, be32 | kind 1 | sealed |
 *
 * sealed is crypto/seal.h's AES-256-GCM: version, nonce, ciphertext, tag. The recording's key is
 * random, and sealed under the master with version and id as context. A chunk is sealed under the
 * recording's key; its context is a label, the id, the chunk's number (be64, from 0, not stored)
 * and its kind, so that a chunk which was moved, left out, repeated or taken from another
 * recording does not open.
 *
 * Chunk 0 is ABOUT; EVENTS follow in any number; END is the last, and nothing may stand behind it.
 * A file without END was cut off, by a crash or by a hand: what stands before the cut reads, and
 * the reader says that the end is missing.
 *
 * The digest is SHA-256 of the head, then for each chunk SHA-256 of the digest so far and the
 * chunk as it lies in the file: who has noted it elsewhere knows this file from every other. */
#ifndef WRIT_RECORD_FILE_H
#define WRIT_RECORD_FILE_H

#include "base/buffer.h"
#include "base/secret.h"

enum {
    RECORD_DIGEST_SIZE = 32,
    RECORD_ID_SIZE = 16,
    RECORD_CHUNK_MOST = 1 << 20, /* of plain bytes */
};

enum record_kind { RECORD_ABOUT = 1, RECORD_EVENTS = 2, RECORD_END = 3 };

struct record_id {
    uint8_t bytes[RECORD_ID_SIZE];
};

/* The master of all recordings, of the key that seals the ring (RFC 5869 §2.3, one block). */
enum status record_master(const struct secret *sealing, struct secret *out) WRIT_MUST_USE;

/* --- writing --- */

struct record_writer {
    struct record_id id;
    struct secret key;
    uint8_t digest[RECORD_DIGEST_SIZE];
    uint64_t next;
    bool ended;
};

/* Makes id and key; appends the file's head. */
enum status record_begin(struct record_writer *writer, const struct secret *master,
                         struct buffer *out) WRIT_MUST_USE;
/* Appends one chunk. INVALID: not in the order that the format has. Not OK: out may hold a part
 * of a chunk, and the recording is over. */
enum status record_put(struct record_writer *writer, enum record_kind kind, struct slice plain,
                       struct buffer *out) WRIT_MUST_USE;
void record_writer_wipe(struct record_writer *writer);

/* --- reading --- */

struct record_reader {
    const struct secret *master; /* outlives the reader */
    struct record_id id;
    struct secret key;
    uint8_t digest[RECORD_DIGEST_SIZE]; /* means nothing behind record_skip */
    uint64_t next;
    bool opened, ended, wrong; /* wrong once is wrong for ever */
};

enum record_read {
    RECORD_MORE,  /* at the file's end: it was cut off, or is still being written */
    RECORD_CHUNK, /* *kind, and the plain bytes, appended */
    RECORD_DONE,  /* behind END, and nothing is left */
    RECORD_WRONG, /* altered, of another key, or no recording */
};

/* Reads from the front of in; *used says how much of it, more than 0 with CHUNK alone. */
enum record_read record_next(struct record_reader *reader, struct slice in, size_t *used,
                             enum record_kind *kind, struct buffer *plain);
/* Passes over a chunk behind ABOUT of which only the first RECORD_CHUNK_HEAD bytes are in
 * hand, unread: *size is what it takes in the file. What is read behind it must still be the chunk
 * of that number. */
enum { RECORD_CHUNK_HEAD = 5 };
enum record_read record_skip(struct record_reader *reader, struct slice head, size_t *size);
void record_reader_wipe(struct record_reader *reader);

#endif
