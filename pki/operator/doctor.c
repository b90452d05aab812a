/*
 * doctor: looks at an authority and says what is wrong: configuration, keys, certificates, sockets, database and its roles,
 * clocks, processes, the signer, lists, responders, stations, alarms, room (base/program/doctor.h). It changes nothing.
 *
 * --for says whose configuration it is: then the key folder must hold what that process loads and nothing else, and the signer's
 * sealed keys must be there.
 */
#include "pki/operator/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/core/log.h"
#include "base/program/doctor.h"
#include "pki/authority/alarm.h"
#include "pki/authority/ca.h"
#include "pki/authority/crl_due.h"
#include "pki/authority/responder.h"
#include "pki/client/client.h"
#include "pki/operator/operator.h"

#define ARENA_MAX ((size_t)16 << 20)
#define SEEN USEC_PER_MIN                 /* processes say so every few seconds */
#define SIGNER_PATIENCE (5 * USEC_PER_SEC)
#define LIST_RED (6 * USEC_PER_HOUR)      /* P-134 */
#define LIST_WARN (12 * USEC_PER_HOUR)
#define ROOT_LIST_WARN (30 * USEC_PER_DAY)        /* it takes a ceremony */
#define CA_WARN (180 * USEC_PER_DAY)      /* so does a renewal */
#define RESPONDER_WARN USEC_PER_DAY
#define STATION_WARN (30 * USEC_PER_DAY)

static const char *
reason(const struct why *why, enum err e)
{
    return why->text[0] != '\0' ? why->text : err_name(e);
}

/* What ends then: failed once it has, a warning before. UTIME_NULL: there is none. */
static void
end_say(struct doctor *d, const char *check, const char *what, utime end, int64_t warn, enum doctor_verdict without)
{
    char until[UTIME_RFC3339_LEN + 1];
    const utime now = clock_now();

    if (end == UTIME_NULL) {
        doctor_say(d, check, without, "%s: none", what);
        return;
    }
    utime_rfc3339(end, until);
    doctor_say(d, check, end <= now ? DOCTOR_FAIL : end - now < warn ? DOCTOR_WARN : DOCTOR_GOOD, "%s: until %s", what, until);
}

/* --- the database ------------------------------------------------------------------------------------------------------------- */

/* Does a process reach it with this setting, and as a role that may not do everything? */
static void
role_look(struct doctor *d, const char *setting, const char *conninfo, bool production)
{
    static const struct pg_stmts *const role[] = { &doctor_role_stmts, NULL };
    const struct pg_config conf = command_pg_config(conninfo, role);
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    enum err e;

    if (conninfo[0] == '\0')
        return;
    if ((e = pg_open(&conf, &pg, &why)) != OK || (e = doctor_store_role(pg, &r, &why)) != OK)
        doctor_say(d, "roles", DOCTOR_FAIL, "%s: %s", setting, reason(&why, e));
    else if (pg_bool(r, 0, 1) && strcmp(setting, "database.owner") != 0)
        doctor_say(d, "roles", production ? DOCTOR_FAIL : DOCTOR_WARN, "%s: %s may do everything: a process has a role of its own",
                   setting, pg_text(r, 0, 0));
    else
        doctor_say(d, "roles", DOCTOR_GOOD, "%s: as %s", setting, pg_text(r, 0, 0));
}

static void
nodes(struct doctor *d, struct pg *pg, const char *process, utime now)
{
    AUTO(pg_result_freep) struct pg_result *r = NULL;
    struct why why = WHY_INIT;
    const enum err e = doctor_store_nodes(pg, &r, &why);
    bool seen = false;

    if (e != OK)
        doctor_say(d, "processes", DOCTOR_FAIL, "%s", reason(&why, e));
    for (int i = 0; i < pg_rows(r) && e == OK; i++) {
        char at[UTIME_RFC3339_LEN + 1];

        utime_rfc3339(pg_time(r, i, 3), at);
        seen = seen || (process != NULL && strcmp(pg_text(r, i, 1), process) == 0 && pg_time(r, i, 3) > now - SEEN);
        doctor_say(d, "processes", pg_time(r, i, 3) > now - SEEN ? DOCTOR_GOOD : DOCTOR_WARN, "%s: %s, seen at %s", pg_text(r, i, 0),
                   pg_text(r, i, 2), at);
    }
    if (e == OK && process != NULL && !seen)
        doctor_say(d, "processes", DOCTOR_WARN, "no %s was seen in the last minute", process);
}

