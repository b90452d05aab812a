/* proof: whoever changes how they sign in has proved who they are a few minutes ago. See citizen-internal.h. */
#include "idp/citizen/citizen-internal.h"

#include "base/core/log.h"
#include "idp/credential/login.h"

#define PROOF_AGE (10 * USEC_PER_MIN)
#define PROOF_SHOWN (10 * USEC_PER_MIN)

bool
citizen_proved(struct http_request *req, const char *path)
{
    const struct session *s = http_session(req);
    struct signon_request again = { .accept = METHOD_ANY, .max_age = -1, .force_authn = true };
    int64_t most = PROOF_AGE + (http_method(req) == HTTP_POST ? PROOF_SHOWN : 0);
    struct why why = WHY_INIT;
    const char *login;
    enum err e;

    if (http_now(req) - s->auth_time <= most)
        return true;
    if ((e = login_of(http_pg(req), s->account_id, http_arena(req), &login, &why)) != OK) {
        LOG_ERROR_EV("citizen.proof", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return false;
    }
    if (login[0] != '\0')
        again.login_hint = login;
    signon_ask(req, "own", &again, str_of(path));
    return false;
}

bool
citizen_is_uuid(const char *s)
{
    return s != NULL && strlen(s) == 36 && strspn(s, "0123456789abcdef-") == 36;
}
