/* cli/bench.c - `writ bench fleet`: how long a revocation takes, from its call until no node
 * lets the token through, measured at nodes that run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

#include "base/clock.h"

enum { NODES_MAX = 32, COUNT_MAX = 1000000, KNOWN_MS = 5000, ASK_AGAIN_MS = 2 };

struct bench {
    struct cli *cli;
    const char *nodes[NODES_MAX], *gateways[NODES_MAX], *path, *subject;
    size_t node_count, gateway_count;
    long count;
    uint64_t *took_us;
    unsigned long let_through; /* after the answer: there must be none */
};

/* --- what is asked ------------------------------------------------------------------ */

static struct cli
at_node(const struct bench *bench, size_t turn)
{
    struct cli node = *bench->cli;

    node.url = bench->nodes[turn % bench->node_count];
    return node;
}

/* The status with which a gateway answers the token; 0 when it does not. */
static unsigned
try_token(const struct bench *bench, size_t gateway, const char *token)
{
    struct cli door = { .url = bench->gateways[gateway], .token = token };
    struct reply reply = { 0 };
    struct fault fault = { 0 };
    unsigned status = 0;

    if (cli_call(&door, "GET", bench->path, NULL, &reply, &fault) == STATUS_OK)
        status = reply.status;
    else
        cli_tell_fault(&fault);
    reply_free(&reply);
    return status;
}

static bool
is_let_through(unsigned status)
{
    return status != 0 && status != 401 && status != 403 && status != 503;
}

