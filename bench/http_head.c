/* bench/http_head.c - nanoseconds to parse a request's head as browsers send it. */
#include <stdio.h>

#include "base/clock.h"
#include "http/head.h"

static const char request[] =
    "GET /v1/orders/42?expand=lines HTTP/1.1\r\n"
    "Host: gateway.example:7880\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Authorization: Bearer writ_0123456789abcdefghijklmnopqrstuvwxyzABCDEF\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "\r\n";

static const char small[] = "GET /orders/1 HTTP/1.1\r\nHost: 127.0.0.1:7880\r\n"
                            "Authorization: Bearer writ_0123456789abcdefghijklmnopqrst\r\n\r\n";

static void
measure(const char *name, struct slice bytes)
{
    enum { ROUNDS = 500000, RUNS = 5 };
    static struct http_head head;
    struct http_refusal why;
    uint64_t best = UINT64_MAX;
    unsigned parsed = 0;

    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t start = clock_mono_us(), took;

        for (unsigned i = 0; i < ROUNDS; i++)
            parsed += http_request_parse(bytes, &head, &why) == HTTP_PARSED;
        took = clock_mono_us() - start;
        best = took < best ? took : best;
    }
    printf("%s: %zu bytes, %u fields: %.0f ns a head%s\n", name, bytes.size, (unsigned)head.count,
           (double)best * 1000 / ROUNDS, parsed == ROUNDS * RUNS ? "" : " (NOT PARSED)");
}

int
main(void)
{
    measure("browser", slice_of(request, sizeof request - 1));
    measure("client", slice_of(small, sizeof small - 1));
    return 0;
}
