/* policy/glob.c - one pattern against one text, by state sets. */
#include "glob.h"

/* A state is an offset in the pattern: what stands before it has been matched. */
enum { STATES = RIGHT_SIZE_MAX + 1, WORDS = STATES / 64 + 1 };

struct states {
    uint64_t words[WORDS];
};

struct glob {
    struct slice pattern;
    char separator; /* NUL: none */
    bool sql;
};

static char
separator_of(enum object_syntax syntax)
{
    switch (syntax) {
    case OBJECT_PATH:
        return '/';
    case OBJECT_SQL:
        return '.';
    case OBJECT_FLAT:
        break;
    }
    return '\0';
}

static struct glob
glob_of(struct slice pattern, enum object_syntax syntax)
{
    return (struct glob){ .pattern = pattern,
                          .separator = separator_of(syntax),
                          .sql = syntax == OBJECT_SQL };
}

static bool
double_star(struct slice pattern, size_t at)
{
    return at + 1 < pattern.size && pattern.at[at] == '*' && pattern.at[at + 1] == '*';
}

/* Is a segment that is only '**' here, with the separator by which it may be left
 * out: "/" + "**" before "/" or the end, or "**" + "/" at the start? */
static bool
left_out(struct slice pattern, size_t at, char separator)
{
    if (at == 0 && double_star(pattern, 0) && pattern.size > 2 && pattern.at[2] == separator)
        return true;
    return at < pattern.size && pattern.at[at] == separator && double_star(pattern, at + 1) &&
           (at + 3 == pattern.size || pattern.at[at + 3] == separator);
}

static void reach(const struct glob *glob, struct states *states, size_t at, bool empty_segment);

static void
reach_left_out(const struct glob *glob, struct states *states, size_t at, bool empty_segment)
{
    if (left_out(glob->pattern, at, '/') || (glob->sql && left_out(glob->pattern, at, '.')))
        reach(glob, states, at + 3, empty_segment);
}

/* The states before the first byte. Only here may a leading '**' be left out: its
 * state is reached again after each byte that it takes. */
static void
start(const struct glob *glob, struct states *states, bool empty_segment)
{
    if (glob->pattern.size > 0 && glob->pattern.at[0] == '*')
        reach_left_out(glob, states, 0, empty_segment);
    reach(glob, states, 0, empty_segment);
}

/* Adds a state and those that are reached without a byte. empty_segment: a '*'
 * of no bytes would be a whole segment here, which it may not be. */
static void
reach(const struct glob *glob, struct states *states, size_t at, bool empty_segment)
{
    while ((states->words[at / 64] >> at % 64 & 1) == 0) {
        states->words[at / 64] |= UINT64_C(1) << at % 64;
        if (at == glob->pattern.size)
            return;
        if (at > 0 || glob->pattern.at[0] != '*')
            reach_left_out(glob, states, at, empty_segment);
        if (double_star(glob->pattern, at))
            at += 2;
        else if (glob->pattern.at[at] == '*' && !empty_segment)
            at += 1;
        else
            return;
    }
}

/* What a state becomes by one symbol: the text's byte, or a star of a narrower pattern. */
struct symbol {
    char byte;
    unsigned stars; /* 0: the byte */
};

static void
step(const struct glob *glob, size_t at, struct symbol symbol, bool empty_segment,
     struct states *next)
{
    char mine;

    if (at == glob->pattern.size)
        return;
    mine = glob->pattern.at[at];
    if (mine != '*') {
        if (symbol.stars == 0 && symbol.byte == mine)
            reach(glob, next, at + 1, empty_segment);
        return;
    }
    if (double_star(glob->pattern, at) || glob->separator == '\0' || symbol.stars == 1 ||
        (symbol.stars == 0 && symbol.byte != glob->separator))
        reach(glob, next, at, empty_segment);
}

/* True while any state is left. */
static bool
step_all(const struct glob *glob, const struct states *states, struct symbol symbol,
         bool empty_segment, struct states *next)
{
    bool any = false;

    *next = (struct states){ 0 };
    for (size_t word = 0; word <= glob->pattern.size / 64; word++) {
        for (uint64_t bits = states->words[word]; bits != 0; bits &= bits - 1)
            step(glob, word * 64 + (size_t)__builtin_ctzll(bits), symbol, empty_segment, next);
    }
    for (size_t word = 0; word <= glob->pattern.size / 64; word++)
        any |= next->words[word] != 0;
    return any;
}

