/* audit/shapes.c - the smallest set of patterns over many shapes: a tree of parts
 * that widens a place to '*' when too many names stand there. */
#include <ctype.h>
#include <stdlib.h>

#include "shape.h"

enum { PARTS_MAX = 32, STARS_MAX = 8, KINDS = 4, COMPARED_MAX = 1 << 20 };

struct node {
    char *part;
    size_t size;
    bool ends; /* a shape ends here */
    bool deep; /* and others, cut off, go on below */
    bool wide; /* too many names: all that is not empty goes to the star */
    struct node **child;
    size_t count, room;
};

struct shapes {
    struct node root[KINDS]; /* by separator */
};

static const char separators[KINDS] = { '/', ':', '.', '\0' };

enum status
shapes_new(struct shapes **out)
{
    struct shapes *shapes = calloc(1, sizeof *shapes);

    if (shapes == NULL)
        return STATUS_MEMORY;
    *out = shapes;
    return STATUS_OK;
}

static void
node_clear(struct node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        node_clear(node->child[i]);
        free(node->child[i]);
    }
    free(node->child);
    free(node->part);
    *node = (struct node){ 0 };
}

void
shapes_free(struct shapes *shapes)
{
    if (shapes == NULL)
        return;
    for (unsigned i = 0; i < KINDS; i++)
        node_clear(&shapes->root[i]);
    free(shapes);
}

static struct slice
part_of(const struct node *node)
{
    return slice_of(node->part, node->size);
}

static bool
is_star(const struct node *node)
{
    return node->size == 1 && node->part[0] == '*';
}

static struct node *
find_child(const struct node *node, struct slice part)
{
    for (size_t i = 0; i < node->count; i++)
        if (slice_equal(part_of(node->child[i]), part))
            return node->child[i];
    return NULL;
}

static struct node *
get_child(struct node *node, struct slice part)
{
    struct node *child = find_child(node, part);

    if (child != NULL)
        return child;
    if (node->count == node->room) {
        size_t room = node->room == 0 ? 4 : 2 * node->room;
        struct node **more = reallocarray(node->child, room, sizeof *more);

        if (more == NULL)
            return NULL;
        node->child = more;
        node->room = room;
    }
    child = calloc(1, sizeof *child);
    if (child == NULL)
        return NULL;
    child->part = slice_strdup(part);
    child->size = part.size;
    if (child->part == NULL) {
        free(child);
        return NULL;
    }
    node->child[node->count++] = child;
    return child;
}

static bool widen(struct node *node);

/* Moves all below from into into; from is empty afterwards. */
static bool
merge(struct node *into, struct node *from)
{
    into->ends = into->ends || from->ends;
    into->deep = into->deep || from->deep;
    if (from->wide && !into->wide && !widen(into))
        return false;
    for (size_t i = 0; i < from->count; i++) {
        bool to_star = into->wide && from->child[i]->size > 0;
        struct node *child =
            get_child(into, to_star ? SLICE_LITERAL("*") : part_of(from->child[i]));

        if (child == NULL || !merge(child, from->child[i]))
            return false;
    }
    return true;
}

static size_t
names_at(const struct node *node)
{
    size_t names = 0;

    for (size_t i = 0; i < node->count; i++)
        names += node->child[i]->size > 0 && !is_star(node->child[i]);
    return names;
}

/* All names at this place become the star. */
static bool
widen(struct node *node)
{
    struct node *star;
    size_t kept = 0;

    if (names_at(node) == 0) {
        node->wide = true;
        return true;
    }
    star = get_child(node, SLICE_LITERAL("*"));
    if (star == NULL)
        return false;
    node->wide = true;
    for (size_t i = 0; i < node->count; i++) {
        struct node *child = node->child[i];

        if (child == star || child->size == 0)
            continue;
        if (!merge(star, child))
            return false;
    }
    for (size_t i = 0; i < node->count; i++) {
        struct node *child = node->child[i];

        if (child == star || child->size == 0) {
            node->child[kept++] = child;
            continue;
        }
        node_clear(child);
        free(child);
    }
    node->count = kept;
    return true;
}

