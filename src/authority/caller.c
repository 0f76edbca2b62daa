/* authority/caller.c - who calls: the operator at the local socket, by the kernel's
 * word, or the holder of a token. */
#include "internal.h"

#include <unistd.h>

#include "base/secret.h"

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

/* What an Authorization field shows (RFC 6750 §2.1, RFC 9449 §7.1): one field, the scheme
 * without regard to case. */
struct authorization {
    struct slice token;
    bool dpop;
};

static bool
authorization_read(const struct http_head *head, struct authorization *out, struct slice *refusal)
{
    struct slice value = http_head_value(head, HTTP_FIELD_AUTHORIZATION);
    struct slice scheme = slice_first(value, slice_find(value, ' '));

    if (value.at == NULL)
        return false;
    out->dpop = slice_equal_nocase(scheme, SLICE_LITERAL("DPoP"));
    out->token = slice_trim(slice_from(value, scheme.size));
    if (http_head_field_count(head, HTTP_FIELD_AUTHORIZATION) > 1)
        *refusal = SLICE_LITERAL("two Authorization headers came");
    else if (!out->dpop && !slice_equal_nocase(scheme, SLICE_LITERAL("Bearer")))
        *refusal = SLICE_LITERAL("the API takes Authorization: Bearer or DPoP");
    return refusal->size == 0;
}

static void
refuse(struct api_caller *caller, enum proof_fault fault, const char *why)
{
    caller->proof_fault = fault;
    caller->refusal = slice_text(why);
}

/* No bound token is worth anything as a bearer's, and no unbound one as DPoP. */
static bool
is_proven(struct authority *authority, struct api_request *request,
          const struct authorization *shown, const struct credential *credential)
{
    struct api_caller *caller = &request->caller;
    const struct binding *binding = &credential->binding;
    const char *why;
    enum proof_fault fault;

    if (binding->kind == BINDING_NONE) {
        if (shown->dpop)
            refuse(caller, PROOF_FINE, "the token is bound to no key: show it as Bearer");
        return !shown->dpop;
    }
    if (!shown->dpop) {
        if (prove_certificate(authority, request, binding)) {
            caller->proven = *binding;
            caller->proof = AUDIT_PROOF_CERTIFICATE;
            return true;
        }
        refuse(caller, PROOF_FINE,
               binding->kind == BINDING_JKT
                   ? "the token is bound to a key: show it as DPoP, with a proof"
                   : "the token is bound to a certificate, and it was not shown");
        return false;
    }
    fault = prove_dpop(authority, request, shown->token, caller, &why);
    if (fault != PROOF_FINE) {
        refuse(caller, fault, why);
        return false;
    }
    if (binding->kind != BINDING_JKT ||
        !secret_equal(binding->thumbprint, caller->proven.thumbprint, THUMBPRINT_SIZE)) {
        refuse(caller, PROOF_FINE, "the token is bound to another key than the proof's");
        return false;
    }
    return true;
}

void
caller_of_token(struct authority *authority, struct api_request *request)
{
    struct api_caller *caller = &request->caller;
    struct authorization shown = { 0 };
    struct credential *credential;
    enum credential_verdict verdict;

    if (!authorization_read(request->shown.head, &shown, &caller->refusal))
        return;
    credential = arena_zeroed(request->arena, sizeof *credential);
    if (credential == NULL)
        return;
    verdict = world_authenticate(authority->reader, shown.token, request->now, request->arena,
                                 credential);
    caller->token = credential->id_text;
    caller->label = credential->label;
    caller->chain = credential->chain;
    caller->subject = credential->subject;
    if (verdict != CREDENTIAL_OK) {
        caller->refusal = slice_text(credential_verdict_text(verdict));
        return;
    }
    if (!is_proven(authority, request, &shown, credential))
        return;
    if (!credential_reaches(credential, SLICE_LITERAL(AUDIENCE_API))) {
        caller->refusal = SLICE_LITERAL("the token is for another audience than this API");
        return;
    }
    caller->token_id = credential->id;
    caller->attenuated = credential->id_text.size > TOKEN_ID_TEXT;
    caller->subject_type = slice_text(subject_type_name(credential->subject_type));
    caller->credential = credential;
    caller->lineage = credential->lineage;
}

bool
caller_is_likely(struct authority *authority, const struct http_head *head, int64_t now,
                 struct arena *arena)
{
    struct authorization shown = { 0 };
    struct credential credential;
    struct slice refusal = { 0 };

    return authorization_read(head, &shown, &refusal) &&
           world_authenticate(authority->reader, shown.token, now, arena, &credential) ==
               CREDENTIAL_OK;
}
