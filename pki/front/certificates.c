/* certificates: GET /certificates?before=, GET /certificates/{serial}, PUT …/acceptance (P-121), GET /changes, GET /health. */
#include "pki/front/front-internal.h"

#include "base/core/enc.h"
#include "pki/authority/issue.h"

/* RFC 5280 §5.3.1, as they are said in revocations. */
static const char *
reason_name(int reason)
{
    static const char *const names[] = { [1] = "key_compromise", [3] = "affiliation_changed", [4] = "superseded",
                                         [5] = "cessation_of_operation", [6] = "certificate_hold", [9] = "privilege_withdrawn" };

    return reason >= 0 && (size_t)reason < ARRAY_LEN(names) && names[reason] != NULL ? names[reason] : "unspecified";
}

void
json_time(json_t *object, const char *name, utime t)
{
    char text[UTIME_RFC3339_LEN + 1];

    if (t == UTIME_NULL)
        return;
    utime_rfc3339(t, text);
    json_object_set_new(object, name, json_string(text));
}

void
json_octets(json_t *object, const char *name, struct str octets)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(256 * 1024);

    if (octets.n <= 32)
        hex_encode(&text, octets.p, octets.n);
    else
        base64_encode(&text, octets.p, octets.n);
    json_object_set_new(object, name, json_string(buf_cstr(&text)));
}

json_t *
certificate_json(const struct certificate_row *row)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "ca", row->ca_label, "state", row->state, "profile", row->profile,
                               "registration", row->registration);

    json_octets(object, "serial", row->serial);
    json_time(object, "since", row->state_since);
    json_time(object, "not_before", row->not_before);
    json_time(object, "not_after", row->not_after);
    json_time(object, "accepted_at", row->accepted_at);
    if (row->reason >= 0)
        json_object_set_new(object, "reason", json_string(reason_name(row->reason)));
    if (row->der.p != NULL)
        json_octets(object, "certificate", row->der);
    return object;
}

/* reached: also one that the station may revoke, not only its own. */
static bool
certificate_of_path(struct call *c, bool reached, struct certificate_row *ret)
{
    struct why why = WHY_INIT;
    const enum err e = own_certificate_find(http_pg(c->req), &c->station, str_of(http_path_param(c->req, "serial")),
                                            http_query(c->req, "ca"), reached, http_arena(c->req), ret, &why);

    if (e != OK)
        call_refuse(c, e, &why, "certificate.find", "");
    return e == OK;
}

void
get_certificate(struct http_request *req)
{
    struct certificate_row row;
    struct call c;

    if (call_open(req, LANE_READ, &c) && certificate_of_path(&c, true, &row))
        call_reply_json(&c, 200, certificate_json(&row));
}

/* What ends soon and was not renewed: a station tells the holders, whose addresses it has and we do not. */
void
get_certificates(struct http_request *req)
{
    const char *before = http_query(req, "before"), *after = http_query(req, "after"), *next = "";
    struct certificate_row *list;
    struct why why = WHY_INIT;
    utime until = http_now(req) + RENEW_BEFORE;
    json_t *all;
    struct call c;
    size_t n;
    enum err e = OK;

    if (!call_open(req, LANE_READ, &c))
        return;
    if (before != NULL && utime_parse(before, &until) != OK)
        e = why_code(&why, ERR_INPUT, "certificates.before", "before: a time like 2026-11-21T22:04:05Z.");
    if (e == OK)
        e = own_certificate_ending(http_pg(req), &c.station, until, after != NULL ? after : "", FRONT_CHANGES_MAX, http_now(req),
                                   http_arena(req), &list, &n, &next, &why);
    if (e != OK) {
        call_refuse(&c, e, &why, "certificate.ending", "");
        return;
    }
    all = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, certificate_json(&list[i]));
    call_reply_json(&c, 200, json_pack("{s:o, s:s, s:b}", "certificates", all, "next", next, "more", n == FRONT_CHANGES_MAX));
}

/* The holder has it and says so; a record of it is with whoever handed it over. */
void
put_certificate_acceptance(struct http_request *req)
{
    struct acceptance_body in;
    struct certificate_row row;
    struct why why = WHY_INIT;
    const char *object;
    struct call c;
    enum err e;

    if (!call_open(req, LANE_ISSUE, &c) || !certificate_of_path(&c, false, &row))
        return;
    object = arena_printf(http_arena(req), "certificate:%s", row.id);
    if ((e = acceptance_body_read(http_body(req), http_arena(req), &in, &why)) == OK)
        e = certificate_accept(http_pg(req), row.id, in.proof_ref, c.actor, http_now(req), NULL, &why);
    if (e != OK) {
        call_refuse(&c, e, &why, "certificate.accept", object);
        return;
    }
    if (certificate_of_path(&c, false, &row))
        call_reply_json(&c, 200, certificate_json(&row));
}

/* --- changes ---------------------------------------------------------------------------------------------------------------- */

static json_t *
change_json(const struct own_change *change)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "ca", change->ca_label, "state", change->state, "profile", change->profile,
                               "registration", change->registration);

    json_octets(object, "serial", change->serial);
    if (change->was[0] != '\0')
        json_object_set_new(object, "was", json_string(change->was));
    if (change->reason >= 0)
        json_object_set_new(object, "reason", json_string(reason_name(change->reason)));
    json_time(object, "at", change->at);
    return object;
}

void
get_changes(struct http_request *req)
{
    const char *after = http_query(req, "after"), *limit = http_query(req, "limit"), *next = "";
    struct own_change *list;
    struct why why = WHY_INIT;
    int64_t max = FRONT_CHANGES_MAX;
    json_t *all;
    struct call c;
    bool more = false;
    size_t n;
    enum err e = OK;

    if (!call_open(req, LANE_READ, &c))
        return;
    if (limit != NULL && str_to_i64(str_of(limit), 1, FRONT_CHANGES_MAX, &max) != OK)
        e = why_code(&why, ERR_INPUT, "changes.limit", "limit: 1 to %d.", FRONT_CHANGES_MAX);
    if (e == OK)
        e = own_changes(http_pg(req), &c.station, after != NULL ? after : "", (int)max, http_now(req), http_arena(req), &list, &n,
                        &next, &more, &why);
    if (e == ERR_NOT_FOUND) {              /* 410: read registrations and certificates anew, and begin without a cursor */
        call_refuse_known(&c, 410, why.code, "The cursor is older than what is kept: read the registrations anew.", "changes.read");
        return;
    }
    if (e != OK) {
        call_refuse(&c, e, &why, "changes.read", "");
        return;
    }
    all = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, change_json(&list[i]));
    call_reply_json(&c, 200, json_pack("{s:o, s:s, s:b}", "changes", all, "next", next, "more", more));
}

void
get_health(struct http_request *req)
{
    struct call c;

    if (call_open(req, LANE_READ, &c))
        call_reply_json(&c, 200, json_pack("{s:s, s:s, s:s}", "status", "ok", "node", c.front->node, "signer",
                                           atomic_load(&c.front->signer_state)));
}
