/* gateway/recording.c - notes of the lanes, put in order, sealed and written by one thread. */
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/json.h"
#include "record/file.h"

enum {
    QUEUE_MOST = 4 << 20, /* bytes of one recording's notes that wait for the disk */
    CHUNK_FULL = 64 << 10,
    TICK_MS = 500,
};

enum note_kind { NOTE_BEGIN, NOTE_BYTES, NOTE_RESIZE, NOTE_END };

struct note {
    struct note *next;
    struct recording *recording;
    enum note_kind kind;
    enum cast_stream stream;
    uint64_t at_us;
    unsigned width, height;
    size_t size;
    char bytes[];
};

/* The lane's until NOTE_END, from then on the thread's alone; what both touch is atomic. */
struct recording {
    struct recorder *recorder;
    uint64_t began_us; /* the lane's */
    atomic_bool failed;
    atomic_size_t waiting; /* bytes in notes */
    /* The thread's: */
    struct recording *next; /* of those that are open */
    struct record_writer writer;
    struct cast cast;
    struct cast_about head;
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
    atomic_uint_least64_t begun, ended, failed;
    struct recording *open; /* the thread's */
};

/* --- on the lanes ----------------------------------------------------------- */

/* The first that can't be kept is the recording's end; counted once. */
static enum status
give_up(struct recording *recording)
{
    if (!atomic_exchange(&recording->failed, true))
        atomic_fetch_add(&recording->recorder->failed, 1);
    return recording->recorder->options.strict ? STATUS_IO : STATUS_OK;
}

/* A note counts with its head, so that a flood of single bytes is one as well. */
static bool
takes(struct recording *recording, size_t size)
{
    return !atomic_load(&recording->failed) &&
           sizeof(struct note) + size + atomic_load(&recording->waiting) <= QUEUE_MOST;
}

static struct note *
note_new(struct recording *recording, enum note_kind kind, struct slice bytes)
{
    struct note *note = calloc(1, sizeof *note + bytes.size);

    if (note == NULL)
        return NULL;
    note->recording = recording;
    note->kind = kind;
    note->size = bytes.size;
    if (bytes.size > 0)
        memcpy(note->bytes, bytes.at, bytes.size);
    return note;
}

static void
hand_over(struct note *note)
{
    struct recorder *recorder = note->recording->recorder;
    struct note *newest = atomic_load_explicit(&recorder->notes, memory_order_relaxed);

    atomic_fetch_add(&note->recording->waiting, sizeof *note + note->size);
    do
        note->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&recorder->notes, &newest, note,
                                                  memory_order_release, memory_order_relaxed));
    /* The note may be gone by now. Whoever found the list empty wakes the thread: it takes all
     * there is. */
    if (newest == NULL)
        sem_post(&recorder->wake);
}

static void
put_member(struct buffer *out, const char *name, struct slice value)
{
    put_format(out, ",\"%s\":", name);
    if (value.size == 0)
        put_text(out, "null");
    else
        put_json_string(out, value);
}

static struct note *
note_of_begin(struct recording *recording, const struct recording_about *about)
{
    struct buffer text = { 0 };
    struct note *note = NULL;

    put_format(&text, "{\"session\":\"%llu\",\"started_at\":%lld,\"width\":%u,\"height\":%u",
               (unsigned long long)about->session, (long long)about->started_at, about->width,
               about->height);
    put_member(&text, "token", about->token);
    put_member(&text, "subject", about->subject);
    put_member(&text, "upstream", about->upstream);
    put_member(&text, "action", about->action);
    put_member(&text, "object", about->object);
    put_member(&text, "command", about->command);
    put_u8(&text, '}');
    if (buffer_status(&text) == STATUS_OK)
        note = note_new(recording, NOTE_BEGIN, buffer_slice(&text));
    buffer_free(&text);
    return note;
}

enum status
recording_begin(struct recorder *recorder, const struct recording_about *about,
                struct recording **out)
{
    struct recording *recording = calloc(1, sizeof *recording);
    struct note *note;

    *out = NULL;
    if (recording != NULL) {
        recording->recorder = recorder;
        recording->began_us = about->now_us;
        recording->fd = -1;
        recording->head = (struct cast_about){ .width = about->width,
                                               .height = about->height,
                                               .started_at = about->started_at };
    }
    note = recording == NULL ? NULL : note_of_begin(recording, about);
    if (note == NULL) {
        free(recording);
        atomic_fetch_add(&recorder->failed, 1);
        return recorder->options.strict ? STATUS_MEMORY : STATUS_OK;
    }
    atomic_fetch_add(&recorder->begun, 1);
    hand_over(note);
    *out = recording;
    return STATUS_OK;
}

