/* The compiled matcher against an independent one that is written for clarity,
 * on random rights and requests; and the bound of its work. WRIT_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "glob.h"
#include "matcher.h"

enum { SETS = 2500, RIGHTS = 12, REQUESTS = 40, TEXT_MAX = 256 };

static uint64_t state;

static unsigned
roll(unsigned sides)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 32) % sides);
}

static void
seed(void)
{
    const char *given = getenv("WRIT_SEED");

    state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)(uintptr_t)&given ^ 0x9e3779b9;
    if (state == 0)
        state = 1;
    print_message("WRIT_SEED=%llu\n", (unsigned long long)state);
}

/* The reference: docs/rights.md, word for word, by trying everything. */

static char
separator(enum object_syntax syntax)
{
    return syntax == OBJECT_PATH ? '/' : syntax == OBJECT_SQL ? '.' : '\0';
}

struct reference {
    const char *pattern; /* whole, to look left */
    char separator;
};

static bool
try_all(const struct reference *reference, const char *p, const char *t)
{
    if (*p == '\0')
        return *t == '\0';
    if (p[0] == '*' && p[1] == '*') {
        for (;; t++) {
            if (try_all(reference, p + 2, t))
                return true;
            if (*t == '\0')
                return false;
        }
    }
    if (*p == '*') {
        bool alone = (p == reference->pattern || p[-1] == reference->separator) &&
                     (p[1] == '\0' || p[1] == reference->separator);

        for (bool some = false;; some = true, t++) {
            if ((some || !alone) && try_all(reference, p + 1, t))
                return true;
            if (*t == '\0' || *t == reference->separator)
                return false;
        }
    }
    return *p == *t && try_all(reference, p + 1, t + 1);
}

/* Leaves out, in every way, segments that are only two stars. */
static bool
object_matches(const char *pattern, const char *text, enum object_syntax syntax)
{
    struct reference reference = { .pattern = pattern, .separator = separator(syntax) };
    const char *separators = syntax == OBJECT_SQL ? "/." : "/";

    if (try_all(&reference, pattern, text))
        return true;
    for (const char *s = separators; *s != '\0'; s++) {
        for (const char *at = pattern; *at != '\0'; at++) {
            char without[TEXT_MAX];
            const char *from;

            if (at == pattern && strncmp(at, "**", 2) == 0 && at[2] == *s)
                from = at;
            else if (*at == *s && strncmp(at + 1, "**", 2) == 0 && (at[3] == '\0' || at[3] == *s))
                from = at;
            else
                continue;
            snprintf(without, sizeof(without), "%.*s%s", (int)(from - pattern), pattern, from + 3);
            if (without[0] != '\0' && object_matches(without, text, syntax))
                return true;
        }
    }
    return false;
}

static bool
run_matches(const char *pattern, const char *text)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*')
        return run_matches(pattern + 1, text) || (*text != '\0' && run_matches(pattern, text + 1));
    return *pattern == *text && run_matches(pattern + 1, text + 1);
}

struct sample {
    char resource[TEXT_MAX], actions[TEXT_MAX], object[TEXT_MAX];
    char text[4 * TEXT_MAX];
    struct right right;
};

static bool
names_match(const struct sample *right, const struct sample *request)
{
    char actions[TEXT_MAX], *rest = actions, *action;

    if (strcmp(request->resource, "writ") == 0 && strchr(right->resource, '*') != NULL)
        return false;
    if (!run_matches(right->resource, request->resource))
        return false;
    strcpy(actions, right->actions);
    while ((action = strsep(&rest, "|")) != NULL) {
        if (run_matches(action, request->actions))
            return true;
    }
    return false;
}

static bool
reference_matches(const struct sample *right, const struct sample *request,
                  enum object_syntax syntax, bool listing)
{
    return names_match(right, request) &&
           (listing || object_matches(right->object, request->object, syntax));
}

/* Texts of few letters, so that they meet. */
static void
random_text(char *out, const char *const *pieces, unsigned count, unsigned most)
{
    unsigned length = 1 + roll(most);

    out[0] = '\0';
    for (unsigned i = 0; i < length; i++)
        strcat(out, pieces[roll(count)]);
}

static void
random_right(struct sample *out)
{
    static const char *const resources[] = { "svc", "svc", "s*", "*", "*c", "writ", "w*t", "s" };
    static const char *const actions[] = { "GET",   "GET|PUT", "*",     "G*",
                                           "x.get", "x.*|PUT", "*.get", "PUT" };
    static const char *const pieces[] = {
        "a",  "b",   "ab", "/",  "/",   ".",  "*",
        "**", "/**", "/*", "/a", "/bb", ".a", "abcdefghijklmnopqrst"
    };

    do {
        strcpy(out->resource, resources[roll(8)]);
        strcpy(out->actions, actions[roll(8)]);
        random_text(out->object, pieces, roll(4) == 0 ? 14 : 13, 7);
        snprintf(out->text, sizeof(out->text), "%s:%s:%s", out->resource, out->actions,
                 out->object);
    } while (right_parse(slice_text(out->text), &out->right, NULL) != STATUS_OK);
}

