/* gateway/redis/commands.c - looks a command up. */
#include "commands.h"

#include <stdlib.h>

enum { NAME_MAX_SIZE = 64 };

static int
by_name(const void *key, const void *entry)
{
    return strcmp(key, ((const struct redis_command *)entry)->name);
}

static bool
put_lower(char *out, size_t at, struct slice name)
{
    if (name.size == 0 || at + name.size >= NAME_MAX_SIZE)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.at[i];
        if (byte == '\0' || byte == '.')
            return false;
        out[at + i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    out[at + name.size] = '\0';
    return true;
}

static const struct redis_command *
look_up(const char *name)
{
    return bsearch(name, redis_commands, redis_command_count, sizeof(redis_commands[0]), by_name);
}

const struct redis_command *
redis_command_find(struct slice name)
{
    char lower[NAME_MAX_SIZE];

    return put_lower(lower, 0, name) ? look_up(lower) : NULL;
}

const struct redis_command *
redis_subcommand_find(const struct redis_command *container, struct slice name)
{
    char lower[NAME_MAX_SIZE];
    size_t size = strlen(container->name);

    memcpy(lower, container->name, size);
    lower[size] = '.';
    return put_lower(lower, size + 1, name) ? look_up(lower) : NULL;
}
