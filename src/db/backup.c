/* db/backup.c - a consistent copy of a live database, whole or not there. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handle.h"

enum status
db_check(struct db *db, struct fault *fault)
{
    struct db_statement *statement = NULL;
    enum status status = db_prepare(db, "PRAGMA quick_check(1)", &statement);
    struct slice finding;
    bool row = false;

    if (status == STATUS_OK)
        status = db_step(statement, &row);
    if (status != STATUS_OK) {
        db_fault(db, fault, status, "checking the database");
    } else {
        finding = row ? db_column_bytes(statement, 0) : SLICE_LITERAL("no answer");
        if (!slice_is(finding, "ok"))
            status = fault_set(fault, STATUS_CORRUPT, "the database is damaged: %.*s",
                               SLICE_PRINT(slice_first(finding, 256)));
    }
    db_finish(statement);
    return status;
}

/* One step copies every page under one read lock: a snapshot. Writers go on in
 * the meantime, their changes stay in the -wal. */
static enum status
pages_copy(struct db *from, struct db *to, struct fault *fault)
{
    sqlite3_backup *copy = sqlite3_backup_init(to->handle, "main", from->handle, "main");
    enum status status;

    if (copy == NULL)
        return db_fault(to, fault, db_translate(to->handle, sqlite3_errcode(to->handle)),
                        "copying the database");
    sqlite3_backup_step(copy, -1);
    /* Finish leaves the first error on the target, whichever side had it. */
    status = db_translate(to->handle, sqlite3_backup_finish(copy));
    return status == STATUS_OK ? STATUS_OK : db_fault(to, fault, status, "copying the database");
}

static enum status
copy_and_check(const char *from, const char *temporary, struct fault *fault)
{
    struct db *source = NULL, *target = NULL;
    enum status status;

    status = db_open(&(struct db_options){ .path = from, .mode = DB_READ }, &source, fault);
    if (status == STATUS_OK)
        status =
            db_open(&(struct db_options){ .path = temporary, .mode = DB_WRITE }, &target, fault);
    /* One file with nothing beside it: what is copied to another machine is whole. */
    if (status == STATUS_OK &&
        (status = db_run(target, "PRAGMA journal_mode = DELETE")) != STATUS_OK)
        db_fault(target, fault, status, "preparing the copy");
    if (status == STATUS_OK)
        status = pages_copy(source, target, fault);
    if (status == STATUS_OK &&
        (status = db_run(target, "PRAGMA journal_mode = DELETE")) != STATUS_OK)
        db_fault(target, fault, status, "closing the copy");
    if (status == STATUS_OK)
        status = db_check(target, fault);
    db_close(target);
    db_close(source);
    return status;
}

static enum status
sync_path(const char *path, int flags)
{
    int file = open(path, flags | O_CLOEXEC);
    int failed = file < 0 || (fsync(file) != 0 && errno != EINVAL);

    if (file >= 0)
        close(file);
    return failed ? STATUS_IO : STATUS_OK;
}

static enum status
publish(const char *temporary, const char *to, struct fault *fault)
{
    char copy[PATH_MAX];

    snprintf(copy, sizeof(copy), "%s", to);
    if (sync_path(temporary, O_RDONLY) != STATUS_OK)
        return fault_set(fault, STATUS_IO, "writing %s: %s", temporary, strerror(errno));
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, to, RENAME_NOREPLACE) != 0)
        return fault_set(fault, errno == EEXIST ? STATUS_CONFLICT : STATUS_IO, "can't make %s: %s",
                         to, strerror(errno));
    if (sync_path(dirname(copy), O_RDONLY | O_DIRECTORY) != STATUS_OK)
        return fault_set(fault, STATUS_IO, "writing the directory of %s: %s", to, strerror(errno));
    return STATUS_OK;
}

enum status
db_backup(const char *from, const char *to, struct fault *fault)
{
    char temporary[PATH_MAX], journal[PATH_MAX + 16];
    struct stat info;
    enum status status;
    int file;

    if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", to) >= sizeof(temporary))
        return fault_set(fault, STATUS_INVALID, "the path of the copy is too long");
    if (lstat(to, &info) == 0)
        return fault_set(fault, STATUS_CONFLICT, "%s is there already; nothing was written", to);
    file = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    if (file < 0)
        return fault_set(fault,
                         errno == ENOSPC || errno == EDQUOT ? STATUS_FULL
                         : errno == ENOENT                  ? STATUS_NOT_FOUND
                                                            : STATUS_IO,
                         "can't write beside %s: %s", to, strerror(errno));
    close(file);
    status = copy_and_check(from, temporary, fault);
    if (status == STATUS_OK)
        status = publish(temporary, to, fault);
    if (status != STATUS_OK) {
        unlink(temporary);
        snprintf(journal, sizeof(journal), "%s-journal", temporary);
        unlink(journal);
    }
    return status;
}
