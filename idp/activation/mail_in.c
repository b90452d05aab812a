/*
 * mail_in: one message sent to the activation address (P-040…P-042, DOMAIN 6.4, T-12…T-16).
 *
 * Who is answered:
 *   - machines (automatic mail, several senders, too large): never;
 *   - a good code: always, at the From address;
 *   - anything else: only a sender whose domain vouches for the message (DMARC pass), once a day, so that a forged
 *     sender makes us mail nobody (no backscatter).
 * Who is slowed: a sender without DMARC waits its turn in one shared bucket before its code is looked up: the MTA
 * keeps the message and comes back; a vouched sender is only counted when the code is wrong, and above the limit of
 * its address or domain waits in the shared bucket as well. Nobody is thrown away: who fills the count of a large
 * provider slows its honest customers and does not silence them (T-16). A wrong check symbol needs no look-up and
 * counts nothing.
 * A message is dealt with once: its digest is recorded in the transaction that answers it.
 */
#include "idp/activation/activation-internal.h"

#include <stdio.h>

#include "base/core/log.h"
#include "base/core/rand.h"
#include "base/core/secret.h"
#include "base/core/text.h"
#include "base/crypto/digest.h"
#include "base/mail/message.h"
#include "idp/account/account.h"
#include "idp/account/town.h"
#include "idp/signon/throttle.h"

#define ARENA_MAX (4 * 1024 * 1024)

/* Messages whose sender nobody vouches for: 5 a minute, a few at once (DOMAIN 2.4). */
static const struct throttle_rule shared_bucket = { "mail.shared", 30, 5.0 / 60, 12, 12 };
/* Wrong codes of a vouched sender: 5 a day for an address, 100 a day for a domain. */
static const struct throttle_rule bad_by_address = { "mail.bad.address", 5, 5.0 / 86400, 86400.0 / 5, 86400 };
static const struct throttle_rule bad_by_domain = { "mail.bad.domain", 100, 100.0 / 86400, 86400.0 / 100, 86400 };

struct incoming {
    struct idp *idp;
    struct arena *arena;
    utime now;
    struct mail_message m;
    unsigned char digest[SHA256_LEN];
    unsigned char from_mac[MAC_LEN];
    const char *verdict;                 /* what is recorded; also the name of the answer's kind */
    const char *near_key;                /* what is wrong with a code, in the catalogue's words; NULL */
    /* for the answer in the transaction */
    char code[CODE_FOLDED_MAX];
    struct secret_row secret;
};

void
address_folded(const char *email, char ret[MAIL_ADDRESS_MAX + 1])
{
    size_t i;

    for (i = 0; i < MAIL_ADDRESS_MAX && email[i] != '\0'; i++)
        ret[i] = email[i] >= 'A' && email[i] <= 'Z' ? (char)(email[i] + ('a' - 'A')) : email[i];
    ret[i] = '\0';
}

enum err
address_mac(const struct keyring *pepper, int version, const char *email, unsigned char ret[MAC_LEN])
{
    char folded[MAIL_ADDRESS_MAX + 1];

    address_folded(email, folded);
    return mac_compute(pepper, version, "email", str_of(folded), ret);
}

static bool
vouched(const struct incoming *in)
{
    return in->m.dmarc == MAIL_DMARC_PASS;
}

static const char *
dmarc_name(enum mail_dmarc d)
{
    switch (d) {
    case MAIL_DMARC_NONE:
        return "none";
    case MAIL_DMARC_FAIL:
        return "fail";
    case MAIL_DMARC_PASS:
        return "pass";
    }
    return "none";
}

static enum err
record(struct incoming *in, struct pg *pg, struct why *why)
{
    return mail_in_store_add(pg, in->digest, in->verdict, in->m.from == NULL ? NULL : in->from_mac,
                             dmarc_name(in->m.dmarc), in->now, why);
}

/* --- answers --------------------------------------------------------------------------------------------------------- */

/* The key of an answer is the message it answers: a repeat of the transaction is the same mail. */
static const char *
answer_key(struct incoming *in, const char *kind)
{
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(65);

    for (size_t i = 0; i < 16; i++)
        buf_addf(&hex, "%02x", in->digest[i]);
    return arena_printf(in->arena, "%s.%s", kind, buf_cstr(&hex));
}

/* A sentence without link or code, to a vouched sender, once a day for each kind. */
static enum err
answer_calmly(struct incoming *in, struct pg *pg, const char *template_name, const char *subject_key, const char *lang,
              struct why *why)
{
    struct mail_out m = { .template_name = template_name, .subject_key = subject_key, .to = in->m.from, .lang = lang,
                          .phone = in->idp->conf.help_phone, .message_key = in->near_key };
    int64_t today;
    enum err e;

