/* world/rebind - what a thief can write behind a token's text, whose MAC is in his hands:
 * each chain here holds, and the gate refuses what the key in force has not signed. */
#include "fixture.h"

#include "base/encoding.h"
#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/private_key.h"
#include "token/text.h"

/* A token's bytes without the MAC, and the MAC, as docs/tokens.md has them. */
struct chain {
    uint8_t bytes[TOKEN_BINARY_MAX];
    size_t size;
    uint8_t mac[MAC_SIZE];
};

static struct chain
chain_of(struct slice text)
{
    struct chain chain;
    struct token_view view;

    assert_int_equal(token_parse(text, &view), STATUS_OK);
    chain.size = view.binary_size - MAC_SIZE;
    memcpy(chain.bytes, view.binary, chain.size);
    memcpy(chain.mac, view.mac, MAC_SIZE);
    token_view_wipe(&view);
    return chain;
}

static void
add(struct chain *chain, enum caveat_kind kind, struct slice value)
{
    struct slice caveat;

    assert_true(chain->size + 3 + value.size <= sizeof chain->bytes);
    caveat = slice_of(chain->bytes + chain->size, 3 + value.size);
    chain->bytes[chain->size++] = (uint8_t)kind;
    chain->bytes[chain->size++] = (uint8_t)(value.size >> 8);
    chain->bytes[chain->size++] = (uint8_t)value.size;
    memcpy(chain->bytes + chain->size, value.at, value.size);
    chain->size += value.size;
    assert_int_equal(mac_once(chain->mac, MAC_SIZE, &caveat, 1, chain->mac), STATUS_OK);
}

static void
add_hop(struct chain *chain)
{
    static uint8_t hop[HOP_ID_SIZE];

    hop[0]++;
    add(chain, CAVEAT_HOP, slice_of(hop, sizeof hop));
}

static const uint8_t *
jkt_of(const struct private_key *key)
{
    return public_key_thumbprint(private_key_public(key));
}

/* Who signs, and whose key stands there as the one in force. */
struct leave {
    const struct private_key *signer, *shown;
};

static void
put_leave(struct buffer *out, struct slice before, const struct private_key *to, struct leave leave)
{
    struct buffer message = { 0 }, packed = { 0 };
    uint8_t hash[HASH_SIZE];

    assert_int_equal(hash_sha256(&before, 1, hash), STATUS_OK);
    put_slice(&message, SLICE_LITERAL("writ rebind 1"));
    put_bytes(&message, hash, sizeof hash);
    put_bytes(&message, jkt_of(to), 32);
    assert_int_equal(public_key_pack(private_key_public(leave.shown), &packed), STATUS_OK);
    put_bytes(out, jkt_of(to), 32);
    put_slice16(out, buffer_slice(&packed));
    assert_int_equal(private_key_sign(leave.signer, ALG_ES256, buffer_slice(&message), out),
                     STATUS_OK);
    buffer_free(&packed);
    buffer_free(&message);
}

static void
add_leave(struct chain *chain, const struct private_key *to, struct leave leave)
{
    struct buffer value = { 0 };

    put_leave(&value, slice_of(chain->bytes, chain->size), to, leave);
    add(chain, CAVEAT_KEY_SIGNED, buffer_slice(&value));
    buffer_free(&value);
}

static enum credential_verdict
shown(struct fixture *f, const struct chain *chain, struct credential *out)
{
    uint8_t bytes[TOKEN_BINARY_MAX + MAC_SIZE];
    char text[4096] = "writa_";
    size_t size = chain->size + MAC_SIZE, end = 6 + base62_encoded_size(size);
    uint8_t sum[4];
    uint32_t crc;

    memcpy(bytes, chain->bytes, chain->size);
    memcpy(bytes + chain->size, chain->mac, MAC_SIZE);
    base62_encode(bytes, size, text + 6);
    crc = crc32_of(slice_of(text, end));
    for (int i = 0; i < 4; i++)
        sum[i] = (uint8_t)(crc >> (24 - 8 * i));
    base62_encode(sum, sizeof sum, text + end);
    return present(f, slice_of(text, end + 6), NOW, out);
}

static void
expect_key(struct fixture *f, const struct chain *chain, const struct private_key *key)
{
    struct credential credential;

    assert_int_equal(shown(f, chain, &credential), CREDENTIAL_OK);
    assert_int_equal(credential.binding.kind, BINDING_JKT);
    assert_memory_equal(credential.binding.thumbprint, jkt_of(key), 32);
}

