/* test/unit/store/property.c - after any run of changes, what the store gives back
 * is what a naive model holds. */
#include "fixture.h"

enum { TOKENS = 200, HOPS = 4, ROLES = 8, STEPS = 1500, BATCH = 12 };

/* The model: plain arrays by number, and the rules of the changes spelled out. */
struct member {
    bool there;
    uint32_t line, order;
    int64_t issued_at, end;
    const char *subject, *roles;
};
struct model {
    struct member members[TOKENS];
    int64_t revoked_at[TOKENS], last_used[TOKENS]; /* by line */
    uint32_t uses[TOKENS];
    int64_t hops[TOKENS][HOPS]; /* its end, 0: none */
    int roles[ROLES];           /* what the body says, 0: none */
    uint32_t order;
};

static const char *const subjects[] = { "amara", "nightly", "copilot" };
static const char *const role_lists[] = { "", "admin", "support", "admin support" };
static const char *const role_names[ROLES] = { "a", "b", "c", "d", "e", "f", "g", "h" };
static const char *const bodies[] = { "", "one", "two", "three" };
static uint64_t dice_state;

static uint32_t
dice(uint32_t sides)
{
    /* splitmix64 */
    uint64_t z = dice_state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % sides);
}

static bool
line_there(const struct model *model, uint32_t line)
{
    for (uint32_t i = 1; i < TOKENS; i++) {
        if (model->members[i].there && model->members[i].line == line)
            return true;
    }
    return false;
}

static void
line_clear(struct model *model, uint32_t line)
{
    model->revoked_at[line] = TIME_NEVER;
    model->last_used[line] = 0;
    model->uses[line] = 0;
}

/* Each of these makes a random change, applies it to the model, and is false when
 * the store has to refuse it. */
static bool
try_issue(struct model *model, struct change *out)
{
    uint32_t number, predecessor = 1 + dice(TOKENS - 1);
    const struct member *before = &model->members[predecessor];
    struct member *member;
    bool rotation = dice(3) == 0;

    /* Ids are random: the name of a line that lives on never comes again. */
    do
        number = 1 + dice(TOKENS - 1);
    while (!model->members[number].there && line_there(model, number));
    member = &model->members[number];

    *out = rotation ? rotated(number, before->there ? before->line : predecessor, predecessor,
                              1000000 + dice(200000000))
                    : issued(number);
    out->token.issued_at = 1000000 + dice(50);
    out->token.subject = slice_text(subjects[dice(3)]);
    out->token.roles = slice_text(role_lists[dice(4)]);
    if (member->there || (rotation && !before->there))
        return false;
    *member = (struct member){ .there = true,
                               .line = rotation ? before->line : number,
                               .order = ++model->order,
                               .issued_at = out->token.issued_at,
                               .end = out->token.expires_at,
                               .subject = out->token.subject.at,
                               .roles = out->token.roles.at };
    if (rotation && model->members[predecessor].end > out->expires_at)
        model->members[predecessor].end = out->expires_at;
    return true;
}

static bool
try_line(struct model *model, struct change *out)
{
    uint32_t line = 1 + dice(TOKENS - 1);
    bool there = line_there(model, line);

    if (dice(2) == 0) {
        *out = line_revoked(line, 1 + dice(1000));
        if (there && model->revoked_at[line] > out->at)
            model->revoked_at[line] = out->at;
        return there;
    }
    *out = line_used(line, 1 + dice(100), 1 + dice(1000));
    if (there && model->uses[line] < out->uses)
        model->uses[line] = out->uses;
    if (there && model->last_used[line] < out->at)
        model->last_used[line] = out->at;
    return true;
}

static bool
try_hop(struct model *model, struct change *out)
{
    uint32_t number = 1 + dice(TOKENS - 1), hop = dice(HOPS);

    *out = hop_revoked(number, (uint8_t)hop, TIME_NEVER - dice(100));
    if (!model->members[number].there)
        return false;
    if (model->hops[number][hop] < out->expires_at)
        model->hops[number][hop] = out->expires_at;
    return true;
}

static bool
try_forget(struct model *model, struct change *out)
{
    uint32_t number = 1 + dice(TOKENS - 1);
    struct member *member = &model->members[number];

    *out = forgotten(number);
    if (member->there) {
        member->there = false;
        memset(model->hops[number], 0, sizeof(model->hops[number]));
        if (!line_there(model, member->line))
            line_clear(model, member->line);
    }
    return true;
}

