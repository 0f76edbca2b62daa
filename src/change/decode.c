/* change/decode.c - bytes as one change; refuses what it does not know whole. */
#include "fields.h"

static bool
take_time(struct cursor *in, int64_t *out)
{
    uint64_t at;

    if (!take_be64(in, &at) || at > INT64_MAX)
        return false;
    *out = (int64_t)at;
    return true;
}

static bool
take_id(struct cursor *in, struct token_id *out)
{
    struct slice bytes;

    if (!take_bytes(in, TOKEN_ID_SIZE, &bytes))
        return false;
    memcpy(out->bytes, bytes.at, TOKEN_ID_SIZE);
    return true;
}

static bool
take_some_id(struct cursor *in, struct token_id *out)
{
    return take_id(in, out) && !token_id_is_none(out);
}

static bool
take_binding(struct cursor *in, struct binding *out)
{
    struct slice thumbprint;
    uint8_t kind;

    if (!take_u8(in, &kind) || kind > BINDING_X5T)
        return false;
    out->kind = (enum binding_kind)kind;
    if (kind == BINDING_NONE)
        return true;
    if (!take_bytes(in, sizeof out->thumbprint, &thumbprint))
        return false;
    memcpy(out->thumbprint, thumbprint.at, sizeof out->thumbprint);
    return true;
}

/* Host bits must be zero: a network has one form. */
static bool
host_bits_zero(const struct cidr *cidr)
{
    for (unsigned bit = cidr->bits; bit < 128; bit++) {
        if (cidr->ip.bytes[bit / 8] & (0x80u >> bit % 8))
            return false;
    }
    return true;
}

static bool
take_network(struct cursor *in, struct cidr *out)
{
    struct slice bytes;
    uint8_t family;

    *out = (struct cidr){ 0 };
    if (!take_u8(in, &family) || (family != IP_V4 && family != IP_V6) ||
        !take_bytes(in, family == IP_V4 ? 4 : 16, &bytes) || !take_u8(in, &out->bits) ||
        out->bits > 8 * bytes.size)
        return false;
    out->ip.family = (enum ip_family)family;
    memcpy(out->ip.bytes, bytes.at, bytes.size);
    return host_bits_zero(out);
}

static bool
take_networks(struct cursor *in, struct cidr *networks, struct token_record *out)
{
    uint8_t count;

    if (!take_u8(in, &count) || count > TOKEN_NETWORKS_MAX)
        return false;
    for (uint8_t i = 0; i < count; i++) {
        if (!take_network(in, &networks[i]))
            return false;
    }
    out->networks = networks;
    out->network_count = count;
    return true;
}

/* Of a token that was written before there were such: good everywhere, for access. */
static bool
take_use(struct cursor *in, uint8_t version, struct token_record *out)
{
    uint8_t purpose;

    if (version < 2)
        return true;
    if (!take_slice16(in, &out->audience) || out->audience.size > TOKEN_AUDIENCE_MAX ||
        !take_u8(in, &purpose) || purpose > PURPOSE_CLIENT_SECRET)
        return false;
    out->purpose = (enum token_purpose)purpose;
    return true;
}

/* Where the bytes of one change are read from and to. */
struct reading {
    struct cursor in;
    uint8_t version;
    struct cidr *networks;
};

static bool
take_token(struct reading *reading, struct token_record *out)
{
    struct cursor *in = &reading->in;

    return take_some_id(in, &out->id) && take_some_id(in, &out->line) &&
           take_id(in, &out->parent_line) && take_id(in, &out->predecessor) &&
           take_u8(in, &out->kid) && take_time(in, &out->issued_at) &&
           take_time(in, &out->not_before) && take_time(in, &out->expires_at) &&
           take_time(in, &out->line_started_at) && take_time(in, &out->idle_ms) &&
           take_be32(in, &out->max_uses) && take_binding(in, &out->binding) &&
           take_slice16(in, &out->subject) && take_slice16(in, &out->roles) &&
           take_slice16(in, &out->scope) && take_networks(in, reading->networks, out) &&
           take_slice16(in, &out->name) && out->name.size <= TOKEN_NAME_MAX &&
           take_slice16(in, &out->issued_by) && take_use(in, reading->version, out);
}

static bool
take_hop(struct cursor *in, struct hop_id *out)
{
    struct slice bytes;

    if (!take_bytes(in, HOP_ID_SIZE, &bytes))
        return false;
    memcpy(out->bytes, bytes.at, HOP_ID_SIZE);
    return true;
}

static bool
take_fields(struct reading *reading, struct change *out)
{
    struct cursor *in = &reading->in;
    unsigned fields = change_fields(out->kind);

    return take_time(in, &out->at) &&
           (!(fields & FIELD_TOKEN) || take_token(reading, &out->token)) &&
           (!(fields & FIELD_ID) || take_some_id(in, &out->id)) &&
           (!(fields & FIELD_HOP) || take_hop(in, &out->hop)) &&
           (!(fields & FIELD_EXPIRES) || take_time(in, &out->expires_at)) &&
           (!(fields & FIELD_USES) || take_be32(in, &out->uses)) &&
           (!(fields & FIELD_NAME) || take_slice16(in, &out->name)) &&
           (!(fields & FIELD_BODY) || take_slice32(in, &out->body)) &&
           (!(fields & FIELD_OWNER) || take_slice16(in, &out->owner));
}

enum status
change_decode(struct slice bytes, struct cidr *networks, struct change *out)
{
    struct reading reading = { .in = cursor_over(bytes), .networks = networks };
    struct change change = { 0 };
    uint8_t kind;

    if (!take_u8(&reading.in, &reading.version) || reading.version == 0)
        return STATUS_CORRUPT;
    if (reading.version > CHANGE_VERSION)
        return STATUS_NEWER;
    if (!take_u8(&reading.in, &kind) || kind >= CHANGE_KINDS)
        return STATUS_CORRUPT;
    change.kind = (enum change_kind)kind;
    if (!take_fields(&reading, &change) || cursor_left(&reading.in) > 0)
        return STATUS_CORRUPT;
    *out = change;
    return STATUS_OK;
}
