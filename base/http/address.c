/*
 * address: IP addresses as numbers: listeners, trusted proxies, connections counted per address, private ranges.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/http/http-internal.h"

/* ::ffff:a.b.c.d is a.b.c.d, so that no check is passed in the other dress. */
static void
unmap(struct address *a)
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    if (a->family != AF_INET6 || memcmp(a->b, mapped, sizeof(mapped)) != 0)
        return;
    a->family = AF_INET;
    memmove(a->b, a->b + 12, 4);
    memset(a->b + 4, 0, 12);
}

struct address
address_of(const struct sockaddr *sa)
{
    struct address a = { 0, { 0 } };

    if (sa != NULL && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        a.family = AF_INET;
        memcpy(a.b, &in.sin_addr, 4);
    } else if (sa != NULL && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        a.family = AF_INET6;
        memcpy(a.b, &in6.sin6_addr, 16);
        unmap(&a);
    }
    return a;
}

bool
address_parse(struct str text, struct address *ret)
{
    char s[ADDRESS_TEXT];
    struct address a = { 0, { 0 } };

    if (text.n == 0 || text.n >= sizeof(s))
        return false;
    memcpy(s, text.p, text.n);
    s[text.n] = '\0';
    if (strlen(s) != text.n)
        return false;
    if (inet_pton(AF_INET, s, a.b) == 1)
        a.family = AF_INET;
    else if (inet_pton(AF_INET6, s, a.b) == 1)
        a.family = AF_INET6;
    else
        return false;
    unmap(&a);
    *ret = a;
    return true;
}

void
address_text(const struct address *a, char out[ADDRESS_TEXT])
{
    if (a->family == 0 || inet_ntop(a->family, a->b, out, ADDRESS_TEXT) == NULL)
        memcpy(out, "unknown", sizeof("unknown"));
}

void
address_masked(const struct address *a, unsigned v4_bits, unsigned v6_bits, struct address *ret)
{
    unsigned bits = a->family == AF_INET ? v4_bits : v6_bits;

    *ret = *a;
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits > i * 8 ? bits - i * 8 : 0;
        if (keep < 8)
            ret->b[i] &= (unsigned char)(0xff00u >> keep);
    }
}

enum err
cidr_parse(const char *text, struct cidr *ret, struct why *why)
{
    struct str rest, net = str_split(str_of(text), '/', &rest);
    struct cidr c = { { 0, { 0 } }, 0 };
    struct address masked;
    int64_t bits;

    if (!address_parse(net, &c.net))
        return why_set(why, ERR_INPUT, "not an address: %s", text);
    bits = c.net.family == AF_INET ? 32 : 128;
    if (rest.p != NULL && str_to_i64(rest, 0, bits, &bits) != OK)
        return why_set(why, ERR_INPUT, "not a prefix length: %s", text);
    c.bits = (unsigned)bits;
    address_masked(&c.net, c.bits, c.bits, &masked);
    if (memcmp(&masked.b, &c.net.b, sizeof(masked.b)) != 0)
        return why_set(why, ERR_INPUT, "bits set beyond the prefix: %s", text);
    *ret = c;
    return OK;
}

bool
cidr_has(const struct cidr *list, size_t n, const struct address *a)
{
    for (size_t i = 0; i < n; i++) {
        struct address masked;

        if (list[i].net.family != a->family)
            continue;
        address_masked(a, list[i].bits, list[i].bits, &masked);
        if (memcmp(masked.b, list[i].net.b, sizeof(masked.b)) == 0)
            return true;
    }
    return false;
}

