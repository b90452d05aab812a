/* register: see register.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/enc.h"
#include "base/core/text.h"
#include "pki/ceremony/register.h"

#define FIRST_LINE "beffroi-pki root register 1"
#define REGISTER_MAX 1048576
#define WORDS_MAX 9

struct root_register *
root_register_new(void)
{
    struct root_register *r = mem_alloc(sizeof(*r));

    r->arena = arena_new(1 << 22);
    return r;
}

void
root_register_free(struct root_register *r)
{
    if (r == NULL)
        return;
    arena_free(r->arena);
    mem_freep(&r);
}

/* --- writing ----------------------------------------------------------------------------------------------------- */

static void
roles_write(struct buf *out, role_set roles)
{
    bool first = true;

    for (unsigned i = 0; i < ROLE_COUNT; i++) {
        if ((roles & ROLE_BIT(i)) == 0)
            continue;
        buf_addf(out, "%s%s", first ? "" : ",", role_name((enum role)i));
        first = false;
    }
    if (first)
        buf_addc(out, '-');
}

static void
time_write(struct buf *out, utime t)
{
    char text[UTIME_RFC3339_LEN + 1];

    utime_rfc3339(t, text);
    buf_adds(out, text);
}

static void
text_write(const struct root_register *r, struct buf *out)
{
    buf_adds(out, FIRST_LINE "\n");
    for (size_t i = 0; i < r->npersons; i++) {
        const struct register_person *p = &r->persons[i];

        buf_addf(out, "person %s %s ", p->id, p->name);
        base64url_encode(out, p->public_key.p, p->public_key.n);
        buf_addc(out, ' ');
        roles_write(out, p->roles);
        buf_addf(out, " %s %s\n", p->ceremony, p->label);
    }
    for (size_t i = 0; i < r->nshares; i++) {
        const struct share_info *s = &r->shares[i].info;

        buf_addf(out, "share %s %d %d %d %s ", s->set, s->number, s->threshold, s->total, s->person);
        hex_encode(out, r->shares[i].sha256, SHA256_LEN);
        buf_addc(out, '\n');
    }
    for (size_t i = 0; i < r->ncas; i++)
        buf_addf(out, "ca %s %s %s %s %s\n", r->cas[i].label, r->cas[i].set, r->cas[i].ceremony,
                 ca_state_name(r->cas[i].state), r->cas[i].key_uri);
    for (size_t i = 0; i < r->ncertificates; i++) {
        const struct register_certificate *c = &r->certificates[i];

        buf_addf(out, "certificate %s %s %s ", c->issuer, c->serial, c->label);
        hex_encode(out, c->sha256, SHA256_LEN);
        buf_addc(out, ' ');
        time_write(out, c->not_after);
        if (c->revoked) {
            buf_adds(out, " revoked ");
            time_write(out, c->at);
            buf_addf(out, " %d\n", c->reason);
        } else {
            buf_adds(out, " valid - -\n");
        }
    }
    for (size_t i = 0; i < r->nlists; i++)
        buf_addf(out, "list %s %lld\n", r->lists[i].label, (long long)r->lists[i].number);
}

