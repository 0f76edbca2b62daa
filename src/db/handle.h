/* db/handle.h - what the files of this room share. */
#ifndef WRIT_DB_HANDLE_H
#define WRIT_DB_HANDLE_H

#include <sqlite3.h>

#include "db/db.h"

struct db {
    sqlite3 *handle;
    struct db_statement *statements; /* all that are not finished */
};

struct db_statement {
    struct db *db;
    sqlite3_stmt *handle;
    int bound; /* the first failed bind since the last rewind */
    struct db_statement *previous, *next;
};

/* The one translation of SQLite's codes. handle may be NULL. */
enum status db_translate(sqlite3 *handle, int code);

#endif
