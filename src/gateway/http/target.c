/* gateway/http/target.c - where a request was sent to, and what it showed as proof. */
#include "target.h"

#include "crypto/hash.h"
#include "net/tls.h"
#include "proof/certificate.h"

/* --- what proxies say ------------------------------------------------------- */

/* Of the element that the nearest proxy wrote (RFC 7239 §4); empty: it does not say. */
static struct slice
forwarded_param(const struct http_head *head, struct slice name)
{
    struct slice value = http_head_value(head, HTTP_FIELD_FORWARDED), element = { 0 }, pair;

    while (slice_next(&value, ',', &element))
        ;
    while (slice_next(&element, ';', &pair)) {
        size_t equals = slice_find(pair, '=');
        struct slice text = slice_from(pair, equals + 1);

        if (!slice_equal_nocase(slice_trim(slice_first(pair, equals)), name))
            continue;
        text = slice_trim(text);
        if (text.size >= 2 && text.at[0] == '"' && text.at[text.size - 1] == '"')
            text = slice_of(text.at + 1, text.size - 2);
        return text;
    }
    return (struct slice){ 0 };
}

/* One value by either convention; false when there are two that differ. */
static bool
told(const struct http_head *head, enum http_field_id id, struct slice param, struct slice *out)
{
    struct slice x = http_head_value(head, id), forwarded = forwarded_param(head, param);

    if (http_head_field_count(head, id) > 1 || slice_find(x, ',') != x.size ||
        (x.size > 0 && forwarded.size > 0 && !slice_equal_nocase(x, forwarded)))
        return false;
    *out = x.size > 0 ? x : forwarded;
    return true;
}

static struct slice
without_slash(struct slice text)
{
    while (text.size > 0 && text.at[text.size - 1] == '/')
        text = slice_first(text, text.size - 1);
    return text;
}

/* --- what the Host field may say ------------------------------------------------ */

static bool
host_ip(struct slice host, struct ip *out)
{
    if (slice_equal_nocase(host, SLICE_LITERAL("localhost")))
        return ip_parse(SLICE_LITERAL("127.0.0.1"), out) == STATUS_OK;
    if (host.size > 2 && host.at[0] == '[' && host.at[host.size - 1] == ']')
        host = slice_of(host.at + 1, host.size - 2);
    return ip_parse(host, out) == STATUS_OK;
}

/* An address that the door listens on, by the name that was configured or by number. */
static bool
is_own_host(const struct gateway *gateway, struct slice host, bool tls)
{
    size_t closing = slice_find(host, ']');
    size_t from = closing == host.size ? 0 : closing;
    size_t colon = from + slice_find(slice_from(host, from), ':');
    struct slice port_text = slice_from(host, colon + 1);
    uint64_t port = tls ? 443 : 80;
    struct ip ip;

    if (slice_equal_nocase(host, slice_text(gateway->places[DOOR_HTTP].address)))
        return true;
    if (port_text.size > 0 && (!slice_u64(port_text, &port) || port > UINT16_MAX))
        return false;
    return host_ip(slice_first(host, colon), &ip) && own_has(&gateway->own, &ip, (uint16_t)port);
}

/* --- the base ---------------------------------------------------------------------- */

static enum status
fail(const char **why, const char *text)
{
    *why = text;
    return STATUS_INVALID;
}

