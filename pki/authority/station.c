/* station: words, what is approved, and who a client certificate belongs to; the rows are in station_store.c. */
#include <stdio.h>

#include "base/crypto/x509.h"
#include "base/pg/audit.h"
#include "pki/authority/station-internal.h"

#define ARENA_MAX ((size_t)1 << 20)

static const char *const states[] = { "proposed", "active", "suspended", "ended" };

const char *
station_state_name(enum station_state state)
{
    return states[state];
}

bool
station_name_ok(struct str name)
{
    if (name.n == 0 || name.n > STATION_NAME_MAX || name.p[0] < 'a' || name.p[0] > 'z')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static bool
list_has(const char *const *list, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], word) == 0)
            return true;
    return false;
}

bool
station_has_profile(const struct station *s, const char *profile)
{
    return list_has(s->profiles, s->nprofiles, profile);
}

bool
station_has_town(const struct station *s, const char *town)
{
    return s->all_towns || town[0] == '\0' || list_has(s->towns, s->ntowns, town);
}

/* --- what is approved ------------------------------------------------------------------------------------------------------ */

void
station_text(const struct station *s, struct buf *out)
{
    char since[UTIME_RFC3339_LEN + 1];

    utime_rfc3339(s->state == STATION_SUSPENDED ? s->suspended_at : s->added_at, since);
    approval_line(out, "station", s->id);
    approval_line(out, "name", s->name);
    for (size_t i = 0; i < s->nprofiles; i++)
        approval_line(out, "profile", s->profiles[i]);
    if (s->all_towns)
        approval_line(out, "towns", "all");
    for (size_t i = 0; i < s->ntowns; i++)
        approval_line(out, "town", s->towns[i]);
    approval_line(out, "may_revoke", s->may_revoke ? "yes" : "no");
    approval_line(out, "state", station_state_name(s->state));
    approval_line(out, "since", since);
}

void
station_subject(const struct station *s, unsigned char ret[SHA256_LEN])
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(APPROVAL_TEXT_MAX);

    station_text(s, &text);
    CHECK(buf_ok(&text));
    sha256(buf_view(&text), ret);
}

static enum err
words_check(const char *const *list, size_t n, const char *what, struct why *why)
{
    if (n > STATION_LIST_MAX)
        return why_set(why, ERR_INPUT, "more than %d %ss", STATION_LIST_MAX, what);
    for (size_t i = 0; i < n; i++) {
        const size_t len = strlen(list[i]);

        if (len == 0 || len > STATION_NAME_MAX || strpbrk(list[i], " ,\r\n\t") != NULL)
            return why_set(why, ERR_INPUT, "%s %zu is not a name of one", what, i + 1);
        if (list_has(list, i, list[i]))
            return why_set(why, ERR_INPUT, "%s %s stands twice", what, list[i]);
    }
    return OK;
}

static enum err
input_check(const struct station *s, struct why *why)
{
    enum err e;

    if (!station_name_ok(str_of(s->name)))
        return why_set(why, ERR_INPUT, "a station's name is letters, digits and hyphens, a letter first, at most %d",
                       STATION_NAME_MAX);
    if (s->nprofiles == 0 || (s->ntowns == 0) != s->all_towns)
        return why_set(why, ERR_INPUT, "a station has one profile at least, and towns or all of them");
    if ((e = words_check(s->profiles, s->nprofiles, "profile", why)) != OK)
        return e;
    return words_check(s->towns, s->ntowns, "town", why);
}

/* --- becoming active --------------------------------------------------------------------------------------------------------- */

struct arg {
    const struct station *s;         /* proposed */
    const char *name, *actor;
    const struct signed_yes *yes;
    utime now;
    bool active;
};

static enum err
audit(struct pg *pg, const struct arg *x, const char *id, const char *verb, struct why *why)
{
    char object[64], detail[96];

    snprintf(object, sizeof(object), "station:%s", id);
    snprintf(detail, sizeof(detail), "{\"person\":\"%s\",\"active\":%s}", x->yes->person, x->active ? "true" : "false");
    return audit_add(pg, &(struct audit_entry){ .at = x->now, .actor = x->actor, .role = "", .verb = verb, .object = object,
                                                .result = "ok", .detail = detail }, why);
}

