/* db/open.c - opens a database file, and says what is wrong with it or its place. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handle.h"

enum { BUSY_MS = 5000, WAL_KEPT = 64 << 20 };

static enum status
directory_check(const char *path, char directory[PATH_MAX], struct fault *fault)
{
    struct stat info;
    char copy[PATH_MAX];

    if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
        return fault_set(fault, STATUS_INVALID, "the path of the database is too long");
    snprintf(directory, PATH_MAX, "%s", dirname(copy));
    if (stat(directory, &info) != 0)
        return fault_set(fault, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO,
                         "the directory %s of the database: %s", directory, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return fault_set(fault, STATUS_INVALID, "%s is not a directory", directory);
    return STATUS_OK;
}

/* Made here and not by SQLite, which would make it readable by all; -wal and
 * -shm take the mode of the file. */
static enum status
file_create(const char *path, const char *directory, struct fault *fault)
{
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int place;

    if (file < 0 && errno == EEXIST)
        return STATUS_OK;
    if (file < 0)
        return fault_set(fault, errno == ENOSPC || errno == EDQUOT ? STATUS_FULL : STATUS_IO,
                         "can't create %s: %s", path, strerror(errno));
    close(file);
    place = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place >= 0) {
        /* A file system without directory sync says EINVAL: nothing to do then. */
        (void)fsync(place);
        close(place);
    }
    return STATUS_OK;
}

static enum status
file_check(const struct db_options *options, struct fault *fault)
{
    int needed = options->mode == DB_READ ? R_OK : R_OK | W_OK;
    struct stat info;

    if (lstat(options->path, &info) != 0)
        return fault_set(fault, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s: %s",
                         options->path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return fault_set(fault, STATUS_INVALID, "%s is not a regular file", options->path);
    if ((info.st_mode & 022) != 0)
        return fault_set(fault, STATUS_IO, "%s can be written by others (mode %03o); make it 0600",
                         options->path, (unsigned)(info.st_mode & 0777));
    if (faccessat(AT_FDCWD, options->path, needed, AT_EACCESS) != 0)
        return fault_set(fault, STATUS_IO,
                         "%s can't be %s: %s; it belongs to uid %u, this process is uid %u",
                         options->path, options->mode == DB_READ ? "read" : "written",
                         strerror(errno), (unsigned)info.st_uid, (unsigned)geteuid());
    return STATUS_OK;
}

static enum status
directory_writable(const char *directory, struct fault *fault)
{
    /* A database that can't grow its -wal beside it can't be written at all. */
    if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) != 0)
        return fault_set(fault, STATUS_IO, "the directory %s can't be written: %s", directory,
                         strerror(errno));
    return STATUS_OK;
}

static enum status
configure(struct db *db, const struct db_options *options)
{
    char sql[512];

    if (sqlite3_busy_timeout(
            db->handle, (int)(options->busy_ms == 0 ? BUSY_MS : options->busy_ms)) != SQLITE_OK)
        return STATUS_INTERNAL;
    sqlite3_extended_result_codes(db->handle, 1);
    /* A file from elsewhere can carry a schema that runs things: it may not
     * (sqlite.org/security.html). */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    if (options->mode == DB_READ)
        /* The first read meets what is wrong with the file. */
        return db_run(db, "SELECT count(*) FROM sqlite_schema");
    snprintf(sql, sizeof(sql),
             "PRAGMA cell_size_check = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = %s;"
             "PRAGMA journal_size_limit = %d; PRAGMA temp_store = MEMORY;"
             "SELECT count(*) FROM sqlite_schema",
             options->sync == DB_SYNC_FULL ? "FULL" : "NORMAL", WAL_KEPT);
    return db_run(db, sql);
}

static enum status
cache_set(struct db *db, unsigned kib)
{
    char sql[64];

    if (kib == 0)
        return STATUS_OK;
    snprintf(sql, sizeof(sql), "PRAGMA cache_size = -%u", kib);
    return db_run(db, sql);
}

static enum status
handle_open(const struct db_options *options, struct db **out, struct fault *fault)
{
    int flags = options->mode == DB_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    struct db *db = calloc(1, sizeof(*db));
    enum status status;
    char doing[FAULT_TEXT_MAX / 2];

    if (db == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    snprintf(doing, sizeof(doing), "opening %s", options->path);
    status = db_translate(
        NULL, sqlite3_open_v2(options->path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL));
    if (status == STATUS_OK && options->mode != DB_READ &&
        sqlite3_db_readonly(db->handle, "main")) {
        /* SQLite opens what it can't write for reading, without a word. */
        status = fault_set(fault, STATUS_IO, "%s is read-only: %s", options->path,
                           strerror(sqlite3_system_errno(db->handle)));
        db_close(db);
        return status;
    }
    if (status == STATUS_OK)
        status = configure(db, options);
    if (status == STATUS_OK)
        status = cache_set(db, options->cache_kib);
    if (status == STATUS_OK) {
        *out = db;
        return STATUS_OK;
    }
    if (db->handle == NULL)
        status = fault_set(fault, STATUS_MEMORY, "out of memory");
    else
        db_fault(db, fault, status, doing);
    db_close(db);
    return status;
}

enum status
db_open(const struct db_options *options, struct db **out, struct fault *fault)
{
    char directory[PATH_MAX];
    enum status status = directory_check(options->path, directory, fault);

    if (status == STATUS_OK && options->mode == DB_CREATE)
        status = file_create(options->path, directory, fault);
    if (status == STATUS_OK)
        status = file_check(options, fault);
    if (status == STATUS_OK && options->mode != DB_READ)
        status = directory_writable(directory, fault);
    if (status == STATUS_OK)
        status = handle_open(options, out, fault);
    return status;
}

void
db_close(struct db *db)
{
    if (db == NULL)
        return;
    while (db->statements != NULL)
        db_finish(db->statements);
    sqlite3_close(db->handle);
    free(db);
}
