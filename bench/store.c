/* bench/store.c - how long the store takes: many tokens in, one change at a time,
 * all of it loaded, pages of the list, a copy. Usage: bench-store [tokens [directory]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/store.h"

enum { BATCH = 5000, SINGLES = 200, PAGE = 100 };

static struct change batch[BATCH];

static void
must(enum status status, const struct fault *fault)
{
    if (status != STATUS_OK) {
        fprintf(stderr, "bench-store: %s\n", fault->text);
        exit(1);
    }
}

static struct change
token_change(uint64_t number)
{
    static char subjects[64][16];
    char *subject = subjects[number % 64];
    struct change change = { .kind = CHANGE_TOKEN_ISSUED, .at = (int64_t)number };
    uint64_t spread = number * UINT64_C(0x9e3779b97f4a7c15);

    snprintf(subject, sizeof(subjects[0]), "service-%llu", (unsigned long long)(number % 64));
    memcpy(change.token.id.bytes, &spread, sizeof(spread));
    memcpy(change.token.id.bytes + 8, &number, sizeof(number));
    change.token.line = change.token.id;
    change.token.kid = 1;
    change.token.issued_at = 1000 + (int64_t)number / 3;
    change.token.expires_at = change.token.issued_at + MS_DAY;
    change.token.line_started_at = change.token.issued_at;
    change.token.idle_ms = TIME_NEVER;
    change.token.max_uses = USES_UNLIMITED;
    change.token.subject = slice_text(subject);
    change.token.roles = SLICE_LITERAL("support");
    change.token.scope =
        SLICE_LITERAL("orders:GET|HEAD:/v1/orders/** warehouse:select:public.orders");
    change.token.name = SLICE_LITERAL("nightly export");
    change.token.issued_by = SLICE_LITERAL("local:0");
    return change;
}

static double
seconds_since(uint64_t start)
{
    return (double)(clock_mono_us() - start) / 1e6;
}

static void
fill(struct store *store, uint64_t count)
{
    uint64_t start = clock_mono_us(), seq, made = 0;
    struct fault fault;
    double took;

    while (made < count) {
        size_t size = 0;

        while (size < BATCH && made < count)
            batch[size++] = token_change(++made);
        must(store_append(store, batch, size, &seq, &fault), &fault);
    }
    took = seconds_since(start);
    printf("issue, %d a batch      %10.0f tokens/s\n", BATCH, (double)count / took);
}

static void
singles(struct store *store, uint64_t first)
{
    uint64_t start = clock_mono_us(), seq;
    struct fault fault;

    for (uint64_t i = 0; i < SINGLES; i++) {
        struct change change = token_change(first + i);

        must(store_append(store, &change, 1, &seq, &fault), &fault);
    }
    printf("issue, one by one       %10.0f us each\n", seconds_since(start) / SINGLES * 1e6);
    start = clock_mono_us();
    for (uint64_t i = 0; i < SINGLES; i++) {
        struct change change = token_change(first + i);

        change = (struct change){ .kind = CHANGE_LINE_REVOKED, .id = change.token.id, .at = 5 };
        must(store_append(store, &change, 1, &seq, &fault), &fault);
    }
    printf("revoke, one by one      %10.0f us each\n", seconds_since(start) / SINGLES * 1e6);
    for (uint64_t i = 0; i < BATCH; i++) {
        batch[i] = token_change(1 + i * 7);
        batch[i] = (struct change){
            .kind = CHANGE_LINE_USED, .id = batch[i].token.id, .uses = 3, .at = 77
        };
    }
    start = clock_mono_us();
    must(store_append(store, batch, first > BATCH * 7 ? BATCH : 1, &seq, &fault), &fault);
    printf("uses of %d lines      %10.1f ms\n", BATCH, seconds_since(start) * 1e3);
}

static enum status
count_one(void *context, const struct change *change)
{
    ++*(uint64_t *)context;
    return STATUS_OK;
}

static enum status
count_token(void *context, const struct store_token *token)
{
    ++*(uint64_t *)context;
    return STATUS_OK;
}

static struct store *
load(const char *path)
{
    uint64_t start = clock_mono_us(), count = 0;
    struct store *store = NULL;
    struct fault fault;

    must(store_open(&(struct store_options){ .path = path }, &store, &fault), &fault);
    printf("open                    %10.1f ms\n", seconds_since(start) * 1e3);
    start = clock_mono_us();
    must(store_load(store, count_one, &count, &fault), &fault);
    printf("load %9llu changes  %10.3f s\n", (unsigned long long)count, seconds_since(start));
    return store;
}

static void
pages(struct store *store, const char *what, struct store_token_query query)
{
    struct buffer next = { 0 }, cursor = { 0 };
    uint64_t start = clock_mono_us(), count = 0, read = 0, slowest = 0;

    query.limit = PAGE;
    do {
        uint64_t begin = clock_mono_us();

        buffer_clear(&cursor);
        put_slice(&cursor, buffer_slice(&next));
        query.cursor = buffer_slice(&cursor);
        must(store_tokens(store, &query, count_token, &count, &next),
             &(struct fault){ .text = "a page failed" });
        if (clock_mono_us() - begin > slowest)
            slowest = clock_mono_us() - begin;
        read++;
    } while (next.size > 0);
    printf("%-24s%10.0f us a page of %d (%llu pages, slowest %llu us)\n", what,
           seconds_since(start) / (double)read * 1e6, PAGE, (unsigned long long)read,
           (unsigned long long)slowest);
    buffer_free(&next);
    buffer_free(&cursor);
}

int
main(int argc, char **argv)
{
    uint64_t tokens = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000, start;
    char place[] = "./bench-store-XXXXXX", path[64], copy[64], command[128];
    struct store *store = NULL;
    struct fault fault;
    struct stat info;

    if ((argc > 2 && chdir(argv[2]) != 0) || mkdtemp(place) == NULL)
        return 1;
    snprintf(path, sizeof(path), "%s/writ.db", place);
    snprintf(copy, sizeof(copy), "%s/copy.db", place);
    must(store_open(&(struct store_options){ .path = path }, &store, &fault), &fault);
    fill(store, tokens);
    singles(store, tokens + 1);
    store_close(store);
    if (stat(path, &info) == 0)
        printf("file                    %10.0f bytes a token\n",
               (double)info.st_size / (double)tokens);
    store = load(path);
    pages(store, "list all", (struct store_token_query){ .limit = PAGE });
    pages(store, "list a subject",
          (struct store_token_query){ .subject = SLICE_LITERAL("service-9") });
    pages(store, "list a role, live",
          (struct store_token_query){
              .role = SLICE_LITERAL("support"), .live_only = true, .now = 5000 });
    start = clock_mono_us();
    must(store_backup(store, copy, &fault), &fault);
    printf("copy, checked           %10.2f s\n", seconds_since(start));
    store_close(store);
    snprintf(command, sizeof(command), "rm -rf %s", place);
    return system(command) == 0 ? 0 : 1;
}
