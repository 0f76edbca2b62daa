/* audit/ring.h - the journal's shared file, and its two sides.
 *
 *     page 0: identity | head (the lane's) | tail (the sealer's)
 *     slots:  one for each line that is not complete when it is begun
 *     ring:   lines, each 16-byte aligned and in one piece
 *
 * Positions count bytes for ever; a position modulo the ring's size is a place.
 * The lane writes a line and then releases head; the sealer acquires head, copies
 * the line into the log and then releases tail. A slot is taken by the lane, ended
 * by the lane (release), and given back by the sealer, in that order. */
#ifndef WRIT_AUDIT_RING_H
#define WRIT_AUDIT_RING_H

#include <stdalign.h>
#include <stdatomic.h>

#include "audit/audit.h"
#include "record.h"

enum {
    RING_SIZE_LEAST = 1 << 17,
    RING_SIZE_USUAL = 8 << 20,
    SLOT_BYTES_PER_LINE = 256, /* ring bytes for each slot: a small line */
    FOLDS = 256,               /* refusals that are being counted, by hash */
    LINE_HEAD_SIZE = 16,
    LINE_ROOM_MAX = (LINE_HEAD_SIZE + LINE_MAX + 15) & ~15
};

#define SLOT_NONE UINT32_MAX       /* the line was complete when it was begun */
#define SLOT_PAD  (UINT32_MAX - 1) /* no line: the rest of the ring is skipped */

/* A slot's state: its kind, whether the sealer has closed a fold, and above that
 * the fold's count, or how many more of the same an open line stands for. */
enum slot_kind { SLOT_FREE, SLOT_OPEN, SLOT_ENDED, SLOT_FOLD };
#define SLOT_KIND(state)  ((enum slot_kind)((state)&3))
#define SLOT_CLOSED       UINT64_C(4)
#define SLOT_COUNT_ONE    UINT64_C(8)
#define SLOT_COUNT(state) ((state) >> 3)
#define FOLD_COUNT_MAX    UINT32_MAX

struct slot {
    alignas(64) _Atomic uint64_t state;
    _Atomic uint64_t seq; /* the sealer's: not 0 once the line was sealed open */
    uint64_t position;    /* the lane's: which line holds the slot */
    struct audit_outcome outcome;
};

struct line_head {
    uint64_t position;
    uint32_t size; /* with this head, a multiple of 16 */
    uint32_t slot;
};

struct ring_shared {
    char magic[8];
    uint32_t slot_count, zero;
    uint64_t ring_size;
    alignas(64) _Atomic uint64_t head;
    alignas(64) _Atomic uint64_t tail;
};

/* Where the audit thread sleeps. The lane touches it only under pressure. */
struct waker {
    _Atomic uint32_t wanted;
};
void waker_wake(struct waker *waker);
/* Until woken or ms have passed; clears the wish. */
void waker_sleep(struct waker *waker, unsigned ms);

struct fold {
    struct ip peer;
    uint64_t reason;
    int64_t second;
    uint64_t position;
    uint32_t slot;
};

/* A line that the log holds as open, or a fold that may still grow. */
struct watch {
    uint32_t slot, count;
    uint64_t seq;
    int64_t second; /* of a fold: when it is over */
    bool emitted;   /* its end stands in the batch that is being written */
};

struct audit_journal {
    struct ring_shared *shared;
    struct slot *slots;
    uint8_t *ring;
    size_t mapped;
    uint64_t mask;
    uint32_t slot_count;
    uint16_t number;
    enum audit_mode mode;
    int fd;
    struct waker *waker;
    uint32_t *returned; /* slots that the sealer gave back, a ring of slot_count */

    /* the lane's */
    alignas(64) uint64_t head;
    uint64_t tail_seen;
    uint32_t fresh;  /* slots from here on were never taken */
    uint64_t reused; /* how many of returned were taken again */
    struct fold folds[FOLDS];
    _Atomic uint64_t lost, refused;

    /* the sealer's */
    alignas(64) _Atomic uint64_t gave_back;
    uint64_t tail;        /* sealed up to here, perhaps not yet written */
    uint64_t patience[2]; /* heads seen by the last two passes: older lines wait no more */
    struct watch *watches;
    size_t watch_count;
};

/* Opens or makes the file; room for all of it is allocated. A file whose shape
 * differs is CORRUPT or, with other sizes, CONFLICT. create false: NOT_FOUND when
 * absent. size 0: whatever the file has. */
enum status ring_open(const char *path, uint16_t number, size_t size, struct audit_journal **out,
                      struct fault *fault) WRIT_MUST_USE;
void ring_close(struct audit_journal *journal);
/* After recovery: nothing is left, positions go on from at least position. */
void ring_reset(struct audit_journal *journal, uint64_t position);

/* The line at a position below head. False when the ring holds no sound line
 * there (after a loss of power); *frame is empty for a pad. */
bool ring_line(const struct audit_journal *journal, uint64_t position, uint64_t head,
               struct line_head *line, struct slice *frame);
void ring_give_back(struct audit_journal *journal, uint32_t slot);

#endif