enum err
root_register_save(const struct root_register *r, const char *path, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(REGISTER_MAX), temporary = BUF_BOUNDED(4096);
    FILE *f;
    bool good;

    text_write(r, &text);
    buf_addf(&temporary, "%s.new", path);
    if (!buf_ok(&text) || !buf_ok(&temporary))
        return why_set(why, ERR_INTERNAL, "the register is too large");
    if ((f = fopen(buf_cstr(&temporary), "we")) == NULL)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    good = fwrite(text.data, 1, text.len, f) == text.len && fflush(f) == 0 && fsync(fileno(f)) == 0;
    good = fclose(f) == 0 && good;
    if (!good || rename(buf_cstr(&temporary), path) != 0) {
        (void)unlink(buf_cstr(&temporary));
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    }
    return OK;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool
word_copy(struct str word, char *out, size_t size)
{
    if (word.n == 0 || word.n >= size)
        return false;
    memcpy(out, word.p, word.n);
    out[word.n] = '\0';
    return true;
}

static bool
uuid_read(struct str word, char out[37])
{
    return word.n == 36 && word_copy(word, out, 37);
}

static bool
digest_read(struct str word, unsigned char out[SHA256_LEN])
{
    AUTO(buf_free) struct buf bytes = BUF_BOUNDED(SHA256_LEN);

    if (hex_decode(word, &bytes) != OK || bytes.len != SHA256_LEN)
        return false;
    memcpy(out, bytes.data, SHA256_LEN);
    return true;
}

static bool
number_read(struct str word, int max, int *ret)
{
    int64_t n;

    if (str_to_i64(word, 0, max, &n) != OK)
        return false;
    *ret = (int)n;
    return true;
}

static bool
time_read(struct str word, utime *ret)
{
    char text[40];

    return word_copy(word, text, sizeof(text)) && utime_parse(text, ret) == OK;
}

static bool
roles_read(struct str words, role_set *ret)
{
    *ret = 0;
    if (str_eqs(words, "-"))
        return true;
    while (words.p != NULL) {
        const struct str word = str_split(words, ',', &words);
        enum role role;

        if (role_parse(word, &role) != OK)
            return false;
        *ret |= ROLE_BIT(role);
    }
    return true;
}

/* n words; the last one is the rest of the line. */
static bool
words_split(struct str line, struct str *words, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        words[i] = str_split(line, ' ', &line);
        if (words[i].n == 0 || line.p == NULL)
            return false;
    }
    words[n - 1] = line;
    return line.n > 0;
}

static bool
person_line(struct root_register *r, struct str rest)
{
    AUTO(buf_free) struct buf key = BUF_BOUNDED(1024);
    struct register_person *p = &r->persons[r->npersons];
    struct str w[6];

    if (r->npersons == REGISTER_PERSONS_MAX || !words_split(rest, w, 6) || !uuid_read(w[0], p->id) ||
        !person_name_ok(w[1]) || !word_copy(w[1], p->name, sizeof(p->name)) || base64url_decode(w[2], &key) != OK ||
        !roles_read(w[3], &p->roles) || !uuid_read(w[4], p->ceremony))
        return false;
    p->public_key = (struct str){ arena_dup(r->arena, key.data, key.len), key.len };
    p->label = arena_str(r->arena, w[5]);
    p->roles_now = p->roles;
    r->npersons++;
    return true;
}

static bool
share_line(struct root_register *r, struct str rest)
{
    struct register_share *s = &r->shares[r->nshares];
    struct str w[6];

    if (r->nshares == REGISTER_SHARES_MAX || !words_split(rest, w, 6) || !uuid_read(w[0], s->info.set) ||
        !number_read(w[1], SHAMIR_TOTAL_MAX, &s->info.number) || !number_read(w[2], SHAMIR_TOTAL_MAX, &s->info.threshold) ||
        !number_read(w[3], SHAMIR_TOTAL_MAX, &s->info.total) || !word_copy(w[4], s->info.person, sizeof(s->info.person)) ||
        !digest_read(w[5], s->sha256))
        return false;
    r->nshares++;
    return true;
}

static bool
state_read(struct str word, enum ca_state *ret)
{
    for (int i = CA_CEREMONY; i <= CA_COMPROMISED; i++) {
        if (str_eqs(word, ca_state_name((enum ca_state)i))) {
            *ret = (enum ca_state)i;
            return true;
        }
    }
    return false;
}

static bool
ca_line(struct root_register *r, struct str rest)
{
    struct register_ca *c = &r->cas[r->ncas];
    struct str w[5];

    if (r->ncas == REGISTER_CAS_MAX || !words_split(rest, w, 5) || !word_copy(w[0], c->label, sizeof(c->label)) ||
        !uuid_read(w[1], c->set) || !uuid_read(w[2], c->ceremony) || !state_read(w[3], &c->state))
        return false;
    c->key_uri = arena_str(r->arena, w[4]);
    r->ncas++;
    return true;
}

static bool
certificate_line(struct root_register *r, struct str rest)
{
    struct register_certificate *c = &r->certificates[r->ncertificates];
    struct str w[8];

    if (r->ncertificates == REGISTER_CERTIFICATES_MAX || !words_split(rest, w, 8) ||
        !word_copy(w[0], c->issuer, sizeof(c->issuer)) || !word_copy(w[1], c->serial, sizeof(c->serial)) ||
        !word_copy(w[2], c->label, sizeof(c->label)) || !digest_read(w[3], c->sha256) || !time_read(w[4], &c->not_after))
        return false;
    c->revoked = str_eqs(w[5], "revoked");
    if (c->revoked ? !time_read(w[6], &c->at) || !number_read(w[7], 10, &c->reason)
                   : !str_eqs(w[5], "valid") || !str_eqs(w[6], "-") || !str_eqs(w[7], "-"))
        return false;
    r->ncertificates++;
    return true;
}

