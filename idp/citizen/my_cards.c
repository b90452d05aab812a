/*
 * /ma-page/cartes: the citizen's cards and certificates; adding one of another authority, which they have already, and taking it away.
 *
 * Adding. It needs a session and a fresh proof (citizen_proved()): a stolen session alone adds nothing that would outlive it. The
 * person goes to the certificate door as at a sign-in (idp/signon/certificate.h), in a flow that is bound to their session, and shows
 * the certificate. They read whose it is, and say that it is theirs: only that POST, with its CSRF value, the ticket, and the proof again,
 * links it. So a link that somebody made for them ends at that page, which names the certificate; and what was shown in
 * another browser, session or flow links nothing here.
 *
 * Which authorities allow it the operator says (trust add --link-from-session). What a certificate says about another account is said to
 * its holder as "it belongs to an account", never whose.
 */
#include "idp/citizen/citizen-internal.h"

#include "base/core/enc.h"
#include "base/core/log.h"
#include "idp/credential/trust.h"

#define CONFIRM_TIME (15 * USEC_PER_MIN)     /* from the door to the confirmation */
#define DIALECT "link"

static void
failed(struct http_request *req, enum err e, const struct why *why)
{
    if (session_was_ended(req, why))
        return;
    LOG_ERROR_EV("citizen.cards", LF_ERR(e), LF_WHY(why));
    idp_reply_error(req, http_status_of(e), "error.unavailable", NULL);
}

static unsigned
links(const struct idp *idp)
{
    return idp->conf.cert_url[0] != '\0' ? trust_links(idp->trust) : 0;
}

bool
cards_offered(const struct idp *idp, const struct credential_row *certificates, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (certificates[i].by_holder && strcmp(certificates[i].state, "active") == 0)
            return true;
    return links(idp) != 0;
}

/* --- overview ------------------------------------------------------------------------------------------------------------- */

static void
notice_fill(struct http_request *req, struct page_data *d)
{
    static const struct {
        const char *word, *key;
    } notices[] = {
        { "ajout", "citizen.cards.added" }, { "retire", "citizen.cards.removed" }, { "absent", "citizen.cards.gone" },
        { "rien", "citizen.cards.nothing" },
    };
    const char *done = http_query(req, "fait");

    for (size_t i = 0; done != NULL && i < ARRAY_LEN(notices); i++) {
        if (strcmp(done, notices[i].word) == 0)
            page_msg(d, "notice", notices[i].key);
    }
}

void
get_my_cards(struct http_request *req)
{
    const struct idp *idp = http_app(req);
    const struct session *s = http_session(req);
    unsigned offered = links(idp);
    struct credential_row *list;
    struct page_data *d;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if ((e = credential_list(http_pg(req), s->account_id, http_arena(req), &list, &n, &why)) != OK) {
        failed(req, e, &why);
        return;
    }
    d = idp_page(req);
    page_str(d, "csrf", http_csrf_token(req));
    for (size_t i = 0; i < n; i++) {
        bool active = strcmp(list[i].state, "active") == 0;
        struct page_data *item;

        if (strcmp(list[i].state, "ended") == 0)
            continue;
        item = page_item(d, "cards");
        page_str(item, "serial", list[i].serial);
        page_str(item, "issuer", list[i].issuer);
        page_date(item, "until", list[i].not_after, CITIZEN_ZONE);
        page_date(item, "added", list[i].linked_at, CITIZEN_ZONE);
        page_bool(item, "dead", !active || list[i].not_after < http_now(req));
        if (list[i].by_holder && active)
            page_str(item, "id", list[i].id);
    }
    page_str(d, "remove_url", CARDS_URL "/retirer");
    if ((offered & (1u << TRUST_CARD)) != 0)
        page_str(d, "card_url", CARDS_URL "/ajouter?door=card");
    if ((offered & (1u << TRUST_SOFTWARE)) != 0)
        page_str(d, "certificate_url", CARDS_URL "/ajouter");
    page_str(d, "back_url", "/");
    notice_fill(req, d);
    idp_reply_page(req, 200, "citizen/cards.html", d);
}

static void
back(struct http_request *req, const char *done)
{
    http_reply_redirect(req, arena_printf(http_arena(req), "%s" CARDS_URL "?fait=%s", http_base_url(req), done));
}

/* --- adding: to the door --------------------------------------------------------------------------------------------------- */

static const char *
add_url(bool card)
{
    return card ? CARDS_URL "/ajouter?door=card" : CARDS_URL "/ajouter";
}

/* What a flow is bound to: the session that began it. */
static const char *
bond(struct http_request *req)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(64);
    const struct session *s = http_session(req);

    base64url_encode(&text, s->digest, sizeof(s->digest));
    return arena_strdup(http_arena(req), buf_cstr(&text));
}

