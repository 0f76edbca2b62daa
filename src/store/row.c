/* store/row.c - rows as sealed bytes, and back. */
#include "base/encoding.h"
#include "state.h"

enum { END_SIZE = 8, SUM_SIZE = 4, TRAILER_SIZE = END_SIZE + SUM_SIZE };

static enum status
trailer_put(struct buffer *out, size_t start, int64_t end)
{
    put_be64(out, (uint64_t)end);
    if (buffer_status(out) == STATUS_OK)
        put_be32(out, crc32_of(slice_from(buffer_slice(out), start)));
    return buffer_status(out);
}

enum status
row_seal(struct buffer *out, const struct change *change, int64_t end)
{
    size_t start = out->size;
    enum status status = change_encode(change, out);

    return status == STATUS_OK ? trailer_put(out, start, end) : status;
}

enum status
row_reseal(struct buffer *out, struct slice sealed, int64_t end)
{
    size_t start = out->size;

    if (sealed.size < TRAILER_SIZE)
        return STATUS_CORRUPT;
    put_slice(out, slice_first(sealed, sealed.size - TRAILER_SIZE));
    return trailer_put(out, start, end);
}

enum status
row_open(struct slice sealed, struct row *out)
{
    struct cursor trailer;
    uint64_t end;
    uint32_t sum;
    enum status status;

    if (sealed.size < TRAILER_SIZE)
        return STATUS_CORRUPT;
    trailer = cursor_over(slice_from(sealed, sealed.size - TRAILER_SIZE));
    if (!take_be64(&trailer, &end) || !take_be32(&trailer, &sum) ||
        sum != crc32_of(slice_first(sealed, sealed.size - SUM_SIZE)))
        return STATUS_CORRUPT;
    status =
        change_decode(slice_first(sealed, sealed.size - TRAILER_SIZE), out->networks, &out->change);
    /* The sum is right, so these bytes are what was written: by a Writ that
     * knows more, or damaged before they came here. */
    if (status != STATUS_OK)
        return status == STATUS_NEWER ? STATUS_NEWER : STATUS_CORRUPT;
    out->end = (int64_t)end;
    return STATUS_OK;
}

static uint32_t
line_sum(const struct line_row *row)
{
    char bytes[TOKEN_ID_SIZE + 20];
    uint64_t parts[2] = { (uint64_t)row->revoked_at, (uint64_t)row->last_used };

    memcpy(bytes, row->line.bytes, TOKEN_ID_SIZE);
    memcpy(bytes + TOKEN_ID_SIZE, parts, sizeof(parts));
    memcpy(bytes + TOKEN_ID_SIZE + sizeof(parts), &row->uses, sizeof(row->uses));
    return crc32_of(slice_of(bytes, sizeof(bytes)));
}

enum status
line_write(struct embedded *store, const struct line_row *row)
{
    struct db_statement *set = store->sql[SQL_LINE_SET];

    db_bind_int(set, 1, row->revoked_at);
    db_bind_int(set, 2, row->last_used);
    db_bind_int(set, 3, row->uses);
    db_bind_blob(set, 4, id_slice(&row->line));
    db_bind_int(set, 5, line_sum(row));
    return db_do(set);
}

enum status
line_read(struct db_statement *statement, int column, struct line_row *out)
{
    struct line_row row = { .revoked_at = TIME_NEVER };
    struct slice line = db_column_bytes(statement, column + 3);
    int64_t uses = db_column_int(statement, column + 2);

    if (line.at == NULL) {
        *out = row;
        return STATUS_OK;
    }
    if (line.size != TOKEN_ID_SIZE || uses < 0 || uses > UINT32_MAX)
        return STATUS_CORRUPT;
    memcpy(row.line.bytes, line.at, TOKEN_ID_SIZE);
    row.revoked_at = db_column_int(statement, column);
    row.last_used = db_column_int(statement, column + 1);
    row.uses = (uint32_t)uses;
    if (db_column_int(statement, column + 4) != line_sum(&row))
        return STATUS_CORRUPT;
    *out = row;
    return STATUS_OK;
}

enum status
token_row_read(struct db_statement *statement, struct row *row, struct store_token *out)
{
    struct line_row line;
    enum status status = row_open(db_column_bytes(statement, 2), row);

    if (status == STATUS_OK)
        status = line_read(statement, 3, &line);
    if (status != STATUS_OK)
        return status;
    *out = (struct store_token){
        .record = row->change.token,
        .life = { .revoked_at = line.revoked_at,
                  .last_used = line.last_used,
                  .uses = line.uses,
                  .expires_at = row->end },
    };
    return STATUS_OK;
}
