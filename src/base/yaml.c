/* base/yaml.c - YAML files, read event by event (libyaml's own tree accepts
 * duplicate keys and knows aliases). */
#include "base/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <yaml.h>

enum {
    NODES_MOST = 4 << 20,
    PATH_MOST = 64 << 10,      /* bytes of one JSON pointer */
    POINTERS_MOST = 256 << 20, /* bytes of all of them */
};

static const char no_alias[] =
    "aliases (*) are not supported; a text that begins with * needs quotes";

struct place {
    uint32_t pointer, size; /* its JSON pointer: where in pointers, how long */
    uint32_t line, column;
};

struct yaml {
    json_t *root;
    struct buffer pointers; /* the pointer of every node, one behind the other */
    struct buffer places;   /* struct place each, in the order of the file */
};

/* Reading: one document on its way in. */
struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; deleted when the next is asked for */
    bool has_event;
    struct yaml *yaml;
    struct buffer path; /* JSON pointer of the node being read */
    unsigned depth, nodes;
    struct fault *fault;
};

static enum status read_node(struct reader *reader, json_t **out);

static enum status
refuse_at(struct reader *reader, enum status status, yaml_mark_t mark, const char *what)
{
    struct fault *fault = reader->fault;

    put_u8(&reader->path, '\0');
    (void)fault_at(fault, status,
                   buffer_status(&reader->path) == STATUS_OK ? reader->path.bytes : "", "%s", what);
    if (fault != NULL) {
        fault->line = (unsigned)mark.line + 1;
        fault->column = (unsigned)mark.column + 1;
    }
    return status;
}

static enum status
refuse(struct reader *reader, const char *what)
{
    return refuse_at(reader, STATUS_INVALID, reader->event.start_mark, what);
}

static enum status
out_of_memory(struct reader *reader)
{
    return refuse_at(reader, STATUS_MEMORY, reader->event.start_mark, "out of memory");
}

static enum status
next_event(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;

    if (reader->has_event)
        yaml_event_delete(&reader->event);
    reader->has_event = yaml_parser_parse(&reader->parser, &reader->event) == 1;
    if (reader->has_event)
        return STATUS_OK;
    memset(&reader->event, 0, sizeof reader->event);
    if (parser->error == YAML_MEMORY_ERROR)
        return out_of_memory(reader);
    if (parser->error == YAML_READER_ERROR)
        return refuse_at(reader, STATUS_INVALID, parser->mark, "not valid UTF-8 text");
    return refuse_at(reader, STATUS_INVALID, parser->problem_mark,
                     parser->problem == NULL ? "not valid YAML" : parser->problem);
}

static enum status
remember_place(struct reader *reader, yaml_mark_t mark)
{
    struct yaml *yaml = reader->yaml;
    struct place place = {
        .pointer = (uint32_t)yaml->pointers.size,
        .size = (uint32_t)reader->path.size,
        .line = (uint32_t)mark.line + 1,
        .column = (uint32_t)mark.column + 1,
    };

    put_slice(&yaml->pointers, buffer_slice(&reader->path));
    put_bytes(&yaml->places, &place, sizeof place);
    if (++reader->nodes > NODES_MOST || buffer_status(&yaml->pointers) == STATUS_TOO_LARGE)
        return refuse_at(reader, STATUS_TOO_LARGE, mark, "the file holds too many values");
    if (buffer_status(&yaml->pointers) != STATUS_OK || buffer_status(&yaml->places) != STATUS_OK)
        return out_of_memory(reader);
    return STATUS_OK;
}

static enum status
enter(struct reader *reader)
{
    if (++reader->depth > JSON_DEPTH_MAX)
        return refuse_at(reader, STATUS_TOO_LARGE, reader->event.start_mark,
                         "nested deeper than 64 levels");
    return STATUS_OK;
}

/* RFC 6901 §3 */
static enum status
path_push(struct reader *reader, struct slice token)
{
    put_u8(&reader->path, '/');
    for (size_t i = 0; i < token.size; i++) {
        if (token.at[i] == '~')
            put_text(&reader->path, "~0");
        else if (token.at[i] == '/')
            put_text(&reader->path, "~1");
        else
            put_u8(&reader->path, (uint8_t)token.at[i]);
    }
    if (buffer_status(&reader->path) == STATUS_OK)
        return STATUS_OK;
    return refuse_at(reader, buffer_status(&reader->path), reader->event.start_mark,
                     "the names down to here are too long");
}

static struct slice
scalar_text(const yaml_event_t *event)
{
    return slice_of(event->data.scalar.value, event->data.scalar.length);
}

/* "-?(0|[1-9][0-9]*)" that fits; "007", "+1", "-0" and "1_000" are strings. */
static bool
is_integer(struct slice text, json_int_t *out)
{
    bool negative = text.size > 0 && text.at[0] == '-';
    struct slice digits = slice_from(text, negative ? 1 : 0);
    uint64_t value;

    if (!slice_u64(digits, &value) || (digits.at[0] == '0' && (digits.size > 1 || negative)) ||
        value > INT64_MAX)
        return false;
    *out = negative ? -(json_int_t)value : (json_int_t)value;
    return true;
}

