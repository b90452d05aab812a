/*
 * journal: see journal.h. A block, numbers little-endian:
 *
 *     magic 4 · changes 4 · known_at 8 · changes times (serial 16 · revoked_at 4 · authority 1 · kind 1 · reason 1 · zero 1)
 *     · digest 16, of SHA-256 over the digest before (zeros at first) and the block without its own
 */
#include "pki/status/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pki/status/folder.h"

#define NAME "states"
#define MAGIC UINT32_C(0x31534642)
#define HEAD 16
#define RECORD 24
#define DIGEST 16
#define BLOCK_RECORDS 65536
#define FILE_MAX_LEN ((size_t)4 << 30)

struct journal {
    int dir, fd;                     /* fd -1: no file */
    size_t written;                  /* changes and blocks in the file */
    utime known_at;                  /* as the last block says */
    unsigned char digest[DIGEST];    /* of the last block */
    struct buf pending;              /* records */
};

struct journal *
journal_new(int dir)
{
    struct journal *j = mem_alloc(sizeof(*j));

    j->dir = dir;
    j->fd = -1;
    j->pending = (struct buf)BUF_BOUNDED(FILE_MAX_LEN);
    return j;
}

void
journal_free(struct journal *j)
{
    if (j == NULL)
        return;
    if (j->fd >= 0)
        close(j->fd);
    buf_free(&j->pending);
    free(j);
}

/* --- octets ---------------------------------------------------------------------------------------------------------------- */

static void
number_put(struct buf *out, uint64_t n, size_t octets)
{
    for (size_t i = 0; i < octets; i++)
        buf_addc(out, (char)(unsigned char)(n >> 8 * i));
}

static uint64_t
number_get(const char *p, size_t octets)
{
    uint64_t n = 0;

    for (size_t i = octets; i-- > 0;)
        n = n << 8 | (unsigned char)p[i];
    return n;
}

static void
record_put(struct buf *out, int ca, const unsigned char serial[SERIAL_LEN], const struct status *status)
{
    buf_add(out, serial, SERIAL_LEN);
    number_put(out, status->kind == STATUS_GOOD ? 0 : (uint64_t)(status->revoked_at / USEC_PER_SEC), 4);
    number_put(out, (uint64_t)ca, 1);
    number_put(out, (uint64_t)status->kind, 1);
    number_put(out, (uint64_t)status->reason, 1);
    number_put(out, 0, 1);
}

static bool
record_take(const char *p, struct status_table *table)
{
    const struct status status = { (enum status_kind)number_get(p + 21, 1), (int)number_get(p + 22, 1),
                                   (utime)number_get(p + 16, 4) * USEC_PER_SEC };
    const int ca = (int)number_get(p + 20, 1);
    unsigned char serial[SERIAL_LEN];

    if (ca < 1 || status.kind > STATUS_REVOKED || status.reason > 10)
        return false;
    memcpy(serial, p, SERIAL_LEN);
    status_table_put(table, ca, serial, &status);
    return true;
}

static void
block_digest(const unsigned char before[DIGEST], struct str block, unsigned char ret[DIGEST])
{
    unsigned char both[DIGEST + SHA256_LEN], whole[SHA256_LEN];

    memcpy(both, before, DIGEST);
    sha256(block, both + DIGEST);
    sha256((struct str){ (const char *)both, sizeof(both) }, whole);
    memcpy(ret, whole, DIGEST);
}