    if (!vouched(in))
        return OK;
    e = mail_in_store_count(pg, in->from_mac, in->verdict, in->now - USEC_PER_DAY, &today, why);
    if (e != OK || today > 0)
        return e;
    return mail_job_add(in->idp, pg, answer_key(in, in->verdict), &m, in->now, why);
}

static enum err
answer_unknown_body(struct pg *pg, void *arg, struct why *why)
{
    struct incoming *in = arg;
    enum err e;

    /* The answer first: it counts the records of today, of which this one is not yet. */
    if (strcmp(in->verdict, "expired") == 0)
        e = answer_calmly(in, pg, "mail/expired_code.txt", "mail.expired.subject", "fr", why);
    else
        e = answer_calmly(in, pg, "mail/near_code.txt", "mail.near.subject", "fr", why);
    return e != OK ? e : record(in, pg, why);
}

static enum err
record_body(struct pg *pg, void *arg, struct why *why)
{
    return record(arg, pg, why);
}

/* A blocking code that crossed the mail system: marked, to be given anew by the clerk (DOMAIN 6.4). */
static enum err
exposed_body(struct pg *pg, void *arg, struct why *why)
{
    struct incoming *in = arg;
    struct secret_row secret;
    enum err e;

    e = secret_find(pg, in->idp->pepper, "revocation", in->code, in->now, &secret, why);
    if (e != OK || (secret.state == SECRET_LIVE && (e = secret_exposed(pg, secret.id, why)) != OK))
        return e;
    return answer_unknown_body(pg, in, why);
}

/* --- a good code --------------------------------------------------------------------------------------------------------- */

static enum err
link_issue(struct incoming *in, struct pg *pg, const struct account *account, const char *to, struct why *why)
{
    struct activation_link link = { .mac_version = keyring_current(in->idp->pepper),
                                    .expires_at = in->now + in->idp->conf.link_life };
    char token[LINK_TOKEN_BYTES * 2], code[CODE_FOLDED_MAX], shown[CODE_SHOWN_MAX];
    struct mail_out m = { .template_name = "mail/activation.txt", .subject_key = "mail.activation.subject", .to = to,
                          .lang = account->lang, .code = shown };
    struct sheet_check sheet;
    struct town town;
    enum err e;

    rand_token(LINK_TOKEN_BYTES, token, sizeof(token));
    code_draw(CODE_ACTIVATION, code);
    code_shown(CODE_ACTIVATION, code, shown);
    memcpy(link.account_id, account->id, sizeof(link.account_id));
    memcpy(link.secret_id, in->secret.id, sizeof(link.secret_id));
    token_digest(token, link.token_digest);
    e = mac_compute(in->idp->pepper, link.mac_version, "code.activation", str_of(code), link.code_mac);
    if (e != OK || (e = town_by_id(pg, account->town_id, in->arena, &town, why)) != OK ||
        (e = secret_sheet_check(pg, in->idp->pepper, account->id, NULL, &sheet, why)) != OK ||
        (e = link_store_supersede(pg, account->id, why)) != OK ||
        (e = link_store_add(pg, &link, in->now, why)) != OK)
        return e;
    m.sheet_needed = sheet.needed;
    m.link = arena_printf(in->arena, "%s/activate/%s", in->idp->conf.base_url, token);
    m.town = strcmp(account->lang, "en") == 0 ? town.label_en : town.label_fr;
    m.phone = town.phone[0] != '\0' ? town.phone : in->idp->conf.help_phone;
    return mail_job_add(in->idp, pg, answer_key(in, "activation"), &m, in->now, why);
}

/* Another address than the first: it gets no link, both are told, the clerk sees a flag (T-01, T-13). */
static enum err
contest(struct incoming *in, struct pg *pg, const struct account *account, const struct binding *first, struct why *why)
{
    struct mail_out m = { .template_name = "mail/contested.txt", .subject_key = "mail.contested.subject",
                          .lang = account->lang, .phone = in->idp->conf.help_phone };
    struct town town;
    bool flag_is_new;
    enum err e;

    in->verdict = "contested";
    if ((e = account_contest(pg, account->id, in->now, &flag_is_new, why)) != OK || !flag_is_new)
        return e;
    if ((e = town_by_id(pg, account->town_id, in->arena, &town, why)) != OK)
        return e;
    m.town = strcmp(account->lang, "en") == 0 ? town.label_en : town.label_fr;
    if (town.phone[0] != '\0')
        m.phone = town.phone;
    m.to = in->m.from;
    if ((e = mail_job_add(in->idp, pg, answer_key(in, "contested-second"), &m, in->now, why)) != OK)
        return e;
    m.to = first->email;
    return mail_job_add(in->idp, pg, answer_key(in, "contested-first"), &m, in->now, why);
}

