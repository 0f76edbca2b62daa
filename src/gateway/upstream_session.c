/* gateway/upstream_session.c - reads the definition of an upstream that is spoken to in
 * sessions, a connection for each: postgres, redis. */
#include "upstream_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum {
    POOL_SIZE = 20,
    POOL_SIZE_MOST = 10000,
    POOL_QUEUE = 1000,
    POOL_QUEUE_MOST = 1000000,
    POOL_WAIT_MS = 30 * MS_SECOND,
};

static enum status
take_text(const json_t *object, const char *name, char **out, struct fault *fault)
{
    struct slice text = { 0 };
    enum status status = json_take_string(object, name, &text, fault);

    return status != STATUS_OK || text.size == 0 ? status : plan_keep(text, out);
}

static enum status
read_address(const json_t *definition, struct upstream_plan *plan, struct fault *fault)
{
    struct slice text = { 0 }, host;
    uint16_t port = 0;
    enum status status = json_take_string(definition, "address", &text, fault);

    if (status != STATUS_OK)
        return status;
    if (text.at == NULL)
        return fault_at(fault, STATUS_INVALID, "/address", "is missing: host:port, or /path");
    if (text.size > 0 && text.at[0] == '/') {
        char address[128] = "unix:";

        if (text.size < 2 || text.size > 107) /* sun_path */
            return fault_at(fault, STATUS_INVALID, "/address", "is no path of a socket");
        memcpy(address + 5, text.at, text.size);
        return plan_add_address(plan, slice_of(address, 5 + text.size));
    }
    if (!plan_split_host(text, &host, &port) || port == 0)
        return fault_at(fault, STATUS_INVALID, "/address", "must be \"host:port\" or \"/path\"");
    status = plan_keep(host, &plan->server_name);
    return status == STATUS_OK ? plan_add_address(plan, text) : status;
}

static enum status
read_login(const json_t *login, struct upstream_plan *plan, struct fault *fault)
{
    static const char *const known[] = { "user", "password_file", NULL };

    if (login == NULL || json_is_null(login))
        return STATUS_OK;
    if (!json_is_object(login))
        return fault_at(fault, STATUS_INVALID, "/login", "must be {user, password_file}");
    enum status status = json_only(login, known, fault);
    if (status == STATUS_OK)
        status = take_text(login, "user", &plan->user, fault);
    if (status == STATUS_OK)
        status = take_text(login, "password_file", &plan->password_file, fault);
    return status;
}

static enum status
read_tls(const json_t *tls, struct upstream_plan *plan, struct fault *fault)
{
    if (tls == NULL || json_is_null(tls))
        return STATUS_OK;
    plan->tls = true;
    return plan_read_tls(tls, plan, fault);
}

/* --- pool --------------------------------------------------------------------------- */

static enum status
take_count(const json_t *pool, const char *name, int most, unsigned *out, struct fault *fault)
{
    const json_t *value = json_object_get(pool, name);
    char pointer[32];

    if (value == NULL || json_is_null(value))
        return STATUS_OK;
    snprintf(pointer, sizeof(pointer), "/pool/%s", name);
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > most)
        return fault_at(fault, STATUS_INVALID, pointer, "must be a number from 1 to %d", most);
    *out = (unsigned)json_integer_value(value);
    return STATUS_OK;
}

static enum status
take_wait(const json_t *pool, int64_t *out, struct fault *fault)
{
    struct slice text = { 0 };
    enum status status = json_take_string(pool, "wait", &text, fault);

    if (status != STATUS_OK || text.at == NULL)
        return status;
    if (duration_parse(text, out) != STATUS_OK || *out <= 0)
        return fault_at(fault, STATUS_INVALID, "/pool/wait", "must be a duration such as \"30s\"");
    return STATUS_OK;
}

static enum status
take_reset(const json_t *pool, enum pool_reset *out, struct fault *fault)
{
    static const char *const names[] = { "writes", "calls", "always" };
    struct slice text = { 0 };
    enum status status = json_take_string(pool, "reset", &text, fault);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (status != STATUS_OK || text.at == NULL || slice_is(text, names[i])) {
            *out = text.at == NULL ? *out : (enum pool_reset)i;
            return status;
        }
    }
    return fault_at(fault, STATUS_INVALID, "/pool/reset", "must be writes, calls or always");
}

