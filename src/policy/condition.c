/* policy/condition.c - the `when` of a right: network, time, proof, rate, and what SQL
 * statements must keep. */
#include "condition.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/nearest.h"
#include "condition_approval.h"

enum { NETWORKS_MAX = 256, MINUTES_A_DAY = 24 * 60, ALL_DAYS = 0x7f };
#define RATE_MOST_MAX 1000000000u

/* One condition being read. */
struct reading {
    const char *pointer; /* of the condition's value */
    bool deny;
    struct condition *out;
    struct fault *fault;
};

static struct slice
json_text(const json_t *value)
{
    return json_is_string(value) ? slice_of(json_string_value(value), json_string_length(value))
                                 : (struct slice){ 0 };
}

/* Names of container networks, such as "bridge", in place of addresses of clients. */
static bool
names_networks(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct slice text = json_text(json_array_get(list, i));

        if (text.size == 0 || slice_find(text, ':') < text.size ||
            slice_find(text, '/') < text.size || (text.at[0] >= '0' && text.at[0] <= '9'))
            return false;
    }
    return true;
}

static enum status
read_network(struct reading *in, const json_t *value)
{
    size_t count = json_array_size(value);
    char pointer[FAULT_POINTER_MAX];

    if (!json_is_array(value) || count == 0)
        return fault_at(in->fault, STATUS_INVALID, in->pointer,
                        "network is a list of at least one network, such as [\"10.0.0.0/8\"]");
    if (names_networks(value))
        return fact_rules_read_network(&in->out->facts, value, in->pointer, in->fault);
    if (count > NETWORKS_MAX)
        return fault_at(in->fault, STATUS_INVALID, in->pointer,
                        "a condition names at most %d networks", NETWORKS_MAX);
    in->out->networks = calloc(count, sizeof(struct cidr));
    if (in->out->networks == NULL)
        return fault_set(in->fault, STATUS_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct slice text = json_text(json_array_get(value, i));

        snprintf(pointer, sizeof(pointer), "%s/%zu", in->pointer, i);
        if (text.size == 0 || cidr_parse(text, &in->out->networks[i]) != STATUS_OK)
            return fault_at(in->fault, STATUS_INVALID, pointer,
                            "\"%.*s\" is no network: write an address, or one with a length and "
                            "no bits behind it, such as 10.0.0.0/8",
                            SLICE_PRINT(slice_first(text, 64)));
    }
    in->out->network_count = count;
    return STATUS_OK;
}

static bool
two_digits(struct slice text, size_t at, unsigned most, unsigned *out)
{
    uint64_t value;

    if (at + 2 > text.size || !slice_u64(slice_of(text.at + at, 2), &value) || value > most)
        return false;
    *out = (unsigned)value;
    return true;
}

/* "HH:MM"; 24:00 is the end of the day. */
static bool
minute_read(struct slice text, uint16_t *out)
{
    unsigned hour, minute;

    if (text.size != 5 || text.at[2] != ':' || !two_digits(text, 0, 24, &hour) ||
        !two_digits(text, 3, 59, &minute) || (hour == 24 && minute != 0))
        return false;
    *out = (uint16_t)(hour * 60 + minute);
    return true;
}

static bool
hours_read(struct slice text, struct condition *out)
{
    return text.size == 11 && text.at[5] == '-' && minute_read(slice_first(text, 5), &out->from) &&
           minute_read(slice_from(text, 6), &out->to) && out->from < MINUTES_A_DAY && out->to > 0 &&
           out->from != out->to;
}

static bool
days_read(const json_t *value, uint8_t *out)
{
    static const char *const names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
    uint8_t days = 0;

    for (size_t i = 0; i < json_array_size(value); i++) {
        struct slice text = json_text(json_array_get(value, i));
        size_t day = 0;

        while (day < 7 && !slice_is(text, names[day]))
            day++;
        if (day == 7)
            return false;
        days |= (uint8_t)(1u << day);
    }
    *out = days;
    return days != 0;
}

/* "UTC", "+01:00", "-03:30". */
static bool
zone_read(struct slice text, int16_t *out)
{
    unsigned hour, minute;

    if (slice_is(text, "UTC")) {
        *out = 0;
        return true;
    }
    if (text.size != 6 || (text.at[0] != '+' && text.at[0] != '-') || text.at[3] != ':' ||
        !two_digits(text, 1, 14, &hour) || !two_digits(text, 4, 59, &minute))
        return false;
    *out = (int16_t)(hour * 60 + minute);
    if (text.at[0] == '-')
        *out = (int16_t) - *out;
    return true;
}

