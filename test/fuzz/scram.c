/* fuzz/scram.c - any bytes as each message of SCRAM. Nobody is let in who does not know the
 * password, and no server is believed that does not. The first byte tells which message. */
#include <stdint.h>
#include <stdlib.h>

#include "crypto/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scram_verifier verifier = { .salt = "0123456789abcde", .rounds = 1 };

static struct scram_server *
new_server(void)
{
    const struct scram_server_options options = { .salt = verifier.salt, .rounds = 1 };
    struct scram_server *server;

    if (scram_server_new(&options, &server) != STATUS_OK)
        abort();
    scram_server_nonce_set(server, SLICE_LITERAL("server"));
    return server;
}

static void
serve(struct slice message, bool first)
{
    struct scram_server *server = new_server();
    struct buffer out = { 0 };

    if (first) {
        (void)!scram_server_first(server, message, &out);
    } else {
        if (scram_server_first(server, SLICE_LITERAL("n,,n=,r=client"), &out) != STATUS_OK)
            abort();
        /* The verifier is of no password that anybody knows. */
        if (scram_server_final(server, message, &verifier, &out) == STATUS_OK)
            abort();
    }
    buffer_free(&out);
    scram_server_free(server);
}

/* Rounds of a text are work: a fuzzer would find the most of them. */
static bool
is_cheap(struct slice message)
{
    size_t digits = 0;

    while (digits < message.size && message.at[message.size - 1 - digits] >= '0' &&
           message.at[message.size - 1 - digits] <= '9')
        digits++;
    return digits <= 3;
}

static void
ask(struct slice message, bool first)
{
    struct scram_memory memory = { 0 };
    struct scram_client *client;
    struct buffer out = { 0 };

    if (scram_client_new(SLICE_LITERAL("pencil"), SCRAM_UNOFFERED, (struct slice){ 0 }, &memory,
                         &client) != STATUS_OK)
        abort();
    scram_client_nonce_set(client, SLICE_LITERAL("client"));
    if (scram_client_first(client, &out) != STATUS_OK)
        abort();
    if (first && is_cheap(message))
        (void)!scram_client_final(client, message, &out);
    if (!first &&
        (scram_client_final(client, SLICE_LITERAL("r=clientX,s=c2FsdA==,i=1"), &out) != STATUS_OK ||
         scram_client_verify(client, message) == STATUS_OK))
        abort();
    buffer_free(&out);
    scram_client_free(client);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice message;

    if (size == 0)
        return 0;
    message = slice_of(data + 1, size - 1);
    if (data[0] & 1)
        serve(message, data[0] & 2);
    else
        ask(message, data[0] & 2);
    return 0;
}
