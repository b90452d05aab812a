/* notice: see notice.h. French first, English below. */
#include "pki/front/notice.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/core/log.h"
#include "base/mail/message.h"
#include "base/mail/smtp.h"
#include "base/pg/job.h"

#define LEASE (90 * USEC_PER_SEC)
#define MAIL_MAX ((size_t)64 * 1024)
#define ALARM_PERIOD USEC_PER_SEC
#define EXPIRY_PERIOD (10 * USEC_PER_MIN)
#define JOB_THREADS 2

struct notices {
    const struct pki *pki;
    const struct pg_config *pg;
    struct job_kind kinds[2];
    struct job_runner *runner;
    const char **profiles;           /* of programs and servers */
    size_t nprofiles;
    pthread_t thread;
    atomic_bool stop;
};

/* --- what is due ------------------------------------------------------------------------------------------------------------ */

static const char **
machine_profiles(const struct profile_set *set, size_t *ret_n)
{
    const char **list = mem_alloc_array(set->n + 1, sizeof(*list));
    size_t n = 0;

    for (size_t i = 0; i < set->n; i++)
        if (profile_is_of_machine(set->items[i]))
            list[n++] = set->items[i]->name;
    *ret_n = n;
    return list;
}

static enum err
queue(struct notices *n, struct pg *pg, bool expiry, struct why *why)
{
    const struct pki_conf *c = &n->pki->conf;
    const utime now = clock_now();
    enum err e = OK;

    if (c->alarm_mail.n > 0)
        e = notice_alarms_queue(pg, c->alarm_mail.n, now, why);
    if (e == OK && expiry && c->expiry_mail.n > 0)
        e = notice_expiry_queue(pg, n->profiles, n->nprofiles, now + c->expiry_first, now + c->expiry_last, c->expiry_mail.n, now, why);
    return e;
}

static void *
queue_run(void *arg)
{
    struct notices *n = arg;
    AUTO(pg_closep) struct pg *pg = NULL;
    utime next = 0, next_expiry = 0;
    bool down = false;

    while (!atomic_load(&n->stop)) {
        const struct timespec nap = { 0, 100 * 1000 * 1000 };
        const utime now = clock_monotonic();
        struct why why = WHY_INIT;
        enum err e;

        nanosleep(&nap, NULL);
        if (now < next)
            continue;
        next = now + ALARM_PERIOD;
        if ((e = pg == NULL ? pg_open(n->pg, &pg, &why) : OK) == OK && (e = queue(n, pg, now >= next_expiry, &why)) == OK &&
            now >= next_expiry)
            next_expiry = now + EXPIRY_PERIOD;
        if (e != OK && !down)
            LOG_ERROR_EV("front.notices", LF_ERR(e), LF_WHY(&why));
        down = e != OK;
    }
    return NULL;
}

/* --- mails -------------------------------------------------------------------------------------------------------------------- */

static const char *
word(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));

    return s != NULL ? s : "";
}

static void
alarm_text(const json_t *o, const char *at, struct arena *a, struct mail_draft *d)
{
    const bool red = strcmp(word(o, "level"), "red") == 0;

    d->subject = arena_printf(a, "%s : %s %s / %s", red ? "ALERTE ROUGE" : "Avertissement", word(o, "kind"), word(o, "object"),
                              red ? "RED ALARM" : "Warning");
    d->text = arena_printf(a,
        "%s de l'autorité de certification, le %s (UTC) :\n\n    %s\n    %s\n\n%s\n\n"
        "Elle reste ouverte jusqu'à ce que sa cause ait disparu. Plusieurs personnes reçoivent ce message : accordez-vous.\n\n"
        "--\n%s of the certification authority, at %s (UTC): see above. It stays open until its cause is gone.\n"
        "Several persons get this message: agree who acts.\n",
        red ? "Alerte rouge" : "Avertissement", at, word(o, "kind"), word(o, "object"), word(o, "text"),
        red ? "Red alarm" : "Warning", at);
}

