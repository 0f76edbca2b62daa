/* change/fields.h - inside the room: which members of a change count for its kind. */
#ifndef WRIT_CHANGE_FIELDS_H
#define WRIT_CHANGE_FIELDS_H

#include "change/change.h"

/* Version 2 added a token's audience and purpose. */
enum { CHANGE_VERSION = 2 };

enum change_field {
    FIELD_TOKEN = 1 << 0,
    FIELD_ID = 1 << 1,
    FIELD_HOP = 1 << 2,
    FIELD_EXPIRES = 1 << 3,
    FIELD_USES = 1 << 4,
    FIELD_NAME = 1 << 5,
    FIELD_BODY = 1 << 6,
    FIELD_OWNER = 1 << 7,
};

/* Every kind has its time besides. The fields stand in the order above. */
unsigned change_fields(enum change_kind kind);

#endif