static enum status
read_pool(const json_t *pool, struct pool_plan *out, struct fault *fault)
{
    static const char *const known[] = { "mode", "size", "queue", "wait", "reset", NULL };
    struct pool_plan plan = { .size = POOL_SIZE, .queue = POOL_QUEUE, .wait_ms = POOL_WAIT_MS };
    struct slice mode = { 0 };

    if (pool == NULL || json_is_null(pool))
        return STATUS_OK;
    if (!json_is_object(pool))
        return fault_at(fault, STATUS_INVALID, "/pool", "must be {mode: transaction, size: N}");
    enum status status = json_only(pool, known, fault);
    if (status == STATUS_OK)
        status = json_take_string(pool, "mode", &mode, fault);
    if (status != STATUS_OK)
        return status;
    if (!slice_is(mode, "transaction") && !slice_is(mode, "session"))
        return fault_at(fault, STATUS_INVALID, "/pool/mode", "must be transaction or session");
    status = take_count(pool, "size", POOL_SIZE_MOST, &plan.size, fault);
    if (status == STATUS_OK)
        status = take_count(pool, "queue", POOL_QUEUE_MOST, &plan.queue, fault);
    if (status == STATUS_OK)
        status = take_wait(pool, &plan.wait_ms, fault);
    if (status == STATUS_OK)
        status = take_reset(pool, &plan.reset, fault);
    if (status == STATUS_OK && slice_is(mode, "transaction"))
        *out = plan;
    return status;
}

static enum status
read_record(const json_t *definition, enum record *out, struct fault *fault)
{
    struct slice text = { 0 };
    enum status status = json_take_string(definition, "record", &text, fault);

    if (status != STATUS_OK || text.at == NULL)
        return status;
    if (!slice_is(text, "shape") && !slice_is(text, "full"))
        return fault_at(fault, STATUS_INVALID, "/record", "must be shape or full");
    *out = slice_is(text, "full") ? RECORD_FULL : RECORD_SHAPE;
    return STATUS_OK;
}

static enum status
check_postgres(const struct upstream_plan *plan, struct fault *fault)
{
    if (plan->user == NULL)
        return fault_at(fault, STATUS_INVALID, "/login/user",
                        "is missing: the database role that the gateway logs in as");
    if (plan->database == NULL)
        return fault_at(fault, STATUS_INVALID, "/database", "is missing");
    return STATUS_OK;
}

enum status
plan_read_session(const json_t *definition, struct upstream_plan *plan, struct fault *fault)
{
    static const char *const known[] = { "type",  "address",  "addresses", "tls",    "timeouts",
                                         "login", "database", "pool",      "record", NULL };
    enum status status = json_only(definition, known, fault);

    if (status == STATUS_OK)
        status = read_address(definition, plan, fault);
    if (status == STATUS_OK)
        status = plan_read_addresses(json_object_get(definition, "addresses"), plan, fault);
    if (status == STATUS_OK)
        status = read_tls(json_object_get(definition, "tls"), plan, fault);
    if (status == STATUS_OK)
        status = plan_read_timeouts(json_object_get(definition, "timeouts"), plan, fault);
    if (status == STATUS_OK)
        status = read_login(json_object_get(definition, "login"), plan, fault);
    if (status == STATUS_OK)
        status = take_text(definition, "database", &plan->database, fault);
    if (status == STATUS_OK)
        status = read_pool(json_object_get(definition, "pool"), &plan->pool, fault);
    if (status == STATUS_OK)
        status = read_record(definition, &plan->record, fault);
    if (status != STATUS_OK)
        return status;
    if (plan->type == UPSTREAM_POSTGRES)
        return check_postgres(plan, fault);
    if (plan->database != NULL)
        return fault_at(fault, STATUS_INVALID, "/database", "belongs to postgres");
    if (json_object_get(definition, "pool") != NULL)
        return fault_at(fault, STATUS_INVALID, "/pool", "belongs to postgres");
    return STATUS_OK;
}
