/* certify: keys of authorities, their certificates, the root's list; and the end of a key. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/crypto/der.h"
#include "base/crypto/x509.h"
#include "pki/ceremony/ceremony-internal.h"
#include "pki/ceremony/root_list.h"
#include "pki/encode/certificate.h"
#include "pki/encode/extension.h"
#include "pki/lint/lint.h"

#define REASON_CA_COMPROMISE 2

/* --- names ------------------------------------------------------------------------------------------------------- */

enum err
label_split(const char *label, char ret_name[CA_NAME_MAX + 1], int *ret_generation)
{
    const char *g = strrchr(label, '-');
    int64_t generation;

    if (g == NULL || g[1] != 'g' || g - label > CA_NAME_MAX || !ca_name_ok((struct str){ label, (size_t)(g - label) }) ||
        str_to_i64(str_of(g + 2), 1, 999, &generation) != OK)
        return ERR_INPUT;
    memcpy(ret_name, label, (size_t)(g - label));
    ret_name[g - label] = '\0';
    *ret_generation = (int)generation;
    return OK;
}

/* --- keys ------------------------------------------------------------------------------------------------------------ */

static enum err
alg_parse(const char *name, enum key_alg *ret_alg, int *ret_bits, struct why *why)
{
    static const struct {
        const char *name;
        enum key_alg alg;
        int bits;
    } algs[] = { { "p256", KEY_P256, 256 }, { "p384", KEY_P384, 384 }, { "rsa3072", KEY_RSA, 3072 }, { "rsa4096", KEY_RSA, 4096 } };

    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (strcmp(algs[i].name, name) == 0) {
            *ret_alg = algs[i].alg;
            *ret_bits = algs[i].bits;
            return OK;
        }
    }
    return why_set(why, ERR_INPUT, "kinds of keys: p256, p384, rsa3072, rsa4096");
}

/* Sealed, written, read back and opened before anything is signed with it. */
static enum err
key_in_file(struct ceremony *c, const char *path, enum key_alg alg, int bits, const struct secret *s, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(VAULT_TEXT_MAX), back = BUF_BOUNDED(VAULT_TEXT_MAX), name = BUF_BOUNDED(64);
    AUTO(key_freep) struct key *again = NULL;
    char ca[CA_NAME_MAX + 1];
    int generation;
    enum err e;

    CHECK(label_split(c->label, ca, &generation) == OK);
    buf_addf(&name, "%s/%d", ca, generation);
    if (key_generate(alg, bits, KEY_CA_SIGN, &c->key) != OK)
        return why_set(why, ERR_INTERNAL, "a key cannot be made");
    if ((e = vault_seal(s, c->set, buf_cstr(&name), c->key, &text, why)) != OK ||
        (e = file_make(c, path, buf_view(&text), why)) != OK || (e = file_read(path, VAULT_TEXT_MAX - 1, &back, why)) != OK)
        return e;
    return vault_open(s, buf_view(&back), KEY_CA_SIGN, &again, why);
}

/* The PIN that follows from the secret replaces the one the token came with; nobody knows it. */
static enum err
token_take_over(struct ceremony *c, const char *uri, struct str pin, struct why *why)
{
    AUTO(buf_free) struct buf answer = BUF_BOUNDED(16);
    AUTO(secret_done) struct secret first = SECRET_INIT;
    enum err e;

    e = ask_for(c, NULL, "token", (struct words){ "Le jeton a déjà son PIN de ce secret (known) ou encore celui d'origine (new)",
                                                  "The token has its PIN of this secret already (known), or still the first one (new)" },
                "new", &answer, why);
    if (e != OK || str_eqs(buf_view(&answer), "known"))
        return e;
    if (!str_eqs(buf_view(&answer), "new"))
        return why_set(why, ERR_INPUT, "token: new or known");
    if ((e = ask_secret(c, NULL, "token.pin", (struct words){ "PIN d'origine du jeton", "First PIN of the token" }, false, &first,
                        why)) != OK)
        return e;
    return token_pin_change(uri, (struct str){ (const char *)first.data, first.len }, pin, why);
}

