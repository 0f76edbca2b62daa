/* gateway/mcp/prune.c - takes items out of a list and leaves every other byte as it is. */
#include "answers.h"

#include "base/json_reader.h"
#include "message.h"

static const struct {
    const char *list, *item, *use;
    bool uri, tools;
} lists[] = {
    { "tools", "name", "tools.call", false, true },
    { "resources", "uri", "resources.read", true, false },
    { "resourceTemplates", "uriTemplate", "resources.read", true, false },
    { "prompts", "name", "prompts.get", false, false },
};
enum { LIST_COUNT = sizeof lists / sizeof lists[0] };

struct pruning {
    struct json_reader reader;
    const struct mcp_sight *sight;
    struct buffer *out;
    const char *copied; /* all before is written */
};

static void
copy_to(struct pruning *in, const char *to)
{
    put_bytes(in->out, in->copied, (size_t)(to - in->copied));
    in->copied = to;
}

/* An item that is open: is it seen? One without its name is not; one with another name that some
 * clients take for it makes the answer unreadable. */
static bool
read_item(struct pruning *in, size_t list, bool *seen)
{
    struct json_piece piece;
    struct slice whole;
    bool named;

    *seen = false;
    for (;;) {
        if (json_next(&in->reader, &piece) == JSON_TOKEN_WRONG)
            return false;
        if (piece.token == JSON_TOKEN_END)
            return true;
        named = slice_is(piece.text, lists[list].item);
        if (!named && mcp_folds_alike(piece.text, slice_text(lists[list].item)))
            return false;
        if (json_next(&in->reader, &piece) == JSON_TOKEN_WRONG)
            return false;
        if (named && piece.token == JSON_TOKEN_STRING)
            *seen =
                in->sight->sees(in->sight->context, lists[list].use, piece.text, lists[list].uri);
        if (!json_skip(&in->reader, &piece, &whole))
            return false;
    }
}

/* The item that began at `from` is over. */
static bool
is_approved(const struct pruning *in, size_t list, const char *from)
{
    const struct mcp_sight *sight = in->sight;

    return !lists[list].tools || sight->approves == NULL ||
           sight->approves(sight->context, slice_of(from, (size_t)(in->reader.at - from)));
}

/* A list that begins with this piece. Null is an empty one; of anything else it is not known what
 * its items are. */
static bool
prune_list(struct pruning *in, size_t list, const struct json_piece *first)
{
    struct json_piece piece;
    const char *from;
    size_t kept = 0;
    bool seen = false;

    if (first->token != JSON_TOKEN_ARRAY)
        return first->token == JSON_TOKEN_NULL;
    copy_to(in, in->reader.at);
    for (;;) {
        if (json_next(&in->reader, &piece) == JSON_TOKEN_WRONG)
            return false;
        if (piece.token == JSON_TOKEN_END)
            break;
        from = piece.raw.at;
        if (piece.token != JSON_TOKEN_OBJECT || !read_item(in, list, &seen))
            return false;
        if (!is_approved(in, list, from) || !seen)
            continue;
        put_text(in->out, kept++ > 0 ? "," : "");
        put_bytes(in->out, from, (size_t)(in->reader.at - from));
    }
    in->copied = piece.raw.at;
    return true;
}

/* A name that some clients take for one that is looked at would pass unread. */
static bool
is_spelled_right(struct slice name)
{
    for (size_t i = 0; i < LIST_COUNT; i++) {
        if (mcp_folds_alike(name, slice_text(lists[i].list)) && !slice_is(name, lists[i].list))
            return false;
    }
    return !mcp_folds_alike(name, SLICE_LITERAL("instructions")) || slice_is(name, "instructions");
}

static size_t
list_named(struct slice name)
{
    size_t i = 0;

    while (i < LIST_COUNT && !slice_is(name, lists[i].list))
        i++;
    return i;
}

/* Instructions that begin with this piece. */
static bool
prune_instructions(struct pruning *in, const struct json_piece *piece)
{
    struct slice whole;

    if (!json_skip(&in->reader, piece, &whole))
        return false;
    if (in->sight->instructs(in->sight->context, whole))
        return true;
    copy_to(in, whole.at);
    put_text(in->out, "\"\"");
    in->copied = whole.at + whole.size;
    return true;
}

/* The members of the result. */
static bool
prune_result(struct pruning *in)
{
    struct json_piece piece;
    struct slice whole;
    bool instructs;
    size_t list;

    for (;;) {
        if (json_next(&in->reader, &piece) == JSON_TOKEN_WRONG)
            return false;
        if (piece.token == JSON_TOKEN_END)
            return true;
        if (!is_spelled_right(piece.text))
            return false;
        list = list_named(piece.text);
        instructs = in->sight->instructs != NULL && slice_is(piece.text, "instructions");
        if (json_next(&in->reader, &piece) == JSON_TOKEN_WRONG)
            return false;
        if (!(list < LIST_COUNT ? prune_list(in, list, &piece)
              : instructs       ? prune_instructions(in, &piece)
                                : json_skip(&in->reader, &piece, &whole)))
            return false;
    }
}

static bool
prune_message(struct pruning *in)
{
    struct json_piece piece;
    struct slice whole;
    bool result;

    if (json_next(&in->reader, &piece) != JSON_TOKEN_OBJECT)
        return false;
    for (;;) {
        if (json_next(&in->reader, &piece) == JSON_TOKEN_WRONG)
            return false;
        if (piece.token == JSON_TOKEN_END)
            return json_next(&in->reader, &piece) == JSON_TOKEN_DONE;
        result = slice_is(piece.text, "result");
        if (json_next(&in->reader, &piece) == JSON_TOKEN_WRONG)
            return false;
        if (result && piece.token == JSON_TOKEN_OBJECT ? !prune_result(in)
                                                       : !json_skip(&in->reader, &piece, &whole))
            return false;
    }
}

bool
mcp_prune(struct slice message, const struct mcp_sight *sight, struct buffer *out)
{
    struct pruning in = { .sight = sight, .out = out, .copied = message.at };
    bool pruned;

    json_reader_init(&in.reader, message);
    pruned = prune_message(&in);
    if (pruned)
        copy_to(&in, message.at + message.size);
    json_reader_free(&in.reader);
    return pruned && buffer_status(out) == STATUS_OK;
}
