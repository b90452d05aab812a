/* command: what the commands share, and what base/program asks of this program. */
#include "mairie-connector/town/command.h"

#include "base/pg/audit.h"
#include "base/pg/job.h"
#include "mairie-connector/town/agent.h"
#include "mairie-connector/town/counter.h"
#include "mairie-connector/town/dossier.h"
#include "mairie-connector/town/outbox.h"
#include "mairie-connector/town/proposal.h"

#define WEB_STMTS &job_stmts, &audit_stmts, &agent_stmts, &throttle_stmts, &authz_stmts, &draft_stmts, &dossier_stmts, \
    &person_stmts, &address_stmts, &outbox_stmts, &proposal_stmts, &sheet_stmts, &trail_stmts
const struct pg_stmts *const mairie_web_stmts[] = { WEB_STMTS, NULL };
const struct pg_stmts *const mairie_all_stmts[] = { WEB_STMTS, &audit_seal_stmts, NULL };
const struct http_routes *const mairie_routes[] = { &mairie_asset_routes, &counter_routes, NULL };

const struct program_door mairie_doors[] = { { "counter", mairie_routes } };
const size_t mairie_ndoors = ARRAY_LEN(mairie_doors);

static void
site_free(void *app)
{
    mairie_free(app);
}

enum err
mairie_site_load(const char *config, unsigned need, struct program_site *ret, struct why *why)
{
    unsigned mairie_need = ((need & PROGRAM_NEED_PAGES) != 0 ? MAIRIE_NEED_PAGES : 0U) |
                           ((need & PROGRAM_NEED_AUDIT_KEY) != 0 ? MAIRIE_NEED_KEYS : 0U);
    struct mairie *m;
    enum err e;

    if ((e = mairie_load(config, mairie_need, &m, why)) != OK)
        return e;
    *ret = (struct program_site){
        .app = m, .free = site_free, .environment = (enum environment)m->conf.environment,
        .database = m->conf.database, .database_owner = m->conf.database_owner, .migrations = m->conf.migrations,
        .keys = m->conf.keys, .audit_key = m->audit_key,
    };
    return OK;
}

enum err
mairie_database(const struct mairie *m, struct pg **ret, struct why *why)
{
    return command_database(m->conf.database, m->conf.database_owner, ret, why);
}
