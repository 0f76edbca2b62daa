/* gateway/recorder.c - the recorder's thread: notes of the lanes, sealed and written. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#define SAY_EVERY_US UINT64_C(1000000)

/* --- the file ------------------------------------------------------------------ */

static void
say(struct recorder *recorder, const char *why)
{
    uint64_t now_us = clock_mono_us();

    if (recorder->said_us != 0 && now_us - recorder->said_us < SAY_EVERY_US)
        return;
    recorder->said_us = now_us;
    log_write(LOG_ERROR, "gateway", "a session can't be recorded", "dir", recorder->dir, "why", why,
              NULL);
}

/* Behind it nothing is written: the file has no end, and says so. */
static void
break_off(struct recording *recording, const char *why)
{
    if (atomic_exchange(&recording->broken, true))
        return;
    atomic_fetch_add(&recording->recorder->failed, 1);
    say(recording->recorder, why);
}

static void
fail(struct recording *recording)
{
    const char *why = strerror(errno);

    atomic_store(&recording->recorder->sick, true);
    break_off(recording, why);
}

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
write_out(struct recording *recording, const struct buffer *sealed)
{
    uint64_t most = recording->recorder->options.max_size;

    if (buffer_status(sealed) != STATUS_OK)
        break_off(recording, "out of memory");
    else if (most != 0 && recording->written + sealed->size > most)
        break_off(recording, "the recording reached its largest size");
    else if (!write_all(recording->fd, buffer_slice(sealed)))
        fail(recording);
    else
        recording->written += sealed->size;
}

static void
put_chunk(struct recording *recording, enum record_kind kind, struct slice plain)
{
    struct buffer sealed = { 0 };

    if (atomic_load(&recording->broken))
        return;
    if (record_put(&recording->writer, kind, plain, &sealed) == STATUS_OK)
        write_out(recording, &sealed);
    else
        break_off(recording, "it can't be sealed");
    buffer_free(&sealed);
}

/* A chunk holds whole lines: who reads one has no part of an event. */
static void
flush(struct recording *recording)
{
    if (buffer_status(&recording->events) != STATUS_OK)
        break_off(recording, "out of memory");
    else if (recording->events.size > 0)
        put_chunk(recording, RECORD_EVENTS, buffer_slice(&recording->events));
    buffer_wipe_free(&recording->events);
    recording->events = (struct buffer){ 0 };
}

/* --- its begin and end ------------------------------------------------------------ */

static void
create(struct recording *recording)
{
    recording->name =
        (struct archive_name){ .started_at = recording->started_at, .session = recording->session };
    memcpy(recording->name.mark, recording->writer.id.bytes, sizeof recording->name.mark);
    if (archive_create(recording->recorder->dir, &recording->name, &recording->fd) != STATUS_OK)
        fail(recording);
}

/* Head and ABOUT are there together, or neither is. */
static void
begin(struct recording *recording, const struct note *note)
{
    struct recorder *recorder = recording->recorder;
    struct slice about = slice_of(note->bytes, note->size);
    const struct cast_about head = { .width = note->width,
                                     .height = note->height,
                                     .started_at = recording->started_at };
    struct buffer first = { 0 };

    recording->next = recorder->open;
    recorder->open = recording;
    if (record_begin(&recording->writer, &recorder->options.master, &first) != STATUS_OK ||
        record_put(&recording->writer, RECORD_ABOUT, about, &first) != STATUS_OK)
        break_off(recording, "it can't be sealed");
    else
        create(recording);
    if (!atomic_load(&recording->broken))
        write_out(recording, &first);
    buffer_free(&first);
    cast_head(&head, &recording->events);
}

