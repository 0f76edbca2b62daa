/* gateway/upstream_stdio.c - the definition of a server of standard input and output that is
 * started here. */
#include "base/clock.h"
#include "upstream_inside.h"

enum { WORDS_MAX = 64, NAME_MAX_SIZE = 32, TEXT_MAX = 4096 };

static enum status
check_command(const json_t *command, struct fault *fault)
{
    const json_t *word;
    size_t i;

    if (!json_is_array(command) || json_array_size(command) == 0 ||
        json_array_size(command) > WORDS_MAX)
        return fault_at(fault, STATUS_INVALID, "/stdio/command",
                        "must be a list of 1 to %d words: the program and its arguments",
                        WORDS_MAX);
    json_array_foreach(command, i, word)
    {
        if (!json_is_string(word) || json_string_length(word) > TEXT_MAX ||
            (i == 0 && json_string_length(word) == 0))
            return fault_at(fault, STATUS_INVALID, "/stdio/command",
                            "word %zu must be a text of at most %d bytes", i + 1, TEXT_MAX);
    }
    return STATUS_OK;
}

static bool
name_fits(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.at[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';

        if (!letter && !(i > 0 && byte >= '0' && byte <= '9'))
            return false;
    }
    return name.size > 0;
}

static enum status
check_env(const json_t *env, struct fault *fault)
{
    const char *name;
    json_t *value;

    if (env == NULL)
        return STATUS_OK;
    if (!json_is_object(env) || json_object_size(env) > WORDS_MAX / 2)
        return fault_at(fault, STATUS_INVALID, "/stdio/env",
                        "must be an object of at most %d names and texts", WORDS_MAX / 2);
    json_object_foreach((json_t *)(uintptr_t)env, name, value)
    {
        if (!name_fits(slice_text(name)) || !json_is_string(value) ||
            json_string_length(value) > TEXT_MAX)
            return fault_at(fault, STATUS_INVALID, "/stdio/env",
                            "%.40s must be a name of letters, digits and _ with a text of at "
                            "most %d bytes",
                            name, TEXT_MAX);
    }
    return STATUS_OK;
}

/* Whole seconds: so it is handed on. */
static enum status
check_idle(struct slice idle, struct fault *fault)
{
    int64_t ms;

    if (idle.at == NULL)
        return STATUS_OK;
    if (duration_parse(idle, &ms) != STATUS_OK || ms < MS_SECOND || ms > 24 * MS_HOUR)
        return fault_at(fault, STATUS_INVALID, "/stdio/idle", "must be from 1s to 24h");
    return STATUS_OK;
}

enum status
plan_check_stdio(const json_t *stdio, struct fault *fault)
{
    static const char *const known[] = { "command", "user", "env", "env_file", "idle", NULL };
    struct slice user = { 0 }, file = { 0 }, idle = { 0 };
    enum status status;

    if (!json_is_object(stdio))
        return fault_at(fault, STATUS_INVALID, "/stdio", "must be {command, user, …}");
    status = json_only(stdio, known, fault);
    if (status == STATUS_OK)
        status = check_command(json_object_get(stdio, "command"), fault);
    if (status == STATUS_OK)
        status = json_take_string(stdio, "user", &user, fault);
    if (status == STATUS_OK && (user.size == 0 || user.size > NAME_MAX_SIZE))
        status = fault_at(fault, STATUS_INVALID, "/stdio/user",
                          "is missing: a server runs as a user of its own");
    if (status == STATUS_OK)
        status = check_env(json_object_get(stdio, "env"), fault);
    if (status == STATUS_OK)
        status = json_take_string(stdio, "env_file", &file, fault);
    if (status == STATUS_OK)
        status = json_take_string(stdio, "idle", &idle, fault);
    return status == STATUS_OK ? check_idle(idle, fault) : status;
}
