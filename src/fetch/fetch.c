/* fetch/fetch.c - one call after another, by libcurl. */
#include "fetch/fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "fetch/guard.h"

enum {
    CONNECT_MS = 3000,
    WHOLE_MS = 10000,
    IGNORED_MAX = 64 << 10, /* of a body that nobody reads */
    URL_MAX = 2000,
};

struct fetcher {
    CURLM *multi;
    struct fetch_options options;
    char *ca;
    atomic_bool stopped;
};

/* What belongs to one call. */
struct call {
    const struct fetch_request *request;
    CURL *easy;
    struct curl_slist *fields;
    struct guard guard;
    size_t ignored;
    struct fault barred; /* why the address was not connected to; no text: it was */
    char error[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void
curl_begin(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* --- URLs -------------------------------------------------------------------------- */

static bool
url_has(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return has;
}

static bool
url_is(CURLU *url, CURLUPart part, const char *wanted)
{
    char *text = NULL;
    bool is = curl_url_get(url, part, &text, 0) == CURLUE_OK && strcmp(text, wanted) == 0;

    curl_free(text);
    return is;
}

static bool
url_is_loopback(CURLU *url)
{
    char *host = NULL;
    bool is = url_is(url, CURLUPART_HOST, "localhost");

    if (curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        struct slice text = slice_text(host);
        struct ip ip;

        if (slice_starts(text, SLICE_LITERAL("[")) && slice_ends(text, SLICE_LITERAL("]")))
            text = slice_of(text.at + 1, text.size - 2);
        is = is || (ip_parse(text, &ip) == STATUS_OK && ip_is_loopback(&ip));
    }
    curl_free(host);
    return is;
}

/* The parser is the one that the call is made with, so that no two readings of a URL differ. */
static enum status
check_parsed(CURLU *parsed, bool insecure, struct fault *fault)
{
    bool clear = url_is(parsed, CURLUPART_SCHEME, "http");

    if (!clear && !url_is(parsed, CURLUPART_SCHEME, "https"))
        return fault_set(fault, STATUS_INVALID, "is not a URL of https");
    if (url_has(parsed, CURLUPART_USER) || url_has(parsed, CURLUPART_PASSWORD))
        return fault_set(fault, STATUS_INVALID, "is a URL with a user or a password");
    if (url_has(parsed, CURLUPART_FRAGMENT))
        return fault_set(fault, STATUS_INVALID, "is a URL with a fragment");
    if (clear && !insecure && !url_is_loopback(parsed))
        return fault_set(fault, STATUS_INVALID,
                         "is not https and not loopback: it would cross the network in clear");
    return STATUS_OK;
}

enum status
fetch_check_url(const char *url, bool insecure, struct fault *fault)
{
    CURLU *parsed = curl_url();
    enum status status;

    if (parsed == NULL)
        return STATUS_MEMORY;
    if (strlen(url) > URL_MAX || curl_url_set(parsed, CURLUPART_URL, url, 0) != CURLUE_OK)
        status = fault_set(fault, STATUS_INVALID, "is not a URL of https");
    else
        status = check_parsed(parsed, insecure, fault);
    curl_url_cleanup(parsed);
    return status;
}

/* --- what libcurl asks of us ----------------------------------------------------------- */

/* The last moment before a connection: the address is the one that will be connected to. */
static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct call *call = context;
    struct ip ip = ip_of_sockaddr(&address->addr);
    uint16_t port = 0;
    char text[IP_TEXT_MAX];

    if (address->addr.sa_family == AF_INET || address->addr.sa_family == AF_INET6)
        memcpy(&port, (const char *)&address->addr + 2, sizeof port); /* of both families */
    port = (uint16_t)(port >> 8 | port << 8);
    const char *why = guard_bars(&call->guard, &ip, port);
    if (why != NULL) {
        (void)fault_set(&call->barred, STATUS_DENIED, "%s port %u %s", ip_format(&ip, text), port,
                        why);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Anything but size ends the call. */
static size_t
take_body(char *bytes, size_t one, size_t size, void *context)
{
    struct call *call = context;
    struct buffer *into = call->request->into;

    if (into == NULL) {
        call->ignored += size;
        return call->ignored <= IGNORED_MAX ? size : 0;
    }
    put_bytes(into, bytes, size);
    return buffer_status(into) == STATUS_OK ? size : 0;
}

/* --- one call --------------------------------------------------------------------------- */

/* Each option must be taken: one that is not known to this libcurl would leave a hole. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (curl_easy_setopt(call->easy, option, value) != CURLE_OK)                               \
            return STATUS_INTERNAL;                                                                \
    } while (0)

static enum status
bound(const struct fetcher *fetcher, struct call *call)
{
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* not that of the environment either */
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs holds nobody up */
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)fetcher->options.connect_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)fetcher->options.whole_ms);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, call);
    return STATUS_OK;
}

static enum status
secure(const struct fetcher *fetcher, struct call *call)
{
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (fetcher->ca != NULL) {
        SET(CURLOPT_CAINFO, fetcher->ca);
        SET(CURLOPT_CAPATH, NULL); /* the system's would count besides */
    }
    return STATUS_OK;
}

