/* status: the process that publishes. */
#include "base/program/process.h"
#include "pki/operator/operator.h"
#include "pki/status/status.h"

int
operator_status(int argc, char **argv)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    struct pg_config pg;
    struct process process;
    struct why why = WHY_INIT;
    enum err e;
    int status;

    if ((status = process_begin(argc, argv, "status", "status", true, &process)) != 0)
        return status;
    if ((e = pki_load(process.config, PKI_NEED_STATUS, &pki, &why)) != OK)
        return command_fail(process.config, e, &why);
    pg = command_pg_config(process.database != NULL ? process.database : pki->conf.database, status_process_stmts);
    e = status_run(pki, &process, &pg, &why);
    return e == OK ? 0 : command_fail("status", e, &why);
}
