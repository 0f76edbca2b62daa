/* store/shared.c - the change log of a fleet: opening it, adding to it, being told of what
 * others add. */
#include "shared.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"

enum { RETRY_FOR_US = 10000000, RETRY_EVERY_MS = 200 };

static const struct backend shared_backend;

static const struct pg_statement statements[SHARED_STATEMENTS] = {
#define SHARED_STATEMENT_ROW(name, parameters, sql) [SHARED_##name] = { #name, sql, parameters },
    SHARED_STATEMENT_MAP(SHARED_STATEMENT_ROW)
#undef SHARED_STATEMENT_ROW
};

/* Without LISTEN (CockroachDB) the others' changes are asked for now and then. */
static void
listen_if_it_can(struct shared *store)
{
    store->notifies = pg_run(store->pg, "LISTEN writ", NULL) == STATUS_OK;
    store->stirred = true; /* what came while nobody listened */
}

enum status
shared_ready(struct shared *store, struct fault *fault)
{
    /* Looks whether the server has closed it meanwhile. */
    store->stirred = pg_notified(store->pg) || store->stirred;
    if (!pg_is_lost(store->pg))
        return STATUS_OK;
    enum status status = pg_reconnect(store->pg, fault);
    if (status == STATUS_OK)
        listen_if_it_can(store);
    return status;
}

static void
shared_close(struct store *handle)
{
    struct shared *store = shared_of(handle);

    pg_close(store->pg);
    buffer_wipe_free(&store->row);
    free(store);
}

