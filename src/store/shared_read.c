/* store/shared_read.c - the present state, what others changed, and tokens by page. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "shared.h"

/* --- rows ---------------------------------------------------------------------------- */

static enum status
damaged(struct fault *fault, enum status status, const char *table)
{
    return fault_set(fault, status,
                     status == STATUS_NEWER ? "the store was written by a newer Writ (%s)"
                                            : "the store is damaged: %s; restore a backup",
                     table);
}

static enum status
shared_token(const struct pg_row *from, struct row *row, struct store_token *out)
{
    enum status status = row_open(pg_row_bytes(from, 0), row);
    bool touched = pg_row_bytes(from, 2).at != NULL;

    if (status != STATUS_OK)
        return status;
    *out = (struct store_token){
        .record = row->change.token,
        .life = { .expires_at = pg_row_int(from, 1),
                  .revoked_at = touched ? pg_row_int(from, 2) : TIME_NEVER,
                  .last_used = pg_row_int(from, 3),
                  .uses = (uint32_t)pg_row_int(from, 4) },
    };
    return STATUS_OK;
}

/* --- the present state ------------------------------------------------------------------ */

struct pass {
    struct shared *store;
    store_visitor each;
    void *context;
    struct fault *fault;
    const char *table;
};

static enum status
tell(const struct pass *pass, const struct change *change)
{
    enum status status = pass->each(pass->context, change);

    /* The visitor may have said why, better than this. */
    if (status == STATUS_OK || (pass->fault != NULL && pass->fault->code == status))
        return status;
    return fault_set(pass->fault, status, "a stored change was refused: %s %.*s: %s",
                     change_kind_name(change->kind), SLICE_PRINT(slice_first(change->name, 128)),
                     status_text(status));
}

static enum status
see_sealed(void *context, const struct pg_row *from)
{
    const struct pass *pass = context;
    struct row row;
    enum status status = row_open(pg_row_bytes(from, 0), &row);

    return status == STATUS_OK ? tell(pass, &row.change)
                               : damaged(pass->fault, status, pass->table);
}

/* A token's present end counts for more than the one it was issued with. */
static enum status
see_token(void *context, const struct pg_row *from)
{
    const struct pass *pass = context;
    struct row row;
    enum status status = row_open(pg_row_bytes(from, 0), &row);

    if (status != STATUS_OK)
        return damaged(pass->fault, status, pass->table);
    if (pg_row_int(from, 1) < row.change.token.expires_at)
        row.change.token.expires_at = pg_row_int(from, 1);
    return tell(pass, &row.change);
}

static enum status
see_line(void *context, const struct pg_row *from)
{
    const struct pass *pass = context;
    struct slice line = pg_row_bytes(from, 0);
    struct change change = { .kind = CHANGE_LINE_USED,
                             .at = pg_row_int(from, 2),
                             .uses = (uint32_t)pg_row_int(from, 3) };
    int64_t revoked_at = pg_row_int(from, 1);
    enum status status = STATUS_OK;

    if (line.size != TOKEN_ID_SIZE)
        return damaged(pass->fault, STATUS_CORRUPT, pass->table);
    memcpy(change.id.bytes, line.at, TOKEN_ID_SIZE);
    if (change.uses > 0 || change.at > 0)
        status = tell(pass, &change);
    change.kind = CHANGE_LINE_REVOKED;
    change.at = revoked_at;
    return status == STATUS_OK && revoked_at != TIME_NEVER ? tell(pass, &change) : status;
}

static enum status
read_pass(struct pass *pass, enum shared_statement statement, pg_visitor see, const char *table)
{
    pass->table = table;
    return pg_query(pass->store->pg, statement, NULL, see, pass, pass->fault);
}

static enum status
objects_pass(struct pass *pass, enum change_kind kind)
{
    pass->table = change_kind_name(kind);
    return pg_query(
        pass->store->pg, SHARED_OBJECTS_PAGE,
        (struct pg_value[]){ pg_int(kind), pg_bytes(SLICE_LITERAL("")), pg_int(INT64_MAX) },
        see_sealed, pass, pass->fault);
}

