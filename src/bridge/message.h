/* bridge/message.h - what the bridge must know of a JSON-RPC message to pass it on: whom it
 * answers, or that it wants an answer. */
#ifndef WRIT_BRIDGE_MESSAGE_H
#define WRIT_BRIDGE_MESSAGE_H

#include "base/slice.h"

enum { BRIDGE_ID_MAX = 256 };

enum bridge_kind {
    BRIDGE_REQUEST,
    BRIDGE_NOTIFICATION,
    BRIDGE_RESPONSE,
};

/* Points into the text. */
struct bridge_message {
    enum bridge_kind kind;
    struct slice id; /* as it is spelled; of a notification empty */
    bool initialize; /* the request of that name */
    bool failed;     /* a response that is an error */
};

/* One message and nothing else, read strictly; a batch is none. *why is static. */
bool bridge_message_read(struct slice text, struct bridge_message *out, const char **why);

#endif
