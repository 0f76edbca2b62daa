/* crypto/keys - signatures at the edges of their forms, keys in their other forms, and keys
 * for which anybody can sign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/encoding.h"
#include "crypto/private_key.h"
#include "key_inside.h"

/* Of one RSA key, over "message"; its private half is not kept. */
#define MODULUS                                                                                    \
    "mBVzujUze9IN_VI7HJNYgt2rqOBzZ_lLFTp3-DagD8043ThMAUt8hz0P6MUhdle1jKWRBBA-IIsoN2V00jUr46t6-s"   \
    "9CAth449kaeoS0Z3lspR4agFPsc4VRZCzKQ5HPpOO7S_hX8zRyEvUd_YPHmn5D4DrFfSIvkJGiM4htFR-wVpC6UMot"   \
    "BFNxkhA8jcB90zsnAx3XM7hd1x6rT_px-WybDzlNOT2f9fcnCjMYcmKrB27mSTWd5TqW8-wpNEMqVF7x45wAh5S00a"   \
    "Ze2MYIAkgKtv7SbKEdGpU3pICynsJ6njVBJ5JugvIh1UJ8T4XIC4_m1j0H0VUzD9RCtiGnTQ"
#define RS256                                                                                      \
    "aKEGsdWfCpf8_hky8pXKIGluvhqvEmxBaRoadeR_Nm6-4obvDIHgjPbYjPXaslo0qdAa0ryPEWO2bRdWb9lTu02USQ"   \
    "4tstnLW-5FKGt_ItgpUn4EOe3GxRUAjLX-jjTVmx4lCXWE15SchHY6tDazNHeAd6Yg--gXw4nKv0qBdUU2jFc--ENG"   \
    "NfZ8zNDHRjY9QcAL-L7S4f0rUkVXgBOeoqsoV2_xwzDYvWq-YXWk1DxCYhlv9LQWTkirQ582hPQ1OCG6GwRpqsXMoL"   \
    "N9kiTheCB2SHnkAavwrY1yCvaMv1zL_ksfdnmJl6N6L8AC75VgpalfPx2j7Ky9cFtM6kpD8A"
#define RS1                                                                                        \
    "c3HNr5-78MG6MRiNlhMJKJa0CxeJ7tHQ6HgDHcS9UrmPrfuWTEEei2m0vTzpl5zXl7ed4jMDZmGE9Bkwdik3WkacJQ"   \
    "34gjRLFGEe3ZWwWcBYRphCro7iaMWr32xxsIckC2Tb6COX43FVtykc4ILCNShAW05-PbNekQ-gOc8d01DAls5dBuhQ"   \
    "yY2ihDNsXl4RADQgCV_-UNWwMam2OKwmgdxQEb7z9ifxxavWVt2yJQWErCglEHIH9aPWTGEae3_SxLOJGrQmeEW9Oc"   \
    "toBVAxQy-Nt7lpy7wHjI7JsnS4QVMw13ov7bD-4e4d-RRneeQ5OdpoBntSGXm9fbMWsOjiyg"
#define PS256                                                                                      \
    "VCgAv7yhPoK62tROU2IoReOMnlnCqBK_W1rNl-CkpYQW9Cr-khDFrG0JWlFMG_zBtWHSpnmwQeRsu4QOKv93Sn17T2"   \
    "6VFJ99WiDxWme6Dp8FmixcdmMeMMLpknm5EVQNIHzo3HTZeWENMj79tz4FlXAYFFVmiW9_hp4GqExdpbiRlPtaulaQ"   \
    "wDVHafo96rbhAKBM4f3FgYEtBO2bYfV3aeEPGf-MeX9Td5nZ0eJd9vLJw7NjMf1QWlam6Hu6Mg6H-bw3wIo2vpW3_r"   \
    "UbxFNhMnGd4JFGVmzLKA1_oRVmtmHYrvAEcL4Yh6q_VwXGMYjw1WE7iZu4irILOb6igzIQcA"
