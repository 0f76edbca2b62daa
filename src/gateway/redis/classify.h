/* gateway/redis/classify.h - a command's triples: its name, and its keys or channels as Redis
 * itself finds them. Pure. */
#ifndef WRIT_GATEWAY_REDIS_CLASSIFY_H
#define WRIT_GATEWAY_REDIS_CLASSIFY_H

#include "../errand.h"
#include "commands.h"

enum { REDIS_KEYS_MAX = 4096, REDIS_STATEMENT_MAX = 512, REDIS_VALUE_MAX = 128 };

struct redis_ask {
    const struct redis_command *command; /* the subcommand where there is one; NULL: unknown */
    struct errand_ask errand;            /* its touches, and its words with values as ? */
    unsigned channels;                   /* SUBSCRIBE and its kin: how many */
};

/* arguments: the command's name first. False: it is refused, why says how; what is known of it
 * is in out. Memory from the arena; arguments are borrowed. */
bool redis_classify(const struct slice *arguments, size_t count, struct arena *arena,
                    struct redis_ask *out, struct slice *why);

/* Puts the values into the words of a command that was classified, but for those that may
 * be passwords. */
void redis_words_full(const struct slice *arguments, size_t count, struct arena *arena,
                      struct redis_ask *ask);

#endif
