/* gateway/recording_inside.h - what a lane hands over to the recorder's thread. */
#ifndef WRIT_GATEWAY_RECORDING_INSIDE_H
#define WRIT_GATEWAY_RECORDING_INSIDE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "record/archive.h"
#include "gateway/recording.h"

enum note_kind { NOTE_BEGIN, NOTE_BYTES, NOTE_RESIZE, NOTE_END };

struct note {
    struct note *next;
    struct recording *recording; /* NULL: of all whose key stands in bytes */
    enum note_kind kind;
    enum cast_stream stream;
    uint64_t now_us;
    unsigned width, height;
    size_t size;
    char bytes[];
};

/* The lane's until NOTE_END, from then on the thread's alone; what both touch is atomic. */
struct recording {
    struct recorder *recorder;
    /* Set by the lane before NOTE_BEGIN, and never again: */
    uint64_t began_us, session;
    char *key;
    atomic_bool failed;
    atomic_size_t waiting; /* bytes in notes */
    /* The thread's: */
    struct recording *next; /* of those that are open */
    struct record_writer writer;
    struct cast cast;
    struct cast_about head;
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
    _Atomic(struct note *) notes; /* the newest first */
    atomic_size_t astray;         /* bytes in notes without a recording */
    atomic_uint_least64_t begun, ended, failed;
    /* The thread's: */
    struct recording *open;
    uint64_t swept_us;
};

/* The first that can't be kept is the recording's end; counted once. OK: the session may go on
 * without. */
enum status recording_give_up(struct recording *recording);
/* The recorder's thread: writes until it is told to stop. */
void *recorder_run(void *recorder);

#endif