#define PS256_SALT_20                                                                              \
    "ivxm96SEDDd7I0ZG0Qw83_BVtIyBbCXuvMQOcmLECC8R2dIc48tCFB_DoSBhecRPdG_PPxfI3LkiwBEYmPQtRJrJv8"   \
    "QCgPj7obJ8suDKmmJkyudGSFZixaj7JBsG3qIVSnIo3x7zvqyeGWPz4d-ULRqT919353AayWBdx_jCEPs6c3b-VSeO"   \
    "-IPtYZhGJKmOYmINdxVcurlqY-Vd1JpA785uQbZR5jmHa429Nvq1PvZ6uyp8NqfWvwrXoBkYkmKLRTtztjKE38IoTg"   \
    "6zMIE3O7W7ccygHYsXFLWIF7AF85JyNVMTJtGTVtnEMxE2inDEd5Vwy5RkjhCi7FikrUR_wA"
#define PS256_SALT_0                                                                               \
    "JEG5med9x3pPw5mbX074IyZiZkkRmJtkkqM3iA0ssU-6x8nXiAeCOsEUUqPVasqCNcKR6KCanN285bYOxVRY4j3X2f"   \
    "LsS3A0zBYifzzkwQ5NcKKv-KNM-Vts5bxj2ZBrnIOF6dwj58-YZkyxfSFbtvW7yf1ACGSInWiNxN6Ux64KUa4V0-DS"   \
    "cFOnaR5rtFFJuWrZc6EbXWSwsMM8Cnu50QajFOlGl9Ua3JGNVtvsCU_DoSdI1RtLupJSe2dvp9eRUUy3x5i56cdhZg"   \
    "LqahRxaz8Q0VxSNVditRDnGSOol6vWeoAqGdTYYp6-_-BbvJoyNRkRY6xKTJZ52FPKYvF3zw"
#define PS256_MGF1_SHA1                                                                            \
    "E6o09Hp1Tn-d4aGpJlddbzh6YBme1scmUiqrOjlvH96kEnAWpE6ViKyg00zCakK1e6iLWcmAyrlmLQryZ8YJGkWPmJ"   \
    "6dEYQPqWV76WT9X30PlmOyjmcvczY8nVeWl4Zk3mp0aCuFbf9WdZRMv3aWMEdQeWzDyan_SkSgFvYBb9oEkMzm9ZHx"   \
    "ivFZeykdAVJmv-D2Le4CK682wYQHKWw-Ph6lRY4mrFRXlb2f6_46uPsdeg2itvqBwwvUZtOLng5DRHViTahQq0GViL"   \
    "qkLqR_033B1rVCOeAooUeLIrGBK8fpGW7IrRzxdOCYcP4E7l9gtE4dHQ0_HCokHSAH9mhHYA"

static const struct slice message = { "message", 7 };

static size_t
decode(const char *text, uint8_t *out, size_t capacity)
{
    size_t size = 0;

    assert_true(base64url_decode(slice_text(text), out, capacity, &size));
    return size;
}

static enum status
from_numbers(json_t *jwk, struct public_key **out)
{
    enum status status = public_key_from_jwk(jwk, out, NULL);

    json_decref(jwk);
    return status;
}

static struct public_key *
rsa_key(const char *alg)
{
    struct public_key *key = NULL;

    assert_int_equal(from_numbers(json_pack("{s:s, s:s, s:s, s:s*}", "kty", "RSA", "n", MODULUS,
                                            "e", "AQAB", "alg", alg),
                                  &key),
                     STATUS_OK);
    return key;
}

