/* world/picture.h - inside the room: what readers see as one: policy, upstreams, hops
 * that are revoked. Immutable once published. */
#ifndef WRIT_WORLD_PICTURE_H
#define WRIT_WORLD_PICTURE_H

#include "change/change.h"
#include "world/world.h"

struct upstream {
    uint32_t refs; /* sets that hold it; the writer's */
    json_t *definition;
    uint64_t version;
    size_t name_size;
    char name[];
};

struct upstream_set {
    uint64_t generation;
    size_t count, capacity;
    struct upstream_view *views; /* in name order */
    struct upstream **owners;    /* beside the views */
};

/* A revoked attenuation: token and hop, sorted by both. */
struct revoked_hop {
    struct token_id id;
    struct hop_id hop;
    int64_t forget_at;
};
struct hop_set {
    size_t count, capacity;
    struct revoked_hop *hops;
};

/* Tools whose definition was approved, by UPSTREAM/TOOL in order. */
struct pin;
struct pin_set {
    size_t count, capacity;
    struct pin **pins;
};

struct picture {
    struct policy *policy;
    struct upstream_set *upstreams;
    struct hop_set *hops;
    struct pin_set *pins;
};

enum status world_picture_new(struct names *names, struct picture **out) WRIT_MUST_USE;
void world_picture_free(struct picture *picture);       /* with all its parts */
void world_picture_parts_free(struct picture *picture); /* NULL parts are none */
bool world_hop_revoked(const struct hop_set *hops, const struct token_id *id,
                       const struct hop_id *hop);

/* The next picture in the making; parts that no change touches are kept. */
struct picture_edit {
    const struct picture *from;
    struct policy_edit *policy;
    struct policy *next_policy;
    struct upstream_set *upstreams;
    struct hop_set *hops;
    struct pin_set *pins;
    struct picture *next; /* room for the result */
};
/* Role, subject, upstream, hop and tool changes; any other is INTERNAL. version is given
 * to an upstream that is put. */
enum status world_edit_apply(struct picture_edit *edit, const struct change *change,
                             uint64_t version, struct fault *fault) WRIT_MUST_USE;
/* Compiles. edit->next is NULL afterwards when nothing changed. */
enum status world_edit_finish(struct picture_edit *edit, struct fault *fault) WRIT_MUST_USE;
/* The next picture, whole; the parts of *from that it does not share are left in
 * *old for the caller to free, NULL elsewhere. Can't fail. */
struct picture *world_edit_take(struct picture_edit *edit, struct picture *old);
void world_edit_drop(struct picture_edit *edit); /* instead of taking it */
/* Parts of the above (upstream.c). */
enum status world_edit_upstream(struct picture_edit *edit, const struct change *change,
                                uint64_t version, struct fault *fault) WRIT_MUST_USE;
enum status world_edit_hop(struct picture_edit *edit, const struct change *change) WRIT_MUST_USE;
enum status world_edit_pin(struct picture_edit *edit, const struct change *change,
                           struct fault *fault) WRIT_MUST_USE; /* pins.c */
void world_pins_free(struct pin_set *pins);
void world_hops_sort(struct hop_set *hops);
void world_upstreams_free(struct upstream_set *set);
void world_hops_free(struct hop_set *hops);

#endif
