/* gateway/redis/commands.h - the commands of Redis, as its COMMAND tells them: where their
 * keys are, and how the gateway treats them. Made of commands.txt. */
#ifndef WRIT_GATEWAY_REDIS_COMMANDS_H
#define WRIT_GATEWAY_REDIS_COMMANDS_H

#include "base/slice.h"

enum redis_keys {
    REDIS_KEYS_NONE,
    REDIS_KEYS_RANGE,         /* first, last (from the end if below 0), step */
    REDIS_KEYS_CHANNELS,      /* the same, of channels */
    REDIS_KEYS_DATABASE,      /* every argument is a database's number */
    REDIS_KEYS_COUNTED,       /* at first their number, then they */
    REDIS_KEYS_STORE_COUNTED, /* and the destination before it */
    REDIS_KEYS_STREAMS,       /* half of what follows STREAMS */
    REDIS_KEYS_SORT,          /* and STORE */
    REDIS_KEYS_GEO,           /* and STORE, STOREDIST */
    REDIS_KEYS_MIGRATE,       /* the third, or what follows KEYS */
    REDIS_KEYS_COPY,          /* two, and DB: a database */
    REDIS_KEYS_MOVE,          /* one, and a database */
    REDIS_KEYS_PATTERNS,      /* every argument is a pattern of channels */
};

enum redis_manner {
    REDIS_ASK,       /* needs a right for each key */
    REDIS_BLOCK,     /* the same, and may wait at the server as long as it likes */
    REDIS_TRACK,     /* the same, and lets the server talk of its own accord */
    REDIS_FREE,      /* touches nothing of anybody's */
    REDIS_NEVER,     /* would take the session out of the gateway's sight */
    REDIS_CONTAINER, /* what it does is its subcommand's */
    REDIS_AUTH,
    REDIS_HELLO,
    REDIS_SUBSCRIBE,
    REDIS_UNSUBSCRIBE,
    REDIS_MULTI,
    REDIS_EXEC,
    REDIS_DISCARD,
    REDIS_MONITOR,
};

struct redis_command {
    const char *name; /* "config.get" for a subcommand */
    int arity;        /* with its name; below 0: at least */
    int first, last, step;
    enum redis_keys keys;
    enum redis_manner manner;
};

extern const struct redis_command redis_commands[];
extern const size_t redis_command_count;

/* The name in any case. NULL: there is none. */
const struct redis_command *redis_command_find(struct slice name);
/* "config" and "GET". */
const struct redis_command *redis_subcommand_find(const struct redis_command *container,
                                                  struct slice name);

#endif
