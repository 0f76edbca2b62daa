/* authority/batch.c - tokens that are asked for in the same turn of the lane become durable
 * together: a store makes many changes in one commit almost as fast as one. Each was judged
 * when it was asked for; any other change is made after those that wait, so that the order of
 * the log is the order of the judgements. */
#include <stdlib.h>

#include "internal.h"

/* One token that is asked for, until its call is answered. */
struct issuing {
    struct api_job job;
    struct api_answer *answer;
    struct batch *batch; /* where it waits until it is settled; NULL: not yet */
    struct buffer bytes; /* the change as it is logged: it outlives the call's arena */
    struct cidr networks[TOKEN_NETWORKS_MAX];
    struct change change; /* borrows from both */
    bool waited;          /* a turn, in which others join */
    bool settled;         /* tried, with this end */
    enum status status;
    struct fault fault;
};

/* --- committing ----------------------------------------------------------------------- */

static void
settle(struct issuing *issuing, enum status status, const struct fault *fault)
{
    issuing->settled = true;
    issuing->status = status;
    issuing->fault = *fault;
}

/* What was the fault of the store is the same for all; what was one's own is not. */
static bool
may_be_of_one(enum status status)
{
    enum status_class class = status_class_of(status);

    return class != STATUS_CLASS_FINE && class != STATUS_CLASS_BROKEN && class != STATUS_CLASS_BUSY;
}

static enum status
commit_together(struct authority *authority, struct issuing *const *items, size_t count)
{
    struct change *changes = calloc(count, sizeof *changes);
    struct fault fault = { 0 };
    enum status status = STATUS_MEMORY;

    for (size_t i = 0; changes != NULL && i < count; i++)
        changes[i] = items[i]->change;
    if (changes != NULL)
        status = authority_commit(authority, changes, count, NULL, &fault);
    free(changes);
    for (size_t i = 0; i < count; i++)
        settle(items[i], status, &fault);
    return status;
}

void
batch_commit(struct authority *authority)
{
    struct batch *batch = &authority->batch;
    struct issuing *items[BATCH_MAX];
    size_t count = batch->count;

    if (count == 0)
        return;
    /* Emptied first: the commit below comes by here again. */
    memcpy(items, batch->items, count * sizeof items[0]);
    batch->count = 0;
    if (!may_be_of_one(commit_together(authority, items, count)) || count == 1)
        return;
    for (size_t i = 0; i < count; i++)
        (void)commit_together(authority, &items[i], 1);
}

/* --- one token ------------------------------------------------------------------------ */

static enum status
issue_step(struct authority *authority, struct api_job *job, bool *done, struct fault *fault)
{
    struct issuing *issuing = (struct issuing *)job;

    if (!issuing->waited) {
        issuing->waited = true;
        return STATUS_OK;
    }
    if (!issuing->settled)
        batch_commit(authority);
    *done = true;
    *fault = issuing->fault;
    if (issuing->status != STATUS_OK)
        return issuing->status;
    authority->counters.issued++;
    return issued_answer(authority, &issuing->change.token.id, issuing->change.at, issuing->answer,
                         fault);
}

/* Answered otherwise before it was tried (the node stops): then it is not made. */
static void
leave(struct batch *batch, const struct issuing *issuing)
{
    size_t kept = 0;

    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i] != issuing)
            batch->items[kept++] = batch->items[i];
    }
    batch->count = kept;
}

static void
issue_free(struct api_job *job)
{
    struct issuing *issuing = (struct issuing *)job;

    if (issuing->batch != NULL && !issuing->settled)
        leave(issuing->batch, issuing);
    buffer_free(&issuing->bytes);
    free(issuing);
}

enum status
batch_issue(struct authority *authority, const struct change *change, struct api_answer *answer)
{
    struct issuing *issuing = calloc(1, sizeof *issuing);
    struct batch *batch = &authority->batch;
    enum status status;

    if (issuing == NULL)
        return STATUS_MEMORY;
    issuing->job = (struct api_job){ .step = issue_step, .free = issue_free };
    issuing->answer = answer;
    status = change_encode(change, &issuing->bytes);
    if (status == STATUS_OK)
        status = change_decode(buffer_slice(&issuing->bytes), issuing->networks, &issuing->change);
    if (status != STATUS_OK) {
        issue_free(&issuing->job);
        return status;
    }
    if (batch->count == BATCH_MAX)
        batch_commit(authority);
    issuing->batch = batch;
    batch->items[batch->count++] = issuing;
    answer->job = &issuing->job;
    return STATUS_OK;
}
