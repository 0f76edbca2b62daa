/* gateway/http/answer.c - refusals as HTTP: status, challenge (RFC 6750 §3) and
 * problem document (RFC 9457). */
#include <stdio.h>

#include "dialect.h"
#include "proof/dpop.h"
#include "resource.h"

enum { CHALLENGE_MAX = 2048, HEADERS_MAX = 5 };

static const char *
error_of(enum gate_refusal kind)
{
    switch (kind) {
    case GATE_BAD_TOKEN:
    case GATE_UNPROVEN:
        return "invalid_token";
    case GATE_PROOF:
        return "invalid_dpop_proof";
    case GATE_NONCE:
        return "use_dpop_nonce";
    case GATE_FORBIDDEN:
    case GATE_DENIED:
    case GATE_UNAPPROVED:
        return "insufficient_scope";
    default:
        return NULL;
    }
}

/* RFC 6750 §3: %x20-21 / %x23-5B / %x5D-7E; anything else would end the quoted
 * string or the field. */
static void
put_description(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.at[i];
        put_u8(out, byte == '"' || byte == '\\' ? '\'' : byte < 0x20 || byte > 0x7e ? '?' : byte);
    }
}

/* The parameters that every challenge bears. */
static void
put_common(struct buffer *out, const char *scheme, struct slice metadata)
{
    put_format(out, "%s realm=\"writ\"", scheme);
    if (metadata.size > 0) {
        put_text(out, ", resource_metadata=\"");
        put_description(out, metadata);
        put_u8(out, '"');
    }
    if (scheme[0] == 'D')
        put_text(out, ", algs=\"" DPOP_ALGS "\"");
}

static void
put_error(struct buffer *out, const struct refusal *refusal)
{
    put_format(out, ", error=\"%s\", error_description=\"", error_of(refusal->kind));
    put_description(out, slice_first(refusal->reason, 512));
    put_u8(out, '"');
    if (refusal->kind == GATE_FORBIDDEN && refusal->right.size > 0) {
        put_text(out, ", scope=\"");
        put_description(out, refusal->right);
        put_u8(out, '"');
    }
}

/* The challenges of a refusal, each a field of its own. */
struct challenges {
    struct buffer bearer, dpop;
};

static bool
wants_dpop(const struct asked *asked, enum gate_refusal kind)
{
    return kind == GATE_PROOF || kind == GATE_NONCE || kind == GATE_UNPROVEN ||
           asked->scheme == SCHEME_DPOP;
}

/* Without an error when no token was shown: the client is only told the schemes
 * (RFC 6750 §3.1, RFC 9449 §7.1). A token under the wrong scheme is told of both. */
static void
put_challenges(struct challenges *out, const struct passage *passage, const struct refusal *refusal)
{
    struct http_passage *http = passage->relay;
    struct slice metadata = resource_metadata(http, http_call_arena(http->call));
    bool any = error_of(refusal->kind) == NULL;
    bool dpop = wants_dpop(&passage->asked, refusal->kind);

    if (any || !dpop || refusal->kind == GATE_BAD_TOKEN)
        put_common(&out->bearer, "Bearer", metadata);
    if (any || dpop)
        put_common(&out->dpop, "DPoP", metadata);
    if (any)
        return;
    if (out->bearer.size > 0)
        put_error(&out->bearer, refusal);
    if (out->dpop.size > 0)
        put_error(&out->dpop, refusal);
}

void
answer_detail(struct buffer *out, const struct refusal *refusal)
{
    put_slice(out, refusal->reason);
    switch (refusal->kind) {
    case GATE_FORBIDDEN:
        if (refusal->right.size > 0)
            put_format(out, "; you need the right %.*s, in a role and in the token's scope",
                       SLICE_PRINT(refusal->right));
        break;
    case GATE_BAD_TOKEN:
        put_text(out, "; ask for a new one");
        break;
    default:
        break;
    }
}

static json_t *
extra_members(const struct refusal *refusal)
{
    json_t *more = json_object();

    if (refusal->right.size > 0)
        json_object_set_new(more, "right", json_slice(refusal->right));
    if (refusal->reason.size > 0)
        json_object_set_new(more, "reason", json_slice(refusal->reason));
    return more;
}

