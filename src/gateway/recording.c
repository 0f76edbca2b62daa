/* gateway/recording.c - what a lane hands over: notes, in the order in which they were made. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "recording_inside.h"

enum {
    QUEUE_MOST = 4 << 20, /* bytes of one recording's notes that wait for the disk */
    NOTE_MOST = 64 << 10,
};

enum status
recording_give_up(struct recording *recording)
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
hand_over(struct recorder *recorder, struct note *note)
{
    struct note *newest = atomic_load_explicit(&recorder->notes, memory_order_relaxed);

    atomic_fetch_add(note->recording == NULL ? &recorder->astray : &note->recording->waiting,
                     sizeof *note + note->size);
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
    put_member(&text, "chain", about->chain);
    put_member(&text, "upstream", about->upstream);
    put_member(&text, "action", about->action);
    put_member(&text, "object", about->object);
    put_member(&text, "command", about->command);
    put_member(&text, "peer", about->peer);
    put_u8(&text, '}');
    if (buffer_status(&text) == STATUS_OK)
        note = note_new(recording, NOTE_BEGIN, buffer_slice(&text));
    buffer_free(&text);
    return note;
}

static void
recording_free(struct recording *recording)
{
    if (recording != NULL)
        free(recording->key);
    free(recording);
}

/* NULL: there is no memory for it. */
static struct recording *
recording_new(struct recorder *recorder, const struct recording_about *about)
{
    struct recording *recording = calloc(1, sizeof *recording);

    if (recording == NULL)
        return NULL;
    recording->recorder = recorder;
    recording->began_us = about->now_us;
    recording->session = about->session;
    recording->fd = -1;
    recording->head = (struct cast_about){ .width = about->width,
                                           .height = about->height,
                                           .started_at = about->started_at };
    recording->key = strndup(about->key.size > 0 ? about->key.at : "", about->key.size);
    if (recording->key != NULL)
        return recording;
    free(recording);
    return NULL;
}

enum status
recording_begin(struct recorder *recorder, const struct recording_about *about,
                struct recording **out)
{
    struct recording *recording = recording_new(recorder, about);
    struct note *note = recording == NULL ? NULL : note_of_begin(recording, about);

    *out = NULL;
    if (note == NULL) {
        recording_free(recording);
        atomic_fetch_add(&recorder->failed, 1);
        return recorder->options.strict ? STATUS_MEMORY : STATUS_OK;
    }
    atomic_fetch_add(&recorder->begun, 1);
    note->now_us = about->now_us;
    hand_over(recorder, note);
    *out = recording;
    return STATUS_OK;
}

static enum status
tell(struct recording *recording, struct note *note, uint64_t now_us)
{
    if (note == NULL)
        return recording_give_up(recording);
    note->now_us = now_us;
    hand_over(recording->recorder, note);
    return STATUS_OK;
}

/* So small that its events are one chunk of the file, and end with a whole line. */
static enum status
tell_bytes(struct recording *recording, uint64_t now_us, enum cast_stream stream,
           struct slice bytes)
{
    struct note *note;

    if (!takes(recording, bytes.size))
        return recording_give_up(recording);
    note = note_new(recording, NOTE_BYTES, bytes);
    if (note != NULL)
        note->stream = stream;
    return tell(recording, note, now_us);
}

enum status
recording_output(struct recording *recording, uint64_t now_us, enum cast_stream stream,
                 struct slice bytes)
{
    enum status status = STATUS_OK;

    while (recording != NULL && status == STATUS_OK && bytes.size > 0) {
        struct slice some = slice_first(bytes, NOTE_MOST);

        status = tell_bytes(recording, now_us, stream, some);
        bytes = slice_from(bytes, some.size);
    }
    return status;
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
        return recording_give_up(recording);
    note = note_new(recording, NOTE_RESIZE, slice_of(NULL, 0));
    if (note != NULL) {
        note->width = width;
        note->height = height;
    }
    return tell(recording, note, now_us);
}

/* It is no part of what a session says: one that can't be kept is left out. */
void
recorder_resize(struct recorder *recorder, struct slice key, uint64_t now_us, unsigned width,
                unsigned height)
{
    struct note *note;

    if (key.size == 0 || atomic_load(&recorder->astray) > QUEUE_MOST)
        return;
    note = note_new(NULL, NOTE_RESIZE, key);
    if (note == NULL)
        return;
    note->now_us = now_us;
    note->width = width;
    note->height = height;
    hand_over(recorder, note);
}

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
