/* gateway/redis/classify.c - finds a command's keys. */
#include "classify.h"

struct finding_keys {
    const struct slice *arguments;
    size_t count;
    struct arena *arena;
    struct redis_ask *out;
    struct slice *keys; /* as they came */
    size_t key_count;
    struct slice database; /* another one that it writes to; empty: none */
    struct slice *why;
};

static bool
refuse(struct finding_keys *finding, const char *why)
{
    *finding->why = slice_text(why);
    return false;
}

static bool
refuse_malformed(struct finding_keys *finding)
{
    return refuse(finding, "the keys of the command can't be found");
}

static bool
add_key(struct finding_keys *finding, size_t at)
{
    if (at >= finding->count)
        return refuse_malformed(finding);
    if (finding->key_count == REDIS_KEYS_MAX)
        return refuse(finding, "the command names too many keys");
    finding->keys[finding->key_count++] = finding->arguments[at];
    return true;
}

/* An option's word ends at its first NUL, as for Redis, which compares with strcasecmp: what
 * is read otherwise here is a key that nobody asks for. */
static bool
is_word(struct slice argument, const char *word)
{
    struct slice read = slice_first(argument, slice_find(argument, '\0'));

    return slice_equal_nocase(read, slice_text(word));
}

/* --- the ways in which keys are found --------------------------------------------------- */

static bool
add_range(struct finding_keys *finding, size_t first, size_t last, size_t step)
{
    for (size_t at = first; at <= last; at += step) {
        if (!add_key(finding, at))
            return false;
    }
    return true;
}

static bool
find_range(struct finding_keys *finding, const struct redis_command *command)
{
    size_t last =
        command->last < 0 ? finding->count - (size_t)-command->last : (size_t)command->last;

    if (command->last < 0 && (size_t)-command->last > finding->count)
        return refuse_malformed(finding);
    return add_range(finding, (size_t)command->first, last, (size_t)command->step);
}

/* numkeys key … */
static bool
find_counted(struct finding_keys *finding, size_t at)
{
    uint64_t keys;

    if (at >= finding->count || !slice_u64(finding->arguments[at], &keys) ||
        keys > finding->count - at - 1)
        return refuse_malformed(finding);
    return keys == 0 || add_range(finding, at + 1, at + (size_t)keys, 1);
}

/* … STREAMS key … id … */
static bool
find_streams(struct finding_keys *finding)
{
    size_t at = 1;

    /* The word may not be looked for among values: GROUP, COUNT and BLOCK have theirs. */
    while (at < finding->count && !is_word(finding->arguments[at], "streams")) {
        if (is_word(finding->arguments[at], "group"))
            at += 3;
        else if (is_word(finding->arguments[at], "count") ||
                 is_word(finding->arguments[at], "block"))
            at += 2;
        else if (is_word(finding->arguments[at], "noack"))
            at++;
        else
            return refuse_malformed(finding);
    }
    size_t left = at < finding->count ? finding->count - at - 1 : 0;
    if (left == 0 || left % 2 != 0)
        return refuse_malformed(finding);
    return add_range(finding, at + 1, at + left / 2, 1);
}

static bool
has_star(struct slice text)
{
    return slice_find(text, '*') < text.size;
}

/* BY and GET with a pattern read keys that nobody has named. */
static bool
find_sort(struct finding_keys *finding)
{
    if (!add_key(finding, 1))
        return false;
    for (size_t at = 2; at < finding->count; at++) {
        struct slice word = finding->arguments[at];
        bool more = at + 1 < finding->count;

        if (is_word(word, "limit")) {
            at += 2;
        } else if (is_word(word, "store")) {
            if (!add_key(finding, ++at))
                return false;
        } else if (is_word(word, "by") || is_word(word, "get")) {
            if (!more || has_star(finding->arguments[at + 1]))
                return refuse(finding, "SORT with BY or GET of a pattern reads keys that are not "
                                       "named: it does not pass");
            at++;
        } else if (!is_word(word, "asc") && !is_word(word, "desc") && !is_word(word, "alpha")) {
            return refuse_malformed(finding);
        }
    }
    return true;
}

/* Any argument that is STORE or STOREDIST is taken as one: the last is what Redis takes, and
 * more keys only ask for more. */
static bool
find_geo(struct finding_keys *finding)
{
    if (!add_key(finding, 1))
        return false;
    for (size_t at = 2; at < finding->count; at++) {
        bool store = is_word(finding->arguments[at], "store") ||
                     is_word(finding->arguments[at], "storedist");
        if (store && !add_key(finding, at + 1))
            return false;
    }
    return true;
}

/* MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH p] [AUTH2 u p] [KEYS key …]; the
 * keys stand at one of the two places. */
