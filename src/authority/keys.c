/* authority/keys.c - the ring under which tokens' MACs are made and the key that
 * signs the audit: sealed in the store, open in this process alone. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/log.h"
#include "crypto/private_key.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "crypto/sign.h"

#define SIGNER_NAME "sign/audit"
enum { PASSPHRASE_MAX = 1024, KEY_PLAIN_MAX = 1024 };

static enum status
read_passphrase(const char *path, struct buffer *out, struct fault *fault)
{
    FILE *file = fopen(path, "re");
    char *room = buffer_room(out, PASSPHRASE_MAX);
    size_t size;

    if (file == NULL || room == NULL) {
        if (file != NULL)
            fclose(file);
        return fault_set(fault, STATUS_IO, "keys.passphrase_file: cannot read %s", path);
    }
    setvbuf(file, NULL, _IONBF, 0); /* no copy of it in stdio's buffer */
    size = fread(room, 1, PASSPHRASE_MAX, file);
    fclose(file);
    while (size > 0 && (room[size - 1] == '\n' || room[size - 1] == '\r'))
        size--;
    buffer_added(out, size);
    return size >= 8 ? STATUS_OK
                     : fault_set(fault, STATUS_INVALID,
                                 "keys.passphrase_file: %s holds fewer than 8 characters", path);
}

/* A key made afresh beside an old store would open nothing, and hide that the right
 * one is missing. */
static enum seal_create
may_create(const struct authority *authority)
{
    return access(authority->store_path, F_OK) == 0 ? SEAL_MUST_EXIST : SEAL_CREATE;
}

/* The salt is public: it lies beside the store, so that it is there before the store opens. */
static enum status
sealing_from_passphrase(struct authority *authority, const char *path, struct fault *fault)
{
    struct buffer passphrase = BUFFER_LIMITED(PASSPHRASE_MAX);
    uint8_t salt[SCRYPT_SALT_SIZE];
    struct secret stretched;
    char *salt_path;
    enum status status;

    if (asprintf(&salt_path, "%s/salt", authority->options.data) < 0)
        return STATUS_MEMORY;
    /* A key file's form serves for the salt as well: 32 bytes as hex, of which half is used. */
    status = seal_key_from_file(salt_path, may_create(authority), &stretched, fault);
    free(salt_path);
    if (status == STATUS_OK)
        status = read_passphrase(path, &passphrase, fault);
    if (status == STATUS_OK) {
        memcpy(salt, stretched.bytes, sizeof salt);
        status =
            seal_key_from_passphrase(buffer_slice(&passphrase), salt, &authority->keys.sealing);
        if (status != STATUS_OK)
            (void)fault_set(fault, status, "keys.passphrase_file: the key can't be derived");
    }
    secret_wipe(&stretched, sizeof stretched);
    buffer_wipe_free(&passphrase);
    return status;
}

enum status
keys_open(struct authority *authority, struct fault *fault)
{
    enum status status = keyring_state_new(&authority->keys.state);
    char *path;

    if (status != STATUS_OK)
        return status;
    if (authority->options.passphrase_file != NULL)
        return sealing_from_passphrase(authority, authority->options.passphrase_file, fault);
    if (asprintf(&path, "%s/key", authority->options.data) < 0)
        return STATUS_MEMORY;
    status = seal_key_from_file(path, may_create(authority), &authority->keys.sealing, fault);
    free(path);
    return status;
}

/* --- from and to the store ------------------------------------------------- */

static bool
ring_name(struct slice name, uint8_t *kid)
{
    uint64_t number;

    if (!slice_starts(name, SLICE_LITERAL("mac/")) || !slice_u64(slice_from(name, 4), &number) ||
        number > UINT8_MAX)
        return false;
    *kid = (uint8_t)number;
    return true;
}