static void
expect(struct fixture *f, const struct chain *chain, enum credential_verdict verdict)
{
    struct credential credential;

    assert_int_equal(shown(f, chain, &credential), verdict);
}

/* Tokens 1 and 2 are bound to key a. */
struct scene {
    struct fixture f;
    struct private_key *a, *b, *thief;
    struct chain one, two;
};

static struct private_key *
key_new(void)
{
    struct private_key *key;

    assert_int_equal(private_key_generate(ALG_ES256, &key), STATUS_OK);
    return key;
}

static struct chain
issue_bound(struct scene *s, unsigned number)
{
    struct change change = issued(number);
    char text[TOKEN_TEXT_SIZE + 1];

    change.token.binding.kind = BINDING_JKT;
    memcpy(change.token.binding.thumbprint, jkt_of(s->a), 32);
    apply(&s->f, change);
    text_of(&s->f, number, text);
    return chain_of(slice_text(text));
}

static struct scene
scene_new(void)
{
    struct scene s = { .f = fixture_new(), .a = key_new(), .b = key_new(), .thief = key_new() };

    s.one = issue_bound(&s, 1);
    s.two = issue_bound(&s, 2);
    return s;
}

static void
scene_free(struct scene *s)
{
    private_key_free(s->a);
    private_key_free(s->b);
    private_key_free(s->thief);
    fixture_free(&s->f);
}

/* The format that is written here is the real one: it is let in with the right leave. */
static void
with_leave(void **state)
{
    struct scene s = scene_new();

    add_hop(&s.one);
    add_leave(&s.one, s.b, (struct leave){ s.a, s.a });
    expect_key(&s.f, &s.one, s.b);
    add_hop(&s.one);
    add_leave(&s.one, s.a, (struct leave){ s.b, s.b });
    expect_key(&s.f, &s.one, s.a);
    scene_free(&s);
}

static void
without_the_key(void **state)
{
    struct scene s = scene_new();
    struct chain plain = s.one, own = s.one, feigned = s.one;

    add_hop(&plain);
    add(&plain, CAVEAT_KEY, slice_of(jkt_of(s.thief), 32));
    expect(&s.f, &plain, CREDENTIAL_UNKNOWN);
    add_hop(&own);
    add_leave(&own, s.thief, (struct leave){ s.thief, s.thief });
    expect(&s.f, &own, CREDENTIAL_UNKNOWN);
    add_hop(&feigned);
    add_leave(&feigned, s.thief, (struct leave){ s.thief, s.a });
    expect(&s.f, &feigned, CREDENTIAL_UNKNOWN);
    scene_free(&s);
}

/* Once it was handed on, the former holder is a thief like any other. */
static void
by_the_former_key(void **state)
{
    struct scene s = scene_new();

    add_hop(&s.one);
    add_leave(&s.one, s.b, (struct leave){ s.a, s.a });
    add_hop(&s.one);
    add_leave(&s.one, s.thief, (struct leave){ s.a, s.a });
    expect(&s.f, &s.one, CREDENTIAL_UNKNOWN);
    scene_free(&s);
}

/* A signature that was good once, for another token, another place or another key. */
static void
replayed(void **state)
{
    struct scene s = scene_new();
    struct chain other = s.two, later = s.one, turned, aimed;
    struct buffer leave = { 0 };

    add_hop(&s.one);
    put_leave(&leave, slice_of(s.one.bytes, s.one.size), s.b, (struct leave){ s.a, s.a });
    turned = aimed = s.one;
    add(&s.one, CAVEAT_KEY_SIGNED, buffer_slice(&leave));
    expect_key(&s.f, &s.one, s.b);
    /* on another token */
    add_hop(&other);
    add(&other, CAVEAT_KEY_SIGNED, buffer_slice(&leave));
    expect(&s.f, &other, CREDENTIAL_UNKNOWN);
    /* in another hop of the same */
    add_hop(&later);
    add(&later, CAVEAT_KEY_SIGNED, buffer_slice(&leave));
    expect(&s.f, &later, CREDENTIAL_UNKNOWN);
    /* after a caveat that it did not see */
    add(&turned, CAVEAT_LABEL, SLICE_LITERAL("before it"));
    add(&turned, CAVEAT_KEY_SIGNED, buffer_slice(&leave));
    expect(&s.f, &turned, CREDENTIAL_UNKNOWN);
    /* for another key */
    memcpy(leave.bytes, jkt_of(s.thief), 32);
    add(&aimed, CAVEAT_KEY_SIGNED, buffer_slice(&leave));
    expect(&s.f, &aimed, CREDENTIAL_UNKNOWN);
    buffer_free(&leave);
    scene_free(&s);
}

