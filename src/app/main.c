/* app/main.c - the program's entry: `serve` and `config` need the whole house,
 * every other command is a client of a running one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "bridge/bridge.h"
#include "cli/cli.h"
#include "config.h"
#include "serve.h"

static const char serve_usage[] =
    "usage: writ serve [--config writ.yaml] [--check]\n"
    "\n"
    "Runs the authority and the gateway. --check reads the configuration, says all\n"
    "that is wrong with it, and stops.\n";

static const char config_usage[] =
    "usage: writ config show [--config writ.yaml]     the settings in force\n"
    "       writ config reference                     every setting, as Markdown\n";

static const char bridge_usage[] =
    "usage: writ mcp-bridge [--listen unix:/path] [--name NAME] [--idle 10m] -- COMMAND…\n"
    "\n"
    "Serves an MCP server that speaks over its standard input and output as Streamable\n"
    "HTTP on a Unix socket: the one named, or descriptor 3 (systemd's socket activation).\n"
    "Whoever reaches the socket may speak: only the gateway should.\n";

/* The value of --config, "writ.yaml" without it; NULL after an unknown argument. */
static const char *
config_path(int argc, char **argv, bool *check)
{
    const char *path = "writ.yaml";

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            path = argv[++i];
        else if (strncmp(argv[i], "--config=", 9) == 0)
            path = argv[i] + 9;
        else if (strcmp(argv[i], "--check") == 0 && check != NULL)
            *check = true;
        else
            return NULL;
    }
    return path;
}

static bool
read_config(const char *path, struct config *config)
{
    struct buffer faults = { 0 };
    bool read = config_read(path, config, &faults) == STATUS_OK;

    if (!read)
        fprintf(stderr, "%.*s", (int)faults.size, faults.bytes);
    buffer_free(&faults);
    return read;
}

static int
serve_command(int argc, char **argv)
{
    struct config config = { 0 };
    bool check = false;
    const char *path = config_path(argc, argv, &check);
    int exit_status;

    if (path == NULL) {
        bool asked = argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
        fputs(serve_usage, asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    if (!read_config(path, &config))
        return 1;
    umask(0077);
    /* A dump of this process would hold keys and tokens. */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    if (check) {
        printf("%s: well formed\n", path);
        exit_status = 0;
    } else {
        exit_status = serve_run(&config, path);
    }
    config_free(&config);
    return exit_status;
}

/* False: it is none of the bridge's options, or a wrong value. */
static bool
bridge_option(const char *name, const char *value, struct bridge_options *options)
{
    if (strcmp(name, "--name") == 0)
        options->name = value;
    else if (strcmp(name, "--listen") == 0 && strncmp(value, "unix:/", 6) == 0)
        options->address = value;
    else
        return strcmp(name, "--idle") == 0 &&
               duration_parse(slice_text(value), &options->idle_ms) == STATUS_OK &&
               options->idle_ms > 0;
    return true;
}

/* A process of its own, which knows no token: `writ serve` starts it for upstreams with a
 * command, and an operator's unit may. */
static int
bridge_command(int argc, char **argv)
{
    struct bridge_options options = { .name = "mcp" };
    int at = 0;

    while (at + 1 < argc && strcmp(argv[at], "--") != 0 &&
           bridge_option(argv[at], argv[at + 1], &options))
        at += 2;
    if (at + 1 >= argc || strcmp(argv[at], "--") != 0) {
        fputs(bridge_usage, stderr);
        return 2;
    }
    if (options.address == NULL)
        options.descriptor = 3;
    options.command = argv + at + 1;
    umask(0077);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    return bridge_run(&options);
}

static int
config_command(int argc, char **argv)
{
    struct buffer out = { 0 };
    struct config config = { 0 };
    const char *path;

    if (argc >= 1 && (strcmp(argv[argc - 1], "--help") == 0 || strcmp(argv[argc - 1], "-h") == 0)) {
        fputs(config_usage, stdout);
        return 0;
    }
    if (argc == 1 && strcmp(argv[0], "reference") == 0) {
        config_reference(&out);
    } else if (argc >= 1 && strcmp(argv[0], "show") == 0 &&
               (path = config_path(argc - 1, argv + 1, NULL)) != NULL) {
        if (!read_config(path, &config))
            return 1;
        config_show(&config, &out);
        config_free(&config);
    } else {
        fputs(config_usage, stderr);
        return 2;
    }
    fwrite(out.bytes, 1, out.size, stdout);
    buffer_free(&out);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "serve") == 0)
        return serve_command(argc - 2, argv + 2);
    if (argc >= 2 && strcmp(argv[1], "config") == 0)
        return config_command(argc - 2, argv + 2);
    if (argc >= 2 && strcmp(argv[1], "mcp-bridge") == 0)
        return bridge_command(argc - 2, argv + 2);
    return cli_main(argc, argv);
}
