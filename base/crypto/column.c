/*
 * column: MACs and sealed columns under a key ring (seal.h).
 *
 * The ring's key is used for HMAC only. A MAC's input starts with its label, which is never empty; the derivation of a
 * column's AES key starts with 0x00: the two can never be the same computation.
 *
 *     mac           HMAC(ring[v], label || 00 || value)
 *     column key    HMAC(ring[v], 00 || "column" || 00 || place || 00 || row_id)
 *     column        v || nonce || AES-256-GCM(column key, nonce, aad = place || 00 || row_id, plaintext)
 */
#include "base/core/rand.h"
#include "base/crypto/digest.h"
#include "base/crypto/seal-internal.h"

#define NUL STR_LIT("\0")
#define COLUMN_HEAD (1 + HPKE_NONCE_LEN)
#define PLACE_MAX 512

static struct str
secret_view(const struct secret *s)
{
    return str_from(s->data, s->len);
}

enum err
mac_compute(const struct keyring *k, int version, const char *label, struct str value, unsigned char out[MAC_LEN])
{
    const struct secret *key = keyring_key(k, version);
    const struct str parts[] = { str_of(label), NUL, value };

    CHECK(label[0] != '\0');
    if (key == NULL)
        return ERR_NOT_FOUND;
    hmac_sha256(secret_view(key), parts, ARRAY_LEN(parts), out);
    return OK;
}

static void
column_key(const struct secret *ring_key, const char *place, const char *row_id, unsigned char out[32])
{
    const struct str parts[] = { NUL, STR_LIT("column"), NUL, str_of(place), NUL, str_of(row_id) };

    hmac_sha256(secret_view(ring_key), parts, ARRAY_LEN(parts), out);
}

static enum err
column_aad(const char *place, const char *row_id, struct buf *out)
{
    buf_adds(out, place);
    buf_add_str(out, NUL);
    buf_adds(out, row_id);
    return buf_ok(out) ? OK : ERR_INPUT;
}

enum err
column_seal(const struct keyring *k, const char *place, const char *row_id, struct str plain, struct buf *out)
{
    AUTO(buf_free) struct buf aad = BUF_BOUNDED(PLACE_MAX), sealed = BUF_BOUNDED(SEAL_PLAIN_MAX + COLUMN_OVERHEAD + 1);
    const int version = keyring_current(k);
    unsigned char key[32], head[COLUMN_HEAD];
    enum err e;

    if ((e = column_aad(place, row_id, &aad)) != OK)
        return e;
    head[0] = (unsigned char)version;
    rand_bytes(head + 1, HPKE_NONCE_LEN);
    buf_add(&sealed, head, sizeof(head));
    column_key(keyring_key(k, version), place, row_id, key);
    e = gcm_seal(str_from(key, sizeof(key)), head + 1, buf_view(&aad), plain, &sealed, NULL);
    mem_wipe(key, sizeof(key));
    if (e != OK)
        return e;
    buf_add_str(out, buf_view(&sealed));
    return buf_ok(out) ? OK : ERR_INTERNAL;
}

enum err
column_open(const struct keyring *k, const char *place, const char *row_id, struct str sealed, struct buf *out,
            struct why *why)
{
    AUTO(buf_free) struct buf aad = BUF_BOUNDED(PLACE_MAX);
    const struct secret *ring_key;
    unsigned char key[32];
    enum err e;

    if (sealed.n < COLUMN_OVERHEAD)
        return why_set(why, ERR_DENIED, "%s: sealed value cut short", place);
    if ((ring_key = keyring_key(k, str_bytes(sealed)[0])) == NULL)
        return why_set(why, ERR_NOT_FOUND, "%s: no key of version %d", place, str_bytes(sealed)[0]);
    if ((e = column_aad(place, row_id, &aad)) != OK)
        return why_set(why, e, "%s: row id too long", place);
    column_key(ring_key, place, row_id, key);
    e = gcm_open(str_from(key, sizeof(key)), str_bytes(sealed) + 1, buf_view(&aad),
                 str_from(sealed.p + COLUMN_HEAD, sealed.n - COLUMN_HEAD), out, why);
    mem_wipe(key, sizeof(key));
    if (e != OK)
        why_prepend(why, "%s", place);
    return e;
}
