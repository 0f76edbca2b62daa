/* cli/agent.c - `writ agent`: keeps a workload's token fresh, and does nothing else. */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "internal.h"

#include "base/clock.h"

static volatile sig_atomic_t told_to_stop;

static void
on_signal(int number)
{
    told_to_stop = 1;
}

static void
wait_until(int64_t due_at)
{
    /* In short steps, so that a clock that was set is noticed. */
    while (!told_to_stop && clock_wall_ms() < due_at) {
        struct timespec step = { .tv_sec = 0, .tv_nsec = 200000000 };

        nanosleep(&step, NULL);
    }
}

static void
tell(const struct cli *cli, const struct renewal *renewal)
{
    char at[TIME_TEXT_MAX];

    if (cli->json)
        printf("{\"id\":\"%s\",\"expires_at\":\"%s\"}\n", renewal->id,
               time_format(renewal->expires_at, at));
    else
        printf("renewed: %s, until %s\n", renewal->id, time_format(renewal->expires_at, at));
    fflush(stdout);
}

static int
run_once(struct cli *cli, struct renewal *renewal)
{
    switch (renewal_step(renewal, clock_wall_ms())) {
    case RENEWED:
        tell(cli, renewal);
        return EXIT_DONE;
    case NOT_YET:
        return EXIT_DONE;
    default:
        return EXIT_REFUSED;
    }
}

static int
run_on(struct cli *cli, struct renewal *renewal)
{
    while (!told_to_stop) {
        enum renewed result = renewal_step(renewal, clock_wall_ms());

        if (result == RENEWED)
            tell(cli, renewal);
        else if (result == RENEW_NEVER)
            return EXIT_REFUSED;
        wait_until(renewal->due_at);
    }
    return EXIT_DONE;
}

int
agent_run(struct cli *cli, const struct args *args)
{
    const struct sigaction stop = { .sa_handler = on_signal };
    struct renewal renewal;
    struct fault fault = { 0 };
    int status;

    if (cli->url == NULL) {
        fputs("writ agent: --url URL of the authority is needed: the token rotates itself there\n",
              stderr);
        return EXIT_USAGE;
    }
    if (renewal_open(&renewal, cli, args, &fault) != STATUS_OK) {
        cli_tell_fault(&fault);
        renewal_close(&renewal);
        return EXIT_USAGE;
    }
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    status = args_value(args, "--once") != NULL ? run_once(cli, &renewal) : run_on(cli, &renewal);
    renewal_close(&renewal);
    return status;
}
