/* bench/token.c - the cost of a token: loading a million, memory each, authentication. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "change/change.h"
#include "world/world.h"

enum { TOKENS = 1000000, ROUNDS = 300000, KID = 1 };

#define NOW INT64_C(1800000000000)

static void
must(enum status status, const char *what)
{
    if (status != STATUS_OK) {
        fprintf(stderr, "%s: %s\n", what, status_text(status));
        exit(1);
    }
}

static size_t
resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t size, pages = 0;

    if (file == NULL || fscanf(file, "%zu %zu", &size, &pages) != 2)
        exit(1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Spread like random ids, yet known from the number. */
static struct token_id
id_of(uint64_t number)
{
    struct token_id id;
    uint64_t x = number;

    for (size_t i = 0; i < sizeof id.bytes; i++) {
        x = (x ^ x >> 31) * UINT64_C(0x9e3779b97f4a7c15) + number + 1;
        id.bytes[i] = (uint8_t)(x >> 56);
    }
    return id;
}

static struct change
issued(uint64_t number)
{
    struct token_id id = id_of(number);

    return (struct change){
        .kind = CHANGE_TOKEN_ISSUED,
        .at = NOW,
        .token = { .id = id,
                   .line = id,
                   .kid = KID,
                   .issued_at = NOW,
                   .not_before = NOW,
                   .expires_at = NOW + MS_DAY,
                   .line_started_at = NOW,
                   .idle_ms = TIME_NEVER,
                   .max_uses = USES_UNLIMITED,
                   .subject = SLICE_LITERAL("nightly"),
                   .roles = SLICE_LITERAL("support"),
                   .scope = SLICE_LITERAL("orders:GET:/v1/orders/**"),
                   .issued_by = SLICE_LITERAL("local:0") },
    };
}

static struct keyring *
ring(void)
{
    struct ring_key key = { .kid = KID, .key = { { 1, 2, 3 } } };
    struct keyring *made;

    must(keyring_new(&key, 1, &made), "ring");
    return made;
}

static void
load(struct world *world)
{
    struct change role = { .kind = CHANGE_ROLE_PUT,
                           .name = SLICE_LITERAL("support"),
                           .body = SLICE_LITERAL("{\"allow\":[\"orders:GET:/v1/**\"]}") };
    struct change subject = { .kind = CHANGE_SUBJECT_PUT,
                              .name = SLICE_LITERAL("nightly"),
                              .body = SLICE_LITERAL("{\"type\":\"service\","
                                                    "\"roles\":[\"support\"]}") };
    struct fault fault;
    size_t before = resident();
    uint64_t start;

    must(world_load(world, &role), "role");
    must(world_load(world, &subject), "subject");
    start = clock_mono_us();
    for (uint64_t i = 0; i < TOKENS; i++) {
        struct change change = issued(i);
        must(world_load(world, &change), "load");
    }
    must(world_loaded(world, &fault), "loaded");
    printf("load of %d tokens        %8.0f ms\n", TOKENS, (double)(clock_mono_us() - start) / 1000);
    printf("memory each             %8.1f bytes\n", (double)(resident() - before) / TOKENS);
}

static void
authenticate(struct world_reader *reader, const char *texts, size_t count, const char *what)
{
    struct credential credential;
    struct arena arena;
    uint64_t start;

    arena_init(&arena, 1 << 16);
    start = clock_mono_us();
    for (size_t i = 0; i < ROUNDS; i++) {
        struct slice text = slice_of(texts + i % count * TOKEN_TEXT_SIZE, TOKEN_TEXT_SIZE);
        arena_reset(&arena);
        if (world_authenticate(reader, text, NOW, &arena, &credential) != CREDENTIAL_OK)
            must(STATUS_DENIED, "authenticate");
        world_quiescent(reader);
    }
    printf("authenticate, %-9s %8.0f ns\n", what,
           (double)(clock_mono_us() - start) * 1000 / ROUNDS);
    arena_free(&arena);
}

/* What a refusal of garbage costs: a flood must stay cheap. */
static void
parts(struct keyring_state *state, const char *texts)
{
    struct slice text = slice_of(texts, TOKEN_TEXT_SIZE);
    struct token_view view;
    uint64_t start = clock_mono_us();

    for (size_t i = 0; i < ROUNDS; i++)
        must(token_parse(text, &view), "parse");
    printf("parse                   %8.0f ns\n", (double)(clock_mono_us() - start) * 1000 / ROUNDS);
    start = clock_mono_us();
    for (size_t i = 0; i < ROUNDS; i++)
        must(token_verify(&view, state), "verify");
    printf("verify                  %8.0f ns\n", (double)(clock_mono_us() - start) * 1000 / ROUNDS);
}

static void
issue(struct world *world)
{
    struct world_next *next;
    struct fault fault;
    uint64_t start = clock_mono_us(), slowest = 0;

    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct change change = issued(TOKENS + i);
        uint64_t begin = clock_mono_us(), took;
        must(world_prepare(world, &change, 1, &next, &fault), "prepare");
        world_publish(next);
        took = clock_mono_us() - begin;
        slowest = took > slowest ? took : slowest;
    }
    printf("issue, in memory        %8.0f ns, the slowest (growing) %llu us\n",
           (double)(clock_mono_us() - start) * 1000 / ROUNDS, (unsigned long long)slowest);
}

int
main(void)
{
    struct world *world;
    struct world_reader *reader;
    struct keyring_state *state;
    char *texts = malloc((size_t)ROUNDS * TOKEN_TEXT_SIZE + 1);

    if (texts == NULL)
        return 1;
    must(world_new(&world), "world");
    world_set_keyring(world, ring());
    load(world);
    must(world_reader_new(world, &reader), "reader");
    must(keyring_state_new(&state), "state");
    must(keyring_state_follow(state, world_keyring(world)), "follow");
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct token_id id = id_of(i * 1103515245u % TOKENS);
        must(token_write(&id, KID, state, texts + i * TOKEN_TEXT_SIZE), "write");
    }
    parts(state, texts);
    authenticate(reader, texts, 1, "hot");
    authenticate(reader, texts, ROUNDS, "1 of 1M");
    world_quiescent(reader);
    issue(world);
    world_reader_free(reader);
    keyring_state_free(state);
    world_free(world);
    free(texts);
    return 0;
}