/* A moment; a date alone is its first moment in the zone. */
static bool
until_read(struct slice text, int16_t zone, int64_t *out)
{
    if (time_parse(text, out) != STATUS_OK)
        return false;
    if (text.size == strlen("2026-12-31"))
        *out -= zone * MS_MINUTE;
    return true;
}

/* Sets out when the member is there and is good; false when it is there and bad. */
#define TIME_MEMBER(name, read) (json_object_get(value, name) == NULL || (read))

static enum status
read_time(struct reading *in, const json_t *value)
{
    static const char *const known[] = { "hours", "days", "until", "zone", NULL };
    struct condition *out = in->out;
    const char *wrong = NULL;
    enum status status;
    char pointer[FAULT_POINTER_MAX];

    if (!json_is_object(value) || json_object_size(value) == 0)
        return fault_at(in->fault, STATUS_INVALID, in->pointer,
                        "time has hours, days, until or zone");
    status = json_only(value, known, in->fault);
    if (status != STATUS_OK) {
        if (in->fault != NULL) {
            char tail[FAULT_POINTER_MAX];

            memcpy(tail, in->fault->pointer, sizeof(tail));
            snprintf(in->fault->pointer, sizeof(in->fault->pointer), "%.100s%.90s", in->pointer,
                     tail);
        }
        return status;
    }
    out->has_time = true;
    out->from = 0;
    out->to = MINUTES_A_DAY;
    out->days = ALL_DAYS;
    if (!TIME_MEMBER("zone", zone_read(json_text(json_object_get(value, "zone")), &out->zone)))
        wrong = "zone is \"UTC\" or an offset such as \"+01:00\"";
    else if (!TIME_MEMBER("hours", hours_read(json_text(json_object_get(value, "hours")), out)))
        wrong = "hours are two different times of the day, such as \"08:00-18:00\"";
    else if (!TIME_MEMBER("days", days_read(json_object_get(value, "days"), &out->days)))
        wrong = "days are a list of mon, tue, wed, thu, fri, sat, sun";
    else if (!TIME_MEMBER("until", until_read(json_text(json_object_get(value, "until")), out->zone,
                                              &out->until)))
        wrong = "until is a date or a time, such as \"2026-12-31\" or \"2026-12-31T18:00:00Z\"";
    if (wrong == NULL)
        return STATUS_OK;
    snprintf(pointer, sizeof(pointer), "%s/%.*s", in->pointer, (int)strcspn(wrong, " "), wrong);
    return fault_at(in->fault, STATUS_INVALID, pointer, "%s", wrong);
}

static enum status
read_proof(struct reading *in, const json_t *value)
{
    /* On a deny it would turn upside down: to prove would be punished. */
    if (in->deny)
        return fault_at(in->fault, STATUS_INVALID, in->pointer,
                        "proof narrows what is allowed: it can't stand in a deny");
    if (!slice_is(json_text(value), "required"))
        return fault_at(in->fault, STATUS_INVALID, in->pointer, "proof can only be \"required\"");
    in->out->proof = true;
    return STATUS_OK;
}

static enum status
read_max_rate(struct reading *in, const json_t *value)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = { { "s", MS_SECOND }, { "m", MS_MINUTE }, { "h", MS_HOUR }, { "d", MS_DAY } };
    struct slice text = json_text(value);
    size_t slash = slice_find(text, '/');
    uint64_t most;

    if (in->deny)
        return fault_at(in->fault, STATUS_INVALID, in->pointer,
                        "max_rate narrows what is allowed: it can't stand in a deny");
    if (slice_u64(slice_first(text, slash), &most) && most > 0 && most <= RATE_MOST_MAX) {
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
            if (!slice_is(slice_from(text, slash + 1), units[i].unit))
                continue;
            in->out->most = (uint32_t)most;
            in->out->period_ms = (uint32_t)units[i].ms;
            return STATUS_OK;
        }
    }
    return fault_at(in->fault, STATUS_INVALID, in->pointer,
                    "max_rate is a number for each s, m, h or d, such as \"10/s\"");
}

static enum status
refuse_in_deny(struct reading *in, const char *name)
{
    return fault_at(in->fault, STATUS_INVALID, in->pointer,
                    "%s narrows what is allowed: it can't stand in a deny", name);
}

