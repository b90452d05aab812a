/* record: the ceremony's record and the files it makes. A record is plain text; its signatures stand beside it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/enc.h"
#include "base/crypto/digest.h"
#include "pki/ceremony/ceremony-internal.h"

#define RECORD_MAX 1048576
#define FIRST_LINE "beffroi-pki ceremony record 1"

static void
time_add(struct buf *out, utime t)
{
    char text[UTIME_RFC3339_LEN + 1];

    utime_rfc3339(t, text);
    buf_adds(out, text);
}

void
record_begin(struct ceremony *c)
{
    c->record = (struct buf)BUF_BOUNDED(RECORD_MAX);
    buf_addf(&c->record, FIRST_LINE "\nceremony %s\nkind %s\nca %s\nlevel %d\nanswers %s\nstarted ", c->id,
             ceremony_kind_name(c->conf->kind), c->label, c->conf->level,
             ask_is_prepared(c->ask) ? "prepared in advance" : "typed");
    time_add(&c->record, c->started);
    buf_addc(&c->record, '\n');
}

void
record_line(struct ceremony *c, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    buf_addv(&c->record, format, ap);
    va_end(ap);
    buf_addc(&c->record, '\n');
}

void
record_made(struct ceremony *c, const char *name, struct str octets)
{
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(2 * SHA256_LEN);
    unsigned char digest[SHA256_LEN];

    sha256(octets, digest);
    hex_encode(&hex, digest, sizeof(digest));
    record_line(c, "made %s sha256 %s", name, buf_cstr(&hex));
}

/* --- files ------------------------------------------------------------------------------------------------------- */

/* The name is there whole or not at all, and on the disk. */
static enum err
file_write(const char *path, struct str content, bool replace, struct why *why)
{
    AUTO(buf_free) struct buf temporary = BUF_BOUNDED(PATH_MAX_LEN);
    int fd;
    bool good;

    buf_addf(&temporary, "%s.new", path);
    if (!buf_ok(&temporary))
        return why_set(why, ERR_INPUT, "path too long");
    if ((fd = open(buf_cstr(&temporary), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400)) < 0)
        return why_set(why, errno == EEXIST ? ERR_CONFLICT : errno == ENOENT ? ERR_INPUT : ERR_UNAVAILABLE, "%s: %s",
                       buf_cstr(&temporary), strerror(errno));
    good = write(fd, content.p, content.n) == (ssize_t)content.n && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    if (good)
        good = replace ? rename(buf_cstr(&temporary), path) == 0 : link(buf_cstr(&temporary), path) == 0;
    if (!good) {
        const int saved = errno;

        (void)unlink(buf_cstr(&temporary));
        return why_set(why, saved == EEXIST ? ERR_CONFLICT : ERR_UNAVAILABLE, "%s: %s", path, strerror(saved));
    }
    if (!replace)
        (void)unlink(buf_cstr(&temporary));
    return OK;
}

enum err
file_make(struct ceremony *c, const char *path, struct str content, struct why *why)
{
    const char *slash = strrchr(path, '/');
    enum err e;

    CHECK(c->nmade < MADE_MAX);
    if ((e = file_write(path, content, false, why)) != OK)
        return e;
    c->made[c->nmade++] = arena_strdup(c->arena, path);
    record_made(c, slash == NULL ? path : slash + 1, content);
    return OK;
}

enum err
file_replace(const char *path, struct str content, struct why *why)
{
    return file_write(path, content, true, why);
}

enum err
file_read(const char *path, size_t max, struct buf *ret, struct why *why)
{
    FILE *f = fopen(path, "re");
    char part[4096];
    size_t n;
    bool failed;

    if (f == NULL)
        return why_set(why, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s: %s", path,
                       strerror(errno));
    while (ret->len <= max && (n = fread(part, 1, sizeof(part), f)) > 0)
        buf_add(ret, part, n);
    failed = ferror(f) != 0;
    (void)fclose(f);
    if (failed)
        return why_set(why, ERR_UNAVAILABLE, "%s cannot be read", path);
    return buf_ok(ret) && ret->len <= max ? OK : why_set(why, ERR_INPUT, "%s: too large", path);
}

/* --- signatures ------------------------------------------------------------------------------------------------ */

static void
signed_octets(struct str record, struct buf *out)
{
    unsigned char digest[SHA256_LEN];

    sha256(record, digest);
    buf_adds(out, "beffroi-pki ceremony record");
    buf_addc(out, '\0');
    buf_add(out, digest, sizeof(digest));
}

static enum err
sign_add(struct ceremony *c, const struct participant *p, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf octets = BUF_BOUNDED(128), sig = BUF_BOUNDED(64);
    enum err e;

    signed_octets(buf_view(&c->record), &octets);
    if ((e = key_sign(p->key, KEY_PERSON_SIGN, SIG_EDDSA, buf_view(&octets), false, &sig, why)) != OK)
        return e;
    buf_addf(out, "%s ", p->person->name);
    base64url_encode(out, p->person->public_key.p, p->person->public_key.n);
    buf_addc(out, ' ');
    base64url_encode(out, sig.data, sig.len);
    buf_addc(out, '\n');
    return OK;
}

