/* authority/oauth/client.c - a subject's definition read as that of an OAuth client. */
#include "oauth.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/jws.h"

enum { JWKS_FILE_MAX = 65536 };

static const struct {
    const char *name;
    enum client_auth auth;
    bool basic_only, post_only;
} auths[] = {
    { "client_secret", CLIENT_SECRET, false, false },
    { "client_secret_basic", CLIENT_SECRET, true, false },
    { "client_secret_post", CLIENT_SECRET, false, true },
    { "private_key_jwt", CLIENT_PRIVATE_KEY_JWT, false, false },
    { "tls_client_auth", CLIENT_TLS, false, false },
    { "self_signed_tls_client_auth", CLIENT_SELF_SIGNED_TLS, false, false },
};

static const struct {
    const char *name;
    enum certificate_name kind;
} certificate_names[] = {
    { "subject_dn", NAME_SUBJECT_DN }, { "san_dns", NAME_SAN_DNS },     { "san_uri", NAME_SAN_URI },
    { "san_ip", NAME_SAN_IP },         { "san_email", NAME_SAN_EMAIL },
};

void
client_free(struct oauth_client *client)
{
    jwks_free(client->keys);
    json_decref(client->definition);
    *client = (struct oauth_client){ 0 };
}

static enum status
read_auth(const json_t *client, struct oauth_client *out, struct fault *fault)
{
    struct slice text = { 0 };
    enum status status = json_take_string(client, "auth", &text, fault);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < sizeof auths / sizeof auths[0]; i++) {
        if (!slice_is(text, auths[i].name))
            continue;
        out->auth = auths[i].auth;
        out->basic_only = auths[i].basic_only;
        out->post_only = auths[i].post_only;
        return STATUS_OK;
    }
    return fault_at(fault, STATUS_INVALID, "/auth",
                    "auth is one of client_secret, client_secret_basic, client_secret_post, "
                    "private_key_jwt, tls_client_auth, self_signed_tls_client_auth");
}

/* --- keys -------------------------------------------------------------------- */

/* Until the end, or past what is taken. */
static enum status
read_open(int file, struct buffer *out)
{
    ssize_t got = 1;

    while (got > 0) {
        char *room = buffer_room(out, 4096);

        if (room == NULL)
            return buffer_status(out);
        got = read(file, room, 4096);
        if (got > 0)
            buffer_added(out, (size_t)got);
    }
    return got == 0 ? STATUS_OK : STATUS_IO;
}

/* It is read at calls as well, so that nothing but a file may hold it up. */
static enum status
read_file(const char *path, struct buffer *out, struct fault *fault)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum status status;
    struct stat about;

    if (file < 0)
        return fault_at(fault, STATUS_INVALID, "/jwks_file", "cannot read %.200s: %s", path,
                        strerror(errno));
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
        status = fault_at(fault, STATUS_INVALID, "/jwks_file", "%.200s is no ordinary file", path);
    else if (about.st_size > JWKS_FILE_MAX)
        status = fault_at(fault, STATUS_INVALID, "/jwks_file",
                          "%.200s is longer than the %d bytes that are read of a key set", path,
                          JWKS_FILE_MAX);
    else if ((status = read_open(file, out)) != STATUS_OK)
        status = fault_at(fault, STATUS_INVALID, "/jwks_file", "cannot read all of %.200s", path);
    close(file);
    return status;
}

static enum status
read_set(const json_t *set, const char *pointer, struct oauth_client *out, struct fault *fault)
{
    enum status status = jwks_read(set, &out->keys, fault);

    if (status != STATUS_OK)
        return fault_at(fault, status, pointer, "%s", fault == NULL ? "" : fault->text);
    if (jwks_count(out->keys) == 0)
        return fault_at(fault, STATUS_INVALID, pointer,
                        "the key set holds no key that is taken: EC P-256, Ed25519 or RSA");
    return STATUS_OK;
}