static enum err
key_in_token(struct ceremony *c, const char *uri, enum key_alg alg, int bits, struct why *why)
{
    AUTO(secret_done) struct secret pin = SECRET_INIT;
    char serial[TOKEN_SERIAL_SIZE];
    struct str view;
    enum err e;

    if ((e = token_serial(uri, serial, why)) != OK)
        return e;
    vault_pin(&c->secret, serial, &pin);
    view = (struct str){ (const char *)pin.data, pin.len };
    while ((e = token_take_over(c, uri, view, why)) != OK)
        if (!try_again(c, why))
            return e;
    if ((e = key_generate_token(uri, view, alg, bits, KEY_CA_SIGN, &c->key, why)) != OK)
        return e;
    record_line(c, "token serial %s key made inside, not extractable", serial);
    return OK;
}

static bool
is_root(const struct ceremony *c)
{
    return strcmp(c->conf->ca, "root") == 0;
}

enum err
step_key(struct ceremony *c, struct why *why)
{
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(2048);
    const char *uri = c->key_uri;
    enum key_alg alg = KEY_P384;
    int bits = 0;
    enum err e;

    if ((e = alg_parse(c->conf->alg, &alg, &bits, why)) != OK)
        return e;
    if (is_root(c)) {
        if (c->conf->kind == CEREMONY_RENEW)      /* the same custodians open both generations */
            memcpy(c->set, register_ca_find(c->reg, c->root_label)->set, sizeof(c->set));
        e = key_in_file(c, path_in(c, "%s.key", c->label), alg, bits,
                        c->conf->kind == CEREMONY_RENEW ? &c->root_secret : &c->secret, why);
    } else if (strncmp(uri, "pkcs11:", 7) == 0) {
        e = key_in_token(c, uri, alg, bits, why);
    } else {
        e = key_in_file(c, uri + strlen("sealed:"), alg, bits, &c->secret, why);
    }
    if (e != OK)
        return e;
    key_spki(c->key, &spki);
    record_line(c, "key %s %s of set %s", c->label, c->conf->alg, c->set);
    record_made(c, "public key", buf_view(&spki));
    return OK;
}

/* --- certificates ------------------------------------------------------------------------------------------------------ */

struct certificate_order {
    const struct profile *profile;
    const char *issuer_label, *label;
    const char *file;                    /* below the medium */
    struct str issuer, issuer_spki, subject, spki;
    struct key *signer;
    utime not_before, not_after;
    utime issuer_not_before, issuer_not_after;
    struct certificate_urls urls;
};

/* Read back by another hand, before the key is touched. */
static enum err
certificate_lint(const struct certificate_order *o, const struct certificate_input *in, struct str tbs, struct why *why)
{
    const struct lint_certificate_context context = {
        .profile = o->profile, .issuer = { o->issuer, in->issuer_key_id, in->sig_alg, o->issuer_not_before, o->issuer_not_after },
        .urls = o->urls, .serial = in->serial, .subject = o->subject, .spki = o->spki,
    };
    struct lint_report report;

    (void)lint_certificate(tbs, &context, &report);
    return lint_judge(&report, why);
}

/* What OpenSSL reads of it is what we meant, and the signature is the issuer's. */
static enum err
certificate_read_back(const struct certificate_order *o, struct str der, struct str serial, struct why *why)
{
    struct x509_cert cert = { .spki = BUF_BOUNDED(0) };
    AUTO(key_freep) struct key *issuer = NULL;
    struct certificate_parts parts;
    bool same;
    enum err e;

    if ((e = certificate_split(der, &parts, why)) != OK || (e = key_public(o->issuer_spki, &issuer, why)) != OK ||
        (e = key_verify(issuer, profile_sig_alg(key_algorithm(issuer)), parts.tbs, parts.signature, false, why)) != OK ||
        (e = x509_read(der, &cert, why)) != OK)
        return e;
    same = str_eq(buf_view(&cert.spki), o->spki) && cert.not_before == o->not_before && cert.not_after == o->not_after &&
           str_eq(parts.subject, o->subject) && str_eq(parts.issuer, o->issuer) && str_eq(parts.serial, serial);
    x509_done(&cert);
    return same ? OK : why_set(why, ERR_INTERNAL, "the certificate, read back, is not what was meant");
}

