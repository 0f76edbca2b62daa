/* policy/matcher_build.c - puts rights into the tree, then the tree into the table. */
#include <stdlib.h>
#include <sys/mman.h>

#include "glob.h"
#include "matcher_node.h"

/* A node while the tree grows: parents come before their children. */
struct growing {
    struct piece piece;
    uint64_t first;
    uint32_t parent;
    uint32_t only_child; /* the last one made */
    uint32_t children;   /* literal ones */
    uint32_t ends;       /* head of a chain in entries, 0 none */
    uint32_t star, double_star;
    uint16_t short_sizes;
    uint8_t size; /* of the piece */
    bool behind_star;
};

/* A right that ends at a node. */
struct entry {
    link number; /* with LINK_SQL */
    bool plain;
    uint32_t next;
};

struct matcher_build {
    bool listing;
    struct growing *nodes;
    uint32_t node_count, node_room;
    struct entry *entries; /* 0 is none */
    uint32_t entry_count, entry_room;
    uint32_t *index; /* by (parent, piece): node + 1 */
    uint32_t index_size;
};

/* A tree of more nodes than this (512 MiB of table) is refused. */
enum { NODES_MAX = 1 << 23 };

static uint64_t
process_seed(void)
{
    return slice_hash(SLICE_LITERAL("policy/matcher"));
}

static bool
grow(void **items, uint32_t *room, size_t item_size)
{
    uint32_t more = *room == 0 ? 16 : *room * 2;
    void *grown = reallocarray(*items, more, item_size);

    if (grown == NULL)
        return false;
    *items = grown;
    *room = more;
    return true;
}

static uint32_t *
index_place(struct matcher_build *build, uint32_t parent, struct piece piece)
{
    const struct matcher shape = { .slots = build->index_size, .seed = process_seed() };
    uint32_t at = node_slot(&shape, parent, piece);

    while (build->index[at] != 0) {
        const struct growing *node = &build->nodes[build->index[at] - 1];

        if (node->parent == parent && node->piece.low == piece.low &&
            node->piece.high == piece.high)
            break;
        at = at + 1 == build->index_size ? 0 : at + 1;
    }
    return &build->index[at];
}

static bool
grow_index(struct matcher_build *build)
{
    uint32_t *old = build->index;
    uint32_t size = build->index_size == 0 ? 32 : build->index_size * 2;

    build->index = calloc(size, sizeof(*build->index));
    if (build->index == NULL) {
        build->index = old;
        return false;
    }
    free(old);
    build->index_size = size;
    for (uint32_t i = 1; i < build->node_count; i++)
        *index_place(build, build->nodes[i].parent, build->nodes[i].piece) = i + 1;
    return true;
}

/* 0, which is the root's, when memory is out or the tree is full. */
static uint32_t
add_node(struct matcher_build *build, uint32_t parent, struct piece piece, uint8_t size)
{
    uint32_t made = build->node_count;

    if (made == NODES_MAX)
        return 0;
    if (made == build->node_room &&
        !grow((void **)&build->nodes, &build->node_room, sizeof(*build->nodes)))
        return 0;
    if (made >= build->index_size / 2 && !grow_index(build))
        return 0;
    build->nodes[made] = (struct growing){ .parent = parent, .piece = piece, .size = size };
    build->node_count++;
    if (made > 0)
        *index_place(build, parent, piece) = made + 1;
    return made;
}

/* Pieces that no text equals: they hold bytes that a right can't. */
static uint32_t
star_child(struct matcher_build *build, uint32_t parent, bool double_star)
{
    uint32_t *edge = double_star ? &build->nodes[parent].double_star : &build->nodes[parent].star;
    uint32_t made = *edge;

    if (made != 0)
        return made;
    made = add_node(build, parent, (struct piece){ .low = double_star ? 2 : 1 }, 0);
    if (made == 0)
        return 0;
    build->nodes[made].behind_star = true;
    edge = double_star ? &build->nodes[parent].double_star : &build->nodes[parent].star;
    *edge = made;
    return made;
}

