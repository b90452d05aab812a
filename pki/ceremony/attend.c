/* attend: who is there: persons with their keys and roles, witnesses; and the machine. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/crypto/digest.h"
#include "pki/ceremony/ceremony-internal.h"
#include "pki/custody/armor.h"
#include "pki/custody/person_key.h"

struct participant *
participant_find(struct ceremony *c, const char *name)
{
    for (size_t i = 0; i < c->nparticipants; i++)
        if (strcmp(c->participants[i].person->name, name) == 0)
            return &c->participants[i];
    return NULL;
}

/* --- persons ----------------------------------------------------------------------------------------------------- */

static enum err
roles_parse(struct str words, role_set *ret, struct why *why)
{
    enum role a, b;

    *ret = 0;
    while (words.p != NULL) {
        const struct str word = str_trim(str_split(words, ',', &words));
        enum role role;

        if (role_parse(word, &role) != OK)
            return why_set(why, ERR_INPUT, "no such role: %.*s", word.n > 40 ? 40 : (int)word.n, word.p);
        *ret |= ROLE_BIT(role);
    }
    if (role_set_conflict(*ret, &a, &b))
        return why_code(why, ERR_DENIED, "role.incompatible", "one person cannot be %s and %s", role_name(a), role_name(b));
    return OK;
}

/* Only a root's ceremony has nobody above it: persons and roles are declared there, before the witnesses. */
static enum err
person_declare(struct ceremony *c, const char *name, struct register_person **ret, struct why *why)
{
    AUTO(buf_free) struct buf label = BUF_BOUNDED(256), roles = BUF_BOUNDED(256);
    struct register_person *p = &c->reg->persons[c->reg->npersons];
    enum err e;

    if (c->conf->kind != CEREMONY_ROOT)
        return why_code(why, ERR_DENIED, "ceremony.stranger", "%s is not known: persons are declared in a root's ceremony, or "
                        "added and given a role by two", name);
    if (c->reg->npersons == REGISTER_PERSONS_MAX)
        return why_set(why, ERR_INPUT, "too many persons");
    if ((e = ask_for(c, name, "label", (struct words){ "Nom complet", "Full name" }, NULL, &label, why)) != OK ||
        (e = ask_for(c, name, "roles", (struct words){ "Rôles (custodian, security, systems, auditor…)",
                                                       "Roles (custodian, security, systems, auditor…)" },
                     NULL, &roles, why)) != OK ||
        (e = roles_parse(buf_view(&roles), &p->roles, why)) != OK)
        return e;
    p->roles_now = p->roles;
    rand_uuid(p->id);
    (void)snprintf(p->name, sizeof(p->name), "%s", name);
    memcpy(p->ceremony, c->id, sizeof(p->ceremony));
    p->label = arena_str(c->reg->arena, buf_view(&label));
    p->public_key = STR_NULL;
    c->reg->npersons++;
    *ret = p;
    return OK;
}

/* *ret_last: nobody more. */
static enum err
person_attend(struct ceremony *c, bool *ret_last, struct why *why)
{
    AUTO(buf_free) struct buf answer = BUF_BOUNDED(256);
    struct register_person *p;
    const char *name;
    bool fresh = false;
    enum err e;

    e = ask_for(c, NULL, "person", (struct words){ "Nom court d'une personne présente (- : plus personne)",
                                                   "Short name of a person present (-: nobody more)" },
                NULL, &answer, why);
    if (e != OK)
        return e;
    name = buf_cstr(&answer);
    *ret_last = strcmp(name, "-") == 0;
    if (*ret_last)
        return OK;
    if (!person_name_ok(str_of(name)))
        return why_set(why, ERR_INPUT, "a short name is a-z, then a-z, 0-9, '.' and '-'");
    if (participant_find(c, name) != NULL)
        return why_code(why, ERR_CONFLICT, "ceremony.twice", "%s is on the list already", name);
    if (c->nparticipants == PARTICIPANTS_MAX)
        return why_set(why, ERR_INPUT, "at most %d persons", PARTICIPANTS_MAX);
    if ((p = register_person_find(c->reg, name)) == NULL) {
        if ((e = person_declare(c, name, &p, why)) != OK)
            return e;
        fresh = true;
    }
    c->participants[c->nparticipants++] = (struct participant){ p, fresh, NULL };
    return OK;
}

