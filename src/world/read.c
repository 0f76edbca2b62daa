/* world/read.c - what lanes ask the world: who presents this token, under which policy. */
#include "inside.h"

const struct policy *
world_policy(const struct world_reader *reader)
{
    return atomic_load_explicit(&reader->world->picture, memory_order_acquire)->policy;
}

const struct upstream_view *
world_upstreams(const struct world_reader *reader, size_t *count, uint64_t *generation)
{
    const struct upstream_set *set =
        atomic_load_explicit(&reader->world->picture, memory_order_acquire)->upstreams;

    *count = set->count;
    *generation = set->generation;
    return set->views;
}

const char *
credential_verdict_text(enum credential_verdict verdict)
{
    switch (verdict) {
    case CREDENTIAL_OK:
        return "the token is valid";
    case CREDENTIAL_MALFORMED:
        return "this is no token";
    case CREDENTIAL_UNKNOWN:
        return "the token is not known";
    case CREDENTIAL_NOT_YET:
        return "the token is not valid yet";
    case CREDENTIAL_EXPIRED:
        return "the token has expired";
    case CREDENTIAL_IDLE:
        return "the token was not used for too long";
    case CREDENTIAL_EXHAUSTED:
        return "the token's uses are exhausted";
    case CREDENTIAL_REVOKED:
        return "the token was revoked";
    case CREDENTIAL_SUBJECT:
        return "a subject of the token is gone or disabled";
    case CREDENTIAL_PURPOSE:
        return "this credential is good for something else";
    }
    return "the token is not valid";
}

static enum credential_verdict
verdict_of(enum token_state state)
{
    static const enum credential_verdict verdicts[] = {
        [TOKEN_LIVE] = CREDENTIAL_OK,
        [TOKEN_NOT_YET] = CREDENTIAL_NOT_YET,
        [TOKEN_EXPIRED] = CREDENTIAL_EXPIRED,
        [TOKEN_IDLE] = CREDENTIAL_IDLE,
        [TOKEN_EXHAUSTED] = CREDENTIAL_EXHAUSTED,
        [TOKEN_REVOKED] = CREDENTIAL_REVOKED,
    };

    return verdicts[state];
}

/* All that one authentication looks at. */
struct presented {
    const struct picture *picture;
    const struct token_view *view;
    struct walk walk;
    enum token_purpose purpose;
    int64_t now;
    struct arena *arena;
    struct binding binding; /* the key to prove */
};

static struct slice
id_copy(struct arena *arena, const struct token_id *id)
{
    char text[TOKEN_ID_TEXT + 1];

    return arena_copy(arena, slice_of(token_id_format(id, text), TOKEN_ID_TEXT));
}

/* "ID", or "ID/HOP" with the last hop. */
static struct slice
presented_id(const struct token_view *view, struct arena *arena)
{
    char text[TOKEN_ID_TEXT + 1 + HOP_ID_TEXT + 1];
    size_t size = TOKEN_ID_TEXT;

    memcpy(text, view->id_text, TOKEN_ID_TEXT);
    for (size_t i = view->caveat_count; i-- > 0;) {
        if (view->caveats[i].kind == CAVEAT_HOP) {
            struct hop_id hop;
            memcpy(hop.bytes, view->caveats[i].value.at, HOP_ID_SIZE);
            text[size++] = '/';
            hop_id_format(&hop, text + size);
            size += HOP_ID_TEXT;
            break;
        }
    }
    return arena_copy(arena, slice_of(text, size));
}

/* Was any of the attenuations revoked? Those that followed it hang on it. */
static bool
hop_revoked(const struct presented *presented)
{
    const struct token_view *view = presented->view;

    for (size_t i = 0; i < view->caveat_count; i++) {
        struct hop_id hop;

        if (view->caveats[i].kind != CAVEAT_HOP)
            continue;
        memcpy(hop.bytes, view->caveats[i].value.at, HOP_ID_SIZE);
        if (world_hop_revoked(presented->picture->hops, &view->id, &hop))
            return true;
    }
    return false;
}

static int64_t
caveats_end(const struct token_view *view)
{
    int64_t end = TIME_NEVER;

    for (size_t i = 0; i < view->caveat_count; i++) {
        if (view->caveats[i].kind == CAVEAT_EXPIRES) {
            struct cursor in = cursor_over(view->caveats[i].value);
            uint64_t at;
            /* One that can't be read is over. */
            if (!take_be64(&in, &at))
                at = 0;
            end = (int64_t)at < end ? (int64_t)at : end;
        }
    }
    return end;
}

static bool
subjects_live(const struct presented *presented)
{
    for (size_t i = 0; i < presented->walk.count; i++) {
        struct subject_view subject;
        if (!policy_subject(presented->picture->policy, presented->walk.members[i]->subject,
                            &subject) ||
            subject.disabled)
            return false;
    }
    return true;
}

/* The key to prove: the token's own, or the last that was bound by leave of the one
 * before. False: somebody without that leave has bound one. */
