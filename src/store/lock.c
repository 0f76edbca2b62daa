/* store/lock.c - one process owns a store, and another one is told which. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "state.h"

static enum status
lock_refused(int file, const char *path, struct fault *fault)
{
    char text[24];
    ssize_t size = pread(file, text, sizeof(text), 0);
    uint64_t owner;
    struct slice digits = slice_of(text, size < 0 ? 0 : (size_t)size);

    digits = slice_first(digits, slice_find(digits, '\n'));
    if (slice_u64(digits, &owner))
        return fault_set(fault, STATUS_CONFLICT, "the store %s is in use by process %llu", path,
                         (unsigned long long)owner);
    return fault_set(fault, STATUS_CONFLICT, "the store %s is in use by another process", path);
}

/* A lock of the kernel, not a file that exists: it is gone with its process,
 * however that ends. The number in the file is for people alone. */
enum status
lock_take(const char *path, int *out, struct fault *fault)
{
    char name[PATH_MAX], text[24];
    enum status status;
    int file, size;

    if ((size_t)snprintf(name, sizeof(name), "%s.lock", path) >= sizeof(name))
        return fault_set(fault, STATUS_INVALID, "the path of the store is too long");
    file = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0 && errno == ENOENT)
        return fault_set(fault, STATUS_NOT_FOUND, "the directory of the store %s doesn't exist",
                         path);
    if (file < 0)
        return fault_set(fault, errno == ENOSPC || errno == EDQUOT ? STATUS_FULL : STATUS_IO,
                         "can't open %s: %s (this process is uid %u)", name, strerror(errno),
                         (unsigned)geteuid());
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        status = errno == EWOULDBLOCK
                     ? lock_refused(file, path, fault)
                     : fault_set(fault, STATUS_IO, "can't lock %s: %s", name, strerror(errno));
        close(file);
        return status;
    }
    size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    /* On a full disk the number is missing, the lock holds all the same. */
    if (ftruncate(file, 0) != 0 || pwrite(file, text, (size_t)size, 0) != size)
        errno = 0;
    *out = file;
    return STATUS_OK;
}