static enum status
see_seq(void *context, const struct pg_row *row)
{
    *(uint64_t *)context = (uint64_t)pg_row_int(row, 0);
    return STATUS_OK;
}

static enum status
load_all(struct pass *pass, uint64_t *seq)
{
    static const enum change_kind kinds[] = { CHANGE_KEY_PUT,        CHANGE_UPSTREAM_PUT,
                                              CHANGE_ROLE_PUT,       CHANGE_SUBJECT_PUT,
                                              CHANGE_POLICY_APPLIED, CHANGE_AUDIT_HEAD,
                                              CHANGE_ANSWER_KEPT,    CHANGE_TOOL_APPROVED };
    enum status status = pg_query(pass->store->pg, SHARED_HEAD, NULL, see_seq, seq, pass->fault);

    for (size_t i = 0; status == STATUS_OK && i < sizeof kinds / sizeof kinds[0]; i++)
        status = objects_pass(pass, kinds[i]);
    if (status == STATUS_OK)
        status = read_pass(pass, SHARED_TOKENS_LOAD, see_token, "tokens");
    if (status == STATUS_OK)
        status = read_pass(pass, SHARED_LINES_LOAD, see_line, "lines");
    if (status == STATUS_OK)
        status = read_pass(pass, SHARED_HOPS_LOAD, see_sealed, "hops");
    return status;
}

/* One picture of all tables, so that what is followed afterwards begins where it ends. */
enum status
shared_load(struct store *handle, store_visitor each, void *context, struct fault *fault)
{
    struct shared *store = shared_of(handle);
    struct pass pass = { store, each, context, fault, "" };
    uint64_t seq = 0;
    enum status status = shared_ready(store, fault);

    if (status == STATUS_OK)
        status = pg_run(store->pg,
                        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                        "SET LOCAL statement_timeout = 0",
                        fault);
    if (status != STATUS_OK)
        return status;
    status = load_all(&pass, &seq);
    enum status ended = pg_run(store->pg, "COMMIT", status == STATUS_OK ? fault : NULL);
    if (status == STATUS_OK)
        status = ended;
    if (status == STATUS_OK)
        store->seq = seq;
    return status;
}

/* --- what others changed ------------------------------------------------------------------ */

/* A page of the log, its bytes kept while it is looked at. */
struct page {
    struct change *changes;
    struct cidr *networks;
    struct buffer bytes;
    size_t *ends;
    size_t count;
    uint64_t first, last;
};

static enum status
see_entry(void *context, const struct pg_row *row)
{
    struct page *page = context;

    if (page->count == SHARED_PAGE)
        return STATUS_INTERNAL;
    page->last = (uint64_t)pg_row_int(row, 0);
    if (page->count == 0)
        page->first = page->last;
    put_slice(&page->bytes, pg_row_bytes(row, 1));
    page->ends[page->count++] = page->bytes.size;
    return buffer_status(&page->bytes);
}

static enum status
page_decode(struct page *page, struct fault *fault)
{
    size_t from = 0;

    for (size_t i = 0; i < page->count; i++) {
        struct slice bytes = slice_of(page->bytes.bytes + from, page->ends[i] - from);
        enum status status =
            change_decode(bytes, page->networks + i * TOKEN_NETWORKS_MAX, &page->changes[i]);

        if (status != STATUS_OK)
            return damaged(fault, status, "changes");
        from = page->ends[i];
    }
    return STATUS_OK;
}

static bool
page_new(struct page *page)
{
    page->changes = calloc(SHARED_PAGE, sizeof *page->changes);
    page->networks = calloc((size_t)SHARED_PAGE * TOKEN_NETWORKS_MAX, sizeof *page->networks);
    page->ends = calloc(SHARED_PAGE, sizeof *page->ends);
    return page->changes != NULL && page->networks != NULL && page->ends != NULL;
}

static void
page_free(struct page *page)
{
    free(page->changes);
    free(page->networks);
    free(page->ends);
    buffer_wipe_free(&page->bytes);
}

