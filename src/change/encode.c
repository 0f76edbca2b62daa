/* change/encode.c - one change as bytes. */
#include "fields.h"

/* What decoding would refuse must never become durable. */
static bool
token_encodable(const struct token_record *token)
{
    if (token_id_is_none(&token->id) || token_id_is_none(&token->line) ||
        token->network_count > TOKEN_NETWORKS_MAX || token->binding.kind > BINDING_X5T ||
        token->name.size > TOKEN_NAME_MAX || token->audience.size > TOKEN_AUDIENCE_MAX ||
        token->purpose > PURPOSE_CLIENT_SECRET || token->issued_at < 0 || token->not_before < 0 ||
        token->expires_at < 0 || token->line_started_at < 0 || token->idle_ms < 0)
        return false;
    for (size_t i = 0; i < token->network_count; i++) {
        if (token->networks[i].ip.family == IP_NONE)
            return false;
    }
    return true;
}

static bool
encodable(const struct change *change)
{
    unsigned fields;

    if (change->kind >= CHANGE_KINDS || change->at < 0)
        return false;
    fields = change_fields(change->kind);
    if ((fields & FIELD_ID) && token_id_is_none(&change->id))
        return false;
    if ((fields & FIELD_EXPIRES) && change->expires_at < 0)
        return false;
    return !(fields & FIELD_TOKEN) || token_encodable(&change->token);
}

static void
put_time(struct buffer *out, int64_t at)
{
    put_be64(out, (uint64_t)at);
}

static void
put_id(struct buffer *out, const struct token_id *id)
{
    put_bytes(out, id->bytes, TOKEN_ID_SIZE);
}

static void
put_network(struct buffer *out, const struct cidr *cidr)
{
    put_u8(out, (uint8_t)cidr->ip.family);
    put_bytes(out, cidr->ip.bytes, cidr->ip.family == IP_V4 ? 4 : 16);
    put_u8(out, cidr->bits);
}

static void
put_token(struct buffer *out, const struct token_record *token)
{
    put_id(out, &token->id);
    put_id(out, &token->line);
    put_id(out, &token->parent_line);
    put_id(out, &token->predecessor);
    put_u8(out, token->kid);
    put_time(out, token->issued_at);
    put_time(out, token->not_before);
    put_time(out, token->expires_at);
    put_time(out, token->line_started_at);
    put_time(out, token->idle_ms);
    put_be32(out, token->max_uses);
    put_u8(out, (uint8_t)token->binding.kind);
    if (token->binding.kind != BINDING_NONE)
        put_bytes(out, token->binding.thumbprint, sizeof token->binding.thumbprint);
    put_slice16(out, token->subject);
    put_slice16(out, token->roles);
    put_slice16(out, token->scope);
    put_u8(out, (uint8_t)token->network_count);
    for (size_t i = 0; i < token->network_count; i++)
        put_network(out, &token->networks[i]);
    put_slice16(out, token->name);
    put_slice16(out, token->issued_by);
    put_slice16(out, token->audience);
    put_u8(out, (uint8_t)token->purpose);
}

enum status
change_encode(const struct change *change, struct buffer *out)
{
    unsigned fields;

    if (!encodable(change))
        return STATUS_INVALID;
    fields = change_fields(change->kind);
    put_u8(out, CHANGE_VERSION);
    put_u8(out, (uint8_t)change->kind);
    put_time(out, change->at);
    if (fields & FIELD_TOKEN)
        put_token(out, &change->token);
    if (fields & FIELD_ID)
        put_id(out, &change->id);
    if (fields & FIELD_HOP)
        put_bytes(out, change->hop.bytes, HOP_ID_SIZE);
    if (fields & FIELD_EXPIRES)
        put_time(out, change->expires_at);
    if (fields & FIELD_USES)
        put_be32(out, change->uses);
    if (fields & FIELD_NAME)
        put_slice16(out, change->name);
    if (fields & FIELD_BODY)
        put_slice32(out, change->body);
    if (fields & FIELD_OWNER)
        put_slice16(out, change->owner);
    return buffer_status(out);
}
