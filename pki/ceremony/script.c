/*
 * script: what a ceremony is made of: tables of steps, the printed script, and the run, one step after the other.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/core/rand.h"
#include "pki/ceremony/ceremony-internal.h"

struct step {
    const char *name;
    step_fn run;
    struct words words;
};

#define ATTEND                                                                                                          \
    { "attend", step_attend,                                                                                            \
      { "Noter qui est là : chaque personne avec son rôle, chaque témoin, et s'il vient de l'extérieur.",               \
        "Note who is here: each person with their roles, each witness, and whether they come from outside." } }
#define KEYS                                                                                                            \
    { "keys", step_keys,                                                                                                \
      { "Chaque personne ouvre sa clé personnelle avec sa phrase de passe, ou la crée. Cette clé signera le procès-verbal.", \
        "Each person opens their own key with their pass phrase, or makes one. It will sign the record." } }
#define MACHINE                                                                                                         \
    { "machine", step_machine,                                                                                          \
      { "Vérifier l'heure de la machine et qu'elle n'est reliée à aucun réseau.",                                       \
        "Check the machine's time, and that it is on no network." } }
#define REHEARSE                                                                                                        \
    { "rehearse", step_rehearse,                                                                                        \
      { "Répétition : chaque porteur rouvre sa part depuis son support. Chaque part doit servir dans un groupe qui rend le secret.", \
        "Rehearsal: each custodian opens their share again from its medium. Each share must serve in a group that gives the secret back." } }
#define OPEN_ROOT                                                                                                       \
    { "open-root", step_open_root,                                                                                      \
      { "Les porteurs de la racine l'ouvrent, l'un après l'autre, jusqu'au seuil.",                                     \
        "The custodians of the root open it, one after the other, up to the threshold." } }
#define LIST                                                                                                            \
    { "list", step_list,                                                                                                \
      { "La racine signe sa liste des autorités révoquées.", "The root signs its list of revoked authorities." } }
#define LOCK                                                                                                            \
    { "lock", step_lock,                                                                                                \
      { "Les clés et les secrets quittent la mémoire de la machine.", "Keys and secrets leave the machine's memory." } }
#define CLOSE                                                                                                           \
    { "close", step_close,                                                                                              \
      { "Relire le procès-verbal. Les personnes le signent de leur clé ; témoins et personnes signent aussi le papier. Publier l'empreinte.", \
        "Read the record again. Persons sign it with their keys; witnesses and persons sign the paper too. Publish the fingerprint." } }
#define SECRET                                                                                                          \
    { "secret", step_secret,                                                                                            \
      { "Tirer le secret d'activation, le partager entre les porteurs ; chacun scelle sa part sous sa phrase de passe. "\
        "Une autre AC peut garder le secret qui existe : ses porteurs l'ouvrent.",                                      \
        "Draw the activation secret and split it among the custodians; each seals their share under their pass phrase. "\
        "A further CA may keep the secret that exists: its custodians open it." } }
#define KEY                                                                                                             \
    { "key", step_key,                                                                                                  \
      { "Créer la clé de l'autorité, la sceller sous le secret (ou la créer dans le jeton), l'ouvrir une fois pour voir.", \
        "Make the authority's key, seal it under the secret (or make it inside the token), open it once to see." } }
#define CERTIFICATE                                                                                                     \
    { "certificate", step_certificate,                                                                                  \
      { "Écrire le certificat de l'autorité, le contrôler avant de signer, le signer, le relire avec OpenSSL.",         \
        "Write the authority's certificate, check it before signing, sign it, read it back with OpenSSL." } }

static const struct step root_steps[] = { ATTEND, KEYS, MACHINE, SECRET, REHEARSE, KEY, CERTIFICATE, LIST, LOCK, CLOSE };
static const struct step issuing_steps[] = { ATTEND, KEYS, MACHINE, SECRET, REHEARSE, KEY, OPEN_ROOT, CERTIFICATE, LOCK, CLOSE };
static const struct step renew_root_steps[] = {
    ATTEND, KEYS, MACHINE, OPEN_ROOT, KEY, CERTIFICATE,
    { "cross", step_cross,
      { "Certificats croisés : l'ancienne racine certifie la nouvelle, la nouvelle certifie l'ancienne.",
        "Cross-certificates: the old root certifies the new one, the new one certifies the old one." } },
    LIST, LOCK, CLOSE
};
static const struct step list_steps[] = { ATTEND, KEYS, MACHINE, OPEN_ROOT, LIST, LOCK, CLOSE };
static const struct step compromise_steps[] = {
    ATTEND, KEYS, MACHINE, OPEN_ROOT,
    { "revoke", step_revoke,
      { "Révoquer le certificat de l'autorité compromise.", "Revoke the certificate of the compromised authority." } },
    LIST, LOCK, CLOSE
};
static const struct step destroy_steps[] = {
    ATTEND, KEYS, MACHINE,
    { "open-ca", step_open_ca,
      { "Si la clé est dans un jeton : ses porteurs l'ouvrent.", "If the key is in a token: its custodians open it." } },
    { "destroy", step_destroy,
      { "Détruire la clé et toutes ses copies, devant les témoins ; puis les parts, si elles n'ouvrent plus rien.",
        "Destroy the key and all its copies, before the witnesses; then the shares, if they open nothing any more." } },
    LOCK, CLOSE
};

#define STEPS(name, array) { name, array, ARRAY_LEN(array) }
static const struct {
    const char *name;
    const struct step *steps;
    size_t n;
} kinds[CEREMONY_KINDS] = {
    [CEREMONY_ROOT] = STEPS("root", root_steps),       [CEREMONY_ISSUING] = STEPS("issuing", issuing_steps),
    [CEREMONY_RENEW] = STEPS("renew", issuing_steps),  [CEREMONY_LIST] = STEPS("list", list_steps),
    [CEREMONY_COMPROMISE] = STEPS("compromise", compromise_steps), [CEREMONY_DESTROY] = STEPS("destroy", destroy_steps),
};

const char *
ceremony_kind_name(enum ceremony_kind kind)
{
    CHECK((unsigned)kind < CEREMONY_KINDS);
    return kinds[kind].name;
}

enum err
ceremony_kind_parse(struct str name, enum ceremony_kind *ret)
{
    for (unsigned i = 0; i < CEREMONY_KINDS; i++) {
        if (str_eqs(name, kinds[i].name)) {
            *ret = (enum ceremony_kind)i;
            return OK;
        }
    }
    return ERR_INPUT;
}

static const struct step *
steps_of(const struct ceremony_config *conf, size_t *ret_n)
{
    if (conf->kind == CEREMONY_RENEW && strcmp(conf->ca, "root") == 0) {
        *ret_n = ARRAY_LEN(renew_root_steps);
        return renew_root_steps;
    }
    *ret_n = kinds[conf->kind].n;
    return kinds[conf->kind].steps;
}

size_t
ceremony_steps(enum ceremony_kind kind)
{
    return kinds[kind].n;
}

void
ceremony_script(enum ceremony_kind kind, const char *ca, const char *lang, struct buf *out)
{
    const struct ceremony_config conf = { .kind = kind, .ca = ca };
    const bool fr = strcmp(lang, "fr") == 0;
    size_t n;
    const struct step *steps = steps_of(&conf, &n);

    buf_addf(out, fr ? "Cérémonie de clés : %s (%s)\n\n" : "Key ceremony: %s (%s)\n\n", ceremony_kind_name(kind), ca);
    for (size_t i = 0; i < n; i++)
        buf_addf(out, "[ ] %2zu. %s: %s\n", i + 1, steps[i].name, fr ? steps[i].words.fr : steps[i].words.en);
    buf_adds(out, fr ? "\nDate, lieu :\nSignatures :\n" : "\nDate, place:\nSignatures:\n");
}

/* --- talk ---------------------------------------------------------------------------------------------------------- */

