/* policy/matcher.c - the search in a compiled matcher. */
#include "matcher.h"

#include <stdlib.h>

#include "matcher_node.h"

struct search {
    const struct matcher *matcher;
    const struct prepared *request;
    uint32_t end; /* of the text that is searched for */
    uint32_t steps, budget;
    match_visitor visit;
    void *context;
    /* How far the continuation of a star has been tried. It is reached at growing
     * places only, since the way to it from the star before has a fixed length. */
    size_t star_count;
    struct {
        uint32_t slot, upto;
    } stars[MATCH_STARS_MAX];
};

static enum match_end pass(struct search *search, const struct node *node, uint32_t at);

static inline bool
spend(struct search *search)
{
    if (search->steps == search->budget)
        return false;
    search->steps++;
    return true;
}

static enum match_end
visit_one(struct search *search, link ends)
{
    if ((ends & LINK_SQL) != 0 && !search->request->sql)
        return MATCH_NONE;
    if (search->visit(search->context, (ends & LINK_NUMBER_MASK) - 1, (ends & LINK_PLAIN) != 0))
        return MATCH_STOPPED;
    return MATCH_NONE;
}

static enum match_end
visit(struct search *search, link ends)
{
    enum match_end end = MATCH_NONE;

    if (ends == 0)
        return MATCH_NONE;
    if ((ends & LINK_LIST) == 0)
        return visit_one(search, ends);
    for (const link *at = search->matcher->lists + (ends & ~(link)LINK_LIST); *at != 0; at++) {
        if (!spend(search))
            return MATCH_LIMIT;
        end = visit_one(search, *at);
        if (end != MATCH_NONE)
            break;
    }
    return end;
}

static const struct node *
child(struct search *search, const struct node *node, struct piece piece)
{
    const struct matcher *matcher = search->matcher;
    uint32_t parent = (uint32_t)(node - matcher->nodes);
    uint32_t slot = node_slot(matcher, parent, piece);

    for (;;) {
        const struct node *found = &matcher->nodes[slot];

        if (found->piece.low == piece.low && found->piece.high == piece.high &&
            found->parent == parent)
            return found;
        if (found->parent == NODE_NONE)
            return NULL;
        if (++slot == matcher->slots)
            slot = 0;
    }
}

/* The piece at `at`: up to and with the first cut behind its first byte. */
static inline uint32_t
piece_size(const struct search *search, uint32_t at)
{
    const uint64_t *cuts = search->request->cuts;
    uint32_t from = at + 1, shift = from % 64;
    uint64_t bits = cuts[from / 64] >> shift;
    uint32_t size;

    if (shift > 64 - PIECE_MAX)
        bits |= cuts[from / 64 + 1] << (64 - shift);
    bits |= UINT64_C(1) << (PIECE_MAX - 2);
    size = (uint32_t)__builtin_ctzll(bits) + 2;
    return size < search->end - at ? size : search->end - at;
}

/* Children whose piece is cut short by a star. */
static enum match_end
try_short(struct search *search, const struct node *node, uint32_t at, uint32_t size)
{
    uint32_t sizes = node->short_sizes & ((UINT32_C(1) << size) - 1);

    for (; sizes != 0; sizes &= sizes - 1) {
        uint32_t less = (uint32_t)__builtin_ctz(sizes);
        const struct node *next;
        enum match_end end;

        if (!spend(search))
            return MATCH_LIMIT;
        next = child(search, node, piece_at(search->request->text + at, less));
        end = next == NULL ? MATCH_NONE : pass(search, next, at + less);
        if (end != MATCH_NONE)
            return end;
    }
    return MATCH_NONE;
}

static bool
tail_follows(const struct search *search, const struct node *node, uint32_t at)
{
    struct piece tail;

    if (node->tail_size == 0)
        return true;
    tail = piece_at(search->request->text + at, node->tail_size);
    return tail.low == node->tail.low && tail.high == node->tail.high;
}

/* From a node on through its literal children. */
static enum match_end
descend(struct search *search, const struct node *node, uint32_t at)
{
    const char *text = search->request->text;

    while (at < search->end && (node->first >> (text[at] & 63) & 1) != 0) {
        uint32_t size = piece_size(search, at);
        enum match_end end;

        if (!spend(search))
            return MATCH_LIMIT;
        if (node->short_sizes != 0) {
            end = try_short(search, node, at, size);
            if (end != MATCH_NONE)
                return end;
        }
        node = child(search, node, piece_at(text + at, size));
        at += size;
        if (node == NULL || !tail_follows(search, node, at))
            return MATCH_NONE;
        at += node->tail_size;
        end = pass(search, node, at);
        if (end != MATCH_NONE)
            return end;
    }
    return MATCH_NONE;
}

