/*
 * notifier: tells services that a session ended, in their dialect, from the jobs that signon inserts. A process of its
 * own, because its messages are signed: it holds the SAML and OIDC keys and reads nothing but the answers of registered
 * services, while the worker reads strangers' mail and holds none of these keys. Several may run: jobs are leased.
 */
#include "idp/operator/operator.h"

#include "base/core/log.h"
#include "base/pg/job.h"
#include "base/program/process.h"
#include "idp/signon/signon.h"

#define JOB_THREADS 2
#define LEASE (60 * USEC_PER_SEC)

static const char *
kind_name(enum service_kind kind)
{
    return kind == SERVICE_SAML ? "saml" : "oidc";
}

/* The dialect of the service says it in its own words; a dialect without such a message has nothing to say. */
static enum err
signon_notice(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    struct idp *idp = arg;
    struct str rest, head = str_split(job->payload, ' ', &rest);
    const struct services_view *view;
    const struct service *sv;
    int64_t id;
    enum err e = OK;

    if (str_to_i64(head, 1, INT32_MAX, &id) != OK)
        return why_set(why, ERR_INTERNAL, "the payload is not one of ours");
    view = services_hold(idp->services);
    sv = services_by_id(view, (int32_t)id);
    for (size_t i = 0; sv != NULL && idp->dialects[i] != NULL; i++) {
        if (strcmp(idp->dialects[i]->name, kind_name(sv->kind)) == 0 && idp->dialects[i]->logout_notice != NULL)
            e = idp->dialects[i]->logout_notice(idp, pg, job->payload, why);
    }
    services_release(view);
    return e;
}

static enum err
run(struct idp *idp, const struct pg_config *pg, const struct process *process, struct why *why)
{
    const struct job_kind kinds[] = { { SIGNON_NOTICE_JOB, signon_notice, LEASE, idp } };
    struct job_runner *runner = NULL;
    enum err e;

    if ((e = job_runner_start(pg, kinds, ARRAY_LEN(kinds), JOB_THREADS, &runner, why)) != OK)
        return e;
    LOG_INFO_EV("notifier.ready");
    process_wait(process, NULL, NULL);
    job_runner_stop(runner);
    return OK;
}

int
operator_notifier(int argc, char **argv)
{
    AUTO(idp_freep) struct idp *idp = NULL;
    struct pg_config pg;
    struct process process;
    struct why why = WHY_INIT;
    enum err e;
    int status;

    if ((status = process_begin(argc, argv, "notifier", "notifier", false, &process)) != 0)
        return status;
    if ((e = idp_load(process.config, IDP_NEED_NOTIFIER, &idp, &why)) != OK)
        return command_fail(process.config, e, &why);
    pg = command_pg_config(process.database != NULL ? process.database : idp->conf.database, idp_notifier_stmts);
    idp->dialects = idp_dialects;
    if ((e = services_open(&pg, "notifier", idp_service_parsers, &idp->services, &why)) != OK)
        return command_fail("services", e, &why);
    e = run(idp, &pg, &process, &why);
    services_close(idp->services);
    return e == OK ? 0 : command_fail("notifier", e, &why);
}