static bool
find_migrate(struct finding_keys *finding)
{
    if (finding->count < 6)
        return refuse_malformed(finding);
    bool named = finding->arguments[3].size > 0;
    for (size_t at = 6; at < finding->count; at++) {
        struct slice word = finding->arguments[at];

        if (is_word(word, "keys") && !named && at + 1 < finding->count)
            return add_range(finding, at + 1, finding->count - 1, 1);
        if (is_word(word, "auth") && at + 1 < finding->count)
            at += 1;
        else if (is_word(word, "auth2") && at + 2 < finding->count)
            at += 2;
        else if (!is_word(word, "copy") && !is_word(word, "replace"))
            return refuse_malformed(finding);
    }
    return named ? add_key(finding, 3) : refuse_malformed(finding);
}

static bool
add_database(struct finding_keys *finding, size_t at)
{
    bool once = finding->database.size == 0;

    if (!once || at >= finding->count || finding->arguments[at].size == 0)
        return refuse_malformed(finding);
    finding->database = finding->arguments[at];
    return true;
}

/* COPY source destination [DB n] [REPLACE] */
static bool
find_copy(struct finding_keys *finding)
{
    if (!add_range(finding, 1, 2, 1))
        return false;
    for (size_t at = 3; at < finding->count; at++) {
        if (is_word(finding->arguments[at], "db")) {
            if (!add_database(finding, ++at))
                return false;
        } else if (!is_word(finding->arguments[at], "replace")) {
            return refuse_malformed(finding);
        }
    }
    return true;
}

/* As stringmatchlen reads it: after an escape the next byte stands for itself, in a class and
 * outside of it, and a class that is open at the end goes on to it. */
bool
redis_pattern_widen(struct slice pattern, struct buffer *out)
{
    bool in_class = false;

    for (size_t at = 0; at < pattern.size; at++) {
        char byte = pattern.at[at];
        size_t left = pattern.size - at;

        if (byte == '\\' && left < 2)
            return false;
        size_t size = byte == '\\' ? 2 : 1;
        if (in_class && byte == ']')
            in_class = false;
        else if (in_class && byte != '\\' && left >= 3 && pattern.at[at + 1] == '-')
            size = 3;
        else if (!in_class && byte != '[')
            put_slice(out, slice_of(pattern.at + at, size));
        else if (!in_class) {
            in_class = true;
            put_u8(out, '?');
            size += left > 1 && pattern.at[at + 1] == '^';
        }
        at += size - 1;
    }
    return !in_class && buffer_status(out) == STATUS_OK;
}

static bool
add_pattern(struct finding_keys *finding, size_t at)
{
    struct slice pattern = finding->arguments[at];
    struct buffer wide = { 0 };
    bool whole = redis_pattern_widen(pattern, &wide), good = whole && add_key(finding, at);

    if (!whole)
        refuse(finding, "a pattern with an open [ or a \\ at its end does not pass");
    if (good && !slice_equal(buffer_slice(&wide), pattern)) {
        struct slice copy = arena_copy(finding->arena, buffer_slice(&wide));

        finding->keys[finding->key_count - 1] = copy;
        good = copy.at != NULL || refuse(finding, "the command is too long for this gateway");
    }
    buffer_free(&wide);
    return good;
}

static bool
find_patterns(struct finding_keys *finding)
{
    for (size_t at = 1; at < finding->count; at++) {
        if (!add_pattern(finding, at))
            return false;
    }
    return true;
}

static bool
find_keys(struct finding_keys *finding)
{
    const struct redis_command *command = finding->out->command;

    switch (command->keys) {
    case REDIS_KEYS_NONE:
        return true;
    case REDIS_KEYS_RANGE:
    case REDIS_KEYS_CHANNELS:
        return find_range(finding, command);
    case REDIS_KEYS_DATABASE:
        return add_range(finding, 1, finding->count - 1, 1);
    case REDIS_KEYS_COUNTED:
        return find_counted(finding, (size_t)command->first);
    case REDIS_KEYS_STORE_COUNTED:
        return add_key(finding, 1) && find_counted(finding, (size_t)command->first);
    case REDIS_KEYS_STREAMS:
        return find_streams(finding);
    case REDIS_KEYS_SORT:
        return find_sort(finding);
    case REDIS_KEYS_GEO:
        return find_geo(finding);
    case REDIS_KEYS_MIGRATE:
        return find_migrate(finding);
    case REDIS_KEYS_COPY:
        return find_copy(finding);
    case REDIS_KEYS_MOVE:
        return add_key(finding, 1) && add_database(finding, 2);
    case REDIS_KEYS_PATTERNS:
        return find_patterns(finding);
    }
    return refuse_malformed(finding);
}

/* --- triples -------------------------------------------------------------------------------- */

static bool
out_of_room(struct finding_keys *finding)
{
    return refuse(finding, "the command is too long for this gateway");
}

