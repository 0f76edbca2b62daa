/* gateway/upstream_login.c - the gateway's own log-in at an upstream: secrets in files that
 * may be rotated at any time. */
#include "upstream_inside.h"

#include "base/encoding.h"
#include "base/file.h"

enum { AUTHORIZATION_US = 1000000, BEARER_MAX = 8192 };

static enum status
read_secret(struct upstream *upstream, const char *path, size_t most, struct buffer *out)
{
    enum status status = file_read(path, most, out);

    if (status != STATUS_OK)
        upstream_note(upstream, "a file of its log-in can't be read");
    /* An editor's line end is no part of it. */
    while (status == STATUS_OK && out->size > 0 &&
           (out->bytes[out->size - 1] == '\n' || out->bytes[out->size - 1] == '\r'))
        out->size--;
    return status;
}

enum status
upstream_password(struct upstream *upstream, struct buffer *out)
{
    const char *path = upstream->plan.password_file;

    return path == NULL ? STATUS_OK : read_secret(upstream, path, UPSTREAM_PASSWORD_MAX, out);
}

/* RFC 7617: user and password, in base64. */
static enum status
put_basic(struct upstream *upstream, struct buffer *out)
{
    struct buffer pair = BUFFER_LIMITED(2 * UPSTREAM_PASSWORD_MAX);

    put_text(&pair, upstream->plan.user);
    put_u8(&pair, ':');
    enum status status = upstream_password(upstream, &pair);
    if (status == STATUS_OK) {
        put_text(out, "Basic ");
        put_base64(out, pair.bytes, pair.size);
    }
    buffer_wipe_free(&pair);
    return status;
}

static enum status
put_bearer(struct upstream *upstream, struct buffer *out)
{
    put_text(out, "Bearer ");
    return read_secret(upstream, upstream->plan.bearer_file, BEARER_MAX, out);
}

/* It becomes the value of a field: nothing in it may end one. */
static bool
is_field_value(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] < 0x20 || text.at[i] > 0x7e)
            return false;
    }
    return true;
}

static enum status
make_authorization(struct upstream *upstream)
{
    struct buffer made = BUFFER_LIMITED(2 * BEARER_MAX);
    enum status status = upstream->plan.bearer_file != NULL ? put_bearer(upstream, &made)
                                                            : put_basic(upstream, &made);

    if (status == STATUS_OK)
        status = buffer_status(&made);
    if (status == STATUS_OK && !is_field_value(buffer_slice(&made))) {
        upstream_note(upstream, "the secret of its log-in holds bytes that no header can");
        status = STATUS_INVALID;
    }
    if (status != STATUS_OK) {
        buffer_wipe_free(&made);
        return status;
    }
    buffer_wipe_free(&upstream->authorization);
    upstream->authorization = made;
    return STATUS_OK;
}

enum status
upstream_authorization(struct upstream *upstream, uint64_t now_us, struct slice *out)
{
    enum status status = STATUS_OK;

    *out = (struct slice){ 0 };
    if (upstream->plan.bearer_file == NULL && upstream->plan.user == NULL)
        return STATUS_OK;
    if (upstream->authorization_us == 0 || now_us - upstream->authorization_us > AUTHORIZATION_US)
        status = make_authorization(upstream);
    if (status != STATUS_OK)
        return status;
    upstream->authorization_us = now_us;
    *out = buffer_slice(&upstream->authorization);
    return STATUS_OK;
}