/* A new token is known everywhere in a moment. */
static bool
await_token(const struct bench *bench, const char *token)
{
    const struct timespec pause = { .tv_nsec = ASK_AGAIN_MS * 1000000L };
    uint64_t until = clock_mono_us() + KNOWN_MS * 1000;

    for (size_t i = 0; i < bench->gateway_count;) {
        unsigned status = try_token(bench, i, token);

        if (is_let_through(status)) {
            i++;
            continue;
        }
        if (status == 0 || clock_mono_us() > until) {
            fprintf(stderr, "writ: %s answers %u: may %s GET %s there?\n", bench->gateways[i],
                    status, bench->subject, bench->path);
            return false;
        }
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static int
revoke(const struct bench *bench, size_t turn, const char *id)
{
    struct cli node = at_node(bench, turn);
    struct buffer path = { 0 };
    json_t *answer;

    put_path(&path, "/v1/tokens/", id);
    put_text(&path, "?wait=fleet");
    put_u8(&path, 0);
    int status = cli_ask(&node, "DELETE", path.bytes, NULL, &answer);
    buffer_free(&path);
    json_decref(answer);
    return status;
}

/* One token's life: issued at one node, used at all, revoked at the next, refused by all. */
static int
one_life(struct bench *bench, size_t turn)
{
    struct cli node = at_node(bench, turn);
    json_t *issued;
    int status = cli_ask(&node, "POST", "/v1/tokens",
                         json_pack("{s:s, s:s}", "subject", bench->subject, "ttl", "10m"), &issued);
    const char *token = json_string_value(json_object_get(issued, "token"));

    if (status == EXIT_DONE && (token == NULL || !await_token(bench, token)))
        status = EXIT_REFUSED;
    if (status == EXIT_DONE) {
        uint64_t started = clock_mono_us();

        status = revoke(bench, turn + 1, text_of(issued, "id"));
        bench->took_us[turn] = clock_mono_us() - started;
    }
    for (size_t i = 0; status == EXIT_DONE && i < bench->gateway_count; i++)
        bench->let_through += is_let_through(try_token(bench, i, token));
    json_decref(issued);
    return status;
}

/* --- what is told ------------------------------------------------------------------- */

static int
by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

/* In ms, of sorted times: the smallest that so many of a thousand don't exceed. */
static double
percentile(const struct bench *bench, long of_thousand)
{
    long rank = (bench->count * of_thousand + 999) / 1000;

    return (double)bench->took_us[rank - 1] / 1e3;
}

static void
report(struct bench *bench)
{
    qsort(bench->took_us, (size_t)bench->count, sizeof *bench->took_us, by_size);
    double p50 = percentile(bench, 500), p99 = percentile(bench, 990),
           p999 = percentile(bench, 999), worst = percentile(bench, 1000);

    if (bench->cli->json) {
        json_t *out = json_pack(
            "{s:I, s:I, s:f, s:f, s:f, s:f, s:I}", "nodes", (json_int_t)bench->node_count,
            "revocations", (json_int_t)bench->count, "p50_ms", p50, "p99_ms", p99, "p99.9_ms", p999,
            "max_ms", worst, "let_through", (json_int_t)bench->let_through);
        print_json(out);
        json_decref(out);
        return;
    }
    printf("%ld revocations, each from its call until it was enforced on all nodes\n"
           "  p50 %.2f ms   p99 %.2f ms   p99.9 %.2f ms   max %.2f ms\n"
           "  let through after the answer: %lu\n",
           bench->count, p50, p99, p999, worst, bench->let_through);
}

/* --- the command -------------------------------------------------------------------- */

static size_t
take_all(const struct args *args, const char *name, const char *out[NODES_MAX])
{
    size_t at = 0, count = 0;
    const char *value;

    while (count < NODES_MAX && (value = args_next(args, name, &at)) != NULL)
        out[count++] = value;
    return count;
}

static bool
read_bench(struct bench *bench, const struct args *args)
{
    const char *count = args_value(args, "--count"), *why = NULL;
    char *end = NULL;

    bench->node_count = take_all(args, "--node", bench->nodes);
    bench->gateway_count = take_all(args, "--gateway", bench->gateways);
    bench->path = args_value(args, "--path");
    bench->subject = args_value(args, "--subject");
    bench->count = count == NULL ? 1000 : strtol(count, &end, 10);
    if (bench->node_count == 0 || bench->subject == NULL)
        why = "--node and --subject are needed";
    else if (bench->cli->token == NULL || bench->cli->token[0] == '\0')
        why = "WRIT_TOKEN must hold a token that may issue and revoke the subject's";
    else if (bench->gateway_count > 0 && (bench->path == NULL || bench->path[0] != '/'))
        why = "--gateway needs --path: what the subject may GET there";
    else if ((end != NULL && *end != '\0') || bench->count < 1 || bench->count > COUNT_MAX)
        why = "--count must be a number from 1 to 1000000";
    if (why != NULL)
        fprintf(stderr, "writ bench fleet: %s\n", why);
    return why == NULL;
}

static int
bench_fleet(struct cli *cli, const struct args *args)
{
    struct bench bench = { .cli = cli };
    int status = EXIT_DONE;

    if (!read_bench(&bench, args))
        return EXIT_USAGE;
    bench.took_us = calloc((size_t)bench.count, sizeof *bench.took_us);
    if (bench.took_us == NULL)
        return EXIT_REFUSED;
    for (long i = 0; status == EXIT_DONE && i < bench.count; i++)
        status = one_life(&bench, (size_t)i);
    if (status == EXIT_DONE)
        report(&bench);
    free(bench.took_us);
    return status == EXIT_DONE && bench.let_through > 0 ? EXIT_REFUSED : status;
}

static const struct option bench_options[] = {
    { "--node", "URL", "the API of a node; again for each" },
    { "--gateway", "URL", "the HTTP door of a node, where each token is shown; again for each" },
    { "--path", "PATH", "what the subject may GET there" },
    { "--subject", "S", "whose tokens are issued and revoked" },
    { "--count", "N", "how many (1000)" },
    { NULL, NULL, NULL },
};

const struct command bench_commands[] = {
    { "bench fleet", "", 0, 0, bench_options,
      "How long revocations take until every node enforces them; WRIT_TOKEN must allow them.",
      "  writ bench fleet --subject tester --node http://a:7800 --node http://b:7800 \\\n"
      "    --gateway http://a:7880 --gateway http://b:7880 --path /orders/v1/orders/42\n",
      bench_fleet },
    { NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};
