/*
 * revocation: suspend, revoke and resume one certificate, or all of a holder, by a revocation operator who is here with their key
 * (P-201).
 */
#include "pki/authority/revocation.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "pki/authority/certificate.h"
#include "pki/operator/operator.h"
#include "pki/operator/print-internal.h"

#define ARENA_MAX ((size_t)64 << 20)
#define HOLDER_MAX 10000             /* certificates of one holder */

struct revocation_options {
    const char *config, *key, *answers, *ca, *serial, *holder, *town, *reason, *invalid_at, *proof;
};

static enum err
options_read(const struct revocation_options *o, struct buf *serial, struct revocation *act, struct why *why)
{
    if (o->serial != NULL && hex_decode(str_of(o->serial), serial) != OK)
        return why_set(why, ERR_INPUT, "--serial is hexadecimal");
    if (o->reason != NULL && revocation_reason_parse(str_of(o->reason), &act->reason) != OK)
        return why_set(why, ERR_INPUT, "--reason is lost, key_compromise, affiliation_changed, superseded, "
                       "cessation_of_operation or privilege_withdrawn");
    if (o->invalid_at != NULL && utime_parse(o->invalid_at, &act->invalid_at) != OK)
        return why_set(why, ERR_INPUT, "--invalid-at is like 2026-11-21T22:04:05Z");
    act->ca = o->ca;
    act->serial = buf_view(serial);
    act->holder = o->holder;
    act->town = o->town != NULL ? o->town : "";
    act->proof = o->proof != NULL ? o->proof : "";
    return OK;
}

/* What is meant. */
static enum err
rows_find(struct pg *pg, const struct revocation *act, const char *serial, struct arena *a, struct certificate_row **ret,
          size_t *ret_n, struct why *why)
{
    const struct certificate_filter filter = { .holder = act->holder, .town = act->town, .ends_before = UTIME_NULL, .live = true };

    if (act->ca == NULL)
        return certificate_list(pg, &filter, HOLDER_MAX, a, ret, ret_n, why);
    *ret = arena_alloc(a, sizeof(**ret));
    *ret_n = 1;
    return certificate_find(pg, str_of(arena_printf(a, "%s:%s", act->ca, serial)), a, *ret, why);
}

/* --- what the person says ------------------------------------------------------------------------------------------------- */

static enum err
resume_approve(struct pg *pg, const struct certificate_row *row, const struct signatory *s, utime now, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(1024);
    const enum err e = revocation_held_text(pg, row->id, &text, why);

    return e != OK ? e : signatory_say(pg, s, APPROVE_RESUME, buf_view(&text), now, why);
}

/* Whatever two must approve here: releases from hold, or many at once. */
static enum err
approve(struct pg *pg, const struct revocation *act, const struct certificate_row *rows, size_t n, struct str many,
        const struct signatory *s, utime now, struct why *why)
{
    enum err e;

    if (many.n > 0)
        return signatory_say(pg, s, APPROVE_REVOKE_MANY, many, now, why);
    for (size_t i = 0; i < n && act->act == REVOCATION_RESUME; i++)
        if (strcmp(rows[i].state, "held") == 0 && (e = resume_approve(pg, &rows[i], s, now, why)) != OK)
            return e;
    return OK;
}

/* Who may say what: the revocation operator all of it; those who release with them, or revoke many with them, that alone. */
static role_set
roles_asked(const struct revocation *act, const struct certificate_row *rows, size_t n, bool many)
{
    role_set roles = ROLE_BIT(ROLE_REVOCATION) | (many ? ROLE_BIT(ROLE_SECURITY) : 0U);

    for (size_t i = 0; i < n && act->act == REVOCATION_RESUME; i++)
        if (strcmp(rows[i].state, "held") == 0)
            roles |= ROLE_BIT(ROLE_REGISTRATION) | ROLE_BIT(ROLE_VALIDATION) | ROLE_BIT(ROLE_SECURITY);
    return roles;
}

/* --- the act -------------------------------------------------------------------------------------------------------------- */

/* The person is here, has the role, and has said yes where two are asked. */
static enum err
person_says(struct pg *pg, const struct revocation_options *o, const struct revocation *act, const struct certificate_row *rows,
            size_t n, utime now, struct signatory *s, struct why *why)
{
    AUTO(buf_free) struct buf many = BUF_BOUNDED(APPROVAL_TEXT_MAX);
    size_t meant = n;
    enum err e;

    if ((e = signatory_come(pg, o->key, o->answers, now, s, why)) != OK ||
        (act->ca == NULL && (e = revocation_many_text(pg, act, &many, &meant, why)) != OK) ||
        (e = signatory_may(s, roles_asked(act, rows, n, many.len > 0), why)) != OK)
        return e;
    return approve(pg, act, rows, n, buf_view(&many), s, now, why);
}

/* *ret_waits: another person must say it too. */
static enum err
act_do(struct pg *pg, const struct pki *pki, const struct revocation_options *o, struct revocation *act, struct arena *a,
       struct revocation_result **ret, size_t *ret_n, bool *ret_waits, struct why *why)
{
    AUTO(buf_free) struct buf serial = BUF_BOUNDED(32);
    AUTO(signatory_done) struct signatory s = { .key = NULL };
    const utime now = operator_second();
    struct certificate_row *rows;
    const char *object;
    char key[37];
    size_t n;
    enum err e;

