/* token/attenuate.c - narrows a token without asking anyone (macaroons, Birgisson et al. 2014). */
#include "base/clock.h"
#include "caveat.h"
#include "crypto/mac.h"
#include "crypto/private_key.h"
#include "crypto/random.h"

/* A token being written: its bytes without the MAC, and the MAC so far. */
struct draft {
    uint8_t bytes[TOKEN_BINARY_MAX];
    size_t size;
    uint8_t mac[MAC_SIZE];
};

static enum status
append(struct draft *draft, enum caveat_kind kind, struct slice value, struct fault *fault)
{
    uint8_t *at = draft->bytes + draft->size;
    struct slice caveat;
    enum status status;

    if (!caveat_valid((uint8_t)kind, value, fault))
        return STATUS_INVALID;
    if (value.size + CAVEAT_HEAD_SIZE + MAC_SIZE > sizeof draft->bytes - draft->size)
        return fault_set(fault, STATUS_TOO_LARGE, "an attenuated token has at most %d characters",
                         TOKEN_TEXT_MAX);
    at[0] = (uint8_t)kind;
    at[1] = (uint8_t)(value.size >> 8);
    at[2] = (uint8_t)value.size;
    memcpy(at + CAVEAT_HEAD_SIZE, value.at, value.size);
    caveat = slice_of(at, CAVEAT_HEAD_SIZE + value.size);
    status = mac_once(draft->mac, sizeof draft->mac, &caveat, 1, draft->mac);
    if (status != STATUS_OK)
        return fault_set(fault, status, "the token's code could not be computed");
    draft->size += caveat.size;
    return STATUS_OK;
}

/* The last of its hop: the signature covers all that stands before. */
static enum status
append_signed(struct draft *draft, const struct attenuation *what, struct fault *fault)
{
    struct buffer value = BUFFER_LIMITED(TOKEN_BINARY_MAX);
    enum status status =
        rebind_write(slice_of(draft->bytes, draft->size), what->jkt, what->signer, &value);

    if (status != STATUS_OK)
        (void)fault_set(fault, status, "the key can't sign the change to another one");
    else
        status = append(draft, CAVEAT_KEY_SIGNED, buffer_slice(&value), fault);
    buffer_free(&value);
    return status;
}

/* What was asked for, in the order of the kinds. */
static enum status
append_all(struct draft *draft, const struct hop_id *hop, const struct attenuation *what,
           struct fault *fault)
{
    uint8_t expiry[8];
    struct slice values[CAVEAT_LABEL + 1] = {
        [CAVEAT_HOP] = slice_of(hop->bytes, HOP_ID_SIZE),
        [CAVEAT_RIGHTS] = what->rights,
        [CAVEAT_NETWORK] = what->networks,
        [CAVEAT_LABEL] = what->label,
    };

    if (what->expires_at != 0 && what->expires_at != TIME_NEVER) {
        for (int i = 0; i < 8; i++)
            expiry[i] = (uint8_t)((uint64_t)what->expires_at >> (56 - 8 * i));
        values[CAVEAT_EXPIRES] = slice_of(expiry, sizeof expiry);
    }
    if (what->jkt != NULL && what->signer == NULL)
        values[CAVEAT_KEY] = slice_of(what->jkt, CAVEAT_JKT_SIZE);
    for (int kind = CAVEAT_HOP; kind <= CAVEAT_LABEL; kind++) {
        enum status status = STATUS_OK;
        if (values[kind].size > 0)
            status = append(draft, (enum caveat_kind)kind, values[kind], fault);
        if (status != STATUS_OK)
            return status;
    }
    return what->jkt != NULL && what->signer != NULL ? append_signed(draft, what, fault)
                                                     : STATUS_OK;
}

static size_t
asked_count(const struct attenuation *what)
{
    return (what->rights.size > 0) + (what->expires_at != 0 && what->expires_at != TIME_NEVER) +
           (what->networks.size > 0) + (what->jkt != NULL) + (what->label.size > 0);
}

/* Is there room for what is asked, and may it be asked? */
static enum status
check_asked(const struct token_view *view, const struct attenuation *what, struct fault *fault)
{
    size_t caveats = asked_count(what);
    const char *in_force = NULL; /* as far as the text tells */

    if (caveats == 0)
        return fault_set(fault, STATUS_INVALID, "nothing was given by which to narrow the token");
    for (size_t i = 0; i < view->caveat_count; i++) {
        caveats += view->caveats[i].kind != CAVEAT_HOP;
        if (view->caveats[i].kind == CAVEAT_KEY || view->caveats[i].kind == CAVEAT_KEY_SIGNED)
            in_force = view->caveats[i].value.at;
    }
    if (in_force != NULL && what->jkt != NULL && what->signer == NULL)
        return fault_set(fault, STATUS_DENIED,
                         "the token is bound to a key already, which must sign the change: --key");
    if (in_force != NULL && what->jkt != NULL &&
        memcmp(in_force, public_key_thumbprint(private_key_public(what->signer)),
               CAVEAT_JKT_SIZE) != 0)
        return fault_set(fault, STATUS_DENIED, "the token is bound to another key than this one");
    if (caveats > TOKEN_CAVEATS_MAX)
        return fault_set(fault, STATUS_LIMIT, "a token bears at most %d caveats",
                         TOKEN_CAVEATS_MAX);
    return STATUS_OK;
}

static enum status
write_draft(struct draft *draft, struct buffer *out, struct fault *fault)
{
    char text[TOKEN_TEXT_MAX];
    size_t size;

    memcpy(draft->bytes + draft->size, draft->mac, MAC_SIZE);
    size = token_put_attenuated(draft->bytes, draft->size + MAC_SIZE, text);
    if (size == 0)
        return fault_set(fault, STATUS_TOO_LARGE, "an attenuated token has at most %d characters",
                         TOKEN_TEXT_MAX);
    put_bytes(out, text, size);
    secret_wipe(text, sizeof text);
    if (buffer_status(out) != STATUS_OK)
        return fault_set(fault, buffer_status(out), "no room for the token");
    return STATUS_OK;
}

enum status
token_attenuate(struct slice text, const struct attenuation *what, struct buffer *out,
                struct hop_id *hop, struct fault *fault)
{
    struct token_view view;
    struct draft draft;
    struct hop_id new_hop;
    enum status status = token_parse(text, &view);

    if (status != STATUS_OK)
        return fault_set(fault, status, "this is no token of Writ, or it is damaged");
    draft.size = view.binary_size - MAC_SIZE;
    memcpy(draft.bytes, view.binary, draft.size);
    memcpy(draft.mac, view.mac, MAC_SIZE);
    status = check_asked(&view, what, fault);
    if (status == STATUS_OK && random_bytes(new_hop.bytes, HOP_ID_SIZE) != STATUS_OK)
        status = fault_set(fault, STATUS_CRYPTO, "no random bytes");
    if (status == STATUS_OK)
        status = append_all(&draft, &new_hop, what, fault);
    if (status == STATUS_OK)
        status = write_draft(&draft, out, fault);
    if (status == STATUS_OK)
        *hop = new_hop;
    token_view_wipe(&view);
    secret_wipe(&draft, sizeof draft);
    return status;
}
