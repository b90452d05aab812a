/*
 * authority: the authorities that the process speaks for: from the database, and kept in the file "authorities", a line each:
 *
 *     ID NAME GENERATION root|issuing STATE SHARDS delta|full PERIOD CERTIFICATE
 *
 * PERIOD in microseconds, CERTIFICATE base64 of DER; the rest is in the certificate. An authority is never forgotten: its
 * certificates live on.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "pki/status/status-internal.h"

#define FILE_NAME "authorities"
#define FILE_MAX_LEN ((size_t)16 << 20)
#define ARENA_MAX ((size_t)1 << 20)
#define FIELDS 9

struct authority *
authority_by_id(struct status_process *s, int id)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->authorities[i]->ca.id == id)
            return s->authorities[i];
    return NULL;
}

static void
authority_free(struct authority *a)
{
    for (size_t i = 0; i < a->nslots; i++)
        document_drop(a->slots[i].document);
    free(a->slots);
    document_drop(a->certificate);
    responder_drop(a->responder);
    responder_drop(a->next);
    x509_trust_free(a->trust);
    arena_free(a->a);
    free(a);
}
DEFINE_FREEP(struct authority, authority_free)

void
authorities_done(struct status_process *s)
{
    for (size_t i = 0; i < s->n; i++)
        authority_free(s->authorities[i]);
    s->n = 0;
}

static struct str
keep(struct arena *a, struct str s)
{
    return (struct str){ arena_dup(a, s.p, s.n), s.n };
}

/* A slot for each list of the authority; those that are there stay. */
static void
slots_make(struct authority *a)
{
    const size_t n = 2 * (size_t)a->ca.shards;
    struct list_slot *slots;

    if (n <= a->nslots)
        return;                                                      /* a list that was offered stays on offer */
    slots = mem_alloc_array(n, sizeof(*slots));
    if (a->nslots > 0)
        memcpy(slots, a->slots, a->nslots * sizeof(*slots));
    free(a->slots);
    a->slots = slots;
    for (size_t i = 0; i < n; i++) {
        char path[CRL_PATH_SIZE];

        slots[i].shard = (int)(i / 2);
        slots[i].delta = i % 2 != 0;
        crl_path(&a->ca, slots[i].shard, slots[i].delta, path);
        snprintf(slots[i].name, sizeof(slots[i].name), "%s", path + sizeof("/crl/") - 1);
    }
    a->nslots = n;
}

/* From a row or a line: what its certificate says is read from there. */
static enum err
authority_make(const struct ca *from, struct authority **ret, struct why *why)
{
    AUTO(authority_freep) struct authority *a = mem_alloc(sizeof(*a));
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    char name[CA_LABEL_SIZE + 8];
    enum err e;

    a->a = arena_new(ARENA_MAX);
    if ((e = x509_read(from->certificate, &cert, why)) != OK)
        return e;
    a->ca = *from;
    a->ca.name = arena_strdup(a->a, from->name);
    a->ca.key_uri = "";
    a->ca.certificate = keep(a->a, from->certificate);
    a->ca.subject = keep(a->a, cert.subject_der);
    a->ca.spki = keep(a->a, buf_view(&cert.spki));
    a->ca.serial = a->ca.key_id = STR_NULL;
    a->ca.not_before = cert.not_before;
    a->ca.not_after = cert.not_after;
    ca_label(a->ca.name, a->ca.generation, a->label);
    a->trust = x509_trust_new();
    if ((e = x509_trust_add_anchor(a->trust, a->ca.certificate, why)) != OK ||
        (e = ocsp_issuer_make(a->ca.subject, a->ca.spki, &a->issuer, why)) != OK)
        return e;
    snprintf(name, sizeof(name), "%s.cer", a->label);
    a->certificate = document_new(name, (struct str){ mem_dup(a->ca.certificate.p, a->ca.certificate.n), a->ca.certificate.n },
                                  false, a->ca.not_before, UTIME_NULL);
    slots_make(a);
    *ret = TAKE(a);
    return OK;
}

/* --- the file ---------------------------------------------------------------------------------------------------------------- */

static enum err
file_write(struct status_process *s, struct why *why)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(FILE_MAX_LEN);

    for (size_t i = 0; i < s->n; i++) {
        const struct ca *ca = &s->authorities[i]->ca;

        buf_addf(&out, "%d %s %d %s %s %d %s %" PRId64 " ", ca->id, ca->name, ca->generation, ca->root ? "root" : "issuing",
                 ca_state_name(ca->state), ca->shards, ca->delta ? "delta" : "full", ca->crl_period);
        base64_encode(&out, ca->certificate.p, ca->certificate.n);
        buf_addc(&out, '\n');
    }
    if (!buf_ok(&out))
        return why_set(why, ERR_INTERNAL, "%s: no room", FILE_NAME);
    return folder_put(s->folder.fd, FILE_NAME, buf_view(&out), 0600, why);
}