/* A link and no form: a form's policy would stop at the door's host name. It changes nothing. */
void
get_my_cards_add(struct http_request *req)
{
    struct signon_request rq = { .accept = METHOD_ANY, .max_age = -1 };
    const char *door = http_query(req, "door");
    bool card = door != NULL && strcmp(door, "card") == 0;

    if (links(http_app(req)) == 0)
        back(req, "rien");
    else if (citizen_proved(req, add_url(card)))
        signon_ask_certificate(req, DIALECT, &rq, str_of(bond(req)), card);
}

/* --- adding: what came back ------------------------------------------------------------------------------------------------ */

/* What happened, and what to do next. again: another try may do better. */
struct said {
    int status;
    const char *message, *advice;
    bool again, choice;                      /* choice: the browser may have remembered which one to send */
};
static const struct said outcomes[] = {
    [CERTIFICATE_GOOD] = { 409, "citizen.cards.taken", "citizen.cards.taken_do", true, true },
    [CERTIFICATE_NONE] = { 403, "signon.certificate.none", "signon.certificate.none_do", true, true },
    [CERTIFICATE_UNREADABLE] = { 403, "signon.certificate.unreadable", "citizen.cards.other_do", true, true },
    [CERTIFICATE_FUTURE] = { 403, "signon.certificate.future", "citizen.cards.future_do", true, true },
    [CERTIFICATE_EXPIRED] = { 403, "signon.certificate.expired", "citizen.cards.expired_do", true, true },
    [CERTIFICATE_FOREIGN] = { 403, "signon.certificate.foreign", "citizen.cards.other_do", true, true },
    [CERTIFICATE_AUTHORITY] = { 403, "signon.certificate.authority", "citizen.cards.other_do", true, true },
    [CERTIFICATE_REVOKED] = { 403, "signon.certificate.revoked", "citizen.cards.revoked_do", true, true },
    [CERTIFICATE_HELD] = { 403, "signon.certificate.held", "citizen.cards.revoked_do", true, true },
    [CERTIFICATE_STATUS] = { 503, "signon.certificate.status", "signon.certificate.status_do", true, false },
    [CERTIFICATE_UNFIT] = { 403, "signon.certificate.unfit", "citizen.cards.other_do", true, true },
    [CERTIFICATE_UNKNOWN] = { 403, "citizen.cards.counter", "citizen.cards.counter_do", true, true },
    /* These tell of another account, which is nobody's business. */
    [CERTIFICATE_PENDING] = { 409, "citizen.cards.taken", "citizen.cards.taken_do", true, true },
    [CERTIFICATE_BLOCKED] = { 409, "citizen.cards.taken", "citizen.cards.taken_do", true, true },
    [CERTIFICATE_CLOSED] = { 409, "citizen.cards.taken", "citizen.cards.taken_do", true, true },
    [CERTIFICATE_WEAK] = { 403, "signon.certificate.unfit", "citizen.cards.other_do", true, true },
};
_Static_assert(ARRAY_LEN(outcomes) == CERTIFICATE_OUTCOMES, "each outcome has its words");
static const struct said
    stale = { 410, "signon.certificate.stale", "signon.certificate.stale_do", true, false },
    of_another_session = { 409, "citizen.cards.session", "citizen.cards.session_do", true, false },
    ours = { 403, "citizen.cards.ours", "citizen.cards.ours_do", true, true },
    mine = { 409, "citizen.cards.mine", "citizen.cards.mine_do", false, true },
    changed = { 409, "citizen.cards.changed", "signon.certificate.stale_do", true, false },
    full = { 409, "citizen.cards.full", "citizen.cards.full_do", false, false },
    last = { 409, "citizen.cards.last", "citizen.cards.last_do", false, false },
    signed_out = { 200, "citizen.cards.removed", "citizen.cards.signed_out", false, false };

static void
said_page(struct http_request *req, const struct said *what, bool card)
{
    const struct idp *idp = http_app(req);
    struct page_data *d = idp_page(req);

    page_msg(d, "message", what->message);
    page_msg(d, "advice", what->advice);
    page_bool(d, "good", what->status == 200);
    if (what->again)
        page_str(d, "again_url", add_url(card));
    page_bool(d, "remembered", what->choice && !idp->conf.cert_fresh_names);
    page_str(d, "back_url", what->status == 200 ? "/login" : CARDS_URL);
    idp_reply_page(req, what->status, "citizen/card_said.html", d);
}

static const char *
name_text(struct http_request *req, struct str der)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(4 * X509_NAME_MAX);

    return x509_name_text(der, &text) == OK ? arena_strdup(http_arena(req), buf_cstr(&text)) : "";
}

static void
confirm_page(struct http_request *req, const struct signon_shown *x)
{
    struct page_data *d = idp_page(req);

    page_str(d, "csrf", http_csrf_token(req));
    page_str(d, "subject", name_text(req, x->certificate.subject));
    page_str(d, "issuer", name_text(req, x->certificate.issuer));
    page_date(d, "until", x->certificate.not_after, CITIZEN_ZONE);
    page_str(d, "shown", x->token);
    page_str(d, "link_url", CARDS_URL "/lier");
    page_str(d, "again_url", add_url(x->card_door));
    page_str(d, "back_url", CARDS_URL);
    idp_reply_page(req, 200, "citizen/card_confirm.html", d);
}

