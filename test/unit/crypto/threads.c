/* crypto/threads - one key, met by many threads at once, each with contexts of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "crypto/private_key.h"

enum { THREADS = 4, ROUNDS = 50 };

static const struct slice message = { "message", 7 }, other = { "massage", 7 };

struct shared {
    struct private_key *pair;
    enum sign_alg alg;
    struct buffer signature;
};

/* How often the wrong thing was said. */
static void *
work(void *argument)
{
    const struct shared *shared = argument;
    const struct public_key *key = private_key_public(shared->pair);
    struct slice signature = buffer_slice(&shared->signature);
    struct signature_checker *checker = NULL;
    uintptr_t wrong = 0;

    if (signature_checker_new(key, shared->alg, &checker) != STATUS_OK)
        return (void *)1;
    for (int i = 0; i < ROUNDS; i++) {
        struct buffer own = { 0 };

        wrong += public_key_verify(key, shared->alg, message, signature) != STATUS_OK;
        wrong += public_key_verify(key, shared->alg, other, signature) != STATUS_DENIED;
        wrong += signature_check(checker, other, signature) != STATUS_DENIED;
        wrong += signature_check(checker, message, signature) != STATUS_OK;
        if (i % 10 == 0)
            wrong += private_key_sign(shared->pair, shared->alg, other, &own) != STATUS_OK ||
                     signature_check(checker, other, buffer_slice(&own)) != STATUS_OK;
        buffer_free(&own);
    }
    signature_checker_free(checker);
    return (void *)wrong;
}

static void
one_key(enum sign_alg alg)
{
    struct shared shared = { .alg = alg };
    pthread_t threads[THREADS];

    assert_int_equal(private_key_generate(alg, &shared.pair), STATUS_OK);
    assert_int_equal(private_key_sign(shared.pair, alg, message, &shared.signature), STATUS_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &shared), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    buffer_free(&shared.signature);
    private_key_free(shared.pair);
}

static void
es256(void **state)
{
    one_key(ALG_ES256);
}

static void
eddsa(void **state)
{
    one_key(ALG_EDDSA);
}

static void
rs256(void **state)
{
    one_key(ALG_RS256);
}

static void
ps256(void **state)
{
    one_key(ALG_PS256);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(es256),
        cmocka_unit_test(eddsa),
        cmocka_unit_test(rs256),
        cmocka_unit_test(ps256),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
