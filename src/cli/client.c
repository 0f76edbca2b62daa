/* cli/client.c - one call of the authority's API: over its Unix socket, or over
 * HTTP(S) with a token. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#include "base/yaml.h"
#include "crypto/private_key.h"
#include "http/head.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "net/tls.h"
#include "token/text.h"

enum { REPLY_MAX = 256 << 20, CALL_MS = 120000 };

/* --- where ------------------------------------------------------------------ */

static char *
socket_of_config(const char *path)
{
    struct yaml *yaml = NULL;
    const char *data = "./data", *slash = strrchr(path, '/');
    char *out = NULL;
    json_t *value;

    if (yaml_read_file(path, &yaml, NULL) == STATUS_OK) {
        value = json_object_get(yaml_root(yaml), "data");
        if (json_is_string(value))
            data = json_string_value(value);
    }
    if (strncmp(data, "./", 2) == 0)
        data += 2;
    if (data[0] == '/' || slash == NULL) {
        if (asprintf(&out, "%s/writ.sock", data) < 0)
            out = NULL;
    } else if (asprintf(&out, "%.*s/%s/writ.sock", (int)(slash - path), path, data) < 0) {
        out = NULL;
    }
    yaml_free(yaml);
    return out;
}

/* Is this root's alone? Elsewhere a socket could be anybody's, who would be told the policy. */
static bool
is_roots(const char *path)
{
    struct stat about;

    return stat(path, &about) != 0 || (about.st_uid == 0 && (about.st_mode & 022) == 0);
}

/* Where nothing of Writ's lies, the one that was installed is meant. */
static const char *
config_here(void)
{
    static const char here[] = "writ.yaml", installed[] = "/etc/writ/writ.yaml";
    bool nothing = access(here, F_OK) != 0 && access("data/writ.sock", F_OK) != 0;

    if (nothing && access(installed, R_OK) == 0)
        return installed;
    if (!nothing && geteuid() == 0 && !(is_roots(".") && is_roots(here)))
        fprintf(stderr, "writ: note: going by what lies in this directory, which is not root's "
                        "alone (--config or --socket says what is meant)\n");
    return here;
}

static enum status
read_key(struct cli *cli, const struct args *args, struct fault *fault)
{
    const char *where = args_value(args, "--key");

    if (where == NULL)
        where = getenv("WRIT_KEY");
    if (where == NULL || where[0] == '\0')
        return STATUS_OK;
    return private_key_read(where, &cli->key, fault);
}

enum status
cli_connect(struct cli *cli, const struct args *args, struct fault *fault)
{
    const char *socket = args_value(args, "--socket"), *config = args_value(args, "--config");
    const char *output = args_value(args, "-o");
    enum status status;

    if (output != NULL && strcmp(output, "json") != 0)
        return fault_set(fault, STATUS_INVALID, "-o %s: only json is known", output);
    cli->json = output != NULL;
    cli->colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    cli->url = args_value(args, "--url");
    cli->token = getenv("WRIT_TOKEN");
    status = read_key(cli, args, fault);
    if (status != STATUS_OK)
        return status;
    if (cli->url != NULL && args_value(args, "--token-file") != NULL)
        return STATUS_OK; /* the command reads it there */
    if (cli->url != NULL && cli->token == NULL)
        return fault_set(fault, STATUS_INVALID, "--url needs the token in WRIT_TOKEN");
    if (cli->url != NULL)
        return token_text_valid(slice_text(cli->token)) || strncmp(cli->token, "ey", 2) == 0
                   ? STATUS_OK
                   : fault_set(fault, STATUS_INVALID,
                               "WRIT_TOKEN holds no Writ token: is it whole?");
    if (config != NULL && access(config, R_OK) != 0)
        return fault_set(fault, STATUS_NOT_FOUND, "--config: cannot read %s", config);
    if (socket == NULL && config == NULL)
        config = config_here();
    cli->socket = socket != NULL ? strdup(socket) : socket_of_config(config);
    return cli->socket == NULL ? STATUS_MEMORY : STATUS_OK;
}

/* --- one exchange, on a lane of its own ----------------------------------------- */