static enum status
check_node(struct reader *reader, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        return refuse(reader, "anchors (&) are not supported");
    if (tag != NULL)
        return refuse(reader, "tags (!) are not supported");
    return STATUS_OK;
}

static enum status
check_scalar(struct reader *reader)
{
    if (slice_find(scalar_text(&reader->event), '\0') != reader->event.data.scalar.length)
        return refuse(reader, "a text may not hold a NUL character");
    return check_node(reader, reader->event.data.scalar.anchor, reader->event.data.scalar.tag);
}

static enum status
read_scalar(struct reader *reader, json_t **out)
{
    struct slice text = scalar_text(&reader->event);
    bool plain = reader->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    enum status status = check_scalar(reader);
    json_int_t integer;

    if (status != STATUS_OK)
        return status;
    if (plain && (text.size == 0 || slice_is(text, "~") || slice_is(text, "null")))
        *out = json_null();
    else if (plain && slice_is(text, "true"))
        *out = json_true();
    else if (plain && slice_is(text, "false"))
        *out = json_false();
    else if (plain && is_integer(text, &integer))
        *out = json_integer(integer);
    else
        *out = json_stringn(text.at, text.size);
    return *out == NULL ? refuse(reader, "not valid UTF-8 text") : STATUS_OK;
}

/* The value of one member: the key is the current event. */
static enum status
read_member(struct reader *reader, json_t *object)
{
    size_t path = reader->path.size;
    char *key = NULL;
    json_t *value;
    enum status status;

    if (reader->event.type == YAML_ALIAS_EVENT)
        return refuse(reader, no_alias);
    if (reader->event.type != YAML_SCALAR_EVENT)
        return refuse(reader, "a key must be a plain text");
    status = check_scalar(reader);
    if (status != STATUS_OK)
        return status;
    status = path_push(reader, scalar_text(&reader->event));
    if (status != STATUS_OK)
        return status;
    key = slice_strdup(scalar_text(&reader->event));
    if (key == NULL)
        status = out_of_memory(reader);
    else if (json_object_get(object, key) != NULL)
        status = refuse(reader, "this key stands here twice");
    if (status == STATUS_OK)
        status = remember_place(reader, reader->event.start_mark);
    if (status == STATUS_OK)
        status = next_event(reader);
    if (status == STATUS_OK)
        status = read_node(reader, &value);
    if (status == STATUS_OK && json_object_set_new(object, key, value) != 0)
        status = refuse(reader, "not valid UTF-8 text");
    free(key);
    if (status == STATUS_OK)
        reader->path.size = path;
    return status;
}

static enum status
read_mapping(struct reader *reader, json_t **out)
{
    enum status status = check_node(reader, reader->event.data.mapping_start.anchor,
                                    reader->event.data.mapping_start.tag);
    json_t *object = NULL;

    if (status == STATUS_OK)
        status = enter(reader);
    if (status == STATUS_OK && (object = json_object()) == NULL)
        status = out_of_memory(reader);
    while (status == STATUS_OK) {
        status = next_event(reader);
        if (status != STATUS_OK || reader->event.type == YAML_MAPPING_END_EVENT)
            break;
        status = read_member(reader, object);
    }
    if (status != STATUS_OK) {
        json_decref(object);
        return status;
    }
    reader->depth--;
    *out = object;
    return STATUS_OK;
}

static enum status
read_item(struct reader *reader, json_t *array)
{
    size_t path = reader->path.size;
    json_t *value;
    enum status status;

    put_u8(&reader->path, '/');
    put_decimal(&reader->path, json_array_size(array));
    if (buffer_status(&reader->path) != STATUS_OK)
        return out_of_memory(reader);
    status = remember_place(reader, reader->event.start_mark);
    if (status == STATUS_OK)
        status = read_node(reader, &value);
    if (status == STATUS_OK && json_array_append_new(array, value) != 0)
        status = out_of_memory(reader);
    if (status == STATUS_OK)
        reader->path.size = path;
    return status;
}

static enum status
read_sequence(struct reader *reader, json_t **out)
{
    enum status status = check_node(reader, reader->event.data.sequence_start.anchor,
                                    reader->event.data.sequence_start.tag);
    json_t *array = NULL;

    if (status == STATUS_OK)
        status = enter(reader);
    if (status == STATUS_OK && (array = json_array()) == NULL)
        status = out_of_memory(reader);
    while (status == STATUS_OK) {
        status = next_event(reader);
        if (status != STATUS_OK || reader->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        status = read_item(reader, array);
    }
    if (status != STATUS_OK) {
        json_decref(array);
        return status;
    }
    reader->depth--;
    *out = array;
    return STATUS_OK;
}

/* The node that begins with the current event; leaves its last event current. */
static enum status
read_node(struct reader *reader, json_t **out)
{
    switch (reader->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, out);
    case YAML_MAPPING_START_EVENT:
        return read_mapping(reader, out);
    case YAML_SEQUENCE_START_EVENT:
        return read_sequence(reader, out);
    case YAML_ALIAS_EVENT:
        return refuse(reader, no_alias);
    default:
        return refuse(reader, "not valid YAML");
    }
}