/* In a dialect's own words; false: it has none for this. */
static bool
respond_in_dialect(struct http_call *call, const struct refusal *refusal,
                   const struct http_header *headers, size_t count)
{
    const struct http_passage *http = http_call_data(call);
    struct http_header all[HEADERS_MAX + 3];
    struct wording wording = { .body = BUFFER_LIMITED(65536) };

    if (http == NULL || http->talk == NULL || http->talk->dialect->word == NULL)
        return false;
    wording.status = refusal_status(refusal->kind);
    http->talk->dialect->word(http, refusal, &wording);
    bool worded = wording.content_type.size > 0 && buffer_status(&wording.body) == STATUS_OK;
    if (worded) {
        for (size_t i = 0; i < count; i++)
            all[i] = headers[i];
        all[count] = HTTP_HEADER("Content-Type", wording.content_type);
        all[count + 1] = HTTP_HEADER("Cache-Control", SLICE_LITERAL("no-store"));
        all[count + 2] = HTTP_HEADER("X-Content-Type-Options", SLICE_LITERAL("nosniff"));
        http_respond(call, wording.status, all, count + 3, buffer_slice(&wording.body));
    }
    buffer_free(&wording.body);
    return worded;
}

static void
respond(struct http_call *call, const struct refusal *refusal, const struct http_header *headers,
        size_t count)
{
    if (respond_in_dialect(call, refusal, headers, count))
        return;
    struct buffer detail = BUFFER_LIMITED(16384);
    char type[64];
    json_t *more = extra_members(refusal);

    snprintf(type, sizeof(type), "urn:writ:problem:%s", refusal_name(refusal->kind));
    answer_detail(&detail, refusal);
    http_respond_problem(call, &(struct http_problem){
                                   .status = refusal_status(refusal->kind),
                                   .type = type,
                                   .title = refusal_title(refusal->kind),
                                   .detail = buffer_slice(&detail),
                                   .more = more,
                                   .headers = headers,
                                   .header_count = count,
                               });
    json_decref(more);
    buffer_free(&detail);
}

void
answer_problem(struct http_call *call, const struct refusal *refusal)
{
    respond(call, refusal, NULL, 0);
}

static struct slice
fresh_nonce(const struct gate *gate, char out[NONCE_TEXT_MAX])
{
    return slice_text(
        nonce_make(gate->gateway->options.nonces, NONCE_GATEWAY, lane_now_ms(gate->lane), out));
}

void
answer_nonce(const struct http_passage *http, struct buffer *out)
{
    char nonce[NONCE_TEXT_MAX];

    if (http->passage->nonce_old)
        http_put_header(out, SLICE_LITERAL("DPoP-Nonce"), fresh_nonce(http->passage->gate, nonce));
}

void
answer_refusal(struct passage *passage, const struct refusal *refusal)
{
    struct challenges challenges = { BUFFER_LIMITED(2 * HTTP_TARGET_MAX + CHALLENGE_MAX),
                                     BUFFER_LIMITED(2 * HTTP_TARGET_MAX + CHALLENGE_MAX) };
    struct http_header headers[HEADERS_MAX];
    char seconds[16], nonce[NONCE_TEXT_MAX];
    size_t count = 0;

    if (refusal_status(refusal->kind) == 401 || error_of(refusal->kind) != NULL) {
        put_challenges(&challenges, passage, refusal);
        if (challenges.dpop.size > 0)
            headers[count++] = HTTP_HEADER("WWW-Authenticate", buffer_slice(&challenges.dpop));
        if (challenges.bearer.size > 0)
            headers[count++] = HTTP_HEADER("WWW-Authenticate", buffer_slice(&challenges.bearer));
    }
    if (refusal->kind == GATE_NONCE)
        headers[count++] = HTTP_HEADER("DPoP-Nonce", fresh_nonce(passage->gate, nonce));
    if (refusal->retry_after_s > 0) {
        snprintf(seconds, sizeof(seconds), "%u", refusal->retry_after_s);
        headers[count++] = HTTP_HEADER("Retry-After", slice_text(seconds));
    }
    if (refusal->kind == GATE_METHOD)
        headers[count++] =
            HTTP_HEADER("Allow", SLICE_LITERAL("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    respond(passage->wire, refusal, headers, count);
    buffer_free(&challenges.bearer);
    buffer_free(&challenges.dpop);
}
