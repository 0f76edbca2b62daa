/* authority/webhook - what a receiver is told, and the signature that it checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "webhook.h"

static void
signs(const void *key, size_t size, const struct webhook_signed *what, const char *expected)
{
    struct mac_state *state;
    struct buffer out = { 0 };

    assert_int_equal(mac_state_new(key, size, &state), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        buffer_clear(&out);
        assert_int_equal(webhook_sign(state, what, &out), STATUS_OK);
        assert_true(slice_is(buffer_slice(&out), expected));
    }
    buffer_free(&out);
    mac_state_free(state);
}

/* Python: base64.b64encode(hmac.new(bytes(range(32)), b'msg_1.1764288000.{…}', 'sha256').digest())
 */
static void
signature(void **state)
{
    uint8_t key[32];

    for (uint8_t i = 0; i < sizeof key; i++)
        key[i] = i;
    signs(key, sizeof key,
          &(struct webhook_signed){
              SLICE_LITERAL("msg_1"), 1764288000,
              SLICE_LITERAL("{\"type\":\"approval.requested\",\"id\":\"msg_1\"}") },
          "v1,lnGelk/t5R/IlRqivZlb/gXjHl9J+iJ3nzY1zGnmx58=");
}

/* The example of https://www.standardwebhooks.com; its key is shorter than ours may be. */
static void
signature_of_the_standard(void **state)
{
    struct buffer key = { 0 };
    struct fault fault = { 0 };

    assert_int_equal(
        webhook_key(SLICE_LITERAL("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &key, &fault),
        STATUS_INVALID);
    assert_int_equal(key.size, 24);
    signs(key.bytes, key.size,
          &(struct webhook_signed){ SLICE_LITERAL("msg_p5jXN8AQM9LWM0D4loKWxJek"), 1614265330,
                                    SLICE_LITERAL("{\"test\": 2432232314}") },
          "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    buffer_wipe_free(&key);
}

static void
keys(void **state)
{
    static const struct {
        const char *text;
        size_t size; /* 0: refused */
    } rows[] = {
        { "0123456789abcdef0123456789abcdef", 32 },
        { "0123456789abcdef0123456789abcdef\n", 32 },
        { "0123456789abcdef0123456789abcdef\r\n", 32 },
        { " 123456789abcdef0123456789abcdef ", 33 },
        { "0123456789abcdef0123456789abcde\n", 0 },
        { "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", 0 },
        { "", 0 },
        { "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 32 },
        { "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", 0 },
        { "whsec_not base64 at all, but long enough to be a key", 0 },
        { "whsec_", 0 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buffer key = { 0 };
        struct fault fault = { 0 };
        enum status status = webhook_key(slice_text(rows[i].text), &key, &fault);

        if ((status == STATUS_OK) != (rows[i].size > 0))
            fail_msg("%s: %s", rows[i].text, status_name(status));
        if (status == STATUS_OK)
            assert_int_equal(key.size, rows[i].size);
        else
            assert_true(fault.text[0] != '\0');
        buffer_wipe_free(&key);
    }
}

static void
body(void **state)
{
    struct approval_entry entry = {
        .id = "0011223344556677",
        .state = ENTRY_REFUSED,
        .asked_at = 1000,
        .answered_at = 2000,
        .answered_by = SLICE_LITERAL("boss"),
        .question = { .subject = SLICE_LITERAL("bot"),
                      .upstream = SLICE_LITERAL("orders"),
                      .action = SLICE_LITERAL("DELETE"),
                      .object = SLICE_LITERAL("/a"),
                      .right = SLICE_LITERAL("orders:DELETE:/*"),
                      .call = SLICE_LITERAL("DELETE /a?\"why\"=\n"),
                      /* what a client sends is not always UTF-8 */
                      .agent = SLICE_LITERAL("a\xff") },
    };
    struct buffer out = { 0 };
    json_t *read;

    assert_int_equal(webhook_body(&entry, TOLD_REFUSED, "msg_1", 3000, &out), STATUS_OK);
    assert_int_equal(json_read(buffer_slice(&out), &read, NULL), STATUS_OK);
    json_t *approval = json_object_get(read, "approval");
    assert_string_equal(json_string_value(json_object_get(read, "type")), "approval.refused");
    assert_string_equal(json_string_value(json_object_get(read, "id")), "msg_1");
    assert_string_equal(json_string_value(json_object_get(read, "at")), "1970-01-01T00:00:03Z");
    assert_string_equal(json_string_value(json_object_get(approval, "state")), "refused");
    assert_string_equal(json_string_value(json_object_get(approval, "answered_by")), "boss");
    assert_string_equal(json_string_value(json_object_get(approval, "call")),
                        "DELETE /a?\"why\"=\n");
    assert_string_equal(json_string_value(json_object_get(approval, "agent")), "a\\xFF");
    json_decref(read);
    buffer_free(&out);
}

static void
ids(void **state)
{
    char one[WEBHOOK_ID_SIZE + 1], other[WEBHOOK_ID_SIZE + 1];

    assert_int_equal(webhook_id(one), STATUS_OK);
    assert_int_equal(webhook_id(other), STATUS_OK);
    assert_int_equal(strlen(one), WEBHOOK_ID_SIZE);
    assert_memory_equal(one, "msg_", 4);
    assert_string_not_equal(one, other);
}

/* --- the queue ------------------------------------------------------------------------------ */

static char dir[64], secret_path[128];

static int
set_up(void **state)
{
    FILE *file;

    strcpy(dir, "/tmp/writ-webhook-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(secret_path, sizeof secret_path, "%s/secret", dir);
    umask(0077);
    file = fopen(secret_path, "w");
    return file == NULL || fputs("0123456789abcdef0123456789abcdef\n", file) < 0 ? -1
                                                                                 : fclose(file);
}

static int
tear_down(void **state)
{
    unlink(secret_path);
    return rmdir(dir);
}

static void
opens_for(struct authority *authority, const char *url)
{
    struct fault fault = { 0 };

    *authority = (struct authority){
        .options.webhook = { .url = url, .secret_file = secret_path },
    };
    assert_int_equal(webhook_open(authority, &fault), STATUS_OK);
}

static void
tells(struct authority *authority, struct slice call, unsigned times)
{
    const struct approval_entry entry = { .id = "0011223344556677",
                                          .question = { .subject = SLICE_LITERAL("bot"),
                                                        .upstream = SLICE_LITERAL("orders"),
                                                        .action = SLICE_LITERAL("GET"),
                                                        .object = SLICE_LITERAL("/"),
                                                        .right = SLICE_LITERAL("orders:GET:/"),
                                                        .call = call } };

    for (unsigned i = 0; i < times; i++)
        authority->approvals.told(authority->approvals.context, &entry, TOLD_REQUESTED);
}

static void
queue_is_bounded(void **state)
{
    static char big[60000];
    struct authority authority;
    struct webhook_stats stats;

    opens_for(&authority, "https://hooks.example/");
    tells(&authority, SLICE_LITERAL("GET /"), 1005);
    webhook_stats(authority.webhook, &stats);
    assert_int_equal(stats.waiting, 1000);
    assert_int_equal(stats.dropped, 5);
    memset(big, 'x', sizeof big);
    tells(&authority, slice_of(big, sizeof big), 300);
    webhook_stats(authority.webhook, &stats);
    assert_in_range(stats.waiting, 250, 280); /* of 60 kB, in 16 MiB */
    assert_int_equal(stats.waiting + stats.dropped, 1305);
    /* What no message may hold: a call that grows sixfold as JSON, a hundred times over. */
    memset(big, 1, sizeof big);
    tells(&authority, slice_of(big, sizeof big), 100);
    webhook_stats(authority.webhook, &stats);
    assert_in_range(stats.waiting, 40, 50);
    webhook_close(authority.webhook);
}

/* A clock that stands until it is moved: the linker puts it in the place of the real one. */
static atomic_ullong ahead_us = 1000000000;
uint64_t __wrap_clock_mono_us(void) __attribute__((used));

uint64_t
__wrap_clock_mono_us(void)
{
    return atomic_load(&ahead_us);
}

static struct webhook_stats
stats_when_failed(struct authority *authority, uint64_t tries)
{
    struct webhook_stats stats = { 0 };

    for (int i = 0; i < 1000 && stats.failed < tries; i++) {
        usleep(5000);
        webhook_stats(authority->webhook, &stats);
    }
    assert_int_equal(stats.failed, tries);
    return stats;
}

/* Nobody listens. A new message wakes the thread, which then sends all that is due. */
static void
sent_again_and_given_up(void **state)
{
    struct authority authority;
    struct webhook_stats stats;
    struct fault fault = { 0 };
    uint64_t tries = 0;

    opens_for(&authority, "http://127.0.0.1:1/");
    assert_int_equal(webhook_start(authority.webhook, &fault), STATUS_OK);
    /* Every 31 s, more than the longest pause: all that wait are tried again. */
    for (unsigned k = 0; k * 31 < 600 - 31; k++) {
        tells(&authority, SLICE_LITERAL("GET /"), 1);
        tries += k + 1;
        stats = stats_when_failed(&authority, tries);
        assert_int_equal(stats.waiting, k + 1);
        assert_int_equal(stats.dropped, 0);
        atomic_fetch_add(&ahead_us, 31 * 1000000);
    }
    /* The try after this one would be later than ten minutes after the first was told. */
    tells(&authority, SLICE_LITERAL("GET /"), 1);
    stats = stats_when_failed(&authority, tries + 20);
    assert_int_equal(stats.dropped, 1);
    assert_int_equal(stats.waiting, 19);
    assert_int_equal(stats.sent, 0);
    webhook_close(authority.webhook);
}

static void
secret_is_ours_alone(void **state)
{
    struct authority authority = {
        .options.webhook = { .url = "https://hooks.example/", .secret_file = secret_path },
    };
    struct fault fault = { 0 };

    assert_int_equal(chmod(secret_path, 0640), 0);
    assert_int_equal(webhook_open(&authority, &fault), STATUS_DENIED);
    assert_non_null(strstr(fault.text, "mode 0640"));
    webhook_close(authority.webhook);
    assert_int_equal(chmod(secret_path, 0600), 0);
}

static void
nobody_is_told(void **state)
{
    struct authority authority = { 0 };
    struct webhook_stats stats;
    struct fault fault = { 0 };

    assert_int_equal(webhook_open(&authority, &fault), STATUS_OK);
    assert_null(authority.approvals.told);
    assert_int_equal(webhook_start(authority.webhook, &fault), STATUS_OK);
    webhook_stats(authority.webhook, &stats);
    assert_int_equal(stats.waiting, 0);
    webhook_close(authority.webhook);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature),
        cmocka_unit_test(signature_of_the_standard),
        cmocka_unit_test(keys),
        cmocka_unit_test(body),
        cmocka_unit_test(ids),
        cmocka_unit_test(queue_is_bounded),
        cmocka_unit_test(sent_again_and_given_up),
        cmocka_unit_test(secret_is_ours_alone),
        cmocka_unit_test(nobody_is_told),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
