/* gateway/refusal.c - what the kinds of refusals are called. */
#include "refusal.h"

static const struct {
    unsigned status;
    const char *name, *title;
} kinds[] = {
#define GATE_REFUSAL_ROW(code, status, name, title) { status, name, title },
    REFUSAL_KIND_MAP(GATE_REFUSAL_ROW)
#undef GATE_REFUSAL_ROW
};

unsigned
refusal_status(enum gate_refusal kind)
{
    return kinds[kind].status;
}

const char *
refusal_name(enum gate_refusal kind)
{
    return kinds[kind].name;
}

const char *
refusal_title(enum gate_refusal kind)
{
    return kinds[kind].title;
}
