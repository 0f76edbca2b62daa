/* policy/facts.h - what a request says of itself beside the triple, read by its door from
 * its body, for conditions to look at: the image of a container, the arguments of a tool. */
#ifndef WRIT_POLICY_FACTS_H
#define WRIT_POLICY_FACTS_H

#include <stdbool.h>

#include "base/slice.h"

enum fact_kind { FACT_TEXT, FACT_NUMBER, FACT_TRUE, FACT_FALSE, FACT_NULL, FACT_OTHER };

struct fact {
    struct slice name; /* "image", "mount", "arguments.repo"; several may have the same */
    struct slice text; /* its value; a number's as it was written */
    enum fact_kind kind;
    /* Dangerous: a right whose condition does not speak of this name does not allow it. */
    bool guarded;
};

#endif
