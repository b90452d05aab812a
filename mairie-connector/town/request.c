/* request: the bodies of our calls. */
#include "mairie-connector/town/request.h"

#include "mairie-connector/town/codes.h"
#include "mairie-connector/wire/wire.h"

static utime
until_of(utime until)
{
    return until == UTIME_NULL ? WIRE_UTIME_NONE : until;
}

static enum err
authz_list(struct pg *pg, const char *dossier_id, struct arena *a, struct wire_authz_list *ret, bool *ret_sensitive,
           struct why *why)
{
    struct authz_given *given;
    size_t n;
    enum err e;

    if ((e = authz_of(pg, dossier_id, a, &given, &n, why)) != OK)
        return e;
    ret->items = arena_alloc(a, (n + 1) * sizeof(*ret->items));
    ret->n = n;
    *ret_sensitive = false;
    for (size_t i = 0; i < n; i++) {
        ret->items[i] = (struct wire_authz){ given[i].code, until_of(given[i].until) };
        *ret_sensitive = *ret_sensitive || given[i].sensitive;
    }
    return OK;
}

/* The name as it is written on a card or in a certificate. */
static struct wire_names
names_of(const struct dossier *x)
{
    return (struct wire_names){ .given_name = x->names.given, .surname = person_surname(&x->names) };
}

static enum err
lines_of(struct pg *pg, const struct mairie *m, const struct dossier *x, struct arena *a, struct wire_lines *ret,
         struct why *why)
{
    struct address address;
    enum err e;

    if ((e = address_find(pg, m, x->person_id, a, &address, why)) != OK)
        return e;
    *ret = (struct wire_lines){ arena_alloc(a, ADDRESS_LINES * sizeof(*ret->items)), 0 };
    for (size_t i = 0; i < ADDRESS_LINES; i++) {
        if (address.lines[i][0] != '\0')
            ret->items[ret->n++] = address.lines[i];
    }
    return OK;
}

enum err
request_create(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const char *agent_id,
               utime now, struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_SECRET(WIRE_BODY_MAX);
    struct wire_names names;
    struct wire_card card;
    struct wire_create in;
    struct dossier x;
    enum err e;

    if ((e = dossier_find(pg, m, dossier_id, a, &x, why)) != OK)
        return e;
    in = (struct wire_create){ .type = dossier_type_name(x.type), .handle = x.handle, .lang = x.lang };
    names = names_of(&x);
    if (x.named) {
        in.profile = "named";
        in.names = &names;
    }
    if (x.type == TYPE_CARD) {
        card = (struct wire_card){ .given_name = names.given_name, .surname = names.surname };
        if ((e = lines_of(pg, m, &x, a, &card.address, why)) != OK)
            return e;
        in.card = &card;
    }
    if ((e = authz_list(pg, dossier_id, a, &in.authz, &in.sensitive, why)) != OK)
        return e;
    wire_write_create(&body, &in);
    if (!buf_ok(&body))
        return why_set(why, ERR_INPUT, "too many authorisations for one request");
    return outbox_add(pg, m, key, dossier_id, OUTBOX_CREATE, buf_view(&body), agent_id, now, why);
}

enum err
request_reissue(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, bool block_code,
                const char *agent_id, utime now, struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_SECRET(WIRE_BODY_MAX);
    struct wire_reissue in = { .what = block_code ? "revocation" : "all" };
    struct wire_authz_list unused;
    struct wire_names names;
    struct wire_card card;
    struct dossier x;
    enum err e;

    if ((e = dossier_find(pg, m, dossier_id, a, &x, why)) != OK ||
        (e = authz_list(pg, dossier_id, a, &unused, &in.sensitive, why)) != OK)
        return e;
    names = names_of(&x);
    if (x.named && !block_code)        /* the IdP forgot them with the first certificate */
        in.names = &names;
    if (x.type == TYPE_CARD && !block_code) {        /* … and what stands on a card when the account was closed */
        card = (struct wire_card){ .given_name = names.given_name, .surname = names.surname };
        if ((e = lines_of(pg, m, &x, a, &card.address, why)) != OK)
            return e;
        in.card = &card;
    }
    wire_write_reissue(&body, &in);
    return outbox_add(pg, m, key, dossier_id, OUTBOX_REISSUE, buf_view(&body), agent_id, now, why);
}