static bool
accepts(const struct glob *glob, const struct states *states)
{
    return states->words[glob->pattern.size / 64] >> glob->pattern.size % 64 & 1;
}

/* Lies a boundary on both sides of the place before text[at]? */
static bool
between_boundaries(const struct glob *glob, struct slice text, size_t at)
{
    bool left = at == 0 || (glob->separator != '\0' && text.at[at - 1] == glob->separator);
    bool right = at == text.size || (glob->separator != '\0' && text.at[at] == glob->separator);

    return left && right;
}

bool
glob_match(struct slice pattern, struct slice text, enum object_syntax syntax)
{
    struct glob glob = glob_of(pattern, syntax);
    struct states states = { 0 }, next;

    if (pattern.size > RIGHT_SIZE_MAX)
        return false;
    if (memchr(pattern.at, '*', pattern.size) == NULL)
        return slice_equal(pattern, text);
    start(&glob, &states, between_boundaries(&glob, text, 0));
    for (size_t at = 0; at < text.size; at++) {
        if (!step_all(&glob, &states, (struct symbol){ .byte = text.at[at] },
                      between_boundaries(&glob, text, at + 1), &next))
            return false;
        states = next;
    }
    return accepts(&glob, &states);
}

/* A star of the narrow pattern must be taken by one star of the wide one: sound
 * for whatever the narrow star stands for, and complete for all but odd pairs. */
static bool
variant_within(struct slice narrow, const struct glob *wide)
{
    struct states states = { 0 }, next;

    start(wide, &states, between_boundaries(wide, narrow, 0));
    for (size_t at = 0; at < narrow.size;) {
        struct symbol symbol = { .byte = narrow.at[at] };
        size_t size = 1;

        if (narrow.at[at] == '*') {
            size = double_star(narrow, at) ? 2 : 1;
            symbol.stars = (unsigned)size;
        }
        at += size;
        if (!step_all(wide, &states, symbol, between_boundaries(wide, narrow, at), &next))
            return false;
        states = next;
    }
    return accepts(wide, &states);
}

bool
glob_within(struct slice narrow, struct slice wide, enum object_syntax syntax)
{
    struct glob glob = glob_of(wide, syntax);
    struct glob_variant variants[GLOB_VARIANTS_MAX];
    size_t count;

    if (narrow.size > RIGHT_SIZE_MAX || wide.size > RIGHT_SIZE_MAX)
        return false;
    count = glob_variants(narrow, variants);
    for (size_t i = 0; i < count; i++) {
        if (variants[i].sql_only && syntax != OBJECT_SQL)
            continue;
        if (!variant_within(slice_of(variants[i].text, variants[i].size), &glob))
            return false;
    }
    return true;
}

static void
put_variant(struct glob_variant *variant, struct slice text)
{
    memcpy(variant->text + variant->size, text.at, text.size);
    variant->size += text.size;
}

/* Adds, for each variant so far, the one without the segment at its offset. */
static size_t
leave_out(struct glob_variant *out, size_t count, const size_t *places, size_t which,
          struct slice pattern)
{
    size_t at = places[which], made = count;
    size_t tail =
        pattern.size - at - 3; /* the same in every variant: earlier places are left of it */
    char separator = pattern.at[at] == '*' ? pattern.at[at + 2] : pattern.at[at];

    for (size_t i = 0; i < count; i++) {
        struct slice from = slice_of(out[i].text, out[i].size);
        struct glob_variant *variant = &out[made];

        if (from.size < tail + 3)
            continue;
        variant->size = 0;
        variant->sql_only = out[i].sql_only || separator == '.';
        put_variant(variant, slice_first(from, from.size - tail - 3));
        put_variant(variant, slice_from(from, from.size - tail));
        if (variant->size > 0)
            made++;
    }
    return made;
}

size_t
glob_variants(struct slice pattern, struct glob_variant out[GLOB_VARIANTS_MAX])
{
    size_t places[RIGHT_DOUBLE_STARS_MAX], place_count = 0, count = 1;

    out[0].size = 0;
    out[0].sql_only = false;
    put_variant(&out[0], pattern);
    for (size_t at = 0; at < pattern.size && place_count < RIGHT_DOUBLE_STARS_MAX; at++) {
        if (left_out(pattern, at, '/') || left_out(pattern, at, '.'))
            places[place_count++] = at;
    }
    for (size_t i = 0; i < place_count; i++)
        count = leave_out(out, count, places, i, pattern);
    return count;
}
