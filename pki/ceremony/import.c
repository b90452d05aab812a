/*
 * import: what a root's medium knows goes into the database: records, first persons and roles, authorities, custodians,
 * lists. Each piece is looked up first, so that twice is once; all but the persons themselves is one transaction.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/pg/audit.h"
#include "pki/authority/person.h"
#include "pki/ceremony/ceremony-internal.h"
#include "pki/ceremony/root_list.h"
#include "pki/encode/name.h"

#define RECORD_MAX 1048576
#define FROM_DATABASE "00000000-0000-0000-0000-000000000000"
#define ROOT_LIST_PERIOD (180 * USEC_PER_DAY)
#define ROOT_LIST_LIFE (400 * USEC_PER_DAY)
#define LIST_PERIOD USEC_PER_DAY
#define LIST_LIFE (72 * USEC_PER_HOUR)
#define FIRST_ROLES_LIFE (730 * USEC_PER_DAY)

const struct pg_stmts *const ceremony_stmts_all[] = { &audit_stmts, &pki_person_stmts, &grant_stmts, &approval_stmts, &ca_stmts,
                                                      &custodian_stmts, &ceremony_stmts, NULL };

/* --- before a ceremony ---------------------------------------------------------------------------------------------- */

enum err
persons_from_database(struct ceremony *c, struct why *why)
{
    struct pki_person *list;
    size_t n;
    enum err e;

    if ((e = pki_person_list(c->conf->pg, now_of(c), c->arena, &list, &n, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        struct register_person *p = register_person_find(c->reg, list[i].name);

        if (p != NULL && !str_eq(p->public_key, list[i].public_key))
            return why_code(why, ERR_CONFLICT, "ceremony.key", "%s has one key on the medium and another in the database",
                            list[i].name);
        if (p == NULL && c->conf->kind != CEREMONY_ROOT && list[i].active && c->reg->npersons < REGISTER_PERSONS_MAX) {
            p = &c->reg->persons[c->reg->npersons++];
            memset(p, 0, sizeof(*p));
            memcpy(p->id, list[i].id, sizeof(p->id));
            (void)snprintf(p->name, sizeof(p->name), "%s", list[i].name);
            memcpy(p->ceremony, FROM_DATABASE, sizeof(p->ceremony));
            p->label = arena_strdup(c->reg->arena, list[i].label);
            p->public_key = (struct str){ arena_dup(c->reg->arena, list[i].public_key.p, list[i].public_key.n),
                                          list[i].public_key.n };
        }
        if (p != NULL)
            p->roles_now = list[i].roles;
    }
    return OK;
}

/* --- records ----------------------------------------------------------------------------------------------------------- */

struct import {
    struct pg *pg;
    const char *dir;
    utime now;
    struct root_register *reg;
    struct arena *arena;
};

static const char *
path_of(struct import *m, const char *name)
{
    return arena_printf(m->arena, "%s/%s", m->dir, name);
}

/* The value of the first line "NAME value". */
static bool
record_value(struct str record, const char *name, char *out, size_t size)
{
    const size_t n = strlen(name);

    while (record.p != NULL) {
        const struct str line = str_split(record, '\n', &record);

        if (!str_starts(line, name) || line.n <= n + 1 || line.p[n] != ' ' || line.n - n - 1 >= size)
            continue;
        memcpy(out, line.p + n + 1, line.n - n - 1);
        out[line.n - n - 1] = '\0';
        return true;
    }
    return false;
}

static enum err
signs_read(struct import *m, const char *path, struct ceremony_sign *ret, size_t max, size_t *ret_n, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(65536);
    struct str rest;
    size_t n = 0;
    enum err e;

    if ((e = file_read(path, 65535, &text, why)) != OK)
        return e;
    for (rest = buf_view(&text); rest.n > 0 && n < max; n++) {
        AUTO(buf_free) struct buf key = BUF_BOUNDED(1024), sig = BUF_BOUNDED(64);
        struct str line = str_split(rest, '\n', &rest), name;

        name = str_split(line, ' ', &line);
        if (line.p == NULL || base64url_decode(str_split(line, ' ', &line), &key) != OK || line.p == NULL ||
            base64url_decode(line, &sig) != OK)
            return why_set(why, ERR_INPUT, "%s is damaged", path);
        ret[n].name = arena_str(m->arena, name);
        ret[n].public_key = (struct str){ arena_dup(m->arena, key.data, key.len), key.len };
        ret[n].signature = (struct str){ arena_dup(m->arena, sig.data, sig.len), sig.len };
    }
    *ret_n = n;
    return OK;
}

static enum err
record_put(struct import *m, const char *id, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(RECORD_MAX);
    const char *path = path_of(m, arena_printf(m->arena, "records/%s.txt", id));
    struct ceremony_row row = { .kind = "" };
    struct ceremony_sign signs[PARTICIPANTS_MAX];
    char said[37], kind[32], ca[64], started[40];
    size_t n;
    enum err e;

    if ((e = ceremony_verify(path, &n, why)) != OK || (e = file_read(path, RECORD_MAX - 1, &text, why)) != OK ||
        (e = signs_read(m, path_of(m, arena_printf(m->arena, "records/%s.sig", id)), signs, PARTICIPANTS_MAX, &n, why)) != OK)
        return e;
    row.record = buf_view(&text);
    if (!record_value(row.record, "ceremony", said, sizeof(said)) || strcmp(said, id) != 0 ||
        !record_value(row.record, "kind", kind, sizeof(kind)) || !record_value(row.record, "ca", ca, sizeof(ca)) ||
        !record_value(row.record, "started", started, sizeof(started)) || utime_parse(started, &row.at) != OK)
        return why_set(why, ERR_INPUT, "%s is not the record of that ceremony", path);
    memcpy(row.id, said, sizeof(row.id));
    row.kind = kind;
    row.ca_name = ca;
    return ceremony_add(m->pg, &row, signs, n, why);
}

static enum err
records_put(struct import *m, struct why *why)
{
    const char *folder = path_of(m, "records");
    DIR *d = opendir(folder);
    struct dirent *entry;
    enum err e = OK;

    if (d == NULL)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    while (e == OK && (entry = readdir(d)) != NULL) {
        const size_t n = strlen(entry->d_name);

        if (n == UUID_TEXT_LEN + 4 && strcmp(entry->d_name + UUID_TEXT_LEN, ".txt") == 0)
            e = record_put(m, arena_str(m->arena, (struct str){ entry->d_name, UUID_TEXT_LEN }), why);
    }
    (void)closedir(d);
    return e;
}

/* --- persons ------------------------------------------------------------------------------------------------------------- */

static enum err
persons_put(struct import *m, struct why *why)
{
    for (size_t i = 0; i < m->reg->npersons; i++) {
        const struct register_person *p = &m->reg->persons[i];
        struct pki_person found;
        struct why unknown = WHY_INIT;
        enum err e = pki_person_find(m->pg, p->name, m->now, m->arena, &found, &unknown);

        if (e == OK && !str_eq(found.public_key, p->public_key))
            return why_code(why, ERR_CONFLICT, "ceremony.key", "%s has one key on the medium and another in the database", p->name);
        if (e == ERR_NOT_FOUND)
            e = pki_person_add(m->pg, p->id, p->name, p->label, p->public_key, "ceremony", m->now, why);
        else if (e != OK)
            *why = unknown;
        if (e != OK)
            return e;
    }
    return OK;
}

static bool
granted(const struct grant *list, size_t n, enum role role)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].role == role && list[i].proposer[0] == '\0')
            return true;
    return false;
}

