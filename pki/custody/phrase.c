/*
 * phrase: see phrase.h. The octets: version (1), kind, argon2id's memory in KiB (4) and passes (1), salt (16), length of
 * meta (1), meta, box (base/crypto/seal.h) with all before it as associated data.
 */
#include "base/core/rand.h"
#include "base/crypto/seal.h"
#include "pki/custody/armor.h"
#include "pki/custody/phrase.h"

#define VERSION 1
#define FIXED (1 + 1 + 4 + 1 + PASSWORD_SALT_LEN + 1)

struct parts {
    struct password_cost cost;
    unsigned char salt[PASSWORD_SALT_LEN];
    struct str meta, head, box;          /* views */
};

static struct str
secret_view(const struct secret *s)
{
    return (struct str){ (const char *)s->data, s->len };
}

enum err
phrase_seal(enum phrase_kind kind, struct str meta, struct str plain, struct str phrase, const struct password_cost *cost,
            struct buf *out, unsigned char ret_sha256[SHA256_LEN], struct why *why)
{
    AUTO(buf_free) struct buf octets = BUF_SECRET(ARMOR_OCTETS_MAX), box = BUF_BOUNDED(PHRASE_PLAIN_MAX + BOX_OVERHEAD);
    AUTO(secret_done) struct secret key = SECRET_INIT;
    unsigned char salt[PASSWORD_SALT_LEN];
    enum err e;

    CHECK(meta.n <= PHRASE_META_MAX && plain.n <= PHRASE_PLAIN_MAX && cost->passes <= 255);
    if (phrase.n < PHRASE_MIN)
        return why_set(why, ERR_INPUT, "a pass phrase of %d characters or more is wanted", PHRASE_MIN);
    rand_bytes(salt, sizeof(salt));
    if ((e = password_key(phrase, salt, cost, &key, why)) != OK)
        return e;
    buf_addc(&octets, VERSION);
    buf_addc(&octets, (char)kind);
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_addc(&octets, (char)(cost->memory_kib >> shift & 0xff));
    buf_addc(&octets, (char)cost->passes);
    buf_add(&octets, salt, sizeof(salt));
    buf_addc(&octets, (char)meta.n);
    buf_add_str(&octets, meta);
    if ((e = box_seal(secret_view(&key), buf_view(&octets), plain, &box, why)) != OK)
        return e;
    buf_add_str(&octets, buf_view(&box));
    CHECK(buf_ok(&octets));
    if (ret_sha256 != NULL)
        sha256(buf_view(&octets), ret_sha256);
    armor_encode(buf_view(&octets), out);
    return buf_ok(out) ? OK : why_set(why, ERR_INTERNAL, "no room for the sealed text");
}

static enum err
octets_split(enum phrase_kind kind, struct str octets, struct parts *ret, struct why *why)
{
    const unsigned char *p = (const unsigned char *)octets.p;
    size_t meta_len;

    if (octets.n < FIXED || p[0] != VERSION)
        return why_set(why, ERR_INPUT, "not a sealed text of this program, or of a newer version of it");
    if (p[1] != (unsigned char)kind)
        return why_set(why, ERR_INPUT, "%s", kind == PHRASE_SHARE ? "not a share" : "not a person's key");
    ret->cost = (struct password_cost){ (uint32_t)p[2] << 24 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 8 | p[5], p[6] };
    memcpy(ret->salt, p + 7, sizeof(ret->salt));
    meta_len = p[FIXED - 1];
    if (octets.n < FIXED + meta_len + BOX_OVERHEAD)
        return why_set(why, ERR_INPUT, "sealed text too short");
    ret->meta = (struct str){ octets.p + FIXED, meta_len };
    ret->head = (struct str){ octets.p, FIXED + meta_len };
    ret->box = (struct str){ octets.p + ret->head.n, octets.n - ret->head.n };
    return OK;
}

enum err
phrase_read(enum phrase_kind kind, struct str text, struct buf *ret_meta, unsigned char ret_sha256[SHA256_LEN],
            struct why *why)
{
    AUTO(buf_free) struct buf octets = BUF_SECRET(ARMOR_OCTETS_MAX);
    struct parts parts;
    enum err e;

    if ((e = armor_decode(text, &octets, why)) != OK || (e = octets_split(kind, buf_view(&octets), &parts, why)) != OK)
        return e;
    if (ret_sha256 != NULL)
        sha256(buf_view(&octets), ret_sha256);
    buf_add_str(ret_meta, parts.meta);
    return OK;
}

enum err
phrase_open(enum phrase_kind kind, struct str text, struct str phrase, struct buf *ret_meta, struct secret *ret_plain,
            struct why *why)
{
    AUTO(buf_free) struct buf octets = BUF_SECRET(ARMOR_OCTETS_MAX), plain = BUF_SECRET(PHRASE_PLAIN_MAX + 1);
    AUTO(secret_done) struct secret key = SECRET_INIT;
    struct parts parts;
    enum err e;

    if ((e = armor_decode(text, &octets, why)) != OK || (e = octets_split(kind, buf_view(&octets), &parts, why)) != OK ||
        (e = password_key(phrase, parts.salt, &parts.cost, &key, why)) != OK)
        return e;
    if ((e = box_open(secret_view(&key), parts.head, parts.box, &plain, why)) != OK)
        return e == ERR_DENIED ? why_code(why, e, "phrase.wrong", "wrong pass phrase") : e;
    buf_add_str(ret_meta, parts.meta);
    secret_set(ret_plain, plain.data, plain.len);
    return OK;
}