/* An object that was cut when it was written: what is known ends before the
 * marker, and all that may have followed is covered. */
static struct slice
known_part(struct slice shape, char separator, bool *cut)
{
    size_t known;

    *cut = slice_ends(shape, SLICE_LITERAL(CUT_MARKER));
    if (!*cut)
        return shape;
    known = shape.size - (sizeof CUT_MARKER - 1);
    while (known > 0 && separator != '\0' && shape.at[known - 1] != separator)
        known--;
    return slice_first(shape, separator != '\0' && known > 0 ? known - 1 : known);
}

enum status
shapes_add(struct shapes *shapes, struct slice shape)
{
    char separator = shape_separator(shape);
    struct node *node;
    struct slice rest;
    unsigned kind = 0, depth = 0;
    bool cut;

    while (separators[kind] != separator)
        kind++;
    node = &shapes->root[kind];
    rest = known_part(shape, separator, &cut);
    for (bool last = false; !last; depth++) {
        size_t length = separator == '\0' ? rest.size : slice_find(rest, separator);
        struct slice part = slice_first(rest, length);

        last = length == rest.size;
        if (depth == PARTS_MAX - 1 && !last) {
            node->deep = true;
            return STATUS_OK;
        }
        if (node->wide && part.size > 0)
            part = SLICE_LITERAL("*");
        struct node *child = get_child(node, part);

        if (child == NULL)
            return STATUS_MEMORY;
        if (names_at(node) > SHAPES_FAN_MAX) {
            if (!widen(node))
                return STATUS_MEMORY;
            child = get_child(node, part.size > 0 ? SLICE_LITERAL("*") : part);
            if (child == NULL)
                return STATUS_MEMORY;
        }
        node = child;
        rest = slice_from(rest, length + 1);
    }
    if (cut)
        node->deep = true;
    else
        node->ends = true;
    return STATUS_OK;
}

/* Is all that stands below narrow also covered by what stands below wide? Two ways
 * at each part would double the work with each: when the budget is spent the answer
 * is no, which only leaves a pattern more than needed. */
static bool
covers(const struct node *wide, const struct node *narrow, unsigned *budget)
{
    if (*budget == 0)
        return false;
    --*budget;
    if (wide->deep)
        return true;
    if ((narrow->ends && !wide->ends) || narrow->deep)
        return false;
    for (size_t i = 0; i < narrow->count; i++) {
        const struct node *child = narrow->child[i];
        const struct node *same = find_child(wide, part_of(child));
        const struct node *star = child->size > 0 ? find_child(wide, SLICE_LITERAL("*")) : NULL;

        if ((same == NULL || !covers(same, child, budget)) &&
            (star == NULL || !covers(star, child, budget)))
            return false;
    }
    return true;
}

static size_t
measure(const struct node *node, unsigned depth, uint32_t *depths)
{
    size_t ends = node->ends || node->deep;

    if (ends > 0)
        *depths |= UINT32_C(1) << (depth & 31);
    for (size_t i = 0; i < node->count; i++)
        ends += measure(node->child[i], depth + 1, depths);
    return ends;
}

/* Many ends at many depths are a tree of files: one "**" says it. */
static bool
is_tree(const struct node *node)
{
    uint32_t depths = 0;

    if (node->deep)
        return true;
    return measure(node, 0, &depths) > SHAPES_FAN_MAX &&
           __builtin_popcount(depths) >= SHAPES_DEPTHS;
}

struct walk {
    char separator;
    size_t room;
    shapes_taker taker;
    void *context;
    struct slice part[PARTS_MAX];
    unsigned depth, budget;
};

static bool
plain(unsigned char byte)
{
    return byte < 0x80 && (isalnum(byte) || strchr("-._~/:@!$&'+=#%", byte) != NULL) &&
           byte != '\0';
}

