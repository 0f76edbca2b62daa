/* audit/log_open.c - finds where the log stands, and repairs what a crash tore. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "index.h"
#include "log.h"

static enum status
take_lock(struct log *log, struct fault *fault)
{
    char path[SEGMENT_PATH_MAX];

    if (snprintf(path, sizeof path, "%s/lock", log->options.dir) >= (int)sizeof path)
        return fault_set(fault, STATUS_TOO_LARGE, "the path of the audit is too long");
    log->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log->lock < 0)
        return fault_set(fault, errno == ENOSPC ? STATUS_FULL : STATUS_IO, "%s: %s", path,
                         strerror(errno));
    if (flock(log->lock, LOCK_EX | LOCK_NB) != 0)
        return fault_set(fault, STATUS_CONFLICT, "%s is held by another process", path);
    return STATUS_OK;
}

/* Is a signature by this node's key anywhere behind offset? Then what is broken
 * before it was broken by a hand, not by a crash: all that is signed was synced. */
static bool
signed_behind(const struct log *log, const struct segment *segment, uint64_t offset)
{
    uint8_t key[ED25519_PUBLIC_SIZE], message[SEAL_MESSAGE_SIZE];
    uint8_t *bytes = malloc(segment->size - offset + 1);
    uint64_t size = segment->size - offset;
    struct seal_frame seal;
    bool found = false;

    signer_public(log->options.signer, key);
    if (bytes == NULL || read_at(segment->fd, bytes, size, offset) != STATUS_OK)
        found = true; /* fails closed: nothing is cut off unseen */
    for (uint64_t at = 0; !found && at + SEAL_SIZE <= size; at++) {
        if (!seal_read(slice_of(bytes + at, SEAL_SIZE), &seal))
            continue;
        seal_message(bytes + at, message);
        found = ed25519_verify(key, slice_of(message, sizeof message), seal.signature) == STATUS_OK;
    }
    free(bytes);
    return found;
}

struct tail {
    struct log *log;
    struct segment segment;
    log_visitor visitor;
    void *context;
    bool closed;
    uint64_t sound; /* the file is good up to here */
};

/* Takes one frame; false when it does not belong here. */
static bool
tail_frame(struct tail *tail, const struct scan *scan)
{
    struct log_point *now = &tail->log->now;
    uint8_t chain[HASH_SIZE];
    struct record record;
    struct ending ending;
    struct seal_frame seal;

    memcpy(chain, now->chain, HASH_SIZE);
    if (tail->closed || chain_next(chain, scan->frame) != STATUS_OK ||
        memcmp(chain, scan->hash, HASH_SIZE) != 0)
        return false;
    switch (scan->kind) {
    case FRAME_LINE:
    case FRAME_OPEN:
        if (!record_read(scan->frame, &record) || record.seq != now->next_seq)
            return false;
        now->next_seq++;
        if (record.event.at < now->min_at)
            now->min_at = record.event.at;
        if (record.event.at > now->max_at)
            now->max_at = record.event.at;
        now->unsigned_frames++;
        break;
    case FRAME_END:
        if (!ending_read(scan->frame, &ending) || ending.seq >= now->next_seq)
            return false;
        now->unsigned_frames++;
        break;
    default:
        if (!seal_read(scan->frame, &seal))
            return false;
        now->unsigned_frames = 0;
        tail->closed = scan->kind == FRAME_FOOTER;
    }
    memcpy(now->chain, chain, HASH_SIZE);
    return true;
}

static enum status
tail_scan(struct tail *tail, struct fault *fault)
{
    struct scan scan;
    enum scan_step step;
    enum status status = scan_open(&scan, &tail->segment);

    if (status != STATUS_OK)
        return fault_set(fault, status, "out of memory");
    tail->sound = SEGMENT_HEADER;
    while ((step = scan_next(&scan)) == SCAN_FRAME && status == STATUS_OK) {
        if (!tail_frame(tail, &scan)) {
            step = SCAN_MALFORMED;
            break;
        }
        tail->sound = scan.offset + scan.frame.size + HASH_SIZE;
        status = tail->visitor(tail->context, scan.frame, scan.kind);
    }
    scan_close(&scan);
    if (status != STATUS_OK)
        return fault_set(fault, status, "out of memory");
    if (step == SCAN_FAILED)
        return fault_set(fault, STATUS_IO, "the audit's newest segment can't be read");
    if (tail->sound < tail->segment.size && signed_behind(tail->log, &tail->segment, tail->sound))
        return fault_set(fault, STATUS_CORRUPT,
                         "line %llu of the audit was changed (segment %llu): move the "
                         "directory away, and keep it as evidence",
                         (unsigned long long)tail->log->now.next_seq,
                         (unsigned long long)tail->segment.header.number);
    return STATUS_OK;
}

static enum status
tail_cut(struct tail *tail, const char *path, struct fault *fault)
{
    struct log *log = tail->log;
    char size[24];

    log->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (log->fd < 0)
        return fault_set(fault, STATUS_IO, "%s: %s", path, strerror(errno));
    if (tail->sound < tail->segment.size) {
        snprintf(size, sizeof size, "%llu", (unsigned long long)(tail->segment.size - tail->sound));
        log_write(LOG_WARN, "audit", "a torn end was cut off", "path", path, "bytes", size, NULL);
        if (ftruncate(log->fd, (off_t)tail->sound) != 0)
            return fault_set(fault, STATUS_IO, "%s: %s", path, strerror(errno));
    }
    log->now.size = tail->sound;
    log->now.open = true;
    log->unsynced = true;
    return STATUS_OK;
}