/* By both ways of checking, which must say the same. */
static enum status
verify(const struct public_key *key, enum sign_alg alg, struct slice text, struct slice signature)
{
    enum status status = public_key_verify(key, alg, text, signature);
    struct signature_checker *checker;

    if (!public_key_takes(key, alg))
        return status;
    assert_int_equal(signature_checker_new(key, alg, &checker), STATUS_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(signature_check(checker, text, signature), status);
    signature_checker_free(checker);
    return status;
}

static void
rsa_signatures(void **state)
{
    static const struct {
        enum sign_alg alg;
        const char *signature;
        enum status status;
    } cases[] = {
        { ALG_RS256, RS256, STATUS_OK },
        { ALG_PS256, PS256, STATUS_OK },
        { ALG_RS256, PS256, STATUS_DENIED },
        { ALG_PS256, RS256, STATUS_DENIED },
        { ALG_RS256, RS1, STATUS_DENIED },
        /* RFC 7518 §3.5: the salt as long as the hash, the mask by the same hash. */
        { ALG_PS256, PS256_SALT_20, STATUS_DENIED },
        { ALG_PS256, PS256_SALT_0, STATUS_DENIED },
        { ALG_PS256, PS256_MGF1_SHA1, STATUS_DENIED },
        { ALG_ES256, RS256, STATUS_DENIED },
        { ALG_EDDSA, RS256, STATUS_DENIED },
        { ALG_NONE, RS256, STATUS_DENIED },
    };
    struct public_key *key = rsa_key(NULL);
    uint8_t signature[SIGNATURE_MAX + 1] = { 0 };

    assert_int_equal(public_key_alg(key), ALG_RS256);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = decode(cases[i].signature, signature, sizeof signature);

        if (verify(key, cases[i].alg, message, slice_of(signature, size)) != cases[i].status)
            fail_msg("case %zu", i);
    }
    public_key_free(key);
}

/* A number below the modulus has many forms: only the one of the modulus' size is one. */
static void
rsa_sizes(void **state)
{
    struct public_key *key = rsa_key(NULL);
    uint8_t room[SIGNATURE_MAX + 2] = { 0 };
    size_t size = decode(RS256, room + 1, sizeof room - 1);

    assert_int_equal(size, 256);
    assert_int_equal(verify(key, ALG_RS256, message, slice_of(room + 1, size)), STATUS_OK);
    assert_int_equal(verify(key, ALG_RS256, message, slice_of(room, size + 1)), STATUS_DENIED);
    assert_int_equal(verify(key, ALG_RS256, message, slice_of(room + 1, size + 1)), STATUS_DENIED);
    assert_int_equal(verify(key, ALG_RS256, message, slice_of(room + 1, size - 1)), STATUS_DENIED);
    assert_int_equal(verify(key, ALG_RS256, message, (struct slice){ 0 }), STATUS_DENIED);
    memset(room, 0xff, sizeof room);
    assert_int_equal(verify(key, ALG_RS256, message, slice_of(room, size)), STATUS_DENIED);
    assert_int_equal(verify(key, ALG_PS256, message, slice_of(room, size)), STATUS_DENIED);
    memset(room, 0, sizeof room);
    assert_int_equal(verify(key, ALG_RS256, message, slice_of(room, size)), STATUS_DENIED);
    public_key_free(key);
}

/* A key that says what it is for is for nothing else. */
static void
rsa_of_one_alg(void **state)
{
    struct public_key *key = rsa_key("PS256");
    uint8_t signature[SIGNATURE_MAX];
    struct signature_checker *checker = NULL;
    size_t size = decode(PS256, signature, sizeof signature);

    assert_int_equal(public_key_alg(key), ALG_PS256);
    assert_int_equal(verify(key, ALG_PS256, message, slice_of(signature, size)), STATUS_OK);
    size = decode(RS256, signature, sizeof signature);
    assert_int_equal(verify(key, ALG_RS256, message, slice_of(signature, size)), STATUS_DENIED);
    assert_int_equal(signature_checker_new(key, ALG_RS256, &checker), STATUS_INVALID);
    public_key_free(key);
}

/* The order n of the curve's group. */
#define ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"

