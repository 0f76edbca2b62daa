/* base/file.c - reads small files: a password, a list. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status
status_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return STATUS_NOT_FOUND;
    case EACCES:
    case EPERM:
        return STATUS_DENIED;
    default:
        return STATUS_IO;
    }
}

/* One byte more than it may be tells a file that grew since it was measured. */
static enum status
read_all(int file, size_t most, struct buffer *out)
{
    size_t left = most + 1;

    while (left > 0) {
        char *room = buffer_room(out, left);
        if (room == NULL)
            return buffer_status(out);
        ssize_t got = read(file, room, left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return status_of(errno);
        if (got == 0)
            return STATUS_OK;
        buffer_added(out, (size_t)got);
        left -= (size_t)got;
    }
    return STATUS_TOO_LARGE;
}

enum status
file_read(const char *path, size_t most, struct buffer *out)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (file < 0)
        return status_of(errno);
    enum status status = fstat(file, &about) != 0 ? status_of(errno) : STATUS_OK;
    if (status == STATUS_OK && !S_ISREG(about.st_mode))
        status = STATUS_INVALID;
    if (status == STATUS_OK && (about.st_size < 0 || (size_t)about.st_size > most))
        status = STATUS_TOO_LARGE;
    if (status == STATUS_OK)
        status = read_all(file, most, out);
    (void)close(file);
    return status;
}
