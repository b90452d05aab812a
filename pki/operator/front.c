/* front: the process that stations speak to. */
#include "pki/front/front.h"

#include "pki/operator/operator.h"

int
operator_front(int argc, char **argv)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    struct pg_config pg, mail;
    const char *database;
    struct process process;
    struct why why = WHY_INIT;
    enum err e;
    int status;

    if ((status = process_begin(argc, argv, "front", "front", true, &process)) != 0)
        return status;
    if ((e = pki_load(process.config, PKI_NEED_FRONT, &pki, &why)) != OK)
        return command_fail(process.config, e, &why);
    database = process.database != NULL ? process.database : pki->conf.database;
    pg = command_pg_config(database, front_stmts);
    mail = command_pg_config(database, front_mail_stmts);
    e = front_run(pki, &process, &pg, &mail, &why);
    return e == OK ? 0 : command_fail("front", e, &why);
}