/* Appends a block of these records; digest moves on. */
static void
block_put(struct buf *out, struct str records, utime known_at, unsigned char digest[DIGEST])
{
    const size_t begun = out->len;

    number_put(out, MAGIC, 4);
    number_put(out, records.n / RECORD, 4);
    number_put(out, (uint64_t)known_at, 8);
    buf_add_str(out, records);
    block_digest(digest, (struct str){ out->data + begun, out->len - begun }, digest);
    buf_add(out, digest, DIGEST);
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

/* Takes the next block off *in. */
static bool
block_take(struct str *in, unsigned char digest[DIGEST], struct status_table *table, utime *ret_known_at, size_t *ret_records)
{
    unsigned char want[DIGEST];
    size_t n, whole;

    if (in->n < HEAD + DIGEST || number_get(in->p, 4) != MAGIC)
        return false;
    n = number_get(in->p + 4, 4);
    if (n > BLOCK_RECORDS || (whole = HEAD + n * RECORD + DIGEST) > in->n)
        return false;
    block_digest(digest, (struct str){ in->p, whole - DIGEST }, want);
    if (memcmp(want, in->p + whole - DIGEST, DIGEST) != 0)           /* lint: secret-compare: nothing secret */
        return false;
    for (size_t i = 0; i < n; i++)
        if (!record_take(in->p + HEAD + i * RECORD, table))
            return false;
    memcpy(digest, want, DIGEST);
    *ret_known_at = (utime)number_get(in->p + 8, 8);
    *ret_records += n + 1;
    *in = (struct str){ in->p + whole, in->n - whole };
    return true;
}

static enum err
append_open(struct journal *j, off_t length, struct why *why)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = openat(j->dir, NAME, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (j->fd < 0 || (length >= 0 && ftruncate(j->fd, length) != 0))
        return why_set(why, ERR_UNAVAILABLE, "%s: %m", NAME);
    return OK;
}

enum err
journal_load(struct journal *j, struct status_table *table, utime *ret_known_at, struct why *why)
{
    struct str file = STR_NULL, in;
    utime known_at = 0;
    enum err e;

    if ((e = folder_map(j->dir, NAME, FILE_MAX_LEN, &file, why)) != OK)
        return e == ERR_INPUT ? ERR_NOT_FOUND : e;
    memset(j->digest, 0, sizeof(j->digest));
    j->written = 0;
    in = file;
    while (block_take(&in, j->digest, table, &known_at, &j->written))
        ;
    e = append_open(j, (off_t)(file.n - in.n), why);
    folder_unmap(file);
    if (e != OK)
        return e;
    *ret_known_at = j->known_at = known_at;
    return known_at > 0 ? OK : why_set(why, ERR_NOT_FOUND, "%s: nothing in it can be read", NAME);
}

/* --- writing ---------------------------------------------------------------------------------------------------------------- */

struct dump {
    struct buf *out;
    struct buf records;
    utime known_at;
    unsigned char digest[DIGEST];
};

static void
dump_one(void *arg, int ca, const unsigned char serial[SERIAL_LEN], const struct status *status)
{
    struct dump *d = arg;

    record_put(&d->records, ca, serial, status);
    if (d->records.len == (size_t)BLOCK_RECORDS * RECORD) {
        block_put(d->out, buf_view(&d->records), 0, d->digest);      /* not the truth before all of it is there */
        buf_reset(&d->records);
    }
}

enum err
journal_write(struct journal *j, struct status_table *table, utime known_at, struct why *why)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(FILE_MAX_LEN);
    struct dump d = { .out = &out, .records = BUF_BOUNDED((size_t)BLOCK_RECORDS * RECORD), .known_at = known_at };
    const size_t records = status_table_count(table);
    enum err e;

    status_table_each(table, dump_one, &d);
    block_put(&out, buf_view(&d.records), known_at, d.digest);
    buf_free(&d.records);
    if (!buf_ok(&out))
        return why_set(why, ERR_UNAVAILABLE, "%s: too long", NAME);
    if ((e = folder_put(j->dir, NAME, buf_view(&out), 0600, why)) != OK)
        return e;
    buf_reset(&j->pending);
    memcpy(j->digest, d.digest, DIGEST);
    j->written = records;
    j->known_at = known_at;
    return append_open(j, -1, why);
}

void
journal_add(struct journal *j, int ca, const unsigned char serial[SERIAL_LEN], const struct status *status)
{
    record_put(&j->pending, ca, serial, status);
}

size_t
journal_pending(const struct journal *j)
{
    return j->pending.len / RECORD;
}

/* A file that lacks a change says what is not true: better none. */
static enum err
give_up(struct journal *j, struct why *why)
{
    const int error = errno;

    close(j->fd);
    j->fd = -1;
    unlinkat(j->dir, NAME, 0);
    errno = error;
    return why_set(why, ERR_UNAVAILABLE, "%s: %m", NAME);
}

enum err
journal_append(struct journal *j, utime known_at, struct why *why)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(FILE_MAX_LEN);
    struct str rest = buf_view(&j->pending);
    ssize_t n;

    if (j->fd < 0) {
        buf_reset(&j->pending);
        return why_set(why, ERR_NOT_FOUND, "%s: none", NAME);
    }
    do {
        const size_t part = rest.n > (size_t)BLOCK_RECORDS * RECORD ? (size_t)BLOCK_RECORDS * RECORD : rest.n;

        /* what is cut short in between is as old as before */
        block_put(&out, (struct str){ rest.p, part }, part < rest.n ? j->known_at : known_at, j->digest);
        if (part > 0)                                                /* a heartbeat has none, and no octets either */
            rest = (struct str){ rest.p + part, rest.n - part };
    } while (rest.n > 0);
    j->written += j->pending.len / RECORD + 1;
    j->known_at = known_at;
    buf_reset(&j->pending);
    n = write(j->fd, out.data, out.len);
    if (n >= 0 && (size_t)n < out.len)
        errno = ENOSPC;
    if (n < 0 || (size_t)n < out.len || fdatasync(j->fd) != 0)
        return give_up(j, why);
    return OK;
}

bool
journal_is_due(const struct journal *j, struct status_table *table)
{
    return j->fd < 0 || j->written > 2 * status_table_count(table) + BLOCK_RECORDS;
}
