/* policy/matcher_node.h - the table of a matcher: what the builder writes and
 * the search reads. */
#ifndef WRIT_POLICY_MATCHER_NODE_H
#define WRIT_POLICY_MATCHER_NODE_H

#include "bytes.h"
#include "matcher.h"

enum { PIECE_MAX = 16 };

/* Sixteen bytes as two words, NUL behind the end; no text holds a NUL. */
struct piece {
    uint64_t low, high;
};

/* What ends at a node or an edge: 0 nothing; a right's number + 1 (with LINK_SQL
 * for a '.' left out, with LINK_PLAIN as it was added); or, with
 * LINK_LIST, an offset in the matcher's lists; or, with LINK_NODE on star edges,
 * the node behind the star. */
typedef uint32_t link;
enum {
    LINK_NUMBER_MASK = 0x0fffffff,
    LINK_PLAIN = 0x10000000,
    LINK_SQL = 0x20000000,
    LINK_LIST = 0x40000000,
};
#define LINK_NODE 0x80000000u
#define NODE_NONE UINT32_MAX

struct node {
    struct piece piece; /* how it is reached from its parent */
    struct piece tail;  /* what must follow the piece: a chain of only children */
    uint64_t first;     /* the first bytes of its children, modulo 64 */
    uint32_t parent;    /* slot; NODE_NONE: the slot is free */
    link ends;          /* rights that end here */
    link star, double_star;
    uint16_t short_sizes; /* bit n: a child's piece of n bytes is cut short by a star */
    uint8_t tail_size;
    uint8_t unused[5];
};
_Static_assert(sizeof(struct node) == 64, "a node is one cache line");

struct matcher {
    struct node *nodes; /* slot 0 is the root */
    uint32_t slots, lists_size;
    link *lists; /* runs of links that end with 0 */
    uint64_t seed;
};

static inline uint64_t
load_word(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* The first size bytes at `at`, of which sixteen can be read. size is 1 to 16. */
static inline struct piece
piece_at(const char *at, uint32_t size)
{
    struct piece piece = { .low = load_word(at) };

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pieces are masked as little-endian words"
#endif
    if (size <= 8) {
        piece.low &= UINT64_MAX >> (64 - 8 * size);
    } else {
        piece.high = load_word(at + 8) & UINT64_MAX >> (128 - 8 * size);
    }
    return piece;
}

/* The children of star nodes and the star nodes themselves have pieces that no text equals. */
static inline uint32_t
node_slot(const struct matcher *matcher, uint32_t parent, struct piece piece)
{
    __uint128_t product = (__uint128_t)(piece.low ^ matcher->seed) *
                          (piece.high ^ (uint64_t)parent * UINT64_C(0x9e3779b97f4a7c15) ^
                           UINT64_C(0xd1b54a32d192ed03));
    uint64_t hash = ((uint64_t)product ^ (uint64_t)(product >> 64)) * UINT64_C(0x94d049bb133111eb);

    return (uint32_t)((hash >> 32) * matcher->slots >> 32);
}

#endif