static bool
key_in_force(const struct presented *presented, struct binding *out)
{
    const struct token_view *view = presented->view;
    const struct rarity *rarity = presented->walk.members[0]->rarity;

    *out = rarity == NULL ? (struct binding){ 0 } : rarity->binding;
    for (size_t i = 0; i < view->caveat_count; i++) {
        const struct caveat *caveat = &view->caveats[i];

        if (caveat->kind == CAVEAT_KEY
                ? out->kind != BINDING_NONE
                : caveat->kind == CAVEAT_KEY_SIGNED &&
                      (out->kind != BINDING_JKT || !token_rebind_holds(view, i, out->thumbprint)))
            return false;
        if (caveat->kind == CAVEAT_KEY || caveat->kind == CAVEAT_KEY_SIGNED) {
            out->kind = BINDING_JKT;
            memcpy(out->thumbprint, caveat->value.at, sizeof out->thumbprint);
        }
    }
    return true;
}

/* The gravest thing first; exhausted last, see token_state_at. */
static enum credential_verdict
judge(struct presented *presented)
{
    enum token_state state = world_walk_state(&presented->walk, presented->now);

    if (state == TOKEN_REVOKED || hop_revoked(presented))
        return CREDENTIAL_REVOKED;
    if (presented->walk.members[0]->purpose != presented->purpose)
        return CREDENTIAL_PURPOSE;
    if (!key_in_force(presented, &presented->binding))
        return CREDENTIAL_UNKNOWN;
    if (!subjects_live(presented))
        return CREDENTIAL_SUBJECT;
    if (state == TOKEN_EXPIRED || presented->now >= caveats_end(presented->view))
        return CREDENTIAL_EXPIRED;
    return verdict_of(state);
}

static bool
fill_link(struct lineage_link *link, const struct member *member, struct slice id_text)
{
    *link = (struct lineage_link){
        .token = id_text,
        .line = slice_of(&member->line->first.id, sizeof member->line->first.id),
        .subject = member->subject,
        .roles = member->roles->roles,
        .role_count = member->roles->count,
        .scope = member->scope == NULL ? NULL : member->scope->scope,
    };
    if (member->rarity != NULL && member->rarity->networks != NULL) {
        link->networks = member->rarity->networks->networks;
        link->network_count = member->rarity->networks->count;
    }
    return link->token.at != NULL;
}

/* The values of all caveats of a kind, copied. */
static bool
copy_values(const struct token_view *view, enum caveat_kind kind, struct arena *arena,
            const struct slice **out, size_t *count)
{
    struct slice *values;
    size_t found = 0;

    for (size_t i = 0; i < view->caveat_count; i++)
        found += view->caveats[i].kind == kind;
    *count = found;
    if (found == 0)
        return true;
    values = arena_take(arena, found * sizeof *values);
    if (values == NULL)
        return false;
    *out = values;
    for (size_t i = 0; i < view->caveat_count; i++) {
        if (view->caveats[i].kind != kind)
            continue;
        *values = arena_copy(arena, view->caveats[i].value);
        if (values++->at == NULL)
            return false;
    }
    return true;
}

/* Caveats that say something of the credential as a whole. */
static bool
fill_caveats(const struct token_view *view, struct arena *arena, struct credential *out)
{
    for (size_t i = 0; i < view->caveat_count; i++) {
        struct slice value = view->caveats[i].value;

        if (view->caveats[i].kind == CAVEAT_LABEL) {
            out->label = arena_copy(arena, value);
            if (out->label.at == NULL)
                return false;
        }
    }
    return true;
}

static bool
fill_lineage(const struct presented *presented, struct credential *out)
{
    const struct walk *walk = &presented->walk;
    struct lineage_link *links = arena_take(presented->arena, walk->count * sizeof *links);

    if (links == NULL)
        return false;
    out->expires_at = caveats_end(presented->view);
    for (size_t i = 0; i < walk->count; i++) {
        const struct member *member = walk->members[i];
        int64_t end = atomic_load_explicit(&member->expires_at, memory_order_relaxed);

        /* The presented token's id was written already. */
        if (!fill_link(&links[i], member,
                       i == 0 ? slice_first(out->id_text, TOKEN_ID_TEXT)
                              : id_copy(presented->arena, &member->id)))
            return false;
        out->expires_at = end < out->expires_at ? end : out->expires_at;
        out->counted |= member->line->max_uses != USES_UNLIMITED;
    }
    out->lineage = (struct lineage){ .links = links, .count = walk->count };
    return copy_values(presented->view, CAVEAT_RIGHTS, presented->arena, &links[0].narrowings,
                       &links[0].narrowing_count) &&
           copy_values(presented->view, CAVEAT_NETWORK, presented->arena, &links[0].caveat_networks,
                       &links[0].caveat_network_count);
}

