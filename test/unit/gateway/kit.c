/* test/unit/gateway/kit.c - see kit.h. */
#include "kit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

static const char *const role =
    "{\"allow\":[\"orders:GET|HEAD|POST|PUT:/**\",\"keyed:GET:/**\",\"self:GET:/**\","
    "\"dead:GET:/**\",{\"right\":\"limited:GET:/**\",\"when\":{\"max_rate\":\"1/h\"}}],"
    "\"deny\":[\"orders:*:/secret/**\"]}";

static void
put_upstream(struct kit *kit, const char *name, uint16_t port, const char *more)
{
    char body[256];

    snprintf(body, sizeof body, "{\"type\":\"http\",\"url\":\"http://127.0.0.1:%u\"%s}", port,
             more);
    apply(&kit->world, object(CHANGE_UPSTREAM_PUT, name, body));
}

static void
open_world(struct kit *kit)
{
    kit->world = fixture_empty();
    fixture_loaded(&kit->world);
    apply(&kit->world, object(CHANGE_ROLE_PUT, "support", role));
    apply(&kit->world,
          object(CHANGE_SUBJECT_PUT, "nightly", "{\"type\":\"service\",\"roles\":[\"support\"]}"));
    put_upstream(kit, "orders", kit->upstream_port, "");
    put_upstream(kit, "limited", kit->upstream_port, "");
    put_upstream(kit, "keyed", kit->upstream_port, ",\"api_key\":true");
    put_upstream(kit, "dead", 1, "");
}

static void
open_audit(struct kit *kit)
{
    struct secret seed = { { 1 } };
    struct audit_options options = {
        .dir = kit->dir,
        .node = "test",
        .mode = AUDIT_STRICT,
        .retention_ms = MS_DAY,
        .journals = KIT_LANES + 1,
    };

    snprintf(kit->dir, sizeof kit->dir, "/tmp/writ-gateway-XXXXXX");
    assert_non_null(mkdtemp(kit->dir));
    assert_int_equal(signer_new(&seed, &kit->signer), STATUS_OK);
    options.signer = kit->signer;
    enum status status = audit_open(&options, &kit->audit, &kit->world.fault);
    if (status != STATUS_OK)
        fail_msg("audit: %s", kit->world.fault.text);
}

static void
run_claim(struct lane_message *message)
{
    struct use_claim *claim = LANE_OWNER(message, struct use_claim, message);

    claim->done(claim);
}

/* The authority's part: here on the lane itself, since nobody writes meanwhile. */
static void
claim_use(void *app, struct use_claim *claim)
{
    struct kit *kit = app;
    struct token_id lines[TOKEN_DEPTH_MAX];
    size_t count;

    claim->verdict = world_claim(kit->world.world, &claim->id, clock_wall_ms(), lines, &count);
    claim->status = STATUS_OK;
    claim->message.run = run_claim;
    atomic_fetch_add(&kit->claims, 1);
    assert_true(lane_post(claim->lane, &claim->message));
}

static void
tell_enforced(void *app, unsigned lane_index, uint64_t generation)
{
    struct kit *kit = app;

    atomic_store(&kit->enforced[lane_index], generation);
}

static void
lane_begin(struct lane *lane, void *context)
{
    struct kit *kit = context;
    struct fault fault = { 0 };

    if (gateway_attach(kit->gateway, lane, lane_index(lane), &fault) != STATUS_OK)
        print_error("attach: %s\n", fault.text);
    else
        atomic_fetch_add(&kit->started, 1);
}

static void
lane_turn(struct lane *lane, void *context)
{
    gateway_turn(lane);
}

static void
lane_stops(struct lane *lane, void *context)
{
    gateway_stop(lane);
}

static void
wait_for_lanes(struct kit *kit, unsigned count)
{
    for (int i = 0; i < PATIENCE_MS && atomic_load(&kit->started) < count; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&kit->started), count);
}

static void
open_lanes(struct kit *kit)
{
    for (unsigned i = 0; i < KIT_LANES; i++) {
        struct lane_options options = {
            .name = "gate",
            .index = i,
            .hooks = { .begin = lane_begin, .turn = lane_turn, .stop = lane_stops },
            .context = kit,
        };
        assert_int_equal(lane_new(&options, &kit->lanes[i]), STATUS_OK);
        assert_int_equal(lane_start(kit->lanes[i]), STATUS_OK);
        wait_for_lanes(kit, i + 1);
    }
}

void
kit_open(struct kit *kit)
{
    struct cidr trusted;

    *kit = (struct kit){ .upstream_port = stub_open() };
    open_world(kit);
    open_audit(kit);
    assert_int_equal(rate_table_new(1024, &kit->rates), STATUS_OK);
    assert_int_equal(budget_table_new(1024, &kit->budgets), STATUS_OK);
    assert_int_equal(cidr_parse(SLICE_LITERAL("127.0.0.2"), &trusted), STATUS_OK);
    kit->ports =
        (struct gateway_ports){ .app = kit, .claim_use = claim_use, .enforced = tell_enforced };
    struct gateway_options options = {
        .doors[DOOR_HTTP] = { .address = SLICE_LITERAL("127.0.0.1:0") },
        .trusted = { &trusted, 1 },
        .node = "test",
        .world = kit->world.world,
        .audit = kit->audit,
        .audit_mode = AUDIT_STRICT,
        .rates = kit->rates,
        .budgets = kit->budgets,
        .ports = &kit->ports,
        .lanes = KIT_LANES,
        .connections_max = 1024,
    };
    assert_int_equal(gateway_new(&options, &kit->gateway, &kit->world.fault), STATUS_OK);
    open_lanes(kit);
    kit->port = gateway_port(kit->gateway, DOOR_HTTP);
    assert_int_not_equal(kit->port, 0);
    put_upstream(kit, "self", kit->port, "");
    kit_change(kit, object(CHANGE_ROLE_PUT, "idle", "{}"));
}