static enum err
certificate_make(struct ceremony *c, const struct certificate_order *o, struct why *why)
{
    AUTO(buf_free) struct buf tbs = BUF_BOUNDED(CERTIFICATE_MAX), sig = BUF_BOUNDED(1024), der = BUF_BOUNDED(CERTIFICATE_MAX),
                              hex = BUF_BOUNDED(64);
    struct register_certificate *row = &c->reg->certificates[c->reg->ncertificates];
    const enum sig_alg alg = profile_sig_alg(key_algorithm(o->signer));
    unsigned char serial[SERIAL_LEN], id[KEY_ID_LEN];
    struct certificate_input in = { .profile = o->profile, .serial = { (const char *)serial, SERIAL_LEN }, .issuer = o->issuer,
                                    .issuer_key_id = { (const char *)id, KEY_ID_LEN }, .subject = o->subject, .spki = o->spki,
                                    .sig_alg = alg, .not_before = o->not_before, .not_after = o->not_after, .urls = o->urls };
    enum err e;

    if (c->reg->ncertificates == REGISTER_CERTIFICATES_MAX)
        return why_set(why, ERR_INPUT, "too many certificates in the register");
    certificate_serial_draw(serial);
    if ((e = key_id(o->issuer_spki, id, why)) != OK || (e = certificate_tbs_encode(&in, &tbs, why)) != OK ||
        (e = certificate_lint(o, &in, buf_view(&tbs), why)) != OK ||
        (e = key_sign(o->signer, KEY_CA_SIGN, alg, buf_view(&tbs), false, &sig, why)) != OK ||
        (e = certificate_assemble(buf_view(&tbs), alg, buf_view(&sig), &der, why)) != OK ||
        (e = certificate_read_back(o, buf_view(&der), in.serial, why)) != OK ||
        (e = file_make(c, path_in(c, "%s", o->file), buf_view(&der), why)) != OK)
        return e;
    hex_encode(&hex, serial, sizeof(serial));
    memset(row, 0, sizeof(*row));
    (void)snprintf(row->issuer, sizeof(row->issuer), "%s", o->issuer_label);
    (void)snprintf(row->label, sizeof(row->label), "%s", o->label);
    (void)snprintf(row->serial, sizeof(row->serial), "%s", buf_cstr(&hex));
    sha256(buf_view(&der), row->sha256);
    row->not_after = o->not_after;
    c->reg->ncertificates++;
    record_line(c, "certificate %s by %s serial %s", o->label, o->issuer_label, row->serial);
    return OK;
}

static enum err
profile_read(const struct ceremony *c, const char *name, struct profile **ret, struct why *why)
{
    AUTO(buf_free) struct buf path = BUF_BOUNDED(PATH_MAX_LEN);
    enum err e;

    buf_addf(&path, "%s/%s.profile", c->conf->profiles, name);
    if ((e = profile_load(buf_cstr(&path), ret, why)) != OK)
        return e;
    return (*ret)->holder == HOLDER_CA ? OK : why_set(why, ERR_INPUT, "%s is no profile of an authority", name);
}

static const char *
certify_profile(const struct ceremony_config *conf)
{
    return strcmp(conf->ca, "root") == 0 ? "root-ca" : conf->profile;
}

enum err
certify_check(const struct ceremony *c, struct why *why)
{
    AUTO(profile_freep) struct profile *p = NULL;

    return profile_read(c, certify_profile(c->conf), &p, why);
}

