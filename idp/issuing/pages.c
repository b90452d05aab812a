/*
 * pages: whose certificate, for which device, in which way (P-053). The addresses are those of an activation, below the stage that
 * proves the code, or of the citizen's own page, for a renewal. GET changes nothing; the choice of a device is an address, so that
 * it is made again by going back.
 */
#include "idp/issuing/issuing-internal.h"

#include "base/core/log.h"

#define OWN "/ma-page/certificat"

bool
place_load(struct http_request *req, struct place *ret)
{
    const char *token = http_path_param(req, "token");
    const struct session *session = http_session(req);
    struct place p = { .renewal = token == NULL };
    char account_id[37];
    struct why why = WHY_INIT;
    enum err e;

    if (!p.renewal && !activation_stage_load(req, account_id, p.link_digest))
        return false;
    e = account_by_id(http_pg(req), p.renewal ? session->account_id : account_id, &p.account, &why);
    if (e != OK) {
        LOG_ERROR_EV("issuing.place", LF_ERR(e), LF_WHY(&why));
        idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
        return false;
    }
    if (p.account.type != ACCOUNT_X509_SOFT) {
        /* Another kind of account has no such page. */
        http_reply_redirect(req, p.renewal ? arena_printf(http_arena(req), "%s/", http_base_url(req))
                                           : arena_printf(http_arena(req), "%s/activate/%s/%s", http_base_url(req), token,
                                                          http_path_param(req, "stage")));
        return false;
    }
    p.base = p.renewal ? OWN : arena_printf(http_arena(req), "/activate/%s/%s/certificate", token, http_path_param(req, "stage"));
    *ret = p;
    return true;
}

static const char *
absolute(struct http_request *req, const char *path)
{
    return arena_printf(http_arena(req), "%s%s", http_base_url(req), path);
}

/* --- refusals -------------------------------------------------------------------------------------------------------------- */

/* By code, or the beginning of one; the first that fits. */
static const struct {
    const char *code;
    int status;
    const char *message;
} refusals[] = {
    { "issuing.busy", 409, "issuing.error.busy" },
    { "issuing.many", 429, "issuing.error.many" },
    { "issuing.key", 409, "issuing.error.key" },
    { "issuing.names", 409, "issuing.error.counter" },
    { "issuing.none", 409, "issuing.error.none" },
    { "issuing.request.both", 422, "issuing.error.request_both" },
    { "issuing.request.none", 422, "issuing.error.request_none" },
    { "issuing.request.large", 422, "issuing.error.request_large" },
    { "issuing.request.key", 422, "issuing.error.request_key" },
    { "issuing.request.certificate", 422, "issuing.error.request_certificate" },
    { "issuing.request", 422, "issuing.error.request" },
    { "issuing.passphrase", 422, "issuing.error.passphrase" },
    { "issuing.state", 409, "issuing.error.state" },
    { "pki.key.used", 409, "issuing.error.key" },
    { "pki.key.", 422, "issuing.error.weak" },
    { "pki.csr.", 422, "issuing.error.request" },
    { "est.subject", 422, "issuing.error.subject" },
    { "pki.renew.early", 409, "issuing.error.early" },
    { "pki.renew.", 409, "issuing.error.counter" },
    { "pki.profile.renewals", 409, "issuing.error.counter" },
    { "pki.proof.", 409, "issuing.error.counter" },
};

void
issuing_refuse(struct http_request *req, const struct place *p, enum err e, const struct why *why)
{
    struct page_data *d = idp_page(req);
    const char *message = "issuing.error.later";
    int status = 503;

    LOG_WARN_EV("issuing.refused", LF_ERR(e), LF_WHY(why));
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (str_starts(str_of(why->code), refusals[i].code)) {
            message = refusals[i].message;
            status = refusals[i].status;
            break;
        }
    }
    if (status == 503)
        http_header_add(req, "Retry-After", "60");
    page_msg(d, "message", message);
    page_str(d, "back_url", p->base);
    idp_reply_page(req, status, "issuing/refused.html", d);
}

bool
issuing_enter(struct http_request *req, const struct place *p)
{
    const struct idp *idp = http_app(req);
    struct why why = WHY_INIT;

    if (idp->authority != NULL && authority_enter(idp->authority))
        return true;
    issuing_refuse(req, p, why_code(&why, ERR_UNAVAILABLE, "authority.busy", "%s",
                                    idp->authority == NULL ? "pki.url is not set" : "all places are taken"), &why);
    return false;
}

/* --- which device? ------------------------------------------------------------------------------------------------------------ */

/* The certificate that waits for its holder to say that it came; not a file that is on its way. */
static bool
waits(struct http_request *req, const struct place *p)
{
    struct enrolment x;
    struct why why = WHY_INIT;

    return enrolment_store_waiting(http_pg(req), p->account.id, &x, &why) == OK && x.way != ENROL_FILE;
}

static void
choose_page(struct http_request *req, const struct place *p, int status, const char *chosen, const char *problem)
{
    struct page_data *d = idp_page(req);

    page_str(d, "csrf", http_csrf_token(req));
    page_bool(d, "renewal", p->renewal);
    page_bool(d, "keep_mail", http_form(req, "keep_mail") != NULL);
    for (size_t i = 0; i < ndevices; i++) {
        struct page_data *item = page_item(d, "devices");

        page_str(item, "value", devices[i].name);
        page_msg(item, "label", devices[i].label);
        page_bool(item, "selected", strcmp(devices[i].name, chosen) == 0);
    }
    if (waits(req, p))
        page_str(d, "issued_url", arena_printf(http_arena(req), "%s/issued", p->base));
    if (p->renewal)
        page_str(d, "back_url", "/");
    if (problem != NULL)
        page_field_error(d, "device", problem);
    idp_reply_page(req, status, "issuing/choose.html", d);
}