/* Two changes, of which the first was left out, or both stand the other way round. */
static void
out_of_order(void **state)
{
    struct scene s = scene_new();
    struct chain whole = s.one, skipped = s.one, swapped = s.one;
    struct buffer second = { 0 };

    add_hop(&whole);
    add_leave(&whole, s.b, (struct leave){ s.a, s.a });
    add_hop(&whole);
    put_leave(&second, slice_of(whole.bytes, whole.size), s.thief, (struct leave){ s.b, s.b });
    add(&whole, CAVEAT_KEY_SIGNED, buffer_slice(&second));
    expect_key(&s.f, &whole, s.thief);
    add_hop(&skipped);
    add(&skipped, CAVEAT_KEY_SIGNED, buffer_slice(&second));
    expect(&s.f, &skipped, CREDENTIAL_UNKNOWN);
    add_hop(&swapped);
    add_leave(&swapped, s.thief, (struct leave){ s.b, s.b });
    add_hop(&swapped);
    add_leave(&swapped, s.b, (struct leave){ s.a, s.a });
    expect(&s.f, &swapped, CREDENTIAL_UNKNOWN);
    buffer_free(&second);
    scene_free(&s);
}

/* What holds by every key and yet is no token. */
static void
malformed(void **state)
{
    struct scene s = scene_new();
    struct chain bare = s.one, plain = s.one, twice = s.one, followed = s.one, cut = s.one;
    const struct leave by_a = { s.a, s.a }, by_b = { s.b, s.b };
    struct buffer leave = { 0 };

    add_leave(&bare, s.b, by_a); /* outside of a hop */
    expect(&s.f, &bare, CREDENTIAL_MALFORMED);
    add_hop(&plain);
    add_leave(&plain, s.b, by_a);
    add_hop(&plain);
    add(&plain, CAVEAT_KEY, slice_of(jkt_of(s.thief), 32));
    expect(&s.f, &plain, CREDENTIAL_MALFORMED);
    add_hop(&twice);
    add_leave(&twice, s.b, by_a);
    add_leave(&twice, s.thief, by_b); /* in one hop */
    expect(&s.f, &twice, CREDENTIAL_MALFORMED);
    add_hop(&followed);
    add_leave(&followed, s.b, by_a);
    add(&followed, CAVEAT_LABEL, SLICE_LITERAL("after it"));
    expect(&s.f, &followed, CREDENTIAL_MALFORMED);
    /* Each cut of a value is refused, as a form or as a signature. */
    add_hop(&cut);
    put_leave(&leave, slice_of(cut.bytes, cut.size), s.b, by_a);
    for (size_t size = 0; size < leave.size; size++) {
        struct chain shorter = cut;
        struct credential credential;
        add(&shorter, CAVEAT_KEY_SIGNED, slice_first(buffer_slice(&leave), size));
        assert_int_not_equal(shown(&s.f, &shorter, &credential), CREDENTIAL_OK);
    }
    put_bytes(&leave, "", 1);
    add(&cut, CAVEAT_KEY_SIGNED, buffer_slice(&leave));
    expect(&s.f, &cut, CREDENTIAL_UNKNOWN);
    buffer_free(&leave);
    scene_free(&s);
}

/* Each change of a long row is checked at each request. */
static void
as_many_as_fit(void **state)
{
    struct scene s = scene_new();
    struct private_key *from = s.a, *to = s.b, *kept;
    size_t count = 0;

    while (s.one.size + MAC_SIZE + 200 < TOKEN_BINARY_MAX) {
        add_hop(&s.one);
        add_leave(&s.one, to, (struct leave){ from, from });
        kept = from;
        from = to;
        to = kept;
        count++;
    }
    assert_true(count > 4 && count <= TOKEN_CAVEATS_MAX);
    expect_key(&s.f, &s.one, from);
    scene_free(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_leave),        cmocka_unit_test(without_the_key),
        cmocka_unit_test(by_the_former_key), cmocka_unit_test(replayed),
        cmocka_unit_test(out_of_order),      cmocka_unit_test(malformed),
        cmocka_unit_test(as_many_as_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
