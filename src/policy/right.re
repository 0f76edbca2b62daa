/* policy/right.re - the grammar of a right: reads one, strictly. */
#include "bytes.h"
#include "policy/right.h"

enum piece {
    PIECE_TEXT,
    PIECE_ESCAPE,
    PIECE_STAR,
    PIECE_DOUBLE_STAR,
    PIECE_MANY_STARS,
    PIECE_COLON,
    PIECE_BAR,
    PIECE_OPEN,
    PIECE_CLOSE,
    PIECE_COMMA,
    PIECE_END,
    PIECE_BAD,
};

/* A copy that ends in NUL, which no right holds, so that the lexer needs no length. */
struct reading {
    unsigned char bytes[RIGHT_SIZE_MAX + 1];
    const unsigned char *at;
    unsigned stars, double_stars;
    struct fault *fault;
};

static size_t
offset(const struct reading *in)
{
    return (size_t)(in->at - in->bytes);
}

/* Resource and actions have the same pieces; which bytes a text may hold differs. */
static enum piece
name_piece(struct reading *in)
{
    const unsigned char *cursor = in->at;
    enum piece piece;

    /*!re2c
    re2c:define:YYCTYPE = "unsigned char";
    re2c:define:YYCURSOR = cursor;
    re2c:yyfill:enable = 0;

    [A-Za-z0-9._-]+ { piece = PIECE_TEXT; goto done; }
    "*"{2,}         { piece = PIECE_DOUBLE_STAR; goto done; }
    "*"             { piece = PIECE_STAR; goto done; }
    ":"             { piece = PIECE_COLON; goto done; }
    "|"             { piece = PIECE_BAR; goto done; }
    "\x00"          { piece = PIECE_END; goto done; }
    *               { piece = PIECE_BAD; goto done; }
    */
done:
    if (piece != PIECE_END && piece != PIECE_BAD)
        in->at = cursor;
    return piece;
}

static enum piece
object_piece(struct reading *in)
{
    const unsigned char *cursor = in->at, *marker;
    enum piece piece;

    /*!re2c
    re2c:define:YYMARKER = marker;

    [A-Za-z0-9._~/:@!$&'+=#-]+ { piece = PIECE_TEXT; goto done; }
    "%" [0-9A-F]{2}            { piece = PIECE_ESCAPE; goto done; }
    "*"                        { piece = PIECE_STAR; goto done; }
    "**"                       { piece = PIECE_DOUBLE_STAR; goto done; }
    "*"{3,}                    { piece = PIECE_MANY_STARS; goto done; }
    "("                        { piece = PIECE_OPEN; goto done; }
    ")"                        { piece = PIECE_CLOSE; goto done; }
    ","                        { piece = PIECE_COMMA; goto done; }
    "\x00"                     { piece = PIECE_END; goto done; }
    *                          { piece = PIECE_BAD; goto done; }
    */
done:
    if (piece != PIECE_END && piece != PIECE_BAD)
        in->at = cursor;
    return piece;
}

static enum status
refuse(const struct reading *in, const char *why)
{
    fault_set(in->fault, STATUS_INVALID, "%s, at column %zu of the right", why, offset(in) + 1);
    if (in->fault != NULL)
        in->fault->column = (unsigned)offset(in) + 1;
    return STATUS_INVALID;
}

static enum status
refuse_byte(const struct reading *in, const char *part)
{
    unsigned char byte = *in->at;

    if (byte == '\0')
        return refuse(in, "a right has three parts, resource:action:object");
    if (byte > 0x20 && byte < 0x7f)
        fault_set(in->fault, STATUS_INVALID, "'%c' can't stand in %s, at column %zu of the right",
                  byte, part, offset(in) + 1);
    else
        fault_set(in->fault, STATUS_INVALID,
                  "byte 0x%02x can't stand in %s, at column %zu of the right", byte, part,
                  offset(in) + 1);
    if (in->fault != NULL)
        in->fault->column = (unsigned)offset(in) + 1;
    return STATUS_INVALID;
}

static enum status
count_star(struct reading *in)
{
    if (++in->stars > RIGHT_STARS_MAX)
        return refuse(in, "a right holds at most eight '*'");
    return STATUS_OK;
}

/* Up to the colon, without it. */
static enum status
read_resource(struct reading *in, struct slice text, struct slice *out)
{
    for (;;) {
        const unsigned char *before = in->at;

        switch (name_piece(in)) {
        case PIECE_TEXT:
            for (const unsigned char *byte = before; byte < in->at; byte++) {
                if (!byte_is((char)*byte, BYTE_NAME)) {
                    in->at = byte;
                    return refuse_byte(in, "a resource's name");
                }
            }
            break;
        case PIECE_STAR:
            if (count_star(in) != STATUS_OK)
                return STATUS_INVALID;
            break;
        case PIECE_DOUBLE_STAR:
            return refuse(in, "one '*' is any run in a resource");
        case PIECE_COLON:
            *out = slice_of(text.at, (size_t)(before - in->bytes));
            if (out->size == 0)
                return refuse(in, "the resource is empty");
            if (out->size > REQUEST_NAME_MAX)
                return refuse(in, "a resource's name has at most 63 bytes");
            if (out->at[0] == '-' || out->at[0] == '_')
                return refuse(in, "a resource's name begins with a letter or a digit");
            return STATUS_OK;
        default:
            in->at = before;
            return refuse_byte(in, "a resource's name");
        }
    }
}

