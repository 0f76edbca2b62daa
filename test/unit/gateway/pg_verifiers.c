/* Verifiers of SCRAM log-ins: derived elsewhere and told on the lane, shared by who waits for
 * the same, kept for who belongs here, few for each peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "postgres/verifiers.h"

static struct token_secret
secret_of(unsigned number)
{
    struct token_secret secret = { .salt = "salt of sixteen" };

    secret.size = (size_t)snprintf(secret.text, sizeof(secret.text), "token %u", number);
    return secret;
}

static const struct ip peer = { IP_V4, { 192, 0, 2, 1 } };
static const struct ip other_peer = { IP_V4, { 192, 0, 2, 2 } };

/* A test is a function that runs on a lane; it ends when all that it asked for is told. */
struct scene {
    struct lane_message message;
    struct lane *lane;
    struct rate_table *rates;
    struct verifiers *verifiers;
    void (*play)(struct scene *scene);
    struct verifier_ask *asks[64];
    unsigned waiting, told;
    bool inside, wrong;
    struct scram_verifier last;
};

static void
on_told(enum status status, const struct scram_verifier *verifier, void *context)
{
    struct scene *scene = context;

    if (status != STATUS_OK || verifier == NULL || scene->inside || lane_current() != scene->lane)
        scene->wrong = true;
    else
        scene->last = *verifier;
    scene->told++;
    if (--scene->waiting == 0)
        lane_stop(scene->lane, 0);
}

static enum status
ask(struct scene *scene, unsigned number, const struct ip *from)
{
    const struct token_secret secret = secret_of(number);
    const struct verifier_want want = {
        .secret = &secret, .peer = from, .done = on_told, .context = scene
    };

    scene->inside = true;
    enum status status = verifiers_ask(scene->verifiers, &want, &scene->asks[scene->waiting]);
    scene->inside = false;
    scene->waiting += status == STATUS_OK;
    return status;
}

static void
run_play(struct lane_message *message)
{
    struct scene *scene = LANE_OWNER(message, struct scene, message);

    scene->play(scene);
    if (scene->waiting == 0)
        lane_stop(scene->lane, 0);
}

static void
on_end(struct lane *lane, void *context)
{
    struct scene *scene = context;

    verifiers_free(scene->verifiers);
    scene->verifiers = NULL;
}

static void
play(struct scene *scene, void (*how)(struct scene *scene))
{
    *scene = (struct scene){ .play = how, .message.run = run_play };
    const struct lane_options options = { .name = "test", .hooks.end = on_end, .context = scene };

    assert_int_equal(rate_table_new(64, &scene->rates), STATUS_OK);
    assert_int_equal(lane_new(&options, &scene->lane), STATUS_OK);
    assert_int_equal(verifiers_new(scene->lane, scene->rates, &scene->verifiers), STATUS_OK);
    assert_true(lane_post(scene->lane, &scene->message));
    lane_run(scene->lane);
    lane_free(scene->lane);
    rate_table_free(scene->rates);
    assert_false(scene->wrong);
}

static void
asks_one(struct scene *scene)
{
    scene->wrong |= ask(scene, 1, &peer) != STATUS_OK;
}

static void
derives(void **state)
{
    struct token_secret secret = secret_of(1);
    struct scram_verifier expected = { .rounds = SCRAM_ROUNDS };
    struct scene scene;

    (void)state;
    memcpy(expected.salt, secret.salt, sizeof(expected.salt));
    assert_int_equal(scram_verifier_make(slice_of(secret.text, secret.size), &expected), STATUS_OK);
    play(&scene, asks_one);
    assert_int_equal(scene.told, 1);
    assert_memory_equal(&scene.last, &expected, sizeof(expected));
}

/* Many sessions with one token are one derivation: the peer's limit does not count them. */
static void
asks_the_same(struct scene *scene)
{
    for (int i = 0; i < 40; i++)
        scene->wrong |= ask(scene, 1, &peer) != STATUS_OK;
}

static void
shares(void **state)
{
    struct scene scene;

    (void)state;
    play(&scene, asks_the_same);
    assert_int_equal(scene.told, 40);
}

static void
asks_too_many(struct scene *scene)
{
    for (unsigned i = 0; i < VERIFIERS_OF_ONE_PEER; i++)
        scene->wrong |= ask(scene, i, &peer) != STATUS_OK;
    scene->wrong |= ask(scene, VERIFIERS_OF_ONE_PEER, &peer) != STATUS_LIMIT;
    scene->wrong |= ask(scene, VERIFIERS_OF_ONE_PEER, &other_peer) != STATUS_OK;
}

static void
limits(void **state)
{
    struct scene scene;

    (void)state;
    play(&scene, asks_too_many);
    assert_int_equal(scene.told, VERIFIERS_OF_ONE_PEER + 1);
}

static void
calls_off(struct scene *scene)
{
    for (int i = 0; i < 3; i++)
        scene->wrong |= ask(scene, 1, &peer) != STATUS_OK;
    verifiers_cancel(scene->asks[1]);
    scene->waiting--;
}

static void
cancels(void **state)
{
    struct scene scene;

    (void)state;
    play(&scene, calls_off);
    assert_int_equal(scene.told, 2);
}

/* The lane ends while the helpers still derive: nobody is told, nothing is lost. */
static void
leaves(struct scene *scene)
{
    for (unsigned i = 0; i < 10; i++)
        scene->wrong |= ask(scene, i, &peer) != STATUS_OK;
    verifiers_free(scene->verifiers);
    scene->verifiers = NULL;
    scene->waiting = 0;
}

static void
ends_meanwhile(void **state)
{
    struct scene scene;

    (void)state;
    play(&scene, leaves);
    assert_int_equal(scene.told, 0);
}

static void
keeps(struct scene *scene)
{
    struct scram_verifier verifier = { .rounds = 7 }, found;
    struct token_secret secret = secret_of(1);

    scene->wrong |= verifiers_find(scene->verifiers, &secret, &found);
    verifiers_keep(scene->verifiers, &secret, &verifier);
    scene->wrong |= !verifiers_find(scene->verifiers, &secret, &found) || found.rounds != 7;
    /* The same text with another salt is another one. */
    secret.salt[0] ^= 1;
    scene->wrong |= verifiers_find(scene->verifiers, &secret, &found);
    secret = secret_of(1);
    /* One that is used stays, however many come. */
    for (unsigned i = 2; i < 8 * VERIFIERS_KEPT; i++) {
        struct token_secret more = secret_of(i);
        verifiers_keep(scene->verifiers, &more, &verifier);
        scene->wrong |= !verifiers_find(scene->verifiers, &secret, &found);
    }
    unsigned kept = 0;
    for (unsigned i = 1; i < 8 * VERIFIERS_KEPT; i++) {
        struct token_secret more = secret_of(i);
        kept += verifiers_find(scene->verifiers, &more, &found);
    }
    scene->wrong |= kept > VERIFIERS_KEPT || kept < VERIFIERS_KEPT / 2;
}

static void
cache(void **state)
{
    struct scene scene;

    (void)state;
    play(&scene, keeps);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derives), cmocka_unit_test(shares),         cmocka_unit_test(limits),
        cmocka_unit_test(cancels), cmocka_unit_test(ends_meanwhile), cmocka_unit_test(cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