static void
remove_dir(const char *dir)
{
    DIR *list = opendir(dir);
    struct dirent *entry;
    char path[512];

    while (list != NULL && (entry = readdir(list)) != NULL) {
        struct stat is;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (entry->d_name[0] == '.' || lstat(path, &is) != 0)
            continue;
        if (S_ISDIR(is.st_mode))
            remove_dir(path);
        else
            unlink(path);
    }
    if (list != NULL)
        closedir(list);
    rmdir(dir);
}

void
kit_close(struct kit *kit)
{
    gateway_drain(kit->gateway, 500);
    for (unsigned i = 0; i < KIT_LANES; i++)
        lane_stop(kit->lanes[i], 1000);
    for (unsigned i = 0; i < KIT_LANES; i++)
        lane_join(kit->lanes[i]);
    gateway_free(kit->gateway);
    for (unsigned i = 0; i < KIT_LANES; i++)
        lane_free(kit->lanes[i]);
    audit_close(kit->audit);
    signer_free(kit->signer);
    rate_table_free(kit->rates);
    budget_table_free(kit->budgets);
    fixture_free(&kit->world);
    stub_close();
    remove_dir(kit->dir);
}

void
kit_issue(struct kit *kit, unsigned number, uint32_t max_uses, const char *scope,
          char out[TOKEN_TEXT_SIZE + 1])
{
    struct change change = issued(number);
    int64_t now = clock_wall_ms() - MS_SECOND;

    change.token.issued_at = change.token.not_before = change.token.line_started_at = now;
    change.token.expires_at = now + MS_HOUR;
    change.token.scope = slice_text(scope);
    if (max_uses > 0)
        change.token.max_uses = max_uses;
    apply(&kit->world, change);
    text_of(&kit->world, number, out);
}

void
kit_change(struct kit *kit, struct change change)
{
    struct world_next *next;

    world_quiescent(kit->world.reader);
    assert_int_equal(world_prepare(kit->world.world, &change, 1, &next, &kit->world.fault),
                     STATUS_OK);
    uint64_t generation = world_publish(next);
    gateway_announce(kit->gateway, generation);
    for (unsigned i = 0; i < KIT_LANES; i++) {
        for (int tries = 0; atomic_load(&kit->enforced[i]) < generation; tries++) {
            assert_true(tries < PATIENCE_MS);
            usleep(1000);
        }
    }
}

int
kit_connect_from(const struct kit *kit, const char *address)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(kit->port) }, from = to;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    from.sin_port = 0;
    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

int
kit_connect(const struct kit *kit)
{
    return kit_connect_from(kit, "127.0.0.1");
}

void
kit_send(int fd, const char *format, ...)
{
    va_list list;
    char *text;

    va_start(list, format);
    int size = vasprintf(&text, format, list);
    va_end(list);
    assert_true(size >= 0);
    assert_int_equal(send(fd, text, (size_t)size, MSG_NOSIGNAL), size);
    free(text);
}

static ssize_t
read_some(int fd, char *out, size_t size)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };

    if (poll(&ready, 1, PATIENCE_MS) != 1)
        return -1;
    return recv(fd, out, size, 0);
}

size_t
kit_read_all(int fd, char *out, size_t size)
{
    size_t used = 0;
    ssize_t got;

    while (used < size - 1 && (got = read_some(fd, out + used, size - 1 - used)) > 0)
        used += (size_t)got;
    out[used] = '\0';
    return used;
}

bool
kit_read_until(int fd, const char *text, char *out, size_t size)
{
    size_t used = 0;
    ssize_t got;

    out[0] = '\0';
    while (used < size - 1 && (got = read_some(fd, out + used, size - 1 - used)) > 0) {
        used += (size_t)got;
        out[used] = '\0';
        if (strstr(out, text) != NULL)
            return true;
    }
    return false;
}

void
kit_ask(const struct kit *kit, const char *token, const char *text, char *out, size_t size)
{
    struct buffer request = { 0 };
    int fd = kit_connect(kit);

    for (; *text != '\0'; text++) {
        if (*text == '$')
            put_text(&request, token);
        else
            put_u8(&request, (uint8_t)*text);
    }
    assert_int_equal(send(fd, request.bytes, request.size, MSG_NOSIGNAL), request.size);
    kit_read_all(fd, out, size);
    buffer_free(&request);
    close(fd);
}

json_t *
kit_line(struct kit *kit, const char *object)
{
    struct audit_query query = { .limit = 1000 };
    json_t *found = NULL, *list, *item;
    size_t index;

    audit_flush(kit->audit);
    enum status status = audit_search(kit->dir, &query, &list, &kit->world.fault);
    if (status != STATUS_OK)
        fail_msg("search: %s", kit->world.fault.text);
    json_array_foreach(json_object_get(list, "items"), index, item)
    {
        const char *text = json_string_value(json_object_get(item, "object"));
        if (found == NULL && text != NULL && strcmp(text, object) == 0)
            found = json_incref(item);
    }
    json_decref(list);
    return found;
}