static bool
try_role(struct model *model, struct change *out)
{
    uint32_t role = dice(ROLES);
    int body = 1 + (int)dice(3);

    *out =
        named(dice(3) == 0 ? CHANGE_ROLE_DROPPED : CHANGE_ROLE_PUT, role_names[role], bodies[body]);
    model->roles[role] = out->kind == CHANGE_ROLE_PUT ? body : 0;
    return true;
}

static bool (*const tries[])(struct model *, struct change *) = {
    try_issue, try_issue, try_issue, try_line, try_line, try_hop, try_forget, try_role,
};

/* A batch that holds a change to be refused changes nothing at all. */
static void
random_batch(struct store *store, struct model *model)
{
    struct change changes[BATCH];
    struct model next = *model;
    size_t count = 1 + dice(BATCH);
    uint64_t before = store_seq(store), seq = 0;
    bool possible = true;
    enum status status;

    /* Mostly what is allowed, so that something gets done. */
    for (size_t i = 0; i < count; i++) {
        struct model kept = next;
        bool allowed = tries[dice(sizeof(tries) / sizeof(tries[0]))](&next, &changes[i]);

        /* In a fleet the world, which has seen all, refuses before the store is asked. */
        if (!allowed && (dice(30) != 0 || store_url() != NULL)) {
            next = kept;
            i--;
            continue;
        }
        possible = possible && allowed;
    }
    status = store_append(store, changes, count, &seq, NULL);
    assert_true((status == STATUS_OK) == possible);
    assert_int_equal(store_seq(store), possible ? before + count : before);
    if (possible)
        *model = next;
}

struct replay {
    struct model model;
};

static enum status
replay_one(void *context, const struct change *change)
{
    struct replay *replay = context;
    struct model *model = &replay->model;
    const struct token_record *token = &change->token;
    uint32_t number = number_of(&change->id);

    switch (change->kind) {
    case CHANGE_TOKEN_ISSUED:
    case CHANGE_TOKEN_ROTATED:
        model->members[number_of(&token->id)] = (struct member){ .there = true,
                                                                 .line = number_of(&token->line),
                                                                 .order = ++model->order,
                                                                 .issued_at = token->issued_at,
                                                                 .end = token->expires_at };
        break;
    case CHANGE_LINE_REVOKED:
        model->revoked_at[number] = change->at;
        break;
    case CHANGE_LINE_USED:
        model->uses[number] = change->uses;
        model->last_used[number] = change->at;
        break;
    case CHANGE_HOP_REVOKED:
        model->hops[number][change->hop.bytes[0]] = change->expires_at;
        break;
    case CHANGE_ROLE_PUT:
        for (int i = 0; i < ROLES; i++) {
            if (slice_is(change->name, role_names[i]))
                model->roles[i] = slice_is(change->body, "one")   ? 1
                                  : slice_is(change->body, "two") ? 2
                                                                  : 3;
        }
        break;
    default:
        fail_msg("unexpected %s", change_kind_name(change->kind));
    }
    return STATUS_OK;
}

static void
model_clear(struct model *model)
{
    *model = (struct model){ .order = 0 };
    for (uint32_t i = 0; i < TOKENS; i++)
        line_clear(model, i);
}

static void
compare_load(struct store *store, const struct model *model)
{
    static struct replay replay;
    struct fault fault;

    model_clear(&replay.model);
    assert_int_equal(store_load(store, replay_one, &replay, &fault), STATUS_OK);
    for (uint32_t i = 1; i < TOKENS; i++) {
        const struct member *want = &model->members[i], *have = &replay.model.members[i];

        assert_int_equal(have->there, want->there);
        if (want->there) {
            assert_int_equal(have->line, want->line);
            assert_int_equal(have->issued_at, want->issued_at);
            assert_int_equal(have->end, want->end);
        }
        assert_int_equal(replay.model.revoked_at[i], model->revoked_at[i]);
        assert_int_equal(replay.model.last_used[i], model->last_used[i]);
        assert_int_equal(replay.model.uses[i], model->uses[i]);
        assert_memory_equal(replay.model.hops[i], model->hops[i], sizeof(model->hops[i]));
        /* Parents and predecessors first: the order is that of issue. */
        for (uint32_t j = 1; j < TOKENS && store_url() == NULL; j++) {
            if (want->there && model->members[j].there)
                assert_int_equal(have->order < replay.model.members[j].order,
                                 want->order < model->members[j].order);
        }
    }
    assert_memory_equal(replay.model.roles, model->roles, sizeof(model->roles));
}

