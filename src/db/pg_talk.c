/* db/pg_talk.c - statements out, answers in. */
#include "pg_handle.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"

struct pg_row {
    const PGresult *result;
    int number;
};

/* --- waiting ------------------------------------------------------------------------ */

/* Sends what is queued and takes in what comes, until an answer is whole. */
static enum status
wait_for_answer(struct pg *pg, struct fault *fault)
{
    uint64_t until = clock_mono_us() + (uint64_t)pg->answer_ms * 1000;

    while (!pg->lost) {
        int unsent = PQflush(pg->connection);
        uint64_t now = clock_mono_us();

        if (unsent < 0)
            return pg_fail_lost(pg, fault);
        if (unsent == 0 && !PQisBusy(pg->connection))
            return STATUS_OK;
        if (now >= until) {
            pg->lost = true;
            return fault_set(fault, STATUS_IO, "the store's database does not answer");
        }
        struct pollfd descriptor = { .fd = PQsocket(pg->connection),
                                     .events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)) };
        int ready = poll(&descriptor, 1, (int)((until - now) / 1000) + 1);
        if (ready < 0 && errno != EINTR)
            return pg_fail_lost(pg, fault);
        if (ready > 0 && PQconsumeInput(pg->connection) != 1)
            return pg_fail_lost(pg, fault);
    }
    return fault_set(fault, STATUS_IO, "the store's database is not connected");
}

/* NULL at the end of a statement's answers. */
static enum status
next_result(struct pg *pg, PGresult **out, struct fault *fault)
{
    enum status status = wait_for_answer(pg, fault);

    *out = status == STATUS_OK ? PQgetResult(pg->connection) : NULL;
    return status;
}

static bool
is_error(const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_SYNC:
        return false;
    default:
        return true;
    }
}

enum status
pg_finish(struct pg *pg, struct fault *fault)
{
    enum status first = STATUS_OK, status;
    PGresult *result;

    while ((status = next_result(pg, &result, fault)) == STATUS_OK && result != NULL) {
        if (is_error(result) && first == STATUS_OK)
            first = pg_fail(pg, result, fault);
        PQclear(result);
    }
    return first != STATUS_OK ? first : status;
}

enum status
pg_run(struct pg *pg, const char *sql, struct fault *fault)
{
    if (pg->lost || PQsendQuery(pg->connection, sql) != 1)
        return pg_fail_lost(pg, fault);
    return pg_finish(pg, fault);
}

/* --- values ------------------------------------------------------------------------- */

/* As libpq wants them: pointers, lengths, all in binary. */
struct parameters {
    uint64_t numbers[PG_VALUES_MAX];
    const char *values[PG_VALUES_MAX];
    int lengths[PG_VALUES_MAX], formats[PG_VALUES_MAX];
    int count;
};

static void
parameters_fill(struct parameters *out, const struct pg_statement *statement,
                const struct pg_value *values)
{
    out->count = (int)strlen(statement->parameters);
    for (int i = 0; i < out->count; i++) {
        const struct pg_value *value = &values[i];

        out->formats[i] = 1;
        if (value->kind == 'i') {
            out->numbers[i] = htobe64((uint64_t)value->number);
            out->values[i] = (const char *)&out->numbers[i];
            out->lengths[i] = sizeof out->numbers[i];
        } else {
            out->values[i] = value->bytes.at == NULL ? "" : value->bytes.at;
            out->lengths[i] = (int)value->bytes.size;
        }
        if (value->null)
            out->values[i] = NULL;
    }
}

/* --- a transaction -------------------------------------------------------------------- */

void
pg_add_plain(struct pg *pg, const char *sql)
{
    if (pg->broken)
        return;
    if (PQsendQueryParams(pg->connection, sql, 0, NULL, NULL, NULL, NULL, 1) != 1)
        pg->broken = true;
    pg->added++;
}

void
pg_begin(struct pg *pg)
{
    pg->added = 0;
    pg->broken = pg->lost || PQenterPipelineMode(pg->connection) != 1;
    pg_add_plain(pg, "BEGIN");
}

void
pg_add(struct pg *pg, unsigned statement, const struct pg_value *values)
{
    struct parameters parameters;

    if (pg->broken)
        return;
    parameters_fill(&parameters, &pg->statements[statement], values);
    if (PQsendQueryPrepared(pg->connection, pg->statements[statement].name, parameters.count,
                            parameters.values, parameters.lengths, parameters.formats, 1) != 1)
        pg->broken = true;
    pg->added++;
}

/* One statement's answers in a pipeline; the first error is the one that counts, those behind
 * it are its consequence. */
static enum status
take_answers(struct pg *pg, enum status *first, struct fault *fault)
{
    PGresult *result;
    enum status status;

    while ((status = next_result(pg, &result, *first == STATUS_OK ? fault : NULL)) == STATUS_OK &&
           result != NULL) {
        if (*first == STATUS_OK && is_error(result))
            *first = pg_fail(pg, result, fault);
        PQclear(result);
    }
    return status;
}

