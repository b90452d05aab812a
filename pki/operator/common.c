/* common: what the commands share, and what base/program asks of this program. */
#include "pki/operator/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/core/enc.h"
#include "base/pg/audit.h"
#include "base/pg/audit_proof.h"
#include "base/pg/job.h"
#include "pki/authority/alarm.h"
#include "pki/authority/certificate.h"
#include "pki/authority/crl_due.h"
#include "pki/authority/request.h"
#include "pki/authority/revocation.h"
#include "pki/authority/station.h"
#include "pki/custody/person_key.h"

const struct pg_stmts *const pki_command_stmts[] = {
    &audit_stmts, &audit_seal_stmts, &job_stmts, &alarm_stmts, &pki_person_stmts, &grant_stmts, &approval_stmts, &ca_stmts,
    &custodian_stmts, &ceremony_stmts, &registration_stmts, &request_stmts, &certificate_stmts, &revocation_stmts,
    &station_stmts, &crl_due_stmts, &verify_stmts, &doctor_stmts, &export_stmts,
    &audit_proof_stmts, NULL,
};

static void
site_free(void *app)
{
    pki_free(app);
}

enum err
operator_load(const char *config, unsigned need, struct program_site *ret, struct why *why)
{
    /* --check-config asks for what a program with pages shows: here, profiles */
    const unsigned pki_need = ((need & PROGRAM_NEED_PAGES) != 0 ? PKI_NEED_PROFILES : 0U) |
                              ((need & PROGRAM_NEED_AUDIT_KEY) != 0 ? PKI_NEED_AUDIT : 0U);
    struct pki *pki;
    enum err e;

    if ((e = pki_load(config, pki_need, &pki, why)) != OK)
        return e;
    *ret = (struct program_site){
        .app = pki, .free = site_free, .environment = (enum environment)pki->conf.environment,
        .database = pki->conf.database, .database_owner = pki->conf.database_owner, .migrations = pki->conf.migrations,
        .keys = pki->conf.keys, .audit_key = pki->audit_key,
    };
    return OK;
}

enum err
operator_begin(const char *config, unsigned need, struct pki **ret, struct pg **ret_pg, struct why *why)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    enum err e;

    if ((e = pki_load(config, need, &pki, why)) != OK ||
        (e = command_database(pki->conf.database, pki->conf.database_owner, ret_pg, why)) != OK)
        return e;
    *ret = TAKE(pki);
    return OK;
}

/* --- persons -------------------------------------------------------------------------------------------------------------- */

enum err
operator_phrase(const char *answers, const char *prompt, bool twice, struct secret *ret, struct why *why)
{
    AUTO(ask_freep) struct ask *ask = NULL;
    enum err e = answers != NULL ? ask_open_answers(answers, NULL, &ask, why) : ask_open_terminal("/dev/tty", &ask, why);

    return e != OK ? e : ask_phrase(ask, "phrase", prompt, twice ? "again" : NULL, ret, why);
}

void
signatory_done(struct signatory *s)
{
    key_free(s->key);
    arena_free(s->a);
    *s = (struct signatory){ .key = NULL };
}

enum err
signatory_come(struct pg *pg, const char *key_file, const char *answers, utime now, struct signatory *ret, struct why *why)
{
    AUTO(signatory_done) struct signatory s = { .a = arena_new(1 << 20) };
    AUTO(secret_done) struct secret phrase = SECRET_INIT;
    AUTO(buf_free) struct buf text = BUF_BOUNDED(16384), spki = BUF_BOUNDED(256);
    char name[PERSON_NAME_MAX + 1];
    enum err e;

    if ((e = command_read_file(key_file, &text, why)) != OK ||
        (e = operator_phrase(answers, "Pass phrase of your key", false, &phrase, why)) != OK ||
        (e = person_key_open(buf_view(&text), (struct str){ (const char *)phrase.data, phrase.len }, &s.key, name, why)) != OK ||
        (e = pki_person_find(pg, name, now, s.a, &s.person, why)) != OK)
        return e;
    key_spki(s.key, &spki);
    if (!str_eq(buf_view(&spki), s.person.public_key))
        return why_code(why, ERR_DENIED, "person.key", "the key in the file is not that of %s", name);
    *ret = s;
    s = (struct signatory){ .key = NULL };
    return OK;
}

enum err
signatory_may(const struct signatory *s, role_set roles, struct why *why)
{
    if (!s->person.active || (s->person.roles & roles) == 0)
        return why_code(why, ERR_DENIED, "approval.roles", "%s has no role for this now", s->person.name);
    return OK;
}

enum err
signatory_say(struct pg *pg, const struct signatory *s, enum approval_act act, struct str text, utime now, struct why *why)
{
    AUTO(buf_free) struct buf signature = BUF_BOUNDED(APPROVAL_SIGNATURE_MAX);
    unsigned char subject[SHA256_LEN];
    struct signed_yes yes;
    enum err e;

    fprintf(stderr, "%.*s", (int)text.n, text.p);
    sha256(text, subject);
    if ((e = approval_sign(s->key, act, now, subject, &signature, why)) != OK)
        return e;
    yes = (struct signed_yes){ s->person.id, buf_view(&signature), now };
    e = approval_add(pg, act, subject, &yes, why);
    return e == ERR_CONFLICT ? OK : e;
}

enum err
operator_denied(struct pg *pg, const struct signatory *s, const char *verb, const char *object, utime now, enum err e,
                struct why *why)
{
    struct why failed = WHY_INIT;
    char detail[64] = "{}";
    enum err written;

    if (e != ERR_DENIED)
        return e;
    if (s->person.id[0] != '\0')
        snprintf(detail, sizeof(detail), "{\"person\":\"%s\"}", s->person.id);
    written = audit_add(pg, &(struct audit_entry){ .at = now, .actor = command_actor(), .role = "", .verb = verb, .object = object,
                                                   .result = why->code[0] != '\0' ? why->code : "denied", .detail = detail },
                        &failed);
    if (written != OK) {
        *why = failed;
        return written;
    }
    return e;
}

utime
operator_second(void)
{
    return utime_seconds(clock_now()) * USEC_PER_SEC;
}

/* --- files ------------------------------------------------------------------------------------------------------------------ */

enum err
operator_write(const char *path, unsigned mode, struct str content, struct why *why)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    enum err e = OK;

    if (fd < 0)
        return why_set(why, errno == EEXIST ? ERR_CONFLICT : ERR_UNAVAILABLE, "%s: %m", path);
    errno = ENOSPC;                /* what a short write means */
    if (write(fd, content.p, content.n) != (ssize_t)content.n || fsync(fd) != 0)
        e = why_set(why, ERR_UNAVAILABLE, "%s: %m", path);
    if (close(fd) != 0 && e == OK)
        e = why_set(why, ERR_UNAVAILABLE, "%s: %m", path);
    if (e != OK)
        (void)unlink(path);        /* nobody takes a part for the whole */
    return e;
}

void
operator_pem(const char *label, struct str der, struct buf *out)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(2 * der.n + 8);

    base64_encode(&text, der.p, der.n);
    buf_addf(out, "-----BEGIN %s-----\n", label);
    for (size_t i = 0; i < text.len; i += 64)
        buf_addf(out, "%.*s\n", (int)(text.len - i < 64 ? text.len - i : 64), text.data + i);
    buf_addf(out, "-----END %s-----\n", label);
}