struct exchange {
    struct lane *lane;
    struct stream *stream;
    struct tls_client *tls;
    struct stream_target target;
    struct slice host; /* to resolve */
    struct buffer request, answer;
    struct http_head head;
    bool has_head;
    enum status status;
    struct fault fault;
};

static void
finish(struct exchange *exchange, enum status status, const char *why)
{
    exchange->status = status;
    if (status != STATUS_OK)
        (void)fault_set(&exchange->fault, status, "%s", why);
    if (exchange->stream != NULL)
        stream_close(exchange->stream, NULL, NULL);
    exchange->stream = NULL;
    lane_stop(exchange->lane, 0);
}

static bool
is_whole(struct exchange *exchange)
{
    struct http_refusal why;

    if (!exchange->has_head) {
        enum http_parsed parsed = http_response_parse(buffer_slice(&exchange->answer),
                                                      HTTP_METHOD_GET, &exchange->head, &why);
        if (parsed == HTTP_MALFORMED) {
            finish(exchange, STATUS_IO, why.reason);
            return false;
        }
        exchange->has_head = parsed == HTTP_PARSED;
    }
    exchange->head.bytes = exchange->answer.bytes;
    return exchange->has_head && exchange->head.body == HTTP_BODY_LENGTH &&
           exchange->answer.size >= exchange->head.size + exchange->head.length;
}

static void
on_read(struct stream *stream, enum status status, struct slice bytes, void *context)
{
    struct exchange *exchange = context;

    if (status == STATUS_OK) {
        put_slice(&exchange->answer, bytes);
        if (buffer_status(&exchange->answer) != STATUS_OK)
            finish(exchange, STATUS_TOO_LARGE, "the answer is too long");
        else if (is_whole(exchange) && exchange->stream != NULL)
            finish(exchange, STATUS_OK, "");
        return;
    }
    /* An answer without a length (204) ends with its head. */
    if (exchange->has_head && exchange->head.body != HTTP_BODY_LENGTH)
        finish(exchange, STATUS_OK, "");
    else
        finish(exchange, STATUS_CLOSED,
               "the authority closed the connection before its answer was whole");
}

static void
on_connected(struct stream *stream, enum status status, void *context)
{
    struct exchange *exchange = context;
    struct slice request = buffer_slice(&exchange->request);

    if (status != STATUS_OK) {
        finish(exchange, status, stream_error(stream));
        return;
    }
    stream_read_start(stream, on_read, exchange);
    if (stream_write(stream, &request, 1, NULL, NULL) == STREAM_BROKEN)
        finish(exchange, STATUS_IO, "the connection broke");
}

static void
connect_now(struct exchange *exchange)
{
    enum status status = stream_connect(exchange->lane, &exchange->target, on_connected, exchange,
                                        &exchange->stream);

    if (status != STATUS_OK)
        finish(exchange, status, status_text(status));
}

static void
on_resolved(enum status status, const struct ip *ips, size_t count, void *context)
{
    struct exchange *exchange = context;

    if (status != STATUS_OK) {
        finish(exchange, status, "there is no such host");
        return;
    }
    exchange->target.ip = ips[0];
    connect_now(exchange);
}

static void
begin(struct lane *lane, void *context)
{
    struct exchange *exchange = context;
    enum status status;

    if (exchange->target.unix_path != NULL) {
        connect_now(exchange);
        return;
    }
    status = resolve_name(lane, exchange->host, on_resolved, exchange);
    if (status != STATUS_OK)
        finish(exchange, status, status_text(status));
}

/* http(s)://host[:port][/prefix] taken apart. */
struct place {
    struct slice host, prefix;
    char host_text[256];
    uint16_t port;
    bool tls;
};