static enum status
tell(struct recording *recording, struct note *note, uint64_t now_us)
{
    if (note == NULL)
        return give_up(recording);
    note->at_us = now_us - recording->began_us;
    hand_over(note);
    return STATUS_OK;
}

enum status
recording_output(struct recording *recording, uint64_t now_us, enum cast_stream stream,
                 struct slice bytes)
{
    struct note *note;

    if (recording == NULL || bytes.size == 0)
        return STATUS_OK;
    if (!takes(recording, bytes.size))
        return give_up(recording);
    note = note_new(recording, NOTE_BYTES, bytes);
    if (note != NULL)
        note->stream = stream;
    return tell(recording, note, now_us);
}

enum status
recording_input(struct recording *recording, uint64_t now_us, struct slice bytes)
{
    if (recording == NULL || !recording->recorder->options.input)
        return STATUS_OK;
    return recording_output(recording, now_us, CAST_INPUT, bytes);
}

enum status
recording_resize(struct recording *recording, uint64_t now_us, unsigned width, unsigned height)
{
    struct note *note;

    if (recording == NULL)
        return STATUS_OK;
    if (!takes(recording, 0))
        return give_up(recording);
    note = note_new(recording, NOTE_RESIZE, slice_of(NULL, 0));
    if (note != NULL) {
        note->width = width;
        note->height = height;
    }
    return tell(recording, note, now_us);
}

/* --- on the thread ---------------------------------------------------------- */

static bool
write_all(int fd, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t wrote = write(fd, bytes.at, bytes.size);

        if (wrote < 0 && errno != EINTR)
            return false;
        if (wrote > 0)
            bytes = slice_from(bytes, (size_t)wrote);
    }
    return true;
}

static void
write_out(struct recording *recording, struct buffer *sealed, enum status status)
{
    const struct recorder_options *options = &recording->recorder->options;
    bool fits = options->max_size == 0 || recording->written + sealed->size <= options->max_size;

    if (status != STATUS_OK || buffer_status(sealed) != STATUS_OK || !fits ||
        !write_all(recording->fd, buffer_slice(sealed)))
        (void)give_up(recording);
    recording->written += sealed->size;
    buffer_free(sealed);
}

/* Behind a failure nothing is written: the file has no end, and says so. */
static void
put_chunk(struct recording *recording, enum record_kind kind, struct slice plain)
{
    struct buffer sealed = { 0 };

    if (atomic_load(&recording->failed))
        return;
    write_out(recording, &sealed, record_put(&recording->writer, kind, plain, &sealed));
}

static void
flush(struct recording *recording)
{
    struct slice rest = buffer_slice(&recording->events), part;

    if (buffer_status(&recording->events) != STATUS_OK)
        (void)give_up(recording);
    while (rest.size > 0) {
        part = slice_first(rest, CHUNK_FULL);
        put_chunk(recording, RECORD_EVENTS, part);
        rest = slice_from(rest, part.size);
    }
    buffer_wipe_free(&recording->events);
    recording->events = (struct buffer){ 0 };
}