static enum err
add_body(struct pg *pg, void *arg, struct why *why)
{
    struct arg *x = arg;
    unsigned char subject[SHA256_LEN];
    bool enough;
    enum err e;

    station_subject(x->s, subject);
    if ((e = station_insert(pg, x->s, why)) != OK ||
        (e = approval_say(pg, APPROVE_STATION, subject, NULL, x->yes, x->now, &enough, why)) != OK)
        return e;
    CHECK(!enough);
    return audit(pg, x, x->s->id, "station.propose", why);
}

enum err
station_add(struct pg *pg, const struct station *s, const struct signed_yes *yes, const char *actor, utime now, struct why *why)
{
    struct station proposed = *s;
    struct arg x = { .s = &proposed, .name = s->name, .actor = actor, .yes = yes, .now = now };
    enum err e;

    if ((e = input_check(s, why)) != OK)
        return e;
    proposed.state = STATION_PROPOSED;
    proposed.added_at = utime_seconds(now) * USEC_PER_SEC;
    proposed.suspended_at = proposed.ended_at = UTIME_NULL;
    return pg_tx(pg, add_body, &x, why);
}

static enum err
approve_body(struct pg *pg, void *arg, struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(ARENA_MAX);
    struct arg *x = arg;
    unsigned char subject[SHA256_LEN];
    struct station s;
    enum err e;

    x->active = false;
    if ((e = station_lock(pg, x->name, a, &s, why)) != OK)
        return e;
    if (s.state != STATION_PROPOSED && s.state != STATION_SUSPENDED)
        return why_code(why, ERR_CONFLICT, "station.state", "the station is %s", station_state_name(s.state));
    station_subject(&s, subject);
    if ((e = approval_say(pg, APPROVE_STATION, subject, NULL, x->yes, x->now, &x->active, why)) != OK ||
        (x->active && (e = station_activate(pg, s.id, why)) != OK))
        return e;
    return audit(pg, x, s.id, s.state == STATION_PROPOSED ? "station.approve" : "station.resume", why);
}

enum err
station_approve(struct pg *pg, const char *name, const struct signed_yes *yes, const char *actor, utime now, bool *ret_active,
                struct why *why)
{
    struct arg x = { .name = name, .actor = actor, .yes = yes, .now = now };
    const enum err e = pg_tx(pg, approve_body, &x, why);

    if (e == OK)
        *ret_active = x.active;
    return e;
}

/* --- whose certificate ------------------------------------------------------------------------------------------------------- */

enum err
station_of_certificate(struct pg *pg, struct str der, utime now, struct arena *a, struct station *ret, char ret_certificate[37],
                       struct why *why)
{
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    struct station_certificate c;
    unsigned char sha[SHA256_LEN];
    struct station s;
    enum err e;

    if (x509_read(der, &cert, why) != OK)
        return why_code(why, ERR_DENIED, "station.unknown", "a client certificate that cannot be read");
    sha256(buf_view(&cert.spki), sha);
    e = station_by_key(pg, sha, a, &s, &c, why);
    if (e == ERR_NOT_FOUND || (e == OK && !str_eq(c.der, der)))
        return why_code(why, ERR_DENIED, "station.unknown", "not a certificate that we issued to a station");
    if (e != OK)
        return e;
    if ((strcmp(c.state, "issued") != 0 && strcmp(c.state, "active") != 0) || now < c.not_before || now > c.not_after)
        return why_code(why, ERR_DENIED, "station.certificate", "the certificate of %s is %s, or out of its time", s.name, c.state);
    *ret = s;
    if (ret_certificate != NULL)
        memcpy(ret_certificate, c.id, sizeof(c.id));
    return s.state == STATION_ACTIVE ? OK : why_code(why, ERR_DENIED, "station.state", "station %s is %s", s.name,
                                                     station_state_name(s.state));
}
