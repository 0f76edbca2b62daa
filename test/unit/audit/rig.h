/* unit/audit/rig.h - what the audit's tests share: a directory, a key, events. */
#ifndef WRIT_TEST_AUDIT_RIG_H
#define WRIT_TEST_AUDIT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/search.h"
#include "base/clock.h"

#define OK(call) assert_int_equal((call), STATUS_OK)

struct rig {
    char dir[64];
    struct signer *signer;
    uint8_t key[ED25519_PUBLIC_SIZE];
    struct audit_head head; /* the last that was kept */
    struct audit_options options;
};

static inline void
rig_keep(void *context, const struct audit_head *head)
{
    ((struct rig *)context)->head = *head;
}

static inline void
rig_open(struct rig *rig)
{
    const struct secret seed = { .bytes = { 7 } };

    *rig = (struct rig){ 0 };
    strcpy(rig->dir, "/tmp/writ-audit-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    OK(signer_new(&seed, &rig->signer));
    signer_public(rig->signer, rig->key);
    rig->options = (struct audit_options){ .dir = rig->dir,
                                           .node = "n1",
                                           .journals = 1,
                                           .journal_size = 1 << 20,
                                           .signer = rig->signer,
                                           .keep_head = rig_keep,
                                           .context = rig };
}

static inline void
rig_close(struct rig *rig)
{
    DIR *dir = opendir(rig->dir);
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(rig->dir);
    signer_free(rig->signer);
}

static inline struct audit *
rig_audit(struct rig *rig)
{
    struct audit *audit = NULL;
    struct fault fault = { 0 };

    if (audit_open(&rig->options, &audit, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    return audit;
}

/* An allowed request; the numbers make it one of many. */
static inline struct audit_event
rig_event(char text[128], unsigned subject, unsigned object)
{
    struct audit_event event = { .at = clock_wall_ms(),
                                 .session = 7,
                                 .subject_type = SLICE_LITERAL("service"),
                                 .role = SLICE_LITERAL("support"),
                                 .resource = SLICE_LITERAL("orders"),
                                 .action = SLICE_LITERAL("GET"),
                                 .right = SLICE_LITERAL("orders:GET|HEAD:/v1/orders/**"),
                                 .agent = SLICE_LITERAL("curl/7.88.1"),
                                 .peer = { .family = IP_V4, .bytes = { 127, 0, 0, 1 } },
                                 .peer_port = 4711,
                                 .decision = AUDIT_ALLOW };
    int size = snprintf(text, 32, "subject-%u", subject);

    event.subject = slice_of(text, (size_t)size);
    size = snprintf(text + 32, 32, "token%u", subject);
    event.token = slice_of(text + 32, (size_t)size);
    size = snprintf(text + 64, 64, "/v1/orders/%u", object);
    event.object = slice_of(text + 64, (size_t)size);
    return event;
}

static inline void
rig_line(struct audit *audit, unsigned subject, unsigned object)
{
    const struct audit_outcome outcome = { .status = 200, .bytes_out = 5, .duration_us = 9 };
    char text[128];
    struct audit_event event = rig_event(text, subject, object);

    OK(audit_line(audit_journal_of(audit, 0), &event, &outcome));
}

static inline json_t *
rig_search(const struct rig *rig, const struct audit_query *query)
{
    json_t *found = NULL;
    struct fault fault = { 0 };

    if (audit_search(rig->dir, query, &found, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    return found;
}

static inline size_t
rig_count(const struct rig *rig, const struct audit_query *query)
{
    json_t *found = rig_search(rig, query);
    size_t count = json_array_size(json_object_get(found, "items"));

    json_decref(found);
    return count;
}

static inline void
rig_verifies(const struct rig *rig, struct audit_verdict *verdict)
{
    struct fault fault = { 0 };

    if (audit_verify(rig->dir, rig->key, &rig->head, verdict, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
}

#endif