/* Whom a child acts for. */
static bool
fill_chain(const struct presented *presented, struct credential *out)
{
    struct buffer text = { 0 };
    struct subject_view subject;

    for (size_t i = 1; i < out->lineage.count; i++) {
        const struct lineage_link *link = &out->lineage.links[i];
        bool known = policy_subject(presented->picture->policy, link->subject, &subject);

        if (i > 1)
            put_u8(&text, ' ');
        put_slice(&text, known ? subject.name : SLICE_LITERAL("-"));
        put_u8(&text, '/');
        put_slice(&text, link->token);
    }
    if (text.size > 0)
        out->chain = arena_copy(presented->arena, buffer_slice(&text));
    bool whole = buffer_status(&text) == STATUS_OK && (text.size == 0 || out->chain.at != NULL);
    buffer_free(&text);
    return whole;
}

/* What the audit wants of every token that exists. */
static void
fill_who(const struct presented *presented, struct credential *out)
{
    struct subject_view subject;

    out->id = presented->view->id;
    out->id_text = presented_id(presented->view, presented->arena);
    if (policy_subject(presented->picture->policy, presented->walk.members[0]->subject, &subject)) {
        out->subject = subject.name;
        out->subject_type = subject.type;
    }
}

static bool
fill(struct world *world, const struct presented *presented, struct credential *out)
{
    const struct member *member = presented->walk.members[0];

    out->line = member->line->first.id;
    out->binding = presented->binding;
    if (member->rarity != NULL)
        out->audience = rarity_audience(member->rarity);
    if (member->issued_by != NAME_NONE)
        out->issued_by = names_text(world->names, member->issued_by);
    return out->id_text.at != NULL && fill_lineage(presented, out) && fill_chain(presented, out) &&
           fill_caveats(presented->view, presented->arena, out);
}

static enum credential_verdict
authenticate(struct world_reader *reader, struct presented *presented, struct credential *out)
{
    struct world *world = reader->world;
    struct member *member = world_member_find(world, &presented->view->id);
    enum credential_verdict verdict;

    if (member == NULL) {
        out->id_text = presented_id(presented->view, presented->arena);
        return CREDENTIAL_UNKNOWN;
    }
    presented->picture = atomic_load_explicit(&world->picture, memory_order_acquire);
    world_walk(member, &presented->walk);
    fill_who(presented, out);
    verdict = judge(presented);
    if (verdict != CREDENTIAL_OK && verdict != CREDENTIAL_EXHAUSTED)
        return verdict;
    if (!fill(world, presented, out)) {
        *out = (struct credential){ 0 };
        return CREDENTIAL_UNKNOWN;
    }
    return verdict;
}

bool
credential_reaches(const struct credential *credential, struct slice name)
{
    struct slice rest = credential->audience, one;

    if (rest.size == 0)
        return true;
    while (slice_next(&rest, ' ', &one)) {
        if (slice_equal(one, name))
            return true;
    }
    return false;
}

/* A token among a million others is far away in memory: it comes while the text is read
 * and its code computed. What is asked for has no say. */
static void
expect_place(const void *tokens, const struct token_id *id)
{
    world_table_expect(tokens, id);
}

static void
expect_member(const void *tokens, const struct token_id *id)
{
    world_table_expect_member(tokens, id);
}

enum credential_verdict
world_authenticate_as(struct world_reader *reader, const struct presented_text *shown,
                      struct arena *arena, struct credential *out)
{
    const struct keyring *ring =
        atomic_load_explicit(&reader->world->keyring, memory_order_acquire);
    struct token_view view;
    struct presented presented = {
        .view = &view, .purpose = shown->purpose, .now = shown->now, .arena = arena
    };
    const struct token_expectant expectant = { expect_place, expect_member,
                                               &reader->world->tokens };
    enum credential_verdict verdict = CREDENTIAL_UNKNOWN;
    enum status status;

    *out = (struct credential){ 0 };
    if (ring == NULL || keyring_state_follow(reader->keys, ring) != STATUS_OK)
        return CREDENTIAL_UNKNOWN;
    status = token_recognize(shown->text, reader->keys, &expectant, &view);
    if (status == STATUS_INVALID)
        return CREDENTIAL_MALFORMED;
    if (status == STATUS_OK)
        verdict = authenticate(reader, &presented, out);
    token_view_wipe(&view);
    return verdict;
}

enum status
world_token_secret(struct world_reader *reader, struct slice public_text, struct token_secret *out)
{
    const struct keyring *ring =
        atomic_load_explicit(&reader->world->keyring, memory_order_acquire);

    if (ring == NULL || keyring_state_follow(reader->keys, ring) != STATUS_OK)
        return STATUS_CRYPTO;
    return token_secret_of(public_text, reader->keys, out);
}

enum credential_verdict
world_authenticate(struct world_reader *reader, struct slice text, int64_t now, struct arena *arena,
                   struct credential *out)
{
    const struct presented_text shown = { .text = text, .purpose = PURPOSE_ACCESS, .now = now };

    return world_authenticate_as(reader, &shown, arena, out);
}
