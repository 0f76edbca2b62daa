/* db/db.h - SQLite behind a thin wrapper: slices in and out, its codes turned
 * into ours once.
 *
 * A handle and its statements belong to one thread at a time. Files are WAL,
 * foreign writers are waited for up to busy_ms and then reported as TIMEOUT. */
#ifndef WRIT_DB_DB_H
#define WRIT_DB_DB_H

#include "base/fault.h"
#include "base/slice.h"

struct db;
struct db_statement;

enum db_mode { DB_READ, DB_WRITE, DB_CREATE }; /* CREATE: or write what is there */
enum db_sync {
    DB_SYNC_FULL,   /* a commit is on the disk when it returns */
    DB_SYNC_NORMAL, /* a power cut may lose the last commits, never the order */
};

struct db_options {
    const char *path;
    enum db_mode mode;
    enum db_sync sync;
    unsigned busy_ms;   /* 0: 5 seconds */
    unsigned cache_kib; /* of pages in memory; 0: SQLite's own choice */
};

/* A new file is made with mode 0600, and so are its -wal and -shm. Refused with
 * a text for people: no directory, no permission, not a regular file, writable
 * by others, not a database. */
enum status db_open(const struct db_options *options, struct db **out,
                    struct fault *fault) WRIT_MUST_USE;
void db_close(struct db *db); /* and every statement that is left; accepts NULL */

/* One or more statements without parameters; rows are dropped. */
enum status db_run(struct db *db, const char *sql) WRIT_MUST_USE;

/* IMMEDIATE, so that the write lock is met here and not in the middle. */
enum status db_begin(struct db *db) WRIT_MUST_USE;
/* On failure the transaction is rolled back. */
enum status db_commit(struct db *db) WRIT_MUST_USE;
/* OK, too, when there is no transaction (SQLite ends it itself on some errors). */
enum status db_rollback(struct db *db) WRIT_MUST_USE;

enum status db_prepare(struct db *db, const char *sql, struct db_statement **out) WRIT_MUST_USE;
void db_finish(struct db_statement *statement); /* accepts NULL */

/* Parameters count from 1. Slices are borrowed until db_rewind. A failed bind is
 * told by the next step. A slice of size 0 binds an empty value, never NULL. */
void db_bind_int(struct db_statement *statement, int index, int64_t value);
void db_bind_text(struct db_statement *statement, int index, struct slice value);
void db_bind_blob(struct db_statement *statement, int index, struct slice value);
void db_bind_null(struct db_statement *statement, int index);

/* *row tells whether there is one; its slices live until the next step. */
enum status db_step(struct db_statement *statement, bool *row) WRIT_MUST_USE;
/* Ready to run again, parameters forgotten. */
void db_rewind(struct db_statement *statement);
/* Steps to the end and rewinds, for statements without rows. */
enum status db_do(struct db_statement *statement) WRIT_MUST_USE;

/* Columns count from 0. */
int64_t db_column_int(struct db_statement *statement, int column);
struct slice db_column_bytes(struct db_statement *statement, int column); /* NULL: .at is NULL */
bool db_column_is_null(struct db_statement *statement, int column);

uint64_t db_changed(struct db *db); /* rows that the last statement touched */

/* Fills *fault with "doing: what SQLite and the system say" and returns code, the
 * status that a call on db has just given. */
enum status db_fault(struct db *db, struct fault *fault, enum status code, const char *doing);

/* Walks every page; CORRUPT with the first finding. Time grows with the file. */
enum status db_check(struct db *db, struct fault *fault) WRIT_MUST_USE;

/* A consistent copy of a live file, checked, 0600, under a temporary name until it
 * is whole; CONFLICT when `to` exists. Opens the source by itself, so that any
 * thread may call it while others go on writing. */
enum status db_backup(const char *from, const char *to, struct fault *fault) WRIT_MUST_USE;

#endif
