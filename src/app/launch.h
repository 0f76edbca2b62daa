/* app/launch.h - what the server asks of its launcher, and what that tells: one packet each. */
#ifndef WRIT_APP_LAUNCH_H
#define WRIT_APP_LAUNCH_H

#include "base/buffer.h"

enum {
    LAUNCH_PACKET_MAX = 65536,
    LAUNCH_NAME_MAX = 63,
    LAUNCH_WORDS_MAX = 64, /* of a command; and as many of an environment */
    LAUNCH_BRIDGES_MAX = 64,
};

enum launch_kind {
    LAUNCH_START = 1, /* with the listening socket beside it */
    LAUNCH_STOP,
    LAUNCH_ENDED, /* told: the bridge of this name, or it could not be begun */
};

/* Texts point into the packet; none holds a zero byte. */
struct launch {
    enum launch_kind kind;
    struct slice name;
    struct slice user;                    /* START: as whom */
    struct slice why;                     /* ENDED: how, for people */
    uint32_t idle_s;                      /* START */
    struct slice words[LAUNCH_WORDS_MAX]; /* START: the command */
    size_t word_count;
    struct slice env[LAUNCH_WORDS_MAX]; /* START: NAME=VALUE */
    size_t env_count;
};

/* A sticky error in out when it does not fit. */
void launch_put(struct buffer *out, const struct launch *launch);
/* False: it is no packet of these. */
bool launch_take(struct slice packet, struct launch *out);

#endif