/* Where a '*' that begins at `at` has to end, at the latest. */
static uint32_t
run_end(const struct search *search, uint32_t at)
{
    const struct prepared *request = search->request;

    if (at <= request->resource_end)
        return request->resource_end;
    if (at <= request->action_end)
        return request->action_end;
    if (request->last_separator < at)
        return search->end;
    while (request->text[at] != request->separator)
        at++;
    return at;
}

/* A '*' of no bytes must not be a whole segment. */
static bool
empty_segment(const struct search *search, uint32_t at)
{
    const struct prepared *request = search->request;

    if (at <= request->action_end)
        return false;
    if (at > request->action_end + 1 && request->text[at - 1] != request->separator)
        return false;
    return at == search->end ||
           (request->separator != '\0' && request->text[at] == request->separator);
}

/* The place of a star's continuation among those that are open: a new one for
 * a slot that is not there, MATCH_STARS_MAX when there is no more room. */
static size_t
star_index(const struct search *search, uint32_t slot)
{
    size_t i = 0;

    while (i < search->star_count && search->stars[i].slot != slot)
        i++;
    return i;
}

/* Tries what follows a star at each place where its run, begun at `at`, may end. */
static enum match_end
scan(struct search *search, uint32_t slot, uint32_t at, bool across_segments)
{
    const struct node *node = &search->matcher->nodes[slot];
    const char *text = search->request->text;
    size_t index = star_index(search, slot);
    uint32_t last;

    if (index == MATCH_STARS_MAX)
        return MATCH_LIMIT;
    if (index < search->star_count && at <= search->stars[index].upto)
        return MATCH_NONE;
    last = across_segments ? search->end : run_end(search, at);
    search->stars[index].slot = slot;
    search->stars[index].upto = last;
    if (index == search->star_count)
        search->star_count++;
    for (; at <= last && at < search->end; at++) {
        enum match_end end;

        if (!spend(search))
            return MATCH_LIMIT;
        if ((node->first >> (text[at] & 63) & 1) == 0)
            continue;
        end = descend(search, node, at);
        if (end != MATCH_NONE)
            return end;
    }
    return last == search->end ? visit(search, node->ends) : MATCH_NONE;
}

static enum match_end
pass_star(struct search *search, link star, uint32_t at)
{
    if (at <= search->request->resource_end && search->request->writ)
        return MATCH_NONE;
    if (empty_segment(search, at))
        return MATCH_NONE;
    if ((star & LINK_NODE) != 0)
        return scan(search, star & ~LINK_NODE, at, false);
    return search->request->last_separator < at ? visit(search, star) : MATCH_NONE;
}

/* At a node whose text has been consumed: what ends here, and its stars. */
static enum match_end
pass(struct search *search, const struct node *node, uint32_t at)
{
    enum match_end end = MATCH_NONE;

    if (at == search->end && node->ends != 0)
        end = visit(search, node->ends);
    if (end == MATCH_NONE && node->double_star != 0 && at <= search->end)
        end = (node->double_star & LINK_NODE) == 0
                  ? visit(search, node->double_star)
                  : scan(search, node->double_star & ~LINK_NODE, at, true);
    if (end == MATCH_NONE && node->star != 0 && at <= search->end)
        end = pass_star(search, node->star, at);
    return end;
}

enum match_end
matcher_search(const struct matcher *matcher, const struct prepared *request, bool listing,
               match_visitor visitor, void *context, uint32_t *steps)
{
    struct search search;
    enum match_end end;

    if (steps != NULL)
        *steps = 0;
    if (matcher == NULL)
        return MATCH_NONE;
    search.matcher = matcher;
    search.request = request;
    search.end = listing ? request->action_end + 1 : request->size;
    search.steps = 0;
    search.budget = MATCH_STEPS_BASE + MATCH_STEPS_PER_BYTE * request->size;
    search.visit = visitor;
    search.context = context;
    search.star_count = 0;
    end = pass(&search, &matcher->nodes[0], 0);
    if (end == MATCH_NONE)
        end = descend(&search, &matcher->nodes[0], 0);
    if (steps != NULL)
        *steps = search.steps;
    return end;
}

void
matcher_free(struct matcher *matcher)
{
    if (matcher == NULL)
        return;
    free(matcher->nodes);
    free(matcher->lists);
    free(matcher);
}

size_t
matcher_size(const struct matcher *matcher)
{
    return matcher == NULL ? 0
                           : sizeof(*matcher) + matcher->slots * sizeof(struct node) +
                                 matcher->lists_size * sizeof(link);
}
