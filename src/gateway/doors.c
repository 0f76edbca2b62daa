/* gateway/doors.c - the table of doors. A new protocol is one row here. */
#include "doors.h"

#include "http/door.h"
#include "postgres/door.h"
#include "redis/door.h"

const struct door *const doors[] = {
    &http_door,
    &postgres_door,
    &redis_door,
};
const size_t door_count = sizeof(doors) / sizeof(doors[0]);
