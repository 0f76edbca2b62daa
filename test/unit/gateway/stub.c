/* test/unit/gateway/stub.c - an upstream with odd manners: the request's path says
 * which, a thread serves each connection. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit.h"

enum { HEAD_SIZE = 16384, BIG_SIZE = 8 << 20 };

static int listening = -1;
static pthread_t acceptor;
static atomic_uint connections;

unsigned
stub_connections(void)
{
    return atomic_load(&connections);
}

static bool
say(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t went = send(fd, text, size, MSG_NOSIGNAL);
        if (went <= 0)
            return false;
        text += went;
        size -= (size_t)went;
    }
    return true;
}

static bool
say_text(int fd, const char *text)
{
    return say(fd, text, strlen(text));
}

/* Reads one head; what came behind it is moved to the front of rest. */
static bool
read_head(int fd, char *head, char *rest, size_t *rest_size)
{
    size_t used = *rest_size;

    memcpy(head, rest, used);
    head[used] = '\0';
    for (;;) {
        char *end = strstr(head, "\r\n\r\n");
        if (end != NULL) {
            size_t size = (size_t)(end - head) + 4;
            *rest_size = used - size;
            memcpy(rest, head + size, *rest_size);
            head[size] = '\0';
            return true;
        }
        ssize_t got = recv(fd, head + used, HEAD_SIZE - 1 - used, 0);
        if (got <= 0)
            return false;
        used += (size_t)got;
        head[used] = '\0';
    }
}

/* Content-Length or chunked (by its last chunk alone); returns the bytes read. */
static size_t
read_body(int fd, const char *head, const char *rest, size_t *rest_size)
{
    const char *length = strcasestr(head, "\r\nContent-Length: ");
    size_t left = length == NULL ? 0 : strtoul(length + 18, NULL, 10), total = 0;
    char buffer[65536];

    if (strcasestr(head, "\r\nTransfer-Encoding: chunked") != NULL) {
        size_t used = *rest_size;
        memcpy(buffer, rest, used);
        while (used < 5 || memcmp(buffer + used - 5, "0\r\n\r\n", 5) != 0) {
            ssize_t got = recv(fd, buffer + used, sizeof buffer - used, 0);
            if (got <= 0)
                return 0;
            used += (size_t)got;
        }
        *rest_size = 0;
        return used;
    }
    total = *rest_size < left ? *rest_size : left;
    left -= total;
    *rest_size = 0;
    while (left > 0) {
        ssize_t got = recv(fd, buffer, left < sizeof buffer ? left : sizeof buffer, 0);
        if (got <= 0)
            return total;
        total += (size_t)got;
        left -= (size_t)got;
    }
    return total;
}

static bool
answer_echo(int fd, const char *head)
{
    char text[HEAD_SIZE + 128];
    int size =
        snprintf(text, sizeof text,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(head), head);

    return say(fd, text, (size_t)size);
}

static bool
answer_stream(int fd)
{
    if (!say_text(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n"))
        return false;
    for (int i = 0; i < 1000; i++) {
        if (!say_text(fd, "6\r\ntick\n\n\r\n"))
            return false;
        usleep(10000);
    }
    return false;
}

static bool
answer_big(int fd)
{
    char head[128];
    static char block[65536];

    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG_SIZE);
    if (!say_text(fd, head))
        return false;
    for (size_t sent = 0; sent < BIG_SIZE; sent += sizeof block) {
        if (!say(fd, block, sizeof block))
            return false;
    }
    return true;
}

static bool
answer_upgrade(int fd)
{
    char buffer[4096];
    ssize_t got;

    if (!say_text(fd, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                      "Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello"))
        return false;
    while ((got = recv(fd, buffer, sizeof buffer, 0)) > 0) {
        if (!say(fd, buffer, (size_t)got))
            break;
    }
    return false;
}

static bool
answer_size(int fd, size_t size)
{
    char text[256], body[32];
    int length = snprintf(body, sizeof body, "%zu", size);

    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", length, body);
    return say_text(fd, text);
}

static bool
is(const char *head, const char *path)
{
    const char *target = strchr(head, ' ');

    return target != NULL && strncmp(target + 1, path, strlen(path)) == 0;
}

static bool
answer(int fd, const char *head, const char *rest, size_t *rest_size)
{
    if (is(head, "/stream"))
        return answer_stream(fd);
    if (is(head, "/big"))
        return answer_big(fd);
    if (is(head, "/upgrade"))
        return answer_upgrade(fd);
    if (is(head, "/silent"))
        return recv(fd, (char[1]){ 0 }, 1, 0) > 0;
    if (is(head, "/short")) {
        say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
        return false;
    }
    if (is(head, "/bad")) {
        say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
        return false;
    }
    if (is(head, "/early")) {
        say_text(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
        return false;
    }
    if (is(head, "/hints") && !say_text(fd, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"))
        return false;
    if (is(head, "/moved"))
        return say_text(fd,
                        "HTTP/1.1 302 Found\r\nLocation: /there?a\r\nSet-Cookie: a=b; Path=/\r\n"
                        "Content-Length: 0\r\n\r\n");
    if (strcasestr(head, "\r\nExpect: 100-continue") != NULL &&
        !say_text(fd, "HTTP/1.1 100 Continue\r\n\r\n"))
        return false;
    size_t size = read_body(fd, head, rest, rest_size);
    if (is(head, "/sink"))
        return answer_size(fd, size);
    if (strncmp(head, "HEAD ", 5) == 0)
        return say_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n");
    return answer_echo(fd, head);
}

static void *
serve(void *context)
{
    int fd = (int)(intptr_t)context;
    char *head = malloc(HEAD_SIZE), *rest = malloc(HEAD_SIZE);
    size_t rest_size = 0;

    while (read_head(fd, head, rest, &rest_size) && answer(fd, head, rest, &rest_size))
        ;
    close(fd);
    free(head);
    free(rest);
    return NULL;
}

static void *
accept_all(void *context)
{
    int fd;

    while ((fd = accept(listening, NULL, NULL)) >= 0) {
        pthread_t thread;
        atomic_fetch_add(&connections, 1);
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
    }
    return NULL;
}

uint16_t
stub_open(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;

    listening = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listening, 64), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(pthread_create(&acceptor, NULL, accept_all, NULL), 0);
    return ntohs(address.sin_port);
}

void
stub_close(void)
{
    shutdown(listening, SHUT_RDWR);
    pthread_join(acceptor, NULL);
    close(listening);
}