/* pending: bind or compare, then link and code. */
static enum err
good_code(struct incoming *in, struct pg *pg, struct why *why)
{
    unsigned char mac[MAC_LEN];
    struct binding binding;
    struct account account;
    int64_t links;
    enum err e;

    if ((e = account_by_id(pg, in->secret.account_id, &account, why)) != OK)
        return e;
    if (account.state != ACCOUNT_PENDING) {
        in->verdict = "expired";
        return answer_calmly(in, pg, "mail/expired_code.txt", "mail.expired.subject", account.lang, why);
    }
    if ((e = binding_store_find(in->idp, pg, in->secret.id, &binding, why)) != OK)
        return e;
    if (!binding.bound) {
        if ((e = binding_store_add(in->idp, pg, in->secret.id, account.id, in->m.from, in->now, why)) != OK)
            return e;
        in->verdict = "bound";
        return link_issue(in, pg, &account, in->m.from, why);
    }
    if ((e = address_mac(in->idp->pepper, binding.mac_version, in->m.from, mac)) != OK)
        return why_set(why, e, "the pepper of this binding was withdrawn");
    if (!mem_equal_ct(mac, sizeof(mac), binding.email_mac, sizeof(binding.email_mac)))
        return contest(in, pg, &account, &binding, why);
    if ((e = link_store_count(pg, account.id, in->now - USEC_PER_DAY, &links, why)) != OK)
        return e;
    if (links >= LINKS_A_DAY) {
        in->verdict = "too_often";
        return OK;
    }
    in->verdict = "again";
    return link_issue(in, pg, &account, in->m.from, why);
}

static enum err
good_body(struct pg *pg, void *arg, struct why *why)
{
    struct incoming *in = arg;
    enum err e;

    /* The account's row orders two messages with the same code. */
    if ((e = account_lock(pg, in->secret.account_id, why)) != OK || (e = good_code(in, pg, why)) != OK)
        return e;
    return record(in, pg, why);
}

/* --- the way of a message ---------------------------------------------------------------------------------------------------- */

/* The last two labels: who owns a domain also owns all names below it, and writes them as it likes. Where this puts
 * strangers together (gouv.fr, co.uk) they are only slower. */
static const char *
domain_of(const char *folded)
{
    const char *end = folded + strlen(folded), *p = end;
    int dots = 0;

    while (p > folded && p[-1] != '@' && (p[-1] != '.' || ++dots < 2))
        p--;
    return p;
}

/* A look-up that found nothing is counted against a vouched sender; the shared bucket was charged before. */
static enum err
count_bad(struct incoming *in, struct pg *pg, struct why *why)
{
    char folded[MAIL_ADDRESS_MAX + 1];
    int64_t wait;
    enum err e;

    LOG_INFO_EV("mail.bad_code", LF_STR("verdict", in->verdict));
    if (!vouched(in))
        return OK;
    address_folded(in->m.from, folded);
    if ((e = throttle_take(pg, in->idp->pepper, &bad_by_address, folded, in->now, &wait, why)) != OK)
        return e;
    return throttle_take(pg, in->idp->pepper, &bad_by_domain, domain_of(folded), in->now, &wait, why);
}

/* Is this sender vouched for and below its limits? */
static enum err
is_trusted(struct incoming *in, struct pg *pg, bool *ret, struct why *why)
{
    char folded[MAIL_ADDRESS_MAX + 1];
    int64_t wait, wait_domain;
    enum err e;

    *ret = false;
    if (!vouched(in))
        return OK;
    address_folded(in->m.from, folded);
    if ((e = throttle_waiting(pg, in->idp->pepper, &bad_by_address, folded, in->now, &wait, why)) != OK ||
        (e = throttle_waiting(pg, in->idp->pepper, &bad_by_domain, domain_of(folded), in->now, &wait_domain, why)) != OK)
        return e;
    *ret = wait == 0 && wait_domain == 0;
    return OK;
}

/* May this sender's code be looked up now? ERR_UNAVAILABLE: not yet, the MTA keeps the message. */
static enum err
may_look_up(struct incoming *in, struct pg *pg, struct why *why)
{
    int64_t wait;
    bool trusted;
    enum err e;

    if ((e = is_trusted(in, pg, &trusted, why)) != OK || trusted)
        return e;
    if ((e = throttle_take(pg, in->idp->pepper, &shared_bucket, "", in->now, &wait, why)) != OK)
        return e;
    return wait == 0 ? OK : why_code(why, ERR_UNAVAILABLE, "mail.busy", "the shared bucket is full");
}

