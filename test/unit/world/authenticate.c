/* world/authenticate - who presents a token: allowed beside refused beside hostile. */
#include "fixture.h"

static void
plain(void **state)
{
    struct fixture f = fixture_new();
    struct credential credential;
    char text[TOKEN_TEXT_SIZE + 1];
    char id_text[TOKEN_ID_TEXT + 1];
    struct change change = issued(1);
    struct cidr network;

    assert_int_equal(cidr_parse(SLICE_LITERAL("10.0.0.0/8"), &network), STATUS_OK);
    change.token.networks = &network;
    change.token.network_count = 1;
    change.token.scope = SLICE_LITERAL("orders:GET:/v1/orders/1");
    change.token.binding = (struct binding){ BINDING_X5T, { 9, 9 } };
    apply(&f, change);
    text_of(&f, 1, text);
    assert_int_equal(present(&f, slice_text(text), NOW, &credential), CREDENTIAL_OK);
    assert_true(token_id_equal(&credential.id, &change.token.id));
    assert_true(slice_is(credential.id_text, token_id_format(&change.token.id, id_text)));
    assert_true(slice_is(credential.subject, "nightly"));
    assert_int_equal(credential.subject_type, SUBJECT_SERVICE);
    assert_int_equal(credential.expires_at, NOW + MS_HOUR);
    assert_int_equal(credential.binding.kind, BINDING_X5T);
    assert_int_equal(credential.binding.thumbprint[1], 9);
    assert_false(credential.counted);
    assert_int_equal(credential.label.size, 0);
    assert_int_equal(credential.lineage.count, 1);
    const struct lineage_link *link = credential.lineage.links;
    assert_int_equal(link->role_count, 1);
    assert_true(slice_is(names_text(world_names(f.world), link->roles[0]), "support"));
    assert_true(slice_is(scope_text(link->scope), "orders:GET:/v1/orders/1"));
    assert_int_equal(link->network_count, 1);
    assert_int_equal(link->narrowing_count, 0);
    fixture_free(&f);
}

/* A log-in by the public part: the text that is made of it is judged like any other. */
static void
by_public_part(void **state)
{
    struct fixture f = fixture_new();
    struct credential credential;
    struct token_secret secret;
    struct buffer told = { 0 };
    char text[TOKEN_TEXT_SIZE + 1];

    apply(&f, issued(1));
    for (unsigned number = 1; number <= 2; number++) {
        text_of(&f, number, text);
        assert_int_equal(token_public_write(slice_text(text), &told), STATUS_OK);
        assert_int_equal(world_token_secret(f.reader, buffer_slice(&told), &secret), STATUS_OK);
        assert_true(slice_is(slice_of(secret.text, secret.size), text));
        assert_int_equal(present(&f, slice_of(secret.text, secret.size), NOW, &credential),
                         number == 1 ? CREDENTIAL_OK : CREDENTIAL_UNKNOWN);
        token_secret_wipe(&secret);
        buffer_clear(&told);
    }
    assert_int_equal(world_token_secret(f.reader, SLICE_LITERAL("postgres"), &secret),
                     STATUS_INVALID);
    buffer_free(&told);
    fixture_free(&f);
}

static void
decides(void **state)
{
    struct fixture f = fixture_new();
    struct credential credential;
    struct request request;
    char text[TOKEN_TEXT_SIZE + 1];

    apply(&f, issued(1));
    text_of(&f, 1, text);
    assert_int_equal(present(&f, slice_text(text), NOW, &credential), CREDENTIAL_OK);
    assert_int_equal(request_from_right(SLICE_LITERAL("orders:GET:/v1/orders/42"), OBJECT_PATH,
                                        &request, NULL), STATUS_OK);
    assert_true(decision_allows(policy_decide(world_policy(f.reader), &credential.lineage,
                                              &request, NOW, &f.arena)));
    request.action = SLICE_LITERAL("DELETE");
    assert_false(decision_allows(policy_decide(world_policy(f.reader), &credential.lineage,
                                               &request, NOW, &f.arena)));
    fixture_free(&f);
}

static void
unknown_and_hostile(void **state)
{
    struct fixture f = fixture_new();
    struct credential credential;
    char text[TOKEN_TEXT_SIZE + 1];

    apply(&f, issued(1));
    assert_int_equal(present(&f, SLICE_LITERAL(""), NOW, &credential), CREDENTIAL_MALFORMED);
    assert_int_equal(present(&f, SLICE_LITERAL("writ_"), NOW, &credential),
                     CREDENTIAL_MALFORMED);
    /* The MAC is right, the id is not known: a token of a lost or foreign store. */
    text_of(&f, 2, text);
    assert_int_equal(present(&f, slice_text(text), NOW, &credential), CREDENTIAL_UNKNOWN);
    assert_int_equal(credential.id_text.size, TOKEN_ID_TEXT);
    assert_int_equal(credential.subject.size, 0);
    /* A known id under another key of the same kid. */
    struct keyring_state *thief;
    struct ring_key key = { .kid = KID };
    struct keyring *ring;
    struct token_id id = id_of(1);
    assert_int_equal(keyring_new(&key, 1, &ring), STATUS_OK);
    assert_int_equal(keyring_state_new(&thief), STATUS_OK);
    assert_int_equal(keyring_state_follow(thief, ring), STATUS_OK);
    assert_int_equal(token_write(&id, KID, thief, text), STATUS_OK);
    assert_int_equal(present(&f, slice_text(text), NOW, &credential), CREDENTIAL_UNKNOWN);
    assert_null(credential.id_text.at);
    keyring_state_free(thief);
    keyring_free(ring);
    fixture_free(&f);
}

