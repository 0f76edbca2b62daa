/* db/error.c - SQLite's codes become ours, and its messages faults. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "handle.h"

static int
file_errno(sqlite3 *handle, int which)
{
    sqlite3_file *file = NULL;
    int code = 0;

    if (sqlite3_file_control(handle, "main", which, &file) != SQLITE_OK || file == NULL ||
        file->pMethods == NULL)
        return 0;
    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &code);
    return code;
}

static bool
no_space(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

/* ENOSPC reaches us as SQLITE_FULL by itself; a quota and a file size limit arrive
 * as plain write errors, and mean the same to whoever has to act. The handle's own
 * errno may be that of a later call, the one of the file is not. */
static enum status
translate_io(sqlite3 *handle, int extended)
{
    switch (extended) {
    case SQLITE_IOERR_NOMEM:
        return STATUS_MEMORY;
    case SQLITE_IOERR_CORRUPTFS:
    case SQLITE_IOERR_DATA:
        return STATUS_CORRUPT;
    case SQLITE_IOERR_WRITE:
        if (handle != NULL && (no_space(file_errno(handle, SQLITE_FCNTL_FILE_POINTER)) ||
                               no_space(file_errno(handle, SQLITE_FCNTL_JOURNAL_POINTER))))
            return STATUS_FULL;
        return STATUS_IO;
    default:
        return STATUS_IO;
    }
}

enum status
db_translate(sqlite3 *handle, int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return STATUS_OK;
    case SQLITE_FULL:
        return STATUS_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STATUS_CORRUPT;
    case SQLITE_NOMEM:
        return STATUS_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STATUS_TIMEOUT;
    case SQLITE_CONSTRAINT:
        return STATUS_CONFLICT;
    case SQLITE_TOOBIG:
        return STATUS_TOO_LARGE;
    case SQLITE_IOERR:
        return translate_io(handle, handle == NULL ? code : sqlite3_extended_errcode(handle));
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return STATUS_IO;
    default:
        return STATUS_INTERNAL;
    }
}

enum status
db_fault(struct db *db, struct fault *fault, enum status code, const char *doing)
{
    int system = sqlite3_system_errno(db->handle);
    int extended = sqlite3_extended_errcode(db->handle);

    /* After a success SQLite has nothing to add ("not an error"). */
    if (db_translate(db->handle, extended) == STATUS_OK)
        return fault_set(fault, code, "%s: %s", doing, status_text(code));
    if (code == STATUS_FULL)
        return fault_set(fault, code, "%s: %s (%s)", doing, status_text(code),
                         sqlite3_errmsg(db->handle));
    if (system != 0)
        return fault_set(fault, code, "%s: %s (%s)", doing, sqlite3_errmsg(db->handle),
                         strerror(system));
    return fault_set(fault, code, "%s: %s", doing, sqlite3_errmsg(db->handle));
}