static enum err
subject_ask_once(struct ceremony *c, const struct profile *p, struct buf *ret, struct why *why)
{
    AUTO(buf_free) struct buf organization = BUF_BOUNDED(256), identifier = BUF_BOUNDED(32), name = BUF_BOUNDED(256);
    struct subject s = { .generation = c->generation };
    enum err e;

    if ((e = ask_for(c, NULL, "organization", (struct words){ "Organisme, nom officiel entier", "Organisation, full official name" },
                     NULL, &organization, why)) != OK ||
        (e = ask_for(c, NULL, "identifier", (struct words){ "SIREN ou SIRET", "SIREN or SIRET" }, NULL, &identifier, why)) != OK ||
        (e = ask_for(c, NULL, "common_name", (struct words){ "Nom de l'autorité (la génération s'y ajoute)",
                                                             "Name of the authority (its generation is added)" },
                     NULL, &name, why)) != OK)
        return e;
    s.organization = buf_view(&organization);
    s.identifier = buf_view(&identifier);
    s.common_name = buf_view(&name);
    buf_reset(ret);
    return name_encode(p, &s, ret, why);
}

/* organization, identifier and common name, asked; encoded under the profile's rules. */
static enum err
subject_ask(struct ceremony *c, const struct profile *p, struct buf *ret, struct why *why)
{
    enum err e;

    while ((e = subject_ask_once(c, p, ret, why)) != OK && try_again(c, why))
        continue;
    return e;
}

/* Where relying parties will look: it goes into certificates, and cannot be changed there. */
static enum err
status_url_ask(struct ceremony *c, struct buf *ret, struct why *why)
{
    enum err e;

    do {
        e = ask_for(c, NULL, "status.url", (struct words){ "Adresse publique du service d'état (http://…)",
                                                           "Public address of the status service (http://…)" }, NULL, ret, why);
        if (e == OK && (!extension_url_is_valid(buf_view(ret)) || ret->data[ret->len - 1] == '/'))
            e = why_set(why, ERR_INPUT, "status.url: http://HOST, without a slash at its end (RFC 5280 4.2.1.13)");
    } while (e != OK && try_again(c, why));
    return e;
}

static enum err
root_certificate(struct ceremony *c, struct why *why)
{
    AUTO(profile_freep) struct profile *p = NULL;
    AUTO(buf_free) struct buf subject = BUF_BOUNDED(NAME_MAX_LEN), spki = BUF_BOUNDED(2048);
    struct certificate_order o = { .issuer_label = c->label, .label = c->label, .signer = c->key };
    enum err e;

    if ((e = profile_read(c, certify_profile(c->conf), &p, why)) != OK || (e = subject_ask(c, p, &subject, why)) != OK)
        return e;
    key_spki(c->key, &spki);
    o.profile = p;
    o.file = arena_printf(c->arena, "%s.cer", c->label);
    o.issuer = o.subject = buf_view(&subject);
    o.issuer_spki = o.spki = buf_view(&spki);
    o.not_before = now_of(c) / USEC_PER_SEC * USEC_PER_SEC;
    o.not_after = profile_not_after(p, o.not_before);
    o.issuer_not_before = o.not_before;
    o.issuer_not_after = o.not_after;
    if ((e = profile_key_check(p, key_algorithm(c->key), key_bits(c->key), o.not_after, why)) != OK)
        return e;
    return certificate_make(c, &o, why);
}

/* The root's certificate from the medium; parts are views into der. */
static enum err
root_read(struct ceremony *c, const char *label, struct buf *der, struct certificate_parts *ret, struct why *why)
{
    enum err e = file_read(path_in(c, "%s.cer", label), X509_DER_MAX, der, why);

    return e != OK ? e : certificate_split(buf_view(der), ret, why);
}

