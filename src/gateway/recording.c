/* gateway/recording.c - what a lane hands over: notes, in the order in which they were made. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "recording_inside.h"

enum {
    /* Bytes of notes. From BEHIND on the session's output waits; what comes still is taken up to
     * the ends, which hold whatever goes on. */
    BEHIND = 1 << 20,
    WAITING_MOST = 4 << 20,
    ALL_BEHIND = 32 << 20,
    ALL_WAITING_MOST = 64 << 20,
    NOTE_MOST = 64 << 10,
    COMMAND_MOST = 4096, /* of what is told of a command */
};
#define BEAT_MOST_US UINT64_C(10000000)

/* The first that can't be kept is the recording's end; counted once. OK: the session may go on
 * without. */
static enum status
give_up(struct recording *recording)
{
    if (!recording->over && !atomic_load(&recording->broken))
        atomic_fetch_add(&recording->recorder->failed, 1);
    recording->over = true;
    return recording->recorder->options.strict ? STATUS_IO : STATUS_OK;
}

/* A note counts with its head, so that a flood of single bytes is one as well. */
static bool
takes(const struct recording *recording, size_t size)
{
    size_t more = sizeof(struct note) + size;

    return !recording->over && !atomic_load(&recording->broken) &&
           atomic_load(&recording->waiting) + more <= WAITING_MOST &&
           atomic_load(&recording->recorder->waiting) + more <= ALL_WAITING_MOST;
}

bool
recording_behind(const struct recording *recording)
{
    return recording != NULL && !recording->over && !atomic_load(&recording->broken) &&
           (atomic_load(&recording->waiting) > BEHIND ||
            atomic_load(&recording->recorder->waiting) > ALL_BEHIND);
}

bool
recorder_takes(const struct recorder *recorder, uint64_t now_us)
{
    uint64_t beat_us = atomic_load(&recorder->beat_us);

    return !recorder->options.strict ||
           (!atomic_load(&recorder->sick) && now_us < beat_us + BEAT_MOST_US &&
            atomic_load(&recorder->waiting) <= ALL_WAITING_MOST / 2);
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

    if (note->recording != NULL)
        atomic_fetch_add(&note->recording->waiting, sizeof *note + note->size);
    atomic_fetch_add(&recorder->waiting, sizeof *note + note->size);
    do
        note->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&recorder->notes, &newest, note,
                                                  memory_order_release, memory_order_relaxed));
    /* The note may be gone by now. Whoever found the list empty wakes the thread: it takes all
     * there is. */
    if (newest == NULL)
        sem_post(&recorder->wake);
}

/* --- its begin -------------------------------------------------------------- */

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
    struct slice command = slice_first(about->command, COMMAND_MOST);
    char peer[IP_TEXT_MAX];
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
    put_member(&text, "command", command);
    put_format(&text, ",\"command_cut\":%s", command.size < about->command.size ? "true" : "false");
    put_member(&text, "peer", slice_text(ip_format(&about->peer, peer)));
    put_u8(&text, '}');
    if (buffer_status(&text) == STATUS_OK)
        note = note_new(recording, NOTE_BEGIN, buffer_slice(&text));
    buffer_free(&text);
    if (note == NULL)
        return NULL;
    note->now_us = about->now_us;
    note->width = about->width;
    note->height = about->height;
    return note;
}

static bool
keep_who(struct recorded_who *who, const struct recording_about *about)
{
    const struct slice from[] = { about->token, about->subject, about->subject_type, about->chain,
                                  about->key };
    struct slice *const to[] = { &who->token, &who->subject, &who->subject_type, &who->chain,
                                 &who->key };
    enum { TEXTS = sizeof from / sizeof from[0] };
    size_t size = 0;
    char *at;

    for (size_t i = 0; i < TEXTS; i++)
        size += from[i].size;
    who->peer = about->peer;
    who->texts = at = malloc(size + 1);
    for (size_t i = 0; at != NULL && i < TEXTS; i++) {
        *to[i] = slice_of(at, from[i].size);
        if (from[i].size > 0)
            at = mempcpy(at, from[i].at, from[i].size);
    }
    return who->texts != NULL;
}

void
recorded_who_free(struct recorded_who *who)
{
    free(who->texts);
}

/* NULL: there is no memory for it. */
static struct recording *
recording_new(struct recorder *recorder, const struct recording_about *about)
{
    struct recording *recording = calloc(1, sizeof *recording);

    if (recording == NULL || !keep_who(&recording->who, about)) {
        free(recording);
        return NULL;
    }
    recording->recorder = recorder;
    recording->began_us = about->now_us;
    recording->session = about->session;
    recording->started_at = about->started_at;
    recording->fd = -1;
    return recording;
}

enum status
recording_begin(struct recorder *recorder, const struct recording_about *about,
                struct recording **out)
{
    bool takes_more = recorder_takes(recorder, about->now_us) &&
                      atomic_load(&recorder->waiting) <= ALL_WAITING_MOST;
    struct recording *recording = takes_more ? recording_new(recorder, about) : NULL;
    struct note *note = recording == NULL ? NULL : note_of_begin(recording, about);

    *out = NULL;
    if (note == NULL) {
        if (recording != NULL)
            recorded_who_free(&recording->who);
        free(recording);
        atomic_fetch_add(&recorder->failed, 1);
        return recorder->options.strict ? STATUS_IO : STATUS_OK;
    }
    atomic_fetch_add(&recorder->begun, 1);
    hand_over(recorder, note);
    *out = recording;
    return STATUS_OK;
}

/* --- what it shows ---------------------------------------------------------- */

static enum status
tell(struct recording *recording, struct note *note, uint64_t now_us)
{
    if (note == NULL)
        return give_up(recording);
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
        return give_up(recording);
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

/* Also what is not kept goes on only while the rest is. */
enum status
recording_input(struct recording *recording, uint64_t now_us, struct slice bytes)
{
    if (recording == NULL)
        return STATUS_OK;
    if (recording->recorder->options.input)
        return recording_output(recording, now_us, CAST_INPUT, bytes);
    return recording->over || atomic_load(&recording->broken) ? give_up(recording) : STATUS_OK;
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

/* It is no part of what a session says: one that can't be kept is left out. */
void
recorder_resize(struct recorder *recorder, struct slice key, uint64_t now_us, unsigned width,
                unsigned height)
{
    struct note *note;

    if (key.size == 0 || atomic_load(&recorder->waiting) > ALL_WAITING_MOST / 2)
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
    if (note != NULL)
        note->lost = recording->over;
    /* Without memory for its end it stays open until the recorder closes. */
    (void)tell(recording, note, now_us);
}