/* Roles that were declared before witnesses, from that day on. */
static enum err
roles_put(struct import *m, const struct register_person *p, struct why *why)
{
    struct ceremony_row row;
    struct ceremony_sign *signs;
    struct pki_person person;
    struct grant *list;
    size_t n, nsigns;
    enum err e;

    if (strcmp(p->ceremony, FROM_DATABASE) == 0)
        return OK;
    if ((e = pki_person_find(m->pg, p->name, m->now, m->arena, &person, why)) != OK ||
        (e = grant_list(m->pg, person.id, m->arena, &list, &n, why)) != OK ||
        (e = ceremony_find(m->pg, p->ceremony, m->arena, &row, &signs, &nsigns, why)) != OK)
        return e;
    for (unsigned r = 0; r < ROLE_COUNT; r++) {
        struct grant g = { .name = p->name, .public_key = p->public_key, .role = (enum role)r };

        if ((p->roles & ROLE_BIT(r)) == 0 || granted(list, n, (enum role)r))
            continue;
        rand_uuid(g.id);
        memcpy(g.person, person.id, sizeof(g.person));
        g.from = row.at / USEC_PER_SEC * USEC_PER_SEC;
        g.until = g.from + FIRST_ROLES_LIFE;
        if ((e = grant_by_ceremony(m->pg, &g, p->ceremony, "ceremony", m->now, why)) != OK)
            return e;
    }
    return OK;
}