enum status
keys_take(struct authority *authority, const struct change *put, struct fault *fault)
{
    struct keys *keys = &authority->keys;
    struct buffer plain = BUFFER_LIMITED(KEY_PLAIN_MAX);
    enum status status = unseal(&keys->sealing, put->name, put->body, &plain);
    bool jwt = jwt_key_name(put->name);
    uint8_t kid;

    if (status != STATUS_OK || (!jwt && plain.size != SECRET_SIZE)) {
        buffer_wipe_free(&plain);
        return fault_set(fault, STATUS_DENIED,
                         "the key %.*s in the store does not open: data/key (or the passphrase and "
                         "data/salt) is "
                         "not the one that sealed it",
                         SLICE_PRINT(put->name));
    }
    if (jwt) {
        status = jwt_keys_take(keys, put, buffer_slice(&plain));
        if (status != STATUS_OK)
            (void)fault_set(fault, status, "the key %.*s in the store is damaged",
                            SLICE_PRINT(put->name));
    } else if (ring_name(put->name, &kid) && keys->ring_count < KEYRING_MAX) {
        struct ring_key *key = &keys->ring[keys->ring_count++];
        key->kid = kid;
        key->retired = slice_is(put->owner, "retired");
        memcpy(key->key.bytes, plain.bytes, SECRET_SIZE);
    } else if (slice_is(put->name, SIGNER_NAME)) {
        struct secret seed;
        memcpy(seed.bytes, plain.bytes, SECRET_SIZE);
        status = signer_new(&seed, &keys->signer);
        secret_wipe(&seed, sizeof seed);
    }
    buffer_wipe_free(&plain);
    return status;
}

static void
forget_key(struct keys *keys, size_t index)
{
    secret_wipe(&keys->ring[index], sizeof keys->ring[index]);
    memmove(&keys->ring[index], &keys->ring[index + 1],
            (keys->ring_count - index - 1) * sizeof keys->ring[0]);
    secret_wipe(&keys->ring[--keys->ring_count], sizeof keys->ring[0]);
}

static struct ring_key *
find_ring_key(struct keys *keys, uint8_t kid)
{
    for (size_t i = 0; i < keys->ring_count; i++) {
        if (keys->ring[i].kid == kid)
            return &keys->ring[i];
    }
    return NULL;
}

enum status
keys_follow(struct authority *authority, const struct change *change)
{
    struct keys *keys = &authority->keys;
    struct fault fault = { 0 };
    uint8_t kid;

    if (ring_name(change->name, &kid)) {
        struct ring_key *known = find_ring_key(keys, kid);

        if (change->kind == CHANGE_KEY_PUT && known != NULL) {
            known->retired = slice_is(change->owner, "retired");
            return STATUS_OK;
        }
        if (change->kind == CHANGE_KEY_DROPPED && known != NULL)
            forget_key(keys, (size_t)(known - keys->ring));
    } else if (jwt_key_name(change->name)) {
        jwt_keys_forget(keys, change->name); /* and taken anew */
    }
    if (change->kind != CHANGE_KEY_PUT ||
        (slice_is(change->name, SIGNER_NAME) && keys->signer != NULL))
        return STATUS_OK;
    enum status status = keys_take(authority, change, &fault);
    if (status != STATUS_OK)
        log_write(LOG_ERROR, "fleet", "a key of another node can't be used", "why", fault.text,
                  NULL);
    return status;
}

enum status
keys_seal(const struct keys *keys, struct slice name, struct slice plain, struct buffer *sealed,
          struct change *out)
{
    enum status status = seal(&keys->sealing, name, plain, sealed);

    *out = (struct change){ .kind = CHANGE_KEY_PUT,
                            .at = clock_wall_ms(),
                            .name = name,
                            .body = buffer_slice(sealed),
                            .owner = SLICE_LITERAL("active") };
    return status;
}

static enum status
seal_change(const struct keys *keys, struct slice name, const struct secret *key,
            struct buffer *sealed, struct change *out)
{
    return keys_seal(keys, name, slice_of(key->bytes, SECRET_SIZE), sealed, out);
}

