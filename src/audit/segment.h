/* audit/segment.h - the log's files, and how they are read: by pread alone, so
 * that a file cut under a reader is an error and never a fault.
 *
 *     NNNNNN.seg = header, then frames, each followed by its hash
 *     header     = magic:8 number:u64 first seq:u64 made at:u64
 *                  previous segment's closing hash:32 node:u8+63
 *
 * The chain starts as SHA-256(previous closing hash || header); the closing hash
 * is that of the footer, the last frame. */
#ifndef WRIT_AUDIT_SEGMENT_H
#define WRIT_AUDIT_SEGMENT_H

#include "base/fault.h"
#include "record.h"

enum {
    SEGMENT_HEADER = 128,
    SEGMENT_NODE_MAX = 63,
    SEGMENT_LINES_MAX = 65536, /* a line's place in its segment fits two bytes */
    SEGMENT_BYTES_MAX = 32 << 20,
    SEGMENT_PATH_MAX = 4096
};

struct segment_header {
    uint64_t number, first;
    int64_t made_at;
    uint8_t previous[HASH_SIZE];
    char node[SEGMENT_NODE_MAX + 1];
};

void segment_header_write(const struct segment_header *header, uint8_t to[SEGMENT_HEADER]);
bool segment_header_read(const uint8_t from[SEGMENT_HEADER], struct segment_header *out);
enum status segment_chain_start(const uint8_t header[SEGMENT_HEADER],
                                uint8_t chain[HASH_SIZE]) WRIT_MUST_USE;

/* TOO_LARGE when the path is too long. suffix is "seg" or "idx". */
enum status segment_path(const char *dir, uint64_t number, const char *suffix,
                         char out[SEGMENT_PATH_MAX]) WRIT_MUST_USE;

/* The numbers of the segments in dir, ascending; the caller frees *numbers. */
enum status segment_list(const char *dir, uint64_t **numbers, size_t *count,
                         struct fault *fault) WRIT_MUST_USE;

struct segment {
    int fd;
    uint64_t size; /* when it was opened */
    struct segment_header header;
    uint8_t header_bytes[SEGMENT_HEADER];
};

/* NOT_FOUND when it is gone, CORRUPT when its header is none. */
enum status segment_open(const char *dir, uint64_t number, struct segment *out,
                         struct fault *fault) WRIT_MUST_USE;
void segment_close(struct segment *segment);
/* The last frame of a closed segment; NOT_FOUND when it is not closed. Structure
 * alone: no hash and no signature is checked. */
enum status segment_footer(const struct segment *segment, struct seal_frame *footer,
                           uint8_t closing[HASH_SIZE]) WRIT_MUST_USE;

/* Reads frames one by one. */
struct scan {
    const struct segment *segment;
    uint8_t *window;
    uint64_t window_at; /* offset in the file of the window's first byte */
    size_t window_size, next;
    uint64_t read; /* bytes */
    /* the frame */
    uint64_t offset;
    enum frame_kind kind;
    struct slice frame;
    const uint8_t *hash;
};

enum scan_step { SCAN_FRAME, SCAN_END, SCAN_TORN, SCAN_MALFORMED, SCAN_FAILED };

enum status scan_open(struct scan *scan, const struct segment *segment) WRIT_MUST_USE;
/* END at a frame's border, TORN when the file ends within a frame. The frame is
 * valid until the next step. */
enum scan_step scan_next(struct scan *scan);
void scan_close(struct scan *scan);

/* One frame with its hash, at an offset that an index gave. buffer holds
 * FRAME_MAX + HASH_SIZE bytes. CORRUPT when no frame is there. */
enum status segment_frame(const struct segment *segment, uint64_t offset, uint8_t *buffer,
                          struct slice *frame, enum frame_kind *kind) WRIT_MUST_USE;

/* pread until size bytes are there; CORRUPT when the file is shorter. */
enum status read_at(int fd, void *to, size_t size, uint64_t offset) WRIT_MUST_USE;

#endif