bool
address_is_private(const struct address *a)
{
    /* IANA special-purpose registries: everything that is not global unicast on the public Internet. */
    static const struct cidr v4[] = {
        { { AF_INET, { 0 } }, 8 },              { { AF_INET, { 10 } }, 8 },
        { { AF_INET, { 100, 64 } }, 10 },       { { AF_INET, { 127 } }, 8 },
        { { AF_INET, { 169, 254 } }, 16 },      { { AF_INET, { 172, 16 } }, 12 },
        { { AF_INET, { 192, 0, 0 } }, 24 },     { { AF_INET, { 192, 0, 2 } }, 24 },
        { { AF_INET, { 192, 88, 99 } }, 24 },   { { AF_INET, { 192, 168 } }, 16 },
        { { AF_INET, { 198, 18 } }, 15 },       { { AF_INET, { 198, 51, 100 } }, 24 },
        { { AF_INET, { 203, 0, 113 } }, 24 },   { { AF_INET, { 224 } }, 3 },
    };
    /* 2000::/3 is all that is global; within it the transitions that hide an IPv4 address, and documentation. */
    static const struct cidr v6_global[] = { { { AF_INET6, { 0x20 } }, 3 } };
    static const struct cidr v6_not[] = {
        { { AF_INET6, { 0x20, 0x01, 0x00, 0x00 } }, 32 },
        { { AF_INET6, { 0x20, 0x01, 0x0d, 0xb8 } }, 32 },
        { { AF_INET6, { 0x20, 0x02 } }, 16 },
        { { AF_INET6, { 0x3f, 0xff } }, 20 },
    };

    if (a->family == AF_INET)
        return cidr_has(v4, ARRAY_LEN(v4), a);
    if (a->family == AF_INET6)
        return !cidr_has(v6_global, ARRAY_LEN(v6_global), a) || cidr_has(v6_not, ARRAY_LEN(v6_not), a);
    return true;
}

enum err
listen_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len, struct why *why)
{
    const char *colon = text == NULL ? NULL : strrchr(text, ':');
    struct str host;
    struct address a;
    int64_t port;

    if (colon == NULL || str_to_i64(str_of(colon + 1), 0, 65535, &port) != OK)
        return why_set(why, ERR_INPUT, "not ADDRESS:PORT: %s", text == NULL ? "(none)" : text);
    host = (struct str){ text, (size_t)(colon - text) };
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct str){ host.p + 1, host.n - 2 };
    else if (memchr(host.p, ':', host.n) != NULL)
        return why_set(why, ERR_INPUT, "an IPv6 address needs brackets: %s", text);
    if (!address_parse(host, &a))
        return why_set(why, ERR_INPUT, "not ADDRESS:PORT: %s", text);
    memset(ret, 0, sizeof(*ret));
    if (a.family == AF_INET) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        memcpy(&in.sin_addr, a.b, 4);
        memcpy(ret, &in, sizeof(in));
        *ret_len = sizeof(in);
    } else {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
        memcpy(&in6.sin6_addr, a.b, 16);
        memcpy(ret, &in6, sizeof(in6));
        *ret_len = sizeof(in6);
    }
    return OK;
}

static struct address
census_key(const struct address *a)
{
    struct address key;

    address_masked(a, 32, 64, &key);
    return key;
}

static unsigned
census_bucket(const struct address *key)
{
    unsigned h = 2166136261u;

    for (size_t i = 0; i < sizeof(key->b); i++)
        h = (h ^ key->b[i]) * 16777619u;
    return h % CENSUS_BUCKETS;
}

static struct census_entry **
census_slot(struct census *c, const struct address *key)
{
    struct census_entry **p = &c->bucket[census_bucket(key)];

    while (*p != NULL && ((*p)->a.family != key->family || memcmp((*p)->a.b, key->b, sizeof(key->b)) != 0))
        p = &(*p)->next;
    return p;
}

int
census_count(const struct census *c, const struct address *a)
{
    struct address key = census_key(a);

    for (const struct census_entry *e = c->bucket[census_bucket(&key)]; e != NULL; e = e->next)
        if (e->a.family == key.family && memcmp(e->a.b, key.b, sizeof(key.b)) == 0)
            return e->count;
    return 0;
}

void
census_add(struct census *c, const struct address *a)
{
    struct address key = census_key(a);
    struct census_entry **slot = census_slot(c, &key);

    if (*slot == NULL) {
        *slot = mem_alloc(sizeof(**slot));
        (*slot)->a = key;
    }
    (*slot)->count++;
}

void
census_remove(struct census *c, const struct address *a)
{
    struct address key = census_key(a);
    struct census_entry **slot = census_slot(c, &key), *gone = *slot;

    CHECK(gone != NULL && gone->count > 0);
    if (--gone->count > 0)
        return;
    *slot = gone->next;
    free(gone);
}

void
census_done(struct census *c)
{
    for (size_t i = 0; i < CENSUS_BUCKETS; i++) {
        while (c->bucket[i] != NULL) {
            struct census_entry *e = c->bucket[i];
            c->bucket[i] = e->next;
            free(e);
        }
    }
}
