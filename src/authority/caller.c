/* authority/caller.c - who calls: the operator at the local socket, by the kernel's
 * word, or the holder of a token. */
#include "internal.h"

#include <unistd.h>

#include "http/head.h"

void
caller_of_socket(struct authority *authority, unsigned uid, struct arena *arena,
                 struct api_caller *caller)
{
    struct lineage_link *link = arena_zeroed(arena, sizeof *link);
    name_id *role = arena_take(arena, sizeof *role);

    caller->local = true;
    if (uid != geteuid() && uid != 0) {
        caller->refusal =
            SLICE_LITERAL("the local socket is for root and the user that Writ runs as");
        return;
    }
    if (link == NULL || role == NULL ||
        builtin_operator(authority, uid, &caller->subject, arena) != STATUS_OK)
        return;
    *role = names_find(world_names(authority->world), SLICE_LITERAL(ADMIN_ROLE));
    *link = (struct lineage_link){ .subject =
                                       names_find(world_names(authority->world), caller->subject),
                                   .roles = role,
                                   .role_count = 1 };
    caller->subject_type = SLICE_LITERAL("user");
    caller->lineage = (struct lineage){ .links = link, .count = 1 };
}

/* RFC 6750 §2.1: one Authorization field, the scheme without regard to case. */
static struct slice
bearer(const struct http_head *head, struct slice *refusal)
{
    struct slice value = http_head_value(head, HTTP_FIELD_AUTHORIZATION);
    size_t blank = slice_find(value, ' ');

    if (value.at == NULL)
        return value;
    if (http_head_field_count(head, HTTP_FIELD_AUTHORIZATION) > 1) {
        *refusal = SLICE_LITERAL("two Authorization headers came");
        return (struct slice){ 0 };
    }
    if (!slice_equal_nocase(slice_first(value, blank), SLICE_LITERAL("Bearer"))) {
        *refusal = SLICE_LITERAL("the API takes Authorization: Bearer");
        return (struct slice){ 0 };
    }
    return slice_trim(slice_from(value, blank));
}

void
caller_of_text(struct authority *authority, struct slice text, int64_t now, struct arena *arena,
               struct api_caller *caller)
{
    struct credential *credential = arena_zeroed(arena, sizeof *credential);
    enum credential_verdict verdict;

    if (credential == NULL)
        return;
    verdict = world_authenticate(authority->reader, text, now, arena, credential);
    caller->token = credential->id_text;
    caller->subject = credential->subject;
    if (verdict != CREDENTIAL_OK) {
        caller->refusal = slice_text(credential_verdict_text(verdict));
        return;
    }
    if (credential->binding.kind != BINDING_NONE) {
        caller->refusal = SLICE_LITERAL("the token is bound to a key, and no proof of it came");
        return;
    }
    caller->token_id = credential->id;
    caller->attenuated = credential->id_text.size > TOKEN_ID_TEXT;
    caller->subject_type = slice_text(subject_type_name(credential->subject_type));
    caller->credential = credential;
    caller->lineage = credential->lineage;
}

void
caller_of_token(struct authority *authority, const struct http_head *head, int64_t now,
                struct arena *arena, struct api_caller *caller)
{
    struct slice text = bearer(head, &caller->refusal);

    if (text.at != NULL)
        caller_of_text(authority, text, now, arena, caller);
}
