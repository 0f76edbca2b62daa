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

/* Appends a pattern of channels as rights see it: each class is a ?, which matches what the
 * class does and more. Text of a right's pattern would otherwise hold within a class, where it
 * demands nothing. False: a class is open at its end, or there is a lone \; or out of memory. */
bool redis_pattern_widen(struct slice pattern, struct buffer *out);

/* Puts the values into the words of a command that was classified, but for those that may
 * be passwords. */
void redis_words_full(const struct slice *arguments, size_t count, struct arena *arena,
                      struct redis_ask *ask);

#endif