    if ((e = options_read(o, &serial, act, why)) != OK || (e = rows_find(pg, act, o->serial, a, &rows, &n, why)) != OK)
        return e;
    object = act->ca != NULL ? arena_printf(a, "certificate:%s", rows[0].id) : arena_printf(a, "holder:%s", act->holder);
    e = person_says(pg, o, act, rows, n, now, &s, why);
    if ((e = operator_denied(pg, &s, arena_printf(a, "certificate.%s", revocation_act_name(act->act)), object, now, e, why)) != OK)
        return e;
    rand_uuid(key);
    act->key = key;
    act->requester_ref = s.person.id;
    e = revocation_do(pg, &pki->profiles, act, command_actor(), clock_now(), a, ret, ret_n, why);
    *ret_waits = e == ERR_DENIED && str_starts(str_of(why->code), "approval.");
    act->key = act->requester_ref = "";
    act->serial = STR_NULL;
    return e;
}

/* --- what is printed ------------------------------------------------------------------------------------------------------- */

static int
one_say(const char *name, const struct revocation_result *r)
{
    char due[UTIME_RFC3339_LEN + 1];
    struct why why = WHY_INIT;

    if (revocation_is_refusal(r->outcome))
        return command_fail(name, why_code(&why, ERR_CONFLICT, r->outcome, "refused: %s", r->outcome), &why);
    if (r->due_at != UTIME_NULL) {
        utime_rfc3339(r->due_at, due);
        printf("%s until %s\n", r->outcome, due);
    } else {
        printf("%s\n", r->outcome);
    }
    return 0;
}

/* One object for each; 1 when one of them was refused. */
static int
all_say(const struct revocation_result *results, size_t n)
{
    int status = 0;

    for (size_t i = 0; i < n; i++) {
        AUTO(buf_free) struct buf serial = BUF_BOUNDED(64);
        json_t *o;

        hex_encode(&serial, results[i].serial.p, results[i].serial.n);
        o = json_pack("{s:s,s:s,s:s}", "ca", results[i].ca_label, "serial", buf_cstr(&serial), "outcome", results[i].outcome);
        print_time(o, "due_at", results[i].due_at);
        print_object(o);
        if (revocation_is_refusal(results[i].outcome))
            status = 1;
    }
    return status;
}

static int
act_run(enum revocation_act which, const struct revocation_options *o)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    const char *name = revocation_act_name(which);
    struct revocation act = { .act = which, .reason = REASON_NONE, .invalid_at = UTIME_NULL, .requester = BY_OPERATOR };
    struct revocation_result *results = NULL;
    struct why why = WHY_INIT;
    bool waits = false;
    size_t n = 0;
    enum err e;

    if ((e = operator_begin(o->config, PKI_NEED_PROFILES, &pki, &pg, &why)) == OK)
        e = act_do(pg, pki, o, &act, a, &results, &n, &waits, &why);
    if (waits) {
        printf("one more person\n");
        return 0;
    }
    if (e != OK)
        return command_fail(name, e, &why);
    return o->ca != NULL ? one_say(name, &results[0]) : all_say(results, n);
}

static int
act_command(int argc, char **argv, enum revocation_act which, const char *line)
{
    struct revocation_options o = { .config = NULL };
    const char *words[1] = { NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL }, { "--key", &o.key, NULL },       { "--answers", &o.answers, NULL },
        { "--ca", &o.ca, NULL },         { "--serial", &o.serial, NULL }, { "--holder", &o.holder, NULL },
        { "--town", &o.town, NULL },     { "--proof", &o.proof, NULL },   { "--reason", &o.reason, NULL },
        { "--invalid-at", &o.invalid_at, NULL },
    };
    const size_t taken = which == REVOCATION_RESUME ? ARRAY_LEN(options) - 2 : ARRAY_LEN(options);
    size_t n;

    if (!command_options(argc, argv, options, taken, words, 1, &n) || n != 0 || o.config == NULL || o.key == NULL ||
        (o.ca != NULL) != (o.serial != NULL) || (o.ca != NULL) == (o.holder != NULL) || (o.town != NULL && o.holder == NULL) ||
        (which == REVOCATION_REVOKE && o.reason == NULL))
        return command_usage(line);
    return act_run(which, &o);
}

int
operator_revoke(int argc, char **argv)
{
    return act_command(argc, argv, REVOCATION_REVOKE,
                       "revoke --config FILE --ca LABEL --serial HEX|--holder NAME [--town NAME] --reason REASON\n"
                       "           --key FILE [--answers FILE] [--invalid-at TIME] [--proof TEXT]");
}

int
operator_suspend(int argc, char **argv)
{
    return act_command(argc, argv, REVOCATION_SUSPEND,
                       "suspend --config FILE --ca LABEL --serial HEX|--holder NAME [--town NAME] --key FILE\n"
                       "           [--reason REASON] [--answers FILE] [--invalid-at TIME] [--proof TEXT]");
}

int
operator_resume(int argc, char **argv)
{
    return act_command(argc, argv, REVOCATION_RESUME,
                       "resume --config FILE --ca LABEL --serial HEX|--holder NAME [--town NAME] --key FILE\n"
                       "           [--answers FILE] [--proof TEXT]");
}