enum status
shared_open(const struct store_options *options, struct store **out, struct fault *fault)
{
    struct shared *store = calloc(1, sizeof *store);

    if (store == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    store->store.backend = &shared_backend;
    enum status status = pg_open(&(struct pg_options){ .url = options->url,
                                                       .statements = statements,
                                                       .statement_count = SHARED_STATEMENTS },
                                 &store->pg, fault);
    if (status == STATUS_OK)
        status = shared_schema_bring(store->pg, fault);
    if (status == STATUS_OK)
        status = pg_prepare(store->pg, fault);
    if (status != STATUS_OK) {
        shared_close(&store->store);
        return status;
    }
    listen_if_it_can(store);
    *out = &store->store;
    return STATUS_OK;
}

static uint64_t
shared_seq(const struct store *handle)
{
    return ((const struct shared *)handle)->seq;
}

static int
shared_descriptor(const struct store *handle)
{
    const struct shared *store = (const struct shared *)handle;

    return store->notifies ? pg_descriptor(store->pg) : -1;
}

static bool
shared_woken(struct store *handle)
{
    struct shared *store = shared_of(handle);
    bool stirred = pg_notified(store->pg) || store->stirred || pg_is_lost(store->pg);

    store->stirred = false;
    return stirred;
}

/* --- appending --------------------------------------------------------------------- */

/* The batch of one append, by which it is known again after a lost connection. */
struct batch {
    const struct change *changes;
    size_t count;
    uint8_t writer[WRITER_SIZE];
};

static enum status
add_change(struct shared *store, const struct batch *batch, size_t i, struct fault *fault)
{
    const struct change *change = &batch->changes[i];

    if ((unsigned)change->kind >= CHANGE_KINDS)
        return fault_set(fault, STATUS_INVALID, "a change of an unknown kind: %d",
                         (int)change->kind);
    buffer_clear(&store->row);
    enum status status = change_encode(change, &store->row);
    if (status != STATUS_OK)
        return fault_set(fault, status, "a change can't be written down: %s: %s",
                         change_kind_name(change->kind), status_text(status));
    pg_add(store->pg, SHARED_LOG_ADD,
           (struct pg_value[]){ pg_int((int64_t)(store->seq + i + 1)), pg_int(change->at),
                                pg_bytes(slice_of(batch->writer, WRITER_SIZE)),
                                pg_bytes(buffer_slice(&store->row)) });
    return shared_apply(store, change, fault);
}

/* The state tables are whole, so what lies far back in the log is not needed. */
static void
add_trim(struct shared *store, uint64_t to, int64_t now)
{
    if (store->seq / SHARED_LOG_SLACK == to / SHARED_LOG_SLACK)
        return;
    pg_add(store->pg, SHARED_LOG_TRIM,
           (struct pg_value[]){ pg_int((int64_t)to - SHARED_LOG_KEPT) });
    pg_add(store->pg, SHARED_HOPS_FORGET, (struct pg_value[]){ pg_int(now) });
}

static enum status
write_batch(struct shared *store, const struct batch *batch, struct fault *fault)
{
    uint64_t to = store->seq + batch->count;
    enum status status = STATUS_OK;

    pg_begin(store->pg);
    pg_add(store->pg, SHARED_HEAD_MOVE,
           (struct pg_value[]){ pg_int((int64_t)store->seq), pg_int((int64_t)to) });
    for (size_t i = 0; status == STATUS_OK && i < batch->count; i++)
        status = add_change(store, batch, i, fault);
    if (status != STATUS_OK) {
        pg_abandon(store->pg);
        return status;
    }
    add_trim(store, to, batch->changes[batch->count - 1].at);
    if (store->notifies)
        pg_add_plain(store->pg, "NOTIFY writ");
    status = pg_commit(store->pg, fault);
    if (status != STATUS_OK && slice_is(slice_text(pg_state(store->pg)), "22012"))
        return fault_set(fault, STATUS_BEHIND, "%s", status_text(STATUS_BEHIND));
    return status;
}

static enum status
take_writer(void *context, const struct pg_row *row)
{
    struct slice writer = pg_row_bytes(row, 0);
    uint8_t *out = context;

    if (writer.size == WRITER_SIZE)
        memcpy(out, writer.at, WRITER_SIZE);
    return STATUS_OK;
}

static enum status
take_seq(void *context, const struct pg_row *row)
{
    *(uint64_t *)context = (uint64_t)pg_row_int(row, 0);
    return STATUS_OK;
}

/* The connection broke before the answer: did it happen? OK: it did; BEHIND: others wrote
 * there; NOT_FOUND: it did not. */
static enum status
ask_what_happened(struct shared *store, const struct batch *batch, struct fault *fault)
{
    uint8_t writer[WRITER_SIZE] = { 0 };
    uint64_t head = 0;
    enum status status = shared_ready(store, fault);

    if (status == STATUS_OK)
        status = pg_query(store->pg, SHARED_LOG_WRITER,
                          (struct pg_value[]){ pg_int((int64_t)(store->seq + batch->count)) },
                          take_writer, writer, fault);
    if (status == STATUS_OK)
        status = pg_query(store->pg, SHARED_HEAD, NULL, take_seq, &head, fault);
    if (status != STATUS_OK)
        return status;
    if (memcmp(writer, batch->writer, WRITER_SIZE) == 0)
        return STATUS_OK;
    return head == store->seq ? STATUS_NOT_FOUND : STATUS_BEHIND;
}

static void
rest(void)
{
    const struct timespec pause = { .tv_nsec = RETRY_EVERY_MS * 1000000L };

    (void)nanosleep(&pause, NULL);
}

/* A fail-over takes seconds: it is waited for, within limits. */
static enum status
write_through_loss(struct shared *store, const struct batch *batch, struct fault *fault)
{
    uint64_t until = clock_mono_us() + RETRY_FOR_US;
    enum status status = shared_ready(store, fault);

    if (status == STATUS_OK)
        status = write_batch(store, batch, fault);
    while (status != STATUS_OK && pg_is_lost(store->pg) && clock_mono_us() < until) {
        rest();
        status = ask_what_happened(store, batch, fault);
        if (status == STATUS_NOT_FOUND)
            status = write_batch(store, batch, fault);
    }
    return status;
}

static enum status
shared_append(struct store *handle, const struct change *changes, size_t count, uint64_t *seq,
              struct fault *fault)
{
    struct shared *store = shared_of(handle);
    struct batch batch = { .changes = changes, .count = count };

    if (count == 0) {
        *seq = store->seq;
        return STATUS_OK;
    }
    if (getrandom(batch.writer, sizeof batch.writer, 0) != sizeof batch.writer)
        return fault_set(fault, STATUS_IO, "the system gives no random bytes");
    enum status status = write_through_loss(store, &batch, fault);
    if (status != STATUS_OK)
        return status;
    store->seq += count;
    *seq = store->seq;
    return STATUS_OK;
}

static enum status
shared_backup(struct store *handle, const char *path, struct fault *fault)
{
    return fault_set(fault, STATUS_INVALID,
                     "the store is in PostgreSQL: back it up with its own tools (pg_dump, "
                     "pg_basebackup)");
}

static const struct backend shared_backend = {
    .close = shared_close,
    .load = shared_load,
    .append = shared_append,
    .seq = shared_seq,
    .follow = shared_follow,
    .descriptor = shared_descriptor,
    .woken = shared_woken,
    .beat = shared_beat,
    .confirm = shared_confirm,
    .nodes = shared_nodes,
    .fence = shared_fence,
    .leave = shared_leave,
    .tokens = shared_tokens,
    .token_get = shared_token_get,
    .object_get = shared_object_get,
    .objects = shared_objects,
    .backup = shared_backup,
};