/* --- authorities ------------------------------------------------------------------------------------------------------------ */

static enum err
ca_of_label(struct import *m, const char *label, struct ca *ret, struct why *why)
{
    char name[CA_NAME_MAX + 1];
    int generation;

    if (label_split(label, name, &generation) != OK)
        return why_set(why, ERR_INPUT, "the register has a damaged label");
    return ca_find(m->pg, name, generation, m->arena, ret, why);
}

static enum err
der_load(struct import *m, const char *name, struct str *ret, struct certificate_parts *ret_parts, struct why *why)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(65537);
    enum err e;

    if ((e = file_read(path_of(m, name), 65536, &der, why)) != OK)
        return e;
    *ret = (struct str){ arena_dup(m->arena, der.data, der.len), der.len };
    return ret_parts == NULL ? OK : certificate_split(*ret, ret_parts, why);
}

/* The row of the register for the CA's own certificate: of a root the one that it signed itself. */
static const struct register_certificate *
own_certificate(const struct import *m, const struct register_ca *ca)
{
    const bool root = strcmp(ca->key_uri, "offline") == 0;

    for (size_t i = 0; i < m->reg->ncertificates; i++) {
        const struct register_certificate *c = &m->reg->certificates[i];

        if (strcmp(c->label, ca->label) == 0 && (strcmp(c->issuer, ca->label) == 0) == root)
            return c;
    }
    return NULL;
}

static enum err
ca_new(struct import *m, const struct register_ca *row, struct why *why)
{
    const struct register_certificate *own = own_certificate(m, row);
    struct certificate_parts parts;
    unsigned char id[KEY_ID_LEN];
    char name[CA_NAME_MAX + 1];
    struct ca ca = { .name = name, .shards = 1, .key_uri = row->key_uri, .state = row->state }, issuer;
    int ignored;
    enum err e;

    if (own == NULL || label_split(row->label, name, &ca.generation) != OK)
        return why_set(why, ERR_INPUT, "the register has no certificate of %s", row->label);
    if ((e = der_load(m, arena_printf(m->arena, "%s.cer", row->label), &ca.certificate, &parts, why)) != OK ||
        (e = key_id(parts.spki, id, why)) != OK)
        return e;
    ca.root = strcmp(own->issuer, row->label) == 0;
    if (!ca.root) {
        if ((e = ca_of_label(m, own->issuer, &issuer, why)) != OK)
            return e;
        ca.issuer_id = issuer.id;
    }
    ca.subject = parts.subject;
    ca.serial = parts.serial;
    ca.spki = parts.spki;
    ca.key_id = (struct str){ (const char *)id, KEY_ID_LEN };
    ca.not_before = parts.not_before;
    ca.not_after = parts.not_after;
    ca.crl_period = ca.root ? ROOT_LIST_PERIOD : LIST_PERIOD;
    ca.crl_life = ca.root ? ROOT_LIST_LIFE : LIST_LIFE;
    ca.delta = !ca.root;
    memcpy(ca.set_id, row->set, sizeof(ca.set_id));
    return ca_add(m->pg, &ca, m->now, &ignored, why);
}

