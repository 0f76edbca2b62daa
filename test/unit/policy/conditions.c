/* Conditions: what may stand in `when`, and what is refused there. The clock and
 * the networks at work are in test/tables/time.table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "condition.h"

static enum status
reading(const char *text, bool deny, struct condition **out, struct fault *fault)
{
    json_t *json = NULL;
    enum status status;

    *fault = (struct fault){ 0 };
    assert_int_equal(json_read(slice_text(text), &json, fault), STATUS_OK);
    status = condition_read(json, "/when", deny, out, fault);
    json_decref(json);
    return status;
}

static void
test_good(void **unused)
{
    struct condition *condition = NULL;
    struct fault fault;

    if (reading("{\"network\": [\"10.0.0.0/8\", \"::1\"], \"proof\": \"required\", "
                "\"max_rate\": \"10/s\", \"time\": {\"hours\": \"22:00-06:30\", \"days\": "
                "[\"mon\", \"sun\"], \"until\": \"2026-12-31\", \"zone\": \"-03:30\"}}",
                false, &condition, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    assert_int_equal(condition->network_count, 2);
    assert_true(condition->proof);
    assert_int_equal(condition->most, 10);
    assert_int_equal(condition->period_ms, 1000);
    assert_int_equal(condition->from, 22 * 60);
    assert_int_equal(condition->to, 6 * 60 + 30);
    assert_int_equal(condition->days, 0x41);
    assert_int_equal(condition->zone, -210);
    condition_free(condition);
    assert_int_equal(reading("{\"max_rate\": \"1000/h\"}", false, &condition, &fault), STATUS_OK);
    assert_int_equal(condition->period_ms, 3600000);
    condition_free(condition);
    assert_int_equal(reading("{\"max_concurrent\": 4, \"max_bytes\": \"100MiB/12h\"}", false,
                             &condition, &fault),
                     STATUS_OK);
    assert_int_equal(condition->budget.most_open, 4);
    assert_int_equal(condition->budget.most_bytes, 100 << 20);
    assert_int_equal(condition->budget.period_ms, 12 * MS_HOUR);
    assert_true(condition_obliges(condition));
    condition_free(condition);
    assert_int_equal(reading("{\"max_bytes\": \"7B/d\"}", false, &condition, &fault), STATUS_OK);
    assert_int_equal(condition->budget.most_bytes, 7);
    assert_int_equal(condition->budget.period_ms, MS_DAY);
    condition_free(condition);
    assert_int_equal(reading("{\"approval\": {\"by\": [\"lead\", \"sec\"], \"within\": \"1h\", "
                             "\"for\": \"7d\"}}",
                             false, &condition, &fault),
                     STATUS_OK);
    assert_true(slice_is(condition->approval.by, "lead sec"));
    assert_int_equal(condition->approval.within_ms, MS_HOUR);
    assert_int_equal(condition->approval.for_ms, 7 * MS_DAY);
    condition_free(condition);
}

/* Last of all, so that nobody is asked for what would be refused anyway. */
static void
test_approval_comes_last(void **unused)
{
    struct slice given[] = { SLICE_LITERAL("sec"), SLICE_LITERAL("lead sec") };
    struct request request = { 0 };
    struct condition *condition = NULL;
    struct fault fault;
    const char *failed;

    assert_int_equal(reading("{\"proof\": \"required\", \"approval\": {\"by\": [\"lead\", "
                             "\"sec\"]}}",
                             false, &condition, &fault),
                     STATUS_OK);
    assert_int_equal(condition_ask(condition, &request, 0, &failed), CONDITION_PROOF);
    request.proof = PROOF_DPOP;
    assert_int_equal(condition_ask(condition, &request, 0, &failed), CONDITION_APPROVAL);
    request.approved = given;
    request.approved_count = 1;
    assert_int_equal(condition_ask(condition, &request, 0, &failed), CONDITION_APPROVAL);
    request.approved_count = 2;
    assert_int_equal(condition_ask(condition, &request, 0, &failed), CONDITION_HOLDS);
    request.proof = PROOF_NONE;
    assert_int_equal(condition_ask(condition, &request, 0, &failed), CONDITION_PROOF);
    condition_free(condition);
}

