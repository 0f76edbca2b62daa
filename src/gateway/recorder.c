/* gateway/recorder.c - the recorder's thread: notes of the lanes, sealed and written. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/log.h"
#include "recording_inside.h"

enum {
    CHUNK_FULL = 64 << 10,
    TICK_MS = 500,
};
#define SWEEP_US UINT64_C(3600000000)

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
        (void)recording_give_up(recording);
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

/* A chunk holds whole lines: who reads one has no part of an event. */
static void
flush(struct recording *recording)
{
    if (buffer_status(&recording->events) != STATUS_OK)
        (void)recording_give_up(recording);
    else if (recording->events.size > 0)
        put_chunk(recording, RECORD_EVENTS, buffer_slice(&recording->events));
    buffer_wipe_free(&recording->events);
    recording->events = (struct buffer){ 0 };
}

static void
begin(struct recording *recording, struct slice about)
{
    struct recorder *recorder = recording->recorder;
    struct buffer head = { 0 };
    enum status status = record_begin(&recording->writer, &recorder->options.master, &head);

    recording->next = recorder->open;
    recorder->open = recording;
    recording->name = (struct archive_name){ .started_at = recording->head.started_at,
                                             .session = recording->session };
    memcpy(recording->name.mark, recording->writer.id.bytes, sizeof recording->name.mark);
    if (status == STATUS_OK)
        status = archive_create(recorder->options.dir, &recording->name, &recording->fd);
    write_out(recording, &head, status);
    put_chunk(recording, RECORD_ABOUT, about);
    cast_head(&recording->head, &recording->events);
}

/* So that a recording which is taken away, or another in its place, is missed. */
static void
note_in_audit(const struct recording *recording)
{
    const struct recorder *recorder = recording->recorder;
    bool failed = atomic_load(&recording->failed);
    char name[ARCHIVE_NAME_MAX];
    struct buffer digest = { 0 };
    struct audit_event event = {
        .at = clock_wall_ms(),
        .session = recording->session,
        .resource = SLICE_LITERAL("writ"),
        .action = SLICE_LITERAL("recordings.keep"),
        .object = slice_text(archive_name_format(&recording->name, name)),
        .decision = failed ? AUDIT_DENY : AUDIT_ALLOW,
        .reason = failed ? SLICE_LITERAL("the recording could not be written to its end")
                         : slice_of(NULL, 0),
    };
    const struct audit_outcome outcome = { .bytes_in = recording->written,
                                           .duration_us = recording->last_us };

    if (recorder->options.journal == NULL)
        return;
    put_text(&digest, "digest ");
    put_hex(&digest, recording->writer.digest, sizeof recording->writer.digest);
    event.statement = failed ? slice_of(NULL, 0) : buffer_slice(&digest);
    if (audit_line(recorder->options.journal, &event, &outcome) != STATUS_OK)
        log_write(LOG_WARN, "gateway", "the audit has no room for a recording's end", "recording",
                  name, NULL);
    buffer_free(&digest);
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
        (void)recording_give_up(recording);
    if (!atomic_load(&recording->failed))
        atomic_fetch_add(&recording->recorder->ended, 1);
    note_in_audit(recording);
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
    free(recording->key);
    secret_wipe(recording, sizeof *recording);
    free(recording);
}

static void
resize(struct recording *recording, const struct note *note)
{
    uint64_t at_us = note->now_us > recording->began_us ? note->now_us - recording->began_us : 0;

    cast_resize(&recording->cast, at_us, note->width, note->height, &recording->events);
}

static void
resize_all(struct recorder *recorder, const struct note *note)
{
    for (struct recording *at = recorder->open; at != NULL; at = at->next)
        if (slice_is(slice_of(note->bytes, note->size), at->key))
            resize(at, note);
    atomic_fetch_sub(&recorder->astray, sizeof *note + note->size);
}

static void
take(struct note *note)
{
    struct recording *recording = note->recording;
    struct slice bytes = slice_of(note->bytes, note->size);

    recording->last_us = note->now_us - recording->began_us;
    switch (note->kind) {
    case NOTE_BEGIN:
        begin(recording, bytes);
        break;
    case NOTE_BYTES:
        cast_bytes(&recording->cast, recording->last_us, note->stream, bytes, &recording->events);
        break;
    case NOTE_RESIZE:
        resize(recording, note);
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
        if (oldest->recording == NULL)
            resize_all(recorder, oldest);
        else
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

static void
sweep(struct recorder *recorder)
{
    uint64_t now_us = clock_mono_us();
    char count[16];
    unsigned removed;

    if (recorder->options.retention_ms == 0 ||
        (recorder->swept_us != 0 && now_us - recorder->swept_us < SWEEP_US))
        return;
    recorder->swept_us = now_us;
    removed =
        archive_expire(recorder->options.dir, clock_wall_ms() - recorder->options.retention_ms);
    snprintf(count, sizeof count, "%u", removed);
    if (removed > 0)
        log_write(LOG_INFO, "gateway", "recordings were kept for their time, and are removed",
                  "count", count, NULL);
}

void *
recorder_run(void *context)
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
        sweep(recorder);
    } while (!stop);
    for (struct recording *at = recorder->open; at != NULL; at = next) {
        next = at->next;
        let_go(at);
    }
    return NULL;
}

/* --- its life --------------------------------------------------------------- */

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
    error = pthread_create(&recorder->thread, NULL, recorder_run, recorder);
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