static bool
put_key(struct finding_keys *finding, struct slice key, struct slice *out)
{
    struct buffer text = { 0 };

    put_object(&text, key);
    *out = arena_copy(finding->arena, buffer_slice(&text));
    bool good = buffer_status(&text) == STATUS_OK && out->at != NULL;
    buffer_free(&text);
    return good || out_of_room(finding);
}

static bool
make_touches(struct finding_keys *finding)
{
    struct slice action = slice_text(finding->out->command->name);
    size_t count = finding->key_count > 0 ? finding->key_count : 1;
    bool elsewhere = finding->database.size > 0;
    struct errand_touch *touches = arena_zeroed(finding->arena, (count + 1) * sizeof(*touches));

    if (touches == NULL)
        return out_of_room(finding);
    touches[0] = (struct errand_touch){ .action = action, .object = SLICE_LITERAL("-") };
    for (size_t i = 0; i < finding->key_count; i++) {
        touches[i].action = action;
        /* The empty key is a key; a right can't name it. */
        if (finding->keys[i].size == 0)
            return refuse(finding, "the empty key has no name in a right");
        if (!put_key(finding, finding->keys[i], &touches[i].object))
            return false;
    }
    touches[count].action = SLICE_LITERAL("select");
    if (elsewhere && !put_key(finding, finding->database, &touches[count].object))
        return false;
    finding->out->errand.touches = touches;
    finding->out->errand.count = count + elsewhere;
    return true;
}

/* The command and its keys; values are "?". */
static bool
make_statement(struct finding_keys *finding)
{
    struct buffer text = { 0 };
    size_t key = 0;

    for (size_t i = 0; i < finding->count && text.size < REDIS_STATEMENT_MAX; i++) {
        bool name = i == 0 || (i == 1 && strchr(finding->out->command->name, '.') != NULL);
        bool is_key = key < finding->key_count && finding->keys[key].at == finding->arguments[i].at;

        if (i > 0)
            put_u8(&text, ' ');
        if (name)
            put_slice(&text, finding->arguments[i]);
        else if (is_key)
            put_object(&text, slice_first(finding->keys[key++], REDIS_VALUE_MAX));
        else
            put_u8(&text, '?');
    }
    finding->out->errand.statement =
        arena_copy(finding->arena, slice_first(buffer_slice(&text), REDIS_STATEMENT_MAX));
    buffer_free(&text);
    return finding->out->errand.statement.at != NULL || out_of_room(finding);
}

void
redis_words_full(const struct slice *arguments, size_t count, struct arena *arena,
                 struct redis_ask *ask)
{
    static const char *const secret[] = { "acl", "auth", "config", "hello", "migrate" };
    struct buffer text = { 0 };
    struct slice words;

    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        if (slice_starts(ask->errand.verb, slice_text(secret[i])))
            return;
    }
    for (size_t i = 0; i < count && text.size < REDIS_STATEMENT_MAX; i++) {
        if (i > 0)
            put_u8(&text, ' ');
        put_object(&text, slice_first(arguments[i], REDIS_VALUE_MAX));
    }
    words = arena_copy(arena, slice_first(buffer_slice(&text), REDIS_STATEMENT_MAX));
    buffer_free(&text);
    if (words.at != NULL)
        ask->errand.statement = words;
}

static bool
arity_holds(const struct redis_command *command, size_t count)
{
    return command->arity >= 0 ? count == (size_t)command->arity : count >= (size_t)-command->arity;
}

static bool
find_command(struct finding_keys *finding)
{
    struct redis_ask *out = finding->out;

    out->command = redis_command_find(finding->arguments[0]);
    if (out->command != NULL && out->command->manner == REDIS_CONTAINER)
        out->command =
            finding->count < 2 ? NULL : redis_subcommand_find(out->command, finding->arguments[1]);
    if (out->command == NULL)
        return refuse(finding, "unknown command, or unknown subcommand");
    out->errand.verb = slice_text(out->command->name);
    if (!arity_holds(out->command, finding->count))
        return refuse(finding, "wrong number of arguments");
    return true;
}

bool
redis_classify(const struct slice *arguments, size_t count, struct arena *arena,
               struct redis_ask *out, struct slice *why)
{
    struct finding_keys finding = {
        .arguments = arguments, .count = count, .arena = arena, .out = out, .why = why
    };
    size_t most = count < REDIS_KEYS_MAX ? count : REDIS_KEYS_MAX;

    *out = (struct redis_ask){ .errand = { .verb = SLICE_LITERAL("unknown") } };
    if (!find_command(&finding))
        return false;
    finding.keys = arena_take(arena, (most + 1) * sizeof(*finding.keys));
    if (finding.keys == NULL)
        return out_of_room(&finding);
    if (out->command->manner == REDIS_NEVER)
        return refuse(&finding, "this command does not pass the gateway");
    if (!find_keys(&finding) || !make_statement(&finding))
        return false;
    out->channels = (unsigned)finding.key_count;
    return out->command->manner == REDIS_FREE || make_touches(&finding);
}