/* The document at the current event, then the end of the stream. */
static enum status
read_document(struct reader *reader)
{
    enum status status;

    if (reader->event.data.document_start.tag_directives.start !=
        reader->event.data.document_start.tag_directives.end)
        return refuse(reader, "%TAG directives are not supported");
    status = next_event(reader);
    if (status == STATUS_OK)
        status = remember_place(reader, reader->event.start_mark);
    if (status == STATUS_OK)
        status = read_node(reader, &reader->yaml->root);
    if (status == STATUS_OK)
        status = next_event(reader); /* the document's end */
    if (status == STATUS_OK)
        status = next_event(reader);
    if (status == STATUS_OK && reader->event.type != YAML_STREAM_END_EVENT)
        return refuse(reader, "more than one document in the file");
    return status;
}

static enum status
read_stream(struct reader *reader)
{
    enum status status = next_event(reader); /* the stream's start */

    if (status == STATUS_OK)
        status = next_event(reader);
    if (status == STATUS_OK && reader->event.type == YAML_DOCUMENT_START_EVENT)
        status = read_document(reader);
    if (status != STATUS_OK)
        return status;
    if (reader->yaml->root == NULL || json_is_null(reader->yaml->root))
        reader->yaml->root = json_object();
    return reader->yaml->root == NULL ? out_of_memory(reader) : STATUS_OK;
}

enum status
yaml_read(struct slice text, struct yaml **out, struct fault *fault)
{
    struct reader reader = { .path = BUFFER_LIMITED(PATH_MOST), .fault = fault };
    enum status status;

    if (text.size > YAML_SIZE_MAX)
        return fault_set(fault, STATUS_TOO_LARGE, "longer than %d bytes", YAML_SIZE_MAX);
    reader.yaml = calloc(1, sizeof *reader.yaml);
    if (reader.yaml == NULL || yaml_parser_initialize(&reader.parser) != 1) {
        free(reader.yaml);
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    }
    reader.yaml->pointers.limit = POINTERS_MOST;
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser,
                                 (const unsigned char *)(text.size == 0 ? "" : text.at), text.size);
    status = read_stream(&reader);
    if (reader.has_event)
        yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    buffer_free(&reader.path);
    if (status != STATUS_OK) {
        yaml_free(reader.yaml);
        return status;
    }
    *out = reader.yaml;
    return STATUS_OK;
}

static enum status
file_failed(struct fault *fault, const char *what, const char *path)
{
    int reason = errno;

    return fault_set(fault, reason == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "cannot %s %s: %s",
                     what, path, strerror(reason));
}

enum status
yaml_read_file(const char *path, struct yaml **out, struct fault *fault)
{
    enum { CHUNK = 64 << 10 };
    struct buffer text = { 0 };
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : 1;
    enum status status;

    if (file < 0)
        return file_failed(fault, "open", path);
    while (got > 0 && text.size <= YAML_SIZE_MAX && buffer_room(&text, CHUNK) != NULL) {
        do
            got = read(file, buffer_room(&text, CHUNK), CHUNK);
        while (got < 0 && errno == EINTR);
        if (got > 0)
            buffer_added(&text, (size_t)got);
    }
    if (got < 0)
        status = file_failed(fault, "read", path);
    else if (buffer_status(&text) != STATUS_OK)
        status = fault_set(fault, buffer_status(&text), "out of memory");
    else
        status = yaml_read(buffer_slice(&text), out, fault);
    close(file);
    buffer_wipe_free(&text);
    return status;
}

void
yaml_free(struct yaml *yaml)
{
    if (yaml == NULL)
        return;
    json_decref(yaml->root);
    buffer_free(&yaml->pointers);
    buffer_free(&yaml->places);
    free(yaml);
}

json_t *
yaml_root(const struct yaml *yaml)
{
    return yaml->root;
}

/* True where the node at `parent` is the one at `pointer` or holds it. */
static bool
holds(struct slice parent, struct slice pointer)
{
    return slice_starts(pointer, parent) &&
           (parent.size == pointer.size || pointer.at[parent.size] == '/');
}

/* One pass over all places: a fault is rare, and a table would cost every file. */
void
yaml_locate(const struct yaml *yaml, struct fault *fault)
{
    struct slice wanted = slice_text(fault->pointer);
    const struct place *place = (const struct place *)(const void *)yaml->places.bytes;
    size_t count = yaml->places.size / sizeof *place, longest = 0;

    for (size_t i = 0; i < count; i++, place++) {
        if (place->size < longest ||
            !holds(slice_of(yaml->pointers.bytes + place->pointer, place->size), wanted))
            continue;
        longest = place->size;
        fault->line = place->line;
        fault->column = place->column;
    }
}