static enum err
issuing_certificate(struct ceremony *c, struct why *why)
{
    AUTO(profile_freep) struct profile *p = NULL;
    AUTO(buf_free) struct buf subject = BUF_BOUNDED(NAME_MAX_LEN), spki = BUF_BOUNDED(2048), der = BUF_BOUNDED(X509_DER_MAX + 1),
                              url = BUF_BOUNDED(512);
    struct certificate_order o = { .issuer_label = c->root_label, .label = c->label, .signer = c->root_key };
    struct certificate_parts root;
    const char *base;
    enum err e;

    if ((e = profile_read(c, certify_profile(c->conf), &p, why)) != OK || (e = root_read(c, c->root_label, &der, &root, why)) != OK ||
        (e = subject_ask(c, p, &subject, why)) != OK || (e = status_url_ask(c, &url, why)) != OK)
        return e;
    base = arena_str(c->arena, buf_view(&url));
    o.urls.crl = str_of(arena_printf(c->arena, "%s/crl/%s.crl", base, c->root_label));
    o.urls.ca_issuers = str_of(arena_printf(c->arena, "%s/ca/%s.cer", base, c->root_label));
    o.urls.ocsp = str_of(arena_printf(c->arena, "%s/ocsp", base));
    key_spki(c->key, &spki);
    o.profile = p;
    o.file = arena_printf(c->arena, "%s.cer", c->label);
    o.issuer = root.subject;
    o.issuer_spki = root.spki;
    o.subject = buf_view(&subject);
    o.spki = buf_view(&spki);
    o.not_before = now_of(c) / USEC_PER_SEC * USEC_PER_SEC;
    o.not_after = profile_not_after(p, o.not_before);
    o.issuer_not_before = root.not_before;
    o.issuer_not_after = root.not_after;
    if (o.not_after > root.not_after)      /* nothing outlives its issuer */
        o.not_after = root.not_after;
    if ((e = profile_key_check(p, key_algorithm(c->key), key_bits(c->key), o.not_after, why)) != OK)
        return e;
    return certificate_make(c, &o, why);
}

enum err
step_certificate(struct ceremony *c, struct why *why)
{
    struct register_ca *row = &c->reg->cas[c->reg->ncas];
    enum err e;

    if (c->reg->ncas == REGISTER_CAS_MAX)
        return why_set(why, ERR_INPUT, "too many authorities in the register");
    if ((e = is_root(c) ? root_certificate(c, why) : issuing_certificate(c, why)) != OK)
        return e;
    for (size_t i = 0; i < c->reg->ncas; i++) {      /* the generation before signs lists, and no certificate any more */
        char name[CA_NAME_MAX + 1];
        int generation;

        if (label_split(c->reg->cas[i].label, name, &generation) == OK && strcmp(name, c->conf->ca) == 0 &&
            c->reg->cas[i].state == CA_ACTIVE)
            c->reg->cas[i].state = CA_RETIRING;
    }
    memset(row, 0, sizeof(*row));
    (void)snprintf(row->label, sizeof(row->label), "%s", c->label);
    memcpy(row->set, c->set, sizeof(row->set));
    memcpy(row->ceremony, c->id, sizeof(row->ceremony));
    row->state = CA_ACTIVE;
    row->key_uri = is_root(c) ? "offline" : arena_strdup(c->reg->arena, c->key_uri);
    c->reg->ncas++;
    return OK;
}