static void
lists(struct doctor *d, struct pg *pg, utime now)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    char label[CA_LABEL_SIZE], what[CA_LABEL_SIZE + 16];
    struct crl_shard *list = NULL;
    struct why why = WHY_INIT;
    size_t n = 0;
    const enum err e = crl_shards(pg, a, &list, &n, &why);

    if (e != OK)
        doctor_say(d, "lists", DOCTOR_FAIL, "%s", reason(&why, e));
    for (size_t i = 0; i < n && e == OK; i++) {
        const struct crl_shard *s = &list[i];

        ca_label(s->name, s->generation, label);
        snprintf(what, sizeof(what), "%s/%d", label, s->shard);
        if (s->has_full && !s->root && s->next_update > now && s->next_update - now < LIST_RED)
            doctor_say(d, "lists", DOCTOR_FAIL, "%s: the newest list ends in less than 6 hours", what);
        else
            end_say(d, "lists", what, s->has_full ? s->next_update : UTIME_NULL, s->root ? ROOT_LIST_WARN : LIST_WARN,
                    s->root ? DOCTOR_WARN : DOCTOR_FAIL);
    }
}

static void
named_ends(struct doctor *d, const char *check, const struct pg_result *r, int64_t warn)
{
    for (int i = 0; i < pg_rows(r); i++)
        end_say(d, check, pg_text(r, i, 0), pg_time(r, i, 1), warn, DOCTOR_WARN);
}

static void
responders_and_stations(struct doctor *d, const struct pki *pki, struct pg *pg)
{
    AUTO(pg_result_freep) struct pg_result *responders = NULL;
    AUTO(pg_result_freep) struct pg_result *stations = NULL;
    const struct profile *p = responder_profile(&pki->profiles);
    struct why why = WHY_INIT;
    enum err e;

    if (p == NULL)
        doctor_say(d, "responders", DOCTOR_WARN, "no profile for OCSP signing");
    else if ((e = doctor_store_responders(pg, p->name, &responders, &why)) != OK)
        doctor_say(d, "responders", DOCTOR_FAIL, "%s", reason(&why, e));
    else
        named_ends(d, "responders", responders, RESPONDER_WARN);
    if ((e = doctor_store_stations(pg, &stations, &why)) != OK)
        doctor_say(d, "stations", DOCTOR_FAIL, "%s", reason(&why, e));
    else
        named_ends(d, "stations", stations, STATION_WARN);
}

static void
alarms(struct doctor *d, struct pg *pg)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    struct why why = WHY_INIT;
    struct alarm *list = NULL;
    size_t n = 0;
    const enum err e = alarm_list(pg, a, &list, &n, &why);

    if (e != OK)
        doctor_say(d, "alarms", DOCTOR_FAIL, "%s", reason(&why, e));
    else if (n == 0)
        doctor_say(d, "alarms", DOCTOR_GOOD, "none");
    for (size_t i = 0; i < n; i++)
        doctor_say(d, "alarms", list[i].level == ALARM_RED ? DOCTOR_FAIL : DOCTOR_WARN, "%s %s: %s", list[i].kind, list[i].object,
                   list[i].text);
}

/* Keys that lie in files, where this is the signer's machine: there, and for its owner's eyes. */
static void
sealed_key(struct doctor *d, const char *label, const char *uri, bool signer)
{
    struct stat st;

    if (strncmp(uri, "sealed:", 7) != 0)
        return;
    if (stat(uri + 7, &st) != 0) {
        if (signer)
            doctor_say(d, "ca keys", DOCTOR_FAIL, "%s: %s: %s", label, uri + 7, strerror(errno));
    } else {
        doctor_say(d, "ca keys", (st.st_mode & 077) != 0 ? DOCTOR_FAIL : DOCTOR_GOOD, "%s: %s: mode %04o", label, uri + 7,
                   (unsigned)(st.st_mode & 07777));
    }
}

static void
authorities(struct doctor *d, struct pg *pg, bool signer)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    char label[CA_LABEL_SIZE];
    struct why why = WHY_INIT;
    struct ca *list = NULL;
    size_t n = 0;
    const enum err e = ca_list(pg, a, &list, &n, &why);

    if (e != OK || n == 0)
        doctor_say(d, "authorities", e != OK ? DOCTOR_FAIL : DOCTOR_WARN, "%s", e != OK ? reason(&why, e) : "none yet: hold a ceremony");
    for (size_t i = 0; i < n && e == OK; i++) {
        if (list[i].state != CA_ACTIVE && list[i].state != CA_RETIRING)
            continue;
        ca_label(list[i].name, list[i].generation, label);
        end_say(d, "authorities", label, list[i].not_after, CA_WARN, DOCTOR_FAIL);
        sealed_key(d, label, list[i].key_uri, signer);
    }
}

