/*
 * mail_out: our mails, as jobs. The payload holds an address and perhaps a code: it is sealed under K_field, so that
 * neither the table nor its backups show it. A repeat after a lost answer carries the same Message-ID.
 */
#include "idp/activation/activation-internal.h"

#include <jansson.h>
#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/log.h"
#include "base/core/secret.h"
#include "base/mail/message.h"
#include "base/mail/smtp.h"
#include "idp/account/contact.h"
#include "idp/account/town.h"

#define PAYLOAD_MAX 8192
#define MAIL_MAX (64 * 1024)
#define MAIL_LIFE (24 * USEC_PER_HOUR)
#define SMTP_TIMEOUT (30 * USEC_PER_SEC)
#define ZONE "Europe/Paris"

enum err
mail_to_holder(const struct idp *idp, struct pg *pg, const struct account *account, struct arena *a, struct mail_out *m,
               struct why *why)
{
    struct town town;
    enum err e;

    if ((e = contact_find(pg, idp->field, account->id, a, &m->to, why)) != OK)
        return e;
    if ((e = town_by_id(pg, account->town_id, a, &town, why)) != OK)
        return e == ERR_NOT_FOUND ? ERR_INTERNAL : e;      /* an account without its town */
    m->lang = arena_strdup(a, account->lang);
    m->town = strcmp(account->lang, "en") == 0 ? town.label_en : town.label_fr;
    m->phone = town.phone[0] != '\0' ? town.phone : idp->conf.help_phone;
    return OK;
}

enum err
mail_job_add(const struct idp *idp, struct pg *pg, const char *key, const struct mail_out *m, utime now,
             struct why *why)
{
    AUTO(json_decrefp) json_t *root = json_pack(
        "{s:s, s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:b, s:b, s:I}", "template", m->template_name, "subject",
        m->subject_key, "to", m->to, "lang", m->lang, "link", m->link, "code", m->code, "town", m->town, "phone",
        m->phone != NULL && m->phone[0] != '\0' ? m->phone : NULL, "message", m->message_key, "receipt", m->receipt,
        "sheet_needed", m->sheet_needed, "final", m->final, "at", (json_int_t)m->at);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(PAYLOAD_MAX);
    AUTO(buf_free) struct buf plain = BUF_SECRET(PAYLOAD_MAX);
    char *text;
    enum err e;

    CHECK(root != NULL && (text = json_dumps(root, JSON_COMPACT)) != NULL);
    buf_adds(&plain, text);
    mem_wipe(text, strlen(text));
    free(text);
    if ((e = column_seal(idp->field, "job.mail.out", key, buf_view(&plain), &sealed)) != OK)
        return why_set(why, e, "the mail cannot be sealed");
    return job_add(pg, MAIL_OUT_JOB, key, buf_view(&sealed), now, now, MAIL_LIFE, why);
}

static const char *
member(const json_t *root, const char *name)
{
    return json_string_value(json_object_get(root, name));
}

static void
data_set(struct page_data *d, const json_t *root, const char *name)
{
    if (member(root, name) != NULL)
        page_str(d, name, member(root, name));
}

/* Of the job's key, which may name the account: who keeps mails must not be able to find in them what a stolen dump
 * calls the account (T-08, T-13). The oldest pepper, so that a repeat after a rotation is the same mail. */
static enum err
message_id(const struct idp *idp, const char *key, struct arena *a, const char **ret, struct why *why)
{
    const char *at = strrchr(idp->conf.mail_from, '@');
    AUTO(buf_free) struct buf text = BUF_BOUNDED(64);
    unsigned char mac[MAC_LEN];
    enum err e;

    if ((e = mac_compute(idp->pepper, keyring_oldest(idp->pepper), "message_id", str_of(key), mac)) != OK)
        return why_set(why, e, "no pepper");
    base64url_encode(&text, mac, 16);
    *ret = arena_printf(a, "<%s@%s>", buf_cstr(&text), at == NULL ? "localhost" : at + 1);
    return OK;
}

/* The subject is a message of the catalogue, filled from the same data as the text. */
static enum err
compose(struct idp *idp, const struct job *job, const json_t *root, struct arena *a, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_SECRET(MAIL_MAX);
    const char *lang = member(root, "lang");
    utime at = json_integer_value(json_object_get(root, "at"));
    struct page_data *d = page_data_new(a);
    struct mail_draft draft = {
        .from = idp->conf.mail_from, .to = member(root, "to"), .text = "", .lang = lang, .date = job->created_at,
    };
    enum err e;

    data_set(d, root, "link");
    data_set(d, root, "code");
    data_set(d, root, "phone");
    data_set(d, root, "receipt");
    page_bool(d, "sheet_needed", json_is_true(json_object_get(root, "sheet_needed")));
    page_bool(d, "final", json_is_true(json_object_get(root, "final")));
    if (member(root, "message") != NULL)
        page_msg(d, "message", member(root, "message"));
    page_str(d, "site", member(root, "town") != NULL ? member(root, "town")
                        : strcmp(lang, "en") == 0 ? idp->conf.name_en : idp->conf.name_fr);
    page_str(d, "mail_address", idp->conf.mail_address);
    page_strf(d, "block_url", "%s/blocage", idp->conf.base_url);
    page_time(d, "at", at != 0 ? at : job->created_at, ZONE);
    if ((e = page_render(idp->pages, member(root, "template"), lang, d, &text, why)) != OK)
        return e;
    draft.from_name = idp->conf.mail_from_name;
    draft.subject = page_message(idp->pages, lang, member(root, "subject"), d, a);
    draft.text = buf_cstr(&text);
    if ((e = message_id(idp, job->key, a, &draft.message_id, why)) != OK)
        return e;
    return mail_build(&draft, out, why);
}

enum err
mail_out_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *arena = arena_new(1024 * 1024);
    AUTO(buf_free) struct buf plain = BUF_SECRET(PAYLOAD_MAX);
    AUTO(buf_free) struct buf message = BUF_SECRET(MAIL_MAX);
    AUTO(json_decrefp) json_t *root = NULL;
    struct idp *idp = arg;
    struct smtp_config smtp = { .url = idp->conf.mail_smtp_url, .timeout = SMTP_TIMEOUT,
                                .ca_file = idp->conf.mail_smtp_ca[0] == '\0' ? NULL : idp->conf.mail_smtp_ca };
    enum err e;

    (void)pg;
    if ((e = column_open(idp->field, "job.mail.out", job->key, job->payload, &plain, why)) != OK)
        return e;
    root = json_loadb(plain.data, plain.len, 0, NULL);
    if (member(root, "to") == NULL || member(root, "template") == NULL || member(root, "subject") == NULL ||
        member(root, "lang") == NULL)
        return why_set(why, ERR_INTERNAL, "the payload is not one of ours");
    if ((e = compose(idp, job, root, arena, &message, why)) != OK)
        return e;
    e = smtp_send(&smtp, idp->conf.mail_from, member(root, "to"), buf_view(&message), why);
    LOG_INFO_EV("mail.out", LF_STR("key", job->key), LF_STR("template", member(root, "template")), LF_ERR(e),
                LF_INT("tries", job->tries));
    return e;
}