static enum status
read_set_file(const char *path, struct oauth_client *out, struct fault *fault)
{
    struct buffer text = BUFFER_LIMITED(JWKS_FILE_MAX + 4096);
    json_t *set = NULL;
    enum status status = read_file(path, &text, fault);

    if (status == STATUS_OK) {
        status = json_read(slice_trim(buffer_slice(&text)), &set, fault);
        if (status != STATUS_OK)
            status = fault_at(fault, STATUS_INVALID, "/jwks_file", "%.200s is no JSON", path);
    }
    if (status == STATUS_OK)
        status = read_set(set, "/jwks_file", out, fault);
    json_decref(set);
    buffer_free(&text);
    return status;
}

/* jwks or jwks_file, of those who sign or show a certificate of their own. */
static enum status
read_keys(const json_t *client, bool source_local, struct oauth_client *out, struct fault *fault)
{
    const json_t *set = json_object_get(client, "jwks");
    const json_t *file = json_object_get(client, "jwks_file");
    bool wanted = out->auth == CLIENT_PRIVATE_KEY_JWT || out->auth == CLIENT_SELF_SIGNED_TLS;

    if ((set != NULL) + (file != NULL) != (wanted ? 1 : 0))
        return fault_set(fault, STATUS_INVALID,
                         wanted ? "the client needs its public keys: jwks or jwks_file"
                                : "jwks and jwks_file are for clients that sign");
    if (set != NULL)
        return read_set(set, "/jwks", out, fault);
    if (file == NULL)
        return STATUS_OK;
    if (!source_local)
        return fault_at(fault, STATUS_DENIED, "/jwks_file",
                        "jwks_file names a file: only in a local file or at the local socket; "
                        "give the set itself as jwks");
    if (!json_is_string(file))
        return fault_at(fault, STATUS_INVALID, "/jwks_file", "jwks_file is a path");
    return read_set_file(json_string_value(file), out, fault);
}

/* RFC 8705 §2.1.2: exactly one name. */
static enum status
read_certificate_name(const json_t *client, struct oauth_client *out, struct fault *fault)
{
    size_t found = 0;

    for (size_t i = 0; i < sizeof certificate_names / sizeof certificate_names[0]; i++) {
        struct slice value = { 0 };
        enum status status = json_take_string(client, certificate_names[i].name, &value, fault);

        if (status != STATUS_OK)
            return status;
        if (value.size == 0)
            continue;
        found++;
        out->certificate_name = certificate_names[i].kind;
        out->certificate_value = value;
    }
    if (found == (out->auth == CLIENT_TLS ? 1 : 0))
        return STATUS_OK;
    return fault_set(fault, STATUS_INVALID,
                     out->auth == CLIENT_TLS
                         ? "tls_client_auth needs exactly one of subject_dn, san_dns, san_uri, "
                           "san_ip, san_email"
                         : "names of a certificate are for tls_client_auth alone");
}

/* --- the rest ------------------------------------------------------------------ */

static enum status
read_grants(const json_t *client, struct oauth_client *out, struct fault *fault)
{
    const json_t *grants = json_object_get(client, "grants"), *item;
    size_t i;

    if (grants == NULL) {
        out->client_credentials = out->token_exchange = out->refresh_token = true;
        return STATUS_OK;
    }
    if (!json_is_array(grants))
        return fault_at(fault, STATUS_INVALID, "/grants", "grants is a list");
    json_array_foreach(grants, i, item)
    {
        struct slice name = slice_text(json_string_value(item));

        if (slice_is(name, "client_credentials"))
            out->client_credentials = true;
        else if (slice_is(name, "token_exchange"))
            out->token_exchange = true;
        else if (slice_is(name, "refresh_token"))
            out->refresh_token = true;
        else
            return fault_at(fault, STATUS_INVALID, "/grants",
                            "grants are client_credentials, token_exchange, refresh_token");
    }
    return STATUS_OK;
}

