/* store/query.c - tokens one by one and by page. */
#include "base/encoding.h"
#include "state.h"

/* Where the next page starts: behind this token in the order of the list. */
struct place {
    int64_t issued_at, no;
};

enum { PLACE_SIZE = 16, PAGE_MAX = 100000 };

static void
place_put(struct buffer *out, struct place place)
{
    uint8_t bytes[PLACE_SIZE];

    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)((uint64_t)place.issued_at >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)((uint64_t)place.no >> (56 - 8 * i));
    }
    put_base64url(out, bytes, sizeof(bytes));
}

static bool
place_take(struct slice cursor, struct place *out)
{
    uint8_t bytes[PLACE_SIZE];
    uint64_t issued_at, no;
    size_t size;
    struct cursor in;

    if (cursor.size == 0) {
        *out = (struct place){ INT64_MAX, INT64_MAX };
        return true;
    }
    if (!base64url_decode(cursor, bytes, sizeof(bytes), &size) || size != PLACE_SIZE)
        return false;
    in = cursor_over(slice_of(bytes, size));
    if (!take_be64(&in, &issued_at) || !take_be64(&in, &no))
        return false;
    *out = (struct place){ (int64_t)issued_at, (int64_t)no };
    return true;
}

/* The table that is walked is the one whose index has the order of the list
 * behind the narrowest filter; a + keeps SQLite from choosing another one. */
static void
query_write(const struct store_token_query *query, struct buffer *sql)
{
    bool line = !token_id_is_none(&query->line), parent = !token_id_is_none(&query->parent_line);
    bool role = query->role.size > 0 && !line && !parent;
    bool subject = query->subject.size > 0 && !line && !parent && !role;
    const char *at = role ? "r" : "t", *keep = line ? "+" : "";

    put_text(sql, "SELECT " STORE_TOKEN_COLUMNS " FROM ");
    if (role)
        put_text(sql, "token_roles r CROSS JOIN tokens t ON t.no = r.no");
    else if (line)
        put_text(sql, "tokens t");
    else
        put_format(sql, "tokens t INDEXED BY %s",
                   parent    ? "tokens_parent"
                   : subject ? "tokens_subject"
                             : "tokens_issued");
    put_format(sql, STORE_TOKEN_LINE " WHERE (%s%s.issued_at, %s%s.no) < (?1, ?2)", keep, at, keep,
               at);
    if (line)
        put_text(sql, " AND t.no IN (SELECT no FROM tokens WHERE id = ?3 AND line IS NULL"
                      " UNION ALL SELECT no FROM tokens WHERE line = ?3)");
    if (parent)
        put_text(sql, line ? " AND +t.parent_line = ?4" : " AND t.parent_line = ?4");
    if (role)
        put_text(sql, " AND r.role = ?5");
    else if (query->role.size > 0)
        put_text(sql, " AND EXISTS (SELECT 1 FROM token_roles x WHERE x.role = ?5"
                      " AND x.issued_at = t.issued_at AND x.no = t.no)");
    if (query->subject.size > 0)
        put_text(sql, subject ? " AND t.subject = ?6" : " AND +t.subject = ?6");
    if (query->live_only)
        put_text(sql, " AND +t.expires_at > ?7 AND (l.line IS NULL OR l.revoked_at = ?8)");
    put_format(sql, " ORDER BY %s%s.issued_at DESC, %s%s.no DESC LIMIT ?9", keep, at, keep, at);
    put_u8(sql, '\0');
}

static void
query_bind(struct db_statement *read, const struct store_token_query *query, struct place from)
{
    db_bind_int(read, 1, from.issued_at);
    db_bind_int(read, 2, from.no);
    if (!token_id_is_none(&query->line))
        db_bind_blob(read, 3, id_slice(&query->line));
    if (!token_id_is_none(&query->parent_line))
        db_bind_blob(read, 4, id_slice(&query->parent_line));
    if (query->role.size > 0)
        db_bind_text(read, 5, query->role);
    if (query->subject.size > 0)
        db_bind_text(read, 6, query->subject);
    if (query->live_only) {
        db_bind_int(read, 7, query->now);
        db_bind_int(read, 8, TIME_NEVER);
    }
    /* One more than asked for tells whether there is a next page. */
    db_bind_int(read, 9, (int64_t)query->limit + 1);
}

static enum status
page_read(struct db_statement *read, size_t limit, store_token_visitor each, void *context,
          struct buffer *next)
{
    struct place last = { 0, 0 };
    struct store_token token;
    enum status status;
    bool found = false;
    size_t count = 0;
    struct row row;

    while ((status = db_step(read, &found)) == STATUS_OK && found) {
        if (count++ == limit) {
            place_put(next, last);
            return buffer_status(next);
        }
        status = token_row_read(read, &row, &token);
        if (status == STATUS_OK)
            status = each(context, &token);
        if (status != STATUS_OK)
            return status;
        last = (struct place){ db_column_int(read, 1), db_column_int(read, 0) };
    }
    return status;
}

enum status
embedded_tokens(struct store *handle, const struct store_token_query *query,
                store_token_visitor each, void *context, struct buffer *next)
{
    struct embedded *store = embedded_of(handle);
    struct buffer sql = { 0 };
    struct db_statement *read = NULL;
    struct place from;
    enum status status;

    if (query->limit == 0 || query->limit > PAGE_MAX || !place_take(query->cursor, &from))
        return STATUS_INVALID;
    /* Older than a moment is another place to start from. */
    if (query->issued_before != 0 && query->issued_before <= from.issued_at)
        from = (struct place){ query->issued_before, INT64_MIN };
    query_write(query, &sql);
    status = buffer_status(&sql);
    if (status == STATUS_OK)
        status = db_prepare(store->db, sql.bytes, &read);
    if (status == STATUS_OK) {
        query_bind(read, query, from);
        buffer_clear(next);
        status = page_read(read, query->limit, each, context, next);
    }
    db_finish(read);
    buffer_free(&sql);
    return status;
}

enum status
embedded_token_get(struct store *handle, const struct token_id *id, store_token_visitor each,
                   void *context)
{
    struct embedded *store = embedded_of(handle);
    struct db_statement *get = store->sql[SQL_TOKEN_GET];
    struct store_token token;
    enum status status;
    bool found = false;
    struct row row;

    db_bind_blob(get, 1, id_slice(id));
    status = db_step(get, &found);
    if (status == STATUS_OK)
        status = found ? token_row_read(get, &row, &token) : STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = each(context, &token);
    db_rewind(get);
    return status;
}
