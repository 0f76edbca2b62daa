/* HMAC, SHA-256 and random bytes: published vectors, parts, threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/encoding.h"
#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/random.h"

/* RFC 4231 §4.2 to §4.8, without §4.6 (a cut tag) */
static const struct {
    const char *key, *message, *mac; /* hex */
} vectors[] = {
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "dddddddddddddddddddddddddddddddddddddddddddddddddd"
      "dddddddddddddddddddddddddddddddddddddddddddddddddd",
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    { "0102030405060708090a0b0c0d0e0f10111213141516171819",
      "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
      "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368"
      "204b6579204669727374",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
};

static size_t
bytes_of(const char *hex, uint8_t *out)
{
    size_t size = strlen(hex) / 2;

    assert_true(hex_decode(slice_text(hex), out, size));
    return size;
}

static void
matches_vectors(void **state)
{
    uint8_t key[160], message[160], wanted[MAC_SIZE], mac[MAC_SIZE];

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        size_t key_size = bytes_of(vectors[i].key, key);
        size_t size = bytes_of(vectors[i].message, message), half = size / 2;
        struct slice parts[] = { slice_of(message, half),
                                 { NULL, 0 },
                                 slice_of(message + half, size - half) };
        struct mac_state *prepared;

        bytes_of(vectors[i].mac, wanted);
        assert_int_equal(mac_state_new(key, key_size, &prepared), STATUS_OK);
        for (int round = 0; round < 3; round++) {
            assert_int_equal(mac_compute(prepared, parts, 3, mac), STATUS_OK);
            assert_memory_equal(mac, wanted, MAC_SIZE);
        }
        mac_state_free(prepared);
        memset(mac, 0, sizeof mac);
        assert_int_equal(mac_once(key, key_size, parts, 3, mac), STATUS_OK);
        assert_memory_equal(mac, wanted, MAC_SIZE);
    }
    mac_state_free(NULL);
}

/* The two ways agree for every size of key around the block's 64 bytes, none included. */
static void
both_ways_agree(void **state)
{
    uint8_t key[130], one[MAC_SIZE], other[MAC_SIZE];
    struct slice part = SLICE_LITERAL("message");
    struct mac_state *prepared;

    memset(key, 0x5a, sizeof key);
    for (size_t size = 0; size <= sizeof key; size++) {
        assert_int_equal(mac_state_new(size == 0 ? NULL : key, size, &prepared), STATUS_OK);
        assert_int_equal(mac_compute(prepared, &part, 1, one), STATUS_OK);
        assert_int_equal(mac_once(size == 0 ? NULL : key, size, &part, 1, other), STATUS_OK);
        assert_memory_equal(one, other, MAC_SIZE);
        mac_state_free(prepared);
    }
}

static void
may_write_over_its_input(void **state)
{
    uint8_t key[MAC_SIZE] = { 1 }, copy[MAC_SIZE] = { 1 }, mac[MAC_SIZE];
    struct slice part = SLICE_LITERAL("caveat");

    assert_int_equal(mac_once(copy, sizeof copy, &part, 1, mac), STATUS_OK);
    assert_int_equal(mac_once(key, sizeof key, &part, 1, key), STATUS_OK); /* a link of a chain */
    assert_memory_equal(key, mac, MAC_SIZE);
}

static void
hashes(void **state)
{
    /* FIPS 180-4, the examples "abc" and the empty message */
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static const char none[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct slice parts[] = { SLICE_LITERAL("a"), { NULL, 0 }, SLICE_LITERAL("bc") };
    uint8_t wanted[HASH_SIZE], out[HASH_SIZE];

    bytes_of(abc, wanted);
    assert_int_equal(hash_sha256(parts, 3, out), STATUS_OK);
    assert_memory_equal(out, wanted, HASH_SIZE);
    bytes_of(none, wanted);
    assert_int_equal(hash_sha256(NULL, 0, out), STATUS_OK);
    assert_memory_equal(out, wanted, HASH_SIZE);
}

static void *
hash_in_thread(void *out)
{
    struct slice part = SLICE_LITERAL("abc");

    return hash_sha256(&part, 1, out) == STATUS_OK && mac_once("k", 1, &part, 1, out) == STATUS_OK
               ? out
               : NULL;
}

/* Contexts of ended threads are freed: the leak check of a sanitizer build tells. */
static void
threads_have_their_own(void **state)
{
    uint8_t out[4][MAC_SIZE], wanted[MAC_SIZE];
    pthread_t threads[4];
    void *result;

    assert_non_null(hash_in_thread(wanted));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_in_thread, out[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
        assert_memory_equal(out[i], wanted, MAC_SIZE);
    }
}

static void
draws(void **state)
{
    uint8_t a[32] = { 0 }, b[32] = { 0 }, zero[32] = { 0 };

    assert_int_equal(random_bytes(a, sizeof a), STATUS_OK);
    assert_int_equal(random_bytes(b, sizeof b), STATUS_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, zero, sizeof a);
    assert_int_equal(random_bytes(a, 0), STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_vectors),
        cmocka_unit_test(both_ways_agree),
        cmocka_unit_test(hashes),
        cmocka_unit_test(may_write_over_its_input),
        cmocka_unit_test(threads_have_their_own),
        cmocka_unit_test(draws),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
