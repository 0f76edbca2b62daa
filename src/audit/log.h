/* audit/log.h - the writer of the chained, signed log: appends frames in batches,
 * closes segments, removes those that retention lets go. One thread.
 *
 * Frames gather in a batch; log_flush writes it whole or leaves the log exactly
 * as it was at the last flush, so that a full disk can be tried again. */
#ifndef WRIT_AUDIT_LOG_H
#define WRIT_AUDIT_LOG_H

#include "indexer.h"
#include "segment.h"

enum { LOG_BATCH = 1 << 20 };

struct log_options {
    const char *dir, *node;
    const struct signer *signer;
    int64_t retention_ms; /* 0: for ever */
    uint32_t segment_lines;
    struct indexer *indexer; /* borrowed; NULL: who searches makes the indexes */
};

/* Where the log stands. */
struct log_point {
    uint64_t segment;  /* the newest; 0 before the first */
    bool open;         /* the newest is not closed */
    uint64_t first;    /* of its lines */
    uint64_t next_seq; /* of the next line */
    uint64_t size;
    int64_t made_at, min_at, max_at;
    uint64_t unsigned_frames; /* since the last head */
    uint8_t chain[HASH_SIZE];
    uint8_t previous[HASH_SIZE];
};

/* A closed segment. */
struct log_closed {
    uint64_t number, first, last, size;
    int64_t max_at;
    uint8_t closing[HASH_SIZE];
};

struct log {
    struct log_options options;
    int fd, lock;
    struct log_point now, written;
    struct log_closed *closed;
    size_t closed_count, closed_room;
    uint8_t *batch;
    size_t batch_size;
    bool unsynced;
    int error; /* errno of the last failed write */
};

/* Called for each frame of the newest segment, so that the journals can be
 * compared with it. */
typedef enum status (*log_visitor)(void *context, struct slice frame, enum frame_kind kind);

/* Locks the directory, repairs a torn end. CORRUPT when a signed line of the
 * newest segment was changed. */
enum status log_open(const struct log_options *options, log_visitor visitor, void *context,
                     struct log *log, struct fault *fault) WRIT_MUST_USE;
void log_free(struct log *log);

/* Opens a segment in the batch if none is open. Call before the first append. */
enum status log_ready(struct log *log) WRIT_MUST_USE;
/* Where the next frame goes; the caller fills it and calls log_append. */
uint8_t *log_place(struct log *log);
/* at: the line's time; ignored for an end. */
enum status log_append(struct log *log, size_t size, enum frame_kind kind,
                       int64_t at) WRIT_MUST_USE;
bool log_batch_full(const struct log *log);
enum status log_flush(struct log *log) WRIT_MUST_USE;
/* Signs what stands and syncs. Nothing to sign: only syncs. */
enum status log_sign(struct log *log) WRIT_MUST_USE;
bool log_close_due(const struct log *log, int64_t now);
/* Footer, sync; its index is asked for. The batch must be flushed. */
enum status log_close_segment(struct log *log) WRIT_MUST_USE;
/* Removes whole segments whose lines are all older than the retention, after a
 * signed note about them is on the disk. */
enum status log_retain(struct log *log, int64_t now) WRIT_MUST_USE;
/* Adds to closed. */
enum status log_remember(struct log *log, const struct log_closed *closed) WRIT_MUST_USE;
uint64_t log_bytes(const struct log *log);

#endif