static void
test_bad(void **unused)
{
    static const struct {
        const char *text, *pointer;
        bool deny;
    } bad[] = {
        { "[]", "/when", false },
        { "{}", "/when", false },
        { "{\"network\": []}", "/when/network", false },
        { "{\"approval\": {}}", "/when/approval", false },
        { "{\"approval\": {\"by\": []}}", "/when/approval", false },
        { "{\"approval\": {\"by\": \"lead\"}}", "/when/approval", false },
        { "{\"approval\": {\"by\": [\"two words\"]}}", "/when/approval", false },
        { "{\"approval\": {\"by\": [\"a\", 1]}}", "/when/approval", false },
        { "{\"approval\": {\"by\": [\"a\"], \"within\": \"2h\"}}", "/when/approval", false },
        { "{\"approval\": {\"by\": [\"a\"], \"for\": \"8d\"}}", "/when/approval", false },
        { "{\"approval\": {\"by\": [\"a\"], \"for\": \"twice\"}}", "/when/approval", false },
        { "{\"approval\": {\"by\": [\"a\"], \"of\": \"x\"}}", "/when/approval", false },
        { "{\"approval\": {\"by\": [\"a\"]}}", "/when/approval", true },
        { "{\"network\": \"10.0.0.0/8\"}", "/when/network", false },
        { "{\"network\": [\"10.0.0.0/8\", \"10.0.0.1/8\"]}", "/when/network/1", false },
        { "{\"network\": [10]}", "/when/network/0", false },
        { "{\"proof\": true}", "/when/proof", false },
        { "{\"proof\": \"optional\"}", "/when/proof", false },
        { "{\"proof\": \"required\"}", "/when/proof", true },
        { "{\"max_rate\": \"1/s\"}", "/when/max_rate", true },
        { "{\"max_concurrent\": 1}", "/when/max_concurrent", true },
        { "{\"max_concurrent\": 0}", "/when/max_concurrent", false },
        { "{\"max_concurrent\": -1}", "/when/max_concurrent", false },
        { "{\"max_concurrent\": 10001}", "/when/max_concurrent", false },
        { "{\"max_concurrent\": \"4\"}", "/when/max_concurrent", false },
        { "{\"max_concurrent\": 1.5}", "/when/max_concurrent", false },
        { "{\"max_bytes\": \"1MiB/1d\"}", "/when/max_bytes", true },
        { "{\"max_bytes\": 1048576}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"1MiB\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"0MiB/1d\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"1MB/1d\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"MiB/1d\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"-1MiB/1d\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"1 MiB/1d\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"1MiB/500ms\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"1MiB/32d\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"1MiB/\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"1MiB/1\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"1MiB/1d/1d\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"1025TiB/1d\"}", "/when/max_bytes", false },
        { "{\"max_bytes\": \"18446744073709551616B/1d\"}", "/when/max_bytes", false },
        { "{\"where\": \"required\"}", "/when/where", true },
        { "{\"where\": true}", "/when/where", false },
        { "{\"max_rows\": 1}", "/when/max_rows", true },
        { "{\"max_rows\": 0}", "/when/max_rows", false },
        { "{\"max_rows\": \"1\"}", "/when/max_rows", false },
        { "{\"read_only\": false}", "/when/read_only", false },
        { "{\"statement_timeout\": \"2d\"}", "/when/statement_timeout", false },
        { "{\"max_rate\": 10}", "/when/max_rate", false },
        { "{\"max_rate\": \"10\"}", "/when/max_rate", false },
        { "{\"max_rate\": \"0/s\"}", "/when/max_rate", false },
        { "{\"max_rate\": \"10/x\"}", "/when/max_rate", false },
        { "{\"max_rate\": \"10/s/s\"}", "/when/max_rate", false },
        { "{\"max_rate\": \"9999999999/s\"}", "/when/max_rate", false },
        { "{\"time\": {}}", "/when/time", false },
        { "{\"time\": []}", "/when/time", false },
        { "{\"time\": {\"hour\": \"08:00-18:00\"}}", "/when/time/hour", false },
        { "{\"time\": {\"hours\": \"8-18\"}}", "/when/time/hours", false },
        { "{\"time\": {\"hours\": \"08:00-08:00\"}}", "/when/time/hours", false },
        { "{\"time\": {\"hours\": \"08:60-18:00\"}}", "/when/time/hours", false },
        { "{\"time\": {\"hours\": \"24:00-18:00\"}}", "/when/time/hours", false },
        { "{\"time\": {\"hours\": \"08:00-24:01\"}}", "/when/time/hours", false },
        { "{\"time\": {\"hours\": \"08:00-18:00 \"}}", "/when/time/hours", false },
        { "{\"time\": {\"hours\": \"08:00-00:00\"}}", "/when/time/hours", false },
        { "{\"time\": {\"hours\": 8}}", "/when/time/hours", false },
        { "{\"time\": {\"hours\": null}}", "/when/time/hours", false },
        { "{\"time\": {\"days\": []}}", "/when/time/days", false },
        { "{\"time\": {\"days\": \"mon\"}}", "/when/time/days", false },
        { "{\"time\": {\"days\": [\"monday\"]}}", "/when/time/days", false },
        { "{\"time\": {\"until\": \"tomorrow\"}}", "/when/time/until", false },
        { "{\"time\": {\"zone\": \"CET\"}}", "/when/time/zone", false },
        { "{\"time\": {\"zone\": \"+1:00\"}}", "/when/time/zone", false },
        { "{\"time\": {\"zone\": \"+15:00\"}}", "/when/time/zone", false },
        { "{\"tme\": {}}", "/when/tme", false },
        { "{\"approval\": {}}", "/when/approval", false },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct condition *condition = NULL;
        struct fault fault;

        if (reading(bad[i].text, bad[i].deny, &condition, &fault) != STATUS_INVALID)
            fail_msg("%s is taken", bad[i].text);
        if (strcmp(fault.pointer, bad[i].pointer) != 0)
            fail_msg("%s: pointer %s, %s", bad[i].text, fault.pointer, fault.text);
        assert_null(condition);
    }
}

/* Before 1970 and at the ends of time nothing overflows into an allow. */
static void
test_ends_of_time(void **unused)
{
    struct condition *condition = NULL;
    struct fault fault;
    const struct request request = { 0 };
    const char *failed;

    assert_int_equal(reading("{\"time\": {\"hours\": \"08:00-18:00\", \"until\": "
                             "\"2026-12-31T00:00:00+02:00\"}}",
                             false, &condition, &fault),
                     STATUS_OK);
    assert_int_equal(condition_ask(condition, &request, TIME_NEVER, &failed), CONDITION_FAILS);
    assert_string_equal(failed, "time");
    assert_int_equal(condition_ask(condition, &request, -12 * MS_HOUR, &failed), CONDITION_HOLDS);
    assert_int_equal(condition_ask(condition, &request, -1, &failed), CONDITION_FAILS);
    (void)condition_ask(condition, &request, INT64_MIN, &failed);
    condition_free(condition);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_approval_comes_last),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_ends_of_time),
    };

    return cmocka_run_group_tests_name("policy/conditions", tests, NULL, NULL);
}