enum err
record_close(struct ceremony *c, struct why *why)
{
    AUTO(buf_free) struct buf sigs = BUF_BOUNDED(65536);
    enum err e;

    for (size_t i = 0; i < c->nparticipants; i++)
        if ((e = sign_add(c, &c->participants[i], &sigs, why)) != OK)
            return e;
    if (!buf_ok(&c->record) || !buf_ok(&sigs))
        return why_set(why, ERR_INTERNAL, "the record is too large");
    if (mkdir(path_in(c, "records"), 0700) != 0 && errno != EEXIST)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path_in(c, "records"), strerror(errno));
    /* not through file_make(): the record does not record itself */
    if ((e = file_write(path_in(c, "records/%s.txt", c->id), buf_view(&c->record), false, why)) != OK)
        return e;
    c->made[c->nmade++] = path_in(c, "records/%s.txt", c->id);
    if ((e = file_write(path_in(c, "records/%s.sig", c->id), buf_view(&sigs), false, why)) != OK)
        return e;
    c->made[c->nmade++] = path_in(c, "records/%s.sig", c->id);
    return OK;
}

/* --- verifying --------------------------------------------------------------------------------------------------- */

enum err
ceremony_signature_verify(struct str record, struct str name, struct str public_key, struct str signature, struct why *why)
{
    AUTO(buf_free) struct buf octets = BUF_BOUNDED(128), hex = BUF_BOUNDED(80), attended = BUF_BOUNDED(256);
    AUTO(key_freep) struct key *k = NULL;
    unsigned char digest[SHA256_LEN];

    if (!person_name_ok(name) || key_public(public_key, &k, NULL) != OK)
        return why_set(why, ERR_INPUT, "a signature's name or key is damaged");
    signed_octets(record, &octets);
    if (key_verify(k, SIG_EDDSA, buf_view(&octets), signature, false, why) != OK)
        return why_code(why, ERR_DENIED, "record.signature", "the signature of %.*s is not over this record", (int)name.n,
                        name.p);
    /* and the record says that this key was there */
    sha256(public_key, digest);
    hex_encode(&hex, digest, sizeof(digest));
    buf_addf(&attended, "\nperson %.*s key %s ", (int)name.n, name.p, buf_cstr(&hex));
    if (!buf_ok(&attended) || record.p == NULL || memmem(record.p, record.n, attended.data, attended.len) == NULL)
        return why_code(why, ERR_DENIED, "record.person", "%.*s signed, and the record does not name them with this key",
                        (int)name.n, name.p);
    return OK;
}

static enum err
line_verify(struct str line, struct str record, struct why *why)
{
    AUTO(buf_free) struct buf key = BUF_BOUNDED(1024), sig = BUF_BOUNDED(64);
    struct str rest;
    const struct str name = str_split(line, ' ', &rest);

    if (rest.p == NULL || base64url_decode(str_split(rest, ' ', &rest), &key) != OK || rest.p == NULL ||
        base64url_decode(rest, &sig) != OK)
        return why_set(why, ERR_INPUT, "a signature's line is damaged");
    return ceremony_signature_verify(record, name, buf_view(&key), buf_view(&sig), why);
}

enum err
ceremony_verify(const char *record_path, size_t *ret_signers, struct why *why)
{
    AUTO(buf_free) struct buf record = BUF_BOUNDED(RECORD_MAX), sigs = BUF_BOUNDED(65536), path = BUF_BOUNDED(PATH_MAX_LEN);
    const size_t n = strlen(record_path);
    struct str rest;
    size_t signers = 0;
    enum err e;

    if (n < 4 || strcmp(record_path + n - 4, ".txt") != 0)
        return why_set(why, ERR_INPUT, "a record's name ends in .txt, its signatures' in .sig");
    buf_add(&path, record_path, n - 4);
    buf_adds(&path, ".sig");
    if ((e = file_read(record_path, RECORD_MAX - 1, &record, why)) != OK ||
        (e = file_read(buf_cstr(&path), 65535, &sigs, why)) != OK)
        return e;
    if (!str_starts(buf_view(&record), FIRST_LINE "\n"))
        return why_set(why, ERR_INPUT, "%s is not a ceremony's record", record_path);
    for (rest = buf_view(&sigs); rest.n > 0;) {
        if ((e = line_verify(str_split(rest, '\n', &rest), buf_view(&record), why)) != OK)
            return e;
        signers++;
    }
    if (signers == 0)
        return why_set(why, ERR_DENIED, "nobody signed this record");
    *ret_signers = signers;
    return OK;
}
