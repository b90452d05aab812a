/* card: the card in front of the clerk: its certificate as a reader gave it, or the reason why there is none (P-031, P-063). */
#include "mairie-connector/town/card.h"

#include "base/core/enc.h"
#include "base/crypto/x509.h"

bool
card_dossier(struct http_request *req, const char *not_card, struct dossier *ret)
{
    if (!counter_dossier(req, ret))
        return false;
    if (ret->type == TYPE_CARD)
        return true;
    mairie_reply_error(req, 409, not_card, dossier_path(req, ret->id, ""));
    return false;
}

static const char *const overrides[] = { "no_reader", "broken_reader", "mute_card" };

void
card_fill(struct http_request *req, struct page_data *d, const char *certificate, const char *override)
{
    page_str(d, "certificate", certificate);
    for (size_t i = 0; i < ARRAY_LEN(overrides); i++) {
        struct page_data *item = page_item(d, "overrides");

        page_str(item, "value", overrides[i]);
        page_msg(item, "label", arena_printf(http_arena(req), "card.%s", overrides[i]));
        page_bool(item, "checked", strcmp(override, overrides[i]) == 0);
    }
    page_bool(d, "read", override[0] == '\0');
}

/* PEM, or the base64 of the DER alone; nothing but one certificate. */
static bool
certificate_read(struct http_request *req, const char *typed, struct str *ret)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(12 * 1024);
    AUTO(x509_done) struct x509_cert cert = { .key_known = false };
    struct why why = WHY_INIT;
    enum err e = strstr(typed, "-----BEGIN") != NULL ? x509_pem_decode(str_of(typed), &der, &why)
                                                     : base64_decode(str_trim(str_of(typed)), true, &der);

    if (e != OK || x509_read(buf_view(&der), &cert, &why) != OK)
        return false;
    *ret = (struct str){ arena_dup(http_arena(req), der.data, der.len), der.len };
    return true;
}

bool
card_read(struct http_request *req, struct page_data *d, struct proposal *p)
{
    const char *certificate = http_form(req, "certificate"), *override = http_form(req, "override");
    const char *problem = NULL;

    certificate = certificate == NULL ? "" : certificate;
    override = override == NULL ? "" : override;
    for (size_t i = 0; i < ARRAY_LEN(overrides); i++) {
        if (strcmp(override, overrides[i]) == 0)
            p->override = overrides[i];
    }
    card_fill(req, d, certificate, p->override != NULL ? p->override : "");
    if (p->override != NULL)
        problem = certificate[0] == '\0' ? NULL : "town.card.both";
    else if (certificate[0] == '\0')
        problem = "town.card.empty";
    else if (!certificate_read(req, certificate, &p->certificate))
        problem = "town.card.unreadable";
    if (problem != NULL)
        page_field_error(d, "certificate", problem);
    return problem == NULL;
}

bool
card_was_done(struct http_request *req, const struct dossier *x, enum proposal_kind kind)
{
    struct why why = WHY_INIT;
    struct proposal p;

    if (strcmp(x->state, "active") != 0 || proposal_find(http_pg(req), x->id, http_arena(req), &p, &why) != OK ||
        p.kind != kind || strcmp(p.state, "done") != 0)
        return false;
    mairie_go(req, dossier_path(req, x->id, kind == PROPOSAL_HAND_OVER ? "/acceptance" : "/reactivated"));
    return true;
}

bool
counter_reopened(struct http_request *req, const struct dossier *x, enum reopened *ret, utime *ret_at)
{
    struct why why = WHY_INIT;
    bool reopened = false;
    enum err e;

    *ret = REOPENED_NOT;
    *ret_at = UTIME_NULL;
    if (x->type != TYPE_CARD || strcmp(x->state, "suspended") != 0)
        return true;
    if ((e = proposal_reopened(http_pg(req), x->id, &reopened, &why)) != OK ||
        (reopened && (e = escrow_since(http_pg(req), x->id, ESCROW_REACTIVATION_OTP, ret_at, &why)) != OK)) {
        mairie_fail(req, "dossier", e, &why);
        return false;
    }
    if (reopened)
        *ret = *ret_at == UTIME_NULL ? REOPENED_BARE : REOPENED_ORDERED;
    return true;
}