static enum status
read_where(struct reading *in, const json_t *value)
{
    if (in->deny)
        return refuse_in_deny(in, "where");
    if (!slice_is(json_text(value), "required"))
        return fault_at(in->fault, STATUS_INVALID, in->pointer, "where can only be \"required\"");
    in->out->where = true;
    return STATUS_OK;
}

static enum status
read_max_rows(struct reading *in, const json_t *value)
{
    if (in->deny)
        return refuse_in_deny(in, "max_rows");
    if (!json_is_integer(value) || json_integer_value(value) < 1)
        return fault_at(in->fault, STATUS_INVALID, in->pointer,
                        "max_rows is a number of rows, 1 or more");
    in->out->limits.max_rows = (uint64_t)json_integer_value(value);
    return STATUS_OK;
}

static enum status
read_read_only(struct reading *in, const json_t *value)
{
    if (in->deny)
        return refuse_in_deny(in, "read_only");
    if (!json_is_true(value))
        return fault_at(in->fault, STATUS_INVALID, in->pointer, "read_only can only be true");
    in->out->limits.read_only = true;
    return STATUS_OK;
}

static enum status
read_statement_timeout(struct reading *in, const json_t *value)
{
    int64_t ms = 0;

    if (in->deny)
        return refuse_in_deny(in, "statement_timeout");
    if (duration_parse(json_text(value), &ms) != STATUS_OK || ms <= 0 || ms > MS_DAY)
        return fault_at(in->fault, STATUS_INVALID, in->pointer,
                        "statement_timeout is a duration up to 1d, such as \"5s\"");
    in->out->limits.statement_timeout_ms = ms;
    return STATUS_OK;
}

static enum status
read_approval(struct reading *in, const json_t *value)
{
    if (in->deny)
        return refuse_in_deny(in, "approval");
    return approval_read(value, in->pointer, &in->out->approval, in->fault);
}

static enum status
read_max_concurrent(struct reading *in, const json_t *value)
{
    if (in->deny)
        return refuse_in_deny(in, "max_concurrent");
    return max_concurrent_read(value, in->pointer, &in->out->budget, in->fault);
}

static enum status
read_max_bytes(struct reading *in, const json_t *value)
{
    if (in->deny)
        return refuse_in_deny(in, "max_bytes");
    return max_bytes_read(value, in->pointer, &in->out->budget, in->fault);
}

/* Conditions that only one kind of door can ask are rows here too. */
static const struct {
    const char *name;
    enum status (*read)(struct reading *in, const json_t *value);
} conditions[] = {
    { "network", read_network },     { "time", read_time },
    { "proof", read_proof },         { "max_rate", read_max_rate },
    { "where", read_where },         { "max_rows", read_max_rows },
    { "read_only", read_read_only }, { "statement_timeout", read_statement_timeout },
    { "approval", read_approval },   { "max_concurrent", read_max_concurrent },
    { "max_bytes", read_max_bytes },
};
enum { CONDITION_COUNT = sizeof(conditions) / sizeof(conditions[0]) };

static enum status
refuse_unknown(const char *name, const char *pointer, struct fault *fault)
{
    struct nearest nearest = nearest_to(slice_text(name));

    for (size_t i = 0; i < CONDITION_COUNT; i++)
        nearest_see(&nearest, slice_text(conditions[i].name));
    if (nearest_found(&nearest))
        return fault_at(fault, STATUS_INVALID, pointer,
                        "there is no condition \"%.64s\": did you mean \"%.*s\"?", name,
                        SLICE_PRINT(nearest.best));
    return fault_at(fault, STATUS_INVALID, pointer,
                    "there is no condition \"%.64s\": they are network, time, proof, max_rate, "
                    "max_concurrent, max_bytes, approval, where, max_rows, read_only, "
                    "statement_timeout; of containers image, command, "
                    "mounts, capabilities, network, user, devices, security_opt, options, "
                    "privileged, pid, ipc, uts, userns, cgroupns; of tools arguments",
                    name);
}

static enum status
read_member(const char *name, const json_t *value, struct reading *in)
{
    for (size_t i = 0; i < CONDITION_COUNT; i++) {
        if (strcmp(name, conditions[i].name) == 0)
            return conditions[i].read(in, value);
    }
    const struct fact_member *member = fact_member_find(slice_text(name));
    if (member == NULL)
        return refuse_unknown(name, in->pointer, in->fault);
    if (in->deny && !fact_member_in_deny(member))
        return refuse_in_deny(in, name);
    return fact_rules_read(&in->out->facts, member, value, in->pointer, in->fault);
}