enum status
keys_publish(struct authority *authority)
{
    struct keys *keys = &authority->keys;
    struct keyring *ring;
    enum status status = keyring_new(keys->ring, keys->ring_count, &ring);

    if (status != STATUS_OK)
        return status;
    status = keyring_set_issuer(ring, authority->options.issuer);
    for (size_t i = 0; status == STATUS_OK && i < keys->jwt_count; i++)
        status = keyring_add_signer(ring, slice_text(keys->jwt[i].kid),
                                    private_key_public(keys->jwt[i].pair));
    if (status != STATUS_OK)
        keyring_free(ring);

    if (status == STATUS_OK) {
        world_set_keyring(authority->world, ring);
        status = keyring_state_follow(keys->state, ring);
    }
    return status;
}

static struct ring_key *
newest_key(struct keys *keys)
{
    for (size_t i = keys->ring_count; i > 0; i--) {
        if (!keys->ring[i - 1].retired)
            return &keys->ring[i - 1];
    }
    return NULL;
}

static bool
free_kid(const struct keys *keys, uint8_t *kid)
{
    for (unsigned candidate = 1; candidate <= UINT8_MAX; candidate++) {
        bool taken = false;
        for (size_t i = 0; i < keys->ring_count; i++)
            taken = taken || keys->ring[i].kid == candidate;
        if (!taken) {
            *kid = (uint8_t)candidate;
            return true;
        }
    }
    return false;
}

static enum status
rotate_once(struct authority *authority, uint8_t *kid, struct fault *fault)
{
    struct keys *keys = &authority->keys;
    struct buffer sealed = { 0 }, old = { 0 };
    struct ring_key *retiring = newest_key(keys), fresh = { 0 };
    struct change changes[2];
    char name[16], old_name[16];
    size_t count = 1;
    enum status status;

    if (keys->ring_count == KEYRING_MAX || !free_kid(keys, &fresh.kid))
        return fault_set(fault, STATUS_LIMIT, "the ring is full: %d keys still have live tokens",
                         KEYRING_MAX);
    status = random_bytes(fresh.key.bytes, SECRET_SIZE);
    snprintf(name, sizeof name, "mac/%u", fresh.kid);
    if (status == STATUS_OK)
        status = seal_change(keys, slice_text(name), &fresh.key, &sealed, &changes[0]);
    if (status == STATUS_OK && retiring != NULL) {
        snprintf(old_name, sizeof old_name, "mac/%u", retiring->kid);
        status = seal_change(keys, slice_text(old_name), &retiring->key, &old, &changes[1]);
        changes[1].owner = SLICE_LITERAL("retired");
        count = 2;
    }
    if (status == STATUS_OK)
        status = authority_commit_once(authority, changes, count, NULL, fault);
    if (status == STATUS_OK) {
        if (retiring != NULL)
            retiring->retired = true;
        keys->ring[keys->ring_count++] = fresh;
        status = keys_publish(authority);
        *kid = fresh.kid;
    }
    secret_wipe(&fresh, sizeof fresh);
    buffer_free(&sealed);
    buffer_free(&old);
    return status;
}

/* What another node did meanwhile may be a rotation, too: each is made on top of the other. */
enum status
keys_rotate(struct authority *authority, uint8_t *kid, struct fault *fault)
{
    enum status status = rotate_once(authority, kid, fault);

    while (status == STATUS_BEHIND) {
        status = fleet_follow(authority, fault);
        if (status == STATUS_OK)
            status = rotate_once(authority, kid, fault);
    }
    return status;
}

static enum status
make_signer(struct authority *authority, struct fault *fault)
{
    struct buffer sealed = { 0 };
    struct secret seed;
    struct change change;
    enum status status = random_bytes(seed.bytes, SECRET_SIZE);

    if (status == STATUS_OK)
        status = seal_change(&authority->keys, SLICE_LITERAL(SIGNER_NAME), &seed, &sealed, &change);
    if (status == STATUS_OK)
        status = authority_commit_once(authority, &change, 1, NULL, fault);
    if (status == STATUS_OK)
        status = signer_new(&seed, &authority->keys.signer);
    secret_wipe(&seed, sizeof seed);
    buffer_free(&sealed);
    return status;
}