static void
es256_edges(void **state)
{
    struct private_key *pair = NULL;
    const struct public_key *key;
    struct buffer signature = { 0 };
    uint8_t raw[ES256_SIZE + 1] = { 0 }, der[ES256_DER_MAX], order[EC_COORDINATE];

    assert_true(hex_decode(SLICE_LITERAL(ORDER), order, sizeof order));
    assert_int_equal(private_key_generate(ALG_ES256, &pair), STATUS_OK);
    key = private_key_public(pair);
    assert_int_equal(private_key_sign(pair, ALG_ES256, message, &signature), STATUS_OK);
    assert_int_equal(signature.size, ES256_SIZE);
    memcpy(raw, signature.bytes, ES256_SIZE);
    assert_int_equal(verify(key, ALG_ES256, message, slice_of(raw, 64)), STATUS_OK);
    assert_int_equal(verify(key, ALG_ES256, message, slice_of(raw, 63)), STATUS_DENIED);
    assert_int_equal(verify(key, ALG_ES256, message, slice_of(raw, 65)), STATUS_DENIED);
    /* DER is X.509's form, not JOSE's. */
    size_t size = es256_to_der(raw, der);
    assert_true(size >= 68 && size <= ES256_DER_MAX);
    assert_int_equal(verify(key, ALG_ES256, message, slice_of(der, size)), STATUS_DENIED);
    /* r and s from 1 to n - 1. */
    for (size_t half = 0; half < ES256_SIZE; half += EC_COORDINATE) {
        memcpy(raw, signature.bytes, ES256_SIZE);
        memset(raw + half, 0, EC_COORDINATE);
        assert_int_equal(verify(key, ALG_ES256, message, slice_of(raw, 64)), STATUS_DENIED);
        memcpy(raw + half, order, EC_COORDINATE);
        assert_int_equal(verify(key, ALG_ES256, message, slice_of(raw, 64)), STATUS_DENIED);
        memset(raw + half, 0xff, EC_COORDINATE);
        assert_int_equal(verify(key, ALG_ES256, message, slice_of(raw, 64)), STATUS_DENIED);
    }
    memset(raw, 0, sizeof raw);
    assert_int_equal(verify(key, ALG_ES256, message, slice_of(raw, 64)), STATUS_DENIED);
    buffer_free(&signature);
    private_key_free(pair);
}

/* There and back, for numbers with leading zeroes and with a high bit. */
static void
es256_forms(void **state)
{
    uint8_t raw[ES256_SIZE], again[ES256_SIZE], der[ES256_DER_MAX];

    for (unsigned zeroes = 0; zeroes < EC_COORDINATE; zeroes++) {
        for (int first = 1; first < 256; first += 127) {
            memset(raw, 0x5a, sizeof raw);
            memset(raw, 0, zeroes);
            memset(raw + EC_COORDINATE, 0, EC_COORDINATE - 1 - zeroes);
            raw[zeroes] = (uint8_t)first;
            raw[ES256_SIZE - 1 - zeroes] = (uint8_t)first;
            size_t size = es256_to_der(raw, der);
            assert_in_range(size, 8, ES256_DER_MAX);
            assert_true(es256_from_der(der, size, again));
            assert_memory_equal(raw, again, sizeof raw);
        }
    }
    assert_false(es256_from_der(der, 7, again));
}

static void
bits_changed(void **state)
{
    static const enum sign_alg algs[] = { ALG_ES256, ALG_EDDSA };

    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        struct private_key *pair = NULL;
        struct buffer signature = { 0 };

        assert_int_equal(private_key_generate(algs[i], &pair), STATUS_OK);
        assert_int_equal(private_key_sign(pair, algs[i], message, &signature), STATUS_OK);
        for (size_t bit = 0; bit < signature.size * 8; bit++) {
            signature.bytes[bit / 8] = (char)(signature.bytes[bit / 8] ^ 1 << bit % 8);
            assert_int_equal(public_key_verify(private_key_public(pair), algs[i], message,
                                               buffer_slice(&signature)),
                             STATUS_DENIED);
            signature.bytes[bit / 8] = (char)(signature.bytes[bit / 8] ^ 1 << bit % 8);
        }
        assert_int_equal(public_key_verify(private_key_public(pair), algs[i], (struct slice){ 0 },
                                           buffer_slice(&signature)),
                         STATUS_DENIED);
        buffer_clear(&signature);
        assert_int_equal(private_key_sign(pair, algs[i], (struct slice){ 0 }, &signature),
                         STATUS_OK);
        assert_int_equal(verify(private_key_public(pair), algs[i], (struct slice){ 0 },
                                buffer_slice(&signature)),
                         STATUS_OK);
        buffer_free(&signature);
        private_key_free(pair);
    }
}

