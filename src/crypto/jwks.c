/* crypto/jwks.c - sets of keys (RFC 7517 §5), and the one that a header names. */
#include <stdlib.h>

#include "crypto/jws.h"
#include "key_inside.h"

enum { KID_MAX = 256 };

struct jwks_entry {
    struct public_key *key;
    char *kid; /* NULL: it has none */
};

struct jwks {
    struct jwks_entry entries[JWKS_KEYS_MAX];
    size_t count;
};

void
jwks_free(struct jwks *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++) {
        public_key_free(set->entries[i].key);
        free(set->entries[i].kid);
    }
    free(set);
}

/* Such a set was not meant for us: whoever wrote it has given a secret away. */
static bool
holds_secret(const json_t *jwk)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));

    return jwk_secret(jwk) != NULL || (kty != NULL && strcmp(kty, "oct") == 0);
}

static const struct jwks_entry *
entry_of(const struct jwks *set, struct slice kid)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->entries[i].kid != NULL && slice_is(kid, set->entries[i].kid))
            return &set->entries[i];
    }
    return NULL;
}

static enum status
add(struct jwks *set, const json_t *jwk, struct fault *fault)
{
    const char *kid = json_string_value(json_object_get(jwk, "kid"));
    struct jwks_entry *entry = &set->entries[set->count];
    struct fault ignored;
    enum status status;

    if (!json_is_object(jwk))
        return fault_set(fault, STATUS_INVALID, "a member of the key set is no object");
    if (holds_secret(jwk))
        return fault_set(fault, STATUS_INVALID,
                         "the key set holds a private or symmetric key: publish public ones alone");
    if (kid != NULL && (strlen(kid) > KID_MAX || entry_of(set, slice_text(kid)) != NULL))
        return fault_set(fault, STATUS_INVALID, "a kid stands twice in the key set or is too long");
    status = public_key_from_jwk(jwk, &entry->key, &ignored);
    if (status == STATUS_INVALID)
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    entry->kid = kid == NULL ? NULL : strdup(kid);
    set->count++;
    return kid == NULL || entry->kid != NULL ? STATUS_OK : STATUS_MEMORY;
}

enum status
jwks_read(const json_t *set, struct jwks **out, struct fault *fault)
{
    const json_t *keys = json_object_get(set, "keys"), *jwk;
    struct jwks *made;
    enum status status = STATUS_OK;
    size_t i;

    if (!json_is_array(keys))
        return fault_set(fault, STATUS_INVALID, "a key set is an object with the list \"keys\"");
    if (json_array_size(keys) > JWKS_KEYS_MAX)
        return fault_set(fault, STATUS_INVALID, "a key set has at most %d keys", JWKS_KEYS_MAX);
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return STATUS_MEMORY;
    json_array_foreach(keys, i, jwk)
    {
        if (status == STATUS_OK)
            status = add(made, jwk, fault);
    }
    if (status == STATUS_OK)
        *out = made;
    else
        jwks_free(made);
    return status;
}

size_t
jwks_count(const struct jwks *set)
{
    return set->count;
}

const struct public_key *
jwks_at(const struct jwks *set, size_t i)
{
    return set->entries[i].key;
}

const struct public_key *
jwks_find(const struct jwks *set, struct slice kid, enum sign_alg alg)
{
    const struct public_key *only = NULL;

    if (kid.size > 0) {
        const struct jwks_entry *entry = entry_of(set, kid);

        return entry != NULL && public_key_takes(entry->key, alg) ? entry->key : NULL;
    }
    for (size_t i = 0; i < set->count; i++) {
        if (!public_key_takes(set->entries[i].key, alg))
            continue;
        if (only != NULL)
            return NULL;
        only = set->entries[i].key;
    }
    return only;
}
