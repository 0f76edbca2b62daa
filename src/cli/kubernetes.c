/* cli/kubernetes.c - `writ kubeconfig` and `writ kube-credential`: kubectl with a token that it
 * asks for itself each time. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#include "base/encoding.h"
#include "crypto/private_key.h"

/* --- the configuration ------------------------------------------------------------------ */

/* A line of YAML; JSON's strings are YAML's. */
static void
put_line(struct buffer *out, const char *before, struct slice text)
{
    put_text(out, before);
    put_json_string(out, text);
    put_text(out, "\n");
}

static bool
put_path_line(struct buffer *out, const char *before, const char *path)
{
    char *full = realpath(path, NULL);

    if (full == NULL) {
        fprintf(stderr, "writ kubeconfig: %s: %s\n", path, strerror(errno));
        return false;
    }
    put_line(out, before, slice_text(full));
    free(full);
    return true;
}

static void
put_option(struct buffer *out, const char *name, struct slice value)
{
    put_line(out, "      - ", slice_text(name));
    put_line(out, "      - ", value);
}

static bool
put_file(struct buffer *out, const char *name, const char *path)
{
    put_line(out, "      - ", slice_text(name));
    return put_path_line(out, "      - ", path);
}

/* What kube-credential is called with is what this command was called with. */
static bool
put_arguments(struct buffer *out, const struct cli *cli, const struct args *args)
{
    static const char *const texts[] = { "--subject", "--ttl", "--url" };
    bool found = true;

    put_text(out, "      args:\n      - kube-credential\n");
    if (args_value(args, "--token-file") != NULL)
        found = put_file(out, "--token-file", args_value(args, "--token-file"));
    /* kubectl runs it from anywhere. */
    if (found && args_value(args, "--subject") != NULL && cli->socket != NULL)
        found = put_file(out, "--socket", cli->socket);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (args_value(args, texts[i]) == NULL)
            continue;
        put_option(out, texts[i], slice_text(args_value(args, texts[i])));
    }
    /* A key of a store has no path. */
    const char *key = args_value(args, "--key");
    if (found && key != NULL && strncmp(key, "pkcs11:", 7) == 0)
        put_option(out, "--key", slice_text(key));
    else if (found && key != NULL)
        found = put_file(out, "--key", key);
    return found;
}

static void
put_self(struct buffer *out)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path);

    put_line(out, "      command: ",
             size > 0 && size < (ssize_t)sizeof path ? slice_of(path, (size_t)size)
                                                     : SLICE_LITERAL("writ"));
}

static bool
put_config(struct buffer *out, const struct cli *cli, const struct args *args, struct slice gateway)
{
    struct slice name = slice_text(args->words[0]);
    const char *ca = args_value(args, "--ca"), *namespace = args_value(args, "--namespace");
    struct buffer server = { 0 };

    put_slice(&server, gateway);
    put_text(&server, "/");
    put_slice(&server, name);
    put_text(out, "apiVersion: v1\nkind: Config\nclusters:\n");
    put_line(out, "- name: ", name);
    put_line(out, "  cluster:\n    server: ", buffer_slice(&server));
    buffer_free(&server);
    if (ca != NULL && !put_path_line(out, "    certificate-authority: ", ca))
        return false;
    put_line(out, "contexts:\n- name: ", name);
    put_line(out, "  context:\n    cluster: ", name);
    put_line(out, "    user: ", name);
    if (namespace != NULL)
        put_line(out, "    namespace: ", slice_text(namespace));
    put_line(out, "current-context: ", name);
    put_line(out, "users:\n- name: ", name);
    put_text(out, "  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n"
                  "      interactiveMode: Never\n");
    put_self(out);
    return put_arguments(out, cli, args) && buffer_status(out) == STATUS_OK;
}

static bool
write_out(const char *path, struct slice text)
{
    FILE *file = path != NULL ? fopen(path, "we") : stdout;
    bool written = file != NULL && fwrite(text.at, 1, text.size, file) == text.size;

    if (file != NULL && path != NULL)
        written = fclose(file) == 0 && written;
    if (!written)
        fprintf(stderr, "writ kubeconfig: cannot write %s: %s\n",
                path != NULL ? path : "standard output", strerror(errno));
    return written;
}