static enum err
line_read(struct str line, struct arena *a, struct ca *ret, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(X509_DER_MAX);
    struct str f[FIELDS] = { STR_NULL }, rest = line;
    int64_t id, generation, shards;
    int state = CA_CEREMONY;
    size_t n = 0;

    while (n < FIELDS && rest.p != NULL)
        f[n++] = str_split(rest, ' ', &rest);
    while (n == FIELDS && state <= CA_COMPROMISED && !str_eqs(f[4], ca_state_name((enum ca_state)state)))
        state++;
    *ret = (struct ca){ .root = str_eqs(f[3], "root"), .delta = str_eqs(f[6], "delta") };
    if (n != FIELDS || rest.p != NULL || state > CA_COMPROMISED || !ca_name_ok(f[1]) ||
        str_to_i64(f[0], 1, INT32_MAX, &id) != OK || str_to_i64(f[2], 1, 9999, &generation) != OK ||
        str_to_i64(f[5], 1, 256, &shards) != OK || str_to_i64(f[7], 0, INT64_MAX, &ret->crl_period) != OK ||
        base64_decode(f[8], false, &der) != OK)
        return why_set(why, ERR_INPUT, "%s: a line that cannot be read", FILE_NAME);
    ret->id = (int)id;
    ret->generation = (int)generation;
    ret->shards = (int)shards;
    ret->state = (enum ca_state)state;
    ret->name = arena_str(a, f[1]);
    ret->certificate = keep(a, buf_view(&der));
    return OK;
}

static enum err
file_read(struct status_process *s, struct str file, struct why *why)
{
    enum err e;

    while (file.n > 0) {
        AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
        const struct str line = str_split(file, '\n', &file);
        struct authority *made;
        struct ca ca;

        if (s->n == STATUS_AUTHORITIES_MAX)
            return why_set(why, ERR_INPUT, "%s: too many", FILE_NAME);
        if ((e = line_read(line, a, &ca, why)) != OK || (e = authority_make(&ca, &made, why)) != OK)
            return e;
        s->authorities[s->n++] = made;
    }
    return OK;
}

void
authorities_load(struct status_process *s)
{
    struct str file = STR_NULL;
    struct why why = WHY_INIT;
    enum err e;

    if ((e = folder_map(s->folder.fd, FILE_NAME, FILE_MAX_LEN, &file, &why)) == OK)
        e = file_read(s, file, &why);
    folder_unmap(file);
    if (e != OK && e != ERR_NOT_FOUND)
        LOG_ERROR_EV("status.folder", LF_ERR(e), LF_WHY(&why));
    for (size_t i = 0; i < s->n; i++) {
        lists_load(s, s->authorities[i]);
        responders_load(s, s->authorities[i]);
    }
    s->changed = true;
}

/* --- the database ------------------------------------------------------------------------------------------------------------- */

static bool
same(const struct ca *a, const struct ca *b)
{
    return a->state == b->state && a->shards == b->shards && a->delta == b->delta && a->crl_period == b->crl_period;
}

/* One that cannot be used is said once, and hides no other. */
static void
one_refuse(struct status_process *s, const struct ca *ca, enum err e, const struct why *why)
{
    if (s->n_refused < STATUS_AUTHORITIES_MAX)
        s->refused[s->n_refused++] = ca->id;
    LOG_ERROR_EV("status.authority.refused", LF_STR("ca", ca->name), LF_ERR(e), LF_WHY(why));
}

static bool
was_refused(const struct status_process *s, int id)
{
    for (size_t i = 0; i < s->n_refused; i++)
        if (s->refused[i] == id)
            return true;
    return false;
}

static enum err
one_add(struct status_process *s, const struct ca *ca, struct why *why)
{
    struct authority *a;
    enum err e;

    if (s->n == STATUS_AUTHORITIES_MAX || ca->id > STATUS_CA_MAX)
        return why_code(why, ERR_CONFLICT, "status.authorities", "more than %d authorities", STATUS_AUTHORITIES_MAX);
    if ((e = authority_make(ca, &a, why)) != OK)
        return e;
    s->authorities[s->n++] = a;
    s->unsaved = s->changed = true;
    lists_load(s, a);
    responders_load(s, a);
    LOG_INFO_EV("status.authority", LF_STR("ca", a->label));
    return OK;
}

static enum err
one_follow(struct status_process *s, const struct ca *ca, struct why *why)
{
    struct authority *a = authority_by_id(s, ca->id);
    struct why failed = WHY_INIT;
    enum err e;

    if (ca->state == CA_CEREMONY || was_refused(s, ca->id))
        return OK;
    if (a != NULL && !str_eq(a->ca.certificate, ca->certificate))
        return why_code(why, ERR_CONFLICT, "status.folder", "authority %d of the database is not that of status.folder: the "
                        "folder belongs to another database", ca->id);
    if (a != NULL && same(&a->ca, ca))
        return OK;
    if (a == NULL) {
        if ((e = one_add(s, ca, &failed)) != OK)
            one_refuse(s, ca, e, &failed);
        return OK;
    }
    s->unsaved = s->changed = true;
    a->ca.state = ca->state;
    a->ca.shards = ca->shards;
    a->ca.delta = ca->delta;
    a->ca.crl_period = ca->crl_period;
    slots_make(a);
    return OK;
}

enum err
authorities_follow(struct status_process *s, struct pg *pg, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(FILE_MAX_LEN);
    struct why failed = WHY_INIT;
    struct ca *list;
    size_t n;
    enum err e;

    if ((e = ca_list(pg, a, &list, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++)
        if ((e = one_follow(s, &list[i], why)) != OK)
            return e;
    if (!s->unsaved)
        return OK;
    if ((e = file_write(s, &failed)) == OK)
        s->unsaved = s->unsaved_said = false;
    else if (!s->unsaved_said)                                       /* we have them in memory */
        LOG_ERROR_EV("status.folder", LF_ERR(e), LF_WHY(&failed));
    s->unsaved_said = e != OK;
    return OK;
}
