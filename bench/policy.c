/* bench/policy.c - nanoseconds a decision, by the number of rights. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "policy/decide.h"

enum { REQUESTS = 1 << 14, ROUNDS = 3 };

static uint64_t state = 88172645463325252u;

static unsigned
roll(unsigned sides)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)((state >> 32) % sides);
}

static void
must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "bench: %s\n", what);
        exit(1);
    }
}

/* Rights of a large organisation: fifty services; things by id, subtrees, prefixes. */
static void
put_right(char *out, size_t size, unsigned number)
{
    unsigned service = number % 50;

    switch (number % 4) {
    case 0:
    case 1:
        snprintf(out, size, "svc%u:GET|POST:/v1/things/%u/sub/*", service, number);
        break;
    case 2:
        snprintf(out, size, "svc%u:GET:/v1/area%u/**", service, number);
        break;
    default:
        snprintf(out, size, "svc%u:GET|PUT:/v1/files/batch-%u-*", service, number);
        break;
    }
}

/* One in five has no right. */
static void
put_request(char *out, size_t size, unsigned rights)
{
    unsigned number = roll(rights), service = number % 50;
    const char *action = roll(5) == 0 ? "DELETE" : "GET";

    switch (number % 4) {
    case 0:
    case 1:
        snprintf(out, size, "svc%u:%s:/v1/things/%u/sub/item", service, action, number);
        break;
    case 2:
        snprintf(out, size, "svc%u:%s:/v1/area%u/reports/2026/summary", service, action, number);
        break;
    default:
        snprintf(out, size, "svc%u:%s:/v1/files/batch-%u-part7", service, action, number);
        break;
    }
}

static const struct policy *
policy_of(struct names *names, json_t *allow)
{
    struct policy *empty = policy_new(names), *policy = NULL;
    struct policy_edit *edit = NULL;
    struct fault fault = { 0 };
    json_t *role = json_pack("{s:o}", "allow", allow);
    json_t *subject = json_pack("{s:s,s:[s]}", "type", "service", "roles", "big");

    must(policy_edit_begin(empty, &edit) == STATUS_OK, "edit");
    if (policy_edit_role(edit, slice_text("big"), role, &fault) != STATUS_OK ||
        policy_edit_subject(edit, slice_text("nightly"), subject, &fault) != STATUS_OK ||
        policy_edit_finish(edit, &policy, &fault) != STATUS_OK)
        must(false, fault.text);
    policy_edit_free(edit);
    policy_free(empty);
    json_decref(role);
    json_decref(subject);
    return policy;
}

struct asked {
    char text[REQUEST_OBJECT_MAX + 200];
    struct request request;
};

/* Only allows are counted in the time of allows: a refusal writes its reason. */
static void
measure(const char *name, const struct policy *policy, struct names *names,
        const struct request *requests, size_t count)
{
    const name_id subject = names_find(names, slice_text("nightly"));
    const name_id role = names_find(names, slice_text("big"));
    const struct lineage_link link = {
        .token = slice_text("0123456789abcdef"), .subject = subject, .roles = &role, .role_count = 1
    };
    const struct lineage lineage = { .links = &link, .count = 1 };
    struct arena arena;
    uint64_t best = UINT64_MAX;
    size_t allowed = 0;

    arena_init(&arena, 1 << 20);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t before = clock_mono_us(), took;

        allowed = 0;
        for (size_t i = 0; i < count; i++) {
            allowed += decision_allows(policy_decide(policy, &lineage, &requests[i], 0, &arena));
            arena_reset(&arena);
        }
        took = clock_mono_us() - before;
        best = took < best ? took : best;
    }
    printf("%-28s %8.0f ns a decision, %zu of %zu allowed\n", name,
           (double)best * 1000 / (double)count, allowed, count);
    arena_free(&arena);
}

static void
bench_size(unsigned rights)
{
    struct names *names = names_new();
    json_t *allow = json_array();
    struct request *requests = calloc(REQUESTS, sizeof(*requests));
    char(*texts)[128] = calloc(REQUESTS, sizeof(*texts));
    const struct policy *policy;
    struct fault fault;
    uint64_t before;
    char name[64];
    size_t allowed = 0;

    for (unsigned i = 0; i < rights; i++) {
        char text[128];

        put_right(text, sizeof(text), i);
        json_array_append_new(allow, json_string(text));
    }
    before = clock_mono_us();
    policy = policy_of(names, allow);
    printf("%u rights compile in %.1f ms\n", rights, (double)(clock_mono_us() - before) / 1000);
    for (unsigned kind = 0; kind < 2; kind++) {
        allowed = 0;
        while (allowed < REQUESTS) {
            put_request(texts[allowed], sizeof(texts[allowed]), rights);
            if ((strstr(texts[allowed], "DELETE") != NULL) != (kind == 1))
                continue;
            must(request_from_right(slice_text(texts[allowed]), OBJECT_PATH, &requests[allowed],
                                    &fault) == STATUS_OK,
                 "request");
            allowed++;
        }
        snprintf(name, sizeof(name), "%u rights, %s", rights, kind == 0 ? "allowed" : "refused");
        measure(name, policy, names, requests, REQUESTS);
    }
    policy_free((struct policy *)(uintptr_t)policy);
    names_free(names);
    free(requests);
    free(texts);
}

static void
bench_adversary(size_t size)
{
    static const char *const shapes[] = {
        "svc:GET:*a*a*a*a*a*a*a*b",
        "svc:GET:**a*a*a*a*a*a**b",
        "svc:GET:/**/a/**/a*a*a*a*b",
        "svc:GET:**/*/*/*/*/*/*/**x",
    };
    static struct asked asked;
    struct names *names = names_new();
    json_t *allow = json_array();
    const struct policy *policy;
    char name[64];

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        json_array_append_new(allow, json_string(shapes[i]));
    policy = policy_of(names, allow);
    for (size_t i = 0; i < size; i++)
        asked.text[i] = i % 2 == 0 ? '/' : 'a';
    asked.request = (struct request){ .resource = slice_text("svc"),
                                      .action = slice_text("GET"),
                                      .object = slice_of(asked.text, size) };
    snprintf(name, sizeof(name), "adversary, path of %zu", size);
    measure(name, policy, names, &asked.request, 1);
    policy_free((struct policy *)(uintptr_t)policy);
    names_free(names);
}

int
main(void)
{
    static const unsigned sizes[] = { 10, 1000, 10000, 100000 };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        bench_size(sizes[i]);
    for (size_t size = 16; size <= REQUEST_OBJECT_MAX; size *= 8)
        bench_adversary(size);
    return 0;
}
