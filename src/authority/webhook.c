/* authority/webhook.c - the queue of what a receiver is to be told, and the thread that tells it.
 *
 * The authority's lane appends; the thread takes off what is due, sends it with the lock released,
 * and puts back what was not taken. The lock is held for a few stores, never over a call. */
#include "webhook.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "fetch/fetch.h"

enum {
    WAITING_MAX = 1000,
    BYTES_MAX = 16 << 20,
    BODY_MAX = 1 << 20,
    FIRST_PAUSE_MS = 1000,
    LONGEST_PAUSE_MS = 30000,
    SECRET_FILE_MAX = 4096,
};

/* Times are milliseconds of the monotonic clock. */
struct message {
    struct message *next;
    char id[WEBHOOK_ID_SIZE + 1];
    struct buffer body;
    int64_t due, until, pause;
};

struct webhook {
    struct fetcher *fetcher;
    struct own own;
    char *url;
    struct mac_state *key; /* the thread's */
    bool failing;          /* the thread's: the last try was not taken, and the log says so */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    struct message *oldest, **newest; /* newest: where the next one is hung */
    size_t bytes;
    bool stop, full; /* full: the log says so */
    struct webhook_stats stats;
};

static int64_t
now_ms(void)
{
    return (int64_t)(clock_mono_us() / 1000);
}

/* --- the queue; under the lock -------------------------------------------------------------- */

static void
message_free(struct message *message)
{
    buffer_free(&message->body);
    free(message);
}

static void
hang(struct webhook *webhook, struct message *message)
{
    message->next = NULL;
    *webhook->newest = message;
    webhook->newest = &message->next;
    webhook->stats.waiting++;
    webhook->bytes += message->body.size;
}

static struct message *
take(struct webhook *webhook, struct message **place)
{
    struct message *message = *place;

    *place = message->next;
    if (message->next == NULL)
        webhook->newest = place;
    webhook->stats.waiting--;
    webhook->bytes -= message->body.size;
    return message;
}

/* The oldest go: who asks now waits for an answer, who asked long ago may have got one. */
static bool
make_room(struct webhook *webhook, size_t size)
{
    bool dropped = false;

    while (webhook->oldest != NULL &&
           (webhook->stats.waiting >= WAITING_MAX || webhook->bytes + size > BYTES_MAX)) {
        message_free(take(webhook, &webhook->oldest));
        webhook->stats.dropped++;
        dropped = true;
    }
    return dropped;
}

static struct message **
find_due(struct webhook *webhook, int64_t now, int64_t *next)
{
    struct message **place = &webhook->oldest;

    *next = INT64_MAX;
    for (; *place != NULL; place = &(*place)->next) {
        if ((*place)->due <= now)
            return place;
        if ((*place)->due < *next)
            *next = (*place)->due;
    }
    return NULL;
}

/* --- on the authority's lane ------------------------------------------------------------------ */

static struct message *
message_new(const struct approval_entry *entry, enum approval_event event)
{
    struct message *message = calloc(1, sizeof *message);

    if (message == NULL)
        return NULL;
    message->body = BUFFER_LIMITED(BODY_MAX);
    if (webhook_id(message->id) != STATUS_OK ||
        webhook_body(entry, event, message->id, clock_wall_ms(), &message->body) != STATUS_OK) {
        message_free(message);
        return NULL;
    }
    message->due = now_ms();
    message->until = message->due + WEBHOOK_LIFE_MS;
    message->pause = FIRST_PAUSE_MS;
    return message;
}

static void
told(void *context, const struct approval_entry *entry, enum approval_event event)
{
    struct webhook *webhook = context;
    struct message *message = message_new(entry, event);
    bool full = false;

    pthread_mutex_lock(&webhook->lock);
    if (message == NULL) {
        webhook->stats.dropped++;
    } else {
        full = make_room(webhook, message->body.size) && !webhook->full;
        webhook->full = webhook->full || full;
        hang(webhook, message);
        pthread_cond_signal(&webhook->changed);
    }
    pthread_mutex_unlock(&webhook->lock);
    if (message == NULL)
        log_write(LOG_ERROR, "authority", "the webhook of an approval can't be made", "approval",
                  entry->id, NULL);
    else if (full)
        log_write(LOG_ERROR, "authority",
                  "too many webhooks of approvals wait: the oldest are dropped", NULL);
}

/* --- the thread ------------------------------------------------------------------------------ */

