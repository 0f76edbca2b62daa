/* world/fixture.h - a world with a ring, a policy and short ways to change it. */
#ifndef WRIT_TEST_WORLD_FIXTURE_H
#define WRIT_TEST_WORLD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "change/change.h"
#include "world/world.h"

enum { KID = 7, NOW = 1000000 };

struct fixture {
    struct world *world;
    struct world_reader *reader;
    struct keyring_state *ring;
    struct arena arena;
    struct fault fault;
};

static inline struct token_id
id_of(unsigned number)
{
    return (struct token_id){ { 1, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                                (uint8_t)number } };
}

static inline enum status
try_changes(struct fixture *f, const struct change *changes, size_t count)
{
    struct world_next *next;
    enum status status = world_prepare(f->world, changes, count, &next, &f->fault);

    if (status == STATUS_OK)
        world_publish(next);
    return status;
}

static inline enum status
try_change(struct fixture *f, struct change change)
{
    return try_changes(f, &change, 1);
}

static inline void
apply(struct fixture *f, struct change change)
{
    enum status status = try_change(f, change);

    if (status != STATUS_OK)
        print_error("%s: %s\n", change_kind_name(change.kind), f->fault.text);
    assert_int_equal(status, STATUS_OK);
}

static inline struct change
object(enum change_kind kind, const char *name, const char *body)
{
    return (struct change){ .kind = kind, .at = NOW, .name = slice_text(name),
                            .body = slice_text(body) };
}

static inline struct change
issued(unsigned number)
{
    return (struct change){
        .kind = CHANGE_TOKEN_ISSUED,
        .at = NOW,
        .token = { .id = id_of(number), .line = id_of(number), .kid = KID, .issued_at = NOW,
                   .not_before = NOW, .expires_at = NOW + MS_HOUR, .line_started_at = NOW,
                   .idle_ms = TIME_NEVER, .max_uses = USES_UNLIMITED,
                   .subject = SLICE_LITERAL("nightly"), .roles = SLICE_LITERAL("support"),
                   .issued_by = SLICE_LITERAL("local:0") },
    };
}

static inline struct change
child_of(unsigned parent, unsigned number)
{
    struct change change = issued(number);

    change.token.parent_line = id_of(parent);
    return change;
}

/* The successor of a token, which then has that much time left. */
static inline struct change
rotated(unsigned line, unsigned predecessor, unsigned number, int64_t grace)
{
    struct change change = issued(number);

    change.kind = CHANGE_TOKEN_ROTATED;
    change.token.line = id_of(line);
    change.token.predecessor = id_of(predecessor);
    change.token.issued_at = NOW + 1;
    change.expires_at = NOW + grace;
    return change;
}

static inline struct change
about(enum change_kind kind, unsigned number, int64_t at)
{
    return (struct change){ .kind = kind, .id = id_of(number), .at = at };
}

static inline struct keyring *
ring_of(uint8_t kid)
{
    struct ring_key key = { .kid = kid };
    struct keyring *ring;

    for (size_t i = 0; i < sizeof key.key.bytes; i++)
        key.key.bytes[i] = (uint8_t)(i + kid);
    assert_int_equal(keyring_new(&key, 1, &ring), STATUS_OK);
    return ring;
}

static inline void
text_of(struct fixture *f, unsigned number, char out[TOKEN_TEXT_SIZE + 1])
{
    struct token_id id = id_of(number);

    assert_int_equal(token_write(&id, KID, f->ring, out), STATUS_OK);
}

static inline enum credential_verdict
present(struct fixture *f, struct slice text, int64_t now, struct credential *out)
{
    arena_reset(&f->arena);
    return world_authenticate(f->reader, text, now, &f->arena, out);
}

static inline enum credential_verdict
verdict_at(struct fixture *f, unsigned number, int64_t now)
{
    struct credential credential;
    char text[TOKEN_TEXT_SIZE + 1];

    text_of(f, number, text);
    return present(f, slice_text(text), now, &credential);
}

static inline enum credential_verdict
verdict(struct fixture *f, unsigned number)
{
    return verdict_at(f, number, NOW);
}

static inline struct fixture
fixture_empty(void)
{
    struct fixture f = { 0 };
    struct keyring *ring = ring_of(KID);

    arena_init(&f.arena, 1 << 16);
    assert_int_equal(keyring_state_new(&f.ring), STATUS_OK);
    assert_int_equal(keyring_state_follow(f.ring, ring), STATUS_OK);
    assert_int_equal(world_new(&f.world), STATUS_OK);
    world_set_keyring(f.world, ring);
    return f;
}

static inline void
fixture_loaded(struct fixture *f)
{
    assert_int_equal(world_loaded(f->world, &f->fault), STATUS_OK);
    assert_int_equal(world_reader_new(f->world, &f->reader), STATUS_OK);
}

/* Subject nightly has the role support. */
static inline struct fixture
fixture_new(void)
{
    struct fixture f = fixture_empty();

    fixture_loaded(&f);
    apply(&f, object(CHANGE_ROLE_PUT, "support",
                     "{\"allow\":[\"orders:GET|HEAD:/v1/orders/**\"]}"));
    apply(&f, object(CHANGE_SUBJECT_PUT, "nightly",
                     "{\"type\":\"service\",\"roles\":[\"support\"]}"));
    return f;
}

static inline void
fixture_free(struct fixture *f)
{
    world_reader_free(f->reader);
    world_free(f->world);
    keyring_state_free(f->ring);
    arena_free(&f->arena);
}

#endif
