/* gateway/mcp/message.c - reads a message without a tree. */
#include "message.h"

#include "base/json_reader.h"

enum {
    MCP_PARSE_ERROR = -32700,
    MCP_INVALID_REQUEST = -32600,
    PATH_MAX_SIZE = 1024,
    DECODED_MAX = 16384
};

struct reading {
    struct json_reader reader;
    struct arena *arena;
    struct mcp_message *out;
    bool version, result, error; /* which members came */
    const char *why;
    int code;
};

static bool
refuse(struct reading *in, const char *why, int code)
{
    if (in->why == NULL) {
        in->why = why;
        in->code = code;
    }
    return false;
}

/* What the reader itself found wrong is no JSON. */
static bool
take(struct reading *in, struct json_piece *piece)
{
    if (json_next(&in->reader, piece) != JSON_TOKEN_WRONG)
        return true;
    return refuse(in, in->reader.why, MCP_PARSE_ERROR);
}

static bool
skip(struct reading *in, const struct json_piece *first)
{
    struct slice whole;

    return json_skip(&in->reader, first, &whole) || refuse(in, in->reader.why, MCP_PARSE_ERROR);
}

/* A text where one must be. */
static bool
take_text(struct reading *in, struct slice *out)
{
    struct json_piece piece;

    if (!take(in, &piece))
        return false;
    if (piece.token != JSON_TOKEN_STRING)
        return refuse(in, "a member of the message is no text", MCP_INVALID_REQUEST);
    *out = arena_copy(in->arena, piece.text);
    return out->at != NULL || refuse(in, "the message is too large", MCP_INVALID_REQUEST);
}

/* --- names that some readers take for the same ------------------------------------------ */

/* Go's decoder takes a member in any case, and folds two characters beside ASCII to it: the
 * long s (U+017F) and the Kelvin sign (U+212A). Returns the byte, and steps over it. */
