/* cli/key.c - `writ key`, `writ proof`: keys that tokens are bound to, and proofs made
 * with them. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

#include "base/clock.h"
#include "base/encoding.h"
#include "crypto/private_key.h"
#include "proof/dpop.h"

static json_t *
key_json(const struct private_key *key)
{
    const struct public_key *public = private_key_public(key);
    struct buffer jkt = { 0 };
    json_t *out;

    put_base64url(&jkt, public_key_thumbprint(public), THUMBPRINT_SIZE);
    out = json_pack("{s:s, s:o, s:o}", "alg", alg_name(public_key_alg(public)), "jkt",
                    json_slice(buffer_slice(&jkt)), "jwk", public_key_jwk(public));
    buffer_free(&jkt);
    return out;
}

static int
tell_key(const struct cli *cli, const char *where, const struct private_key *key)
{
    json_t *out = key_json(key);
    struct buffer jwk = { 0 };

    if (cli->json) {
        json_object_set_new(out, "file", json_string(where));
        print_json(out);
    } else {
        print_member(cli, "key", where);
        print_member(cli, "algorithm", text_of(out, "alg"));
        print_member(cli, "thumbprint", text_of(out, "jkt"));
        put_json(&jwk, json_object_get(out, "jwk"));
        put_u8(&jwk, '\0');
        print_member(cli, "public", jwk.bytes);
    }
    buffer_free(&jwk);
    json_decref(out);
    return EXIT_DONE;
}

int
key_new(struct cli *cli, const struct args *args)
{
    const char *path = args->word_count > 0 ? args->words[0] : "writ.key";
    const char *name = args_value(args, "--alg");
    enum sign_alg alg = name == NULL ? ALG_ES256 : alg_parse(slice_text(name));
    struct private_key *key = NULL;
    struct fault fault = { 0 };
    enum status status;
    int told = EXIT_REFUSED;

    if (alg == ALG_NONE) {
        fputs("writ key new: --alg is ES256, EdDSA, RS256 or PS256\n", stderr);
        return EXIT_USAGE;
    }
    status = private_key_generate(alg, &key);
    if (status != STATUS_OK)
        (void)fault_set(&fault, status, "the key can't be made");
    else
        status = private_key_write(key, path, &fault);
    if (status == STATUS_OK)
        told = tell_key(cli, path, key);
    else
        cli_tell_fault(&fault);
    private_key_free(key);
    if (told == EXIT_DONE && !cli->json)
        printf("\n  writ token issue --subject NAME --bind-jwk %s\n", path);
    return told;
}

int
key_show(struct cli *cli, const struct args *args)
{
    struct private_key *key = NULL;
    struct fault fault = { 0 };
    int told;

    if (private_key_read(args->words[0], &key, &fault) != STATUS_OK) {
        cli_tell_fault(&fault);
        return EXIT_REFUSED;
    }
    told = tell_key(cli, args->words[0], key);
    private_key_free(key);
    return told;
}

static int
proof(struct cli *cli, const struct args *args)
{
    const char *method = args_value(args, "--method"), *url = args_value(args, "--url");
    struct dpop_claims claims = { .method = slice_text(method == NULL ? "GET" : method),
                                  .url = slice_text(url),
                                  .nonce = slice_text(args_value(args, "--nonce")),
                                  .now = clock_wall_ms() };
    struct buffer token = { 0 }, out = { 0 };
    struct fault fault = { 0 };
    enum status status;

    if (url == NULL || cli->key == NULL) {
        fputs("writ proof: --url URL and --key FILE (or WRIT_KEY) are needed\n", stderr);
        return EXIT_USAGE;
    }
    status = read_credential(args, &token, &fault);
    claims.token = buffer_slice(&token);
    if (status == STATUS_OK)
        status = dpop_make(cli->key, &claims, &out);
    if (status != STATUS_OK) {
        cli_tell_fault(&fault);
    } else if (cli->json) {
        json_t *both = json_object();
        struct buffer shown = { 0 };

        put_format(&shown, "DPoP %.*s", SLICE_PRINT(claims.token));
        json_object_set_new(both, "dpop", json_slice(buffer_slice(&out)));
        json_object_set_new(both, "authorization", json_slice(buffer_slice(&shown)));
        print_json(both);
        json_decref(both);
        buffer_wipe_free(&shown);
    } else {
        printf("DPoP: %.*s\n", SLICE_PRINT(buffer_slice(&out)));
    }
    buffer_wipe_free(&token);
    buffer_free(&out);
    return status == STATUS_OK ? EXIT_DONE : EXIT_REFUSED;
}

/* --- the table ------------------------------------------------------------------ */

static int
client_secret(struct cli *cli, const struct args *args)
{
    const char *grace = args_value(args, "--grace");
    struct buffer path = { 0 };
    json_t *answer, *body = json_object();
    int status;

    if (grace != NULL)
        json_object_set_new(body, "grace", json_string(grace));
    put_path(&path, "/v1/clients/", args->words[0]);
    put_text(&path, "/secret");
    put_u8(&path, '\0');
    status = cli_ask(cli, "POST", path.bytes, body, &answer);
    buffer_free(&path);
    if (status == EXIT_DONE && cli->json) {
        print_json(answer);
    } else if (status == EXIT_DONE) {
        char when[32];
        const json_t *old = json_object_get(answer, "predecessor");

        printf("%s\n\n", text_of(answer, "client_secret"));
        print_member(cli, "client_id", text_of(answer, "client_id"));
        if (old != NULL)
            print_member(cli, "old secret", relative(old, "expires_at", when));
        puts("\nIt is shown this one time. Call again to rotate it with overlap.");
    }
    json_decref(answer);
    return status;
}