static void
key_retired(void **state)
{
    struct fixture f = fixture_new();

    apply(&f, issued(1));
    assert_int_equal(verdict(&f, 1), CREDENTIAL_OK);
    world_set_keyring(f.world, ring_of(KID + 1));
    assert_int_equal(verdict(&f, 1), CREDENTIAL_UNKNOWN);
    world_set_keyring(f.world, ring_of(KID));
    assert_int_equal(verdict(&f, 1), CREDENTIAL_OK);
    fixture_free(&f);
}

static void
times(void **state)
{
    struct fixture f = fixture_new();
    struct change change = issued(1);

    change.token.not_before = NOW + 100;
    change.token.idle_ms = MS_MINUTE;
    apply(&f, change);
    assert_int_equal(verdict_at(&f, 1, NOW + 99), CREDENTIAL_NOT_YET);
    assert_int_equal(verdict_at(&f, 1, NOW + 100), CREDENTIAL_OK);
    assert_int_equal(verdict_at(&f, 1, NOW + MS_MINUTE), CREDENTIAL_IDLE);
    assert_int_equal(verdict_at(&f, 1, NOW + MS_HOUR), CREDENTIAL_EXPIRED);
    fixture_free(&f);
}

static void
idle_and_touch(void **state)
{
    struct fixture f = fixture_new();
    struct change change = issued(1);
    struct credential credential;
    char text[TOKEN_TEXT_SIZE + 1];

    change.token.idle_ms = MS_MINUTE;
    apply(&f, change);
    text_of(&f, 1, text);
    assert_int_equal(present(&f, slice_text(text), NOW, &credential), CREDENTIAL_OK);
    world_touch(f.reader, &credential, NOW + 50000);
    assert_int_equal(verdict_at(&f, 1, NOW + 109999), CREDENTIAL_OK);
    assert_int_equal(verdict_at(&f, 1, NOW + 110000), CREDENTIAL_IDLE);
    fixture_free(&f);
}

static void
revoked(void **state)
{
    struct fixture f = fixture_new();

    apply(&f, issued(1));
    apply(&f, issued(2));
    apply(&f, about(CHANGE_LINE_REVOKED, 1, NOW));
    assert_int_equal(verdict(&f, 1), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(&f, 2), CREDENTIAL_OK);
    apply(&f, about(CHANGE_LINE_REVOKED, 1, NOW + 5)); /* again: the first time stays */
    struct world_token_info info;
    struct token_id id = id_of(1);
    assert_true(world_token(f.world, &id, NOW, &info));
    assert_int_equal(info.life.revoked_at, NOW);
    assert_int_equal(info.state, TOKEN_REVOKED);
    fixture_free(&f);
}

static void
subject_gone(void **state)
{
    struct fixture f = fixture_new();
    struct credential credential;
    char text[TOKEN_TEXT_SIZE + 1];

    apply(&f, issued(1));
    apply(&f, object(CHANGE_SUBJECT_PUT, "nightly",
                     "{\"type\":\"service\",\"roles\":[\"support\"],\"disabled\":true}"));
    assert_int_equal(verdict(&f, 1), CREDENTIAL_SUBJECT);
    apply(&f, object(CHANGE_SUBJECT_DROPPED, "nightly", ""));
    text_of(&f, 1, text);
    assert_int_equal(present(&f, slice_text(text), NOW, &credential), CREDENTIAL_SUBJECT);
    assert_int_equal(credential.id_text.size, TOKEN_ID_TEXT);
    fixture_free(&f);
}

static void
lineage(void **state)
{
    struct fixture f = fixture_new();
    struct credential credential;
    char text[TOKEN_TEXT_SIZE + 1];
    struct change change = child_of(1, 2);

    apply(&f, issued(1));
    change.token.expires_at = NOW + 10 * MS_HOUR;
    apply(&f, change);
    apply(&f, child_of(2, 3));
    text_of(&f, 3, text);
    assert_int_equal(present(&f, slice_text(text), NOW, &credential), CREDENTIAL_OK);
    assert_int_equal(credential.lineage.count, 3);
    assert_int_equal(credential.expires_at, NOW + MS_HOUR);
    apply(&f, about(CHANGE_LINE_REVOKED, 1, NOW));
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(verdict(&f, i), CREDENTIAL_REVOKED);
    fixture_free(&f);
}