static uint32_t
literal_child(struct matcher_build *build, uint32_t parent, struct slice bytes)
{
    char padded[PIECE_MAX] = { 0 };
    struct piece piece;
    uint32_t made;

    memcpy(padded, bytes.at, bytes.size);
    piece = piece_at(padded, (uint32_t)bytes.size);
    made = *index_place(build, parent, piece);
    if (made != 0)
        return made - 1;
    made = add_node(build, parent, piece, (uint8_t)bytes.size);
    if (made == 0)
        return 0;
    build->nodes[parent].children++;
    build->nodes[parent].only_child = made;
    build->nodes[parent].first |= UINT64_C(1) << (padded[0] & 63);
    return made;
}

/* As piece_size of the search: up to and with the first cut behind the first byte. */
static size_t
piece_of_run(struct slice run)
{
    for (size_t i = 1; i < run.size && i < PIECE_MAX; i++) {
        if (byte_is(run.at[i], BYTE_CUT))
            return i + 1;
    }
    return run.size < PIECE_MAX ? run.size : PIECE_MAX;
}

static bool
piece_complete(struct slice piece)
{
    return piece.size == PIECE_MAX ||
           (piece.size > 1 && byte_is(piece.at[piece.size - 1], BYTE_CUT));
}

/* The node at which the pattern ends; 0 on failure. */
static uint32_t
place_pattern(struct matcher_build *build, struct slice pattern)
{
    uint32_t node = 0;

    while (pattern.size > 0) {
        size_t size = slice_find(pattern, '*');

        if (size == 0) {
            bool double_star = pattern.size > 1 && pattern.at[1] == '*';

            node = star_child(build, node, double_star);
            size = double_star ? 2 : 1;
        } else {
            bool star_follows = size < pattern.size;
            struct slice run = slice_first(pattern, size);
            struct slice piece = slice_first(run, piece_of_run(run));
            uint32_t parent = node;

            node = literal_child(build, parent, piece);
            if (node != 0 && star_follows && piece.size == run.size && !piece_complete(piece))
                build->nodes[parent].short_sizes |= (uint16_t)(1u << piece.size);
            size = piece.size;
        }
        if (node == 0)
            return 0;
        pattern = slice_from(pattern, size);
    }
    return node;
}

static bool
end_at(struct matcher_build *build, uint32_t node, link number, bool plain)
{
    struct entry *first = &build->entries[build->nodes[node].ends];
    bool everywhere = plain && (number & LINK_SQL) == 0;

    /* Behind a plain right nothing else matters. */
    if (build->nodes[node].ends != 0 && first->plain && (first->number & LINK_SQL) == 0)
        return true;
    if (build->entry_count == build->entry_room &&
        !grow((void **)&build->entries, &build->entry_room, sizeof(*build->entries)))
        return false;
    build->entries[build->entry_count] = (struct entry){
        .number = number, .plain = plain, .next = everywhere ? 0 : build->nodes[node].ends
    };
    build->nodes[node].ends = build->entry_count++;
    return true;
}

static enum status
add_text(struct matcher_build *build, struct slice text, link number, bool plain)
{
    uint32_t node = place_pattern(build, text);

    if (node == 0)
        return build->node_count == NODES_MAX ? STATUS_TOO_LARGE : STATUS_MEMORY;
    return end_at(build, node, number, plain) ? STATUS_OK : STATUS_MEMORY;
}

static enum status
add_action(struct matcher_build *build, const struct right *right, struct slice action, link number,
           bool plain)
{
    char text[2 * RIGHT_SIZE_MAX];
    struct glob_variant variants[GLOB_VARIANTS_MAX];
    size_t count = glob_variants(right->object, variants);
    size_t head = right->resource.size + action.size + 2;
    enum status status = STATUS_OK;

    memcpy(text, right->resource.at, right->resource.size);
    text[right->resource.size] = ':';
    memcpy(text + right->resource.size + 1, action.at, action.size);
    text[head - 1] = ':';
    if (build->listing)
        status = add_text(build, slice_of(text, head), number, plain);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        memcpy(text + head, variants[i].text, variants[i].size);
        status = add_text(build, slice_of(text, head + variants[i].size),
                          variants[i].sql_only ? number | LINK_SQL : number, plain);
    }
    return status;
}

