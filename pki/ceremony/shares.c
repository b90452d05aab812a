/* shares: an activation secret is drawn, split, handed out, rehearsed; or brought together again by its custodians. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "pki/ceremony/ceremony-internal.h"
#include "pki/custody/armor.h"
#include "pki/custody/unlock.h"

/* --- a new secret ---------------------------------------------------------------------------------------------- */

static size_t
custodians_of(struct ceremony *c, struct share *shares)
{
    size_t n = 0;

    for (size_t i = 0; i < c->nparticipants; i++) {
        const struct register_person *p = c->participants[i].person;

        if ((p->roles_now & ROLE_BIT(ROLE_CUSTODIAN)) != 0)
            (void)snprintf(shares[n++].info.person, sizeof(shares[0].info.person), "%s", p->name);
    }
    return n;
}

static enum err
share_hand_out(struct ceremony *c, const struct share *s, struct why *why)
{
    AUTO(secret_done) struct secret phrase = SECRET_INIT;
    AUTO(buf_free) struct buf path = BUF_BOUNDED(PATH_MAX_LEN), text = BUF_BOUNDED(ARMOR_TEXT_MAX), hex = BUF_BOUNDED(80);
    struct register_share *row = &c->reg->shares[c->reg->nshares];
    enum err e;

    if (c->reg->nshares == REGISTER_SHARES_MAX)
        return why_set(why, ERR_INPUT, "too many shares in the register");
    e = ask_for(c, s->info.person, "share.file",
                (struct words){ "Fichier de sa part, sur son propre support", "File of their share, on a medium of their own" },
                path_in(c, "shares/%s-%d.share", c->set, s->info.number), &path, why);
    if (e != OK ||
        (e = ask_secret(c, s->info.person, "share.phrase",
                        (struct words){ "Phrase de passe de sa part (12 signes ou plus)",
                                        "Pass phrase of their share (12 characters or more)" }, true, &phrase, why)) != OK ||
        (e = share_seal(s, (struct str){ (const char *)phrase.data, phrase.len }, &c->conf->cost, &text, row->sha256, why)) != OK ||
        (e = file_make(c, buf_cstr(&path), buf_view(&text), why)) != OK)
        return e;
    row->info = s->info;
    c->reg->nshares++;
    c->share_files[s->info.number - 1] = arena_str(c->arena, buf_view(&path));
    hex_encode(&hex, row->sha256, SHA256_LEN);
    record_line(c, "share %d of %d kept by %s sealed sha256 %s", s->info.number, s->info.total, s->info.person, buf_cstr(&hex));
    return OK;
}

static enum err
threshold_ask(struct ceremony *c, size_t total, int64_t *ret, struct why *why)
{
    AUTO(buf_free) struct buf answer = BUF_BOUNDED(16);
    enum err e;

    e = ask_for(c, NULL, "threshold", (struct words){ "Nombre de parts qui ouvrent", "Number of shares that open" }, NULL, &answer,
                why);
    if (e == OK && str_to_i64(buf_view(&answer), 2, (int64_t)total, ret) != OK)
        e = why_set(why, ERR_INPUT, "threshold: 2 to %zu", total);
    return e;
}

static enum err
secret_new(struct ceremony *c, struct why *why)
{
    struct share shares[PARTICIPANTS_MAX];
    int64_t k;
    size_t n;
    enum err e;

    memset(shares, 0, sizeof(shares));
    if ((n = custodians_of(c, shares)) < 2)
        return why_code(why, ERR_DENIED, "ceremony.custodians", "two custodians or more must be there");
    while ((e = threshold_ask(c, n, &k, why)) != OK)
        if (!try_again(c, why))
            return e;
    if (mkdir(path_in(c, "shares"), 0700) != 0 && errno != EEXIST)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path_in(c, "shares"), strerror(errno));
    rand_uuid(c->set);
    c->new_set = true;
    c->threshold = (int)k;
    c->total = (int)n;
    secret_random(&c->secret, ACTIVATION_LEN);
    e = share_split(&c->secret, c->set, c->threshold, c->total, shares, why);
    if (e == OK)
        record_line(c, "set %s opens with %d of %d", c->set, c->threshold, c->total);
    for (size_t i = 0; i < n && e == OK; i++)
        while ((e = share_hand_out(c, &shares[i], why)) != OK && try_again(c, why))
            continue;
    for (size_t i = 0; i < n; i++)
        share_done(&shares[i]);
    return e;
}