void
get_certificate_choose(struct http_request *req)
{
    struct place p;

    if (place_load(req, &p))
        choose_page(req, &p, 200, device_guess(http_header(req, "User-Agent"))->name, NULL);
}

void
post_certificate_choose(struct http_request *req)
{
    const struct device *device = device_find(http_form(req, "device"));
    struct place p;

    if (!place_load(req, &p))
        return;
    if (device == NULL)
        choose_page(req, &p, 422, "", "issuing.error.device");
    else
        http_reply_redirect(req, arena_printf(http_arena(req), "%s%s/%s%s", http_base_url(req), p.base, device->name,
                                              http_form(req, "keep_mail") != NULL ? "?keep_mail=1" : ""));
}

bool
renewal_proved(struct http_request *req, const struct place *p, const struct device *device)
{
    const struct signon_request again = { .accept = METHOD_SOFT_CERT | METHOD_CARD };

    if (!p->renewal || signon_proof_is_fresh(req))
        return true;
    signon_prove_again(req, &again, device == NULL ? p->base : arena_printf(http_arena(req), "%s/%s", p->base, device->name));
    return false;
}

/* --- the three ways ------------------------------------------------------------------------------------------------------------ */

void
get_certificate_device(struct http_request *req)
{
    const struct device *device = device_find(http_path_param(req, "device"));
    const struct idp *idp = http_app(req);
    char passphrase[PKCS12_PASSPHRASE_SIZE];
    struct page_data *d;
    struct place p;

    if (!place_load(req, &p))
        return;
    if (device == NULL) {
        http_reply_redirect(req, absolute(req, p.base));
        return;
    }
    if (!renewal_proved(req, &p, device))
        return;
    pkcs12_passphrase(passphrase);
    d = idp_page(req);
    page_str(d, "csrf", http_csrf_token(req));
    page_msg(d, "device", device->label);
    page_str(d, "passphrase", passphrase);
    page_bool(d, "keep_mail", http_query(req, "keep_mail") != NULL);
    for (size_t i = 0; i < ARRAY_LEN(device->steps) && device->steps[i] != NULL; i++)
        page_msg(page_item(d, "steps"), "text", device->steps[i]);
    page_str(d, "file_url", arena_printf(http_arena(req), "%s/%s/file", p.base, device->name));
    page_str(d, "request_url", arena_printf(http_arena(req), "%s/%s/request", p.base, device->name));
    page_str(d, "done_url", arena_printf(http_arena(req), "%s/done", p.base));
    page_bool(d, "browser", !device->profile);
    page_bool(d, "older", device->form == PKCS12_3DES);
    page_str(d, "file_name", arena_printf(http_arena(req), "certificat.%s", device->suffix));
    page_str(d, "file_type", device->type);
    page_str(d, "back_url", p.base);
    page_bool(d, "renewal", p.renewal);
    if (p.renewal)
        page_str(d, "subject_url", OWN "/subject");
    if ((signon_methods_offered(idp) & METHOD_SOFT_CERT) != 0)
        page_str(d, "test_url", arena_printf(http_arena(req), "%s/test", p.base));
    /* The page's script asks for the certificate and gives the file to the browser. */
    http_header_add(req, "Content-Security-Policy",
                    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
    idp_reply_page(req, 200, "issuing/deliver.html", d);
    mem_wipe(passphrase, sizeof(passphrase));
}

/* --- it came: said by its holder, or shown ----------------------------------------------------------------------------------- */

void
post_certificate_done(struct http_request *req)
{
    struct enrolment x;
    struct why why = WHY_INIT;
    struct page_data *d;
    struct place p;
    enum err e;

    if (!place_load(req, &p))
        return;
    e = enrolment_store_waiting(http_pg(req), p.account.id, &x, &why);
    if (e == OK && x.way == ENROL_FILE)      /* whether a file came is seen, or tried; it is not said */
        e = why_code(&why, ERR_CONFLICT, "issuing.none", "a file waits for its test");
    if (e == OK)
        e = enrol_deliver(http_app(req), http_pg(req), x.id, http_now(req), &why);
    if (e != OK) {
        issuing_refuse(req, &p, e, &why);
        return;
    }
    d = idp_page(req);
    page_bool(d, "renewal", p.renewal);
    page_str(d, "signin_url", "/login");
    idp_reply_page(req, 200, "issuing/done.html", d);
}

/* A link: nothing is kept of it but its own address, and a form's policy would stop at the door's host name. */
void
get_certificate_test(struct http_request *req)
{
    struct signon_request rq = { .accept = METHOD_SOFT_CERT, .force_authn = true, .max_age = -1 };
    struct place p;

    if (place_load(req, &p))
        signon_ask_certificate(req, issuing_dialect.name, &rq, str_of(p.account.id), false);
}

/* The certificate of the account that began the test, and no other one's. */
static enum err
tried(struct http_request *req, struct str state, const char *account_id, const char *certificate_id, struct why *why)
{
    struct enrolment x;
    enum err e;

    if (!str_eqs(state, account_id))
        return why_code(why, ERR_DENIED, "issuing.other", "the certificate is of another account than the test");
    if ((e = enrolment_store_by_certificate(http_pg(req), certificate_id, &x, why)) != OK)
        return e;
    return enrol_deliver(http_app(req), http_pg(req), x.id, http_now(req), why);
}

static void
resume(struct http_request *req, const char *flow_id, utime flow_started, struct str state)
{
    (void)flow_id, (void)flow_started, (void)state;
    http_reply_redirect(req, absolute(req, "/?fait=certificat"));
}

const struct signon_dialect issuing_dialect = { .name = "issuing", .resume = resume, .certificate = tried };