static enum status
read_tokens(const json_t *client, struct oauth_client *out, struct fault *fault)
{
    struct slice format = SLICE_LITERAL("opaque"), dpop = { 0 }, ttl = { 0 };
    enum status status = json_take_string(client, "token_format", &format, fault);

    if (status == STATUS_OK)
        status = json_take_string(client, "dpop", &dpop, fault);
    if (status == STATUS_OK)
        status = json_take_string(client, "ttl", &ttl, fault);
    if (status == STATUS_OK)
        status = json_take_bool(client, "refresh", &out->gives_refresh, fault);
    if (status != STATUS_OK)
        return status;
    if (!slice_is(format, "opaque") && !slice_is(format, "jwt"))
        return fault_at(fault, STATUS_INVALID, "/token_format", "token_format is opaque or jwt");
    if (dpop.size > 0 && !slice_is(dpop, "required") && !slice_is(dpop, "optional"))
        return fault_at(fault, STATUS_INVALID, "/dpop", "dpop is optional or required");
    if (ttl.size > 0 && (duration_parse(ttl, &out->ttl) != STATUS_OK || out->ttl <= 0))
        return fault_at(fault, STATUS_INVALID, "/ttl", "ttl is a duration such as 1h");
    out->form = slice_is(format, "jwt") ? TOKEN_FORM_JWT : TOKEN_FORM_OPAQUE;
    out->dpop_required = slice_is(dpop, "required");
    return STATUS_OK;
}

static enum status
read_client(const json_t *client, bool source_local, struct oauth_client *out, struct fault *fault)
{
    static const char *const known[] = { "auth",    "jwks",    "jwks_file",    "subject_dn",
                                         "san_dns", "san_uri", "san_ip",       "san_email",
                                         "grants",  "dpop",    "token_format", "ttl",
                                         "refresh", NULL };
    enum status status = json_only(client, known, fault);

    if (status == STATUS_OK)
        status = read_auth(client, out, fault);
    if (status == STATUS_OK)
        status = read_keys(client, source_local, out, fault);
    if (status == STATUS_OK)
        status = read_certificate_name(client, out, fault);
    if (status == STATUS_OK)
        status = read_grants(client, out, fault);
    if (status == STATUS_OK)
        status = read_tokens(client, out, fault);
    return status;
}

enum status
client_read(struct slice name, const json_t *definition, bool source_local,
            struct oauth_client *out, struct fault *fault)
{
    json_t *client = json_object_get(definition, "client");
    struct fault why = { 0 };
    enum status status;

    *out = (struct oauth_client){ .name = name };
    if (!json_is_object(client))
        return fault_set(fault, STATUS_NOT_FOUND, "%.*s is no client: its definition has no client",
                         SLICE_PRINT(slice_first(name, 64)));
    out->definition = json_incref(client);
    status = read_client(client, source_local, out, &why);
    if (status == STATUS_OK)
        return STATUS_OK;
    client_free(out);
    if (fault != NULL)
        *fault = why;
    fault_below(&why, "/client");
    return fault_at(fault, status, why.pointer, "%s", why.text);
}

enum status
client_check(struct slice name, const json_t *definition, bool source_local, struct fault *fault)
{
    struct oauth_client client;
    enum status status;

    if (json_object_get(definition, "client") == NULL)
        return STATUS_OK;
    status = client_read(name, definition, source_local, &client, fault);
    if (status == STATUS_OK)
        client_free(&client);
    return status;
}

/* --- at a call --------------------------------------------------------------------- */

static enum status
take_definition(void *context, const struct change *object)
{
    return json_read(object->body, context, NULL);
}

enum status
oauth_client_find(struct oauth_call *call, struct slice name)
{
    struct authority *authority = call->authority;
    struct subject_view view;
    json_t *definition = NULL;
    name_id subject = names_find(world_names(authority->world), name);
    enum status status;

    if (!subject_name_valid(name) || subject == NAME_NONE ||
        !policy_subject(world_policy_of(authority->world), subject, &view) || view.disabled)
        return STATUS_NOT_FOUND;
    status =
        store_object_get(authority->store, CHANGE_SUBJECT_PUT, name, take_definition, &definition);
    if (status == STATUS_OK)
        status = client_read(view.name, definition, true, &call->client, NULL);
    call->client.subject = subject;
    json_decref(definition);
    return status;
}