const char *
say(const struct ceremony *c, struct words w)
{
    return strcmp(c->conf->lang, "en") == 0 ? w.en : w.fr;
}

void
tell(struct ceremony *c, struct words w)
{
    ask_tell(c->ask, say(c, w));
    ask_tell(c->ask, "\n");
}

static const char *
question(struct ceremony *c, const char *owner, const char *name)
{
    return owner == NULL ? name : arena_printf(c->arena, "%s.%s", owner, name);
}

enum err
ask_for(struct ceremony *c, const char *owner, const char *name, struct words prompt, const char *fallback, struct buf *ret,
        struct why *why)
{
    return ask_line(c->ask, question(c, owner, name), say(c, prompt), fallback, ret, why);
}

enum err
ask_secret(struct ceremony *c, const char *owner, const char *name, struct words prompt, bool twice, struct secret *ret,
           struct why *why)
{
    static const struct words again = { "La même, encore", "The same, again" };

    return ask_phrase(c->ask, question(c, owner, name), say(c, prompt), twice ? say(c, again) : NULL, ret, why);
}

bool
try_again(struct ceremony *c, struct why *why)
{
    if (ask_is_prepared(c->ask) || strcmp(why->code, "ask.interrupted") == 0 || strcmp(why->code, "shares.wrong") == 0)
        return false;
    ask_tell(c->ask, "  ! ");
    ask_tell(c->ask, why->text);
    ask_tell(c->ask, "\n");
    *why = (struct why)WHY_INIT;
    return true;
}

