/* gateway/postgres/analysis.c - reads texts, and keeps what was read of the latest. */
#include "analysis.h"

#include <stdlib.h>

enum {
    BUCKETS = 1024,       /* a power of two */
    KEPT_MOST = 1024,     /* analyses */
    ARENA_MAX = 1 << 20,  /* of one */
    KEEP_TEXT_MAX = 4096, /* longer texts are read anew each time: they are seldom repeated */
};

struct analyses {
    enum record record;
    struct analysis *buckets[BUCKETS];
    struct analysis *newest, *oldest;
    size_t count;
    struct buffer key;  /* of the text that is asked for */
    struct arena fault; /* the words of the last refusal */
};

enum status
analyses_new(enum record record, struct analyses **out)
{
    struct analyses *analyses = calloc(1, sizeof(*analyses));

    if (analyses == NULL)
        return STATUS_MEMORY;
    analyses->record = record;
    arena_init(&analyses->fault, ARENA_MAX);
    *out = analyses;
    return STATUS_OK;
}

struct analysis *
analysis_hold(struct analysis *analysis)
{
    analysis->users++;
    return analysis;
}

void
analysis_release(struct analysis *analysis)
{
    if (analysis == NULL || --analysis->users > 0)
        return;
    arena_free(&analysis->arena);
    free(analysis);
}

/* --- the table --------------------------------------------------------------- */

static void
unlink_use(struct analyses *analyses, struct analysis *analysis)
{
    *(analysis->newer != NULL ? &analysis->newer->older : &analyses->newest) = analysis->older;
    *(analysis->older != NULL ? &analysis->older->newer : &analyses->oldest) = analysis->newer;
}

static void
link_newest(struct analyses *analyses, struct analysis *analysis)
{
    analysis->newer = NULL;
    analysis->older = analyses->newest;
    *(analyses->newest != NULL ? &analyses->newest->newer : &analyses->oldest) = analysis;
    analyses->newest = analysis;
}

static struct analysis **
bucket_of(struct analyses *analyses, uint64_t hash)
{
    return &analyses->buckets[hash & (BUCKETS - 1)];
}

static void
forget(struct analyses *analyses, struct analysis *analysis)
{
    struct analysis **link = bucket_of(analyses, analysis->hash);

    while (*link != analysis)
        link = &(*link)->chain;
    *link = analysis->chain;
    unlink_use(analyses, analysis);
    analyses->count--;
    analysis->kept = false;
    analysis_release(analysis);
}

static void
keep(struct analyses *analyses, struct analysis *analysis)
{
    if (analyses->count == KEPT_MOST)
        forget(analyses, analyses->oldest);
    struct analysis **bucket = bucket_of(analyses, analysis->hash);
    analysis->chain = *bucket;
    *bucket = analysis_hold(analysis);
    link_newest(analyses, analysis);
    analysis->kept = true;
    analyses->count++;
}

static struct analysis *
find(struct analyses *analyses, uint64_t hash, struct slice key)
{
    struct analysis *at = *bucket_of(analyses, hash);

    while (at != NULL && (at->hash != hash || !slice_equal(at->key, key)))
        at = at->chain;
    return at;
}

void
analyses_free(struct analyses *analyses)
{
    if (analyses == NULL)
        return;
    while (analyses->oldest != NULL)
        forget(analyses, analyses->oldest);
    buffer_free(&analyses->key);
    arena_free(&analyses->fault);
    free(analyses);
}

/* --- reading ----------------------------------------------------------------- */

/* Passwords stay out of the audit however it records. */
static struct slice
recorded(const struct sql_statement *statement, enum record record)
{
    bool secret = slice_contains_nocase(statement->text, SLICE_LITERAL("password"));

    return record == RECORD_SHAPE || secret ? statement->normal : statement->text;
}

static bool
fill_asks(struct analysis *analysis, enum record record)
{
    const struct sql_script *script = &analysis->script;
    struct errand_ask *asks = arena_zeroed(&analysis->arena, (script->count + 1) * sizeof(*asks));

    if (asks == NULL)
        return false;
    for (size_t i = 0; i < script->count; i++) {
        const struct sql_statement *statement = &script->statements[i];
        struct errand_touch *touches =
            arena_take(&analysis->arena, (statement->touch_count + 1) * sizeof(*touches));
        if (touches == NULL)
            return false;
        for (size_t n = 0; n < statement->touch_count; n++)
            touches[n] = (struct errand_touch){ .action = statement->touches[n].action,
                                                .object = statement->touches[n].object,
                                                .columns = statement->touches[n].columns };
        asks[i] = (struct errand_ask){
            .touches = touches,
            .count = statement->touch_count,
            .verb = sql_kind_name(statement->kind),
            .statement = recorded(statement, record),
            .has_where = statement->has_where,
        };
    }
    analysis->asks = asks;
    return true;
}

