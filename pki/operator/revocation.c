/* revocation: suspend, revoke and resume one certificate, by a revocation operator who is here with their key (P-201). */
#include "pki/authority/revocation.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "pki/authority/certificate.h"
#include "pki/operator/operator.h"

struct revocation_options {
    const char *config, *key, *answers, *ca, *serial, *reason, *invalid_at, *proof;
};

static enum err
options_read(const struct revocation_options *o, struct buf *serial, struct revocation *act, struct why *why)
{
    if (hex_decode(str_of(o->serial), serial) != OK)
        return why_set(why, ERR_INPUT, "--serial is hexadecimal");
    if (o->reason != NULL && revocation_reason_parse(str_of(o->reason), &act->reason) != OK)
        return why_set(why, ERR_INPUT, "--reason is lost, key_compromise, affiliation_changed, superseded, "
                       "cessation_of_operation or privilege_withdrawn");
    if (o->invalid_at != NULL && utime_parse(o->invalid_at, &act->invalid_at) != OK)
        return why_set(why, ERR_INPUT, "--invalid-at is like 2026-11-21T22:04:05Z");
    act->ca = o->ca;
    act->serial = buf_view(serial);
    act->proof = o->proof != NULL ? o->proof : "";
    return OK;
}

/* The operator's yes to a release from hold. Said before: it stays. */
static enum err
resume_approve(struct pg *pg, const struct certificate_row *row, const struct signatory *s, utime now, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(1024), signature = BUF_BOUNDED(APPROVAL_SIGNATURE_MAX);
    unsigned char subject[SHA256_LEN];
    struct signed_yes yes;
    enum err e;

    if ((e = revocation_held_text(pg, row->id, &text, why)) != OK)
        return e;
    fprintf(stderr, "%s", buf_cstr(&text));
    sha256(buf_view(&text), subject);
    if ((e = approval_sign(s->key, APPROVE_RESUME, now, subject, &signature, why)) != OK)
        return e;
    yes = (struct signed_yes){ s->person.id, buf_view(&signature), now };
    e = approval_add(pg, APPROVE_RESUME, subject, &yes, why);
    return e == ERR_CONFLICT ? OK : e;
}

/* Who may say what: the revocation operator all of it; those who release with them, that alone. */
static enum err
role_check(enum revocation_act act, bool held, const struct pki_person *p, struct why *why)
{
    const role_set release = ROLE_BIT(ROLE_REGISTRATION) | ROLE_BIT(ROLE_VALIDATION) | ROLE_BIT(ROLE_SECURITY),
                   asked = ROLE_BIT(ROLE_REVOCATION) | (act == REVOCATION_RESUME && held ? release : 0U);

    if (!p->active || (p->roles & asked) == 0)
        return why_code(why, ERR_DENIED, "approval.roles", "%s has no role for this now", p->name);
    return OK;
}

static enum err
act_do(struct pg *pg, const struct pki *pki, const struct revocation_options *o, struct revocation *act, struct arena *a,
       struct revocation_result **ret, size_t *ret_n, struct why *why)
{
    AUTO(buf_free) struct buf serial = BUF_BOUNDED(32);
    AUTO(signatory_done) struct signatory s = { .key = NULL };
    const utime now = operator_second();
    struct certificate_row row;
    char key[37];
    bool held;
    enum err e;

    if ((e = options_read(o, &serial, act, why)) != OK ||
        (e = certificate_find(pg, str_of(arena_printf(a, "%s:%s", o->ca, o->serial)), a, &row, why)) != OK)
        return e;
    held = strcmp(row.state, "held") == 0;
    if ((e = signatory_come(pg, o->key, o->answers, now, &s, why)) != OK ||
        (e = role_check(act->act, held, &s.person, why)) != OK)
        return e;
    if (act->act == REVOCATION_RESUME && held && (e = resume_approve(pg, &row, &s, now, why)) != OK)
        return e;
    rand_uuid(key);
    act->key = key;
    act->requester_ref = s.person.id;
    e = revocation_do(pg, &pki->profiles, act, command_actor(), clock_now(), a, ret, ret_n, why);
    act->key = act->requester_ref = "";
    act->serial = STR_NULL;
    return e;
}

static int
act_run(enum revocation_act which, const struct revocation_options *o)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    const char *name = revocation_act_name(which);
    struct revocation act = { .act = which, .reason = REASON_NONE, .invalid_at = UTIME_NULL, .requester = BY_OPERATOR };
    struct revocation_result *result = NULL;
    char due[UTIME_RFC3339_LEN + 1];
    struct why why = WHY_INIT;
    size_t n = 0;
    enum err e;

    if ((e = operator_begin(o->config, PKI_NEED_PROFILES, &pki, &pg, &why)) == OK)
        e = act_do(pg, pki, o, &act, a, &result, &n, &why);
    if (e == ERR_DENIED && strcmp(why.code, "approval.few") == 0) {
        printf("one more person\n");
        return 0;
    }
    if (e == OK && revocation_is_refusal(result[0].outcome))
        e = why_code(&why, ERR_CONFLICT, result[0].outcome, "refused: %s", result[0].outcome);
    if (e != OK)
        return command_fail(name, e, &why);
    if (result[0].due_at != UTIME_NULL) {
        utime_rfc3339(result[0].due_at, due);
        printf("%s until %s\n", result[0].outcome, due);
    } else {
        printf("%s\n", result[0].outcome);
    }
    return 0;
}

static int
act_command(int argc, char **argv, enum revocation_act which, const char *line)
{
    struct revocation_options o = { .config = NULL };
    const char *words[1] = { NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL }, { "--key", &o.key, NULL },       { "--answers", &o.answers, NULL },
        { "--ca", &o.ca, NULL },         { "--serial", &o.serial, NULL }, { "--proof", &o.proof, NULL },
        { "--reason", &o.reason, NULL }, { "--invalid-at", &o.invalid_at, NULL },
    };
    const size_t taken = which == REVOCATION_RESUME ? ARRAY_LEN(options) - 2 : ARRAY_LEN(options);
    size_t n;

    if (!command_options(argc, argv, options, taken, words, 1, &n) || n != 0 || o.config == NULL || o.key == NULL ||
        o.ca == NULL || o.serial == NULL || (which == REVOCATION_REVOKE && o.reason == NULL))
        return command_usage(line);
    return act_run(which, &o);
}

int
operator_revoke(int argc, char **argv)
{
    return act_command(argc, argv, REVOCATION_REVOKE,
                       "revoke --config FILE --ca LABEL --serial HEX --reason REASON --key FILE [--answers FILE]\n"
                       "           [--invalid-at TIME] [--proof TEXT]");
}

int
operator_suspend(int argc, char **argv)
{
    return act_command(argc, argv, REVOCATION_SUSPEND,
                       "suspend --config FILE --ca LABEL --serial HEX --key FILE [--reason REASON] [--answers FILE]\n"
                       "           [--invalid-at TIME] [--proof TEXT]");
}

int
operator_resume(int argc, char **argv)
{
    return act_command(argc, argv, REVOCATION_RESUME,
                       "resume --config FILE --ca LABEL --serial HEX --key FILE [--answers FILE] [--proof TEXT]");
}