static enum status
take_url(const char *url, struct place *out, struct fault *fault)
{
    struct slice rest = slice_text(url);
    size_t slash;

    out->tls = slice_starts(rest, SLICE_LITERAL("https://"));
    if (!out->tls && !slice_starts(rest, SLICE_LITERAL("http://")))
        return fault_set(fault, STATUS_INVALID, "--url must begin with http:// or https://");
    rest = slice_from(rest, out->tls ? 8 : 7);
    slash = slice_find(rest, '/');
    out->prefix = slice_from(rest, slash);
    while (out->prefix.size > 0 && out->prefix.at[out->prefix.size - 1] == '/')
        out->prefix.size--;
    rest = slice_first(rest, slash);
    if (host_port_parse(rest, &out->host, &out->port) != STATUS_OK) {
        out->host = rest;
        out->port = out->tls ? 443 : 80;
    }
    if (out->host.size == 0 || out->host.size >= sizeof out->host_text)
        return fault_set(fault, STATUS_INVALID, "--url names no host");
    memcpy(out->host_text, out->host.at, out->host.size);
    return STATUS_OK;
}

static enum status
aim(const struct cli *cli, struct exchange *exchange, struct place *place, struct fault *fault)
{
    enum status status;

    exchange->target.timeout_ms = 10000;
    if (cli->url == NULL) {
        exchange->target.unix_path = cli->socket;
        return STATUS_OK;
    }
    status = take_url(cli->url, place, fault);
    if (status != STATUS_OK)
        return status;
    exchange->host = slice_text(place->host_text);
    exchange->target.port = place->port;
    if (place->tls) {
        status = tls_client_new(&(struct tls_client_options){ .server_name = place->host_text },
                                &exchange->tls, fault);
        exchange->target.tls = exchange->tls;
    }
    return status;
}

/* The URL of a call is the --url and the path, as the authority knows itself. */
static enum status
write_credentials(const struct cli *cli, const char *const *line, struct buffer *out)
{
    struct credentials who = { .token = slice_text(cli->token),
                               .key = cli->key,
                               .nonce = slice_text(cli->nonce) };
    struct slice base = slice_text(cli->url);
    struct buffer url = { 0 };
    enum status status;

    while (base.size > 0 && base.at[base.size - 1] == '/')
        base.size--;
    put_slice(&url, base);
    put_text(&url, line[1]);
    status = put_credentials(
        out, &who,
        &(struct request_line){ .method = slice_text(line[0]), .url = buffer_slice(&url) });
    buffer_free(&url);
    return status;
}

static enum status
write_request(const struct cli *cli, struct exchange *exchange, const struct place *place,
              const char *const *line, const json_t *body)
{
    struct buffer *out = &exchange->request;
    struct buffer text = { 0 };
    enum status status = STATUS_OK;

    if (body != NULL)
        put_json(&text, body);
    put_format(out, "%s %.*s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: writ/" WRIT_VERSION "\r\n",
               line[0], SLICE_PRINT(place->prefix), line[1],
               cli->url == NULL ? "localhost" : place->host_text);
    if (cli->url != NULL)
        status = write_credentials(cli, line, out);
    if (cli->repeat_key != NULL)
        put_format(out, "Idempotency-Key: %s\r\n", cli->repeat_key);
    if (body != NULL)
        put_text(out, "Content-Type: application/json\r\n");
    put_format(out, "Content-Length: %zu\r\n\r\n", text.size);
    put_slice(out, buffer_slice(&text));
    buffer_wipe_free(&text);
    return status == STATUS_OK ? buffer_status(out) : status;
}

static enum status
no_connection(const struct cli *cli, const struct exchange *exchange, struct fault *fault)
{
    if (cli->url != NULL)
        return fault_set(fault, exchange->status, "%s: %s", cli->url, exchange->fault.text);
    return fault_set(
        fault, exchange->status,
        "no authority at %s (%s)\n  Is it running here, as you or as root? Else name it: "
        "--config FILE, --socket PATH, or --url URL with WRIT_TOKEN.",
        cli->socket, exchange->fault.text);
}

/* A nonce of the answer is for the next call (RFC 9449 §8). */
static void
keep_nonce(struct cli *cli, const struct exchange *exchange)
{
    struct slice nonce = http_head_value(&exchange->head, HTTP_FIELD_DPOP_NONCE);

    if (nonce.size == 0 || nonce.size >= sizeof cli->nonce)
        return;
    memcpy(cli->nonce, nonce.at, nonce.size);
    cli->nonce[nonce.size] = '\0';
}

