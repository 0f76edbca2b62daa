/* gateway/recording_inside.h - what a lane hands over to the recorder's thread. */
#ifndef WRIT_GATEWAY_RECORDING_INSIDE_H
#define WRIT_GATEWAY_RECORDING_INSIDE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "gateway/recording.h"
#include "record/archive.h"

enum note_kind { NOTE_BEGIN, NOTE_BYTES, NOTE_RESIZE, NOTE_END };

struct note {
    struct note *next;
    struct recording *recording; /* NULL: of all whose key stands in bytes */
    enum note_kind kind;
    enum cast_stream stream;
    uint64_t now_us;
    unsigned width, height;
    bool lost; /* END: not all was handed over */
    size_t size;
    char bytes[];
};

/* Whom a recording is of, as the audit's line tells it. */
struct recorded_who {
    char *texts; /* what the slices point into */
    struct slice token, subject, subject_type, chain, key;
    struct ip peer;
};

/* The lane's until NOTE_END, from then on the thread's alone; what both touch is atomic. */
struct recording {
    struct recorder *recorder;
    /* Set by the lane before NOTE_BEGIN, and never again: */
    uint64_t began_us, session;
    int64_t started_at;
    struct recorded_who who;
    bool over;             /* the lane's: nothing more is handed over */
    atomic_bool broken;    /* the thread's: nothing more can be written */
    atomic_size_t waiting; /* bytes in notes */
    /* The thread's: */
    struct recording *next; /* of those that are open */
    struct record_writer writer;
    struct cast cast;
    struct archive_name name;
    struct buffer events;
    uint64_t written, last_us;
    int fd;
};

struct recorder {
    struct recorder_options options;
    char *dir;
    pthread_t thread;
    sem_t wake;
    atomic_bool stop;
    _Atomic(struct note *) notes;  /* the newest first */
    atomic_size_t waiting;         /* bytes in all notes */
    atomic_bool sick;              /* the disk did not take what was written last */
    atomic_uint_least64_t beat_us; /* when the thread last looked */
    atomic_uint_least64_t begun, ended, failed;
    /* The thread's: */
    struct recording *open;
    uint64_t said_us;
};

/* The recorder's thread: writes until it is told to stop. */
void *recorder_run(void *recorder);
/* Can a file be made and written in the directory now? False: errno tells. */
bool recorder_probe(const struct recorder *recorder);
void recorded_who_free(struct recorded_who *who);

#endif
