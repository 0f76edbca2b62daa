/* world/pins.c - tools whose definition somebody approved: a sorted set that is copied, changed and
 * published. What servers say now is noted in the pin itself, by whichever lane hears it, as a
 * line's uses are: it is nothing that was decided, and ends with the process. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "inside.h"

enum { PINS_MAX = 100000 };

struct pin {
    uint32_t refs; /* sets that hold it; the writer's */
    atomic_bool changed;
    uint8_t digest[PIN_DIGEST_SIZE];
    size_t name_size;
    char name[];
};

_Static_assert((int)PIN_DIGEST_SIZE == (int)CHANGE_TOOL_DIGEST, "a change holds a pin's digest");

static void
pin_release(struct pin *pin)
{
    if (pin != NULL && --pin->refs == 0)
        free(pin);
}

void
world_pins_free(struct pin_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++)
        pin_release(set->pins[i]);
    free(set->pins);
    free(set);
}

/* Where the name stands, or would stand. */
static size_t
place_of(const struct pin_set *set, struct slice name, bool *there)
{
    size_t low = 0, high = set->count;

    *there = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct pin *pin = set->pins[middle];
        size_t shorter = pin->name_size < name.size ? pin->name_size : name.size;
        int order = memcmp(pin->name, name.at, shorter);

        if (order == 0)
            order = (pin->name_size > name.size) - (pin->name_size < name.size);
        if (order == 0) {
            *there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- the writer -------------------------------------------------------------------- */

static enum status
room_for(struct pin_set *set, size_t count)
{
    struct pin **pins;

    if (count <= set->capacity)
        return STATUS_OK;
    pins = realloc(set->pins, 2 * count * sizeof(struct pin *));
    if (pins == NULL)
        return STATUS_MEMORY;
    set->pins = pins;
    set->capacity = 2 * count;
    return STATUS_OK;
}

static enum status
pins_copy(const struct pin_set *from, struct pin_set **out)
{
    struct pin_set *set = calloc(1, sizeof *set);

    if (set == NULL || room_for(set, from->count) != STATUS_OK) {
        free(set);
        return STATUS_MEMORY;
    }
    for (size_t i = 0; i < from->count; i++) {
        from->pins[i]->refs++;
        set->pins[set->count++] = from->pins[i];
    }
    *out = set;
    return STATUS_OK;
}

static enum status
pin_new(const struct change *change, struct pin **out, struct fault *fault)
{
    size_t slash = slice_find(change->name, '/');
    struct pin *pin;

    if (!name_valid(slice_first(change->name, slash)) || slash + 1 >= change->name.size ||
        change->name.size > PIN_NAME_MAX || change->body.size <= PIN_DIGEST_SIZE)
        return fault_set(fault, STATUS_INVALID, "this is no tool of an upstream");
    pin = calloc(1, sizeof *pin + change->name.size);
    if (pin == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    pin->refs = 1;
    memcpy(pin->digest, change->body.at, sizeof pin->digest);
    pin->name_size = change->name.size;
    memcpy(pin->name, change->name.at, change->name.size);
    *out = pin;
    return STATUS_OK;
}

static enum status
put_pin(struct pin_set *set, const struct change *change, struct fault *fault)
{
    struct pin *pin = NULL;
    bool there;
    size_t at = place_of(set, change->name, &there);
    enum status status;

    if (!there && set->count == PINS_MAX)
        return fault_set(fault, STATUS_LIMIT, "%d tools are approved already", PINS_MAX);
    if (room_for(set, set->count + 1) != STATUS_OK)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    status = pin_new(change, &pin, fault);
    if (status != STATUS_OK)
        return status;
    if (there) {
        pin_release(set->pins[at]);
    } else {
        memmove(&set->pins[at + 1], &set->pins[at], (set->count - at) * sizeof(struct pin *));
        set->count++;
    }
    set->pins[at] = pin;
    return STATUS_OK;
}

static void
drop_pin(struct pin_set *set, struct slice name)
{
    bool there;
    size_t at = place_of(set, name, &there);

    if (!there)
        return;
    pin_release(set->pins[at]);
    set->count--;
    memmove(&set->pins[at], &set->pins[at + 1], (set->count - at) * sizeof(struct pin *));
}

enum status
world_edit_pin(struct picture_edit *edit, const struct change *change, struct fault *fault)
{
    if (edit->pins == NULL && pins_copy(edit->from->pins, &edit->pins) != STATUS_OK)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    if (change->kind == CHANGE_TOOL_APPROVED)
        return put_pin(edit->pins, change, fault);
    drop_pin(edit->pins, change->name);
    return STATUS_OK;
}

/* --- readers ------------------------------------------------------------------------ */

/* NULL: there is none. Counts are the writer's: a reader takes no reference. */
static struct pin *
find(const struct world_reader *reader, struct slice upstream, struct slice tool)
{
    const struct picture *picture =
        atomic_load_explicit(&reader->world->picture, memory_order_acquire);
    char name[PIN_NAME_MAX];
    bool there;

    if (upstream.size == 0 || tool.size == 0 || upstream.size + 1 + tool.size > sizeof name)
        return NULL;
    memcpy(name, upstream.at, upstream.size);
    name[upstream.size] = '/';
    memcpy(name + upstream.size + 1, tool.at, tool.size);
    size_t at = place_of(picture->pins, slice_of(name, upstream.size + 1 + tool.size), &there);
    return there ? picture->pins->pins[at] : NULL;
}

enum pin_state
world_pin(const struct world_reader *reader, struct slice upstream, struct slice tool)
{
    const struct pin *pin = find(reader, upstream, tool);

    if (pin == NULL)
        return PIN_NEW;
    return atomic_load(&pin->changed) ? PIN_CHANGED : PIN_APPROVED;
}

enum pin_state
world_pin_see(const struct world_reader *reader, struct slice upstream, struct slice tool,
              const uint8_t digest[PIN_DIGEST_SIZE])
{
    struct pin *pin = find(reader, upstream, tool);
    bool changed;

    if (pin == NULL)
        return PIN_NEW;
    changed = memcmp(pin->digest, digest, PIN_DIGEST_SIZE) != 0;
    if (atomic_load(&pin->changed) != changed)
        atomic_store(&pin->changed, changed);
    return changed ? PIN_CHANGED : PIN_APPROVED;
}