static void
random_request(struct sample *out, const struct sample *near)
{
    static const char *const resources[] = { "svc", "s", "c", "writ", "other" };
    static const char *const actions[] = { "GET", "PUT", "x.get", "G" };
    static const char *const pieces[] = { "a",  "b",   "ab",
                                          "/",  "/a",  ".",
                                          ".a", "/bb", "abcdefghijklmnopqrst" };
    char *at = out->object;

    strcpy(out->resource, resources[roll(10) < 6 ? 0 : roll(5)]);
    strcpy(out->actions, actions[roll(4)]);
    if (roll(3) == 0) {
        random_text(out->object, pieces, roll(4) == 0 ? 9 : 8, 8);
        return;
    }
    /* What a right says, with something for its stars. */
    *at = '\0';
    for (const char *p = near->object; *p != '\0' && at - out->object < TEXT_MAX - 24; p++) {
        if (*p != '*') {
            *at++ = *p;
            *at = '\0';
        } else {
            if (roll(4) != 0)
                random_text(at, pieces, p[1] == '*' ? 8 : 3, 2);
            at += strlen(at);
            p += p[1] == '*';
        }
    }
    if (out->object[0] == '\0')
        strcpy(out->object, "-");
}

struct visited {
    bool seen[RIGHTS];
    unsigned count;
};

static bool
note(void *context, uint32_t number, bool plain)
{
    struct visited *visited = context;

    visited->count += !visited->seen[number];
    visited->seen[number] = true;
    return false;
}

static struct request
request_of(const struct sample *sample, enum object_syntax syntax, bool listing)
{
    return (struct request){ .resource = slice_text(sample->resource),
                             .action = slice_text(sample->actions),
                             .object = slice_text(sample->object),
                             .syntax = syntax,
                             .listing = listing };
}

static struct matcher *
compile(const struct sample *rights, bool plain)
{
    struct matcher_build *build = matcher_build_new(true);
    struct matcher *matcher = NULL;

    assert_non_null(build);
    for (uint32_t i = 0; i < RIGHTS; i++)
        assert_int_equal(matcher_add(build, &rights[i].right, i, plain), STATUS_OK);
    assert_int_equal(matcher_build_finish(build, &matcher), STATUS_OK);
    matcher_build_free(build);
    return matcher;
}

static void
compare(const struct matcher *matcher, bool plain, const struct sample *rights,
        const struct sample *asked)
{
    static struct prepared prepared;
    enum object_syntax syntax = (enum object_syntax)roll(3);
    bool listing = roll(8) == 0;
    struct request request = request_of(asked, syntax, listing);
    struct visited visited = { 0 };
    unsigned expected = 0;

    assert_int_equal(request_prepare(&request, &prepared), PREPARED);
    assert_int_equal(matcher_search(matcher, &prepared, listing, note, &visited, NULL), MATCH_NONE);
    for (unsigned i = 0; i < RIGHTS; i++) {
        bool matches = reference_matches(&rights[i], asked, syntax, listing);

        expected += matches;
        if (right_covers(&rights[i].right, &request) != matches || (visited.seen[i] && !matches) ||
            (!plain && visited.seen[i] != matches))
            fail_msg("%s on %s:%s:%s, syntax %d, listing %d: expected %d, right_covers %d, "
                     "matcher %d",
                     rights[i].text, asked->resource, asked->actions, asked->object, syntax,
                     listing, matches, right_covers(&rights[i].right, &request), visited.seen[i]);
    }
    if ((expected > 0) != (visited.count > 0))
        fail_msg("%s:%s:%s: %u rights match, %u were visited", asked->resource, asked->actions,
                 asked->object, expected, visited.count);
}

static void
test_against_reference(void **unused)
{
    static struct sample rights[RIGHTS], asked;

    for (unsigned set = 0; set < SETS; set++) {
        bool plain = set % 2 == 0;
        struct matcher *matcher;

        for (unsigned i = 0; i < RIGHTS; i++)
            random_right(&rights[i]);
        matcher = compile(rights, plain);
        for (unsigned i = 0; i < REQUESTS; i++) {
            random_request(&asked, &rights[roll(RIGHTS)]);
            compare(matcher, plain, rights, &asked);
        }
        matcher_free(matcher);
    }
}