static enum status
take_sync(struct pg *pg, struct fault *fault)
{
    PGresult *result;
    enum status status = next_result(pg, &result, fault);

    PQclear(result);
    if (status == STATUS_OK && PQexitPipelineMode(pg->connection) != 1)
        return pg_fail_lost(pg, fault);
    return status;
}

/* The server rolls back by itself where the pipeline is aborted. */
static enum status
end_failed(struct pg *pg, struct fault *fault)
{
    if (pg->lost || PQtransactionStatus(pg->connection) == PQTRANS_IDLE)
        return STATUS_OK;
    return pg_run(pg, "ROLLBACK", fault);
}

enum status
pg_commit(struct pg *pg, struct fault *fault)
{
    enum status first = STATUS_OK, status = STATUS_OK;

    pg->state[0] = '\0';
    pg_add_plain(pg, "COMMIT");
    if (pg->broken || PQpipelineSync(pg->connection) != 1)
        return pg_fail_lost(pg, fault);
    for (size_t i = 0; status == STATUS_OK && i < pg->added; i++)
        status = take_answers(pg, &first, fault);
    if (status == STATUS_OK)
        status = take_sync(pg, first == STATUS_OK ? fault : NULL);
    if (status == STATUS_OK && first != STATUS_OK && end_failed(pg, NULL) != STATUS_OK)
        pg->lost = true;
    return first != STATUS_OK ? first : status;
}

void
pg_abandon(struct pg *pg)
{
    pg_add_plain(pg, "SELECT 1 / 0"); /* fails the rest, and with it all */
    if (pg_commit(pg, NULL) == STATUS_OK)
        pg->lost = true; /* that can't be */
}

/* --- rows --------------------------------------------------------------------------- */

int64_t
pg_row_int(const struct pg_row *row, int column)
{
    uint64_t number;

    if (PQgetisnull(row->result, row->number, column) ||
        PQgetlength(row->result, row->number, column) != (int)sizeof number)
        return 0;
    memcpy(&number, PQgetvalue(row->result, row->number, column), sizeof number);
    return (int64_t)be64toh(number);
}

struct slice
pg_row_bytes(const struct pg_row *row, int column)
{
    if (PQgetisnull(row->result, row->number, column))
        return slice_of(NULL, 0);
    return slice_of(PQgetvalue(row->result, row->number, column),
                    (size_t)PQgetlength(row->result, row->number, column));
}

/* What was stopped early is cancelled, so that the rest need not be read. */
static void
stop(struct pg *pg)
{
    PGcancel *cancel = PQgetCancel(pg->connection);
    char ignored[64];

    if (cancel != NULL)
        (void)PQcancel(cancel, ignored, sizeof ignored);
    PQfreeCancel(cancel);
}

static enum status
take_rows(struct pg *pg, pg_visitor each, void *context, struct fault *fault)
{
    enum status told = STATUS_OK, first = STATUS_OK, status;
    PGresult *result;

    (void)PQsetSingleRowMode(pg->connection);
    while ((status = next_result(pg, &result, told == STATUS_OK ? fault : NULL)) == STATUS_OK &&
           result != NULL) {
        struct pg_row row = { .result = result };

        if (told == STATUS_OK && first == STATUS_OK && is_error(result))
            first = pg_fail(pg, result, fault);
        for (; told == STATUS_OK && row.number < PQntuples(result); row.number++) {
            told = each(context, &row);
            if (told != STATUS_OK)
                stop(pg);
        }
        PQclear(result);
    }
    return told != STATUS_OK ? told : first != STATUS_OK ? first : status;
}

enum status
pg_query(struct pg *pg, unsigned statement, const struct pg_value *values, pg_visitor each,
         void *context, struct fault *fault)
{
    struct parameters parameters;

    parameters_fill(&parameters, &pg->statements[statement], values);
    if (pg->lost ||
        PQsendQueryPrepared(pg->connection, pg->statements[statement].name, parameters.count,
                            parameters.values, parameters.lengths, parameters.formats, 1) != 1)
        return pg_fail_lost(pg, fault);
    return take_rows(pg, each, context, fault);
}

enum status
pg_query_once(struct pg *pg, const struct pg_statement *statement, const struct pg_value *values,
              pg_visitor each, void *context, struct fault *fault)
{
    struct parameters parameters;
    Oid types[PG_VALUES_MAX];

    parameters_fill(&parameters, statement, values);
    pg_types(statement, types);
    if (pg->lost ||
        PQsendQueryParams(pg->connection, statement->sql, parameters.count, types,
                          parameters.values, parameters.lengths, parameters.formats, 1) != 1)
        return pg_fail_lost(pg, fault);
    return take_rows(pg, each, context, fault);
}