/* --- an old one ---------------------------------------------------------------------------------------------------- */

/* The set as the register knows it; false: it does not. */
static bool
set_find(struct ceremony *c, const char *set, struct unlock_config *ret)
{
    for (size_t i = 0; i < c->reg->nshares; i++) {
        const struct share_info *s = &c->reg->shares[i].info;

        if (strcmp(s->set, set) != 0)
            continue;
        memcpy(ret->set, s->set, sizeof(ret->set));
        ret->threshold = s->threshold;
        ret->total = s->total;
        return true;
    }
    return false;
}

/* One custodian comes. What they get wrong is said, and the next may try. */
static enum err
custodian_come(struct ceremony *c, struct unlock *u, const char *which, struct why *why)
{
    AUTO(buf_free) struct buf name = BUF_BOUNDED(PERSON_NAME_MAX + 1), path = BUF_BOUNDED(PATH_MAX_LEN),
                              text = BUF_BOUNDED(ARMOR_TEXT_MAX);
    AUTO(secret_done) struct secret phrase = SECRET_INIT;
    AUTO(share_done) struct share share = SHARE_INIT;
    struct participant *p;
    enum err e;

    if ((e = ask_for(c, which, "custodian", (struct words){ "Porteur (nom court)", "Custodian (short name)" }, NULL, &name, why)) != OK)
        return e;
    if ((p = participant_find(c, buf_cstr(&name))) == NULL)
        return why_code(why, ERR_DENIED, "ceremony.stranger", "%s is not on the list of those present", buf_cstr(&name));
    e = ask_for(c, p->person->name, "share.file", (struct words){ "Fichier de sa part", "File of their share" }, NULL, &path, why);
    if (e != OK || (e = file_read(buf_cstr(&path), ARMOR_TEXT_MAX - 1, &text, why)) != OK ||
        (e = ask_secret(c, p->person->name, "share.phrase", (struct words){ "Phrase de passe de sa part", "Pass phrase of their share" },
                        false, &phrase, why)) != OK ||
        (e = share_open(buf_view(&text), (struct str){ (const char *)phrase.data, phrase.len }, &share, why)) != OK)
        return e;
    if (strcmp(share.info.person, p->person->name) != 0)
        return why_code(why, ERR_DENIED, "ceremony.share", "this share is %s's, not %s's", share.info.person, p->person->name);
    if ((e = unlock_add(u, &share, p->person->roles_now, clock_monotonic(), why)) != OK)
        return e;
    record_line(c, "custodian %s opened share %d of set %s", p->person->name, share.info.number, share.info.set);
    return OK;
}

static enum err
set_open(struct ceremony *c, const char *set, const char *which, struct secret *ret, struct why *why)
{
    struct unlock_config conf = { .collect_max = USEC_PER_HOUR };
    AUTO(unlock_freep) struct unlock *u = NULL;
    const struct secret *s;
    enum err e;

    if (!set_find(c, set, &conf))
        return why_set(why, ERR_INPUT, "the register does not know the set %s", set);
    u = unlock_new(&conf);
    while (unlock_state(u) != UNLOCK_OPEN)
        if ((e = custodian_come(c, u, which, why)) != OK && !try_again(c, why))
            return e;
    s = unlock_secret(u);
    secret_set(ret, s->data, s->len);
    record_line(c, "set %s opened", set);
    return OK;
}

/* --- steps --------------------------------------------------------------------------------------------------------- */

/* Issuing authorities share one secret: the newest set of a key that is not the root's, if there is one. */
static const char *
online_set(const struct ceremony *c)
{
    const char *set = NULL;

    for (size_t i = 0; i < c->reg->ncas; i++)
        if (c->reg->cas[i].state != CA_ENDED && strcmp(c->reg->cas[i].key_uri, "offline") != 0)
            set = c->reg->cas[i].set;
    return set;
}

static enum err
set_ask(struct ceremony *c, bool *ret_new, struct why *why)
{
    AUTO(buf_free) struct buf answer = BUF_BOUNDED(16);
    enum err e;

    e = ask_for(c, NULL, "set", (struct words){ "Secret d'activation : le même que les autres AC (same) ou un nouveau (new)",
                                                "Activation secret: that of the other CAs (same) or a new one (new)" },
                "same", &answer, why);
    if (e != OK)
        return e;
    *ret_new = str_eqs(buf_view(&answer), "new");
    return *ret_new || str_eqs(buf_view(&answer), "same") ? OK : why_set(why, ERR_INPUT, "set: same or new");
}

