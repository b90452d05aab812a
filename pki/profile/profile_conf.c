/*
 * profile_conf: from a file to struct profile, by the table of its settings; folders of profiles.
 *
 * The text is read once: what is hashed is what is parsed. Lists of words become bits here, so that nobody else looks at
 * them; contradictions are profile_check()'s.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pki/profile/profile-internal.h"

#define FILE_MOST ((size_t)64 * 1024)
#define SET_MOST 256                 /* profiles of one folder */
#define SUFFIX ".profile"

#define ITEM(name, type, member, fallback, range, help) \
    { name, type, offsetof(struct profile, member), fallback, range, help }

static const struct conf_item items[] = {
    ITEM("title", CONF_TEXT, title, NULL, NULL, "What people call it."),
    ITEM("holder", CONF_CHOICE, holder, NULL, HOLDER_WORDS, "Who holds it (P-106)."),
    ITEM("use", CONF_CHOICE, use, NULL, USE_WORDS, "What it is for (P-106)."),
    ITEM("level", CONF_CHOICE, level, NULL, LEVEL_WORDS, "Level of the RGS, or local: none."),
    ITEM("ca", CONF_TEXT, ca, NULL, NULL, "Name of the authority that signs; self: the certificate's own key."),
    ITEM("subject", CONF_CHOICE, subject, NULL, "pseudonym|named|agent|company|server|program|responder|ca",
         "What the subject shows of its holder."),
    ITEM("subject.country", CONF_TEXT, country, "FR", NULL, "Attribute C."),
    ITEM("test", CONF_BOOL, test, "no", NULL, "Names begin with TEST, for certificates that are not real."),
    ITEM("key.rsa_min", CONF_INT, rsa_min, "3072", "0..8192",
         "Fewest bits of an RSA key; 0: no RSA. Past 2030-12-31 it is 3072 whatever stands here."),
    ITEM("key.curves", CONF_LIST, curves_text, "p256", NULL, "Curves of EC keys: p256, p384; none: no EC."),
    ITEM("key_usage", CONF_LIST, key_usage_text, NULL, NULL,
         "digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment, keyAgreement, keyCertSign, cRLSign."),
    ITEM("extended_key_usage", CONF_LIST, ext_key_usage_text, "", NULL,
         "clientAuth, serverAuth, emailProtection, smartcardLogon, OCSPSigning."),
    ITEM("policy", CONF_LIST, policies, "", NULL, "Certificate policy, a dotted object identifier; a CA may have several."),
    ITEM("policy.cps", CONF_TEXT, cps, "", NULL, "Address (http or https) of the certification practice statement."),
    ITEM("life", CONF_TEXT, life_text, NULL, NULL, "Length of validity: years by the calendar, days, hours: 3y, 90d, 2y6d, 12h."),
    ITEM("path_length", CONF_INT, path_length, "-1", "-1..8", "Authorities that may follow a CA; -1: any number."),
    ITEM("permitted.dns", CONF_LIST, permitted_dns, "", NULL,
         "Name constraints of a CA: domains below which it may sign servers; then no IP address."),
    ITEM("crl", CONF_BOOL, crl_distribution, "yes", NULL, "Certificates say where the CRL is."),
    ITEM("crl.freshest", CONF_BOOL, freshest_crl, "yes", NULL, "Certificates say where the delta CRL is."),
    ITEM("crl.reasons", CONF_BOOL, crl_reasons, "no", NULL, "CRLs show why a certificate was revoked."),
    ITEM("aia.ocsp", CONF_BOOL, aia_ocsp, "yes", NULL, "Certificates say where to ask by OCSP."),
    ITEM("aia.ca_issuers", CONF_BOOL, aia_ca_issuers, "yes", NULL, "Certificates say where the CA's certificate is."),
    ITEM("support", CONF_CHOICE, support, NULL, "software|card", "Where the key must be (P-120)."),
    ITEM("proof", CONF_LIST, proofs_text, NULL, NULL,
         "How the holder may be identified: face_to_face, signed_file, none (P-116)."),
    ITEM("renewals", CONF_INT, renewals, "0", "0..1000", "Renewals without a new proof of identity (P-117)."),
    ITEM("approvals", CONF_INT, approvals, "2", "0..5", "Persons who must approve a request that an operator makes."),
    ITEM("suspend", CONF_CHOICE, suspend, "defer", "defer|hold|immediate", "What suspending the account does to it."),
    ITEM("suspendable", CONF_BOOL, suspendable, "no", NULL, "It may be held and released; never at a level of the RGS."),
    ITEM("suspend.defer", CONF_DURATION, defer_max, "24h", "1min..72h", "With defer: revoked after so long."),
    ITEM("hold.max", CONF_DURATION, hold_max, "90d", "1h..365d", "With hold: revoked for good after so long."),
    ITEM("hold.count", CONF_INT, holds, "3", "1..100", "Times that one certificate may be held."),
    ITEM("acceptance", CONF_CHOICE, acceptance, "tacit", "tacit|confirmed|signed", "How the holder accepts it (P-121)."),
    ITEM("acceptance.alert", CONF_DURATION, accept_alert, "30d", "1d..365d", "Without acceptance: an alert after so long."),
    ITEM("acceptance.revoke", CONF_DURATION, accept_revoke, "60d", "1d..365d", "And revoked after so long."),
};
_Static_assert(ARRAY_LEN(items) == PROFILE_SETTINGS, "one line number for each setting");