/* Why it cannot be linked; NULL: it can. */
static const struct said *
problem_of(const struct signon_shown *x, const char *account_id)
{
    if (x->account_id[0] != '\0' && strcmp(x->account_id, account_id) == 0 && x->outcome == CERTIFICATE_GOOD)
        return &mine;
    if (x->outcome != CERTIFICATE_UNKNOWN)
        return &outcomes[x->outcome];
    if (x->own)
        return &ours;
    return x->linkable && x->certificate.issuer.p != NULL ? NULL : &outcomes[CERTIFICATE_UNKNOWN];
}

static void
shown(struct http_request *req, struct str state, const struct signon_shown *x)
{
    const struct session *s = http_session(req);
    const struct said *problem;

    if (s == NULL)
        http_reply_redirect(req, arena_printf(http_arena(req), "%s/login", http_base_url(req)));
    else if (!str_eqs(state, bond(req)))
        said_page(req, &of_another_session, x != NULL && x->card_door);
    else if (x == NULL)
        said_page(req, &stale, false);
    else if ((problem = problem_of(x, s->account_id)) != NULL)
        said_page(req, problem, x->card_door);
    else
        confirm_page(req, x);
}

/* Nothing was shown: the door had no time, or the person went to the flow's address. */
static void
resume(struct http_request *req, const char *flow_id, utime flow_started, struct str state)
{
    (void)flow_id, (void)flow_started, (void)state;
    back(req, "rien");
}

const struct signon_dialect citizen_link_dialect = { .name = DIALECT, .resume = resume, .shown = shown };

static const struct said *
refusal_of(const struct why *why)
{
    static const struct {
        const char *reason;
        const struct said *said;
    } list[] = {
        { "certificate.ticket", &stale }, { "certificate.linked", &outcomes[CERTIFICATE_GOOD] },
        { "certificate.changed", &changed }, { "certificate.full", &full }, { "certificate.last", &last },
    };

    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        if (str_eqs(str_of(why->code), list[i].reason))
            return list[i].said;
    return NULL;
}

static void
refuse(struct http_request *req, enum err e, const struct why *why, bool card)
{
    const struct said *said = refusal_of(why);

    if (said == NULL) {
        failed(req, e, why);
        return;
    }
    LOG_WARN_EV("citizen.cards", LF_ERR(e), LF_WHY(why));
    said_page(req, said, card);
}

struct still {
    const struct session *session;
    utime now;
};

static enum err
still(struct pg *pg, void *arg, struct why *why)
{
    const struct still *s = arg;

    return session_still(pg, s->session, s->now, why);
}

static struct credential_holder
holder_of(struct http_request *req)
{
    const struct session *s = http_session(req);
    struct still *arg = arena_alloc(http_arena(req), sizeof(*arg));

    *arg = (struct still){ s, http_now(req) };
    return (struct credential_holder){ .account_id = s->account_id, .still = still, .arg = arg, .now = http_now(req) };
}

void
post_my_cards_link(struct http_request *req)
{
    const struct session *s = http_session(req);
    const char *token = http_form(req, "shown");
    const struct credential_holder who = holder_of(req);
    struct signon_shown x = { .card_door = false };
    struct str state = STR_NULL;
    struct why why = WHY_INIT;
    const struct said *problem;
    enum err e;

    if (!citizen_proved(req, CARDS_URL))
        return;
    if ((e = signon_shown_open(req, DIALECT, token != NULL ? token : "", CONFIRM_TIME, &state, &x, &why)) != OK)
        refuse(req, e, &why, false);
    else if (!str_eqs(state, bond(req)))
        said_page(req, &of_another_session, x.card_door);
    else if ((problem = problem_of(&x, s->account_id)) != NULL)
        said_page(req, problem, x.card_door);
    /* The mark outlives the ticket, however far apart the clocks of two nodes may be. */
    else if ((e = credential_link_shown(http_pg(req), &who, &x.certificate, x.ticket_id, x.at + 2 * CONFIRM_TIME, &why)) != OK)
        refuse(req, e, &why, x.card_door);
    else
        back(req, "ajout");
}

/* --- taking away ------------------------------------------------------------------------------------------------------------ */

void
post_my_cards_remove(struct http_request *req)
{
    const struct session *s = http_session(req);
    const struct credential_holder who = holder_of(req);
    const char *id = http_form(req, "id");
    struct why why = WHY_INIT;
    enum err e = ERR_NOT_FOUND;

    if (!citizen_proved(req, CARDS_URL))
        return;
    if (citizen_is_uuid(id))
        e = credential_unlink_own(http_pg(req), &who, id, &why);
    if (e == ERR_NOT_FOUND)
        back(req, "absent");                 /* the second click finds it gone */
    else if (e != OK)
        refuse(req, e, &why, false);
    else if ((s->method & METHOD_PASSWORD) == 0)
        said_page(req, &signed_out, false);  /* the session began by certificate, and has ended */
    else
        back(req, "retire");
}