static enum sql_result
read_text(struct analysis *analysis, struct slice text, const struct pg_names *names,
          struct sql_fault *fault)
{
    struct sql_names view;

    if (pg_names_view(names, &analysis->arena, &view) != STATUS_OK)
        return SQL_LIMIT;
    return sql_read(text, &view, &analysis->arena, &analysis->script, fault);
}

/* The words of a refusal outlive what they were found in. */
static void
keep_fault(struct analyses *analyses, struct sql_fault *fault)
{
    arena_reset(&analyses->fault);
    fault->message = arena_copy(&analyses->fault, fault->message);
}

static bool
keep_source(struct analyses *analyses, struct analysis *analysis, struct slice text,
            const struct pg_names *names)
{
    buffer_clear(&analyses->key);
    pg_names_put_key(names, &analyses->key);
    if (buffer_status(&analyses->key) != STATUS_OK)
        return false;
    analysis->text = arena_copy(&analysis->arena, text);
    analysis->names = arena_copy(&analysis->arena, buffer_slice(&analyses->key));
    return analysis->text.at != NULL && analysis->names.at != NULL;
}

static struct analysis *
make(struct analyses *analyses, struct slice text, const struct pg_names *names,
     struct sql_fault *fault)
{
    struct analysis *analysis = calloc(1, sizeof(*analysis));

    *fault = (struct sql_fault){ .sqlstate = "53200",
                                 .message = SLICE_LITERAL("the gateway is out of memory") };
    if (analysis == NULL)
        return NULL;
    analysis->users = 1;
    arena_init(&analysis->arena, ARENA_MAX);
    if (keep_source(analyses, analysis, text, names) &&
        read_text(analysis, analysis->text, names, fault) == SQL_OK &&
        fill_asks(analysis, analyses->record))
        return analysis;
    keep_fault(analyses, fault);
    analysis_release(analysis);
    return NULL;
}

/* What is read once for all texts of its shape. */
static bool
is_by_shape(const struct analyses *analyses, const struct analysis *analysis)
{
    return analyses->record == RECORD_SHAPE && analysis->script.count == 1 &&
           !analysis->script.statements[0].by_value;
}

enum key { KEY_SHAPE, KEY_TEXT };

/* The names, which reading it is, and the text. False: there is no such key. */
static bool
make_key(struct analyses *analyses, enum key kind, struct slice text, const struct pg_names *names)
{
    buffer_clear(&analyses->key);
    pg_names_put_key(names, &analyses->key);
    put_u8(&analyses->key, (uint8_t)kind);
    if (kind == KEY_TEXT)
        put_slice(&analyses->key, text);
    else if (!sql_shape(text, &analyses->key))
        return false;
    return buffer_status(&analyses->key) == STATUS_OK;
}

static struct analysis *
look_for(struct analyses *analyses, enum key kind, struct slice text, const struct pg_names *names)
{
    if (!make_key(analyses, kind, text, names))
        return NULL;
    struct slice key = buffer_slice(&analyses->key);
    struct analysis *found = find(analyses, slice_hash(key), key);
    if (found == NULL)
        return NULL;
    unlink_use(analyses, found);
    link_newest(analyses, found);
    return analysis_hold(found);
}

static void
keep_under(struct analyses *analyses, enum key kind, struct slice text,
           const struct pg_names *names, struct analysis *analysis)
{
    if (!make_key(analyses, kind, text, names))
        return;
    struct slice key = buffer_slice(&analyses->key);
    analysis->hash = slice_hash(key);
    analysis->key = arena_copy(&analysis->arena, key);
    if (analysis->key.at != NULL)
        keep(analyses, analysis);
}

struct analysis *
analysis_read(struct analyses *analyses, struct slice text, const struct pg_names *names,
              struct sql_fault *fault)
{
    struct analysis *analysis =
        analyses->record == RECORD_SHAPE ? look_for(analyses, KEY_SHAPE, text, names) : NULL;

    if (analysis == NULL)
        analysis = look_for(analyses, KEY_TEXT, text, names);
    if (analysis != NULL)
        return analysis;
    analysis = make(analyses, text, names, fault);
    if (analysis != NULL && text.size <= KEEP_TEXT_MAX) {
        bool shape = is_by_shape(analyses, analysis) && make_key(analyses, KEY_SHAPE, text, names);
        keep_under(analyses, shape ? KEY_SHAPE : KEY_TEXT, text, names, analysis);
    }
    return analysis;
}

struct analysis *
analysis_current(struct analyses *analyses, struct analysis *analysis, const struct pg_names *names,
                 struct sql_fault *fault)
{
    buffer_clear(&analyses->key);
    pg_names_put_key(names, &analyses->key);
    if (buffer_status(&analyses->key) == STATUS_OK &&
        slice_equal(buffer_slice(&analyses->key), analysis->names))
        return analysis_hold(analysis);
    return analysis_read(analyses, analysis->text, names, fault);
}
