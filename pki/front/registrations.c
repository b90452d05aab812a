/*
 * registrations: PUT /registrations/{id}, …/identification, POST …/close, GET. A station says for whom it will ask; what a
 * certificate says of its holder comes from here. Names are sealed at once and never read back to anybody.
 */
#include "pki/front/front-internal.h"

#include "base/crypto/seal.h"

#define LIST_MAX 100

static const char *
state_name(enum registration_state state)
{
    switch (state) {
    case REGISTRATION_DRAFT:
        return "draft";
    case REGISTRATION_OPEN:
        return "open";
    case REGISTRATION_CLOSED:
        return "closed";
    }
    return "";
}

static const char *
object_of(struct call *c, const char *id)
{
    return arena_printf(http_arena(c->req), "registration:%s", id);
}

/* --- answers ---------------------------------------------------------------------------------------------------------------- */

static json_t *
certificates_json(const struct certificate_row *list, size_t n)
{
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, certificate_json(&list[i]));
    return all;
}

static void
reply_registration(struct call *c, int status, const char *id)
{
    struct certificate_row *list;
    struct registration r;
    struct why why = WHY_INIT;
    json_t *object;
    size_t n;
    enum err e;

    if ((e = registration_find(http_pg(c->req), id, http_arena(c->req), &r, &why)) != OK ||
        (e = own_certificate_list(http_pg(c->req), id, LIST_MAX, http_arena(c->req), &list, &n, &why)) != OK) {
        call_refuse(c, e, &why, "registration.find", object_of(c, id));
        return;
    }
    object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:o}", "id", r.id, "profile", r.profile, "holder", r.holder,
                       "state", state_name(r.state), "support", registration_support_name(r.support), "proof",
                       registration_proof_name(r.proof), "proof_ref", r.proof_ref, "renewals", (json_int_t)r.renewals, "names",
                       r.subject.p != NULL, "certificates", certificates_json(list, n));
    if (r.town[0] != '\0')
        json_object_set_new(object, "town", json_string(r.town));
    json_time(object, "proof_at", r.proof_at);
    call_reply_json(c, status, object);
}

void
get_registration(struct http_request *req)
{
    struct registration r;
    struct call c;

    if (call_open(req, LANE_READ, &c) && call_registration(&c, http_path_param(req, "id"), &r))
        reply_registration(&c, 200, r.id);
}

/* --- PUT ----------------------------------------------------------------------------------------------------------------------- */

/* The names of what is there are those of the body; erased ones cannot be compared. */
static enum err
names_same(struct call *c, const struct registration *r, const struct subject *names, struct why *why)
{
    AUTO(buf_free) struct buf there = BUF_SECRET(REGISTRATION_SUBJECT_MAX), said = BUF_SECRET(REGISTRATION_SUBJECT_MAX);
    struct subject s;
    enum err e;

    if (r->subject.p == NULL)
        return OK;
    if ((e = registration_open(c->front->pki->field, r, http_arena(c->req), &s, why)) != OK)
        return e;
    registration_subject_text(&s, &there);
    registration_subject_text(names, &said);
    return str_eq(buf_view(&there), buf_view(&said)) ? OK : ERR_CONFLICT;
}

/* Twice is once; the same id for something else is refused, whatever differs. */
static enum err
same(struct call *c, const struct registration *asked, const struct subject *names, struct why *why)
{
    struct registration r;
    enum err e;

    if ((e = registration_find(http_pg(c->req), asked->id, http_arena(c->req), &r, why)) != OK)
        return e;
    e = strcmp(r.station, asked->station) == 0 && strcmp(r.profile, asked->profile) == 0 && strcmp(r.town, asked->town) == 0 &&
                strcmp(r.holder, asked->holder) == 0 && r.support == asked->support && r.proof == asked->proof &&
                strcmp(r.proof_ref, asked->proof_ref) == 0 && r.proof_at == asked->proof_at
            ? names_same(c, &r, names, why) : ERR_CONFLICT;
    return e == ERR_CONFLICT ? why_code(why, e, "registration.exists", "This id was used for another registration.") : e;
}

static enum err
may_register(const struct call *c, const struct registration_body *in, struct why *why)
{
    const struct profile *p = profile_set_find(&c->front->pki->profiles, str_of(in->profile));
    struct subject names = in->names;

    if (!station_has_profile(&c->station, in->profile) || !station_has_town(&c->station, in->town))
        return why_code(why, ERR_DENIED, "pki.station", "This station may not register holders of that profile and town.");
    if (p == NULL || p->use == USE_CA || p->use == USE_OCSP_SIGNING)
        return why_code(why, ERR_DENIED, "pki.profile.unknown", "No such profile can be asked for here.");
    return subject_check(p, &names, why);
}