/* *ret_last: none more. */
static enum err
witness_attend(struct ceremony *c, bool *ret_last, struct why *why)
{
    AUTO(buf_free) struct buf label = BUF_BOUNDED(256), word = BUF_BOUNDED(64);
    struct witness *w = &c->witnesses[c->nwitnesses];
    enum err e;

    e = ask_for(c, NULL, "witness", (struct words){ "Nom et qualité d'un témoin (- : plus aucun)",
                                                    "Name and quality of a witness (-: none more)" },
                NULL, &label, why);
    if (e != OK)
        return e;
    *ret_last = str_eqs(buf_view(&label), "-");
    if (*ret_last)
        return OK;
    if (c->nwitnesses == WITNESSES_MAX)
        return why_set(why, ERR_INPUT, "at most %d witnesses", WITNESSES_MAX);
    e = ask_for(c, NULL, "witness.external", (struct words){ "Extérieur à l'exploitant (oui, non)", "From outside (yes, no)" },
                NULL, &word, why);
    if (e != OK)
        return e;
    w->external = str_ieqs(buf_view(&word), "oui") || str_ieqs(buf_view(&word), "yes");
    if (!w->external && !str_ieqs(buf_view(&word), "non") && !str_ieqs(buf_view(&word), "no"))
        return why_set(why, ERR_INPUT, "witness.external: oui (yes) or non (no)");
    w->label = arena_str(c->arena, buf_view(&label));
    c->nwitnesses++;
    return OK;
}

/* P-125: one at *; several and a witness from outside at ** and *** (there a notary or bailiff). */
static enum err
attendance_check(const struct ceremony *c, struct why *why)
{
    size_t external = 0;

    for (size_t i = 0; i < c->nwitnesses; i++)
        external += c->witnesses[i].external;
    if (c->nparticipants < (c->conf->level >= 2 ? 2U : 1U))
        return why_code(why, ERR_DENIED, "ceremony.few", "two persons in trusted roles must be there");
    if (c->conf->level >= 2 && external == 0)
        return why_code(why, ERR_DENIED, "ceremony.witness", "a witness from outside must be there");
    return OK;
}

enum err
step_attend(struct ceremony *c, struct why *why)
{
    enum err e;

    do {
        for (bool last = false; !last;)
            if ((e = person_attend(c, &last, why)) != OK && !try_again(c, why))
                return e;
        for (bool last = false; !last;)
            if ((e = witness_attend(c, &last, why)) != OK && !try_again(c, why))
                return e;
        e = attendance_check(c, why);
    } while (e != OK && try_again(c, why));
    return e;
}

/* --- keys ---------------------------------------------------------------------------------------------------------- */

static enum err
key_make(struct ceremony *c, struct participant *p, const char *path, struct why *why)
{
    AUTO(secret_done) struct secret phrase = SECRET_INIT;
    AUTO(buf_free) struct buf text = BUF_BOUNDED(ARMOR_TEXT_MAX), spki = BUF_BOUNDED(256);
    enum err e;

    e = ask_secret(c, p->person->name, "key.phrase",
                   (struct words){ "Phrase de passe de sa clé (12 signes ou plus)", "Pass phrase of their key (12 characters or more)" },
                   true, &phrase, why);
    if (e != OK)
        return e;
    e = person_key_new(p->person->name, (struct str){ (const char *)phrase.data, phrase.len }, &c->conf->cost, &text, &p->key,
                       why);
    if (e != OK || (e = file_make(c, path, buf_view(&text), why)) != OK)
        return e;
    key_spki(p->key, &spki);
    p->person->public_key = (struct str){ arena_dup(c->reg->arena, spki.data, spki.len), spki.len };
    return OK;
}