const struct conf_item *
profile_settings(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(items);
    return items;
}

size_t
profile_setting_index(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        if (strcmp(items[i].name, name) == 0)
            return i;
    panic("no setting %s", name);
}

/* --- words ---------------------------------------------------------------------------------------------------------- */

struct word {
    const char *text;
    unsigned bit;
};

static const struct word key_usages[] = {
    { "digitalSignature", KU_DIGITAL_SIGNATURE }, { "nonRepudiation", KU_NON_REPUDIATION },
    { "keyEncipherment", KU_KEY_ENCIPHERMENT },   { "dataEncipherment", KU_DATA_ENCIPHERMENT },
    { "keyAgreement", KU_KEY_AGREEMENT },         { "keyCertSign", KU_KEY_CERT_SIGN },
    { "cRLSign", KU_CRL_SIGN },                   { NULL, 0 },
};
static const struct word ext_key_usages[] = {
    { "clientAuth", EKU_CLIENT_AUTH },           { "serverAuth", EKU_SERVER_AUTH },
    { "emailProtection", EKU_EMAIL_PROTECTION }, { "smartcardLogon", EKU_SMARTCARD_LOGON },
    { "OCSPSigning", EKU_OCSP_SIGNING },         { NULL, 0 },
};
static const struct word curves[] = { { "p256", CURVE_P256 }, { "p384", CURVE_P384 }, { "none", 0 }, { NULL, 0 } };
static const struct word proofs[] = {
    { "none", PROOF_NONE }, { "signed_file", PROOF_SIGNED_FILE }, { "face_to_face", PROOF_FACE_TO_FACE }, { NULL, 0 },
};

static enum err
wrong(const struct profile *p, const char *path, const char *setting, const char *what, const char *value, struct why *why)
{
    const int line = p->lines[profile_setting_index(setting)];

    if (line == 0)
        return why_code(why, ERR_INPUT, "pki.profile.setting", "%s: %s = %s: %s", path, setting, value, what);
    return why_code(why, ERR_INPUT, "pki.profile.setting", "%s:%d: %s = %s: %s", path, line, setting, value, what);
}

static enum err
words_read(const struct profile *p, const char *path, const char *setting, const struct conf_list *list,
           const struct word *words, unsigned *ret, struct why *why)
{
    unsigned bits = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct word *w = words;

        while (w->text != NULL && strcmp(w->text, list->items[i]) != 0)
            w++;
        if (w->text == NULL)
            return wrong(p, path, setting, "not a word for it", list->items[i], why);
        if ((bits & w->bit) != 0)
            return wrong(p, path, setting, "stands twice", list->items[i], why);
        bits |= w->bit;
    }
    *ret = bits;
    return OK;
}

/* "2y6d12h": each unit once, in this order. */
static bool
life_read(const char *text, struct profile_life *ret)
{
    static const struct {
        char unit;
        int64_t max, usec;
    } units[] = { { 'y', 50, 0 }, { 'd', 36500, USEC_PER_DAY }, { 'h', 876000, USEC_PER_HOUR } };
    struct profile_life life = { 0, 0 };
    size_t next = 0;

    if (*text == '\0')
        return false;
    while (*text != '\0') {
        const size_t digits = strspn(text, "0123456789");
        int64_t value;

        while (next < ARRAY_LEN(units) && units[next].unit != text[digits])
            next++;
        if (next == ARRAY_LEN(units) || str_to_i64((struct str){ text, digits }, 1, units[next].max, &value) != OK)
            return false;
        if (units[next].usec == 0)
            life.years = (int)value;
        else
            life.rest += value * units[next].usec;
        next++;
        text += digits + 1;
    }
    *ret = life;
    return true;
}

static enum err
derive(struct profile *p, const char *path, struct why *why)
{
    enum err e;

    if ((e = words_read(p, path, "key.curves", &p->curves_text, curves, &p->curves, why)) != OK ||
        (e = words_read(p, path, "key_usage", &p->key_usage_text, key_usages, &p->key_usage, why)) != OK ||
        (e = words_read(p, path, "extended_key_usage", &p->ext_key_usage_text, ext_key_usages, &p->ext_key_usage, why)) != OK ||
        (e = words_read(p, path, "proof", &p->proofs_text, proofs, &p->proofs, why)) != OK)
        return e;
    if (!life_read(p->life_text, &p->life))
        return wrong(p, path, "life", "not a length such as 3y, 90d, 2y6d, 12h", p->life_text, why);
    return OK;
}

/* --- one profile ---------------------------------------------------------------------------------------------------- */