enum err
request_block(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const char *reason,
              bool second, const char *agent_id, utime now, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(WIRE_BODY_MAX);
    struct wire_reason in = { .reason = reason };

    wire_write_reason(&body, &in);
    return outbox_add(pg, m, key, dossier_id, second ? OUTBOX_BLOCK_SECOND : OUTBOX_BLOCK, buf_view(&body), agent_id,
                      now, why);
}

static bool
is_changed(const struct proposal *p, const char *id)
{
    for (size_t i = 0; i < p->nitems; i++) {
        const char *changed = p->items[i].code;

        if (strcmp(changed, id) == 0)
            return true;
    }
    return false;
}

enum err
request_authz(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const struct proposal *p,
              utime now, struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(WIRE_BODY_MAX);
    struct wire_authz_list all = { NULL, 0 };
    struct authz_given *given;
    size_t n;
    enum err e;

    if ((e = authz_of(pg, dossier_id, a, &given, &n, why)) != OK)
        return e;
    all.items = arena_alloc(a, (n + p->nitems + 1) * sizeof(*all.items));
    for (size_t i = 0; i < n; i++) {
        if (!is_changed(p, given[i].code) && (given[i].until == UTIME_NULL || given[i].until > now))
            all.items[all.n++] = (struct wire_authz){ given[i].code, until_of(given[i].until) };
    }
    for (size_t i = 0; i < p->nitems; i++) {
        if (p->items[i].gives)
            all.items[all.n++] = (struct wire_authz){ p->items[i].code, until_of(p->items[i].until) };
    }
    wire_write_authz(&body, &all);
    if (!buf_ok(&body) || all.n > WIRE_AUTHZ_MAX)
        return why_set(why, ERR_INPUT, "too many authorisations for one request");
    return outbox_add(pg, m, key, dossier_id, OUTBOX_AUTHZ, buf_view(&body), p->by, now, why);
}

enum err
request_close(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const struct proposal *p,
              utime now, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(WIRE_BODY_MAX);
    struct wire_reason in = { .reason = p->reason };

    wire_write_reason(&body, &in);
    return outbox_add(pg, m, key, dossier_id, OUTBOX_CLOSE, buf_view(&body), p->by, now, why);
}

/* --- a card at the counter -------------------------------------------------------------------------------------------- */

static enum err
hand_over(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const struct proposal *p,
          struct wire_activate *in, utime now, struct why *why)
{
    AUTO(buf_free) struct buf body = BUF_BOUNDED(WIRE_BODY_MAX);

    wire_write_activate(&body, in);
    return outbox_add(pg, m, key, dossier_id, OUTBOX_HAND_OVER, buf_view(&body), p->by, now, why);
}

static enum err
reactivate(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const struct proposal *p,
           struct wire_reactivate *in, utime now, struct arena *a, struct why *why)
{
    AUTO(secret_done) struct secret otp = SECRET_INIT;
    AUTO(buf_free) struct buf body = BUF_SECRET(WIRE_BODY_MAX);
    enum err e;

    if ((e = codes_kept(m, pg, dossier_id, ESCROW_REACTIVATION_OTP, a, &otp, why)) != OK)
        return e == ERR_NOT_FOUND ? why_code(why, e, "card.no_code", "no reactivation code of this card is kept") : e;
    in->otp = (const char *)otp.data;
    wire_write_reactivate(&body, in);
    return outbox_add(pg, m, key, dossier_id, OUTBOX_REACTIVATE, buf_view(&body), p->by, now, why);
}

enum err
request_card(struct pg *pg, const struct mairie *m, const char *key, const char *dossier_id, const struct proposal *p,
             const struct request_card *in, utime now, struct arena *a, struct why *why)
{
    const struct wire_override override = { .reason = p->override, .second = in->second };
    const struct wire_second lost = { .second = in->second };
    const char *record = arena_printf(a, "%lld", (long long)p->identity_id);
    struct wire_activate activate = { .certificate = in->certificate, .record = record };
    struct wire_reactivate again = { .pin = in->pin, .certificate = in->certificate, .record = record };

    if (in->certificate.n == 0) {
        activate.certificate = again.certificate = STR_NULL;
        activate.override = again.override = &override;
    }
    if (p->kind == PROPOSAL_HAND_OVER)
        return hand_over(pg, m, key, dossier_id, p, &activate, now, why);
    if (in->pin == NULL)
        again.pin_lost = &lost;
    return reactivate(pg, m, key, dossier_id, p, &again, now, a, why);
}
