/* base/address.c - IP addresses, networks and host:port texts. */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static struct ip
ip_from_v6(const uint8_t bytes[16])
{
    struct ip ip = { .family = IP_V6 };

    if (memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0) {
        ip.family = IP_V4;
        memcpy(ip.bytes, bytes + 12, 4);
    } else {
        memcpy(ip.bytes, bytes, 16);
    }
    return ip;
}

/* *written_bits is the width of the family as it was written, 0 for none. */
static struct ip
parse(struct slice text, unsigned *written_bits)
{
    char copy[INET6_ADDRSTRLEN];
    struct ip ip = { .family = IP_NONE };
    uint8_t v6[16];

    *written_bits = 0;
    if (text.size == 0 || text.size >= sizeof copy || slice_find(text, '\0') != text.size)
        return ip;
    memcpy(copy, text.at, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET, copy, ip.bytes) == 1) {
        ip.family = IP_V4;
        *written_bits = 32;
    } else if (inet_pton(AF_INET6, copy, v6) == 1) {
        ip = ip_from_v6(v6);
        *written_bits = 128;
    }
    return ip;
}

enum status
ip_parse(struct slice text, struct ip *out)
{
    unsigned written_bits;
    struct ip ip = parse(text, &written_bits);

    if (ip.family == IP_NONE)
        return STATUS_INVALID;
    *out = ip;
    return STATUS_OK;
}

const char *
ip_format(const struct ip *ip, char out[IP_TEXT_MAX])
{
    if (ip->family == IP_NONE)
        return strcpy(out, "unix");
    return inet_ntop(ip->family == IP_V4 ? AF_INET : AF_INET6, ip->bytes, out, IP_TEXT_MAX);
}

struct ip
ip_of_sockaddr(const struct sockaddr *address)
{
    struct ip ip = { .family = IP_NONE };

    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        ip.family = IP_V4;
        memcpy(ip.bytes, &v4.sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        ip = ip_from_v6(v6.sin6_addr.s6_addr);
    }
    return ip;
}

bool
ip_equal(const struct ip *a, const struct ip *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool
ip_is_loopback(const struct ip *ip)
{
    static const uint8_t one[16] = { [15] = 1 };

    if (ip->family == IP_V4)
        return ip->bytes[0] == 127;
    return ip->family == IP_V6 && memcmp(ip->bytes, one, sizeof one) == 0;
}

static bool
same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool
host_bits_are_zero(const struct ip *ip, unsigned bits)
{
    unsigned at = bits / 8;

    if (bits % 8 != 0 && (uint8_t)(ip->bytes[at++] << bits % 8) != 0)
        return false;
    for (; at < sizeof ip->bytes; at++) {
        if (ip->bytes[at] != 0)
            return false;
    }
    return true;
}

enum status
cidr_parse(struct slice text, struct cidr *out)
{
    size_t slash = slice_find(text, '/');
    unsigned written_bits;
    struct ip ip = parse(slice_first(text, slash), &written_bits);
    uint64_t bits = written_bits;

    if (ip.family == IP_NONE)
        return STATUS_INVALID;
    if (slash < text.size) {
        struct slice digits = slice_from(text, slash + 1);
        if (digits.size > 3 || !slice_u64(digits, &bits) || bits > written_bits ||
            (digits.size > 1 && digits.at[0] == '0'))
            return STATUS_INVALID;
    }
    if (ip.family == IP_V4 && written_bits == 128) {
        /* ::ffff:10.0.0.0/104 is 10.0.0.0/8; a shorter one would hold IPv6 too. */
        if (bits < 96)
            return STATUS_INVALID;
        bits -= 96;
    }
    if (!host_bits_are_zero(&ip, (unsigned)bits))
        return STATUS_INVALID;
    *out = (struct cidr){ .ip = ip, .bits = (uint8_t)bits };
    return STATUS_OK;
}

const char *
cidr_format(const struct cidr *cidr, char out[CIDR_TEXT_MAX])
{
    char ip[IP_TEXT_MAX];

    snprintf(out, CIDR_TEXT_MAX, "%s/%u", ip_format(&cidr->ip, ip), cidr->bits);
    return out;
}

bool
cidr_contains(const struct cidr *cidr, const struct ip *ip)
{
    return cidr->ip.family != IP_NONE && cidr->ip.family == ip->family &&
           same_prefix(cidr->ip.bytes, ip->bytes, cidr->bits);
}

bool
cidr_within(const struct cidr *narrow, const struct cidr *wide)
{
    return narrow->bits >= wide->bits && cidr_contains(wide, &narrow->ip);
}

static bool
is_host_name(struct slice host)
{
    for (size_t i = 0; i < host.size; i++) {
        char c = host.at[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && c != '.' && c != '-' && c != '_')
            return false;
    }
    return host.size > 0 && host.size <= 253;
}

enum status
host_port_parse(struct slice text, struct slice *host, uint16_t *port)
{
    bool bracketed = text.size > 0 && text.at[0] == '[';
    size_t end = slice_find(text, bracketed ? ']' : ':');
    struct slice name, rest;
    unsigned written_bits;
    uint64_t number;

    if (bracketed) {
        name = slice_from(slice_first(text, end), 1);
        rest = slice_from(text, end + 1);
        (void)parse(name, &written_bits);
        if (written_bits != 128 || rest.size == 0 || rest.at[0] != ':')
            return STATUS_INVALID;
    } else {
        name = slice_first(text, end);
        rest = slice_from(text, end);
        if (!is_host_name(name))
            return STATUS_INVALID;
    }
    rest = slice_from(rest, 1);
    if (rest.size > 5 || !slice_u64(rest, &number) || number > UINT16_MAX)
        return STATUS_INVALID;
    *host = name;
    *port = (uint16_t)number;
    return STATUS_OK;
}