/* The newest segment: its chain is computed anew, so that the log goes on from
 * what really stands there. */
static enum status
open_tail(struct log *log, uint64_t number, struct tail *tail, struct fault *fault)
{
    char path[SEGMENT_PATH_MAX];
    enum status status = segment_open(log->options.dir, number, &tail->segment, fault);

    if (status != STATUS_OK)
        return status;
    log->now = (struct log_point){ .segment = number,
                                   .first = tail->segment.header.first,
                                   .next_seq = tail->segment.header.first,
                                   .made_at = tail->segment.header.made_at,
                                   .min_at = INT64_MAX,
                                   .max_at = INT64_MIN };
    memcpy(log->now.previous, tail->segment.header.previous, HASH_SIZE);
    status = segment_chain_start(tail->segment.header_bytes, log->now.chain);
    if (status == STATUS_OK)
        status = tail_scan(tail, fault);
    if (status == STATUS_OK)
        status = segment_path(log->options.dir, number, "seg", path);
    if (status == STATUS_OK && tail->closed && tail->sound == tail->segment.size) {
        struct log_closed closed = { .number = number,
                                     .first = log->now.first,
                                     .last = log->now.next_seq - 1,
                                     .size = tail->sound,
                                     .max_at = log->now.max_at };

        memcpy(closed.closing, log->now.chain, HASH_SIZE);
        log->now.size = tail->sound;
        status = log_remember(log, &closed);
    } else if (status == STATUS_OK && tail->closed) {
        status = fault_set(fault, STATUS_CORRUPT, "bytes stand behind the footer of segment %llu",
                           (unsigned long long)number);
    } else if (status == STATUS_OK) {
        status = tail_cut(tail, path, fault);
    }
    segment_close(&tail->segment);
    return status;
}

/* Retention needs to know the older ones; they are not checked here (verify does). */
static enum status
remember_older(struct log *log, uint64_t number)
{
    struct segment segment;
    struct seal_frame footer;
    struct log_closed closed = { .number = number };
    struct fault fault;
    enum status status = segment_open(log->options.dir, number, &segment, &fault);

    if (status == STATUS_OK) {
        status = segment_footer(&segment, &footer, closed.closing);
        closed.size = segment.size;
        segment_close(&segment);
    }
    if (status == STATUS_OK) {
        closed.first = footer.first;
        closed.last = footer.last;
        closed.max_at = footer.max_at;
        return log_remember(log, &closed);
    }
    if (status == STATUS_MEMORY)
        return status;
    log_write(LOG_ERROR, "audit", "an old segment is damaged; writ audit verify tells more",
              "reason", fault.text, NULL);
    /* Retention must not step over it: what it removed would not be one piece. */
    closed.max_at = INT64_MAX;
    return log_remember(log, &closed);
}

/* A file that a crash left before its header was whole holds nothing. */
static bool
is_stub(const struct log *log, uint64_t number)
{
    char path[SEGMENT_PATH_MAX];
    int fd;
    bool stub;

    if (segment_path(log->options.dir, number, "seg", path) != STATUS_OK)
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    stub = fd >= 0 && lseek(fd, 0, SEEK_END) < SEGMENT_HEADER;
    if (fd >= 0)
        close(fd);
    if (stub)
        unlink(path);
    return stub;
}

enum status
log_open(const struct log_options *options, log_visitor visitor, void *context, struct log *log,
         struct fault *fault)
{
    struct tail tail = { .log = log, .visitor = visitor, .context = context };
    uint64_t *numbers = NULL;
    size_t count = 0;
    enum status status;

    *log = (struct log){ .options = *options, .fd = -1, .lock = -1 };
    log->now.next_seq = 1;
    if (log->options.segment_lines == 0 || log->options.segment_lines > SEGMENT_LINES_MAX)
        log->options.segment_lines = SEGMENT_LINES_MAX;
    log->batch = malloc(LOG_BATCH + 2 * (SEGMENT_HEADER + FRAME_MAX + HASH_SIZE));
    status = log->batch == NULL ? fault_set(fault, STATUS_MEMORY, "out of memory")
                                : take_lock(log, fault);
    if (status == STATUS_OK)
        status = segment_list(options->dir, &numbers, &count, fault);
    if (status == STATUS_OK && count > 0 && is_stub(log, numbers[count - 1]))
        count--;
    for (size_t i = 0; status == STATUS_OK && i + 1 < count; i++)
        status = remember_older(log, numbers[i]);
    if (status == STATUS_OK && count > 0)
        status = open_tail(log, numbers[count - 1], &tail, fault);
    free(numbers);
    log->written = log->now;
    if (status != STATUS_OK)
        log_free(log);
    return status;
}

void
log_free(struct log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    if (log->lock >= 0)
        close(log->lock);
    free(log->batch);
    free(log->closed);
    *log = (struct log){ .fd = -1, .lock = -1 };
}