static enum status
read_actions(struct reading *in, struct slice text, struct slice *out)
{
    const size_t start = offset(in);
    size_t alternative = start;
    unsigned count = 0;

    for (;;) {
        const unsigned char *before = in->at;
        size_t end = offset(in);

        switch (name_piece(in)) {
        case PIECE_TEXT:
            break;
        case PIECE_STAR:
            if (count_star(in) != STATUS_OK)
                return STATUS_INVALID;
            break;
        case PIECE_DOUBLE_STAR:
            return refuse(in, "one '*' is any run in an action");
        case PIECE_COLON:
        case PIECE_BAR:
            if (end == alternative)
                return refuse(in, "an action is empty");
            if (end - alternative > REQUEST_ACTION_MAX)
                return refuse(in, "an action has at most 64 bytes");
            if (++count > RIGHT_ACTIONS_MAX)
                return refuse(in, "a right holds at most 64 actions");
            alternative = offset(in);
            if (*before == '|')
                break;
            *out = slice_of(text.at + start, end - start);
            return STATUS_OK;
        default:
            in->at = before;
            return refuse_byte(in, "an action");
        }
    }
}

static enum status
read_escape(struct reading *in, const unsigned char *before)
{
    if (escape_valid(slice_of(before, (size_t)(in->at - before))))
        return STATUS_OK;
    in->at = before;
    return refuse(in, "only a byte that can't stand for itself is written as %XX");
}

/* After "(": names separated by commas, ")" and the end. */
static enum status
read_columns(struct reading *in, struct slice text, struct slice *out)
{
    const size_t start = offset(in);
    size_t name = start;

    for (;;) {
        const unsigned char *before = in->at;
        size_t end = offset(in);

        switch (object_piece(in)) {
        case PIECE_TEXT:
            break;
        case PIECE_ESCAPE:
            if (read_escape(in, before) != STATUS_OK)
                return STATUS_INVALID;
            break;
        case PIECE_COMMA:
        case PIECE_CLOSE:
            if (end == name)
                return refuse(in, "a column's name is empty");
            name = offset(in);
            if (*before == ',')
                break;
            if (*in->at != '\0')
                return refuse(in, "nothing may follow the columns");
            *out = slice_of(text.at + start, end - start);
            return STATUS_OK;
        default:
            in->at = before;
            if (*before == '\0')
                return refuse(in, "the columns end with ')'");
            return refuse_byte(in, "a column's name");
        }
    }
}

/* Two '**' with one separator between them would be more ways to say one thing. */
static bool
repeats_double_star(const struct reading *in, const unsigned char *before)
{
    return before - in->bytes >= 3 && (before[-1] == '/' || before[-1] == '.') &&
           before[-2] == '*' && before[-3] == '*';
}

static enum status
count_object_stars(struct reading *in, enum piece piece, const unsigned char *before)
{
    if (piece == PIECE_STAR)
        return count_star(in);
    if (piece == PIECE_MANY_STARS)
        return refuse(in, "'***' means nothing");
    if (++in->double_stars > RIGHT_DOUBLE_STARS_MAX)
        return refuse(in, "a right holds at most two '**'");
    if (repeats_double_star(in, before))
        return refuse(in, "'**' already stands for any number of segments");
    return STATUS_OK;
}

/* To the end of the right. */
static enum status
read_object(struct reading *in, struct slice text, struct slice *object, struct slice *columns)
{
    const size_t start = offset(in);

    *columns = slice_of(text.at + text.size, 0);
    for (;;) {
        const unsigned char *before = in->at;
        size_t end = offset(in);
        enum piece piece = object_piece(in);

        switch (piece) {
        case PIECE_TEXT:
            break;
        case PIECE_ESCAPE:
            if (read_escape(in, before) != STATUS_OK)
                return STATUS_INVALID;
            break;
        case PIECE_STAR:
        case PIECE_DOUBLE_STAR:
        case PIECE_MANY_STARS:
            if (count_object_stars(in, piece, before) != STATUS_OK)
                return STATUS_INVALID;
            break;
        case PIECE_OPEN:
        case PIECE_END:
            if (end == start)
                return refuse(in, "the object is empty: write '-' for none, '*' or '**' for any");
            *object = slice_of(text.at + start, end - start);
            return piece == PIECE_END ? STATUS_OK : read_columns(in, text, columns);
        default:
            in->at = before;
            return refuse_byte(in, "an object: write it as %XX");
        }
    }
}

static size_t
count_segments(struct slice object)
{
    size_t count = 0;

    /* A leading '/' opens the first segment, it does not close an empty one. */
    for (size_t i = 1; i < object.size; i++)
        count += object.at[i] == '/';
    return count + 1;
}

enum status
right_parse(struct slice text, struct right *out, struct fault *fault)
{
    struct reading in;
    struct right right = { .text = text };

    if (text.size > RIGHT_SIZE_MAX)
        return fault_set(fault, STATUS_INVALID, "a right has at most %d bytes, this one has %zu",
                         RIGHT_SIZE_MAX, text.size);
    if (text.size > 0)
        memcpy(in.bytes, text.at, text.size);
    in.bytes[text.size] = '\0';
    in.at = in.bytes;
    in.stars = in.double_stars = 0;
    in.fault = fault;
    if (memchr(in.bytes, '\0', text.size) != NULL)
        return fault_set(fault, STATUS_INVALID, "a right holds no NUL byte");
    if (read_resource(&in, text, &right.resource) != STATUS_OK ||
        read_actions(&in, text, &right.actions) != STATUS_OK ||
        read_object(&in, text, &right.object, &right.columns) != STATUS_OK)
        return STATUS_INVALID;
    if (count_segments(right.object) > RIGHT_SEGMENTS_MAX)
        return fault_set(fault, STATUS_INVALID, "a right's object has at most %d segments",
                         RIGHT_SEGMENTS_MAX);
    *out = right;
    return STATUS_OK;
}
