/* front: the process that stations speak to. */
#include "pki/front/front.h"

#include "pki/operator/operator.h"

int
operator_front(int argc, char **argv)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    struct pg_config pg, worker;
    struct process process;
    struct why why = WHY_INIT;
    enum err e;
    int status;

    if ((status = process_begin(argc, argv, "front", "front", true, &process)) != 0)
        return status;
    if ((e = pki_load(process.config, PKI_NEED_FRONT, &pki, &why)) != OK)
        return command_fail(process.config, e, &why);
    pg = command_pg_config(process.database != NULL ? process.database : pki->conf.database, front_stmts);
    worker = command_pg_config(pki->conf.database_worker, front_worker_stmts);
    e = front_run(pki, &process, &pg, pki->conf.database_worker[0] != '\0' ? &worker : NULL, &why);
    return e == OK ? 0 : command_fail("front", e, &why);
}
