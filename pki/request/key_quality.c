/*
 * key_quality: see key_quality.h. The list is one sorted array of ten octets a key: 250 000 keys are 2.5 MB.
 */
#include "pki/request/key_quality.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/enc.h"
#include "base/crypto/digest.h"
#include "base/crypto/ec_point.h"
#include "base/crypto/rsa_weak.h"
#include "pki/request/request-internal.h"

#define ENTRY_LEN 10                 /* octets kept of SHA-1 */
#define FILE_MOST ((size_t)64 << 20)
#define MODULUS_MOST 2048            /* octets */

struct key_blocklist {
    struct buf entries;              /* sorted, ENTRY_LEN each */
};

/* --- the list ------------------------------------------------------------------------------------------------------- */

static int
entry_compare(const void *a, const void *b)
{
    return memcmp(a, b, ENTRY_LEN);
}

static enum err
lines_add(struct key_blocklist *list, struct str text, const char *name, struct why *why)
{
    for (long number = 1; text.p != NULL; number++) {
        struct str line = str_trim(str_split(text, '\n', &text));

        if (line.n == 0 || line.p[0] == '#')
            continue;
        if (line.n != (size_t)2 * ENTRY_LEN || hex_decode(line, &list->entries) != OK)
            return why_set(why, ERR_INPUT, "%s:%ld: not 20 hexadecimal digits", name, number);
    }
    return buf_ok(&list->entries) ? OK : why_set(why, ERR_INPUT, "%s: more than %zu octets", name, FILE_MOST);
}

static void
fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static enum err
file_add(struct key_blocklist *list, const char *path, struct why *why)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(FILE_MOST);
    char part[65536];
    ssize_t n;

    if (fd < 0)
        return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : errno == EACCES ? ERR_DENIED : ERR_UNAVAILABLE, "%s: %s", path,
                       strerror(errno));
    while ((n = read(fd, part, sizeof(part))) > 0)
        buf_add(&text, part, (size_t)n);
    if (n < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (!buf_ok(&text))
        return why_set(why, ERR_INPUT, "%s: more than %zu octets", path, FILE_MOST);
    return lines_add(list, buf_view(&text), path, why);
}

static int
is_list(const struct dirent *entry)
{
    return strncmp(entry->d_name, "blacklist.", 10) == 0;
}

static enum err
folder_add(struct key_blocklist *list, const char *path, struct why *why)
{
    struct dirent **entries = NULL;
    const int n = scandir(path, &entries, is_list, alphasort);
    enum err e = OK;

    if (n < 0)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        char file[4096];

        if (e == OK && (size_t)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name) < sizeof(file))
            e = file_add(list, file, why);
        free(entries[i]);
    }
    free(entries);
    if (e == OK && n == 0)
        return why_set(why, ERR_NOT_FOUND, "%s: no file blacklist.*", path);
    return e;
}

static struct key_blocklist *
list_new(void)
{
    struct key_blocklist *list = mem_alloc(sizeof(*list));

    list->entries = (struct buf)BUF_BOUNDED(FILE_MOST);
    return list;
}

static void
list_sort(struct key_blocklist *list)
{
    if (list->entries.len > 0)
        qsort(list->entries.data, list->entries.len / ENTRY_LEN, ENTRY_LEN, entry_compare);
}

enum err
key_blocklist_load(const char *path, struct key_blocklist **ret, struct why *why)
{
    AUTO(key_blocklist_freep) struct key_blocklist *list = list_new();
    struct stat st;
    enum err e;

    if (stat(path, &st) != 0)
        return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if ((e = S_ISDIR(st.st_mode) ? folder_add(list, path, why) : file_add(list, path, why)) != OK)
        return e;
    list_sort(list);
    *ret = TAKE(list);
    return OK;
}

enum err
key_blocklist_parse(struct str text, const char *name, struct key_blocklist **ret, struct why *why)
{
    AUTO(key_blocklist_freep) struct key_blocklist *list = list_new();
    enum err e;

    if ((e = lines_add(list, text, name, why)) != OK)
        return e;
    list_sort(list);
    *ret = TAKE(list);
    return OK;
}