static void
wait_until(struct webhook *webhook, int64_t at)
{
    struct timespec when = { .tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000 };

    if (at == INT64_MAX)
        pthread_cond_wait(&webhook->changed, &webhook->lock);
    else
        (void)pthread_cond_timedwait(&webhook->changed, &webhook->lock, &when);
}

/* NULL: it is to stop. */
static struct message *
next_due(struct webhook *webhook)
{
    struct message *message = NULL;
    int64_t next;

    pthread_mutex_lock(&webhook->lock);
    while (!webhook->stop && message == NULL) {
        struct message **place = find_due(webhook, now_ms(), &next);

        if (place != NULL)
            message = take(webhook, place);
        else
            wait_until(webhook, next);
    }
    pthread_mutex_unlock(&webhook->lock);
    return message;
}

/* Signed anew at each try, so that a receiver may refuse what is old. */
static enum status
post(struct webhook *webhook, const struct message *message, struct fault *fault)
{
    const struct slice body = buffer_slice(&message->body);
    int64_t timestamp = clock_wall_ms() / 1000;
    char id[64], time[64], signature[128];
    const char *const fields[] = { "Content-Type: application/json", id, time, signature };
    struct buffer mark = { 0 };
    unsigned code = 0;
    enum status status = webhook_sign(
        webhook->key, &(struct webhook_signed){ slice_text(message->id), timestamp, body }, &mark);

    snprintf(id, sizeof id, "webhook-id: %s", message->id);
    snprintf(time, sizeof time, "webhook-timestamp: %lld", (long long)timestamp);
    snprintf(signature, sizeof signature, "webhook-signature: %.*s",
             SLICE_PRINT(buffer_slice(&mark)));
    buffer_free(&mark);
    if (status != STATUS_OK)
        return fault_set(fault, status, "it can't be signed");
    status = fetch_call(webhook->fetcher,
                        &(struct fetch_request){ .url = webhook->url,
                                                 .fields = fields,
                                                 .field_count = sizeof fields / sizeof fields[0],
                                                 .body = body },
                        &code, fault);
    if (status == STATUS_OK && (code < 200 || code > 299))
        return fault_set(fault, STATUS_DENIED, "the receiver answered %u", code);
    return status;
}

/* Once when it begins, and once when it is over. */
static void
note(struct webhook *webhook, bool taken, const struct fault *fault)
{
    if (!taken && !webhook->failing)
        log_write(LOG_WARN, "authority",
                  "a webhook of an approval was not taken, and will be sent again", "why",
                  fault->text, NULL);
    else if (taken && webhook->failing)
        log_write(LOG_INFO, "authority", "webhooks of approvals are taken again", NULL);
    webhook->failing = !taken;
}

/* Gives the message away. */
static void
settle(struct webhook *webhook, struct message *message, bool taken)
{
    int64_t now = now_ms();
    bool give_up = false;

    pthread_mutex_lock(&webhook->lock);
    if (taken) {
        webhook->stats.sent++;
        webhook->full = false;
    } else {
        webhook->stats.failed++;
        message->due = now + message->pause;
        message->pause =
            message->pause * 2 < LONGEST_PAUSE_MS ? message->pause * 2 : LONGEST_PAUSE_MS;
        give_up = message->due > message->until;
        webhook->stats.dropped += give_up;
        if (!give_up)
            hang(webhook, message);
    }
    pthread_mutex_unlock(&webhook->lock);
    if (give_up)
        log_write(LOG_ERROR, "authority", "a webhook of an approval was never taken: it is dropped",
                  "id", message->id, NULL);
    if (taken || give_up)
        message_free(message);
}

static void *
run(void *context)
{
    struct webhook *webhook = context;
    struct message *message;

    while ((message = next_due(webhook)) != NULL) {
        struct fault fault = { 0 };
        enum status status = post(webhook, message, &fault);

        if (status != STATUS_CLOSED)
            note(webhook, status == STATUS_OK, &fault);
        settle(webhook, message, status == STATUS_OK);
    }
    return NULL;
}

/* --- its life --------------------------------------------------------------------------------- */

#define SECRET_SETTING "approvals.webhook.secret_file"

/* What others could read they could sign with. */
static enum status
check_secret_file(const char *path, struct fault *fault)
{
    struct stat about;

    if (stat(path, &about) != 0)
        return fault_set(fault, STATUS_NOT_FOUND, SECRET_SETTING ": cannot read %s", path);
    if ((about.st_mode & 077) != 0)
        return fault_set(fault, STATUS_DENIED,
                         SECRET_SETTING ": %s has mode %04o, so others may read it: chmod 600 it",
                         path, (unsigned)about.st_mode & 07777);
    return STATUS_OK;
}