/* RFC 4210 §4.4: who trusts the old root reaches the new one (NewWithOld), and the other way round (OldWithNew). */
enum err
step_cross(struct ceremony *c, struct why *why)
{
    AUTO(profile_freep) struct profile *p = NULL;
    AUTO(buf_free) struct buf old_der = BUF_BOUNDED(X509_DER_MAX + 1), new_der = BUF_BOUNDED(X509_DER_MAX + 1);
    struct certificate_parts before, after;
    struct certificate_order o;
    enum err e;

    if ((e = profile_read(c, certify_profile(c->conf), &p, why)) != OK || (e = root_read(c, c->root_label, &old_der, &before, why)) != OK ||
        (e = root_read(c, c->label, &new_der, &after, why)) != OK)
        return e;
    o = (struct certificate_order){ .profile = p, .issuer_label = c->root_label, .label = c->label, .issuer = before.subject,
                                    .issuer_spki = before.spki, .subject = after.subject, .spki = after.spki,
                                    .signer = c->root_key, .not_before = after.not_before, .not_after = before.not_after,
                                    .issuer_not_before = before.not_before, .issuer_not_after = before.not_after };
    o.file = arena_printf(c->arena, "%s-by-%s.cer", o.label, o.issuer_label);
    if ((e = certificate_make(c, &o, why)) != OK)
        return e;
    o = (struct certificate_order){ .profile = p, .issuer_label = c->label, .label = c->root_label, .issuer = after.subject,
                                    .issuer_spki = after.spki, .subject = before.subject, .spki = before.spki,
                                    .signer = c->key, .not_before = after.not_before, .not_after = before.not_after,
                                    .issuer_not_before = after.not_before, .issuer_not_after = after.not_after };
    o.file = arena_printf(c->arena, "%s-by-%s.cer", o.label, o.issuer_label);
    return certificate_make(c, &o, why);
}

/* --- revocation ----------------------------------------------------------------------------------------------------------- */

enum err
step_revoke(struct ceremony *c, struct why *why)
{
    struct register_certificate *row = register_certificate_find(c->reg, c->label);
    struct register_ca *ca = register_ca_find(c->reg, c->label);
    enum err e;

    CHECK(row != NULL && ca != NULL);
    if (row->revoked)
        return why_code(why, ERR_CONFLICT, "ceremony.revoked", "%s is revoked already", c->label);
    if ((e = ask_agreed(c, "revoke", (struct words){ "Révoquer cette autorité, définitivement", "Revoke this authority, for good" },
                        why)) != OK)
        return e;
    row->revoked = true;
    row->at = now_of(c) / USEC_PER_SEC * USEC_PER_SEC;
    row->reason = REASON_CA_COMPROMISE;
    ca->state = CA_COMPROMISED;
    record_line(c, "revoked %s serial %s reason cACompromise", c->label, row->serial);
    return OK;
}

static enum err
list_make(struct ceremony *c, const char *label, struct key *key, struct why *why)
{
    AUTO(buf_free) struct buf root_der = BUF_BOUNDED(X509_DER_MAX + 1), der = BUF_BOUNDED(ROOT_LIST_MAX);
    struct root_list_entry entries[REGISTER_CERTIFICATES_MAX];
    unsigned char serials[REGISTER_CERTIFICATES_MAX][20], id[KEY_ID_LEN];
    struct root_list list = { .entries = entries, .issuer_key_id = { (const char *)id, KEY_ID_LEN } };
    struct certificate_parts root;
    enum err e;

    if ((e = root_read(c, label, &root_der, &root, why)) != OK || (e = key_id(root.spki, id, why)) != OK)
        return e;
    for (size_t i = 0; i < c->reg->ncertificates; i++) {
        const struct register_certificate *row = &c->reg->certificates[i];
        AUTO(buf_free) struct buf serial = BUF_BOUNDED(20);

        if (!row->revoked || strcmp(row->issuer, label) != 0)
            continue;
        if (hex_decode(str_of(row->serial), &serial) != OK)
            return why_set(why, ERR_INPUT, "the register has a damaged serial number");
        memcpy(serials[list.n], serial.data, serial.len);
        entries[list.n] = (struct root_list_entry){ { (const char *)serials[list.n], serial.len }, row->at, row->reason };
        list.n++;
    }
    list.issuer = root.subject;
    list.issuer_not_before = root.not_before;
    list.issuer_not_after = root.not_after;
    list.number = register_list_next(c->reg, label);
    list.this_update = now_of(c) / USEC_PER_SEC * USEC_PER_SEC;
    list.next_update = list.this_update + c->conf->list_life;
    if ((e = root_list_sign(&list, key, &der, why)) != OK)
        return e;
    record_line(c, "list %s number %lld entries %zu", label, (long long)list.number, list.n);
    return file_make(c, path_in(c, "%s-%lld.crl", label, (long long)list.number), buf_view(&der), why);
}