/* A star within a longer part is none of ours: it stands for itself. */
static void
put_part(struct buffer *out, struct slice part)
{
    if (slice_is(part, "*")) {
        put_u8(out, '*');
        return;
    }
    for (size_t i = 0; i < part.size; i++) {
        unsigned char byte = (unsigned char)part.at[i];

        if (plain(byte))
            put_u8(out, byte);
        else
            put_format(out, "%%%02X", byte);
    }
}

static size_t
stars_in(struct slice text)
{
    size_t stars = 0;

    for (size_t i = 0; i < text.size; i++)
        stars += text.at[i] == '*';
    return stars;
}

/* The first part does not fit: what does fit of it, and a star for the rest; a
 * star does not reach across a separator, so with more parts it is all. */
static void
put_beginning(struct buffer *out, size_t room, bool alone)
{
    if (!alone) {
        buffer_clear(out);
        put_text(out, "**");
        return;
    }
    if (out->size >= room)
        out->size = room - 1;
    while (out->size > 0 && (out->bytes[out->size - 1] == '%' ||
                             (out->size > 1 && out->bytes[out->size - 2] == '%')))
        out->size--;
    put_u8(out, '*');
}

/* deep: "**" for all below. Where the limits of a right end, too. */
static enum status
emit(const struct walk *walk, bool deep)
{
    struct buffer out = { 0 };
    enum status status;
    unsigned i;

    for (i = 0; i < walk->depth; i++) {
        size_t before = out.size, tail = walk->separator == '\0' ? 1 : 3;

        if (i > 0)
            put_u8(&out, (uint8_t)walk->separator);
        put_part(&out, walk->part[i]);
        if (out.status != STATUS_OK)
            break;
        if (i > 0 &&
            (out.size + tail > walk->room ||
             stars_in(buffer_slice(&out)) + (i + 1 < walk->depth || deep ? 2 : 0) > STARS_MAX)) {
            out.size = before;
            deep = true;
            break;
        }
    }
    if (out.status == STATUS_OK && out.size + 3 > walk->room) {
        put_beginning(&out, walk->room, walk->depth == 1 && !deep);
    } else if (deep && walk->separator == '\0') {
        put_u8(&out, '*');
    } else if (deep) {
        if (walk->depth > 0)
            put_u8(&out, (uint8_t)walk->separator);
        put_text(&out, "**");
    }
    status = buffer_status(&out);
    if (status == STATUS_OK && out.size > 0)
        status = walk->taker(walk->context, buffer_slice(&out));
    buffer_free(&out);
    return status;
}

static enum status
walk_node(struct walk *walk, const struct node *node)
{
    const struct node *star = find_child(node, SLICE_LITERAL("*"));
    bool tree = is_tree(node);
    enum status status = STATUS_OK;

    /* "/a/" with "**" covers "/a" too; with other separators it does not. */
    if (node->ends && !(tree && walk->separator == '/'))
        status = emit(walk, false);
    if (tree)
        return status == STATUS_OK ? emit(walk, true) : status;
    for (size_t i = 0; i < node->count && status == STATUS_OK; i++) {
        const struct node *child = node->child[i];

        if (star != NULL && child != star && child->size > 0 && covers(star, child, &walk->budget))
            continue;
        walk->part[walk->depth++] = part_of(child);
        status = walk_node(walk, child);
        walk->depth--;
    }
    return status;
}

enum status
shapes_each(const struct shapes *shapes, size_t room, shapes_taker taker, void *context)
{
    enum status status = STATUS_OK;

    if (room < 8)
        return STATUS_OK;
    for (unsigned i = 0; i < KINDS && status == STATUS_OK; i++) {
        struct walk walk = { .separator = separators[i],
                             .room = room,
                             .budget = COMPARED_MAX,
                             .taker = taker,
                             .context = context };

        status = walk_node(&walk, &shapes->root[i]);
    }
    return status;
}
