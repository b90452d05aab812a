/*
 * /ma-page/donnees: everything kept here about the account of who is signed in, as a JSON file (GDPR articles 15 and 20).
 * Left out: the password's hash, the keyed hashes of codes and the keys of second factors, which are no information about a
 * person; they are named with their dates.
 */
#include "idp/citizen/citizen-internal.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/core/log.h"
#include "idp/credential/certificate.h"

/* More than anybody has: what is left out is said. */
#define VISITS_MAX 5000

static json_t *
time_json(utime t)
{
    char text[UTIME_RFC3339_LEN + 1];

    if (t == UTIME_NULL)
        return json_null();
    utime_rfc3339(t, text);
    return json_string(text);
}

static const char *
method_word(unsigned method)
{
    if ((method & METHOD_SECOND) != 0)
        return (method & METHOD_PASSKEY) != 0 ? "password and passkey" : "password and code";
    return (method & METHOD_CARD) != 0 ? "card" : (method & METHOD_SOFT_CERT) != 0 ? "certificate" : "password";
}

static json_t *
service_json(const struct services_view *view, int32_t id)
{
    const struct service *sv = id == 0 ? NULL : services_by_id(view, id);

    return sv == NULL ? json_null() : json_pack("{s:s, s:s}", "name", sv->name, "label", sv->label_fr);
}

static json_t *
account_json(const struct mine *m)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s?}", "user_name", m->login, "town", m->town.label_fr, "type",
                     account_type_name(m->account.type), "state", account_state_name(m->account.state), "state_since",
                     time_json(m->account.state_since), "language", m->account.lang, "handle_at_the_town_hall",
                     m->account.handle, "kept_address", m->mail);
}

static json_t *
sessions_json(const struct mine *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->nsessions; i++)
        json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:b}", "since", time_json(m->sessions[i].since), "method",
                                              method_word(m->sessions[i].method), "network", m->sessions[i].ip_prefix,
                                              "this_one", m->sessions[i].this_one));
    return list;
}

static json_t *
visits_json(const struct services_view *view, const struct citizen_visit *visits, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:s, s:o}", "at", time_json(visits[i].at), "method",
                                              method_word(visits[i].method), "result", visits[i].result, "network",
                                              visits[i].ip_prefix, "service", service_json(view, visits[i].service_id)));
    return list;
}

static json_t *
services_json(const struct services_view *view, const struct mine *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->nservices; i++)
        json_array_append_new(list, json_pack("{s:o, s:s?, s:o, s:I}", "service",
                                              service_json(view, m->services[i].service_id), "identifier_there",
                                              m->services[i].identifier, "last_answer", time_json(m->services[i].last_at),
                                              "answers", (json_int_t)m->services[i].count));
    return list;
}

static json_t *
consents_json(const struct services_view *view, const struct mine *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->nconsents; i++)
        json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "service",
                                              service_json(view, m->consents[i].service_id), "agreed_to",
                                              m->consents[i].items, "at", time_json(m->consents[i].at)));
    return list;
}

static json_t *
rights_json(const struct citizen_right *rights, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "code", rights[i].code, "granted_at",
                                              time_json(rights[i].granted_at), "valid_until",
                                              time_json(rights[i].valid_until), "ended_at", time_json(rights[i].ended_at)));
    return list;
}

static json_t *
codes_json(const struct citizen_code *codes, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "kind", codes[i].kind, "state", codes[i].state,
                                              "issued_at", time_json(codes[i].issued_at), "ended_at",
                                              time_json(codes[i].ended_at)));
    return list;
}

/* What names them; the certificate itself is not kept. */
static json_t *
certificates_json(const struct credential_row *rows, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:o, s:b}", "issuer", rows[i].issuer, "serial",
                                              rows[i].serial, "state", rows[i].state, "linked_at",
                                              time_json(rows[i].linked_at), "until", time_json(rows[i].not_after),
                                              "added_by_holder", rows[i].by_holder));
    return list;
}

/* The program's key and the passkeys' numbers are no information about a person, and would open the account. */
static json_t *
factors_json(const struct factors *f)
{
    json_t *passkeys = json_array();

    for (size_t i = 0; i < f->npasskeys; i++)
        json_array_append_new(passkeys, json_pack("{s:s, s:o, s:o}", "name", f->passkeys[i].name, "added_at",
                                                  time_json(f->passkeys[i].added_at), "used_at",
                                                  time_json(f->passkeys[i].used_at)));
    return json_pack("{s:o, s:o, s:I}", "code_program",
                     f->totp ? json_pack("{s:o, s:o}", "added_at", time_json(f->totp_added_at), "used_at",
                                         time_json(f->totp_used_at))
                             : json_null(),
                     "passkeys", passkeys, "recovery_codes_left", (json_int_t)f->recovery);
}

struct data {
    struct mine mine;
    struct citizen_visit *visits;
    struct citizen_right *rights;
    struct citizen_code *codes;
    size_t nvisits, nrights, ncodes;
};

static enum err
data_load(struct http_request *req, struct data *d, struct why *why)
{
    const struct session *s = http_session(req);
    struct arena *a = http_arena(req);
    struct pg *pg = http_pg(req);
    enum err e;

    if ((e = mine_load(req, &d->mine, why)) != OK ||
        (e = citizen_store_visits(pg, s->account_id, VISITS_MAX, a, &d->visits, &d->nvisits, why)) != OK ||
        (e = citizen_store_rights(pg, s->account_id, a, &d->rights, &d->nrights, why)) != OK)
        return e;
    return citizen_store_codes(pg, s->account_id, a, &d->codes, &d->ncodes, why);
}

static void
data_reply(struct http_request *req, const struct data *d)
{
    const struct idp *idp = http_app(req);
    const struct services_view *view = services_hold(idp->services);
    AUTO(json_decrefp) json_t *root = json_pack(
        "{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "written_at", time_json(http_now(req)), "written_by",
        idp->conf.base_url, "account", account_json(&d->mine), "rights", rights_json(d->rights, d->nrights), "certificates",
        certificates_json(d->mine.certificates, d->mine.ncertificates), "password_changed_at",
        time_json(d->mine.password_at), "second_factors", factors_json(&d->mine.factors), "sessions",
        sessions_json(&d->mine), "visits", visits_json(view, d->visits, d->nvisits), "visits_cut",
        d->nvisits == VISITS_MAX, "services", services_json(view, &d->mine), "agreements", consents_json(view, &d->mine),
        "codes", codes_json(d->codes, d->ncodes));
    char *text;

    services_release(view);
    CHECK(root != NULL && (text = json_dumps(root, JSON_INDENT(2))) != NULL);
    http_header_add(req, "Content-Disposition", "attachment; filename=\"mon-compte.json\"");
    http_reply_json(req, 200, text);
    free(text);
}

void
get_my_data(struct http_request *req)
{
    struct why why = WHY_INIT;
    struct data d;
    enum err e;

    if ((e = data_load(req, &d, &why)) == OK) {
        data_reply(req, &d);
        return;
    }
    LOG_ERROR_EV("citizen.data", LF_ERR(e), LF_WHY(&why));
    idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
}
