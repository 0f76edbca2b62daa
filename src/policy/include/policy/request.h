/* policy/request.h - what is asked: the triple that every protocol is reduced
 * to, and the attributes that conditions look at. */
#ifndef WRIT_POLICY_REQUEST_H
#define WRIT_POLICY_REQUEST_H

#include "base/address.h"
#include "base/slice.h"
#include "policy/facts.h"

/* What separates an object's segments; the upstream's door decides. */
enum object_syntax {
    OBJECT_PATH, /* '/': HTTP paths, kubernetes, images, URIs */
    OBJECT_SQL,  /* '.' */
    OBJECT_FLAT, /* none: redis keys, tool names, authority objects */
};

/* How possession of the token's key was proven on this request. */
enum proof_kind { PROOF_NONE, PROOF_DPOP, PROOF_CERTIFICATE };

/* Longer parts are refused before they are matched. */
enum { REQUEST_NAME_MAX = 63, REQUEST_ACTION_MAX = 64, REQUEST_OBJECT_MAX = 8192 };

/* All slices are borrowed. The object is in canonical form: bytes outside the
 * plain set are %XX in capitals (put_object), "-" when there is none; a request
 * that is not in this form is refused. */
struct request {
    struct slice resource, action, object;
    struct slice columns; /* SQL: "id,name", all that it touches; empty: all or unknown */
    enum object_syntax syntax;
    bool listing; /* the action lists: any right with that action allows it */
    bool where;   /* SQL: the statement says which rows it changes */
    struct ip peer;
    enum proof_kind proof;
    /* What its body says; facts_known: the door has read all that conditions may ask of it. */
    const struct fact *facts;
    size_t fact_count;
    bool facts_known;
    /* The `by` of each approval that it was given (decide.h). */
    const struct slice *approved;
    size_t approved_count;
};

#endif
