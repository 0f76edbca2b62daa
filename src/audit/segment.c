/* audit/segment.c - names, headers and frames of the log's files. */
#include "segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"

static const char segment_magic[8] = "WRITAUD1";
enum { WINDOW_SIZE = 256 << 10 };

void
segment_header_write(const struct segment_header *header, uint8_t to[SEGMENT_HEADER])
{
    size_t length = strlen(header->node);

    memset(to, 0, SEGMENT_HEADER);
    memcpy(to, segment_magic, sizeof segment_magic);
    store64(to + 8, header->number);
    store64(to + 16, header->first);
    store64(to + 24, (uint64_t)header->made_at);
    memcpy(to + 32, header->previous, HASH_SIZE);
    to[64] = (uint8_t)length;
    memcpy(to + 65, header->node, length);
}

bool
segment_header_read(const uint8_t from[SEGMENT_HEADER], struct segment_header *out)
{
    if (memcmp(from, segment_magic, sizeof segment_magic) != 0 || from[64] > SEGMENT_NODE_MAX)
        return false;
    *out = (struct segment_header){ .number = load64(from + 8),
                                    .first = load64(from + 16),
                                    .made_at = (int64_t)load64(from + 24) };
    memcpy(out->previous, from + 32, HASH_SIZE);
    memcpy(out->node, from + 65, from[64]);
    return out->first > 0;
}

enum status
segment_chain_start(const uint8_t header[SEGMENT_HEADER], uint8_t chain[HASH_SIZE])
{
    const struct slice parts[] = { slice_of(header + 32, HASH_SIZE),
                                   slice_of(header, SEGMENT_HEADER) };

    return hash_sha256(parts, 2, chain);
}

enum status
segment_path(const char *dir, uint64_t number, const char *suffix, char out[SEGMENT_PATH_MAX])
{
    int size =
        snprintf(out, SEGMENT_PATH_MAX, "%s/%06llu.%s", dir, (unsigned long long)number, suffix);

    return size > 0 && size < SEGMENT_PATH_MAX ? STATUS_OK : STATUS_TOO_LARGE;
}

static int
by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool
segment_name(const char *name, uint64_t *number)
{
    struct slice text = slice_text(name);

    return slice_ends(text, SLICE_LITERAL(".seg")) && text.size >= 10 && text.size <= 22 &&
           slice_u64(slice_first(text, text.size - 4), number) && *number > 0;
}

enum status
segment_list(const char *dir, uint64_t **numbers, size_t *count, struct fault *fault)
{
    DIR *open = opendir(dir);
    uint64_t *list = NULL, number;
    size_t used = 0, room = 0;
    const struct dirent *entry;

    if (open == NULL)
        return fault_set(fault, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s", dir,
                         strerror(errno));
    while ((entry = readdir(open)) != NULL) {
        if (!segment_name(entry->d_name, &number))
            continue;
        if (used == room) {
            uint64_t *more = reallocarray(list, room = room == 0 ? 64 : 2 * room, sizeof *list);

            if (more == NULL) {
                free(list);
                closedir(open);
                return fault_set(fault, STATUS_MEMORY, "out of memory");
            }
            list = more;
        }
        list[used++] = number;
    }
    closedir(open);
    if (used > 0)
        qsort(list, used, sizeof *list, by_number);
    *numbers = list;
    *count = used;
    return STATUS_OK;
}

enum status
read_at(int fd, void *to, size_t size, uint64_t offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(fd, (char *)to + done, size - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return STATUS_IO;
        if (got == 0)
            return STATUS_CORRUPT;
        done += (size_t)got;
    }
    return STATUS_OK;
}

enum status
segment_open(const char *dir, uint64_t number, struct segment *out, struct fault *fault)
{
    char path[SEGMENT_PATH_MAX];
    struct segment segment;
    struct stat stat;
    enum status status = segment_path(dir, number, "seg", path);

    if (status != STATUS_OK)
        return fault_set(fault, status, "the path of the audit is too long");
    segment.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (segment.fd < 0)
        return fault_set(fault, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s", path,
                         strerror(errno));
    if (fstat(segment.fd, &stat) != 0) {
        status = fault_set(fault, STATUS_IO, "%s: %s", path, strerror(errno));
    } else {
        segment.size = (uint64_t)stat.st_size;
        status = read_at(segment.fd, segment.header_bytes, SEGMENT_HEADER, 0);
        if (status == STATUS_OK && (!segment_header_read(segment.header_bytes, &segment.header) ||
                                    segment.header.number != number))
            status = STATUS_CORRUPT;
        if (status != STATUS_OK)
            fault_set(fault, status, "segment %llu has no sound header",
                      (unsigned long long)number);
    }
    if (status != STATUS_OK) {
        close(segment.fd);
        return status;
    }
    *out = segment;
    return STATUS_OK;
}

