/* authority/jwt_keys.c - the ES256 keys that sign JWT access tokens (RFC 9068): sealed in
 * the store, the public halves told in the JWKS for as long as a token of theirs may live. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/encoding.h"
#include "base/log.h"
#include "crypto/private_key.h"

enum { SEALED_MAX = 1024, NAME_SIZE = 4 + JWT_KID_SIZE + 1 };
#define RETIRED "retired/"
/* What was signed while limits.max_ttl was longer is not forgotten at once. */
#define SIGNED_LIFE_MIN (7 * MS_DAY)

static const char *
name_of(const struct jwt_key *key, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "jwt/%s", key->kid);
    return out;
}

/* The thumbprint is the name (RFC 7638): the same key has the same everywhere. */
static void
set_kid(struct jwt_key *key)
{
    struct buffer text = { 0 };

    put_base64url(&text, public_key_thumbprint(private_key_public(key->pair)), THUMBPRINT_SIZE);
    snprintf(key->kid, sizeof key->kid, "%.*s", SLICE_PRINT(buffer_slice(&text)));
    buffer_free(&text);
}

/* "active", or "retired/UNTIL" in wall ms. */
static bool
take_until(struct slice owner, int64_t *until)
{
    uint64_t number;

    *until = TIME_NEVER;
    if (slice_is(owner, "active"))
        return true;
    if (!slice_starts(owner, SLICE_LITERAL(RETIRED)) ||
        !slice_u64(slice_from(owner, sizeof RETIRED - 1), &number) || number > INT64_MAX)
        return false;
    *until = (int64_t)number;
    return true;
}

bool
jwt_key_name(struct slice name)
{
    return slice_starts(name, SLICE_LITERAL("jwt/"));
}

enum status
jwt_keys_take(struct keys *keys, const struct change *put, struct slice plain)
{
    struct jwt_key key = { 0 };
    enum status status;

    if (keys->jwt_count == JWT_KEYS_MAX || !take_until(put->owner, &key.until))
        return STATUS_CORRUPT;
    status = private_key_decode(plain, &key.pair);
    if (status != STATUS_OK)
        return status;
    set_kid(&key);
    keys->jwt[keys->jwt_count++] = key;
    return STATUS_OK;
}

/* The change that stores it; sealed and owner hold what it points at. */
static enum status
put_change(const struct keys *keys, const struct jwt_key *key, struct buffer *sealed,
           struct slice owner, struct change *out)
{
    struct buffer plain = BUFFER_LIMITED(SEALED_MAX);
    enum status status = private_key_encode(key->pair, &plain);

    if (status == STATUS_OK)
        status = keys_seal(keys, out->name, buffer_slice(&plain), sealed, out);
    out->owner = owner;
    buffer_wipe_free(&plain);
    return status;
}

static struct jwt_key *
active(struct keys *keys)
{
    for (size_t i = keys->jwt_count; i > 0; i--) {
        if (keys->jwt[i - 1].until == TIME_NEVER)
            return &keys->jwt[i - 1];
    }
    return NULL;
}

const struct jwt_key *
jwt_key_active(struct keys *keys)
{
    return active(keys);
}

/* No token that the key signed until now lives longer. */
static int64_t
retired_until(const struct authority *authority, int64_t now)
{
    int64_t life = authority->options.settings.max_ttl_ms;

    return now + (life > SIGNED_LIFE_MIN ? life : SIGNED_LIFE_MIN);
}

enum status
jwt_keys_room(struct authority *authority, struct fault *fault)
{
    jwt_keys_tidy(authority, clock_wall_ms());
    if (authority->keys.jwt_count < JWT_KEYS_MAX)
        return STATUS_OK;
    return fault_set(fault, STATUS_LIMIT,
                     "%d keys still have JWTs that may live: rotate again later", JWT_KEYS_MAX);
}

static enum status
rotate_once(struct authority *authority, struct fault *fault)
{
    struct keys *keys = &authority->keys;
    int64_t until = retired_until(authority, clock_wall_ms());
    struct jwt_key *old, fresh = { .until = TIME_NEVER };
    struct buffer sealed[2] = { { 0 }, { 0 } };
    char names[2][NAME_SIZE], owner[32];
    struct change changes[2];
    enum status status = jwt_keys_room(authority, fault);

    if (status != STATUS_OK)
        return status;
    old = active(keys);
    status = private_key_generate(ALG_ES256, &fresh.pair);
    if (status != STATUS_OK)
        return status;
    set_kid(&fresh);
    changes[0].name = slice_text(name_of(&fresh, names[0]));
    status = put_change(keys, &fresh, &sealed[0], SLICE_LITERAL("active"), &changes[0]);
    if (status == STATUS_OK && old != NULL) {
        snprintf(owner, sizeof owner, RETIRED "%lld", (long long)until);
        changes[1].name = slice_text(name_of(old, names[1]));
        status = put_change(keys, old, &sealed[1], slice_text(owner), &changes[1]);
    }
    if (status == STATUS_OK)
        status = authority_commit_once(authority, changes, old == NULL ? 1 : 2, NULL, fault);
    buffer_free(&sealed[0]);
    buffer_free(&sealed[1]);
    if (status != STATUS_OK) {
        private_key_free(fresh.pair);
        return status;
    }
    if (old != NULL)
        old->until = until;
    keys->jwt[keys->jwt_count++] = fresh;
    return keys_publish(authority);
}

enum status
jwt_keys_rotate(struct authority *authority, struct fault *fault)
{
    enum status status = rotate_once(authority, fault);

    while (status == STATUS_BEHIND) {
        status = fleet_follow(authority, fault);
        if (status == STATUS_OK)
            status = rotate_once(authority, fault);
    }
    return status;
}

void
jwt_keys_forget(struct keys *keys, struct slice name)
{
    char own[NAME_SIZE];

    for (size_t i = 0; i < keys->jwt_count; i++) {
        if (!slice_is(name, name_of(&keys->jwt[i], own)))
            continue;
        private_key_free(keys->jwt[i].pair);
        memmove(&keys->jwt[i], &keys->jwt[i + 1], (keys->jwt_count - i - 1) * sizeof keys->jwt[0]);
        keys->jwt[--keys->jwt_count] = (struct jwt_key){ 0 };
        return;
    }
}

static bool
drop(struct authority *authority, size_t i)
{
    struct keys *keys = &authority->keys;
    char name[NAME_SIZE];
    struct change change = { .kind = CHANGE_KEY_DROPPED,
                             .at = clock_wall_ms(),
                             .name = slice_text(name_of(&keys->jwt[i], name)) };

    if (authority_commit_once(authority, &change, 1, NULL, NULL) != STATUS_OK)
        return false;
    jwt_keys_forget(keys, change.name);
    log_write(LOG_INFO, "authority", "no JWT of a retired key lives any more: dropped", "key", name,
              NULL);
    return true;
}

void
jwt_keys_tidy(struct authority *authority, int64_t now)
{
    struct keys *keys = &authority->keys;
    bool changed = false;

    for (size_t i = keys->jwt_count; i > 0; i--) {
        if (keys->jwt[i - 1].until <= now)
            changed = drop(authority, i - 1) || changed;
    }
    if (changed && keys_publish(authority) != STATUS_OK)
        log_write(LOG_WARN, "authority", "a dropped key is still in the ring", NULL);
}

void
jwt_keys_close(struct keys *keys)
{
    for (size_t i = 0; i < keys->jwt_count; i++)
        private_key_free(keys->jwt[i].pair);
    keys->jwt_count = 0;
}