/* The parent's record goes: what hangs on it is refused. */
static void
parent_forgotten(void **state)
{
    struct fixture f = fixture_new();

    apply(&f, issued(1));
    apply(&f, child_of(1, 2));
    apply(&f, about(CHANGE_TOKEN_FORGOTTEN, 1, NOW));
    assert_int_equal(verdict(&f, 1), CREDENTIAL_UNKNOWN);
    assert_int_equal(verdict(&f, 2), CREDENTIAL_REVOKED);
    assert_int_equal(try_change(&f, child_of(1, 3)), STATUS_NOT_FOUND);
    assert_int_equal(try_change(&f, about(CHANGE_TOKEN_FORGOTTEN, 1, NOW)), STATUS_NOT_FOUND);
    apply(&f, about(CHANGE_TOKEN_FORGOTTEN, 2, NOW));
    assert_int_equal(world_token_count(f.world), 0);
    world_quiescent(f.reader);
    world_reclaim(f.world);
    apply(&f, issued(1)); /* nothing of the line is left, not even its shell */
    fixture_free(&f);
}

static void
rotation(void **state)
{
    struct fixture f = fixture_new();
    struct world_token_info info;
    struct token_id id = id_of(1);

    apply(&f, issued(1));
    apply(&f, child_of(1, 9));
    apply(&f, rotated(1, 1, 2, MS_MINUTE));
    assert_int_equal(verdict_at(&f, 1, NOW + MS_MINUTE - 1), CREDENTIAL_OK);
    assert_int_equal(verdict_at(&f, 1, NOW + MS_MINUTE), CREDENTIAL_EXPIRED);
    assert_int_equal(verdict_at(&f, 2, NOW + MS_MINUTE), CREDENTIAL_OK);
    /* The child hangs on the line, not on the member that was rotated away. */
    assert_int_equal(verdict_at(&f, 9, NOW + MS_MINUTE), CREDENTIAL_OK);
    assert_true(world_token(f.world, &id, NOW, &info));
    struct token_id second = id_of(2);
    assert_true(token_id_equal(&info.newest, &second));
    assert_true(world_token(f.world, &second, NOW, &info));
    assert_true(token_id_equal(&info.record.predecessor, &id));
    assert_true(token_id_equal(&info.record.line, &id));
    /* The first member is forgotten, the line lives on and is revoked by its name. */
    apply(&f, about(CHANGE_TOKEN_FORGOTTEN, 1, NOW));
    assert_int_equal(verdict(&f, 1), CREDENTIAL_UNKNOWN);
    assert_int_equal(verdict_at(&f, 9, NOW + MS_MINUTE), CREDENTIAL_OK);
    assert_int_equal(try_change(&f, issued(1)), STATUS_CONFLICT);
    apply(&f, about(CHANGE_LINE_REVOKED, 1, NOW));
    assert_int_equal(verdict(&f, 2), CREDENTIAL_REVOKED);
    assert_int_equal(verdict(&f, 9), CREDENTIAL_REVOKED);
    fixture_free(&f);
}

static void
depth(void **state)
{
    struct fixture f = fixture_new();

    apply(&f, issued(1));
    for (unsigned i = 2; i <= TOKEN_DEPTH_MAX; i++)
        apply(&f, child_of(i - 1, i));
    assert_int_equal(verdict(&f, TOKEN_DEPTH_MAX), CREDENTIAL_OK);
    assert_int_equal(try_change(&f, child_of(TOKEN_DEPTH_MAX, 99)), STATUS_LIMIT);
    fixture_free(&f);

    /* A store that holds a deeper one: refused at the gate. */
    f = fixture_empty();
    struct change change = object(CHANGE_SUBJECT_PUT, "nightly", "{\"type\":\"user\"}");
    assert_int_equal(world_load(f.world, &change), STATUS_OK);
    for (unsigned i = 1; i <= TOKEN_DEPTH_MAX + 1; i++) {
        change = i == 1 ? issued(1) : child_of(i - 1, i);
        assert_int_equal(world_load(f.world, &change), STATUS_OK);
    }
    fixture_loaded(&f);
    assert_int_equal(verdict(&f, TOKEN_DEPTH_MAX), CREDENTIAL_OK);
    assert_int_equal(verdict(&f, TOKEN_DEPTH_MAX + 1), CREDENTIAL_REVOKED);
    fixture_free(&f);
}

static void
arena_full(void **state)
{
    struct fixture f = fixture_new();
    struct credential credential;
    struct arena small;
    char text[TOKEN_TEXT_SIZE + 1];

    apply(&f, issued(1));
    text_of(&f, 1, text);
    arena_init(&small, 40);
    assert_int_equal(world_authenticate(f.reader, slice_text(text), NOW, &small, &credential),
                     CREDENTIAL_UNKNOWN);
    assert_int_equal(credential.lineage.count, 0);
    arena_free(&small);
    fixture_free(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),        cmocka_unit_test(decides),
        cmocka_unit_test(key_retired),  cmocka_unit_test(unknown_and_hostile),
        cmocka_unit_test(times),        cmocka_unit_test(idle_and_touch),
        cmocka_unit_test(revoked),      cmocka_unit_test(subject_gone),
        cmocka_unit_test(lineage),      cmocka_unit_test(parent_forgotten),
        cmocka_unit_test(rotation),     cmocka_unit_test(depth),
        cmocka_unit_test(arena_full),   cmocka_unit_test(by_public_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