enum err
step_secret(struct ceremony *c, struct why *why)
{
    const char *old = c->conf->kind == CEREMONY_ROOT ? NULL : online_set(c);
    bool fresh = old == NULL;
    enum err e;

    while (old != NULL && (e = set_ask(c, &fresh, why)) != OK)
        if (!try_again(c, why))
            return e;
    if (fresh)
        return secret_new(c, why);
    memcpy(c->set, old, sizeof(c->set));
    return set_open(c, c->set, "ca", &c->secret, why);
}

static enum err
share_reopen(struct ceremony *c, int index, struct share *ret, struct why *why)
{
    AUTO(secret_done) struct secret phrase = SECRET_INIT;
    AUTO(buf_free) struct buf text = BUF_BOUNDED(ARMOR_TEXT_MAX);
    const struct share_info *info = &c->reg->shares[c->reg->nshares - (size_t)(c->total - index)].info;
    enum err e;

    if ((e = file_read(c->share_files[index], ARMOR_TEXT_MAX - 1, &text, why)) == OK &&
        (e = ask_secret(c, info->person, "share.again",
                        (struct words){ "Phrase de passe de sa part, encore", "Pass phrase of their share, again" }, false, &phrase,
                        why)) == OK)
        e = share_open(buf_view(&text), (struct str){ (const char *)phrase.data, phrase.len }, ret, why);
    if (e != OK)
        why_prepend(why, "share of %s", info->person);
    return e;
}

/* Every share is opened again from its file, by its custodian, and is part of a group that gives the secret back: k in a
 * row, each in turn being the first. */
enum err
step_rehearse(struct ceremony *c, struct why *why)
{
    struct share shares[SHAMIR_TOTAL_MAX];
    enum err e = OK;

    if (!c->new_set) {
        record_line(c, "rehearsal not needed: the shares were opened before");
        return OK;
    }
    memset(shares, 0, sizeof(shares));
    for (int i = 0; i < c->total && e == OK; i++)
        while ((e = share_reopen(c, i, &shares[i], why)) != OK && try_again(c, why))
            continue;
    for (int first = 0; first < c->total && e == OK; first++) {
        AUTO(secret_done) struct secret found = SECRET_INIT;
        struct share group[SHAMIR_TOTAL_MAX];      /* views */

        for (int i = 0; i < c->threshold; i++)
            group[i] = shares[(first + i) % c->total];
        if ((e = share_combine(group, (size_t)c->threshold, &found, why)) == OK &&
            !mem_equal_ct(found.data, found.len, c->secret.data, c->secret.len))
            e = why_set(why, ERR_INTERNAL, "the shares give another secret");
    }
    for (int i = 0; i < c->total; i++)
        share_done(&shares[i]);
    if (e == OK)
        record_line(c, "rehearsal every share opened again, every group of %d neighbours gives the secret", c->threshold);
    return e;
}

enum err
step_open_root(struct ceremony *c, struct why *why)
{
    const struct register_ca *root = register_ca_find(c->reg, c->root_label);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(VAULT_TEXT_MAX);
    enum err e;

    CHECK(root != NULL);
    if ((e = set_open(c, root->set, "root", &c->root_secret, why)) != OK ||
        (e = file_read(path_in(c, "%s.key", c->root_label), VAULT_TEXT_MAX - 1, &text, why)) != OK)
        return e;
    return vault_open(&c->root_secret, buf_view(&text), KEY_CA_SIGN, &c->root_key, why);
}

/* For a key in a token only: its PIN follows from the secret. A file is destroyed without being opened. */
enum err
step_open_ca(struct ceremony *c, struct why *why)
{
    const struct register_ca *ca = register_ca_find(c->reg, c->label);

    CHECK(ca != NULL);
    memcpy(c->set, ca->set, sizeof(c->set));
    if (strncmp(ca->key_uri, "pkcs11:", 7) != 0) {
        record_line(c, "set not opened: the key is a sealed file");
        return OK;
    }
    return set_open(c, ca->set, "ca", &c->secret, why);
}

enum err
step_lock(struct ceremony *c, struct why *why)
{
    (void)why;
    key_free(c->root_key);
    c->root_key = NULL;
    key_free(c->key);
    c->key = NULL;
    secret_done(&c->root_secret);
    secret_done(&c->secret);
    record_line(c, "locked keys and secrets are out of the machine's memory");
    return OK;
}
