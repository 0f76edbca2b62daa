/* cli/internal.h - what the commands share: arguments, the connection to the
 * authority, and output for people and for scripts. */
#ifndef WRIT_CLI_INTERNAL_H
#define WRIT_CLI_INTERNAL_H

#include "base/buffer.h"
#include "base/fault.h"
#include "base/json.h"

/* Exit statuses of the contract. */
enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NOT_ASKED = 3 };

/* --- arguments (args.c) ---------------------------------------------------- */

struct option {
    const char *name;  /* "--subject"; "-o" for short ones */
    const char *value; /* what stands for it in help: "S"; NULL: a flag */
    const char *help;
};

enum { ARGS_MAX = 256 };

/* A command line taken apart. Borrows argv. */
struct args {
    const char *names[ARGS_MAX], *values[ARGS_MAX]; /* options in order */
    size_t count;
    const char *words[ARGS_MAX]; /* what is no option */
    size_t word_count;
};

struct cli;
struct private_key;
enum { NONCE_MAX = 256 }; /* a longer one of a server is not kept */

struct command {
    const char *name;             /* "token issue" */
    const char *words;            /* "ID", for the usage line; "" for none */
    unsigned least, most;         /* words */
    const struct option *options; /* ends with a NULL name */
    const char *help;             /* one line */
    const char *examples;         /* lines; may be NULL */
    int (*run)(struct cli *cli, const struct args *args);
    bool passes_on; /* what follows its own options is another program's command line */
};

/* The first value of an option, or NULL; flags give "". */
const char *args_value(const struct args *args, const char *name);
/* The next value after *at (start with 0), NULL at the end. */
const char *args_next(const struct args *args, const char *name, size_t *at);
/* False after it has complained on standard error. */
bool args_parse(const struct command *command, int argc, char **argv, struct args *out);
/* The parts of --help: the command and its options, examples, options of all. */
void args_usage(const struct command *command, FILE *to);
void args_examples(const struct command *command, FILE *to);
void args_common(FILE *to);
extern const struct option common_options[];

/* --- the authority (client.c) ------------------------------------------------ */

struct cli {
    bool json;               /* -o json */
    bool colour;             /* standard output is a terminal */
    char *socket;            /* path, owned; NULL when a url is set */
    const char *url;         /* --url */
    const char *token;       /* WRIT_TOKEN, with --url */
    struct private_key *key; /* of --key or WRIT_KEY, owned; NULL: none */
    char nonce[NONCE_MAX];   /* the last that the authority gave */
    const char *repeat_key;  /* Idempotency-Key of the next calls, or NULL */
};

/* Finds the socket: --socket, else writ.sock in the data of --config, else of
 * ./writ.yaml, else ./data. */
enum status cli_connect(struct cli *cli, const struct args *args,
                        struct fault *fault) WRIT_MUST_USE;

struct reply {
    unsigned status;
    json_t *body;       /* owned; NULL when none or no JSON */
    struct buffer text; /* as it came */
};
/* One call. OK whenever an answer came, whatever its status. */
enum status cli_call(struct cli *cli, const char *method, const char *path, const json_t *body,
                     struct reply *out, struct fault *fault) WRIT_MUST_USE;
void reply_free(struct reply *reply);

/* The call that most commands are: on a 2xx answer *out is the body (owned by the
 * caller) and EXIT_DONE comes; else the reason has been told and is the exit status. The body
 * that is sent is given away. */
int cli_ask(struct cli *cli, const char *method, const char *path, json_t *body, json_t **out);
/* Tells a problem document, or a fault, on standard error. */
void cli_tell_problem(const struct cli *cli, const struct reply *reply);
void cli_tell_fault(const struct fault *fault);
/* "?name=value" or "&name=value", percent-encoded; nothing for NULL. */
void put_query(struct buffer *out, const char *name, const char *value);
/* The prefix and one more word of a path, percent-encoded; '/' stays, for ID/HOP. */
void put_path(struct buffer *out, const char *prefix, const char *word);
/* "1 line", "2 lines" */
const char *plural(long long count, const char *word, char out[48]);

/* --- output (output.c) ---------------------------------------------------------- */

