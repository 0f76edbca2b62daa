/* authority/apply.c - policy files through the API, at start and on reload. */
#include "plan.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* --- through the API
 * -------------------------------------------------------------------------------- */

static enum status
take_files(const struct api_request *request, struct policy_file *files, size_t *count,
           struct fault *fault)
{
    static const char *const known[] = { "name", "text", NULL };
    const json_t *list = json_object_get(request->body, "files");
    char pointer[32];
    json_t *item;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > FILE_MAX_COUNT)
        return fault_at(fault, STATUS_INVALID, "/files", "files is a list of 1 to %d {name, text}",
                        FILE_MAX_COUNT);
    json_array_foreach(list, i, item)
    {
        enum status status;

        if (!json_is_object(item))
            return fault_at(fault, STATUS_INVALID, "/files", "a file is {name, text}");
        files[i] = (struct policy_file){ .name = SLICE_LITERAL("policy.yaml") };
        status = json_only(item, known, fault);
        if (status == STATUS_OK)
            status = json_take_string(item, "name", &files[i].name, fault);
        if (status == STATUS_OK)
            status = json_take_string(item, "text", &files[i].text, fault);
        if (status == STATUS_OK && (files[i].text.at == NULL || files[i].name.size == 0))
            status = fault_set(fault, STATUS_INVALID, "a file is {name, text}");
        if (status != STATUS_OK) {
            snprintf(pointer, sizeof pointer, "/files/%zu", i);
            fault_below(fault, pointer);
            return status;
        }
        /* A name that came over HTTP is no path of this machine: it can't take over
         * what a local file made. */
        if (!request->caller.local)
            files[i].name = arena_format(request->arena, "api:%.*s", SLICE_PRINT(files[i].name));
        if (files[i].name.at == NULL)
            return fault_set(fault, STATUS_TOO_LARGE, "the names of the files are too long");
        for (size_t k = 0; k < i; k++) {
            if (slice_equal(files[k].name, files[i].name))
                return fault_at(fault, STATUS_INVALID, "/files", "two files are named %.*s",
                                SLICE_PRINT(slice_first(files[i].name, 200)));
        }
    }
    *count = json_array_size(list);
    return STATUS_OK;
}

enum status
api_apply(struct authority *authority, const struct api_request *request, struct api_answer *answer,
          struct fault *fault)
{
    static const char *const known[] = { "files", "dry_run", NULL };
    struct policy_file files[FILE_MAX_COUNT] = { 0 };
    struct plan plan = { .authority = authority,
                         .request = request,
                         .files = files,
                         .local = request->caller.local,
                         .fault = fault };
    bool dry_run = false;
    enum status status = json_only(request->body, known, fault);

    if (status == STATUS_OK)
        status = json_take_bool(request->body, "dry_run", &dry_run, fault);
    if (status == STATUS_OK)
        status = take_files(request, files, &plan.file_count, fault);
    if (status != STATUS_OK)
        return status;
    status = plan_make(&plan);
    if (status == STATUS_OK && !dry_run)
        status = plan_commit(&plan, &answer->wait_generation);
    if (status == STATUS_OK) {
        answer->status = 200;
        answer->body = json_pack("{s:O, s:O, s:O, s:I, s:b}", "created", plan.created, "changed",
                                 plan.changed, "removed", plan.removed, "unchanged",
                                 (json_int_t)plan.unchanged, "dry_run", dry_run);
        if (answer->body == NULL)
            status = STATUS_MEMORY;
    }
    plan_free(&plan);
    return status;
}

/* --- at start and on reload
 * ------------------------------------------------------------------------------ */

static enum status
read_whole(const char *path, struct buffer *out, struct fault *fault)
{
    FILE *file = fopen(path, "re");
    size_t size = 1;

    if (file == NULL)
        return fault_set(fault, STATUS_IO, "policy: cannot read %s", path);
    out->limit = YAML_SIZE_MAX;
    while (size > 0) {
        char *room = buffer_room(out, 65536);
        size = room == NULL ? 0 : fread(room, 1, 65536, file);
        buffer_added(out, size);
    }
    fclose(file);
    if (buffer_status(out) != STATUS_OK)
        return fault_set(fault, buffer_status(out), "policy: %s is too large", path);
    return STATUS_OK;
}

static bool
is_new(struct authority *authority, const struct policy_file *file)
{
    char digest[2 * HASH_SIZE + 1];
    bool applied;

    return file_digest(file, digest) != STATUS_OK ||
           store_policy_applied(authority->store, slice_text(digest), &applied) != STATUS_OK ||
           !applied;
}

enum status
apply_files(struct authority *authority, const struct authority_settings *settings, bool force,
            struct fault *fault)
{
    struct policy_file files[FILE_MAX_COUNT] = { 0 };
    struct buffer texts[FILE_MAX_COUNT] = { 0 };
    char *names[FILE_MAX_COUNT] = { 0 };
    struct plan plan = { .authority = authority, .files = files, .local = true, .fault = fault };
    size_t wanted = settings->policy_file_count;
    enum status status = STATUS_OK;

    if (wanted > FILE_MAX_COUNT)
        return fault_set(fault, STATUS_INVALID, "policy: at most %d files", FILE_MAX_COUNT);
    for (size_t i = 0; status == STATUS_OK && i < wanted; i++) {
        const char *path = settings->policy_files[i];
        struct policy_file *file = &files[plan.file_count];

        status = read_whole(path, &texts[i], fault);
        if (status != STATUS_OK)
            break;
        names[i] = realpath(path, NULL);
        *file = (struct policy_file){ .name = slice_text(names[i] == NULL ? path : names[i]),
                                      .text = buffer_slice(&texts[i]) };
        if (force || is_new(authority, file))
            plan.file_count++;
    }
    if (status == STATUS_OK && plan.file_count > 0) {
        status = plan_make(&plan);
        if (status == STATUS_OK)
            status = plan_commit(&plan, NULL);
    }
    plan_free(&plan);
    for (size_t i = 0; i < wanted; i++) {
        buffer_free(&texts[i]);
        free(names[i]);
    }
    return status;
}