enum err
ask_agreed(struct ceremony *c, const char *name, struct words prompt, struct why *why)
{
    bool yes = false;
    enum err e = ask_yes(c->ask, name, say(c, prompt), &yes, why);

    if (e != OK)
        return e;
    return yes ? OK : why_code(why, ERR_DENIED, "ceremony.no", "%s: those present said no", name);
}

utime
now_of(const struct ceremony *c)
{
    return c->conf->clock == NULL ? clock_now() : c->conf->clock();
}

const char *
path_in(struct ceremony *c, const char *format, ...)
{
    AUTO(buf_free) struct buf path = BUF_BOUNDED(PATH_MAX_LEN);
    va_list ap;

    buf_addf(&path, "%s/", c->conf->dir);
    va_start(ap, format);
    buf_addv(&path, format, ap);
    va_end(ap);
    CHECK(buf_ok(&path));
    return arena_strdup(c->arena, buf_cstr(&path));
}

/* --- the run --------------------------------------------------------------------------------------------------------- */

struct ceremony *
ceremony_new(const struct ceremony_config *conf)
{
    struct ceremony *c = mem_alloc(sizeof(*c));

    c->conf = conf;
    c->ask = conf->ask;
    c->arena = arena_new(1 << 22);
    rand_uuid(c->id);
    c->started = now_of(c);
    return c;
}

void
ceremony_free(struct ceremony *c)
{
    if (c == NULL)
        return;
    for (size_t i = c->nmade; i > 0 && !c->kept; i--)
        (void)unlink(c->made[i - 1]);
    for (size_t i = 0; i < c->nparticipants; i++)
        key_free(c->participants[i].key);
    key_free(c->key);
    key_free(c->root_key);
    secret_done(&c->secret);
    secret_done(&c->root_secret);
    root_register_free(c->reg);
    buf_free(&c->record);
    arena_free(c->arena);
    mem_freep(&c);
}

static bool
makes_certificate(const struct ceremony_config *conf)
{
    return conf->kind == CEREMONY_ROOT || conf->kind == CEREMONY_ISSUING || conf->kind == CEREMONY_RENEW;
}

/* Which CA, which generation, which root signs: from the register. */
static enum err
subject_find(struct ceremony *c, struct why *why)
{
    const struct ceremony_config *conf = c->conf;
    const int newest = register_generation(c->reg, conf->ca), root = register_generation(c->reg, "root");
    const bool makes = makes_certificate(conf);

    if (conf->kind != CEREMONY_ROOT && root == 0)
        return why_set(why, ERR_NOT_FOUND, "%s: no root on this medium", conf->dir);
    if ((conf->kind == CEREMONY_ROOT || conf->kind == CEREMONY_ISSUING) && newest > 0)
        return why_code(why, ERR_CONFLICT, "ceremony.exists", "%s exists on this medium: renew it", conf->ca);
    if (!(conf->kind == CEREMONY_ROOT || conf->kind == CEREMONY_ISSUING) && newest == 0)
        return why_set(why, ERR_NOT_FOUND, "no authority %s on this medium", conf->ca);
    if (!makes && conf->generation > newest)
        return why_set(why, ERR_NOT_FOUND, "no generation %d of %s", conf->generation, conf->ca);
    if (makes)
        c->generation = newest + 1;
    else
        c->generation = conf->generation > 0 ? conf->generation : newest;
    ca_label(conf->ca, c->generation, c->label);
    if (root > 0)
        ca_label("root", root, c->root_label);
    if (conf->kind == CEREMONY_COMPROMISE) {      /* the root that signed it revokes it */
        const struct register_certificate *row = register_certificate_find(c->reg, c->label);

        if (row == NULL || strcmp(row->issuer, c->label) == 0)
            return why_set(why, ERR_INPUT, "a root is not in a list of its own: destroy it, and say so publicly");
        memcpy(c->root_label, row->issuer, sizeof(c->root_label));
    }
    if (conf->kind == CEREMONY_LIST && conf->generation > 0)
        memcpy(c->root_label, c->label, sizeof(c->root_label));
    return OK;
}

