/* Ed25519: published vectors, and what must not verify. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "crypto/sign.h"

/* RFC 8032 §7.1, TEST 1 to 3 */
static const struct {
    const char *seed, *public, *message, *signature; /* hex */
} vectors[] = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
      "b46bd25bf5f0595bbe24655141438e7a100b" },
    { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
      "1d8c387b2eaeb4302aeeb00d291612bb0c00" },
    { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
      "c6594a7c15e9716ed28dc027beceea1ec40a" },
};

static void
bytes_of(const char *hex, uint8_t *out)
{
    assert_true(hex_decode(slice_text(hex), out, strlen(hex) / 2));
}

static void
matches_vectors(void **state)
{
    uint8_t public[ED25519_PUBLIC_SIZE], wanted[ED25519_SIGNATURE_SIZE];
    uint8_t out[ED25519_SIGNATURE_SIZE], message[8];
    struct signer *signer;
    struct secret seed;

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct slice text = slice_of(message, strlen(vectors[i].message) / 2);
        bytes_of(vectors[i].seed, seed.bytes);
        bytes_of(vectors[i].message, message);
        assert_int_equal(signer_new(&seed, &signer), STATUS_OK);
        signer_public(signer, out);
        bytes_of(vectors[i].public, public);
        assert_memory_equal(out, public, sizeof public);
        assert_int_equal(signer_sign(signer, text, out), STATUS_OK);
        bytes_of(vectors[i].signature, wanted);
        assert_memory_equal(out, wanted, sizeof wanted);
        assert_int_equal(ed25519_verify(public, text, out), STATUS_OK);
        signer_free(signer);
    }
    signer_free(NULL);
}

/* No single bit of key, message or signature may change. */
static void
refuses_changes(void **state)
{
    uint8_t public[ED25519_PUBLIC_SIZE], signature[ED25519_SIGNATURE_SIZE];
    struct secret seed = { { 1, 2, 3 } };
    char message[] = "head of the chain";
    struct slice text = slice_of(message, sizeof message);
    struct signer *signer;

    assert_int_equal(signer_new(&seed, &signer), STATUS_OK);
    assert_int_equal(signer_sign(signer, text, signature), STATUS_OK);
    signer_public(signer, public);
    signer_free(signer);
    for (size_t bit = 0; bit < 8 * sizeof signature; bit += 7) {
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(ed25519_verify(public, text, signature), STATUS_DENIED);
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof public; bit += 7) {
        public[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(ed25519_verify(public, text, signature), STATUS_DENIED);
        public[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    message[3] ^= 1;
    assert_int_equal(ed25519_verify(public, text, signature), STATUS_DENIED);
    message[3] ^= 1;
    assert_int_equal(ed25519_verify(public, slice_first(text, 5), signature), STATUS_DENIED);
    assert_int_equal(ed25519_verify(public, (struct slice){ 0 }, signature), STATUS_DENIED);
    assert_int_equal(ed25519_verify(public, text, signature), STATUS_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_vectors),
        cmocka_unit_test(refuses_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
