/*
 * doctor: looks at an installation and says what is wrong: configuration, keys, certificates, clocks, schema, processes,
 * jobs, audit, authorities for sign-in, mail (base/program/doctor.h). It changes nothing.
 *
 * --for says whose configuration it is: then the key folder must hold what that process loads and nothing else.
 */
#include "idp/operator/doctor.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/core/log.h"
#include "base/program/doctor.h"
#include "idp/credential/authority.h"
#include "idp/credential/trust.h"
#include "idp/issuing/issuing.h"
#include "idp/keys.h"
#include "idp/operator/operator.h"

#define SEEN (10 * USEC_PER_SEC)          /* processes say so each second */
#define AUTHORITY_TIME (10 * USEC_PER_SEC)
#define AUTHORITY_SILENT (60 * USEC_PER_SEC)
#define TRUST_MAX (16 << 20)

static void
certificates(struct doctor *d, const struct idp_conf *c)
{
    char path[PATH_MAX];

    doctor_certificate_file(d, c->tls_cert, true);
    doctor_certificate_file(d, c->cert_tls_cert, true);
    doctor_certificate_file(d, c->town_tls_cert, true);
    doctor_certificate_file(d, c->town_client_ca, true);
    snprintf(path, sizeof(path), "%s/saml-cert.der", c->keys);
    if (access(path, F_OK) == 0)
        doctor_certificate_file(d, path, false);
}

/* Whose certificates sign in, and whether their lists are in time (docs/certificates.md). */
static void
trust(struct doctor *d, const struct idp *idp, struct pg *pg, utime now)
{
    AUTO(arena_freep) struct arena *a = arena_new(TRUST_MAX);
    struct trust_row *rows;
    struct why why = WHY_INIT;
    size_t n, wrong = 0;
    enum err e;

    if ((e = trust_list(pg, a, &rows, &n, &why)) != OK) {
        doctor_say(d, "trust", DOCTOR_FAIL, "%s", why.text[0] != '\0' ? why.text : err_name(e));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bool bad;
        const char *text = trust_row_wrong(&rows[i], now, &bad);

        if (text == NULL)
            continue;
        wrong++;
        doctor_say(d, "trust", bad ? DOCTOR_FAIL : DOCTOR_WARN, "%s %s: %s", rows[i].name, rows[i].source, text);
    }
    if (n == 0 && idp->conf.cert_url[0] != '\0')
        doctor_say(d, "trust", DOCTOR_WARN, "cert.url is set, but no authority is trusted: nobody signs in by certificate");
    else if (n > 0 && wrong == 0)
        doctor_say(d, "trust", DOCTOR_GOOD, "all authorities and lists are in time");
}

/* Does the authority answer us, and the worker follow it? (docs/certificates.md) */
static void
authority(struct doctor *d, const struct idp *idp, struct pg *pg, utime now)
{
    struct idp mine = { .conf = idp->conf };
    struct issuing_health h;
    struct why why = WHY_INIT;
    enum err e;

    if (idp->conf.pki_url[0] == '\0')
        return;
    if ((e = operator_authority(&mine, AUTHORITY_TIME, 0, &why)) == OK)
        e = authority_ping(mine.authority, &why);
    authority_close(mine.authority);
    if (e != OK)
        doctor_say(d, "authority", DOCTOR_FAIL, "pki.url does not answer us: %s", why.text[0] != '\0' ? why.text : err_name(e));
    if ((e = issuing_health(pg, &h, &why)) != OK)
        doctor_say(d, "authority", DOCTOR_FAIL, "%s", why.text[0] != '\0' ? why.text : err_name(e));
    else if (!h.ever || now - h.seen_at > AUTHORITY_SILENT)
        doctor_say(d, "authority", h.ever && now - h.seen_at > idp->conf.pki_state_life ? DOCTOR_FAIL : DOCTOR_WARN,
                   "its changes are not followed%s%s%s", h.ever ? "" : " yet", h.problem[0] != '\0' ? ": " : "", h.problem);
    else if (e == OK)
        doctor_say(d, "authority", DOCTOR_GOOD, "it answers, and its changes are followed");
}

static void
database(struct doctor *d, const struct idp *idp)
{
    AUTO(pg_closep) struct pg *pg = NULL;
    struct doctor_state s = { .clock = 0 };
    struct why why = WHY_INIT;
    const utime now = clock_now();
    utime before;
    enum err e;

    if ((e = operator_database(idp, &pg, &why)) != OK) {
        doctor_say(d, "database", DOCTOR_FAIL, "%s", why.text[0] != '\0' ? why.text : err_name(e));
        return;
    }
    doctor_say(d, "database", DOCTOR_GOOD, "reached; its schema is the one of this program");
    before = doctor_host_clock();
    if ((e = doctor_store_look(pg, now - SEEN, now - DOCTOR_OVERDUE, now - DOCTOR_UNSEALED, &s, &why)) != OK) {
        doctor_say(d, "database", DOCTOR_FAIL, "%s", why.text[0] != '\0' ? why.text : err_name(e));
        return;
    }
    doctor_clock(d, s.clock, before, doctor_host_clock());
    doctor_say(d, "processes", s.web > 0 && s.notifier > 0 ? DOCTOR_GOOD : DOCTOR_FAIL, "running: %lld serve, %lld notifier",
               (long long)s.web, (long long)s.notifier);
    doctor_jobs(d, s.overdue, s.overdue_kind, s.dead);
    doctor_audit(d, s.unsealed);
    trust(d, idp, pg, now);
    authority(d, idp, pg, now);
}

static int
visit(const char *config, unsigned need, bool as_json)
{
    AUTO(idp_freep) struct idp *idp = NULL;
    AUTO(doctor_freep) struct doctor *d = doctor_new(as_json);
    struct idp scratch = { .oidc_rsa = NULL };
    struct why why = WHY_INIT;
    const enum err e = idp_load(config, IDP_NEED_PAGES, &idp, &why);

    doctor_configuration(d, config, e == OK ? (enum environment)idp->conf.environment : ENVIRONMENT_PRODUCTION, e, &why);
    if (e != OK)
        return doctor_end(d);
    doctor_keys(d, idp->conf.keys, need != 0 ? need : IDP_NEED_WEB | IDP_NEED_WORKER | IDP_NEED_NOTIFIER, need != 0, &scratch);
    certificates(d, &idp->conf);
    database(d, idp);
    doctor_mail_in(d, idp->conf.mail_lmtp_listen);
    doctor_mail_out(d, idp->conf.mail_smtp_url, "nobody is answered");
    return doctor_end(d);
}

int
operator_doctor(int argc, char **argv)
{
    const char *config = NULL, *process = NULL;
    bool as_json = false;
    const struct command_option options[] = {
        { "--config", &config, NULL }, { "--for", &process, NULL }, { "--json", NULL, &as_json },
    };
    unsigned need = 0;
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), NULL, 0, &n) || config == NULL ||
        (process != NULL && !program_process_find(process, &need)))
        return command_usage("doctor --config FILE [--for web|worker|notifier] [--json]");
    log_start("beffroi-idp doctor", LOG_LEVEL_ERROR);
    return visit(config, need, as_json);
}