static enum status
join(struct arena *arena, bool tls, struct slice host, struct slice prefix, struct slice *out)
{
    *out = arena_format(arena, "%s://%.*s%.*s", tls ? "https" : "http", SLICE_PRINT(host),
                        SLICE_PRINT(without_slash(prefix)));
    return out->at == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* Each part that the proxy does not tell is as it is here. */
static enum status
base_of_proxy(const struct http_passage *http, struct arena *arena, struct slice *out,
              const char **why)
{
    const struct http_head *head = http_call_head(http->call);
    struct slice proto, host, prefix = http_head_value(head, HTTP_FIELD_X_FORWARDED_PREFIX);
    bool tls = stream_is_tls(http_call_stream(http->call));

    if (!told(head, HTTP_FIELD_X_FORWARDED_PROTO, SLICE_LITERAL("proto"), &proto) ||
        !told(head, HTTP_FIELD_X_FORWARDED_HOST, SLICE_LITERAL("host"), &host) ||
        http_head_field_count(head, HTTP_FIELD_X_FORWARDED_PREFIX) > 1)
        return fail(why, "the proxy's forwarding headers differ about the URL");
    if (proto.size > 0)
        tls = slice_equal_nocase(proto, SLICE_LITERAL("https"));
    return join(arena, tls, host, prefix, out);
}

enum status
target_base(const struct http_passage *http, struct arena *arena, struct slice *out,
            const char **why)
{
    const struct gateway *gateway = http->passage->gate->gateway;
    const struct http_head *head = http_call_head(http->call);
    bool tls = stream_is_tls(http_call_stream(http->call));
    struct slice host;

    *why = "";
    if (http->client.trusted &&
        told(head, HTTP_FIELD_X_FORWARDED_HOST, SLICE_LITERAL("host"), &host) && host.size > 0 &&
        (http->original || gateway->options.http_url.size == 0))
        return base_of_proxy(http, arena, out, why);
    if (gateway->options.http_url.size > 0 && !http->target.by_host) {
        *out = without_slash(gateway->options.http_url);
        return STATUS_OK;
    }
    if (http->original)
        return fail(why, "the proxy does not tell the URL that the client sees: it must send "
                         "X-Forwarded-Host and X-Forwarded-Proto");
    if (!http->target.by_host && !is_own_host(gateway, http_head_host(head), tls))
        return fail(why, "the Host that the client used is not known as one of this gateway's: "
                         "set gateway.http.url to the URL that clients see");
    return join(arena, tls, http_head_host(head), (struct slice){ 0 }, out);
}

/* --- the door's show ----------------------------------------------------------------- */

static bool
refuse_malformed(struct refusal *refusal, const char *why)
{
    *refusal = (struct refusal){ .kind = GATE_MALFORMED, .reason = slice_text(why) };
    return false;
}

/* Of the connection, or, behind a terminator that is trusted, of its Client-Cert field
 * (RFC 9440 §2.2). From anybody else that field is as if it were not there. */
static bool
show_certificate(const struct http_passage *http, struct arena *arena, struct proof_shown *out,
                 struct refusal *refusal)
{
    const struct http_head *head = http_call_head(http->call);
    const struct stream *stream = http_call_stream(http->call);
    struct slice field = http_head_value(head, HTTP_FIELD_CLIENT_CERT);

    if (http->client.trusted && field.size > 0) {
        if (http_head_field_count(head, HTTP_FIELD_CLIENT_CERT) > 1 ||
            certificate_from_field(field, arena, &out->der) != STATUS_OK)
            return refuse_malformed(refusal, "the proxy's Client-Cert can't be read");
        out->has_certificate = hash_sha256(&out->der, 1, out->x5t) == STATUS_OK;
        return true;
    }
    /* A proxy's own certificate is no client's. */
    if (!http->client.trusted && tls_stream_peer_thumbprint(stream, out->x5t))
        out->has_certificate = tls_stream_peer_der(stream, &out->der);
    return true;
}

bool
target_show(const struct passage *passage, struct arena *arena, struct proof_shown *out,
            struct refusal *refusal)
{
    const struct http_passage *http = passage->relay;
    const struct http_head *head = http_call_head(http->call);
    struct slice base, path = http->original ? http->original_uri : http_head_path(head);
    const char *why = "";

    /* A dialect has actions of its own. */
    out->method = http->original ? passage->asked.request.action : http_head_method(head);
    out->dpop = http_head_value(head, HTTP_FIELD_DPOP);
    out->dpop_count = http_head_field_count(head, HTTP_FIELD_DPOP);
    if (!show_certificate(http, arena, out, refusal))
        return false;
    if (passage->asked.scheme != SCHEME_DPOP)
        return true;
    switch (target_base(http, arena, &base, &why)) {
    case STATUS_OK:
        break;
    case STATUS_INVALID:
        *refusal = (struct refusal){ .kind = GATE_PROOF, .reason = slice_text(why) };
        return false;
    default:
        *refusal = (struct refusal){ .kind = GATE_BUSY,
                                     .reason = SLICE_LITERAL("the gateway is out of memory") };
        return false;
    }
    out->target = arena_format(arena, "%.*s%.*s", SLICE_PRINT(base), SLICE_PRINT(path));
    return out->target.at != NULL;
}
