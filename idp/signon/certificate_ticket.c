/* certificate_ticket: what the certificate door tells the main host, sealed. The protocol is in certificate.h. */
#include "idp/signon/certificate.h"

#include <stdio.h>

#include "base/core/enc.h"

#define PLACE "certificate.ticket"
#define PLAIN_MAX 4096                          /* CREDENTIAL_SHOWN_NAMES in base64, and the rest */
#define TOKEN_MAX 6144

enum {
    T_FLOW, T_BINDER, T_OUTCOME, T_USE, T_DOOR, T_CERTIFICATE, T_ACCOUNT, T_AUTHORITY, T_ISSUER, T_SERIAL, T_SUBJECT, T_SPKI, T_TRUST,
    T_NOT_AFTER, T_AT, FIELDS
};
#define OWN "own"
#define LINKABLE "link"

/* T_ISSUER to T_NOT_AFTER; nothing in base64 when there is none. */
static void
shown_add(struct buf *plain, const struct credential_shown *s)
{
    const struct str parts[] = { s->issuer, s->serial, s->subject, { (const char *)s->spki_sha256, sizeof(s->spki_sha256) },
                                 str_of(s->trust) };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (s->issuer.p != NULL)
            base64url_encode(plain, parts[i].p, parts[i].n);
        buf_addc(plain, '\n');
    }
    buf_addf(plain, "%lld\n", (long long)s->not_after);
}

static enum err
shown_read(const char *const field[FIELDS], struct arena *a, struct credential_shown *ret)
{
    struct credential_shown s = { .issuer = STR_NULL };
    struct str *const parts[] = { &s.issuer, &s.serial, &s.subject };
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(SHA256_LEN), trust = BUF_BOUNDED(sizeof(s.trust) - 1);

    if (field[T_ISSUER][0] == '\0') {
        *ret = s;
        return OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        AUTO(buf_free) struct buf plain = BUF_BOUNDED(PLAIN_MAX);

        if (base64url_decode(str_of(field[T_ISSUER + i]), &plain) != OK)
            return ERR_NOT_FOUND;
        *parts[i] = (struct str){ arena_dup(a, plain.data, plain.len), plain.len };
    }
    if (base64url_decode(str_of(field[T_SPKI]), &spki) != OK || spki.len != SHA256_LEN ||
        base64url_decode(str_of(field[T_TRUST]), &trust) != OK || !buf_ok(&trust) ||
        str_to_i64(str_of(field[T_NOT_AFTER]), INT64_MIN, INT64_MAX, &s.not_after) != OK)
        return ERR_NOT_FOUND;
    snprintf(s.trust, sizeof(s.trust), "%s", buf_cstr(&trust));
    memcpy(s.spki_sha256, spki.data, SHA256_LEN);
    *ret = s;
    return OK;
}

enum err
certificate_ticket_seal(const struct idp *idp, const struct certificate_ticket *t, struct arena *a, const char **ret_token,
                        struct why *why)
{
    AUTO(buf_free) struct buf plain = BUF_SECRET(PLAIN_MAX);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(PLAIN_MAX + COLUMN_OVERHEAD);
    AUTO(buf_free) struct buf token = BUF_BOUNDED(TOKEN_MAX);
    char id[FLOW_ID_SIZE];

    flow_id_new(id);
    buf_addf(&plain, "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n", t->flow_id, t->binder, credential_outcome_name(t->outcome),
             trust_use_name(t->use), t->card_door ? CARD_DOOR : "", t->certificate_id, t->account_id,
             t->own ? OWN : t->linkable ? LINKABLE : "");
    shown_add(&plain, &t->shown);
    buf_addf(&plain, "%lld", (long long)t->at);
    if (!buf_ok(&plain) || column_seal(idp->field, PLACE, id, buf_view(&plain), &sealed) != OK)
        return why_set(why, ERR_INTERNAL, "the ticket cannot be sealed");
    buf_addf(&token, "%s.", id);
    base64url_encode(&token, sealed.data, sealed.len);
    CHECK(buf_ok(&token));
    *ret_token = arena_strdup(a, buf_cstr(&token));
    return OK;
}

/* Ours, once it has opened: another shape is another version of this program. */
static enum err
fields_read(struct str text, struct arena *a, struct certificate_ticket *ret)
{
    const char *field[FIELDS];
    struct certificate_ticket t = *ret;
    struct str rest = text;

    for (size_t i = 0; i < FIELDS; i++) {
        if (rest.p == NULL)
            return ERR_NOT_FOUND;
        field[i] = arena_str(a, str_split(rest, '\n', &rest));
    }
    if (rest.p != NULL || credential_outcome_read(field[T_OUTCOME], &t.outcome) != OK ||
        trust_use_read(field[T_USE], &t.use) != OK || shown_read(field, a, &t.shown) != OK ||
        str_to_i64(str_of(field[T_AT]), INT64_MIN, INT64_MAX, &t.at) != OK)
        return ERR_NOT_FOUND;
    t.card_door = strcmp(field[T_DOOR], CARD_DOOR) == 0;
    t.own = strcmp(field[T_AUTHORITY], OWN) == 0;
    t.linkable = strcmp(field[T_AUTHORITY], LINKABLE) == 0;
    t.flow_id = field[T_FLOW];
    t.binder = field[T_BINDER];
    t.certificate_id = field[T_CERTIFICATE];
    t.account_id = field[T_ACCOUNT];
    *ret = t;
    return OK;
}

enum err
certificate_ticket_open(const struct idp *idp, const char *token, struct arena *a, struct certificate_ticket *ret,
                        struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(TOKEN_MAX);
    AUTO(buf_free) struct buf plain = BUF_SECRET(PLAIN_MAX);
    struct str rest, id = str_split(str_of(token), '.', &rest);
    struct certificate_ticket t = { .id = arena_str(a, id) };

    if (id.n != FLOW_ID_LEN || rest.p == NULL || base64url_decode(rest, &sealed) != OK ||
        column_open(idp->field, PLACE, t.id, buf_view(&sealed), &plain, why) != OK ||
        fields_read(buf_view(&plain), a, &t) != OK)
        return why_code(why, ERR_NOT_FOUND, "certificate.ticket", "no ticket of ours");
    *ret = t;
    return OK;
}