enum err
step_list(struct ceremony *c, struct why *why)
{
    /* a new root signs its own first list; else the root that was opened signs */
    if (is_root(c) && c->key != NULL) {
        const enum err e = list_make(c, c->label, c->key, why);

        if (e != OK || c->root_key == NULL)
            return e;
    }
    return list_make(c, c->root_label, c->root_key, why);
}

/* --- the end of a key --------------------------------------------------------------------------------------------------- */

/* Overwritten first: what a disk keeps of it is cipher text under a secret that its custodians destroy next. */
static enum err
file_destroy(const char *path, struct why *why)
{
    AUTO(secret_done) struct secret noise = SECRET_INIT;
    struct stat st;
    int fd;
    bool good;

    if (chmod(path, 0600) != 0 || (fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC)) < 0)
        return why_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= VAULT_TEXT_MAX;
    if (good) {
        secret_random(&noise, (size_t)st.st_size);
        good = write(fd, noise.data, noise.len) == (ssize_t)noise.len && fsync(fd) == 0;
    }
    good = close(fd) == 0 && good;
    return good && unlink(path) == 0 ? OK : why_set(why, ERR_UNAVAILABLE, "%s cannot be destroyed", path);
}

static enum err
token_destroy(struct ceremony *c, const char *uri, struct why *why)
{
    AUTO(secret_done) struct secret pin = SECRET_INIT;
    char serial[TOKEN_SERIAL_SIZE];
    enum err e;

    if ((e = token_serial(uri, serial, why)) != OK)
        return e;
    vault_pin(&c->secret, serial, &pin);
    return key_destroy_token(uri, (struct str){ (const char *)pin.data, pin.len }, why);
}

/* Does the set open another key that is still there? */
static bool
set_lives(const struct ceremony *c, const struct register_ca *without)
{
    for (size_t i = 0; i < c->reg->ncas; i++)
        if (&c->reg->cas[i] != without && strcmp(c->reg->cas[i].set, without->set) == 0 && c->reg->cas[i].state != CA_ENDED)
            return true;
    return false;
}

/* All agree before anything is done: there is no way back from it. */
static enum err
destroy_agree(struct ceremony *c, const struct register_ca *ca, struct why *why)
{
    enum err e;

    if ((e = ask_agreed(c, "destroy", (struct words){ "Détruire la clé de cette autorité ; rien ne la rend",
                                                      "Destroy the key of this authority; nothing gives it back" }, why)) != OK ||
        (e = ask_agreed(c, "copies", (struct words){ "Toutes les copies de sauvegarde sont ici et détruites avec elle",
                                                     "All backup copies are here and destroyed with it" }, why)) != OK)
        return e;
    if (set_lives(c, ca))
        return OK;
    record_line(c, "set %s opens nothing any more", ca->set);
    return ask_agreed(c, "shares.destroyed", (struct words){ "Chaque porteur présent détruit sa part",
                                                             "Every custodian present destroys their share" }, why);
}

enum err
step_destroy(struct ceremony *c, struct why *why)
{
    struct register_ca *ca = register_ca_find(c->reg, c->label);
    enum err e;

    if (ca->state == CA_ENDED)
        return why_code(why, ERR_CONFLICT, "ceremony.ended", "the key of %s was destroyed before", c->label);
    if ((e = destroy_agree(c, ca, why)) != OK)
        return e;
    if (strcmp(ca->key_uri, "offline") == 0)
        e = file_destroy(path_in(c, "%s.key", c->label), why);
    else if (strncmp(ca->key_uri, "pkcs11:", 7) == 0)
        e = token_destroy(c, ca->key_uri, why);
    else
        e = file_destroy(ca->key_uri + strlen("sealed:"), why);
    if (e != OK)
        return e;
    ca->state = CA_ENDED;
    record_line(c, "destroyed key of %s", c->label);
    return root_register_save(c->reg, path_in(c, "register"), why);
}
