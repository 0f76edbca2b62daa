/* base/nearest.h - "did you mean": the known name that is nearest to one that is not. */
#ifndef WRIT_BASE_NEAREST_H
#define WRIT_BASE_NEAREST_H

#include "base/slice.h"

/* The best of the candidates seen so far for a name that is not known. */
struct nearest {
    struct slice name, best;
    size_t distance;
};

struct nearest nearest_to(struct slice name);
void nearest_see(struct nearest *nearest, struct slice candidate);
/* False when nothing is near enough to be what was meant. */
bool nearest_found(const struct nearest *nearest);

#endif
