/* gateway/recorder_life.c - the recorder and the keeper of recordings: their threads, begun and
 * ended. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "recording_inside.h"

enum { SWEEP_SECONDS = 3600 };

/* As in the audit: a file at its limit is an error of write, not the process's end. */
static enum status
start(pthread_t *thread, void *(*run)(void *), void *context)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(thread, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? STATUS_OK : STATUS_MEMORY;
}

/* --- the recorder ------------------------------------------------------------ */

static enum status
check_dir(const struct recorder *recorder, struct fault *fault)
{
    struct stat about;

    if (mkdir(recorder->dir, 0700) != 0 && errno != EEXIST)
        return fault_set(fault, STATUS_IO, "%s: %s", recorder->dir, strerror(errno));
    if (stat(recorder->dir, &about) != 0 || !S_ISDIR(about.st_mode))
        return fault_set(fault, STATUS_IO, "recordings: %s is no directory", recorder->dir);
    if (about.st_uid != geteuid() || (about.st_mode & 077) != 0)
        return fault_set(fault, STATUS_DENIED,
                         "recordings: %s must be this user's alone (chmod 700)", recorder->dir);
    if (!recorder_probe(recorder))
        return fault_set(fault, STATUS_IO, "recordings: %s can't be written: %s", recorder->dir,
                         strerror(errno));
    return STATUS_OK;
}

static void
recorder_free(struct recorder *recorder)
{
    secret_wipe(&recorder->options.master, sizeof recorder->options.master);
    sem_destroy(&recorder->wake);
    free(recorder->dir);
    free(recorder);
}

enum status
recorder_open(const struct recorder_options *options, struct recorder **out, struct fault *fault)
{
    struct recorder *recorder = calloc(1, sizeof *recorder);
    enum status status;

    if (recorder == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    recorder->options = *options;
    recorder->dir = strdup(options->dir);
    recorder->options.dir = recorder->dir;
    atomic_store(&recorder->beat_us, clock_mono_us());
    sem_init(&recorder->wake, 0, 0);
    status = recorder->dir == NULL ? fault_set(fault, STATUS_MEMORY, "out of memory")
                                   : check_dir(recorder, fault);
    if (status == STATUS_OK && start(&recorder->thread, recorder_run, recorder) != STATUS_OK)
        status = fault_set(fault, STATUS_MEMORY, "no thread can be started");
    if (status != STATUS_OK)
        recorder_free(recorder);
    else
        *out = recorder;
    return status;
}

void
recorder_close(struct recorder *recorder)
{
    if (recorder == NULL)
        return;
    atomic_store(&recorder->stop, true);
    sem_post(&recorder->wake);
    pthread_join(recorder->thread, NULL);
    recorder_free(recorder);
}

void
recorder_stats(const struct recorder *recorder, struct recorder_stats *out)
{
    out->begun = atomic_load(&recorder->begun);
    out->ended = atomic_load(&recorder->ended);
    out->failed = atomic_load(&recorder->failed);
}

/* --- the keeper ---------------------------------------------------------------- */

struct recordings_keeper {
    char *dir;
    int64_t retention_ms;
    pthread_t thread;
    sem_t stop;
};

static void
sweep(const struct recordings_keeper *keeper)
{
    unsigned removed = archive_expire(keeper->dir, clock_wall_ms() - keeper->retention_ms);
    char count[16];

    snprintf(count, sizeof count, "%u", removed);
    if (removed > 0)
        log_write(LOG_INFO, "gateway", "recordings were kept for their time, and are removed",
                  "count", count, NULL);
}

static void *
keep(void *context)
{
    struct recordings_keeper *keeper = context;
    struct timespec until;

    do {
        sweep(keeper);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += SWEEP_SECONDS;
    } while (sem_clockwait(&keeper->stop, CLOCK_MONOTONIC, &until) != 0);
    return NULL;
}

enum status
recordings_keeper_open(const char *dir, int64_t retention_ms, struct recordings_keeper **out)
{
    struct recordings_keeper *keeper = calloc(1, sizeof *keeper);

    if (keeper == NULL)
        return STATUS_MEMORY;
    keeper->dir = strdup(dir);
    keeper->retention_ms = retention_ms;
    sem_init(&keeper->stop, 0, 0);
    if (keeper->dir != NULL && start(&keeper->thread, keep, keeper) == STATUS_OK) {
        *out = keeper;
        return STATUS_OK;
    }
    free(keeper->dir);
    free(keeper);
    return STATUS_MEMORY;
}

void
recordings_keeper_close(struct recordings_keeper *keeper)
{
    if (keeper == NULL)
        return;
    sem_post(&keeper->stop);
    pthread_join(keeper->thread, NULL);
    sem_destroy(&keeper->stop);
    free(keeper->dir);
    free(keeper);
}