/* right_within never says yes wrongly, and says yes to a right and itself. */
static void
test_within(void **unused)
{
    static struct sample narrow, wide, asked;
    unsigned within = 0;

    for (unsigned i = 0; i < 40000; i++) {
        enum object_syntax syntax = (enum object_syntax)roll(3);

        random_right(&wide);
        random_right(&narrow);
        if (roll(2) == 0) {
            narrow = wide;
            random_request(&asked, &wide);
            strcpy(narrow.object, asked.object);
            snprintf(narrow.text, sizeof(narrow.text), "%s:%s:%s", narrow.resource, narrow.actions,
                     narrow.object);
            assert_int_equal(right_parse(slice_text(narrow.text), &narrow.right, NULL), STATUS_OK);
        }
        assert_true(right_within(&wide.right, &wide.right) || strcmp(wide.resource, "") == 0);
        if (!right_within_as(&narrow.right, &wide.right, syntax))
            continue;
        within++;
        for (unsigned j = 0; j < 10; j++) {
            random_request(&asked, &narrow);
            if (reference_matches(&narrow, &asked, syntax, false) &&
                !reference_matches(&wide, &asked, syntax, false))
                fail_msg("%s is not within %s: %s:%s:%s, syntax %d", narrow.text, wide.text,
                         asked.resource, asked.actions, asked.object, syntax);
        }
    }
    assert_true(within > 1000);
}

/* Rights that are made to cost: many stars, each with many ways on. */
static void
test_bound(void **unused)
{
    static const char *const shapes[] = {
        "svc:GET:*a*a*a*a*a*a*a*a",
        "svc:GET:**a*a*a*a*a*a**b",
        "svc:GET:/**/a/**/a*a*a*a*b",
        "svc:GET:**/*/*/*/*/*/*/**x",
        "*:*:*a*a*a*a*a*b",
        "svc:GET:**aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa**b",
        "svc:GET:/*/*/*/*/*/*/*/*/**",
        "svc:GET:**aa*aa*aa*aa*aa*aa*aa*aa**",
    };
    static char object[REQUEST_OBJECT_MAX + 1];
    static struct prepared prepared;
    struct matcher_build *build = matcher_build_new(true);
    struct matcher *matcher = NULL;
    uint32_t number = 0;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct right right;

        assert_int_equal(right_parse(slice_text(shapes[i]), &right, NULL), STATUS_OK);
        assert_int_equal(matcher_add(build, &right, number++, false), STATUS_OK);
    }
    /* And every mix of literal and star segments: each prefix is a state of its own. */
    for (unsigned mask = 0; mask < 256; mask++) {
        char text[RIGHT_SIZE_MAX] = "svc:GET:";
        struct right right;

        for (unsigned bit = 0; bit < 8; bit++)
            strcat(text, mask >> bit & 1 ? "/*" : "/a");
        strcat(text, "/b");
        assert_int_equal(right_parse(slice_text(text), &right, NULL), STATUS_OK);
        assert_int_equal(matcher_add(build, &right, number++, false), STATUS_OK);
    }
    assert_int_equal(matcher_build_finish(build, &matcher), STATUS_OK);
    matcher_build_free(build);
    for (size_t size = 1; size <= REQUEST_OBJECT_MAX; size *= 2) {
        for (unsigned kind = 0; kind < 2; kind++) {
            struct request request = { .resource = SLICE_LITERAL("svc"),
                                       .action = SLICE_LITERAL("GET") };
            struct visited visited = { 0 };
            uint32_t steps;

            for (size_t i = 0; i < size; i++)
                object[i] = kind == 1 && i % 2 == 0 ? '/' : 'a';
            request.object = slice_of(object, size);
            assert_int_equal(request_prepare(&request, &prepared), PREPARED);
            (void)matcher_search(matcher, &prepared, false, note, &visited, &steps);
            assert_true(steps <= MATCH_STEPS_BASE + MATCH_STEPS_PER_BYTE * prepared.size);
        }
    }
    matcher_free(matcher);
}

/* One right at the limits is always answered, never cut off. */
static void
test_one_right_is_answered(void **unused)
{
    static struct prepared prepared;
    static char object[REQUEST_OBJECT_MAX];
    const char *text = "svc:GET:**aa*aa*aa*aa*aa*aa*aa*aa**b";
    struct request request = { .resource = SLICE_LITERAL("svc"), .action = SLICE_LITERAL("GET") };
    struct matcher_build *build = matcher_build_new(true);
    struct matcher *matcher = NULL;
    struct visited visited = { 0 };
    struct right right;

    memset(object, 'a', sizeof(object));
    request.object = slice_of(object, sizeof(object));
    assert_int_equal(right_parse(slice_text(text), &right, NULL), STATUS_OK);
    assert_int_equal(matcher_add(build, &right, 0, true), STATUS_OK);
    assert_int_equal(matcher_build_finish(build, &matcher), STATUS_OK);
    matcher_build_free(build);
    assert_int_equal(request_prepare(&request, &prepared), PREPARED);
    assert_int_equal(matcher_search(matcher, &prepared, false, note, &visited, NULL), MATCH_NONE);
    assert_int_equal(visited.count, 0);
    object[sizeof(object) - 1] = 'b';
    assert_int_equal(request_prepare(&request, &prepared), PREPARED);
    assert_int_equal(matcher_search(matcher, &prepared, false, note, &visited, NULL), MATCH_NONE);
    assert_int_equal(visited.count, 1);
    matcher_free(matcher);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_reference),
        cmocka_unit_test(test_within),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_one_right_is_answered),
    };

    seed();
    return cmocka_run_group_tests_name("policy/matcher", tests, NULL, NULL);
}