static enum status
call_once(struct cli *cli, const char *const *line, const json_t *body, struct reply *out,
          struct fault *fault)
{
    struct exchange exchange = { .status = STATUS_TIMEOUT, .answer = BUFFER_LIMITED(REPLY_MAX) };
    struct place place = { 0 };
    enum status status = aim(cli, &exchange, &place, fault);

    if (status == STATUS_OK)
        status = write_request(cli, &exchange, &place, line, body);
    if (status == STATUS_OK) {
        status = lane_new(&(struct lane_options){ .name = "writ-call",
                                                  .hooks = { .begin = begin },
                                                  .context = &exchange },
                          &exchange.lane);
    }
    if (status == STATUS_OK) {
        lane_run(exchange.lane);
        lane_free(exchange.lane);
        status = exchange.status == STATUS_OK ? STATUS_OK : no_connection(cli, &exchange, fault);
    }
    if (status == STATUS_OK) {
        struct slice text = slice_from(buffer_slice(&exchange.answer), exchange.head.size);

        *out = (struct reply){ .status = exchange.head.status };
        keep_nonce(cli, &exchange);
        put_slice(&out->text, text);
        if (text.size > 0 && json_read(slice_trim(text), &out->body, NULL) != STATUS_OK)
            out->body = NULL;
    }
    tls_client_free(exchange.tls);
    buffer_wipe_free(&exchange.request);
    buffer_wipe_free(&exchange.answer);
    return status;
}

enum status
cli_call(struct cli *cli, const char *method, const char *path, const json_t *body,
         struct reply *out, struct fault *fault)
{
    const char *const line[] = { method, path };
    char before[NONCE_MAX];
    enum status status;

    memcpy(before, cli->nonce, sizeof before);
    status = call_once(cli, line, body, out, fault);
    if (status != STATUS_OK || out->status != 401 || cli->key == NULL ||
        strcmp(before, cli->nonce) == 0)
        return status;
    reply_free(out);
    return call_once(cli, line, body, out, fault);
}

void
reply_free(struct reply *reply)
{
    json_decref(reply->body);
    buffer_wipe_free(&reply->text);
    *reply = (struct reply){ 0 };
}

/* --- asking and telling ---------------------------------------------------------- */

void
cli_tell_fault(const struct fault *fault)
{
    fprintf(stderr, "writ: %s\n", fault->text[0] == '\0' ? status_text(fault->code) : fault->text);
}

void
cli_tell_problem(const struct cli *cli, const struct reply *reply)
{
    const char *detail = json_string_value(json_object_get(reply->body, "detail"));
    const char *title = json_string_value(json_object_get(reply->body, "title"));
    const char *right = json_string_value(json_object_get(reply->body, "right"));

    if (cli->json && reply->body != NULL)
        print_json(reply->body);
    fprintf(stderr, "writ: %s\n", detail != NULL ? detail : title != NULL ? title : "refused");
    if (right != NULL && (detail == NULL || strstr(detail, right) == NULL))
        fprintf(stderr, "  right needed: %s\n", right);
}

int
cli_ask(struct cli *cli, const char *method, const char *path, json_t *body, json_t **out)
{
    struct reply reply = { 0 };
    struct fault fault = { 0 };
    enum status status = cli_call(cli, method, path, body, &reply, &fault);
    int exit_status = EXIT_REFUSED;

    *out = NULL;
    json_decref(body);
    if (status != STATUS_OK) {
        cli_tell_fault(&fault);
        return EXIT_NOT_ASKED;
    }
    if (reply.status >= 200 && reply.status < 300) {
        *out = json_incref(reply.body);
        exit_status = EXIT_DONE;
    } else {
        cli_tell_problem(cli, &reply);
    }
    reply_free(&reply);
    return exit_status;
}

static void
put_encoded(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            strchr("-._~/:", c) != NULL)
            put_u8(out, c);
        else
            put_format(out, "%%%02X", c);
    }
}

void
put_query(struct buffer *out, const char *name, const char *value)
{
    if (value == NULL)
        return;
    put_format(out, "%c%s=", memchr(out->bytes, '?', out->size) == NULL ? '?' : '&', name);
    put_encoded(out, value);
}

void
put_path(struct buffer *out, const char *prefix, const char *word)
{
    put_text(out, prefix);
    put_encoded(out, word);
}
