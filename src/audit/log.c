/* audit/log.c - appends frames to the newest segment, closes and removes segments. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { SEGMENT_AGE_PARTS = 8 };

enum status
log_ready(struct log *log)
{
    struct segment_header header = { 0 };
    uint8_t *at = log->batch + log->batch_size;
    enum status status;

    if (log->now.open)
        return STATUS_OK;
    header.number = log->now.segment + 1;
    header.first = log->now.next_seq;
    header.made_at = clock_wall_ms();
    memcpy(header.previous, log->now.chain, HASH_SIZE);
    strncpy(header.node, log->options.node, SEGMENT_NODE_MAX);
    segment_header_write(&header, at);
    status = segment_chain_start(at, log->now.chain);
    if (status != STATUS_OK)
        return status;
    memcpy(log->now.previous, header.previous, HASH_SIZE);
    log->batch_size += SEGMENT_HEADER;
    log->now.segment++;
    log->now.open = true;
    log->now.first = header.first;
    log->now.made_at = header.made_at;
    log->now.size = SEGMENT_HEADER;
    log->now.min_at = INT64_MAX;
    log->now.max_at = INT64_MIN;
    return STATUS_OK;
}

uint8_t *
log_place(struct log *log)
{
    return log->batch + log->batch_size;
}

enum status
log_append(struct log *log, size_t size, enum frame_kind kind, int64_t at)
{
    uint8_t *frame = log_place(log);
    enum status status = chain_next(log->now.chain, slice_of(frame, size));

    if (status != STATUS_OK)
        return status;
    memcpy(frame + size, log->now.chain, HASH_SIZE);
    log->batch_size += size + HASH_SIZE;
    log->now.size += size + HASH_SIZE;
    if (kind == FRAME_LINE || kind == FRAME_OPEN) {
        log->now.next_seq++;
        if (at < log->now.min_at)
            log->now.min_at = at;
        if (at > log->now.max_at)
            log->now.max_at = at;
    }
    log->now.unsigned_frames = kind >= FRAME_HEAD ? 0 : log->now.unsigned_frames + 1;
    return STATUS_OK;
}

bool
log_batch_full(const struct log *log)
{
    uint64_t lines = log->now.next_seq - log->now.first;

    return log->batch_size + SEGMENT_HEADER + FRAME_MAX + HASH_SIZE > LOG_BATCH ||
           (log->now.open &&
            (lines >= log->options.segment_lines || log->now.size >= SEGMENT_BYTES_MAX));
}

static void
roll_back(struct log *log)
{
    log->now = log->written;
    log->batch_size = 0;
}

static enum status
segment_file(struct log *log)
{
    char path[SEGMENT_PATH_MAX];
    enum status status = segment_path(log->options.dir, log->now.segment, "seg", path);

    if (status != STATUS_OK)
        return status;
    log->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log->fd < 0) {
        log->error = errno;
        return errno == ENOSPC ? STATUS_FULL : STATUS_IO;
    }
    return STATUS_OK;
}

static enum status
write_batch(struct log *log)
{
    /* A segment that begins in this batch is written from its first byte. */
    uint64_t offset = log->written.open ? log->written.size : 0;
    size_t done = 0;

    while (done < log->batch_size) {
        ssize_t wrote =
            pwrite(log->fd, log->batch + done, log->batch_size - done, (off_t)(offset + done));

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            log->error = wrote == 0 ? EIO : errno;
            /* What was written in part must not be taken for a torn end later. */
            if (ftruncate(log->fd, (off_t)offset) != 0)
                log_write(LOG_ERROR, "audit", "a half written batch stays", "error",
                          strerror(errno), NULL);
            return log->error == ENOSPC || log->error == EFBIG || log->error == EDQUOT ? STATUS_FULL
                                                                                       : STATUS_IO;
        }
        done += (size_t)wrote;
    }
    return STATUS_OK;
}

enum status
log_flush(struct log *log)
{
    enum status status = STATUS_OK;

    if (log->batch_size == 0)
        return STATUS_OK;
    if (log->fd < 0)
        status = segment_file(log);
    if (status == STATUS_OK)
        status = write_batch(log);
    if (status != STATUS_OK) {
        roll_back(log);
        if (!log->written.open && log->fd >= 0) {
            close(log->fd);
            log->fd = -1;
        }
        return status;
    }
    log->written = log->now;
    log->batch_size = 0;
    log->unsynced = true;
    return STATUS_OK;
}

static enum status
sync_file(struct log *log)
{
    if (!log->unsynced || log->fd < 0)
        return STATUS_OK;
    if (fdatasync(log->fd) != 0) {
        log->error = errno;
        return errno == ENOSPC ? STATUS_FULL : STATUS_IO;
    }
    log->unsynced = false;
    return STATUS_OK;
}

