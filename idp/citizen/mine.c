/* mine: what is known of the account of who is signed in, read once for a page or a file. */
#include "idp/citizen/citizen-internal.h"

#include "idp/account/contact.h"
#include "idp/credential/login.h"

enum err
mine_load(struct http_request *req, struct mine *m, struct why *why)
{
    const struct idp *idp = http_app(req);
    const struct session *s = http_session(req);
    struct pg *pg = http_pg(req);
    struct arena *a = http_arena(req);
    enum err e;

    if ((e = account_by_id(pg, s->account_id, &m->account, why)) != OK ||
        (e = town_by_id(pg, m->account.town_id, a, &m->town, why)) != OK ||
        (e = login_of(pg, s->account_id, a, &m->login, why)) != OK ||
        (e = account_authz_list(pg, s->account_id, http_now(req), a, &m->authz, &m->nauthz, why)) != OK ||
        (e = authz_labels_of(pg, m->account.town_id, a, &m->labels, why)) != OK ||
        (e = session_list(pg, s, http_now(req), a, &m->sessions, &m->nsessions, why)) != OK ||
        (e = consent_list(pg, s->account_id, a, &m->consents, &m->nconsents, why)) != OK ||
        (e = login_changed_at(pg, s->account_id, &m->password_at, why)) != OK ||
        (e = factors_load(pg, idp->field, s->account_id, a, &m->factors, why)) != OK ||
        (e = credential_list(pg, s->account_id, a, &m->certificates, &m->ncertificates, why)) != OK)
        return e;
    m->mail = NULL;
    e = contact_find(pg, idp->field, s->account_id, a, &m->mail, why);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    return citizen_store_services(pg, s->account_id, a, &m->services, &m->nservices, why);
}

const char *
method_key(unsigned method)
{
    if ((method & METHOD_SECOND) != 0)
        return (method & METHOD_PASSKEY) != 0 ? "method.password_passkey" : "method.password_otp";
    return (method & METHOD_CARD) != 0 ? "method.card" : (method & METHOD_SOFT_CERT) != 0 ? "method.soft_cert"
                                                                                            : "method.password";
}
