/* test/unit/store/fixture.c - a place for the file, and changes made from a number. */
#include "fixture.h"

#include "db/pg.h"

char place[24] = "/tmp/writ-store-XXXXXX";
char path[64];

const char *
store_url(void)
{
    return getenv("WRIT_TEST_STORE_URL");
}

static void
forget_tables(void)
{
    struct fault fault = { 0 };
    struct pg *pg;

    if (pg_open(&(struct pg_options){ .url = store_url() }, &pg, &fault) != STATUS_OK ||
        pg_run(pg, "DROP SCHEMA IF EXISTS writ CASCADE", &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    pg_close(pg);
}

int
place_make(void **state)
{
    if (store_url() != NULL)
        forget_tables();
    memcpy(strchr(place, 0) - 6, "XXXXXX", 6);
    assert_non_null(mkdtemp(place));
    snprintf(path, sizeof(path), "%s/writ.db", place);
    return 0;
}

int
place_clear(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", place);
    return system(command);
}

struct store *
opened(void)
{
    struct fault fault = { 0 };
    struct store *store = NULL;

    if (store_open(&(struct store_options){ .path = path, .url = store_url() }, &store, &fault) !=
        STATUS_OK)
        fail_msg("%s", fault.text);
    return store;
}

void
append(struct store *store, const struct change *changes, size_t count)
{
    struct fault fault = { 0 };
    uint64_t seq;

    if (store_append(store, changes, count, &seq, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
}

/* Spread like real, random ids. */
struct token_id
id_of(uint32_t number)
{
    struct token_id id = { 0 };
    uint32_t spread = number * 2654435761u;

    memcpy(id.bytes, &spread, sizeof(spread));
    memcpy(id.bytes + 8, &number, sizeof(number));
    id.bytes[15] = 1;
    return id;
}

uint32_t
number_of(const struct token_id *id)
{
    uint32_t number;

    memcpy(&number, id->bytes + 8, sizeof(number));
    return number;
}

struct change
issued(uint32_t number)
{
    struct change change = { .kind = CHANGE_TOKEN_ISSUED, .at = 1000000 + number };

    change.token = (struct token_record){
        .id = id_of(number),
        .line = id_of(number),
        .kid = 1,
        .issued_at = 1000000 + number,
        .expires_at = 1000000 + number + MS_DAY,
        .line_started_at = 1000000 + number,
        .idle_ms = TIME_NEVER,
        .max_uses = USES_UNLIMITED,
        .subject = SLICE_LITERAL("nightly"),
        .roles = SLICE_LITERAL("support"),
        .scope = SLICE_LITERAL("orders:GET|HEAD:/v1/orders/** orders:POST:/v1/orders"),
        .issued_by = SLICE_LITERAL("local:0"),
    };
    return change;
}

struct change
rotated(uint32_t number, uint32_t line, uint32_t predecessor, int64_t end)
{
    struct change change = issued(number);

    change.kind = CHANGE_TOKEN_ROTATED;
    change.token.line = id_of(line);
    change.token.predecessor = id_of(predecessor);
    change.expires_at = end;
    return change;
}

struct change
line_revoked(uint32_t line, int64_t at)
{
    return (struct change){ .kind = CHANGE_LINE_REVOKED, .id = id_of(line), .at = at };
}

struct change
line_used(uint32_t line, uint32_t uses, int64_t at)
{
    return (struct change){ .kind = CHANGE_LINE_USED, .id = id_of(line), .uses = uses, .at = at };
}

struct change
hop_revoked(uint32_t number, uint8_t hop, int64_t end)
{
    return (struct change){ .kind = CHANGE_HOP_REVOKED,
                            .id = id_of(number),
                            .hop = { { hop } },
                            .at = 5,
                            .expires_at = end };
}

struct change
forgotten(uint32_t number)
{
    return (struct change){ .kind = CHANGE_TOKEN_FORGOTTEN, .id = id_of(number) };
}

struct change
named(enum change_kind kind, const char *name, const char *body)
{
    return (struct change){ .kind = kind,
                            .at = 7,
                            .name = slice_text(name),
                            .body = slice_text(body),
                            .owner = SLICE_LITERAL("policy.yaml") };
}

static enum status
encode_one(void *context, const struct change *change)
{
    return change_encode(change, context);
}

void
load_all(struct store *store, struct buffer *out)
{
    struct fault fault = { 0 };

    buffer_clear(out);
    if (store_load(store, encode_one, out, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
}

static enum status
count_one(void *context, const struct change *change)
{
    ++*(size_t *)context;
    return STATUS_OK;
}

size_t
load_count(struct store *store)
{
    struct fault fault = { 0 };
    size_t count = 0;

    if (store_load(store, count_one, &count, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    return count;
}