enum status
matcher_add(struct matcher_build *build, const struct right *right, uint32_t number, bool plain)
{
    struct slice actions = right->actions, action;

    if (number > MATCHER_NUMBER_MAX)
        return STATUS_TOO_LARGE;
    while (slice_next(&actions, '|', &action)) {
        enum status status =
            add_action(build, right, action, (number + 1) | (plain ? LINK_PLAIN : 0), plain);

        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

struct matcher_build *
matcher_build_new(bool listing)
{
    struct matcher_build *build = calloc(1, sizeof(*build));

    if (build == NULL)
        return NULL;
    build->listing = listing;
    build->entry_count = 1;
    if (!grow((void **)&build->entries, &build->entry_room, sizeof(*build->entries))) {
        matcher_build_free(build);
        return NULL;
    }
    build->entries[0] = (struct entry){ 0 };
    add_node(build, NODE_NONE, (struct piece){ 0 }, 0);
    if (build->node_count == 0) {
        matcher_build_free(build);
        return NULL;
    }
    return build;
}

void
matcher_build_free(struct matcher_build *build)
{
    if (build == NULL)
        return;
    free(build->nodes);
    free(build->entries);
    free(build->index);
    free(build);
}

/* Does the node's chain go on in its only child, so that the child's piece can be
 * part of a tail? */
static bool
goes_on(const struct growing *node)
{
    return node->children == 1 && node->ends == 0 && node->star == 0 && node->double_star == 0 &&
           node->short_sizes == 0 && !node->behind_star && node->parent != NODE_NONE;
}

/* A node behind a star with nothing behind it is no node: what ends there is the edge. */
static bool
only_ends(const struct growing *node)
{
    return node->behind_star && node->children == 0;
}

struct placing {
    struct matcher_build *build;
    struct matcher *matcher;
    uint32_t *heads; /* of each node: the head of its chain, itself for most */
    uint32_t *slots; /* of each head */
};

static link
place_ends(struct placing *placing, uint32_t head)
{
    const struct entry *entries = placing->build->entries;
    struct matcher *matcher = placing->matcher;
    link at = matcher->lists_size;

    if (head == 0)
        return 0;
    if (entries[head].next == 0)
        return entries[head].number;
    for (uint32_t i = head; i != 0; i = entries[i].next)
        matcher->lists_size++;
    /* The chain has the last one first. */
    matcher->lists[matcher->lists_size] = 0;
    for (uint32_t i = head, back = matcher->lists_size; i != 0; i = entries[i].next)
        matcher->lists[--back] = entries[i].number;
    matcher->lists_size++;
    return at | LINK_LIST;
}

static uint32_t
free_slot(const struct matcher *matcher, uint32_t parent, struct piece piece)
{
    uint32_t slot = node_slot(matcher, parent, piece);

    while (matcher->nodes[slot].parent != NODE_NONE)
        slot = slot + 1 == matcher->slots ? 0 : slot + 1;
    return slot;
}

/* Follows the chain of only children as far as it fits in the head's tail. */
static uint32_t
take_tail(struct placing *placing, uint32_t head, char tail[PIECE_MAX], uint8_t *size)
{
    uint32_t last = head;

    while (goes_on(&placing->build->nodes[last])) {
        uint32_t next = placing->build->nodes[last].only_child;
        const struct growing *child = &placing->build->nodes[next];

        if (*size + child->size > PIECE_MAX)
            break;
        memcpy(tail + *size, &child->piece, child->size);
        *size = (uint8_t)(*size + child->size);
        placing->heads[next] = head;
        last = next;
    }
    return last;
}

static bool
heads_chain(const struct placing *placing, uint32_t node)
{
    return placing->heads[node] == node && !only_ends(&placing->build->nodes[node]);
}

static uint32_t
find_chains(struct placing *placing)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < placing->build->node_count; i++)
        placing->heads[i] = i;
    for (uint32_t i = 0; i < placing->build->node_count; i++) {
        char tail[PIECE_MAX];
        uint8_t size = 0;

        if (!heads_chain(placing, i))
            continue;
        take_tail(placing, i, tail, &size);
        count++;
    }
    return count;
}

