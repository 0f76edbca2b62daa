/* audit/indexer.c - makes indexes behind everything else. */
#include "indexer.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "index.h"

/* An index of 65,536 lines is tens of milliseconds of work. With more weight it would
 * hold a lane on the same core up for a whole tick at a time; with this it takes what
 * lanes leave over. Where they leave nothing it falls behind. */
enum { LOWEST_PRIORITY = 19 };

static bool
take_next(struct indexer *indexer, uint64_t *number)
{
    bool there;

    pthread_mutex_lock(&indexer->lock);
    while (!indexer->stop && indexer->next > indexer->newest)
        pthread_cond_wait(&indexer->changed, &indexer->lock);
    there = !indexer->stop;
    if (there)
        *number = indexer->next++;
    pthread_mutex_unlock(&indexer->lock);
    return there;
}

static void *
run(void *context)
{
    struct indexer *indexer = context;
    struct fault fault;
    uint64_t number;

    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), LOWEST_PRIORITY);
    while (take_next(indexer, &number))
        if (index_build(indexer->dir, number, &fault) != STATUS_OK)
            log_write(LOG_WARN, "audit", "a segment's index could not be written", "reason",
                      fault.text, NULL);
    return NULL;
}

bool
indexer_start(struct indexer *indexer, const char *dir)
{
    sigset_t all, before;

    *indexer = (struct indexer){ .dir = dir, .next = 1 };
    pthread_mutex_init(&indexer->lock, NULL);
    pthread_cond_init(&indexer->changed, NULL);
    /* Signals are for the threads that handle them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    indexer->running = pthread_create(&indexer->thread, NULL, run, indexer) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (indexer->running)
        pthread_setname_np(indexer->thread, "audit-index");
    return indexer->running;
}

void
indexer_add(struct indexer *indexer, uint64_t number)
{
    pthread_mutex_lock(&indexer->lock);
    if (indexer->next > indexer->newest)
        indexer->next = number;
    indexer->newest = number;
    pthread_cond_signal(&indexer->changed);
    pthread_mutex_unlock(&indexer->lock);
}

void
indexer_stop(struct indexer *indexer)
{
    if (!indexer->running)
        return;
    pthread_mutex_lock(&indexer->lock);
    indexer->stop = true;
    pthread_cond_signal(&indexer->changed);
    pthread_mutex_unlock(&indexer->lock);
    pthread_join(indexer->thread, NULL);
    pthread_cond_destroy(&indexer->changed);
    pthread_mutex_destroy(&indexer->lock);
    indexer->running = false;
}