static enum err
creation_code(struct incoming *in, struct pg *pg, struct why *why)
{
    enum err e;

    if ((e = may_look_up(in, pg, why)) != OK ||
        (e = secret_find(pg, in->idp->pepper, "creation", in->code, in->now, &in->secret, why)) != OK)
        return e;
    switch (in->secret.state) {
    case SECRET_LIVE:
        return pg_tx(pg, good_body, in, why);
    case SECRET_USED:
    case SECRET_EXPIRED:
    case SECRET_SUPERSEDED:
    case SECRET_LOCKED:
        in->verdict = "expired";
        break;
    case SECRET_UNKNOWN:
        in->verdict = "unknown";
        in->near_key = "mail.near.typo";
        break;
    }
    if ((e = count_bad(in, pg, why)) != OK)
        return e;
    return pg_tx(pg, answer_unknown_body, in, why);
}

static const char *
near_sentence(enum code_verdict near, enum code_kind other)
{
    switch (near) {
    case CODE_OTHER_KIND:
        return other == CODE_REVOCATION ? "mail.near.blocking" : "mail.near.other_kind";
    case CODE_TOO_SHORT:
        return "mail.near.short";
    case CODE_TOO_LONG:
        return "mail.near.long";
    case CODE_BAD_CHAR:
        return "mail.near.char";
    case CODE_GOOD:
    case CODE_EMPTY:
    case CODE_TYPO:
        return "mail.near.typo";
    }
    return "mail.near.typo";
}

static enum err
no_code(struct incoming *in, struct pg *pg, enum code_verdict near, enum code_kind other, struct why *why)
{
    in->verdict = near == CODE_OTHER_KIND ? "other_kind" : near == CODE_EMPTY ? "no_code" : "near";
    in->near_key = near_sentence(near, other);
    if (near == CODE_OTHER_KIND && other == CODE_REVOCATION && in->code[0] != '\0')
        return pg_tx(pg, exposed_body, in, why);
    return pg_tx(pg, answer_unknown_body, in, why);
}

static enum err
read_codes(struct incoming *in, struct pg *pg, struct why *why)
{
    enum code_verdict near = CODE_EMPTY;
    enum code_kind other = CODE_CREATION;
    int found = code_scan(CODE_CREATION, str_of(in->m.subject), in->code, &near, &other);

    if (found == 0 && near == CODE_EMPTY)
        found = code_scan(CODE_CREATION, str_of(in->m.text), in->code, &near, &other);
    if (found == 1)
        return creation_code(in, pg, why);
    if (found > 1) {
        in->verdict = "several";
        in->near_key = "mail.near.two";
        return pg_tx(pg, answer_unknown_body, in, why);
    }
    in->code[0] = '\0';
    if (near == CODE_OTHER_KIND && other == CODE_REVOCATION &&
        code_scan(CODE_REVOCATION, str_of(in->m.subject), in->code, NULL, NULL) != 1 &&
        code_scan(CODE_REVOCATION, str_of(in->m.text), in->code, NULL, NULL) != 1)
        in->code[0] = '\0';
    return no_code(in, pg, near, other, why);
}

enum err
activation_mail_receive(struct idp *idp, struct pg *pg, const struct lmtp_delivery *d, utime now, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(ARENA_MAX);
    struct incoming in = { .idp = idp, .arena = arena, .now = now, .verdict = "ignored" };
    const char *authserv = idp->conf.mail_authserv_id[0] == '\0' ? NULL : idp->conf.mail_authserv_id;
    bool seen;
    enum err e;

    sha256(d->raw, in.digest);
    if ((e = mail_parse(d->raw, d->return_path, authserv, arena, &in.m, why)) != OK)
        return e;
    if ((e = mail_in_store_seen(pg, in.digest, &seen, why)) != OK || seen)
        return e;
    if (in.m.from != NULL && (strlen(in.m.from) > MAIL_ADDRESS_MAX || !text_is_email(str_of(in.m.from))))
        in.m.from = NULL;
    if (in.m.from != NULL &&
        (e = address_mac(idp->pepper, keyring_current(idp->pepper), in.m.from, in.from_mac)) != OK)
        return why_set(why, e, "no pepper");
    if (in.m.automatic || in.m.too_large || in.m.from == NULL) {
        in.verdict = in.m.automatic ? "automatic" : in.m.too_large ? "too_large" : "sender";
        e = pg_tx(pg, record_body, &in, why);
    } else {
        e = read_codes(&in, pg, why);
    }
    LOG_INFO_EV("mail.in", LF_STR("verdict", in.verdict), LF_STR("dmarc", dmarc_name(in.m.dmarc)), LF_ERR(e));
    /* Two deliveries of one message at once: the other one has answered it. */
    return e == ERR_CONFLICT ? OK : e;
}