static void
place_node(struct placing *placing, uint32_t at, uint32_t slot, uint32_t parent)
{
    const struct growing *nodes = placing->build->nodes;
    struct node *node = &placing->matcher->nodes[slot];
    char tail[PIECE_MAX] = { 0 };
    uint32_t last;

    node->parent = parent;
    node->piece = nodes[at].piece;
    last = take_tail(placing, at, tail, &node->tail_size);
    memcpy(&node->tail, tail, sizeof(tail));
    node->first = nodes[last].first;
    node->short_sizes = nodes[last].short_sizes;
    node->ends = place_ends(placing, nodes[last].ends);
    placing->slots[at] = slot;
}

/* Parents come first, so that a child's place can depend on its parent's. */
static void
place_all(struct placing *placing)
{
    const struct growing *nodes = placing->build->nodes;
    struct matcher *matcher = placing->matcher;

    place_node(placing, 0, 0, 0);
    for (uint32_t i = 1; i < placing->build->node_count; i++) {
        const struct growing *above = &nodes[nodes[i].parent];
        uint32_t parent;
        link behind;

        if (placing->heads[i] != i)
            continue;
        parent = placing->slots[placing->heads[nodes[i].parent]];
        if (only_ends(&nodes[i])) {
            behind = place_ends(placing, nodes[i].ends);
        } else {
            place_node(placing, i, free_slot(matcher, parent, nodes[i].piece), parent);
            behind = placing->slots[i] | LINK_NODE;
        }
        if (above->star == i)
            matcher->nodes[parent].star = behind;
        else if (above->double_star == i)
            matcher->nodes[parent].double_star = behind;
    }
}

/* A large table is asked for in huge pages: each step of a search lands in another
 * place, and the walk for its address would cost as much as the step. */
static struct node *
allocate_nodes(size_t count)
{
    const size_t huge = (size_t)2 << 20;
    size_t size = count * sizeof(struct node);
    void *nodes;

    if (size < huge)
        return aligned_alloc(sizeof(struct node), size);
    size = (size + huge - 1) / huge * huge;
    nodes = aligned_alloc(huge, size);
    if (nodes != NULL)
        (void)madvise(nodes, size, MADV_HUGEPAGE); /* a refusal only costs time */
    return nodes;
}

static bool
make_table(struct matcher *matcher, uint32_t node_count, uint32_t entry_count)
{
    /* At most seven slots of ten are taken, so that a run of taken ones stays short. */
    matcher->slots = (uint32_t)((uint64_t)node_count * 10 / 7) + 2;
    matcher->seed = process_seed();
    matcher->nodes = allocate_nodes(matcher->slots);
    matcher->lists = reallocarray(NULL, 2 * (size_t)entry_count, sizeof(link));
    if (matcher->nodes == NULL || matcher->lists == NULL)
        return false;
    memset(matcher->nodes, 0, matcher->slots * sizeof(struct node));
    for (uint32_t i = 0; i < matcher->slots; i++)
        matcher->nodes[i].parent = NODE_NONE;
    return true;
}

enum status
matcher_build_finish(struct matcher_build *build, struct matcher **out)
{
    struct placing placing = { .build = build };
    struct matcher *matcher = calloc(1, sizeof(*matcher));
    enum status status = STATUS_MEMORY;

    placing.matcher = matcher;
    placing.heads = reallocarray(NULL, build->node_count, sizeof(*placing.heads));
    placing.slots = reallocarray(NULL, build->node_count, sizeof(*placing.slots));
    if (matcher == NULL || placing.heads == NULL || placing.slots == NULL)
        goto done;
    if (!make_table(matcher, find_chains(&placing), build->entry_count))
        goto done;
    place_all(&placing);
    *out = matcher;
    matcher = NULL;
    status = STATUS_OK;
done:
    free(placing.heads);
    free(placing.slots);
    matcher_free(matcher);
    return status;
}