static enum err
registration_store(struct call *c, struct registration *r, const struct subject *names, bool *ret_new, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(REGISTRATION_SUBJECT_MAX + COLUMN_OVERHEAD);
    struct why there = WHY_INIT;
    enum err e;

    if ((e = registration_seal(c->front->pki->field, r->id, names, &sealed, why)) != OK)
        return e;
    r->subject = buf_view(&sealed);
    e = registration_add(http_pg(c->req), r, c->actor, http_now(c->req), ret_new, why);
    r->subject = STR_NULL;
    if (e == ERR_CONFLICT && strcmp(why->code, "pki.proof.used") == 0)
        return why_code(why, e, why->code, "A certificate was issued on this proof, in a registration that is closed: identify the "
                        "holder anew.");
    if (e == ERR_CONFLICT)
        return same(c, r, names, &there) == OK ? OK : why_code(why, e, "registration.exists", "This id was used for another "
                                                               "registration, or this station has one of that profile and holder.");
    return e != OK ? e : same(c, r, names, why);
}

void
put_registration(struct http_request *req)
{
    struct registration r = { .state = REGISTRATION_OPEN };
    const char *id = http_path_param(req, "id");
    struct registration_body in = { .town = "" };
    struct why why = WHY_INIT;
    struct call c;
    bool fresh = false;
    enum err e;

    if (!call_open(req, LANE_ISSUE, &c))
        return;
    if (!is_uuid(id))
        e = why_code(&why, ERR_INPUT, "registration.id", "The id is a UUID in lower case that the station draws.");
    else if ((e = registration_body_read(http_body(req), http_arena(req), &in, &why)) == OK)
        e = may_register(&c, &in, &why);
    if (e == OK && in.proof_at != UTIME_NULL && in.proof_at > http_now(req))
        e = why_code(&why, ERR_INPUT, "pki.proof.date", "A proof of identity of the future.");
    if (e == OK) {
        memcpy(r.id, id, sizeof(r.id));
        memcpy(r.station, c.station.id, sizeof(r.station));
        r.profile = in.profile;
        r.town = in.town;
        r.holder = in.holder;
        r.support = in.support;
        r.proof = in.proof;
        r.proof_ref = in.proof_ref;
        r.proof_at = in.proof_at;
        e = registration_store(&c, &r, &in.names, &fresh, &why);
    }
    if (e != OK)
        call_refuse(&c, e, &why, "registration.add", is_uuid(id) ? object_of(&c, id) : "");
    else
        reply_registration(&c, fresh ? 201 : 200, r.id);
}

/* The holder was identified anew (P-116, P-117). Twice is once: the same proof changes nothing more. */
void
put_registration_identification(struct http_request *req)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(REGISTRATION_SUBJECT_MAX + COLUMN_OVERHEAD);
    const struct profile *p;
    struct identification_body in;
    struct registration r;
    struct why why = WHY_INIT;
    struct call c;
    enum err e;

    if (!call_open(req, LANE_ISSUE, &c) || !call_registration(&c, http_path_param(req, "id"), &r))
        return;
    p = profile_set_find(&c.front->pki->profiles, str_of(r.profile));
    if ((e = identification_body_read(http_body(req), http_arena(req), &in, &why)) == OK && r.station[0] == '\0')
        e = why_code(&why, ERR_DENIED, "pki.station", "The operator identifies a station, not the station itself.");
    if (e == OK && in.proof_at > http_now(req))
        e = why_code(&why, ERR_INPUT, "pki.proof.date", "A proof of identity of the future.");
    if (e == OK && r.proof_at != UTIME_NULL && in.proof_at < r.proof_at)
        e = why_code(&why, ERR_CONFLICT, "pki.proof.date", "The holder was identified later than that.");
    if (e == OK && in.has_names && p != NULL && (e = subject_check(p, &in.names, &why)) == OK)
        e = registration_seal(c.front->pki->field, r.id, &in.names, &sealed, &why);
    if (e == OK && (in.proof_at != r.proof_at || strcmp(in.proof_ref, r.proof_ref) != 0 || in.has_names))
        e = registration_identify(http_pg(req), r.id, in.proof, in.proof_ref, in.proof_at,
                                  in.has_names ? buf_view(&sealed) : STR_NULL, c.actor, http_now(req), &why);
    if (e != OK)
        call_refuse(&c, e, &why, "registration.identify", object_of(&c, r.id));
    else
        reply_registration(&c, 200, r.id);
}

void
post_registration_close(struct http_request *req)
{
    struct registration r;
    struct why why = WHY_INIT;
    struct call c;
    enum err e = OK;

    if (!call_open(req, LANE_ISSUE, &c) || !call_registration(&c, http_path_param(req, "id"), &r))
        return;
    if (r.station[0] == '\0')
        e = why_code(&why, ERR_DENIED, "pki.station", "The operator closes a station's own registration.");
    else if (r.state != REGISTRATION_CLOSED &&
             (e = registration_close(http_pg(req), r.id, c.actor, http_now(req), &why)) == ERR_NOT_FOUND)
        e = OK;                        /* another call of this station was first */
    if (e != OK)
        call_refuse(&c, e, &why, "registration.close", object_of(&c, r.id));
    else
        reply_registration(&c, 200, r.id);
}