static void
database(struct doctor *d, const struct pki *pki, const char *process)
{
    AUTO(pg_closep) struct pg *pg = NULL;
    struct doctor_state s = { .clock = 0 };
    struct why why = WHY_INIT;
    const utime now = clock_now();
    utime before;
    enum err e;

    if ((e = command_database(pki->conf.database, pki->conf.database_owner, &pg, &why)) != OK) {
        doctor_say(d, "database", DOCTOR_FAIL, "%s", reason(&why, e));
        return;
    }
    doctor_say(d, "database", DOCTOR_GOOD, "reached; its schema is the one of this program");
    before = doctor_host_clock();
    if ((e = doctor_store_look(pg, now - DOCTOR_OVERDUE, now - DOCTOR_UNSEALED, &s, &why)) != OK) {
        doctor_say(d, "database", DOCTOR_FAIL, "%s", reason(&why, e));
        return;
    }
    doctor_clock(d, s.clock, before, doctor_host_clock());
    nodes(d, pg, process, now);
    authorities(d, pg, process != NULL && strcmp(process, "signer") == 0);
    lists(d, pg, now);
    responders_and_stations(d, pki, pg);
    doctor_jobs(d, s.overdue, s.overdue_kind, s.dead);
    doctor_audit(d, s.unsealed);
    alarms(d, pg);
}

/* --- the signer ----------------------------------------------------------------------------------------------------------------- */

/* "ca LABEL STATE SET open|locked" */
static void
signer_line(struct doctor *d, struct str line)
{
    struct str w[5] = { STR_NULL }, rest = line;
    size_t n = 0;

    while (n < ARRAY_LEN(w) && rest.p != NULL)
        w[n++] = str_split(rest, ' ', &rest);
    if (n == 5 && str_eqs(w[0], "ca"))
        doctor_say(d, "signer", str_eqs(w[4], "open") ? DOCTOR_GOOD : DOCTOR_WARN, "%.*s is %.*s", (int)w[1].n, w[1].p, (int)w[4].n, w[4].p);
}

static void
signer(struct doctor *d, const char *path)
{
    AUTO(signer_client_freep) struct signer_client *c = NULL;
    AUTO(buf_free) struct buf state = BUF_BOUNDED(64 * 1024);
    struct why why = WHY_INIT;
    struct str rest;
    struct stat st;
    enum err e;

    if (path[0] == '\0')
        return;
    if (stat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        doctor_say(d, "signer", DOCTOR_FAIL, "%s: no socket: the signer does not run", path);
        return;
    }
    c = signer_client_new(path, SIGNER_PATIENCE);
    if ((e = signer_status(c, &state, &why)) != OK) {
        doctor_say(d, "signer", e == ERR_DENIED ? DOCTOR_WARN : DOCTOR_FAIL, "%s: %s", path, reason(&why, e));
        return;
    }
    for (rest = buf_view(&state); rest.n > 0;)
        signer_line(d, str_split(rest, '\n', &rest));
}

/* --- the visit ------------------------------------------------------------------------------------------------------------------- */

static int
visit(const char *config, const char *process, unsigned need, bool as_json)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(doctor_freep) struct doctor *d = doctor_new(as_json);
    struct pki scratch = { .audit_key = NULL };
    struct why why = WHY_INIT;
    const enum err e = pki_load(config, PKI_NEED_PROFILES, &pki, &why);
    bool production;

    doctor_configuration(d, config, e == OK ? (enum environment)pki->conf.environment : ENVIRONMENT_PRODUCTION, e, &why);
    if (e != OK)
        return doctor_end(d);
    production = pki->conf.environment == ENVIRONMENT_PRODUCTION;
    doctor_keys(d, pki->conf.keys, process != NULL ? need : PKI_NEED_SIGNER | PKI_NEED_FRONT | PKI_NEED_STATUS, process != NULL, &scratch);
    doctor_certificate_file(d, pki->conf.front_tls_cert, true);
    doctor_certificate_file(d, pki->conf.front_client_ca, true);
    role_look(d, "database", pki->conf.database, production && process != NULL);
    role_look(d, "database.worker", pki->conf.database_worker, production);
    role_look(d, "database.owner", pki->conf.database_owner, production);
    database(d, pki, process);
    signer(d, pki->conf.signer_socket);
    if (pki->conf.mail_smtp_url[0] != '\0' || pki->conf.front_listen.n > 0)
        doctor_mail_out(d, pki->conf.mail_smtp_url, "nobody is told of expiry and alarms");
    if (pki->conf.status_folder[0] != '\0')
        doctor_room(d, "status.folder", pki->conf.status_folder);
    doctor_room(d, "keys", pki->conf.keys);
    return doctor_end(d);
}

int
operator_doctor(int argc, char **argv)
{
    const char *config = NULL, *process = NULL, *words[1] = { NULL };
    bool as_json = false;
    const struct command_option options[] = {
        { "--config", &config, NULL }, { "--for", &process, NULL }, { "--json", NULL, &as_json },
    };
    unsigned need = 0;
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 1, &n) || config == NULL || n != 0 ||
        (process != NULL && !program_process_find(process, &need)))
        return command_usage("doctor --config FILE [--for signer|front|status] [--json]");
    log_start("beffroi-pki doctor", LOG_LEVEL_ERROR);
    return visit(config, process, need, as_json);
}