/* So that a recording which is taken away, or another in its place, is missed. */
static void
note_in_audit(const struct recording *recording, bool whole)
{
    const struct recorder *recorder = recording->recorder;
    const struct recorded_who *who = &recording->who;
    char name[ARCHIVE_NAME_MAX];
    struct buffer digest = { 0 };
    struct audit_event event = {
        .at = clock_wall_ms(),
        .session = recording->session,
        .token = who->token,
        .chain = who->chain,
        .subject = who->subject,
        .subject_type = who->subject_type,
        .resource = SLICE_LITERAL("writ"),
        .action = SLICE_LITERAL("recordings.keep"),
        .object = slice_text(archive_name_format(&recording->name, name)),
        .peer = who->peer,
        .decision = whole ? AUDIT_ALLOW : AUDIT_DENY,
    };
    const struct audit_outcome outcome = { .bytes_in = recording->written,
                                           .duration_us = recording->last_us };

    if (recorder->options.journal == NULL)
        return;
    put_text(&digest, "digest ");
    put_hex(&digest, recording->writer.digest, sizeof recording->writer.digest);
    if (whole)
        event.statement = buffer_slice(&digest);
    else
        event.reason = SLICE_LITERAL("the session was not recorded to its end");
    if (audit_line(recorder->options.journal, &event, &outcome) != STATUS_OK)
        log_write(LOG_WARN, "gateway", "the audit has no room for a recording's end", "recording",
                  name, NULL);
    buffer_free(&digest);
}

enum ending { ENDING_WHOLE, ENDING_LOST, ENDING_STOPPED };

static void
finish(struct recording *recording, enum ending ending)
{
    struct recorder *recorder = recording->recorder;
    struct buffer end = { 0 };

    cast_end(&recording->cast, recording->last_us, &recording->events);
    flush(recording);
    put_format(&end, "{\"duration_us\":%llu%s}", (unsigned long long)recording->last_us,
               ending == ENDING_STOPPED ? ",\"stopped\":true" : "");
    if (ending != ENDING_LOST)
        put_chunk(recording, RECORD_END, buffer_slice(&end));
    buffer_free(&end);
    bool whole = ending != ENDING_LOST && !atomic_load(&recording->broken);
    if (whole)
        atomic_fetch_add(&recorder->ended, 1);
    note_in_audit(recording, whole);
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
    recorded_who_free(&recording->who);
    secret_wipe(recording, sizeof *recording);
    free(recording);
}

/* --- notes ------------------------------------------------------------------------- */

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
        if (slice_equal(slice_of(note->bytes, note->size), at->who.key))
            resize(at, note);
}

static void
take(struct note *note)
{
    struct recording *recording = note->recording;

    recording->last_us = note->now_us - recording->began_us;
    switch (note->kind) {
    case NOTE_BEGIN:
        begin(recording, note);
        break;
    case NOTE_BYTES:
        cast_bytes(&recording->cast, recording->last_us, note->stream,
                   slice_of(note->bytes, note->size), &recording->events);
        break;
    case NOTE_RESIZE:
        resize(recording, note);
        break;
    case NOTE_END:
        finish(recording, note->lost ? ENDING_LOST : ENDING_WHOLE);
        let_go(recording);
        return;
    }
    if (recording->events.size >= CHUNK_FULL)
        flush(recording);
    atomic_fetch_sub(&recording->waiting, sizeof *note + note->size);
}

static void
take_one(struct recorder *recorder, struct note *note)
{
    size_t size = sizeof *note + note->size;

    if (note->recording == NULL)
        resize_all(recorder, note);
    else
        take(note);
    secret_wipe(note, size);
    free(note);
    atomic_fetch_sub(&recorder->waiting, size);
    atomic_store(&recorder->beat_us, clock_mono_us());
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
        next = oldest->next;
        take_one(recorder, oldest);
    }
}

/* --- the thread ----------------------------------------------------------------------- */

bool
recorder_probe(const struct recorder *recorder)
{
    struct buffer path = { 0 };
    int fd = -1;
    bool fine;

    put_format(&path, "%s/.probe", recorder->dir);
    put_u8(&path, 0);
    if (buffer_status(&path) == STATUS_OK)
        fd = open(path.bytes, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    fine = fd >= 0 && write_all(fd, SLICE_LITERAL("writ"));
    int error = errno;
    if (fd >= 0) {
        close(fd);
        (void)unlink(path.bytes);
    }
    buffer_free(&path);
    errno = error;
    return fine;
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
        if (atomic_load(&recorder->sick) && recorder_probe(recorder))
            atomic_store(&recorder->sick, false);
        atomic_store(&recorder->beat_us, clock_mono_us());
    } while (!stop);
    for (struct recording *at = recorder->open; at != NULL; at = next) {
        next = at->next;
        finish(at, ENDING_STOPPED);
        let_go(at);
    }
    return NULL;
}