static enum status
ed25519_of(const char *hex)
{
    uint8_t bytes[ED25519_SIZE];
    struct buffer text = { 0 };
    struct public_key *key = NULL;
    json_t *jwk;
    enum status status;

    assert_true(hex_decode(slice_text(hex), bytes, sizeof bytes));
    put_base64url(&text, bytes, sizeof bytes);
    jwk = json_pack("{s:s, s:s, s:s%}", "kty", "OKP", "crv", "Ed25519", "x", text.bytes, text.size);
    status = from_numbers(jwk, &key);
    public_key_free(key);
    buffer_free(&text);
    return status;
}

/* Points of an order of at most eight: a signature holds there for nearly every message.
 * The same points, and others, in a second form: one key would have two thumbprints. */
static void
ed25519_weak(void **state)
{
    static const char *const weak[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };

    for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
        if (ed25519_of(weak[i]) != STATUS_INVALID)
            fail_msg("taken: %s", weak[i]);
    }
    /* RFC 8032 §7.1, and the base point itself. */
    assert_int_equal(ed25519_of("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
                     STATUS_OK);
    assert_int_equal(ed25519_of("5866666666666666666666666666666666666666666666666666666666666666"),
                     STATUS_OK);
}

/* Out and in again, by each form that a key takes. */
static void
packed(void **state)
{
    static const enum sign_alg algs[] = { ALG_ES256, ALG_EDDSA, ALG_RS256 };

    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        struct private_key *pair = NULL;
        struct buffer bytes = { 0 };
        struct public_key *again = NULL;

        assert_int_equal(private_key_generate(algs[i], &pair), STATUS_OK);
        assert_int_equal(public_key_pack(private_key_public(pair), &bytes), STATUS_OK);
        assert_in_range(bytes.size, 1, PUBLIC_KEY_PACKED_MAX);
        assert_int_equal(public_key_unpack(buffer_slice(&bytes), &again), STATUS_OK);
        assert_memory_equal(public_key_thumbprint(again),
                            public_key_thumbprint(private_key_public(pair)), THUMBPRINT_SIZE);
        public_key_free(again);
        assert_int_equal(from_numbers(public_key_jwk(private_key_public(pair)), &again), STATUS_OK);
        assert_memory_equal(public_key_thumbprint(again),
                            public_key_thumbprint(private_key_public(pair)), THUMBPRINT_SIZE);
        public_key_free(again);
        again = NULL;
        /* A byte less, a byte more, another kind. */
        assert_int_equal(
            public_key_unpack(slice_first(buffer_slice(&bytes), bytes.size - 1), &again),
            STATUS_INVALID);
        put_u8(&bytes, 1);
        if (algs[i] != ALG_RS256)
            assert_int_equal(public_key_unpack(buffer_slice(&bytes), &again), STATUS_INVALID);
        for (int kind = 0; kind < 256; kind++) {
            bytes.bytes[0] = (char)kind;
            if (kind != KEY_RSA)
                assert_int_equal(public_key_unpack(buffer_slice(&bytes), &again), STATUS_INVALID);
        }
        buffer_free(&bytes);
        private_key_free(pair);
    }
}

static void
packed_none(void **state)
{
    uint8_t bytes[PUBLIC_KEY_PACKED_MAX + 1];
    struct public_key *key = NULL;

    assert_int_equal(public_key_unpack((struct slice){ 0 }, &key), STATUS_INVALID);
    memset(bytes, 0xff, sizeof bytes);
    for (int kind = KEY_EC; kind <= KEY_RSA; kind++) {
        bytes[0] = (uint8_t)kind;
        assert_int_equal(public_key_unpack(slice_of(bytes, 1), &key), STATUS_INVALID);
        assert_int_equal(public_key_unpack(slice_of(bytes, sizeof bytes), &key), STATUS_INVALID);
    }
    bytes[0] = KEY_EC; /* no point of the curve, and no number of its field */
    assert_int_equal(public_key_unpack(slice_of(bytes, 1 + EC_POINT_SIZE), &key), STATUS_INVALID);
    memset(bytes + 1, 0, EC_POINT_SIZE);
    assert_int_equal(public_key_unpack(slice_of(bytes, 1 + EC_POINT_SIZE), &key), STATUS_INVALID);
    bytes[0] = KEY_RSA; /* a leading zero, an even modulus, one of 2040 bits */
    memset(bytes + 1, 0xff, 256);
    bytes[1] = 0;
    assert_int_equal(public_key_unpack(slice_of(bytes, 257), &key), STATUS_INVALID);
    bytes[1] = bytes[256] = 0xfe;
    assert_int_equal(public_key_unpack(slice_of(bytes, 257), &key), STATUS_INVALID);
    bytes[256] = 0xff;
    assert_int_equal(public_key_unpack(slice_of(bytes, 256), &key), STATUS_INVALID);
    assert_int_equal(public_key_unpack(slice_of(bytes, 257), &key), STATUS_OK);
    public_key_free(key);
}

