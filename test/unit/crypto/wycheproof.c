/* The public Wycheproof vectors for what this room computes; they lie outside the
 * checkout, and where they are absent the test is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "base/yaml.h"
#include "crypto/key.h"
#include "crypto/mac.h"
#include "crypto/sign.h"

enum { BYTES_MOST = 4096 };

static const char *folder;

/* JSON is YAML, so the reader of files serves; NULL where the file is absent. */
static struct yaml *
vectors(const char *name)
{
    struct yaml *yaml = NULL;
    struct fault fault = { 0 };
    char path[4096];

    snprintf(path, sizeof path, "%s/wycheproof/%s", folder, name);
    if (yaml_read_file(path, &yaml, &fault) == STATUS_OK)
        return yaml;
    if (fault.code != STATUS_NOT_FOUND)
        fail_msg("%s:%u:%u: %s", path, fault.line, fault.column, fault.text);
    print_message("no vectors: %s\n", fault.text);
    return NULL;
}

static size_t
take_hex(const json_t *object, const char *name, uint8_t *out)
{
    struct slice text = { 0 };

    assert_int_equal(json_take_string(object, name, &text, NULL), STATUS_OK);
    assert_non_null(text.at);
    assert_in_range(text.size, 0, 2 * BYTES_MOST);
    assert_true(hex_decode(text, out, text.size / 2));
    return text.size / 2;
}

/* A group whose key we take from nobody says nothing of signatures. */
static bool
key_is_taken(const char *name, const json_t *group)
{
    uint8_t der[BYTES_MOST];
    struct public_key *key;
    struct fault fault = { 0 };
    size_t size;

    if (json_object_get(group, "publicKeyDer") == NULL)
        return true;
    size = take_hex(group, "publicKeyDer", der);
    if (public_key_from_spki(slice_of(der, size), &key, &fault) == STATUS_OK) {
        public_key_free(key);
        return true;
    }
    assert_non_null(strstr(fault.text, "exponent"));
    print_message("%s: a group is left out: %s\n", name, fault.text);
    return false;
}

/* Each case must come out as its author says. */
static void
check_all(const char *name, bool (*holds)(const json_t *group, const json_t *test), size_t least)
{
    struct yaml *yaml = vectors(name);
    json_t *group, *test;
    size_t i, j, seen = 0;

    if (yaml == NULL)
        skip();
    json_array_foreach(json_object_get(yaml_root(yaml), "testGroups"), i, group)
    {
        if (!key_is_taken(name, group))
            continue;
        json_array_foreach(json_object_get(group, "tests"), j, test)
        {
            const char *result = json_string_value(json_object_get(test, "result"));
            /* Its author leaves it open: neither is wrong. */
            if (strcmp(result, "acceptable") == 0)
                print_message("%s, case %d, which may go either way, %s\n", name,
                              (int)json_integer_value(json_object_get(test, "tcId")),
                              holds(group, test) ? "holds" : "does not hold");
            else if (holds(group, test) != (strcmp(result, "valid") == 0))
                fail_msg("%s, case %d is %s", name,
                         (int)json_integer_value(json_object_get(test, "tcId")), result);
            seen++;
        }
    }
    assert_in_range(seen, least, SIZE_MAX);
    yaml_free(yaml);
}

static bool
mac_holds(const json_t *group, const json_t *test)
{
    uint8_t key[BYTES_MOST], message[BYTES_MOST], tag[BYTES_MOST], one[MAC_SIZE], other[MAC_SIZE];
    size_t key_size = take_hex(test, "key", key), tag_size = take_hex(test, "tag", tag);
    struct slice part = slice_of(message, take_hex(test, "msg", message));
    struct mac_state *state;

    assert_int_equal(mac_state_new(key, key_size, &state), STATUS_OK);
    assert_int_equal(mac_compute(state, &part, 1, one), STATUS_OK);
    mac_state_free(state);
    assert_int_equal(mac_once(key, key_size, &part, 1, other), STATUS_OK);
    assert_memory_equal(one, other, MAC_SIZE);
    /* Some groups have cut tags. */
    return tag_size <= MAC_SIZE && secret_equal(one, tag, tag_size);
}