static int
create(const struct recorder *recorder, const struct record_id *id)
{
    struct buffer path = { 0 };
    int fd = -1;

    put_format(&path, "%s/", recorder->dir);
    put_hex(&path, id->bytes, sizeof id->bytes);
    put_bytes(&path, ".rec", sizeof ".rec");
    if (buffer_status(&path) == STATUS_OK)
        fd = open(path.bytes, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    buffer_free(&path);
    return fd;
}

static void
begin(struct recording *recording, struct slice about)
{
    struct recorder *recorder = recording->recorder;
    struct buffer head = { 0 };
    enum status status = record_begin(&recording->writer, &recorder->options.master, &head);

    recording->next = recorder->open;
    recorder->open = recording;
    if (status == STATUS_OK)
        recording->fd = create(recorder, &recording->writer.id);
    write_out(recording, &head, recording->fd < 0 ? STATUS_IO : status);
    put_chunk(recording, RECORD_ABOUT, about);
    cast_head(&recording->head, &recording->events);
}

static void
finish(struct recording *recording)
{
    struct buffer end = { 0 };

    cast_end(&recording->cast, recording->last_us, &recording->events);
    flush(recording);
    put_format(&end, "{\"duration_us\":%llu}", (unsigned long long)recording->last_us);
    put_chunk(recording, RECORD_END, buffer_slice(&end));
    buffer_free(&end);
    if (!atomic_load(&recording->failed) && fdatasync(recording->fd) != 0)
        (void)give_up(recording);
    if (!atomic_load(&recording->failed))
        atomic_fetch_add(&recording->recorder->ended, 1);
}

static void
let_go(struct recording *recording)
{
    struct recording **at = &recording->recorder->open;

    while (*at != recording)
        at = &(*at)->next;
    *at = recording->next;
    if (recording->fd >= 0)
        close(recording->fd);
    buffer_wipe_free(&recording->events);
    record_writer_wipe(&recording->writer);
    secret_wipe(recording, sizeof *recording);
    free(recording);
}

static void
take(struct note *note)
{
    struct recording *recording = note->recording;
    struct slice bytes = slice_of(note->bytes, note->size);

    recording->last_us = note->at_us;
    switch (note->kind) {
    case NOTE_BEGIN:
        begin(recording, bytes);
        break;
    case NOTE_BYTES:
        cast_bytes(&recording->cast, note->at_us, note->stream, bytes, &recording->events);
        break;
    case NOTE_RESIZE:
        cast_resize(&recording->cast, note->at_us, note->width, note->height, &recording->events);
        break;
    case NOTE_END:
        finish(recording);
        let_go(recording);
        return;
    }
    if (recording->events.size >= CHUNK_FULL)
        flush(recording);
    atomic_fetch_sub(&recording->waiting, sizeof *note + note->size);
}

static void
take_all(struct recorder *recorder)
{
    struct note *note = atomic_exchange_explicit(&recorder->notes, NULL, memory_order_acquire);
    struct note *oldest = NULL, *next;

    for (; note != NULL; note = next) {
        next = note->next;
        note->next = oldest;
        oldest = note;
    }
    for (; oldest != NULL; oldest = next) {
        size_t size = sizeof *oldest + oldest->size;

        next = oldest->next;
        take(oldest);
        secret_wipe(oldest, size);
        free(oldest);
    }
}

static void
sleep_a_tick(struct recorder *recorder)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)sem_clockwait(&recorder->wake, CLOCK_MONOTONIC, &until);
}

static void *
run(void *context)
{
    struct recorder *recorder = context;
    struct recording *next;
    bool stop;

    do {
        sleep_a_tick(recorder);
        stop = atomic_load(&recorder->stop);
        take_all(recorder);
        for (struct recording *at = recorder->open; at != NULL; at = at->next)
            flush(at);
    } while (!stop);
    for (struct recording *at = recorder->open; at != NULL; at = next) {
        next = at->next;
        let_go(at);
    }
    return NULL;
}

/* --- its life --------------------------------------------------------------- */

void
recording_end(struct recording *recording, uint64_t now_us)
{
    struct note *note;

    if (recording == NULL)
        return;
    note = note_new(recording, NOTE_END, slice_of(NULL, 0));
    /* Without memory for its end it stays open until the recorder closes: cut off, as told. */
    (void)tell(recording, note, now_us);
}

static void
recorder_free(struct recorder *recorder)
{
    secret_wipe(&recorder->options.master, sizeof recorder->options.master);
    sem_destroy(&recorder->wake);
    free(recorder->dir);
    free(recorder);
}

static enum status
start(struct recorder *recorder)
{
    sigset_t all, before;
    int error;

    /* As in the audit: a file at its limit is an error of write, not the process's end. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&recorder->thread, NULL, run, recorder);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? STATUS_OK : STATUS_MEMORY;
}

enum status
recorder_open(const struct recorder_options *options, struct recorder **out, struct fault *fault)
{
    struct recorder *recorder = calloc(1, sizeof *recorder);
    enum status status = STATUS_OK;

    if (recorder == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    recorder->options = *options;
    recorder->dir = strdup(options->dir);
    recorder->options.dir = recorder->dir;
    sem_init(&recorder->wake, 0, 0);
    if (recorder->dir == NULL)
        status = fault_set(fault, STATUS_MEMORY, "out of memory");
    else if (mkdir(recorder->dir, 0700) != 0 && errno != EEXIST)
        status = fault_set(fault, STATUS_IO, "%s: %s", recorder->dir, strerror(errno));
    if (status == STATUS_OK && start(recorder) != STATUS_OK)
        status = fault_set(fault, STATUS_MEMORY, "no thread can be started");
    if (status != STATUS_OK) {
        recorder_free(recorder);
        return status;
    }
    *out = recorder;
    return STATUS_OK;
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