/* However its members are ordered. */
static enum status
hash_text(const json_t *json, uint64_t *out)
{
    struct buffer text = { 0 };
    enum status status;

    put_json_sorted(&text, json);
    *out = slice_hash(buffer_slice(&text));
    status = buffer_status(&text);
    buffer_free(&text);
    return status;
}

enum status
condition_read(const json_t *json, const char *pointer, bool deny, struct condition **out,
               struct fault *fault)
{
    struct reading in = { .deny = deny, .fault = fault };
    enum status status = STATUS_OK;
    void *at;

    if (!json_is_object(json) || json_object_size(json) == 0)
        return fault_at(fault, STATUS_INVALID, pointer,
                        "when is an object of conditions, such as {\"proof\": \"required\"}");
    in.out = calloc(1, sizeof(*in.out));
    if (in.out == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    in.out->until = TIME_NEVER;
    in.out->deny = deny;
    /* jansson's iterator wants a mutable object and changes nothing. */
    for (at = json_object_iter((json_t *)(uintptr_t)json); at != NULL && status == STATUS_OK;
         at = json_object_iter_next((json_t *)(uintptr_t)json, at)) {
        char below[FAULT_POINTER_MAX];

        snprintf(below, sizeof(below), "%.100s/%.64s", pointer, json_object_iter_key(at));
        in.pointer = below;
        status = read_member(json_object_iter_key(at), json_object_iter_value(at), &in);
    }
    if (status == STATUS_OK && hash_text(json, &in.out->text) != STATUS_OK)
        status = fault_set(fault, STATUS_MEMORY, "out of memory");
    if (status != STATUS_OK) {
        condition_free(in.out);
        return status;
    }
    *out = in.out;
    return STATUS_OK;
}

void
condition_free(struct condition *condition)
{
    if (condition == NULL)
        return;
    free(condition->networks);
    fact_rules_free(&condition->facts);
    approval_free(&condition->approval);
    free(condition);
}

static bool
network_holds(const struct condition *condition, const struct ip *peer)
{
    for (size_t i = 0; i < condition->network_count; i++) {
        if (cidr_contains(&condition->networks[i], peer))
            return true;
    }
    return condition->network_count == 0;
}

static int64_t
floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool
time_holds(const struct condition *condition, int64_t now)
{
    int64_t local, day;
    int minute;

    if (!condition->has_time)
        return true;
    if (now >= condition->until)
        return false;
    local = floor_divide(now, MS_MINUTE) + condition->zone;
    day = floor_divide(local, MINUTES_A_DAY);
    minute = (int)(local - day * MINUTES_A_DAY);
    if (condition->from < condition->to) {
        if (minute < condition->from || minute >= condition->to)
            return false;
    } else if (minute < condition->to) {
        day--; /* the hours after midnight belong to the day on which they began */
    } else if (minute < condition->from) {
        return false;
    }
    /* 1970-01-01 was a Thursday, which is day 3 of the week. */
    day = (day + 3) % 7;
    return condition->days >> (day < 0 ? day + 7 : day) & 1;
}

enum condition_answer
condition_ask(const struct condition *condition, const struct request *request, int64_t now,
              const char **failed)
{
    *failed = "network";
    if (condition->network_count > 0 && request->peer.family == IP_NONE)
        return CONDITION_UNKNOWN;
    if (!network_holds(condition, &request->peer))
        return CONDITION_FAILS;
    *failed = "time";
    if (!time_holds(condition, now))
        return CONDITION_FAILS;
    *failed = "where";
    if (condition->where && !request->where &&
        (slice_is(request->action, "update") || slice_is(request->action, "delete")))
        return CONDITION_FAILS;
    if (condition->deny) {
        if (condition->facts.count > 0 && !request->facts_known)
            return CONDITION_UNKNOWN;
        return facts_apply(&condition->facts, request) ? CONDITION_HOLDS : CONDITION_FAILS;
    }
    if (!facts_hold(&condition->facts, request, failed))
        return CONDITION_FAILS;
    *failed = "proof";
    if (condition->proof && request->proof == PROOF_NONE)
        return CONDITION_PROOF;
    return approval_holds(&condition->approval, request) ? CONDITION_HOLDS : CONDITION_APPROVAL;
}
