/* proof: whoever changes how they sign in has proved who they are a few minutes ago. See citizen-internal.h. */
#include "idp/citizen/citizen-internal.h"

#include "base/core/log.h"
#include "idp/credential/login.h"

bool
citizen_proved(struct http_request *req, const char *path)
{
    const struct session *s = http_session(req);
    struct signon_request again = { .accept = METHOD_ANY };
    struct why why = WHY_INIT;
    const char *login;
    enum err e;

    if (signon_proof_is_fresh(req))
        return true;
    if ((e = login_of(http_pg(req), s->account_id, http_arena(req), &login, &why)) != OK) {
        LOG_ERROR_EV("citizen.proof", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return false;
    }
    if (login[0] != '\0')
        again.login_hint = login;
    signon_prove_again(req, &again, path);
    return false;
}

bool
citizen_is_uuid(const char *s)
{
    return s != NULL && strlen(s) == 36 && strspn(s, "0123456789abcdef-") == 36;
}