static void
hmac_sha256(void **state)
{
    check_all("hmac_sha256_test.json", mac_holds, 100);
}

static bool
signature_holds(const json_t *group, const json_t *test)
{
    uint8_t public[BYTES_MOST], message[BYTES_MOST], signature[BYTES_MOST];
    struct slice text = slice_of(message, take_hex(test, "msg", message));

    assert_int_equal(take_hex(json_object_get(group, "publicKey"), "pk", public),
                     ED25519_PUBLIC_SIZE);
    /* The type says the size: a caller can't pass one of another size. */
    return take_hex(test, "sig", signature) == ED25519_SIGNATURE_SIZE &&
           ed25519_verify(public, text, signature) == STATUS_OK;
}

static void
ed25519(void **state)
{
    check_all("ed25519_test.json", signature_holds, 100);
}

/* The code that verifies proofs: the group's key as the JWK that would stand in a header,
 * else as a SubjectPublicKeyInfo; each signature under one algorithm. */
static bool
jose_holds(const json_t *group, const json_t *test, enum sign_alg alg)
{
    uint8_t message[BYTES_MOST], signature[BYTES_MOST], der[BYTES_MOST];
    const json_t *jwk = json_object_get(group, "publicKeyJwk");
    struct slice text = slice_of(message, take_hex(test, "msg", message));
    struct slice sig = slice_of(signature, take_hex(test, "sig", signature));
    struct public_key *key, *again;
    struct signature_checker *checker;
    bool holds;

    jwk = jwk != NULL ? jwk : json_object_get(group, "keyJwk");
    assert_int_equal(
        public_key_from_spki(slice_of(der, take_hex(group, "publicKeyDer", der)), &key, NULL),
        STATUS_OK);
    if (jwk != NULL) {
        assert_int_equal(public_key_from_jwk(jwk, &again, NULL), STATUS_OK);
        assert_memory_equal(public_key_thumbprint(key), public_key_thumbprint(again), 32);
        assert_int_equal(public_key_verify(again, alg, text, sig),
                         public_key_verify(key, alg, text, sig));
        public_key_free(again);
    }
    holds = public_key_verify(key, alg, text, sig) == STATUS_OK;
    /* Twice, as a context that is kept must bear no trace of the last check. */
    assert_int_equal(signature_checker_new(key, alg, &checker), STATUS_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(signature_check(checker, text, sig) == STATUS_OK, holds);
    signature_checker_free(checker);
    public_key_free(key);
    return holds;
}

static bool
es256_holds(const json_t *group, const json_t *test)
{
    return jose_holds(group, test, ALG_ES256);
}

static bool
eddsa_holds(const json_t *group, const json_t *test)
{
    return jose_holds(group, test, ALG_EDDSA);
}

static bool
rs256_holds(const json_t *group, const json_t *test)
{
    return jose_holds(group, test, ALG_RS256);
}

static bool
ps256_holds(const json_t *group, const json_t *test)
{
    return jose_holds(group, test, ALG_PS256);
}

static void
jose_es256(void **state)
{
    check_all("ecdsa_secp256r1_sha256_p1363_test.json", es256_holds, 200);
}

static void
jose_eddsa(void **state)
{
    check_all("ed25519_test.json", eddsa_holds, 100);
}

static void
jose_rs256(void **state)
{
    check_all("rsa_signature_2048_sha256_test.json", rs256_holds, 200);
}

static void
jose_ps256(void **state)
{
    check_all("rsa_pss_2048_sha256_mgf1_32_test.json", ps256_holds, 80);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_sha256), cmocka_unit_test(ed25519),    cmocka_unit_test(jose_es256),
        cmocka_unit_test(jose_eddsa),  cmocka_unit_test(jose_rs256), cmocka_unit_test(jose_ps256),
    };

    folder = getenv("WRIT_VECTORS");
    if (folder == NULL)
        folder = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