static void
expiry_text(const json_t *o, const char *at, struct arena *a, struct mail_draft *d)
{
    d->subject = arena_printf(a, "Le certificat de %s se termine le %.10s / certificate ends", word(o, "holder"), at);
    d->text = arena_printf(a,
        "Ce certificat se termine le %s (UTC) et n'a pas encore de successeur :\n\n"
        "    titulaire   %s\n    profil      %s\n    autorité    %s\n    numéro      %s\n\n"
        "Le programme qui s'en sert doit en demander un autre avec une nouvelle clé (EST, simplereenroll, dans les 60 derniers "
        "jours), ou un opérateur le fait (beffroi-pki request add). Sans cela il ne sera plus reconnu.\n\n"
        "--\nThis certificate ends at the time above and has no successor yet: the program that uses it has to ask for another one "
        "with a new key\n(EST, simplereenroll, within the last 60 days), or an operator does (beffroi-pki request add).\n",
        at, word(o, "holder"), word(o, "profile"), word(o, "ca"), word(o, "serial"));
}

static enum err
mail(struct notices *n, const struct job *job, const struct conf_list *list,
     void (*write)(const json_t *o, const char *at, struct arena *a, struct mail_draft *d), struct why *why)
{
    const struct pki_conf *c = &n->pki->conf;
    const struct smtp_config smtp = { .url = c->mail_smtp_url, .ca_file = c->mail_smtp_ca[0] == '\0' ? NULL : c->mail_smtp_ca };
    AUTO(arena_freep) struct arena *a = arena_new(MAIL_MAX * 4);
    AUTO(buf_free) struct buf message = BUF_BOUNDED(MAIL_MAX);
    AUTO(json_decrefp) json_t *o = json_loadb(job->payload.p == NULL ? "" : job->payload.p, job->payload.n, 0, NULL);
    const json_int_t to = json_integer_value(json_object_get(o, "to"));
    const char *domain = strrchr(c->mail_from, '@');
    struct mail_draft d = { .from = c->mail_from, .lang = "fr", .date = job->created_at };
    char at[UTIME_RFC3339_LEN + 1];
    enum err e;

    if (!json_is_object(o))
        return why_set(why, ERR_INTERNAL, "the payload is not one of ours");
    if (to < 0 || (size_t)to >= list->n)
        return why_set(why, ERR_NOT_FOUND, "the address is no longer in the list");
    utime_rfc3339(json_integer_value(json_object_get(o, "at")), at);
    write(o, at, a, &d);
    d.to = list->items[to];
    /* the same at every try, so that a repeat is recognised */
    d.message_id = arena_printf(a, "<%" PRIi64 ".%" PRIi64 ".%lld@%s>", job->id, job->created_at, (long long)to,
                                domain != NULL ? domain + 1 : "localhost");
    if ((e = mail_build(&d, &message, why)) == OK)
        e = smtp_send(&smtp, c->mail_from, d.to, buf_view(&message), why);
    LOG_INFO_EV("front.mail", LF_STR("kind", job->kind), LF_STR("key", job->key), LF_ERR(e), LF_INT("tries", job->tries));
    return e;
}

static enum err
alarm_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    struct notices *n = arg;

    (void)pg;
    return mail(n, job, &n->pki->conf.alarm_mail, alarm_text, why);
}

static enum err
expiry_job(struct pg *pg, const struct job *job, void *arg, struct why *why)
{
    struct notices *n = arg;

    (void)pg;
    return mail(n, job, &n->pki->conf.expiry_mail, expiry_text, why);
}

/* --- begin and end ---------------------------------------------------------------------------------------------------------------- */

enum err
notices_start(const struct pki *pki, const struct pg_config *pg, struct notices **ret, struct why *why)
{
    struct notices *n;
    enum err e;

    *ret = NULL;
    if (pki->conf.alarm_mail.n == 0 && pki->conf.expiry_mail.n == 0)
        return OK;
    n = mem_alloc(sizeof(*n));
    n->pki = pki;
    n->pg = pg;
    n->profiles = machine_profiles(&pki->profiles, &n->nprofiles);
    n->kinds[0] = (struct job_kind){ "mail.alarm", alarm_job, LEASE, n };
    n->kinds[1] = (struct job_kind){ "mail.expiry", expiry_job, LEASE, n };
    if ((e = job_runner_start(pg, n->kinds, ARRAY_LEN(n->kinds), JOB_THREADS, &n->runner, why)) != OK) {
        free(n->profiles);
        free(n);
        return e;
    }
    CHECK(pthread_create(&n->thread, NULL, queue_run, n) == 0);
    *ret = n;
    return OK;
}

void
notices_stop(struct notices *n)
{
    if (n == NULL)
        return;
    atomic_store(&n->stop, true);
    pthread_join(n->thread, NULL);
    job_runner_stop(n->runner);
    free(n->profiles);
    free(n);
}