static void
sync_dir(const struct log *log)
{
    int fd = open(log->options.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static enum status
append_seal(struct log *log, struct seal_frame *seal)
{
    uint8_t *frame = log_place(log), message[SEAL_MESSAGE_SIZE];
    enum status status;

    seal_write(seal, frame);
    seal_message(frame, message);
    status =
        signer_sign(log->options.signer, slice_of(message, sizeof message), frame + SEAL_SIGNED);
    return status == STATUS_OK ? log_append(log, SEAL_SIZE, seal->kind, 0) : status;
}

static struct seal_frame
seal_of(const struct log *log, enum frame_kind kind)
{
    struct seal_frame seal = { .kind = kind,
                               .segment = log->now.segment,
                               .first = log->now.first,
                               .last = log->now.next_seq - 1,
                               .min_at = log->now.min_at,
                               .max_at = log->now.max_at };

    memcpy(seal.chain, log->now.chain, HASH_SIZE);
    memcpy(seal.previous, log->now.previous, HASH_SIZE);
    return seal;
}

/* Appends one signed frame and makes it last. */
static enum status
seal_now(struct log *log, struct seal_frame *seal)
{
    enum status status = append_seal(log, seal);

    if (status == STATUS_OK)
        status = log_flush(log);
    else
        roll_back(log);
    return status == STATUS_OK ? sync_file(log) : status;
}

enum status
log_sign(struct log *log)
{
    struct seal_frame seal = seal_of(log, FRAME_HEAD);

    if (!log->now.open || log->now.unsigned_frames == 0)
        return sync_file(log);
    return seal_now(log, &seal);
}

bool
log_close_due(const struct log *log, int64_t now)
{
    uint64_t lines = log->now.next_seq - log->now.first;
    int64_t age = MS_DAY, part = log->options.retention_ms / SEGMENT_AGE_PARTS;

    if (!log->now.open || lines == 0)
        return false;
    /* Retention removes whole segments: one that never closes would never go. */
    if (part > 0 && part < age)
        age = part;
    return lines >= log->options.segment_lines || log->now.size >= SEGMENT_BYTES_MAX ||
           now - log->now.made_at >= age;
}

enum status
log_remember(struct log *log, const struct log_closed *closed)
{
    if (log->closed_count == log->closed_room) {
        size_t room = log->closed_room == 0 ? 64 : 2 * log->closed_room;
        struct log_closed *more = reallocarray(log->closed, room, sizeof *more);

        if (more == NULL)
            return STATUS_MEMORY;
        log->closed = more;
        log->closed_room = room;
    }
    log->closed[log->closed_count++] = *closed;
    return STATUS_OK;
}

enum status
log_close_segment(struct log *log)
{
    struct seal_frame seal = seal_of(log, FRAME_FOOTER);
    struct log_closed closed = {
        .number = seal.segment, .first = seal.first, .last = seal.last, .max_at = seal.max_at
    };
    enum status status = append_seal(log, &seal);

    if (status != STATUS_OK) {
        roll_back(log);
        return status;
    }
    log->now.open = false;
    status = log_flush(log);
    if (status != STATUS_OK)
        return status;
    /* Closed already: a sync that fails now is reported, not tried again. */
    status = sync_file(log);
    log->unsynced = false;
    close(log->fd);
    log->fd = -1;
    sync_dir(log);
    memcpy(closed.closing, log->now.chain, HASH_SIZE);
    closed.size = log->now.size;
    if (log->options.indexer != NULL)
        indexer_add(log->options.indexer, closed.number);
    if (log_remember(log, &closed) != STATUS_OK && status == STATUS_OK)
        status = STATUS_MEMORY;
    return status;
}

static void
remove_segment(const struct log *log, uint64_t number)
{
    static const char *const suffix[] = { "seg", "idx" };
    char path[SEGMENT_PATH_MAX];

    for (unsigned i = 0; i < 2; i++)
        if (segment_path(log->options.dir, number, suffix[i], path) == STATUS_OK)
            unlink(path);
}

enum status
log_retain(struct log *log, int64_t now)
{
    size_t gone = 0;
    struct seal_frame note;
    enum status status;

    if (log->options.retention_ms <= 0)
        return STATUS_OK;
    /* The newest closed segment stays, so that the head in the store has its line. */
    while (gone + 1 < log->closed_count &&
           log->closed[gone].max_at < now - log->options.retention_ms)
        gone++;
    if (gone == 0)
        return STATUS_OK;
    note = (struct seal_frame){ .kind = FRAME_NOTE,
                                .segment = log->closed[gone - 1].number,
                                .first = 1,
                                .last = log->closed[gone - 1].last,
                                .max_at = log->closed[gone - 1].max_at };
    memcpy(note.chain, log->closed[gone - 1].closing, HASH_SIZE);
    status = log_ready(log);
    if (status == STATUS_OK)
        status = seal_now(log, &note);
    if (status != STATUS_OK) {
        roll_back(log);
        return status;
    }
    /* Oldest first: what is left is always one piece. */
    for (size_t i = 0; i < gone; i++)
        remove_segment(log, log->closed[i].number);
    sync_dir(log);
    log->closed_count -= gone;
    memmove(log->closed, log->closed + gone, log->closed_count * sizeof *log->closed);
    return STATUS_OK;
}

uint64_t
log_bytes(const struct log *log)
{
    uint64_t bytes = log->written.open ? log->written.size : 0;

    for (size_t i = 0; i < log->closed_count; i++)
        bytes += log->closed[i].size;
    return bytes;
}