static enum err
name_of(const char *path, char ret[PROFILE_NAME_MAX + 1], struct why *why)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    const size_t n = strlen(name), suffix = strlen(SUFFIX);
    size_t len;

    if (n <= suffix || strcmp(name + n - suffix, SUFFIX) != 0)
        return why_set(why, ERR_INPUT, "%s: the name of a profile ends in %s", path, SUFFIX);
    len = n - suffix;
    if (len > PROFILE_NAME_MAX || name[0] < 'a' || name[0] > 'z' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != len)
        return why_set(why, ERR_INPUT, "%s: a profile's name has lower-case letters, digits and hyphens, %d at most", path,
                       PROFILE_NAME_MAX);
    memcpy(ret, name, len);
    ret[len] = '\0';
    return OK;
}

/* All contradictions in one reason, as far as there is room; the first gives the code. */
static enum err
refuse_contradictions(const struct profile *p, const char *path, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(8192);
    struct profile_fault faults[16];
    const size_t n = profile_check(p, faults, ARRAY_LEN(faults));

    if (n == 0)
        return OK;
    for (size_t i = 0; i < n && i < ARRAY_LEN(faults); i++) {
        buf_addf(&text, "%s%s", i == 0 ? "" : "; ", path);
        if (faults[i].line != 0)
            buf_addf(&text, ":%d", faults[i].line);
        buf_addf(&text, ": %s: %s (%s)", faults[i].setting, faults[i].text, faults[i].rule);
    }
    if (n > ARRAY_LEN(faults))
        buf_addf(&text, "; and %zu more", n - ARRAY_LEN(faults));
    return why_code(why, ERR_INPUT, "pki.profile.contradiction", "%s", buf_cstr(&text));
}

enum err
profile_parse(struct str text, const char *path, struct profile **ret, struct why *why)
{
    AUTO(profile_freep) struct profile *p = mem_alloc(sizeof(*p));
    enum err e;

    if ((e = name_of(path, p->name, why)) != OK || (e = conf_parse(text, path, items, ARRAY_LEN(items), p, p->lines, why)) != OK ||
        (e = derive(p, path, why)) != OK || (e = refuse_contradictions(p, path, why)) != OK)
        return e;
    sha256(text, p->sha256);
    *ret = TAKE(p);
    return OK;
}

void
profile_free(struct profile *p)
{
    if (p == NULL)
        return;
    conf_free(items, ARRAY_LEN(items), p);
    free(p);
}

enum err
profile_load(const char *path, struct profile **ret, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(FILE_MOST);
    enum err e;

    if ((e = conf_read(path, &text, why)) != OK)
        return e;
    return profile_parse(buf_view(&text), path, ret, why);
}

/* --- all of a folder ------------------------------------------------------------------------------------------------ */

static int
is_profile(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);

    return n > suffix && entry->d_name[0] != '.' && strcmp(entry->d_name + n - suffix, SUFFIX) == 0;
}

/* A policy names one promise (P-105): two profiles of different use, level or support cannot share one. */
static enum err
policies_check(const struct profile_set *set, struct why *why)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct profile *a = set->items[i];

        for (size_t k = 0; k < i; k++) {
            const struct profile *b = set->items[k];

            if (a->holder == HOLDER_CA || b->holder == HOLDER_CA || a->policies.n == 0 || b->policies.n == 0 ||
                strcmp(a->policies.items[0], b->policies.items[0]) != 0)
                continue;
            if (a->level != b->level || a->use != b->use || a->support != b->support || a->holder != b->holder)
                return why_code(why, ERR_INPUT, "pki.profile.policy",
                                "policy %s: profiles %s and %s promise different things under it", a->policies.items[0], b->name,
                                a->name);
        }
    }
    return OK;
}

enum err
profile_set_load(const char *folder, struct profile_set *ret, struct why *why)
{
    AUTO(profile_set_free) struct profile_set set = { NULL, 0 };
    struct dirent **entries = NULL;
    const int n = scandir(folder, &entries, is_profile, alphasort);
    enum err e = OK;

    if (n < 0)
        return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    set.items = mem_alloc_array((size_t)n + 1, sizeof(*set.items));
    for (int i = 0; i < n; i++) {
        char path[4096];

        if (e == OK && (i >= SET_MOST || (size_t)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name) >= sizeof(path)))
            e = why_set(why, ERR_INPUT, "%s: more than %d profiles, or a name too long", folder, SET_MOST);
        if (e == OK && (e = profile_load(path, &set.items[set.n], why)) == OK)
            set.n++;
        free(entries[i]);
    }
    free(entries);
    if (e != OK || (e = policies_check(&set, why)) != OK)
        return e;
    if (set.n == 0)
        return why_set(why, ERR_NOT_FOUND, "%s: no profile", folder);
    *ret = set;
    set = (struct profile_set){ NULL, 0 };      /* moved */
    return OK;
}

const struct profile *
profile_set_find(const struct profile_set *set, struct str name)
{
    for (size_t i = 0; i < set->n; i++)
        if (str_eqs(name, set->items[i]->name))
            return set->items[i];
    return NULL;
}

void
profile_set_free(struct profile_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        profile_free(set->items[i]);
    mem_freep(&set->items);
    set->n = 0;
}