static bool
has_role(const char *list, const char *role)
{
    struct slice rest = slice_text(list), each;

    while (slice_next(&rest, ' ', &each)) {
        if (slice_is(each, role))
            return true;
    }
    return false;
}

struct listed {
    uint32_t numbers[TOKENS];
    size_t count;
    const struct model *model;
};

static enum status
list_one(void *context, const struct store_token *token)
{
    struct listed *listed = context;
    uint32_t number = number_of(&token->record.id), line = number_of(&token->record.line);

    assert_true(listed->count < TOKENS);
    listed->numbers[listed->count++] = number;
    assert_int_equal(token->life.expires_at, listed->model->members[number].end);
    assert_int_equal(token->life.revoked_at, listed->model->revoked_at[line]);
    assert_int_equal(token->life.uses, listed->model->uses[line]);
    assert_int_equal(token->life.last_used, listed->model->last_used[line]);
    return STATUS_OK;
}

static bool
wanted(const struct model *model, const struct store_token_query *query, uint32_t number)
{
    const struct member *member = &model->members[number];

    return member->there &&
           (query->subject.size == 0 || slice_is(query->subject, member->subject)) &&
           (query->role.size == 0 || has_role(member->roles, query->role.at)) &&
           (token_id_is_none(&query->line) || number_of(&query->line) == member->line) &&
           (query->issued_before == 0 || member->issued_at < query->issued_before) &&
           (!query->live_only ||
            (model->revoked_at[member->line] == TIME_NEVER && member->end > query->now));
}

/* Newest first: later moments before earlier ones, and in one moment what came
 * last before what came first. */
static bool
in_order(const struct model *model, uint32_t a, uint32_t b)
{
    const struct member *first = &model->members[a], *second = &model->members[b];

    if (store_url() != NULL) { /* many write at once: in one moment the id decides */
        struct token_id one = id_of(a), two = id_of(b);
        return first->issued_at > second->issued_at ||
               (first->issued_at == second->issued_at && memcmp(&one, &two, sizeof one) > 0);
    }
    return first->issued_at > second->issued_at ||
           (first->issued_at == second->issued_at && first->order > second->order);
}

static void
compare_query(struct store *store, const struct model *model)
{
    struct store_token_query query = { .limit = 1 + dice(40) };
    struct listed listed = { .count = 0, .model = model };
    struct buffer next = { 0 }, cursor = { 0 };
    size_t count = 0;

    if (dice(2) == 0)
        query.subject = slice_text(subjects[dice(3)]);
    if (dice(2) == 0)
        query.role = slice_text(role_lists[1 + dice(2)]);
    if (dice(4) == 0)
        query.line = id_of(1 + dice(TOKENS - 1));
    if (dice(3) == 0)
        query.issued_before = 1000000 + 1 + dice(55);
    query.live_only = dice(2) == 0;
    query.now = 1000000 + dice(100000000);
    do {
        buffer_clear(&cursor);
        put_slice(&cursor, buffer_slice(&next));
        query.cursor = buffer_slice(&cursor);
        assert_int_equal(store_tokens(store, &query, list_one, &listed, &next), STATUS_OK);
    } while (next.size > 0);
    for (uint32_t i = 1; i < TOKENS; i++)
        count += wanted(model, &query, i);
    assert_int_equal(listed.count, count);
    for (size_t i = 0; i < listed.count; i++) {
        assert_true(wanted(model, &query, listed.numbers[i]));
        if (i > 0)
            assert_true(in_order(model, listed.numbers[i - 1], listed.numbers[i]));
    }
    buffer_free(&next);
    buffer_free(&cursor);
}

static void
the_store_is_the_model(void **state)
{
    static struct model model;
    struct store *store = opened();

    model_clear(&model);
    for (int step = 1; step <= STEPS; step++) {
        random_batch(store, &model);
        if (step % 50 == 0) {
            compare_load(store, &model);
            for (int i = 0; i < 20; i++)
                compare_query(store, &model);
        }
        if (step % 500 == 0) {
            store_close(store);
            store = opened();
            compare_load(store, &model);
        }
    }
    store_close(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_store_is_the_model, place_make, place_clear),
    };
    const char *seed = getenv("WRIT_SEED");

    dice_state = seed == NULL ? (uint64_t)clock_wall_ms() : strtoull(seed, NULL, 10);
    printf("WRIT_SEED=%llu\n", (unsigned long long)dice_state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