/* -o json: the one document. */
void print_json(const json_t *value);
/* A table: headings, then rows of texts (owned by the table from then on). */
struct grid;
struct grid *grid_new(const char *const *headings);
void grid_row(struct grid *table, const char *const *cells);
void grid_print(const struct grid *table, const struct cli *cli);
void grid_free(struct grid *table);
/* "3 hours ago", "in 2 days", "-" of a JSON time member. out holds 32 bytes. */
const char *relative(const json_t *object, const char *member, char out[32]);
const char *text_of(const json_t *object, const char *member); /* "-" when absent */
/* Texts come from whoever named a thing, or wants something: what a terminal would act on, or not
 * show, is written \xNN or \u{N}. The caller's to free. */
char *shown(const char *text);
/* Each line of it so, behind a mark that no text can draw. */
void print_block(const char *text);
void print_member(const struct cli *cli, const char *name, const char *value);
enum tint { TINT_GOOD, TINT_BAD, TINT_DIM, TINT_BOLD };
/* The escape sequences around a text, or nothing when there is no terminal. */
const char *tint(const struct cli *cli, enum tint tint);
const char *untint(const struct cli *cli);
/* Asks on the terminal; without one the answer is no. */
bool confirm(const char *question);

/* --- commands, by file ------------------------------------------------------------ */

extern const struct command token_commands[], policy_commands[], audit_commands[], proof_commands[],
    session_commands[], approval_commands[], role_grant_commands[], mcp_commands[], node_commands[],
    bench_commands[];
int complete_print(const char *shell); /* help.c */
int help_print(FILE *to);
int help_print_all(void); /* each command with its options and examples */
const struct command *const *command_groups(size_t *count);
/* binding.c: the thumbprint, base64url, of a key (a JWK, or PEM) or of a
 * PEM certificate. */
enum status binding_of_key(const char *path, struct buffer *out, struct fault *fault) WRIT_MUST_USE;
enum status binding_of_certificate(const char *path, struct buffer *out,
                                   struct fault *fault) WRIT_MUST_USE;
/* credentials.c: the fields that show a token: Bearer, or DPoP with a proof for this
 * method and URL when there is a key. */
struct credentials {
    struct slice token;
    const struct private_key *key; /* NULL: Bearer */
    struct slice nonce;            /* empty: none */
};
struct request_line {
    struct slice method, url;
};
enum status put_credentials(struct buffer *out, const struct credentials *who,
                            const struct request_line *line) WRIT_MUST_USE;
/* The token of --token-file, else of WRIT_TOKEN, into out (wipe and free it). */
enum status read_credential(const struct args *args, struct buffer *out,
                            struct fault *fault) WRIT_MUST_USE;
/* tree.c */
int token_tree(struct cli *cli, const struct args *args);
/* key.c */
int key_new(struct cli *cli, const struct args *args);
int key_show(struct cli *cli, const struct args *args);
/* curl.c */
int curl_run(struct cli *cli, const struct args *args);
/* What a curl command line asks for; false when it has no URL or several. */
struct curl_call {
    const char *method, *url;
    bool quiet; /* -s or a meter of its own was asked for */
};
bool curl_read(const struct args *args, struct curl_call *out);
/* kubernetes.c */
int kubeconfig_run(struct cli *cli, const struct args *args);
int kube_credential_run(struct cli *cli, const struct args *args);
/* connect.c, agent.c */
int connect_run(struct cli *cli, const struct args *args);
int agent_run(struct cli *cli, const struct args *args);

/* renew.c: a token that is kept fresh in a file: rotated by itself at a fraction of its
 * life, written whole or not at all. */
struct renewal {
    struct cli *cli; /* of the authority: --url and the key */
    const char *file, *hook;
    struct buffer token;           /* as the file holds it */
    int64_t issued_at, expires_at; /* wall ms; 0: not known */
    int64_t due_at;
    char id[64], attempt[64];
    unsigned failures;
};
enum renewed {
    RENEWED,     /* a new token is in the file */
    NOT_YET,     /* it is not due */
    RENEW_LATER, /* the authority could not be asked or is busy: due_at says when again */
    RENEW_NEVER, /* the token is worth nothing, or may not rotate itself: told why */
};
enum status renewal_open(struct renewal *renewal, struct cli *cli, const struct args *args,
                         struct fault *fault) WRIT_MUST_USE;
enum renewed renewal_step(struct renewal *renewal, int64_t now);
void renewal_close(struct renewal *renewal);
/* When a token of this life is rotated: at two thirds, and a random part of a tenth later. */
int64_t renewal_due(int64_t issued_at, int64_t expires_at);
/* policy_test.c */
int policy_test_run(struct cli *cli, const struct args *args);

#endif
