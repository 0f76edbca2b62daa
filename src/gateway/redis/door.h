/* gateway/redis/door.h - the Redis door: clients in, sessions through the gate. */
#ifndef WRIT_GATEWAY_REDIS_DOOR_H
#define WRIT_GATEWAY_REDIS_DOOR_H

#include "../doors.h"

extern const struct door redis_door;

#endif