/* RFC 8410 §10.1's key, whole and cut. */
#define ED25519_SPKI "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"
#define ED25519_PEM  "-----BEGIN PUBLIC KEY-----\n" ED25519_SPKI "=\n-----END PUBLIC KEY-----\n"

static void
spki(void **state)
{
    uint8_t der[64];
    size_t size = decode(ED25519_SPKI, der, sizeof der);
    struct public_key *key = NULL, *again = NULL;

    assert_int_equal(public_key_from_spki(slice_of(der, size), &key, NULL), STATUS_OK);
    assert_int_equal(public_key_alg(key), ALG_EDDSA);
    assert_int_equal(public_key_from_pem(SLICE_LITERAL("Ours:\n" ED25519_PEM), &again, NULL),
                     STATUS_OK);
    assert_memory_equal(public_key_thumbprint(key), public_key_thumbprint(again), THUMBPRINT_SIZE);
    public_key_free(key);
    public_key_free(again);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(public_key_from_spki(slice_of(der, cut), &key, NULL), STATUS_INVALID);
    der[size] = 0;
    assert_int_equal(public_key_from_spki(slice_of(der, size + 1), &key, NULL), STATUS_INVALID);
}

/* Text that claims to be encrypted must not make the program ask for a passphrase. */
static void
pem_never_asks(void **state)
{
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\n"
                              "DEK-Info: AES-128-CBC,000102030405060708090A0B0C0D0E0F\n\n"
                              "AAAAAAAAAAAAAAAAAAAAAA==\n-----END PUBLIC KEY-----\n"
                              "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
                              "DEK-Info: AES-128-CBC,000102030405060708090A0B0C0D0E0F\n\n"
                              "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n";
    struct public_key *key = NULL;
    int input[2], kept = dup(STDIN_FILENO), unread = 0;

    assert_int_equal(pipe(input), 0);
    assert_int_equal(write(input[1], "secret\n", 7), 7);
    assert_return_code(dup2(input[0], STDIN_FILENO), 0);
    assert_int_equal(public_key_from_pem(slice_text(pem), &key, NULL), STATUS_INVALID);
    assert_int_equal(ioctl(STDIN_FILENO, FIONREAD, &unread), 0);
    dup2(kept, STDIN_FILENO);
    close(kept);
    close(input[0]);
    close(input[1]);
    assert_int_equal(unread, 7);
}

static void
names(void **state)
{
    for (enum sign_alg alg = ALG_ES256; alg <= ALG_PS256; alg++)
        assert_int_equal(alg_parse(slice_text(alg_name(alg))), alg);
    assert_int_equal(alg_parse(slice_text(alg_name(ALG_NONE))), ALG_NONE);
    assert_int_equal(alg_parse(SLICE_LITERAL("ES256\0")), ALG_NONE);
    assert_int_equal(alg_parse((struct slice){ 0 }), ALG_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_signatures), cmocka_unit_test(rsa_sizes),
        cmocka_unit_test(rsa_of_one_alg), cmocka_unit_test(es256_edges),
        cmocka_unit_test(es256_forms),    cmocka_unit_test(bits_changed),
        cmocka_unit_test(ed25519_weak),   cmocka_unit_test(packed),
        cmocka_unit_test(packed_none),    cmocka_unit_test(spki),
        cmocka_unit_test(pem_never_asks), cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
