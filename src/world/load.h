/* world/load.h - inside the room: what a world holds until it is loaded. */
#ifndef WRIT_WORLD_LOAD_H
#define WRIT_WORLD_LOAD_H

#include "change/change.h"
#include "inside.h"

enum status world_loading_new(struct world *world) WRIT_MUST_USE;
void world_loading_free(struct world *world);

#endif