static const struct option key_options[] = {
    { "--alg", "ALG", "ES256 (when absent), EdDSA, RS256 or PS256" },
    { NULL, NULL, NULL },
};
static const struct option proof_options[] = {
    { "--method", "M", "of the request (GET)" },
    { "--url", "U", "the URL as the client calls it" },
    { "--nonce", "N", "the server's last DPoP-Nonce" },
    { "--token-file", "FILE", "holds the token; else WRIT_TOKEN" },
    { NULL, NULL, NULL },
};
static const struct option curl_options[] = {
    { "--token-file", "FILE", "holds the token; else WRIT_TOKEN" },
    { NULL, NULL, NULL },
};
static const struct option connect_options[] = {
    { "--gateway", "URL",
      "http://, https://, postgres:// or redis:// (http://127.0.0.1:7880); else WRIT_GATEWAY" },
    { "--port", "N", "listen on 127.0.0.1:N (any free one)" },
    { "--socket", "PATH", "listen on this Unix socket, yours alone, instead" },
    { "--ca", "FILE", "trust the gateway's certificate by this (the system's)" },
    { "--token-file", "FILE", "holds the token, and gets its successors" },
    { "--hook", "CMD", "run after each new token, with WRIT_TOKEN_FILE" },
    { NULL, NULL, NULL },
};
static const struct option kubeconfig_options[] = {
    { "--gateway", "URL", "the gateway's https:// URL; else WRIT_GATEWAY" },
    { "--ca", "FILE", "trust the gateway's certificate by this (the system's)" },
    { "--namespace", "N", "kubectl's namespace when none is said (default)" },
    { "--out", "FILE", "write it there (standard output)" },
    { "--subject", "S", "each time a new token of this subject; else the one that is there" },
    { "--ttl", "15m", "how long such a token lives" },
    { "--token-file", "FILE", "holds the token; else WRIT_TOKEN" },
    { NULL, NULL, NULL },
};
static const struct option kube_credential_options[] = {
    { "--subject", "S", "a new token of this subject; else the one that is there" },
    { "--ttl", "15m", "how long it lives" },
    { "--token-file", "FILE", "holds the token; else WRIT_TOKEN" },
    { NULL, NULL, NULL },
};
static const struct option agent_options[] = {
    { "--token-file", "FILE", "holds the token, and gets its successors" },
    { "--hook", "CMD", "run after each new token, with WRIT_TOKEN_FILE" },
    { "--once", NULL, "renew if it is due, and end" },
    { NULL, NULL, NULL },
};
static const struct option secret_options[] = {
    { "--grace", "10m", "how long the old secret lives on" },
    { NULL, NULL, NULL },
};

const struct command proof_commands[] = {
    { "key new", "[FILE]", 0, 1, key_options, "A key to bind tokens to, in a new file.",
      "  writ key new nightly.key\n"
      "  writ token issue --subject nightly --bind-jwk nightly.key\n",
      key_new, false },
    { "key show", "FILE|URI", 1, 1, NULL, "A key's thumbprint and public half.",
      "  writ key show nightly.key\n"
      "  writ key show 'pkcs11:token=ci;object=nightly'\n",
      key_show, false },
    { "proof", "", 0, 0, proof_options, "The DPoP header for one request, for scripts.",
      "  curl -H \"Authorization: DPoP $WRIT_TOKEN\" \\\n"
      "       -H \"$(writ proof --key nightly.key --url $URL)\" $URL\n",
      proof, false },
    { "curl", "CURL-ARGS…", 1, ARGS_MAX, curl_options, "curl, with the token and a fresh proof.",
      "  writ curl --key nightly.key http://127.0.0.1:7880/orders/v1/orders/42\n", curl_run, true },
    { "connect", "UPSTREAM", 1, 1, connect_options,
      "A local port or socket that adds token and proof to what passes.",
      "  writ connect orders --port 9000 --key nightly.key --token-file nightly.token\n"
      "  curl http://127.0.0.1:9000/v1/orders/42\n"
      "  writ connect warehouse --gateway postgres://db-gate:7432 --key me.key --port 5433\n"
      "  psql -h 127.0.0.1 -p 5433\n"
      "  writ connect prod --socket ~/.docker/prod.sock --key me.key\n"
      "  DOCKER_HOST=unix://$HOME/.docker/prod.sock docker exec -it web-1 sh\n",
      connect_run, false },
    { "kubeconfig", "UPSTREAM", 1, 1, kubeconfig_options,
      "A kubeconfig by which kubectl goes through the gateway.",
      "  writ kubeconfig k8s --gateway https://gw.example.com:7880 --out ~/.kube/k8s\n"
      "  WRIT_TOKEN=… kubectl --kubeconfig ~/.kube/k8s get pods\n",
      kubeconfig_run, false },
    { "kube-credential", "", 0, 0, kube_credential_options,
      "The token as kubectl takes it: what such a kubeconfig calls.",
      "  writ kube-credential --subject amara --ttl 10m\n", kube_credential_run, false },
    { "agent", "", 0, 0, agent_options, "Keeps a token fresh in a file.",
      "  writ agent --url https://writ.example --key nightly.key --token-file /run/nightly.token\n",
      agent_run, false },
    { "client secret", "SUBJECT", 1, 1, secret_options,
      "An OAuth client's secret, shown this one time; again: rotates it.",
      "  writ client secret nightly --grace 1h\n", client_secret, false },
    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, false },
};
