/* record/names.c - the archive's directory: names of files, made, found and removed. */
#include "archive_inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.h"

#define SUFFIX ".rec"
enum { TIME_DIGITS = 13 }; /* until the year 2286 */

const char *
archive_name_format(const struct archive_name *name, char out[ARCHIVE_NAME_MAX])
{
    snprintf(out, ARCHIVE_NAME_MAX, "%0*" PRId64 "-%" PRIu64 "-%02x%02x%02x%02x", TIME_DIGITS,
             name->started_at, name->session, name->mark[0], name->mark[1], name->mark[2],
             name->mark[3]);
    return out;
}

bool
archive_name_parse(struct slice text, struct archive_name *out)
{
    struct slice rest = text, time, session;
    char again[ARCHIVE_NAME_MAX];
    uint64_t at;

    if (!slice_next(&rest, '-', &time) || !slice_next(&rest, '-', &session) ||
        time.size != TIME_DIGITS || !slice_u64(time, &at) || !slice_u64(session, &out->session) ||
        !hex_decode(rest, out->mark, sizeof out->mark))
        return false;
    out->started_at = (int64_t)at;
    return slice_is(text, archive_name_format(out, again));
}

static bool
path_of(const char *dir, const struct archive_name *name, struct buffer *out)
{
    char text[ARCHIVE_NAME_MAX];

    put_format(out, "%s/%s" SUFFIX, dir, archive_name_format(name, text));
    put_u8(out, 0);
    return buffer_status(out) == STATUS_OK;
}

enum status
archive_create(const char *dir, const struct archive_name *name, int *fd)
{
    struct buffer path = { 0 };

    *fd = -1;
    if (path_of(dir, name, &path))
        *fd = open(path.bytes, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    buffer_free(&path);
    if (*fd < 0)
        return STATUS_IO;
    /* Who looks at it already lets go at once. */
    if (flock(*fd, LOCK_EX) == 0)
        return STATUS_OK;
    close(*fd);
    *fd = -1;
    return STATUS_IO;
}

int
archive_open_file(const char *dir, const struct archive_name *name)
{
    struct buffer path = { 0 };
    struct stat about;
    int fd = -1;

    /* What is no file could keep who opens it. */
    if (path_of(dir, name, &path))
        fd = open(path.bytes, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    buffer_free(&path);
    if (fd >= 0 && (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* The lock of who looks is let go at once, so that a writer never meets it. */
bool
archive_is_written(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) != 0)
        return errno == EWOULDBLOCK;
    (void)flock(fd, LOCK_UN);
    return false;
}

/* --- the directory ------------------------------------------------------------ */

int
archive_newest_first(const void *left, const void *right)
{
    const struct archive_name *a = left, *b = right;

    if (a->started_at != b->started_at)
        return a->started_at < b->started_at ? 1 : -1;
    if (a->session != b->session)
        return a->session < b->session ? 1 : -1;
    return memcmp(b->mark, a->mark, sizeof a->mark);
}

static bool
take_name(struct archive_names *names, const char *file)
{
    struct slice text = slice_text(file);
    struct archive_name name;
    struct archive_name *more;

    if (!slice_ends(text, SLICE_LITERAL(SUFFIX)) ||
        !archive_name_parse(slice_first(text, text.size - strlen(SUFFIX)), &name))
        return true;
    if (names->count == names->room) {
        names->room = names->room == 0 ? 256 : 2 * names->room;
        more = realloc(names->at, names->room * sizeof *more);
        if (more == NULL)
            return false;
        names->at = more;
    }
    names->at[names->count++] = name;
    return true;
}

enum status
archive_names(const char *dir, struct archive_names *out)
{
    DIR *open_dir = opendir(dir);
    const struct dirent *entry;
    bool fine = true;

    *out = (struct archive_names){ 0 };
    if (open_dir == NULL)
        return errno == ENOENT ? STATUS_OK : STATUS_IO;
    while (fine && (entry = readdir(open_dir)) != NULL)
        fine = take_name(out, entry->d_name);
    closedir(open_dir);
    if (!fine) {
        archive_names_free(out);
        return STATUS_MEMORY;
    }
    if (out->count > 0)
        qsort(out->at, out->count, sizeof *out->at, archive_newest_first);
    return STATUS_OK;
}

void
archive_names_free(struct archive_names *names)
{
    free(names->at);
    *names = (struct archive_names){ 0 };
}

/* --- away --------------------------------------------------------------------- */

static enum status
remove_file(const char *dir, const struct archive_name *name)
{
    struct buffer path = { 0 };
    int fd = archive_open_file(dir, name);
    enum status status = STATUS_OK;

    if (fd < 0)
        return STATUS_NOT_FOUND;
    if (archive_is_written(fd))
        status = STATUS_CONFLICT;
    else if (!path_of(dir, name, &path) || unlink(path.bytes) != 0)
        status = STATUS_IO;
    buffer_free(&path);
    close(fd);
    return status;
}

enum status
archive_remove(const struct archive *archive, const struct archive_name *name, struct fault *fault)
{
    enum status status = remove_file(archive->dir, name);

    if (status == STATUS_CONFLICT)
        return fault_set(fault, status, "the session is still being recorded: end it first");
    if (status == STATUS_NOT_FOUND)
        return fault_set(fault, status, "there is no such recording on this node");
    return status == STATUS_OK ? status : fault_set(fault, status, "the file can't be removed");
}

unsigned
archive_expire(const char *dir, int64_t before)
{
    struct archive_names names;
    unsigned removed = 0;

    if (archive_names(dir, &names) != STATUS_OK)
        return 0;
    for (size_t i = 0; i < names.count; i++)
        if (names.at[i].started_at < before && remove_file(dir, &names.at[i]) == STATUS_OK)
            removed++;
    archive_names_free(&names);
    return removed;
}