enum err
ceremony_prepare(struct ceremony *c, struct why *why)
{
    const struct ceremony_config *conf = c->conf;
    enum err e;

    if (!ca_name_ok(str_of(conf->ca)) || conf->level < 1 || conf->level > 3)
        return why_set(why, ERR_INPUT, "bad name of an authority, or level");
    if ((strcmp(conf->ca, "root") == 0) != (conf->kind == CEREMONY_ROOT || conf->kind == CEREMONY_LIST) &&
        conf->kind != CEREMONY_RENEW && conf->kind != CEREMONY_DESTROY)
        return why_set(why, ERR_INPUT, "a %s ceremony is not for %s", ceremony_kind_name(conf->kind), conf->ca);
    e = root_register_load(path_in(c, "register"), &c->reg, why);
    if (e == ERR_NOT_FOUND && conf->kind == CEREMONY_ROOT && access(conf->dir, W_OK | X_OK) == 0) {
        c->reg = root_register_new();
        e = OK;
    }
    if (e != OK || (e = subject_find(c, why)) != OK)
        return e;
    c->key_uri = conf->key_uri;
    if (strcmp(conf->ca, "root") != 0 && (conf->kind == CEREMONY_ISSUING || conf->kind == CEREMONY_RENEW) &&
        (conf->key_uri == NULL || (strncmp(conf->key_uri, "sealed:/", 8) != 0 && strncmp(conf->key_uri, "pkcs11:", 7) != 0)))
        return why_set(why, ERR_INPUT, "where is the key made? sealed:/FILE or pkcs11:...");
    if ((makes_certificate(conf) && (e = certify_check(c, why)) != OK) || (conf->pg != NULL && (e = persons_from_database(c, why)) != OK))
        return e;
    record_begin(c);
    return OK;
}

enum err
ceremony_step(struct ceremony *c, size_t index, struct why *why)
{
    size_t n;
    const struct step *steps = steps_of(c->conf, &n), *step;
    AUTO(buf_free) struct buf head = BUF_BOUNDED(2048);
    char time[UTIME_RFC3339_LEN + 1];
    enum err e;

    if (index >= n || index != c->next)
        return why_code(why, ERR_CONFLICT, "ceremony.order", "step %zu is out of order: step %zu comes next", index + 1,
                        c->next + 1);
    step = &steps[index];
    utime_rfc3339(now_of(c), time);
    buf_addf(&head, "\n%zu/%zu %s: %s\n", index + 1, n, step->name, say(c, step->words));
    ask_tell(c->ask, buf_cstr(&head));
    record_line(c, "step %zu %s %s", index + 1, step->name, time);
    c->next = n;                 /* a step that failed is not tried again: the ceremony is over */
    if ((e = step->run(c, why)) != OK) {
        why_prepend(why, "%s", step->name);
        return e;
    }
    c->next = index + 1;
    return OK;
}

enum err
step_close(struct ceremony *c, struct why *why)
{
    char time[UTIME_RFC3339_LEN + 1];
    enum err e;

    utime_rfc3339(now_of(c), time);
    record_line(c, "ended %s", time);
    ask_tell(c->ask, "\n----\n");
    ask_tell(c->ask, buf_cstr(&c->record));
    ask_tell(c->ask, "----\n");
    if ((e = ask_agreed(c, "record.read", (struct words){ "Toutes les personnes présentes ont relu et signent",
                                                          "All those present have read it and sign" }, why)) != OK ||
        (e = ask_end(c->ask, why)) != OK || (e = record_close(c, why)) != OK || (e = root_register_save(c->reg, path_in(c, "register"), why)) != OK)
        return e;
    c->kept = true;
    return OK;
}

enum err
ceremony_run(const struct ceremony_config *conf, struct why *why)
{
    AUTO(ceremony_freep) struct ceremony *c = ceremony_new(conf);
    size_t n;
    enum err e;

    (void)steps_of(conf, &n);
    if ((e = ceremony_prepare(c, why)) != OK)
        return e;
    for (size_t i = 0; i < n; i++) {
        if ((e = ceremony_step(c, i, why)) != OK)
            return e;
    }
    if (conf->pg == NULL)
        return OK;
    if ((e = ceremony_import(conf->pg, conf->dir, now_of(c), why)) != OK)
        why_prepend(why, "the ceremony is over and recorded; import it into the database again");
    return e;
}