size_t
key_blocklist_count(const struct key_blocklist *list)
{
    return list->entries.len / ENTRY_LEN;
}

bool
key_blocklist_has(const struct key_blocklist *list, struct str modulus)
{
    static const char digits[] = "0123456789ABCDEF";
    AUTO(buf_free) struct buf text = BUF_BOUNDED(2 * MODULUS_MOST + 16);
    unsigned char digest[SHA1_LEN];

    if (list->entries.len == 0)
        return false;
    buf_add_lit(&text, "Modulus=");
    for (size_t i = 0; i < modulus.n; i++) {
        const unsigned char c = (unsigned char)modulus.p[i];

        buf_addc(&text, digits[c >> 4]);
        buf_addc(&text, digits[c & 15]);
    }
    buf_addc(&text, '\n');
    sha1(buf_view(&text), digest);
    return bsearch(digest + SHA1_LEN - ENTRY_LEN, list->entries.data, list->entries.len / ENTRY_LEN, ENTRY_LEN, entry_compare) !=
           NULL;
}

void
key_blocklist_free(struct key_blocklist *list)
{
    if (list == NULL)
        return;
    buf_free(&list->entries);
    free(list);
}

/* --- one key -------------------------------------------------------------------------------------------------------- */

static enum err
rsa_check(const struct spki_parts *parts, const struct key_blocklist *list, struct why *why)
{
    /* Above 2^16 (RGS B1), and one for all: another exponent with the same modulus would be the same key under another name, which
     * a holder whose key was revoked, or is to be renewed, could bring again. */
    if (!str_eq(parts->e, STR_LIT("\x01\x00\x01")))
        return why_code(why, ERR_DENIED, "pki.key.exponent", "RSA exponent is not 65537");
    switch (rsa_weakness_find(parts->n)) {
    case RSA_SOUND:
        break;
    case RSA_EVEN:
        return why_code(why, ERR_DENIED, "pki.key.even", "RSA modulus is even");
    case RSA_SMALL_FACTOR:
        return why_code(why, ERR_DENIED, "pki.key.small_factor", "RSA modulus has a small factor");
    case RSA_ROCA:
        return why_code(why, ERR_DENIED, "pki.key.roca", "RSA key of Infineon's RSALib (CVE-2017-15361)");
    case RSA_CLOSE_PRIMES:
        return why_code(why, ERR_DENIED, "pki.key.close_primes", "RSA modulus of two primes that are close");
    }
    if (list != NULL && key_blocklist_has(list, parts->n))
        return why_code(why, ERR_DENIED, "pki.key.known_weak", "a key that is known to everybody (CVE-2008-0166)");
    return OK;
}

static int
bit_length(struct str n)
{
    int bits = (int)(8 * n.n);

    for (unsigned char first = (unsigned char)n.p[0]; (first & 0x80) == 0; first = (unsigned char)(first << 1))
        bits--;
    return bits;
}

enum err
key_quality_check(struct str spki, const struct key_blocklist *list, struct key_facts *ret, struct why *why)
{
    struct spki_parts parts = { .alg = KEY_RSA };
    int bits = 0;
    enum err e;

    if ((e = spki_parse(spki, "pki.key", &parts, why)) != OK)
        return e;
    switch (parts.alg) {
    case KEY_RSA:
        e = rsa_check(&parts, list, why);
        bits = bit_length(parts.n);
        break;
    case KEY_P256:
    case KEY_P384:
        if (!ec_point_is_on_curve(parts.alg, parts.point))
            e = why_code(why, ERR_DENIED, "pki.key.key_point", "EC point is not on its curve");
        bits = parts.alg == KEY_P256 ? 256 : 384;
        break;
    case KEY_ED25519:                /* any 32 octets */
        bits = 256;
        break;
    }
    if (e == OK && ret != NULL)
        *ret = (struct key_facts){ parts.alg, bits };
    return e;
}