static enum status
read_secret(struct webhook *webhook, const char *path, struct fault *fault)
{
    struct buffer text = BUFFER_LIMITED(2 * SECRET_FILE_MAX), key = { 0 };
    enum status status = check_secret_file(path, fault);

    if (status == STATUS_OK && (status = file_read(path, SECRET_FILE_MAX, &text)) != STATUS_OK)
        (void)fault_set(fault, status, SECRET_SETTING ": cannot read %s: %s", path,
                        status_text(status));
    else if (status == STATUS_OK &&
             (status = webhook_key(buffer_slice(&text), &key, fault)) != STATUS_OK)
        fault_prefix(fault, SECRET_SETTING ": %s", path);
    if (status == STATUS_OK)
        status = mac_state_new(key.bytes, key.size, &webhook->key);
    buffer_wipe_free(&key);
    buffer_wipe_free(&text);
    return status;
}

static struct webhook *
webhook_new(void)
{
    struct webhook *webhook = calloc(1, sizeof *webhook);
    pthread_condattr_t clock;

    if (webhook == NULL)
        return NULL;
    webhook->newest = &webhook->oldest;
    pthread_mutex_init(&webhook->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&webhook->changed, &clock);
    pthread_condattr_destroy(&clock);
    return webhook;
}

static enum status
own_addresses(struct webhook *webhook, const struct authority_options *options)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < options->own_address_count && status == STATUS_OK; i++)
        status = own_add(&webhook->own, slice_text(options->own_addresses[i]));
    return status;
}

enum status
webhook_open(struct authority *authority, struct fault *fault)
{
    const struct authority_webhook *options = &authority->options.webhook;
    struct webhook *webhook;
    enum status status;

    if (options->url == NULL)
        return STATUS_OK;
    webhook = authority->webhook = webhook_new();
    if (webhook == NULL || (webhook->url = strdup(options->url)) == NULL)
        return STATUS_MEMORY;
    status = own_addresses(webhook, &authority->options);
    if (status == STATUS_OK)
        status = read_secret(webhook, options->secret_file, fault);
    if (status == STATUS_OK) {
        status = fetcher_new(&(struct fetch_options){ .ca = options->ca,
                                                      .insecure = options->insecure,
                                                      .own = &webhook->own },
                             &webhook->fetcher, fault);
        if (status != STATUS_OK)
            fault_prefix(fault, "approvals.webhook");
    }
    authority->approvals.context = webhook;
    authority->approvals.told = told;
    return status;
}

enum status
webhook_start(struct webhook *webhook, struct fault *fault)
{
    sigset_t all, before;
    int error;

    if (webhook == NULL)
        return STATUS_OK;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&webhook->thread, NULL, run, webhook);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return fault_set(fault, STATUS_MEMORY, "no thread can be started");
    pthread_setname_np(webhook->thread, "webhook");
    webhook->started = true;
    return STATUS_OK;
}

static void
stop(struct webhook *webhook)
{
    if (!webhook->started)
        return;
    pthread_mutex_lock(&webhook->lock);
    webhook->stop = true;
    pthread_cond_signal(&webhook->changed);
    pthread_mutex_unlock(&webhook->lock);
    fetcher_stop(webhook->fetcher);
    pthread_join(webhook->thread, NULL);
}

void
webhook_close(struct webhook *webhook)
{
    char count[24];

    if (webhook == NULL)
        return;
    stop(webhook);
    snprintf(count, sizeof count, "%llu", (unsigned long long)webhook->stats.waiting);
    if (webhook->stats.waiting > 0)
        log_write(LOG_WARN, "authority", "webhooks of approvals were not sent before the stop",
                  "count", count, NULL);
    while (webhook->oldest != NULL)
        message_free(take(webhook, &webhook->oldest));
    fetcher_free(webhook->fetcher);
    mac_state_free(webhook->key);
    own_free(&webhook->own);
    pthread_cond_destroy(&webhook->changed);
    pthread_mutex_destroy(&webhook->lock);
    free(webhook->url);
    free(webhook);
}

void
webhook_stats(struct webhook *webhook, struct webhook_stats *out)
{
    *out = (struct webhook_stats){ 0 };
    if (webhook == NULL)
        return;
    pthread_mutex_lock(&webhook->lock);
    *out = webhook->stats;
    pthread_mutex_unlock(&webhook->lock);
}