static char
folded(struct slice *text)
{
    struct slice at = *text;
    char byte = at.at[0];

    *text = slice_from(at, 1);
    if (slice_starts(at, SLICE_LITERAL("\xc5\xbf"))) {
        *text = slice_from(at, 2);
        return 's';
    }
    if (slice_starts(at, SLICE_LITERAL("\xe2\x84\xaa"))) {
        *text = slice_from(at, 3);
        return 'k';
    }
    return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

bool
mcp_folds_alike(struct slice a, struct slice b)
{
    while (a.size > 0 && b.size > 0) {
        if (folded(&a) != folded(&b))
            return false;
    }
    return a.size == b.size;
}

/* Two arguments of which a server may take one for the other. */
static bool
arguments_differ(struct reading *in)
{
    const struct mcp_message *out = in->out;

    for (size_t i = 0; i < out->fact_count; i++) {
        for (size_t j = i + 1; j < out->fact_count; j++) {
            if (mcp_folds_alike(out->facts[i].name, out->facts[j].name))
                return refuse(in, "two arguments differ in the case of their names alone",
                              MCP_INVALID_REQUEST);
        }
    }
    return true;
}

/* --- arguments ---------------------------------------------------------------------- */

/* As it stands in the message; decoded where it has escapes. A long one that is not plain is
 * no text that a condition could hold for. */
static struct slice
fact_text(struct reading *in, const struct json_piece *piece, enum fact_kind *kind)
{
    struct slice copy;

    if (piece->token != JSON_TOKEN_STRING)
        return piece->raw;
    if (piece->raw.size == piece->text.size + 2)
        return slice_of(piece->raw.at + 1, piece->text.size);
    copy =
        piece->text.size > DECODED_MAX ? (struct slice){ 0 } : arena_copy(in->arena, piece->text);
    if (copy.at != NULL)
        return copy;
    *kind = FACT_OTHER;
    return piece->raw;
}

static bool
add_fact(struct reading *in, struct slice path, const struct json_piece *piece)
{
    static const enum fact_kind kinds[] = {
        [JSON_TOKEN_STRING] = FACT_TEXT,  [JSON_TOKEN_NUMBER] = FACT_NUMBER,
        [JSON_TOKEN_TRUE] = FACT_TRUE,    [JSON_TOKEN_FALSE] = FACT_FALSE,
        [JSON_TOKEN_NULL] = FACT_NULL,    [JSON_TOKEN_ARRAY] = FACT_OTHER,
        [JSON_TOKEN_OBJECT] = FACT_OTHER,
    };
    struct mcp_message *out = in->out;
    enum fact_kind kind = kinds[piece->token];
    struct slice text = fact_text(in, piece, &kind);

    if (out->facts == NULL)
        out->facts = arena_take(in->arena, MCP_FACTS_MAX * sizeof *out->facts);
    if (out->facts == NULL || out->fact_count == MCP_FACTS_MAX)
        return refuse(in, "the call has more arguments than can be judged", MCP_INVALID_REQUEST);
    out->facts[out->fact_count] = (struct fact){
        .name = arena_copy(in->arena, path),
        .text = text,
        .kind = kind,
    };
    if (out->facts[out->fact_count].name.at == NULL)
        return refuse(in, "the call has more arguments than can be judged", MCP_INVALID_REQUEST);
    out->fact_count++;
    return true;
}

/* Nothing that a name holds can be taken for a step of the path. */
static void
put_step(struct buffer *path, struct slice name)
{
    put_u8(path, '.');
    for (size_t i = 0; i < name.size; i++) {
        if (name.at[i] == '.' || name.at[i] == '%')
            put_format(path, "%%%02X", (unsigned)(uint8_t)name.at[i]);
        else
            put_u8(path, (uint8_t)name.at[i]);
    }
}

/* The members of an object that is open, each with its path. */
static bool
take_arguments(struct reading *in, struct buffer *path)
{
    struct json_piece piece;
    size_t size = path->size;

    for (;;) {
        if (!take(in, &piece))
            return false;
        if (piece.token == JSON_TOKEN_END)
            return true;
        put_step(path, piece.text);
        if (buffer_status(path) != STATUS_OK)
            return refuse(in, "an argument's name is too long", MCP_INVALID_REQUEST);
        if (!take(in, &piece) || !add_fact(in, buffer_slice(path), &piece))
            return false;
        if (piece.token == JSON_TOKEN_OBJECT ? !take_arguments(in, path) : !skip(in, &piece))
            return false;
        path->size = size;
    }
}

static bool
read_arguments(struct reading *in)
{
    struct buffer path = BUFFER_LIMITED(PATH_MAX_SIZE);
    struct json_piece piece;
    bool read = false;

    if (!take(in, &piece))
        return false;
    put_text(&path, "arguments");
    if (piece.token == JSON_TOKEN_OBJECT)
        read = take_arguments(in, &path) && arguments_differ(in);
    else if (piece.token == JSON_TOKEN_NULL)
        read = true;
    else
        (void)refuse(in, "the arguments are no object", MCP_INVALID_REQUEST);
    buffer_free(&path);
    return read;
}

/* --- params -------------------------------------------------------------------------- */

/* A reference of completion: {type, name} or {type, uri}. */
static bool
read_ref(struct reading *in)
{
    struct json_piece piece;

    if (!take(in, &piece))
        return false;
    if (piece.token != JSON_TOKEN_OBJECT)
        return skip(in, &piece);
    for (;;) {
        if (!take(in, &piece))
            return false;
        if (piece.token == JSON_TOKEN_END)
            return true;
        if (slice_is(piece.text, "name") || slice_is(piece.text, "uri")) {
            bool uri = slice_is(piece.text, "uri");
            if (!take_text(in, uri ? &in->out->uri : &in->out->name))
                return false;
        } else if (!take(in, &piece) || !skip(in, &piece)) {
            return false;
        }
    }
}

/* A member that is looked at, spelled otherwise, could hide what a server reads. */
static bool
is_spelled_right(struct slice name)
{
    static const char *const read[] = { "name", "uri",       "taskId", "protocolVersion",
                                        "task", "arguments", "ref" };

    for (size_t i = 0; i < sizeof read / sizeof read[0]; i++) {
        if (mcp_folds_alike(name, slice_text(read[i])) && !slice_is(name, read[i]))
            return false;
    }
    return true;
}

/* {ttl}: the answer comes at once, and tells where its result will be. */
static bool
read_task(struct reading *in)
{
    struct json_piece piece;

    if (!take(in, &piece))
        return false;
    in->out->outlasts = piece.token != JSON_TOKEN_NULL;
    return skip(in, &piece);
}

static bool
read_param(struct reading *in, struct slice name)
{
    struct json_piece piece;

    if (!is_spelled_right(name))
        return refuse(in, "a member of the params is spelled in another case than MCP says",
                      MCP_INVALID_REQUEST);
    if (slice_is(name, "name"))
        return take_text(in, &in->out->name);
    if (slice_is(name, "uri"))
        return take_text(in, &in->out->uri);
    if (slice_is(name, "taskId"))
        return take_text(in, &in->out->task);
    if (slice_is(name, "protocolVersion"))
        return take_text(in, &in->out->level_version);
    if (slice_is(name, "arguments"))
        return read_arguments(in);
    if (slice_is(name, "ref"))
        return read_ref(in);
    if (slice_is(name, "task"))
        return read_task(in);
    return take(in, &piece) && skip(in, &piece);
}

static bool
read_params(struct reading *in)
{
    struct json_piece piece;

    if (!take(in, &piece))
        return false;
    if (piece.token != JSON_TOKEN_OBJECT)
        return refuse(in, "the params are no object", MCP_INVALID_REQUEST);
    for (;;) {
        if (!take(in, &piece))
            return false;
        if (piece.token == JSON_TOKEN_END)
            return true;
        /* The name's text lives until the next token. */
        struct slice name = arena_copy(in->arena, piece.text);
        if (name.at == NULL)
            return refuse(in, "the message is too large", MCP_INVALID_REQUEST);
        if (!read_param(in, name))
            return false;
    }
}

/* --- the envelope ------------------------------------------------------------------------ */

static bool
read_id(struct reading *in)
{
    struct json_piece piece;

    if (!take(in, &piece))
        return false;
    if (piece.token == JSON_TOKEN_NULL)
        return true;
    if ((piece.token != JSON_TOKEN_STRING && piece.token != JSON_TOKEN_NUMBER) ||
        piece.raw.size > MCP_ID_MAX)
        return refuse(in, "the id is neither a short text nor a number", MCP_INVALID_REQUEST);
    in->out->id = piece.raw;
    return true;
}

static bool
read_version(struct reading *in)
{
    struct slice version;

    if (!take_text(in, &version))
        return false;
    in->version = true;
    return slice_is(version, "2.0") ||
           refuse(in, "the message is not JSON-RPC 2.0", MCP_INVALID_REQUEST);
}

static bool
read_other(struct reading *in, bool *seen)
{
    struct json_piece piece;

    *seen = true;
    return take(in, &piece) && skip(in, &piece);
}

static bool
read_member(struct reading *in, struct slice name)
{
    if (slice_is(name, "jsonrpc"))
        return read_version(in);
    if (slice_is(name, "id"))
        return read_id(in);
    if (slice_is(name, "method"))
        return take_text(in, &in->out->method) &&
               ((in->out->method.size > 0 && in->out->method.size <= MCP_METHOD_MAX) ||
                refuse(in, "the method is too long", MCP_INVALID_REQUEST));
    if (slice_is(name, "params"))
        return read_params(in);
    if (slice_is(name, "result"))
        return read_other(in, &in->result);
    if (slice_is(name, "error"))
        return read_other(in, &in->error);
    return refuse(in, "the message has a member that JSON-RPC does not know", MCP_INVALID_REQUEST);
}

static bool
read_message(struct reading *in)
{
    struct json_piece piece;

    if (!take(in, &piece))
        return false;
    if (piece.token != JSON_TOKEN_OBJECT)
        return refuse(in,
                      piece.token == JSON_TOKEN_ARRAY ? "batches are not taken: send one message"
                                                      : "the message is no object",
                      MCP_INVALID_REQUEST);
    for (;;) {
        if (!take(in, &piece))
            return false;
        if (piece.token == JSON_TOKEN_END)
            return take(in, &piece);
        struct slice name = arena_copy(in->arena, piece.text);
        if (name.at == NULL)
            return refuse(in, "the message is too large", MCP_INVALID_REQUEST);
        if (!read_member(in, name))
            return false;
    }
}

/* One of three shapes, and nothing between them. */
static bool
find_kind(struct reading *in)
{
    struct mcp_message *out = in->out;
    bool answers = in->result || in->error;

    if (!in->version || (in->result && in->error) || (out->method.size > 0) == answers)
        return refuse(in, "the message is neither a request, a notification nor a response",
                      MCP_INVALID_REQUEST);
    out->kind = answers ? MCP_RESPONSE : out->id.size > 0 ? MCP_REQUEST : MCP_NOTIFICATION;
    return true;
}

bool
mcp_message_read(struct slice bytes, struct arena *arena, struct mcp_message *out, const char **why,
                 int *code)
{
    struct reading in = { .arena = arena, .out = out };
    bool read;

    *out = (struct mcp_message){ 0 };
    json_reader_init(&in.reader, bytes);
    read = read_message(&in) && find_kind(&in);
    *why = in.why != NULL ? in.why : "";
    *code = in.code;
    json_reader_free(&in.reader);
    return read;
}
