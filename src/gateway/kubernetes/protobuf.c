/* gateway/kubernetes/protobuf.c - two messages deep to a name: the envelope "k8s\0" with a
 * runtime.Unknown, in it the object, whose first field is its ObjectMeta. */
#include "protobuf.h"

/* protobuf.dev/programming-guides/encoding: the low three bits of a tag. Groups are none of these.
 */
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Field numbers: k8s.io/apimachinery, runtime.Unknown and metav1.ObjectMeta. */
enum { UNKNOWN_RAW = 2, UNKNOWN_ENCODING = 3 };
enum { OBJECT_METADATA = 1 };
enum { METADATA_NAME = 1, METADATA_GENERATE_NAME = 2, METADATA_NAMESPACE = 3 };

enum { FIELDS_MOST = 4, FIELD_MAX = (1 << 29) - 1, VARINT_MAX = 10 };

/* The first fields of a message; what is not there is empty. */
struct message {
    struct slice fields[FIELDS_MOST];
    bool there[FIELDS_MOST];
};

/* Go's reader takes any length of a varint, and cuts a field's number to 32 bits: what is longer
 * than it need be could be another field there than here. */
static bool
take_varint(struct cursor *in, uint64_t *out)
{
    uint64_t value = 0;
    uint8_t byte;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (!take_u8(in, &byte))
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) != 0)
            continue;
        *out = value;
        return byte != 0 || shift == 0;
    }
    return false;
}

static bool
skip_varint(struct cursor *in)
{
    uint8_t byte;

    for (unsigned i = 0; i < VARINT_MAX; i++) {
        if (!take_u8(in, &byte))
            return false;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

/* *value is empty for what is no bytes. */
static bool
take_value(struct cursor *in, unsigned wire, struct slice *value)
{
    struct slice skipped;
    uint64_t size;

    *value = slice_of("", 0);
    switch (wire) {
    case WIRE_VARINT:
        return skip_varint(in);
    case WIRE_64:
        return take_bytes(in, 8, &skipped);
    case WIRE_32:
        return take_bytes(in, 4, &skipped);
    case WIRE_BYTES:
        return take_varint(in, &size) && take_bytes(in, (size_t)size, value);
    default:
        return false;
    }
}

/* The fields below `kept` stand there once, as bytes: of two, a reader may merge or choose. What
 * the others are does not matter. */
static bool
message_read(struct slice bytes, unsigned kept, struct message *out)
{
    struct cursor in = cursor_over(bytes);

    *out = (struct message){ 0 };
    while (cursor_left(&in) > 0) {
        uint64_t tag;
        struct slice value;

        if (!take_varint(&in, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_MAX ||
            !take_value(&in, tag & 7, &value))
            return false;
        if (tag >> 3 >= kept)
            continue;
        if ((tag & 7) != WIRE_BYTES || out->there[tag >> 3])
            return false;
        out->there[tag >> 3] = true;
        out->fields[tag >> 3] = value;
    }
    return true;
}

static bool
find_names(struct slice body, struct message *metadata)
{
    static const char magic[] = { 'k', '8', 's', 0 };
    struct slice prefix = slice_of(magic, sizeof magic);
    struct message envelope, object;

    return slice_starts(body, prefix) &&
           message_read(slice_from(body, prefix.size), UNKNOWN_ENCODING + 1, &envelope) &&
           envelope.there[UNKNOWN_RAW] && envelope.fields[UNKNOWN_ENCODING].size == 0 &&
           message_read(envelope.fields[UNKNOWN_RAW], OBJECT_METADATA + 1, &object) &&
           message_read(object.fields[OBJECT_METADATA], METADATA_NAMESPACE + 1, metadata);
}

bool
kube_protobuf_read(struct slice body, struct body_facts *out, struct kube_named *named)
{
    struct message metadata;

    *named = (struct kube_named){ .name = SLICE_LITERAL(""), .namespace = SLICE_LITERAL("") };
    if (!find_names(body, &metadata))
        return body_wrong(out, "the body is no protobuf of Kubernetes' that can be judged");
    named->name = metadata.fields[METADATA_NAME];
    named->namespace = metadata.fields[METADATA_NAMESPACE];
    named->generated = named->name.size == 0;
    if (named->generated)
        named->name = metadata.fields[METADATA_GENERATE_NAME];
    if (named->name.size > 0 && !kube_name_valid(named->name))
        return body_wrong(out, "the body holds a name that Kubernetes does not give");
    return true;
}
