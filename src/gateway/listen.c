/* gateway/listen.c - the doors' places and their listeners. */
#include "listen.h"

#include <stdio.h>
#include <stdlib.h>

/* By door_kind. Protocols that start in TLS at once are told from others by ALPN. */
static const struct {
    const char *name;
    const char *alpn[TLS_ALPN_MAX];
    size_t alpn_count;
} kinds[] = {
    [DOOR_HTTP] = { "http", { "http/1.1" }, 1 },
    [DOOR_POSTGRES] = { "postgres", { "postgresql" }, 1 },
    [DOOR_REDIS] = { "redis", { NULL }, 0 },
};

static enum tls_client_certificate
certificate_wanted(struct slice word)
{
    if (slice_is(word, "request"))
        return TLS_CLIENT_REQUEST;
    return slice_is(word, "require") ? TLS_CLIENT_REQUIRE : TLS_CLIENT_NONE;
}

enum status
place_open(struct gateway *gateway, enum door_kind kind, struct fault *fault)
{
    const struct door_listen *listen = &gateway->options.doors[kind];
    struct door_place *place = &gateway->places[kind];

    if (listen->address.size == 0)
        return STATUS_OK;
    place->address = slice_strdup(listen->address);
    if (place->address == NULL)
        return fault_set(fault, STATUS_MEMORY, "out of memory");
    if (listen->cert == NULL)
        return STATUS_OK;
    return tls_server_new(
        &(struct tls_server_options){
            .cert = listen->cert,
            .key = listen->key,
            .client_ca = listen->client_ca,
            .client_certificate = certificate_wanted(listen->client_cert),
            .alpn = kinds[kind].alpn,
            .alpn_count = kinds[kind].alpn_count,
        },
        &place->tls, fault);
}

void
place_close(struct door_place *place)
{
    tls_server_free(place->tls);
    free(place->address);
    *place = (struct door_place){ 0 };
}

static enum status
listen_at(struct gate *gate, const struct door_accept *how, const char *address,
          struct listener **out, struct fault *fault)
{
    const struct gateway *gateway = gate->gateway;
    const struct door_place *place = &gateway->places[how->kind];
    struct listener *listener = NULL;
    enum status status =
        listener_open(gate->lane,
                      &(struct listener_options){
                          .address = address,
                          .share = gate->index == 0 ? LISTENER_SHARED_FIRST : LISTENER_SHARED,
                          .tls = how->secures_itself ? NULL : place->tls,
                          .connections = (unsigned)gateway->options.connections_max,
                          .accepted = how->accepted,
                          .context = how->context,
                      },
                      &listener, fault);

    if (status != STATUS_OK)
        return status;
    if (place->tls == NULL && !gateway->options.doors[how->kind].insecure &&
        !listener_is_loopback(listener)) {
        listener_close(listener);
        return fault_set(fault, STATUS_INVALID,
                         "gateway.%s listens on %s, which others can reach, without tls: add "
                         "tls: {cert, key}, or insecure: true if something in front ends TLS",
                         kinds[how->kind].name, address);
    }
    *out = listener;
    return STATUS_OK;
}

static void
write_address(struct slice host, uint16_t port, char *out, size_t size)
{
    bool v6 = slice_find(host, ':') < host.size;

    snprintf(out, size, v6 ? "[%.*s]:%u" : "%.*s:%u", SLICE_PRINT(host), port);
}

enum status
door_listen(struct gate *gate, const struct door_accept *how, struct listener **out,
            struct fault *fault)
{
    struct gateway *gateway = gate->gateway;
    struct door_place *place = &gateway->places[how->kind];
    char address[320];
    struct slice host;
    uint16_t port;

    if (host_port_parse(slice_text(place->address), &host, &port) != STATUS_OK || port != 0) {
        enum status status = listen_at(gate, how, place->address, out, fault);
        if (status == STATUS_OK && place->port == 0)
            place->port = listener_port(*out);
        return status;
    }
    write_address(host, place->port, address, sizeof(address));
    enum status status = listen_at(gate, how, address, out, fault);
    if (status != STATUS_OK || gate->index != 0)
        return status;
    place->port = listener_port(*out);
    write_address(host, place->port, address, sizeof(address));
    return own_add(&gateway->own, slice_text(address));
}