void
segment_close(struct segment *segment)
{
    if (segment->fd >= 0)
        close(segment->fd);
    segment->fd = -1;
}

enum status
segment_footer(const struct segment *segment, struct seal_frame *footer, uint8_t closing[HASH_SIZE])
{
    uint8_t bytes[SEAL_SIZE + HASH_SIZE];
    struct seal_frame seal;
    enum status status;

    if (segment->size < SEGMENT_HEADER + sizeof bytes)
        return STATUS_NOT_FOUND;
    status = read_at(segment->fd, bytes, sizeof bytes, segment->size - sizeof bytes);
    if (status != STATUS_OK)
        return status;
    if (!seal_read(slice_of(bytes, SEAL_SIZE), &seal) || seal.kind != FRAME_FOOTER ||
        seal.segment != segment->header.number)
        return STATUS_NOT_FOUND;
    *footer = seal;
    memcpy(closing, bytes + SEAL_SIZE, HASH_SIZE);
    return STATUS_OK;
}

enum status
scan_open(struct scan *scan, const struct segment *segment)
{
    *scan = (struct scan){ .segment = segment, .window_at = SEGMENT_HEADER };
    scan->window = malloc(WINDOW_SIZE);
    return scan->window == NULL ? STATUS_MEMORY : STATUS_OK;
}

void
scan_close(struct scan *scan)
{
    free(scan->window);
    scan->window = NULL;
}

/* Moves the window on so that it starts at the next frame. */
static bool
window_fill(struct scan *scan)
{
    size_t kept = scan->window_size - scan->next;

    memmove(scan->window, scan->window + scan->next, kept);
    scan->window_at += scan->next;
    scan->next = 0;
    scan->window_size = kept;
    while (scan->window_size < WINDOW_SIZE) {
        uint64_t at = scan->window_at + scan->window_size;
        uint64_t left = at < scan->segment->size ? scan->segment->size - at : 0;
        size_t room = WINDOW_SIZE - scan->window_size;
        ssize_t got;

        if (left == 0)
            return true;
        got = pread(scan->segment->fd, scan->window + scan->window_size,
                    left < room ? (size_t)left : room, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            return true;
        scan->window_size += (size_t)got;
        scan->read += (uint64_t)got;
    }
    return true;
}

enum scan_step
scan_next(struct scan *scan)
{
    for (bool filled = false;; filled = true) {
        struct slice left = slice_of(scan->window + scan->next, scan->window_size - scan->next);
        enum frame_fit fit = frame_split(left, &scan->frame, &scan->kind);

        if (fit == FRAME_MALFORMED)
            return SCAN_MALFORMED;
        if (fit == FRAME_WHOLE && left.size - scan->frame.size >= HASH_SIZE) {
            scan->offset = scan->window_at + scan->next;
            scan->hash = (const uint8_t *)scan->frame.at + scan->frame.size;
            scan->next += scan->frame.size + HASH_SIZE;
            return SCAN_FRAME;
        }
        if (filled)
            return left.size == 0 ? SCAN_END : SCAN_TORN;
        if (!window_fill(scan))
            return SCAN_FAILED;
    }
}

enum status
segment_frame(const struct segment *segment, uint64_t offset, uint8_t *buffer, struct slice *frame,
              enum frame_kind *kind)
{
    enum { FIRST_READ = 1024, MOST = FRAME_MAX + HASH_SIZE };
    uint64_t left = offset < segment->size ? segment->size - offset : 0;
    size_t got = left < FIRST_READ ? (size_t)left : FIRST_READ, need;
    enum status status = read_at(segment->fd, buffer, got, offset);

    if (status != STATUS_OK)
        return status;
    if (got < FRAME_HEAD_SIZE)
        return STATUS_CORRUPT;
    need = (size_t)load32(buffer) + HASH_SIZE;
    if (need > MOST || need > left)
        return STATUS_CORRUPT;
    if (need > got) {
        status = read_at(segment->fd, buffer + got, need - got, offset + got);
        if (status != STATUS_OK)
            return status;
    }
    return frame_split(slice_of(buffer, need - HASH_SIZE), frame, kind) == FRAME_WHOLE
               ? STATUS_OK
               : STATUS_CORRUPT;
}