static enum err
cas_put(struct import *m, struct why *why)
{
    for (size_t i = 0; i < m->reg->ncas; i++) {
        const struct register_ca *row = &m->reg->cas[i];
        struct why unknown = WHY_INIT;
        struct ca found;
        enum err e = ca_of_label(m, row->label, &found, &unknown);

        if (e == ERR_NOT_FOUND)
            e = ca_new(m, row, why);
        else if (e == OK && found.state != row->state)
            e = ca_state_change(m->pg, found.id, row->state, m->now, why);
        else if (e != OK)
            *why = unknown;
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err
crosses_put(struct import *m, struct why *why)
{
    for (size_t i = 0; i < m->reg->ncertificates; i++) {
        const struct register_certificate *c = &m->reg->certificates[i];
        const struct register_ca *ca = register_ca_find(m->reg, c->label);
        struct ca_cross cross = { .not_after = c->not_after };
        struct ca subject, issuer;
        enum err e;

        if (ca == NULL || strcmp(ca->key_uri, "offline") != 0 || strcmp(c->issuer, c->label) == 0)
            continue;
        if ((e = ca_of_label(m, c->label, &subject, why)) != OK || (e = ca_of_label(m, c->issuer, &issuer, why)) != OK ||
            (e = der_load(m, arena_printf(m->arena, "%s-by-%s.cer", c->label, c->issuer), &cross.certificate, NULL, why)) != OK)
            return e;
        cross.ca_id = subject.id;
        cross.issuer_id = issuer.id;
        if ((e = ca_cross_add(m->pg, &cross, why)) != OK)
            return e;
    }
    return OK;
}

static enum err
custodians_put(struct import *m, struct why *why)
{
    for (size_t i = 0; i < m->reg->nshares; i++) {
        const struct register_share *s = &m->reg->shares[i];
        struct custodian c = { .number = s->info.number, .threshold = s->info.threshold, .total = s->info.total };
        struct pki_person person;
        bool lives = false;
        enum err e;

        if ((e = pki_person_find(m->pg, s->info.person, m->now, m->arena, &person, why)) != OK)
            return e;
        memcpy(c.set_id, s->info.set, sizeof(c.set_id));
        memcpy(c.person, person.id, sizeof(c.person));
        memcpy(c.sha256, s->sha256, sizeof(c.sha256));
        if ((e = custodian_add(m->pg, &c, m->now, why)) != OK)
            return e;
        for (size_t k = 0; k < m->reg->ncas; k++)
            lives = lives || (strcmp(m->reg->cas[k].set, s->info.set) == 0 && m->reg->cas[k].state != CA_ENDED);
        if (!lives && (e = custodian_end(m->pg, c.set_id, m->now, why)) != OK)
            return e;
    }
    return OK;
}

static enum err
lists_put(struct import *m, struct why *why)
{
    for (size_t i = 0; i < m->reg->nlists; i++) {
        struct ca_root_list list = { .number = m->reg->lists[i].number };
        struct root_list_facts facts;
        struct ca ca;
        enum err e;

        if ((e = ca_of_label(m, m->reg->lists[i].label, &ca, why)) != OK ||
            (e = der_load(m, arena_printf(m->arena, "%s-%lld.crl", m->reg->lists[i].label, (long long)list.number), &list.der, NULL,
                          why)) != OK ||
            (e = root_list_read(list.der, &facts, why)) != OK)
            return e;
        list.ca_id = ca.id;
        list.this_update = facts.this_update;
        list.next_update = facts.next_update;
        list.entries = facts.entries;
        if ((e = ca_root_list_put(m->pg, &list, m->now, why)) != OK)
            return e;
    }
    return OK;
}

static enum err
import_body(struct pg *pg, void *arg, struct why *why)
{
    struct import *m = arg;
    enum err e;

    (void)pg;
    if ((e = records_put(m, why)) != OK)
        return e;
    for (size_t i = 0; i < m->reg->npersons; i++)
        if ((e = roles_put(m, &m->reg->persons[i], why)) != OK)
            return e;
    if ((e = cas_put(m, why)) != OK || (e = crosses_put(m, why)) != OK || (e = custodians_put(m, why)) != OK)
        return e;
    return lists_put(m, why);
}

enum err
ceremony_import(struct pg *pg, const char *dir, utime now, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 24);
    AUTO(root_register_freep) struct root_register *reg = NULL;
    struct import m = { pg, dir, now, NULL, a };
    enum err e;

    if ((e = root_register_load(path_of(&m, "register"), &reg, why)) != OK)
        return e;
    m.reg = reg;
    if ((e = persons_put(&m, why)) != OK)
        return e;
    return pg_tx(pg, import_body, &m, why);
}