static enum status
page_read(struct shared *store, struct page *page, struct fault *fault)
{
    page->count = 0;
    buffer_clear(&page->bytes);
    enum status status =
        pg_query(store->pg, SHARED_LOG_AFTER,
                 (struct pg_value[]){ pg_int((int64_t)store->seq), pg_int(SHARED_PAGE) }, see_entry,
                 page, fault);
    /* The log has no gaps: numbers are given under the head's lock. */
    if (status == STATUS_OK && page->count > 0 && page->first != store->seq + 1)
        return fault_set(fault, STATUS_EXPIRED, "the store's log does not go back so far");
    return status == STATUS_OK ? page_decode(page, fault) : status;
}

enum status
shared_follow(struct store *handle, store_batch_visitor each, void *context, struct fault *fault)
{
    struct shared *store = shared_of(handle);
    struct page page = { 0 };
    enum status status = shared_ready(store, fault);

    if (status == STATUS_OK && !page_new(&page))
        status = fault_set(fault, STATUS_MEMORY, "out of memory");
    while (status == STATUS_OK) {
        status = page_read(store, &page, fault);
        if (status != STATUS_OK || page.count == 0)
            break;
        status = each(context, page.changes, page.count);
        if (status == STATUS_OK)
            store->seq = page.last;
    }
    page_free(&page);
    return status;
}

/* --- one by one, and by page ------------------------------------------------------------------ */

struct finding {
    store_visitor each;
    void *context;
    size_t count;
};

static enum status
see_object(void *context, const struct pg_row *from)
{
    struct finding *finding = context;
    struct row row;
    enum status status = row_open(pg_row_bytes(from, 0), &row);

    finding->count++;
    return status == STATUS_OK ? finding->each(finding->context, &row.change) : status;
}

enum status
shared_objects(struct store *handle, enum change_kind put_kind, struct slice after, size_t limit,
               store_visitor each, void *context)
{
    struct shared *store = shared_of(handle);
    struct finding finding = { each, context, 0 };
    enum status status = shared_ready(store, NULL);

    if (limit > INT32_MAX)
        return STATUS_INVALID;
    return status != STATUS_OK ? status
                               : pg_query(store->pg, SHARED_OBJECTS_PAGE,
                                          (struct pg_value[]){ pg_int(put_kind), pg_bytes(after),
                                                               pg_int((int64_t)limit) },
                                          see_object, &finding, NULL);
}

enum status
shared_object_get(struct store *handle, enum change_kind put_kind, struct slice name,
                  store_visitor each, void *context)
{
    struct shared *store = shared_of(handle);
    struct finding finding = { each, context, 0 };
    enum status status = shared_ready(store, NULL);

    if (status == STATUS_OK)
        status = pg_query(store->pg, SHARED_OBJECT_GET,
                          (struct pg_value[]){ pg_int(put_kind), pg_bytes(name) }, see_object,
                          &finding, NULL);
    return status == STATUS_OK && finding.count == 0 ? STATUS_NOT_FOUND : status;
}

/* Where the next page starts: behind this token in the order of the list. */
enum { PLACE_SIZE = 8 + TOKEN_ID_SIZE, PAGE_MAX = 100000 };

struct token_page {
    store_token_visitor each;
    void *context;
    size_t limit, count;
    int64_t issued_at;
    uint8_t id[TOKEN_ID_SIZE + 1]; /* one more sorts behind every id */
    size_t id_size;
    struct buffer *next;
};

static void
place_put(const struct token_page *page)
{
    struct buffer place = { 0 };

    put_be64(&place, (uint64_t)page->issued_at);
    put_bytes(&place, page->id, TOKEN_ID_SIZE);
    put_base64url(page->next, place.bytes, place.size);
    buffer_free(&place);
}

static bool
place_take(struct slice cursor, struct token_page *page)
{
    uint8_t bytes[PLACE_SIZE];
    uint64_t issued_at;
    size_t size;

    page->issued_at = INT64_MAX;
    page->id_size = sizeof page->id;
    memset(page->id, 0xff, sizeof page->id);
    if (cursor.size == 0)
        return true;
    if (!base64url_decode(cursor, bytes, sizeof bytes, &size) || size != PLACE_SIZE)
        return false;
    struct cursor in = cursor_over(slice_of(bytes, size));
    if (!take_be64(&in, &issued_at))
        return false;
    page->issued_at = (int64_t)issued_at;
    memcpy(page->id, bytes + 8, TOKEN_ID_SIZE);
    page->id_size = TOKEN_ID_SIZE;
    return true;
}

