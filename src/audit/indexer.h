/* audit/indexer.h - a thread that makes the indexes of closed segments, so that neither
 * a line nor a lane on the same core waits for one. An index that is not there yet is no
 * harm: who searches makes it (volume.c). */
#ifndef WRIT_AUDIT_INDEXER_H
#define WRIT_AUDIT_INDEXER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct indexer {
    const char *dir; /* borrowed */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    uint64_t next, newest; /* the segments that wait, by number; none: next > newest */
    bool stop;
};

/* False: there is no thread to be had. */
bool indexer_start(struct indexer *indexer, const char *dir);
/* Segments close one after the other; any thread. */
void indexer_add(struct indexer *indexer, uint64_t number);
/* Finishes the index at hand; what still waits is left to whoever searches. */
void indexer_stop(struct indexer *indexer);

#endif
