/* bridge/message.c - the outermost members of a JSON-RPC message (2.0, as MCP narrows it). */
#include "message.h"

#include "base/json_reader.h"

struct seen {
    struct slice id;
    bool version, method, result, error, initialize, null_id;
};

static bool
take_id(const struct json_piece *value, struct seen *seen)
{
    seen->id = value->raw;
    seen->null_id = value->token == JSON_TOKEN_NULL;
    return seen->null_id || value->token == JSON_TOKEN_STRING || value->token == JSON_TOKEN_NUMBER;
}

static bool
take_method(const struct json_piece *value, struct seen *seen)
{
    seen->method = value->token == JSON_TOKEN_STRING;
    seen->initialize = seen->method && slice_is(value->text, "initialize");
    return seen->method;
}

static bool
take_version(const struct json_piece *value, struct seen *seen)
{
    seen->version = value->token == JSON_TOKEN_STRING && slice_is(value->text, "2.0");
    return seen->version;
}

static bool
take_result(const struct json_piece *value, struct seen *seen)
{
    seen->result = true;
    return true;
}

static bool
take_error(const struct json_piece *value, struct seen *seen)
{
    seen->error = true;
    return true;
}

static const struct {
    const char *name;
    bool (*take)(const struct json_piece *value, struct seen *seen);
} members[] = {
    { "jsonrpc", take_version }, { "id", take_id },       { "method", take_method },
    { "result", take_result },   { "error", take_error },
};
enum { MEMBERS = sizeof members / sizeof members[0] };

/* The name is gone when its value is read. */
static bool
take_member(struct json_reader *reader, struct slice name, struct seen *seen)
{
    struct json_piece value;
    struct slice whole;
    size_t at = 0;

    while (at < MEMBERS && !slice_is(name, members[at].name))
        at++;
    (void)json_next(reader, &value);
    return (at == MEMBERS || members[at].take(&value, seen)) && json_skip(reader, &value, &whole);
}

/* A response answers with one of two; what asks has neither. An error whose id could not be
 * read has none (JSON-RPC 2.0 §5); a request with the id null is not MCP's. */
static const char *
judge(const struct seen *seen)
{
    if (!seen->version)
        return "jsonrpc is not \"2.0\"";
    if (seen->id.size > BRIDGE_ID_MAX)
        return "the id is too long";
    if (seen->method)
        return seen->result || seen->error ? "it asks and answers at once"
               : seen->null_id             ? "the id is null"
                                           : NULL;
    if (seen->result == seen->error)
        return "it neither asks nor answers";
    if (seen->id.size == 0 || (seen->null_id && seen->result))
        return "it answers nobody";
    return NULL;
}

bool
bridge_message_read(struct slice text, struct bridge_message *out, const char **why)
{
    struct json_reader reader;
    struct json_piece piece;
    struct seen seen = { 0 };
    bool read;

    json_reader_init(&reader, text);
    read = json_next(&reader, &piece) == JSON_TOKEN_OBJECT;
    while (read && json_next(&reader, &piece) == JSON_TOKEN_NAME)
        read = take_member(&reader, piece.text, &seen);
    read = read && piece.token == JSON_TOKEN_END && json_next(&reader, &piece) == JSON_TOKEN_DONE;
    *why = read ? judge(&seen) : "it is no JSON object that can be read in one way only";
    json_reader_free(&reader);
    if (*why != NULL)
        return false;
    *out = (struct bridge_message){
        .kind = !seen.method        ? BRIDGE_RESPONSE
                : seen.id.size == 0 ? BRIDGE_NOTIFICATION
                                    : BRIDGE_REQUEST,
        .id = seen.id,
        .initialize = seen.initialize,
        .failed = seen.error,
    };
    return true;
}
