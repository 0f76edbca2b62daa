/* audit/ring.c - the journal's file: made, mapped, read back after a crash. */
#include "ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char ring_magic[8] = "WRITJNL1";
enum { RING_PAGE = 4096, RING_SIZE_MOST = 1 << 30 };

static_assert(sizeof(struct slot) == 64, "a slot is a cache line");
static_assert(sizeof(struct line_head) == LINE_HEAD_SIZE, "a line's head has a fixed size");
static_assert(sizeof(struct ring_shared) <= RING_PAGE, "the shared words fit their page");

void
waker_wake(struct waker *waker)
{
    /* Only the first who asks makes the system call. */
    if (atomic_load_explicit(&waker->wanted, memory_order_relaxed) == 0 &&
        atomic_exchange_explicit(&waker->wanted, 1, memory_order_release) == 0)
        syscall(SYS_futex, &waker->wanted, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void
waker_sleep(struct waker *waker, unsigned ms)
{
    const struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

    if (atomic_load_explicit(&waker->wanted, memory_order_acquire) == 0)
        syscall(SYS_futex, &waker->wanted, FUTEX_WAIT_PRIVATE, 0, &span, NULL, 0);
    atomic_store_explicit(&waker->wanted, 0, memory_order_release);
}

static size_t
file_size(uint64_t ring_size, uint32_t slots)
{
    return RING_PAGE + (size_t)slots * sizeof(struct slot) + (size_t)ring_size;
}

static bool
size_fits(uint64_t size)
{
    return size >= RING_SIZE_LEAST && size <= RING_SIZE_MOST && (size & (size - 1)) == 0;
}

static enum status
shape_read(int fd, uint64_t *size, struct fault *fault)
{
    static const char nothing[8];
    struct ring_shared shared;
    struct stat stat;
    ssize_t got = pread(fd, &shared, sizeof shared, 0);

    if (got < 0 || fstat(fd, &stat) != 0)
        return fault_set(fault, STATUS_IO, "a journal can't be read: %s", strerror(errno));
    if (got == 0 || (got == sizeof shared && memcmp(shared.magic, nothing, sizeof nothing) == 0))
        return fault_set(fault, STATUS_NOT_FOUND, "a journal was never made whole");
    if (got != sizeof shared || memcmp(shared.magic, ring_magic, sizeof ring_magic) != 0 ||
        !size_fits(shared.ring_size) ||
        shared.slot_count != shared.ring_size / SLOT_BYTES_PER_LINE ||
        (uint64_t)stat.st_size != file_size(shared.ring_size, shared.slot_count))
        return fault_set(fault, STATUS_CORRUPT, "a journal's file is damaged");
    *size = shared.ring_size;
    return STATUS_OK;
}

static enum status
file_make(int fd, uint64_t size, struct fault *fault)
{
    uint32_t slots = (uint32_t)(size / SLOT_BYTES_PER_LINE);
    struct ring_shared shared = { .slot_count = slots, .ring_size = size };
    int error =
        ftruncate(fd, 0) != 0 ? errno : posix_fallocate(fd, 0, (off_t)file_size(size, slots));

    if (error != 0)
        return fault_set(fault, error == ENOSPC || error == EFBIG ? STATUS_FULL : STATUS_IO,
                         "no room for a journal of %llu bytes: %s", (unsigned long long)size,
                         strerror(error));
    /* The name comes last: a half made file is not taken for a journal. */
    memcpy(shared.magic, ring_magic, sizeof ring_magic);
    if (pwrite(fd, &shared, sizeof shared, 0) != sizeof shared)
        return fault_set(fault, STATUS_IO, "a journal can't be written: %s", strerror(errno));
    return STATUS_OK;
}

static enum status
map(struct audit_journal *journal, uint64_t size)
{
    uint8_t *at;

    journal->slot_count = (uint32_t)(size / SLOT_BYTES_PER_LINE);
    journal->mapped = file_size(size, journal->slot_count);
    journal->mask = size - 1;
    at = mmap(NULL, journal->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, journal->fd, 0);
    if (at == MAP_FAILED) {
        journal->mapped = 0;
        return STATUS_MEMORY;
    }
    journal->shared = (struct ring_shared *)at;
    journal->slots = (struct slot *)(at + RING_PAGE);
    journal->ring = at + RING_PAGE + (size_t)journal->slot_count * sizeof(struct slot);
    journal->returned = calloc(journal->slot_count, sizeof *journal->returned);
    journal->watches = calloc(journal->slot_count, sizeof *journal->watches);
    return journal->returned == NULL || journal->watches == NULL ? STATUS_MEMORY : STATUS_OK;
}

enum status
ring_open(const char *path, uint16_t number, size_t size, struct audit_journal **out,
          struct fault *fault)
{
    struct audit_journal *journal = aligned_alloc(64, (sizeof *journal + 63) & ~(size_t)63);
    uint64_t found = 0;
    enum status status;

    if (journal == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    memset(journal, 0, sizeof *journal);
    journal->number = number;
    journal->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (size > 0 ? O_CREAT : 0), 0600);
    if (journal->fd < 0) {
        status = fault_set(fault, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s", path,
                           strerror(errno));
        goto failed;
    }
    status = shape_read(journal->fd, &found, fault);
    if (status == STATUS_NOT_FOUND && size > 0) {
        status = file_make(journal->fd, size, fault);
        found = size;
        /* Nothing of a journal that never was stays behind. */
        if (status != STATUS_OK)
            unlink(path);
    }
    if (status == STATUS_OK && size > 0 && found != size)
        status = fault_set(fault, STATUS_CONFLICT, "%s has another size", path);
    if (status == STATUS_OK) {
        status = map(journal, found);
        if (status != STATUS_OK)
            status = fault_set(fault, status, "%s: out of memory", path);
    }
    if (status == STATUS_OK) {
        *out = journal;
        return STATUS_OK;
    }
    fault_prefix(fault, "%s", path);
failed:
    ring_close(journal);
    return status;
}

void
ring_close(struct audit_journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->mapped > 0)
        munmap(journal->shared, journal->mapped);
    if (journal->fd >= 0)
        close(journal->fd);
    free(journal->returned);
    free(journal->watches);
    free(journal);
}

void
ring_reset(struct audit_journal *journal, uint64_t position)
{
    uint64_t head = atomic_load(&journal->shared->head);

    if (position < head)
        position = head;
    position = (position + 15) & ~UINT64_C(15);
    /* Slots first: a crash in between leaves lines that the log is known to hold. */
    for (uint32_t i = 0; i < journal->slot_count; i++) {
        atomic_store_explicit(&journal->slots[i].state, SLOT_FREE, memory_order_relaxed);
        atomic_store_explicit(&journal->slots[i].seq, 0, memory_order_relaxed);
        journal->slots[i].position = UINT64_MAX;
    }
    /* A tail past the head is an empty ring. */
    atomic_store(&journal->shared->tail, position);
    atomic_store(&journal->shared->head, position);
    journal->head = journal->tail = journal->tail_seen = position;
    journal->patience[0] = journal->patience[1] = position;
    journal->fresh = 0;
    journal->reused = 0;
    journal->watch_count = 0;
    atomic_store(&journal->gave_back, 0);
    for (unsigned i = 0; i < FOLDS; i++)
        journal->folds[i].slot = SLOT_NONE;
}

bool
ring_line(const struct audit_journal *journal, uint64_t position, uint64_t head,
          struct line_head *line, struct slice *frame)
{
    uint64_t place = position & journal->mask, left = head - position;
    uint64_t to_end = journal->mask + 1 - place;
    enum frame_kind kind;

    /* All of a line lies below head, so what is left bounds it. */
    if ((position & 15) != 0 || left > journal->mask + 1 || left < LINE_HEAD_SIZE)
        return false;
    memcpy(line, journal->ring + place, sizeof *line);
    if (line->position != position || line->size > left || line->size > to_end ||
        line->size < LINE_HEAD_SIZE || (line->size & 15) != 0)
        return false;
    *frame = slice_of(journal->ring + place + LINE_HEAD_SIZE, 0);
    if (line->slot == SLOT_PAD)
        return true;
    if (line->slot != SLOT_NONE && line->slot >= journal->slot_count)
        return false;
    return frame_split(slice_of(frame->at, line->size - LINE_HEAD_SIZE), frame, &kind) ==
               FRAME_WHOLE &&
           kind == FRAME_LINE;
}

void
ring_give_back(struct audit_journal *journal, uint32_t slot)
{
    uint64_t gave = atomic_load_explicit(&journal->gave_back, memory_order_relaxed);

    atomic_store_explicit(&journal->slots[slot].seq, 0, memory_order_relaxed);
    atomic_store_explicit(&journal->slots[slot].state, SLOT_FREE, memory_order_relaxed);
    journal->returned[gave % journal->slot_count] = slot;
    atomic_store_explicit(&journal->gave_back, gave + 1, memory_order_release);
}