static bool
list_line(struct root_register *r, struct str rest)
{
    struct register_list *l = &r->lists[r->nlists];
    struct str w[2];

    if (r->nlists == REGISTER_CAS_MAX || !words_split(rest, w, 2) || !word_copy(w[0], l->label, sizeof(l->label)) ||
        str_to_i64(w[1], 1, INT64_MAX - 1, &l->number) != OK)
        return false;
    r->nlists++;
    return true;
}

static const struct {
    const char *word;
    bool (*read)(struct root_register *r, struct str rest);
} lines[] = {
    { "person", person_line }, { "share", share_line }, { "ca", ca_line }, { "certificate", certificate_line }, { "list", list_line },
};

static bool
line_read(struct root_register *r, struct str line)
{
    struct str rest;
    const struct str word = str_split(line, ' ', &rest);

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (str_eqs(word, lines[i].word))
            return rest.p != NULL && lines[i].read(r, rest);
    return false;
}

static enum err
text_read(const char *path, struct buf *ret, struct why *why)
{
    FILE *f = fopen(path, "re");
    char part[4096];
    size_t n;
    bool failed;

    if (f == NULL)
        return why_set(why, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s: %s", path,
                       strerror(errno));
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_add(ret, part, n);
    failed = ferror(f) != 0;
    (void)fclose(f);
    return failed ? why_set(why, ERR_UNAVAILABLE, "%s cannot be read", path) : OK;
}

enum err
root_register_load(const char *path, struct root_register **ret, struct why *why)
{
    AUTO(root_register_freep) struct root_register *r = root_register_new();
    AUTO(buf_free) struct buf text = BUF_BOUNDED(REGISTER_MAX);
    struct str rest;
    int number = 1;
    enum err e;

    if ((e = text_read(path, &text, why)) != OK)
        return e;
    rest = buf_view(&text);
    if (!buf_ok(&text) || !text_is_utf8(rest) || !str_eqs(str_split(rest, '\n', &rest), FIRST_LINE) || rest.p == NULL)
        return why_set(why, ERR_INPUT, "%s: not a root's register", path);
    while (rest.n > 0) {
        const struct str line = str_split(rest, '\n', &rest);

        number++;
        if (rest.p == NULL || !line_read(r, line))
            return why_set(why, ERR_INPUT, "%s, line %d: damaged, or one too many", path, number);
    }
    *ret = TAKE(r);
    return OK;
}

/* --- looking up ----------------------------------------------------------------------------------------------------- */

struct register_person *
register_person_find(struct root_register *r, const char *name)
{
    for (size_t i = 0; i < r->npersons; i++)
        if (strcmp(r->persons[i].name, name) == 0)
            return &r->persons[i];
    return NULL;
}

struct register_ca *
register_ca_find(struct root_register *r, const char *label)
{
    for (size_t i = 0; i < r->ncas; i++)
        if (strcmp(r->cas[i].label, label) == 0)
            return &r->cas[i];
    return NULL;
}

struct register_certificate *
register_certificate_find(struct root_register *r, const char *label)
{
    for (size_t i = 0; i < r->ncertificates; i++)
        if (strcmp(r->certificates[i].label, label) == 0)
            return &r->certificates[i];
    return NULL;
}

int
register_generation(const struct root_register *r, const char *name)
{
    char label[CA_LABEL_SIZE];
    int newest = 0;

    for (int g = 1; g < 1000; g++) {
        ca_label(name, g, label);
        for (size_t i = 0; i < r->ncas; i++)
            if (strcmp(r->cas[i].label, label) == 0)
                newest = g;
    }
    return newest;
}

int64_t
register_list_next(struct root_register *r, const char *label)
{
    for (size_t i = 0; i < r->nlists; i++)
        if (strcmp(r->lists[i].label, label) == 0)
            return ++r->lists[i].number;
    CHECK(r->nlists < REGISTER_CAS_MAX);
    (void)snprintf(r->lists[r->nlists].label, CA_LABEL_SIZE, "%s", label);
    return r->lists[r->nlists++].number = 1;
}