static bool
holds_text(const char *path, struct slice text)
{
    FILE *file = fopen(path, "re");
    char held[128];
    size_t size = file == NULL ? 0 : fread(held, 1, sizeof held, file);

    if (file != NULL)
        fclose(file);
    return slice_equal(slice_of(held, size), text);
}

/* The public half lies beside the audit, so that a copy can be verified elsewhere. */
static enum status
write_public_key(struct authority *authority, struct fault *fault)
{
    struct buffer text = { 0 };
    char *path;
    FILE *file;
    bool written;

    signer_public(authority->keys.signer, authority->keys.signer_public);
    put_hex(&text, authority->keys.signer_public, sizeof authority->keys.signer_public);
    put_text(&text, "\n");
    if (asprintf(&path, "%s/audit.pub", authority->options.data) < 0) {
        buffer_free(&text);
        return STATUS_MEMORY;
    }
    if (holds_text(path, buffer_slice(&text))) {
        free(path);
        buffer_free(&text);
        return STATUS_OK;
    }
    file = fopen(path, "we");
    written = file != NULL && fwrite(text.bytes, 1, text.size, file) == text.size;
    written = (file == NULL || fclose(file) == 0) && written;
    if (!written)
        (void)fault_set(fault, STATUS_IO, "cannot write %s", path);
    free(path);
    buffer_free(&text);
    return written ? STATUS_OK : STATUS_IO;
}

static enum status
make_missing(struct authority *authority, struct fault *fault)
{
    struct keys *keys = &authority->keys;
    enum status status = STATUS_OK;
    uint8_t kid;

    if (newest_key(keys) == NULL)
        status = keys_rotate(authority, &kid, fault);
    else
        status = keys_publish(authority);
    if (status == STATUS_OK && jwt_key_active(keys) == NULL)
        status = jwt_keys_rotate(authority, fault);
    if (status == STATUS_OK && keys->signer == NULL)
        status = make_signer(authority, fault);
    return status;
}

/* Of nodes that start at once on an empty store, one makes the keys. */
enum status
keys_ready(struct authority *authority, struct fault *fault)
{
    enum status status = make_missing(authority, fault);

    while (status == STATUS_BEHIND) {
        status = fleet_follow(authority, fault);
        if (status == STATUS_OK)
            status = make_missing(authority, fault);
    }
    if (status == STATUS_OK)
        status = write_public_key(authority, fault);
    return status;
}

/* --- tidying --------------------------------------------------------------- */

static void
drop_key(struct authority *authority, size_t index)
{
    struct keys *keys = &authority->keys;
    char name[16];

    snprintf(name, sizeof name, "mac/%u", keys->ring[index].kid);
    if (authority_commit_once(
            authority, &(struct change){ .kind = CHANGE_KEY_DROPPED, .name = slice_text(name) }, 1,
            NULL, NULL) != STATUS_OK)
        return;
    forget_key(keys, index);
    log_write(LOG_INFO, "authority", "a retired key has no live token any more: dropped", "key",
              name, NULL);
}

void
keys_tidy(struct authority *authority, const bool used[UINT8_MAX + 1])
{
    struct keys *keys = &authority->keys;
    size_t before = keys->ring_count;

    for (size_t i = keys->ring_count; i > 0; i--) {
        if (keys->ring[i - 1].retired && !used[keys->ring[i - 1].kid])
            drop_key(authority, i - 1);
    }
    if (keys->ring_count != before && keys_publish(authority) != STATUS_OK)
        log_write(LOG_WARN, "authority", "a dropped key is still in the ring", NULL);
}

void
keys_close(struct keys *keys)
{
    jwt_keys_close(keys);
    keyring_state_free(keys->state);
    signer_free(keys->signer);
    secret_wipe(keys->ring, sizeof keys->ring);
    secret_wipe(&keys->sealing, sizeof keys->sealing);
}
