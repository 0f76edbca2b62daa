/* fuzz/pg_startup.c - the first packet of a PostgreSQL client: no byte past its end is read,
 * a packet that is cut short is never taken for whole, and what was read can be gone through. */
#include <stdlib.h>

#include "postgres/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool good)
{
    if (!good)
        abort();
}

static void
check_parameters(const struct pg_startup *startup)
{
    struct slice rest = startup->parameters, name, value;
    struct buffer out = { 0 };
    unsigned count = 0;

    while (pg_parameter_next(&rest, &name, &value)) {
        check(name.size > 0 && slice_find(name, '\0') == name.size);
        check(slice_find(value, '\0') == value.size);
        count++;
    }
    check(rest.size == 0 && count <= PG_PARAMETERS_MAX);
    pg_put_negotiation(&out, startup);
    check(buffer_status(&out) == STATUS_OK);
    check((out.size > 0) == (startup->minor > 0 || startup->unknown_options));
    buffer_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = { data, data + size };
    struct pg_startup startup, again;
    enum wire wire = pg_startup_read(&in, &startup);

    if (wire != WIRE_OK) {
        check(in.at == data);
        return 0;
    }
    check(in.at > data && (size_t)(in.at - data) <= PG_START_MAX);
    if (startup.kind == PG_START_SESSION)
        check_parameters(&startup);
    for (size_t cut = 0; cut < (size_t)(in.at - data); cut++) {
        struct cursor part = { data, data + cut };
        check(pg_startup_read(&part, &again) == WIRE_MORE);
    }
    return 0;
}
