/* bench/sql.c - microseconds in which a statement of PostgreSQL is read: parsed, and what it
 * touches found. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sql/sql.h"

enum { TURNS = 20000, ROUNDS = 5 };

static const struct {
    const char *name, *text;
} statements[] = {
    { "SELECT 1", "SELECT 1" },
    { "40 bytes", "SELECT name FROM customers WHERE id = $1" },
    { "pgbench -S", "SELECT abalance FROM pgbench_accounts WHERE aid = 5;" },
    { "join, 214 bytes", "SELECT o.id, o.made, c.name, sum(i.price * i.quantity) AS total FROM "
                         "orders o JOIN customers c "
                         "ON c.id = o.customer JOIN items i ON i.order_id = o.id WHERE c.region = "
                         "'north' AND o.made > "
                         "now() GROUP BY 1, 2, 3" },
    { "with, 95 bytes", "WITH old AS (DELETE FROM orders WHERE made < $1 RETURNING id) INSERT INTO "
                        "gone SELECT id FROM old" },
    { "refused", "SET standard_conforming_strings = off" },
};

static double
measure(const char *text)
{
    const struct slice path = SLICE_LITERAL("public");
    const struct sql_names names = { .schemas = &path,
                                     .schema_count = 1,
                                     .user = SLICE_LITERAL("writ"),
                                     .database = SLICE_LITERAL("shop") };
    struct sql_script script;
    struct sql_fault fault;
    struct arena arena;
    uint64_t best = UINT64_MAX;
    unsigned read = 0;

    arena_init(&arena, 1 << 20);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t before = clock_mono_us(), took;

        for (unsigned i = 0; i < TURNS; i++) {
            arena_reset(&arena);
            read += sql_read(slice_text(text), &names, &arena, &script, &fault) == SQL_OK;
        }
        took = clock_mono_us() - before;
        best = took < best ? took : best;
    }
    arena_free(&arena);
    if (read != 0 && read != TURNS * ROUNDS)
        exit(1);
    return (double)best / TURNS;
}

int
main(void)
{
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        printf("%-18s %6.2f us\n", statements[i].name, measure(statements[i].text));
    return 0;
}