static enum status
fill(struct call *call)
{
    const struct fetch_request *request = call->request;

    for (size_t i = 0; i < request->field_count; i++) {
        struct curl_slist *more = curl_slist_append(call->fields, request->fields[i]);

        if (more == NULL)
            return STATUS_MEMORY;
        call->fields = more;
    }
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_USERAGENT, "writ/" WRIT_VERSION);
    SET(CURLOPT_HTTPHEADER, call->fields);
    SET(CURLOPT_ERRORBUFFER, call->error);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, call);
    if (request->body.at != NULL) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
        SET(CURLOPT_POSTFIELDS, request->body.at);
    }
    return STATUS_OK;
}

/* In short waits, which fetcher_stop cuts shorter. */
static enum status
drive(struct fetcher *fetcher, CURLcode *result)
{
    int running = 1, left;
    CURLMsg *message;

    while (running > 0) {
        if (atomic_load(&fetcher->stopped))
            return STATUS_CLOSED;
        if (curl_multi_perform(fetcher->multi, &running) != CURLM_OK ||
            (running > 0 && curl_multi_poll(fetcher->multi, NULL, 0, 1000, NULL) != CURLM_OK))
            return STATUS_INTERNAL;
    }
    message = curl_multi_info_read(fetcher->multi, &left);
    if (message == NULL || message->msg != CURLMSG_DONE)
        return STATUS_INTERNAL;
    *result = message->data.result;
    return STATUS_OK;
}

static enum status
status_of_curl(CURLcode result)
{
    switch (result) {
    case CURLE_OK:
        return STATUS_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return STATUS_TIMEOUT;
    case CURLE_WRITE_ERROR:
        return STATUS_TOO_LARGE;
    case CURLE_OUT_OF_MEMORY:
        return STATUS_MEMORY;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return STATUS_CRYPTO;
    default:
        return STATUS_IO;
    }
}

static enum status
conclude(const struct call *call, CURLcode result, unsigned *code, struct fault *fault)
{
    enum status status = status_of_curl(result);
    long answered = 0;

    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &answered);
    /* An answer that goes on and on has been given, where nobody reads its body. */
    if (status == STATUS_TOO_LARGE && call->request->into == NULL && answered >= 200)
        status = STATUS_OK;
    if (status == STATUS_OK)
        *code = (unsigned)answered;
    else if (call->barred.text[0] != '\0')
        status = fault_set(fault, STATUS_DENIED, "%s", call->barred.text);
    else
        (void)fault_set(fault, status, "%s",
                        call->error[0] != '\0' ? call->error : curl_easy_strerror(result));
    return status;
}

static void
call_free(struct call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->fields);
}

enum status
fetch_call(struct fetcher *fetcher, const struct fetch_request *request, unsigned *code,
           struct fault *fault)
{
    bool insecure = fetcher->options.insecure;
    struct call call = { .request = request, .guard = { .own = fetcher->options.own } };
    CURLcode result = CURLE_OK;
    enum status status = fetch_check_url(request->url, insecure, fault);

    if (status != STATUS_OK)
        return status;
    call.guard.loopback_only = !insecure && strncasecmp(request->url, "https:", 6) != 0;
    call.easy = curl_easy_init();
    status = call.easy == NULL ? STATUS_MEMORY : bound(fetcher, &call);
    if (status == STATUS_OK)
        status = secure(fetcher, &call);
    if (status == STATUS_OK)
        status = fill(&call);
    if (status == STATUS_OK && curl_multi_add_handle(fetcher->multi, call.easy) != CURLM_OK)
        status = STATUS_INTERNAL;
    if (status != STATUS_OK)
        goto done;
    status = drive(fetcher, &result);
    if (status == STATUS_OK)
        status = conclude(&call, result, code, fault);
    (void)curl_multi_remove_handle(fetcher->multi, call.easy);
done:
    if (status != STATUS_OK && fault->text[0] == '\0')
        (void)fault_set(fault, status, "%s", status_text(status));
    call_free(&call);
    return status;
}

/* --- its life ---------------------------------------------------------------------------- */

enum status
fetcher_new(const struct fetch_options *options, struct fetcher **out, struct fault *fault)
{
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);

    if (fetcher == NULL)
        return STATUS_MEMORY;
    (void)pthread_once(&curl_once, curl_begin);
    fetcher->options = *options;
    if (options->connect_ms == 0)
        fetcher->options.connect_ms = CONNECT_MS;
    if (options->whole_ms == 0)
        fetcher->options.whole_ms = WHOLE_MS;
    fetcher->multi = curl_multi_init();
    fetcher->ca = options->ca == NULL ? NULL : strdup(options->ca);
    if (fetcher->multi == NULL || (options->ca != NULL && fetcher->ca == NULL)) {
        fetcher_free(fetcher);
        return STATUS_MEMORY;
    }
    if (fetcher->ca != NULL && access(fetcher->ca, R_OK) != 0) {
        enum status status = fault_set(fault, STATUS_IO, "cannot read %s", fetcher->ca);
        fetcher_free(fetcher);
        return status;
    }
    *out = fetcher;
    return STATUS_OK;
}

void
fetcher_stop(struct fetcher *fetcher)
{
    atomic_store(&fetcher->stopped, true);
    (void)curl_multi_wakeup(fetcher->multi);
}

void
fetcher_free(struct fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    (void)curl_multi_cleanup(fetcher->multi);
    free(fetcher->ca);
    free(fetcher);
}