int
kubeconfig_run(struct cli *cli, const struct args *args)
{
    const char *gateway =
        args_value(args, "--gateway") ? args_value(args, "--gateway") : getenv("WRIT_GATEWAY");
    struct slice url = slice_text(gateway != NULL ? gateway : "");
    struct buffer text = { 0 };
    int status = EXIT_REFUSED;

    while (url.size > 0 && url.at[url.size - 1] == '/')
        url = slice_first(url, url.size - 1);
    if (!slice_starts(url, SLICE_LITERAL("https://"))) {
        fputs("writ kubeconfig: --gateway (or WRIT_GATEWAY) must be the gateway's https:// URL: "
              "kubectl sends no credential without TLS\n",
              stderr);
        return EXIT_USAGE;
    }
    if (put_config(&text, cli, args, url) &&
        write_out(args_value(args, "--out"), buffer_slice(&text)))
        status = EXIT_DONE;
    buffer_free(&text);
    return status;
}

/* --- the credential ------------------------------------------------------------------------ */

static json_t *
credential_of(json_t *status)
{
    return json_pack("{s:s, s:s, s:{s:b}, s:o}", "kind", "ExecCredential", "apiVersion",
                     "client.authentication.k8s.io/v1", "spec", "interactive", 0, "status", status);
}

/* A short token for this subject, by whoever may issue it. */
static int
issue_token(struct cli *cli, const struct args *args, json_t *status)
{
    const char *ttl = args_value(args, "--ttl");
    json_t *body = json_pack("{s:s, s:s, s:s}", "subject", args_value(args, "--subject"), "ttl",
                             ttl != NULL ? ttl : "15m", "name", "kubectl");
    json_t *token = NULL;
    int result = cli_ask(cli, "POST", "/v1/tokens", body, &token);

    if (result == EXIT_DONE) {
        json_object_set(status, "token", json_object_get(token, "token"));
        json_object_set(status, "expirationTimestamp", json_object_get(token, "expires_at"));
    }
    json_decref(token);
    return result;
}

static int
kept_token(const struct args *args, json_t *status)
{
    struct buffer token = { 0 };
    struct fault fault = { 0 };

    if (read_credential(args, &token, &fault) != STATUS_OK) {
        cli_tell_fault(&fault);
        return EXIT_REFUSED;
    }
    json_object_set_new(status, "token", json_slice(buffer_slice(&token)));
    buffer_wipe_free(&token);
    return EXIT_DONE;
}

static void
set_pem(json_t *status, const char *name, const struct buffer *pem)
{
    json_object_set_new(status, name, json_slice(buffer_slice(pem)));
}

static enum status
put_key(struct buffer *out, const struct private_key *key)
{
    struct buffer der = { 0 };
    enum status status = private_key_encode(key, &der);

    put_text(out, "-----BEGIN PRIVATE KEY-----\n");
    put_base64(out, der.bytes, der.size);
    put_text(out, "\n-----END PRIVATE KEY-----\n");
    buffer_wipe_free(&der);
    return status == STATUS_OK ? buffer_status(out) : status;
}

/* A token that is bound to a key is proven by a certificate of it. */
static int
show_key(const struct cli *cli, json_t *status)
{
    struct buffer cert = { 0 }, key = { 0 };
    int result = EXIT_DONE;

    if (cli->key == NULL)
        return EXIT_DONE;
    if (private_key_certify(cli->key, "kubectl", &cert) == STATUS_OK &&
        put_key(&key, cli->key) == STATUS_OK) {
        set_pem(status, "clientCertificateData", &cert);
        set_pem(status, "clientKeyData", &key);
    } else {
        fputs("writ kube-credential: the key can't be shown in a certificate\n", stderr);
        result = EXIT_REFUSED;
    }
    buffer_free(&cert);
    buffer_wipe_free(&key);
    return result;
}

int
kube_credential_run(struct cli *cli, const struct args *args)
{
    json_t *status = json_object(), *credential;
    int result = args_value(args, "--subject") != NULL ? issue_token(cli, args, status)
                                                       : kept_token(args, status);

    if (result == EXIT_DONE)
        result = show_key(cli, status);
    if (result != EXIT_DONE) {
        json_decref(status);
        return result;
    }
    credential = credential_of(status);
    print_json(credential);
    json_decref(credential);
    return EXIT_DONE;
}
