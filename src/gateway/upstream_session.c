/* gateway/upstream_session.c - reads the definition of an upstream that is spoken to in
 * sessions, a connection for each: postgres, redis. */
#include "upstream_inside.h"

#include <stdlib.h>

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
    static const char *const known[] = { "type",     "address", "addresses", "tls",
                                         "timeouts", "login",   "database",  NULL };
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
    if (status != STATUS_OK)
        return status;
    if (plan->type == UPSTREAM_POSTGRES)
        return check_postgres(plan, fault);
    if (plan->database != NULL)
        return fault_at(fault, STATUS_INVALID, "/database", "belongs to postgres");
    return STATUS_OK;
}
