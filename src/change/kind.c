/* change/kind.c - the kinds of changes: their names and their members. */
#include "fields.h"

const char *
change_kind_name(enum change_kind kind)
{
    static const char *const names[CHANGE_KINDS] = {
#define CHANGE_NAME(kind, name) [CHANGE_##kind] = name,
        CHANGE_MAP(CHANGE_NAME)
#undef CHANGE_NAME
    };

    return kind < CHANGE_KINDS ? names[kind] : "unknown";
}

unsigned
change_fields(enum change_kind kind)
{
    enum {
        OBJECT = FIELD_NAME | FIELD_BODY | FIELD_OWNER,
    };
    static const unsigned fields[CHANGE_KINDS] = {
        [CHANGE_TOKEN_ISSUED] = FIELD_TOKEN,
        [CHANGE_TOKEN_ROTATED] = FIELD_TOKEN | FIELD_EXPIRES,
        [CHANGE_LINE_REVOKED] = FIELD_ID,
        [CHANGE_HOP_REVOKED] = FIELD_ID | FIELD_HOP | FIELD_EXPIRES,
        [CHANGE_LINE_USED] = FIELD_ID | FIELD_USES,
        [CHANGE_TOKEN_FORGOTTEN] = FIELD_ID,
        [CHANGE_ROLE_PUT] = OBJECT,
        [CHANGE_ROLE_DROPPED] = FIELD_NAME,
        [CHANGE_SUBJECT_PUT] = OBJECT,
        [CHANGE_SUBJECT_DROPPED] = FIELD_NAME,
        [CHANGE_UPSTREAM_PUT] = OBJECT,
        [CHANGE_UPSTREAM_DROPPED] = FIELD_NAME,
        [CHANGE_KEY_PUT] = OBJECT,
        [CHANGE_KEY_DROPPED] = FIELD_NAME,
        [CHANGE_POLICY_APPLIED] = FIELD_NAME,
        [CHANGE_AUDIT_HEAD] = FIELD_NAME | FIELD_BODY,
        [CHANGE_ANSWER_KEPT] = FIELD_NAME | FIELD_ID,
        [CHANGE_ANSWER_FORGOTTEN] = FIELD_NAME,
        [CHANGE_MEMBER_ENDED] = FIELD_ID | FIELD_EXPIRES,
        [CHANGE_TOOL_APPROVED] = OBJECT,
        [CHANGE_TOOL_WITHDRAWN] = FIELD_NAME,
    };

    return fields[kind];
}
