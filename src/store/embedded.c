/* store/embedded.c - the change log in a SQLite file: opening, closing, adding to it. */
#include <stdlib.h>
#include <unistd.h>

#include "state.h"

/* Pages in memory: enough for the inner pages of a million tokens' indexes. */
enum { CACHE_KIB = 32 << 10 };

static enum status
statements_prepare(struct embedded *store, struct fault *fault)
{
    static const char *const sql[SQL_STATEMENTS] = {
#define STORE_STATEMENT_TEXT(name, text) [SQL_##name] = text,
        STORE_STATEMENT_MAP(STORE_STATEMENT_TEXT)
#undef STORE_STATEMENT_TEXT
    };

    for (int i = 0; i < SQL_STATEMENTS; i++) {
        enum status status = db_prepare(store->db, sql[i], &store->sql[i]);

        if (status != STATUS_OK)
            return db_fault(store->db, fault, status == STATUS_INTERNAL ? STATUS_CORRUPT : status,
                            "the store's tables");
    }
    return STATUS_OK;
}

/* The newest entry tells the number to go on from, and whether a later Writ has
 * written here: then this one may misread more than that entry. */
static enum status
log_end(struct embedded *store, struct fault *fault)
{
    struct db_statement *last = store->sql[SQL_LOG_LAST];
    struct cidr networks[TOKEN_NETWORKS_MAX];
    struct change change;
    bool row = false;
    enum status status = db_step(last, &row);

    if (status != STATUS_OK) {
        db_fault(store->db, fault, status, "reading the store's log");
    } else if (row) {
        store->seq = (uint64_t)db_column_int(last, 0);
        status = change_decode(db_column_bytes(last, 1), networks, &change);
        if (status == STATUS_NEWER)
            fault_set(fault, status,
                      "the store was written by a newer Writ; run that one, or "
                      "restore a backup from before the upgrade");
        else if (status != STATUS_OK)
            status = fault_set(fault, STATUS_CORRUPT,
                               "the newest entry of the store's log (%llu) "
                               "is damaged",
                               (unsigned long long)store->seq);
    }
    db_rewind(last);
    return status;
}

static const struct backend embedded_backend;
static void embedded_close(struct store *handle);

enum status
embedded_open(const struct store_options *options, struct store **out, struct fault *fault)
{
    struct embedded *store = calloc(1, sizeof(*store));
    struct db_options how = { .mode = DB_CREATE, .sync = DB_SYNC_FULL, .cache_kib = CACHE_KIB };
    enum status status;

    if (store == NULL || (store->path = slice_strdup(slice_text(options->path))) == NULL) {
        free(store);
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    }
    store->store.backend = &embedded_backend;
    how.path = store->path;
    store->lock = -1;
    status = lock_take(store->path, &store->lock, fault);
    if (status == STATUS_OK)
        status = db_open(&how, &store->db, fault);
    if (status == STATUS_OK)
        status = schema_bring(store->db, schema_steps, STORE_SCHEMA, fault);
    if (status == STATUS_OK)
        status = statements_prepare(store, fault);
    if (status == STATUS_OK)
        status = log_end(store, fault);
    if (status != STATUS_OK) {
        embedded_close(&store->store);
        return status;
    }
    *out = &store->store;
    return STATUS_OK;
}

static void
embedded_close(struct store *handle)
{
    struct embedded *store = embedded_of(handle);
    if (handle == NULL)
        return;
    db_close(store->db);
    if (store->lock >= 0)
        close(store->lock);
    buffer_wipe_free(&store->row);
    free(store->path);
    free(store);
}

static uint64_t
embedded_seq(const struct store *handle)
{
    return ((const struct embedded *)handle)->seq;
}

static enum status
log_add(struct embedded *store, uint64_t seq, const struct change *change, struct fault *fault)
{
    struct db_statement *add = store->sql[SQL_LOG_ADD];
    enum status status;

    buffer_clear(&store->row);
    status = change_encode(change, &store->row);
    if (status != STATUS_OK)
        return fault_set(fault, status, "a change can't be written down: %s: %s",
                         change_kind_name(change->kind), status_text(status));
    db_bind_int(add, 1, (int64_t)seq);
    db_bind_int(add, 2, change->at);
    db_bind_int(add, 3, change->kind);
    db_bind_blob(add, 4, buffer_slice(&store->row));
    status = db_do(add);
    return status == STATUS_OK ? STATUS_OK
                               : db_fault(store->db, fault, status, "writing the store's log");
}

/* The state tables are whole, so what lies far back in the log is not needed. Now
 * and then only, so that a single change doesn't pay for it. */
static enum status
old_trim(struct embedded *store, uint64_t from, uint64_t to, int64_t now)
{
    enum status status;

    if (from / STORE_LOG_SLACK == to / STORE_LOG_SLACK)
        return STATUS_OK;
    db_bind_int(store->sql[SQL_LOG_TRIM], 1, (int64_t)to - STORE_LOG_KEPT);
    status = db_do(store->sql[SQL_LOG_TRIM]);
    if (status != STATUS_OK)
        return status;
    db_bind_int(store->sql[SQL_HOPS_FORGET], 1, now);
    return db_do(store->sql[SQL_HOPS_FORGET]);
}

static enum status
all_write(struct embedded *store, const struct change *changes, size_t count, struct fault *fault)
{
    int64_t now = INT64_MIN;
    enum status status;

    for (size_t i = 0; i < count; i++) {
        if ((unsigned)changes[i].kind >= CHANGE_KINDS)
            return fault_set(fault, STATUS_INVALID, "a change of an unknown kind: %d",
                             (int)changes[i].kind);
        status = log_add(store, store->seq + i + 1, &changes[i], fault);
        if (status == STATUS_OK)
            status = state_apply(store, &changes[i], fault);
        if (status != STATUS_OK)
            return status;
        if (now < changes[i].at)
            now = changes[i].at;
    }
    status = old_trim(store, store->seq, store->seq + count, now);
    if (status != STATUS_OK)
        return db_fault(store->db, fault, status, "trimming the store's log");
    return STATUS_OK;
}

static enum status
embedded_append(struct store *handle, const struct change *changes, size_t count, uint64_t *seq,
                struct fault *fault)
{
    struct embedded *store = embedded_of(handle);
    enum status status = db_rollback(store->db); /* left open only by a failed rollback */

    if (status == STATUS_OK)
        status = db_begin(store->db);
    if (status != STATUS_OK)
        return db_fault(store->db, fault, status, "locking the store");
    status = all_write(store, changes, count, fault);
    if (status == STATUS_OK) {
        status = db_commit(store->db);
        if (status == STATUS_OK) {
            store->seq += count;
            *seq = store->seq;
            return STATUS_OK;
        }
        db_fault(store->db, fault, status, "making a change durable");
    }
    if (db_rollback(store->db) != STATUS_OK)
        fault_prefix(fault, "and it could not be rolled back yet");
    return status;
}

static enum status
embedded_backup(struct store *handle, const char *path, struct fault *fault)
{
    struct embedded *store = embedded_of(handle);
    return db_backup(store->path, path, fault);
}

/* One process owns the file: nobody else changes it. */
static enum status
embedded_follow(struct store *handle, store_batch_visitor each, void *context, struct fault *fault)
{
    return STATUS_OK;
}

static const struct backend embedded_backend = {
    .close = embedded_close,
    .load = embedded_load,
    .append = embedded_append,
    .seq = embedded_seq,
    .follow = embedded_follow,
    .tokens = embedded_tokens,
    .token_get = embedded_token_get,
    .object_get = embedded_object_get,
    .objects = embedded_objects,
    .backup = embedded_backup,
};
