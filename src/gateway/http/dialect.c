/* gateway/http/dialect.c - the table of dialects. */
#include "dialect.h"

static const struct dialect *const dialects[UPSTREAM_OTHER] = { 0 };

const struct dialect *
dialect_of(enum upstream_type type)
{
    return type < UPSTREAM_OTHER ? dialects[type] : NULL;
}