static enum err
key_open(struct ceremony *c, struct participant *p, const char *path, struct why *why)
{
    AUTO(secret_done) struct secret phrase = SECRET_INIT;
    AUTO(buf_free) struct buf text = BUF_BOUNDED(ARMOR_TEXT_MAX), spki = BUF_BOUNDED(256);
    char name[PERSON_NAME_MAX + 1];
    enum err e;

    if ((e = file_read(path, ARMOR_TEXT_MAX - 1, &text, why)) != OK ||
        (e = ask_secret(c, p->person->name, "key.phrase", (struct words){ "Phrase de passe de sa clé", "Pass phrase of their key" },
                        false, &phrase, why)) != OK)
        return e;
    e = person_key_open(buf_view(&text), (struct str){ (const char *)phrase.data, phrase.len }, &p->key, name, why);
    if (e != OK)
        return e;
    key_spki(p->key, &spki);
    if (strcmp(name, p->person->name) != 0 || !str_eq(buf_view(&spki), p->person->public_key))
        return why_code(why, ERR_DENIED, "ceremony.key", "this is not the key that %s had before", p->person->name);
    return OK;
}

static void
person_record(struct ceremony *c, const struct register_person *p)
{
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(2 * SHA256_LEN), roles = BUF_BOUNDED(256);
    unsigned char digest[SHA256_LEN];

    sha256(p->public_key, digest);
    hex_encode(&hex, digest, sizeof(digest));
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        if ((p->roles_now & ROLE_BIT(i)) != 0)
            buf_addf(&roles, "%s%s", roles.len == 0 ? "" : ",", role_name((enum role)i));
    record_line(c, "person %s key %s roles %s label %s", p->name, buf_cstr(&hex), roles.len == 0 ? "-" : buf_cstr(&roles),
                p->label);
}

static enum err
key_ask(struct ceremony *c, struct participant *p, struct why *why)
{
    AUTO(buf_free) struct buf path = BUF_BOUNDED(PATH_MAX_LEN);
    enum err e;

    key_free(p->key);            /* of a try that failed */
    p->key = NULL;
    e = ask_for(c, p->person->name, "key.file", (struct words){ "Fichier de sa clé personnelle", "File of their own key" },
                path_in(c, "persons/%s.key", p->person->name), &path, why);
    if (e != OK)
        return e;
    return p->fresh ? key_make(c, p, buf_cstr(&path), why) : key_open(c, p, buf_cstr(&path), why);
}

enum err
step_keys(struct ceremony *c, struct why *why)
{
    enum err e;

    if (mkdir(path_in(c, "persons"), 0700) != 0 && errno != EEXIST)
        return why_set(why, ERR_UNAVAILABLE, "%s: %s", path_in(c, "persons"), strerror(errno));
    for (size_t i = 0; i < c->nparticipants; i++) {
        struct participant *p = &c->participants[i];

        while ((e = key_ask(c, p, why)) != OK)
            if (!try_again(c, why))
                return e;
        person_record(c, p->person);
    }
    for (size_t i = 0; i < c->nwitnesses; i++)
        record_line(c, "witness %s %s", c->witnesses[i].external ? "external" : "internal", c->witnesses[i].label);
    return OK;
}

/* --- the machine ------------------------------------------------------------------------------------------------- */

enum err
step_machine(struct ceremony *c, struct why *why)
{
    char text[UTIME_RFC3339_LEN + 1];
    enum err e;

    utime_rfc3339(now_of(c), text);
    ask_tell(c->ask, "  ");
    ask_tell(c->ask, text);
    ask_tell(c->ask, "\n");
    if ((e = ask_agreed(c, "clock", (struct words){ "Cette heure est juste (comparée à une montre)", "This time is right (compared "
                                                    "with a watch)" }, why)) != OK)
        return e;
    if ((e = ask_agreed(c, "offline", (struct words){ "La machine n'est reliée à aucun réseau pendant que la racine est ouverte",
                                                      "The machine is on no network while the root is open" }, why)) != OK)
        return e;
    record_line(c, "machine clock and network confirmed by those present");
    return OK;
}