static enum status
see_page_token(void *context, const struct pg_row *from)
{
    struct token_page *page = context;
    struct slice id = pg_row_bytes(from, 6);
    struct store_token token;
    struct row row;

    if (page->count++ == page->limit) {
        place_put(page);
        return STATUS_OK;
    }
    enum status status = shared_token(from, &row, &token);
    if (status == STATUS_OK)
        status = page->each(page->context, &token);
    page->issued_at = pg_row_int(from, 5);
    if (id.size == TOKEN_ID_SIZE)
        memcpy(page->id, id.at, TOKEN_ID_SIZE);
    return status;
}

static void
query_write(const struct store_token_query *query, struct buffer *sql)
{
    put_text(sql, "SELECT " SHARED_TOKEN_COLUMNS " FROM ");
    put_text(sql,
             query->role.size > 0 ? "token_roles r JOIN tokens t ON t.id = r.token" : "tokens t");
    put_text(sql, SHARED_TOKEN_LINE " WHERE (t.issued_at, t.id) < ($1, $2)");
    if (!token_id_is_none(&query->line))
        put_text(sql, " AND t.line = $3");
    if (!token_id_is_none(&query->parent_line))
        put_text(sql, " AND t.parent_line = $4");
    if (query->role.size > 0)
        put_text(sql, " AND r.role = $5");
    if (query->subject.size > 0)
        put_text(sql, " AND t.subject = $6");
    if (query->live_only)
        put_text(sql, " AND t.expires_at > $7 AND (l.line IS NULL OR l.revoked_at = $8)");
    put_text(sql, " ORDER BY t.issued_at DESC, t.id DESC LIMIT $9");
    put_u8(sql, '\0');
}

enum status
shared_tokens(struct store *handle, const struct store_token_query *query, store_token_visitor each,
              void *context, struct buffer *next)
{
    struct shared *store = shared_of(handle);
    struct token_page page = {
        .each = each, .context = context, .limit = query->limit, .next = next
    };
    struct buffer sql = { 0 };

    if (query->limit == 0 || query->limit > PAGE_MAX || !place_take(query->cursor, &page))
        return STATUS_INVALID;
    if (query->issued_before != 0 && query->issued_before <= page.issued_at) {
        page.issued_at = query->issued_before;
        page.id_size = 0;
    }
    query_write(query, &sql);
    enum status status = buffer_status(&sql);
    if (status == STATUS_OK)
        status = shared_ready(store, NULL);
    buffer_clear(next);
    if (status == STATUS_OK)
        status = pg_query_once(
            store->pg, &(struct pg_statement){ "", sql.bytes, "ibbbttiii" },
            (struct pg_value[]){ pg_int(page.issued_at), pg_bytes(slice_of(page.id, page.id_size)),
                                 pg_bytes(id_slice(&query->line)),
                                 pg_bytes(id_slice(&query->parent_line)), pg_text(query->role),
                                 pg_text(query->subject), pg_int(query->now), pg_int(TIME_NEVER),
                                 pg_int((int64_t)query->limit + 1) },
            see_page_token, &page, NULL);
    buffer_free(&sql);
    return status == STATUS_OK ? buffer_status(next) : status;
}

enum status
shared_token_get(struct store *handle, const struct token_id *id, store_token_visitor each,
                 void *context)
{
    struct shared *store = shared_of(handle);
    struct token_page page = { .each = each, .context = context, .limit = SIZE_MAX };
    enum status status = shared_ready(store, NULL);

    if (status == STATUS_OK)
        status =
            pg_query(store->pg, SHARED_TOKEN_GET, (struct pg_value[]){ pg_bytes(id_slice(id)) },
                     see_page_token, &page, NULL);
    return status == STATUS_OK && page.count == 0 ? STATUS_NOT_FOUND : status;
}
