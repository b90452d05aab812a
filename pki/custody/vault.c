/* vault: see vault.h. A key file is four lines; the first three are bound to the box in the fourth. */
#include "base/core/enc.h"
#include "base/crypto/digest.h"
#include "base/crypto/seal.h"
#include "base/crypto/totp.h"
#include "pki/custody/vault.h"

#define FIRST_LINE "beffroi-pki sealed key 1"

static void
derive(const struct secret *s, const char *use, const char *name, unsigned char *out, size_t n)
{
    AUTO(buf_free) struct buf info = BUF_BOUNDED(256);

    CHECK(s->len == ACTIVATION_LEN);
    buf_addf(&info, "beffroi-pki %s", use);
    buf_addc(&info, '\0');
    buf_adds(&info, name);
    CHECK(buf_ok(&info));
    hkdf_sha256((struct str){ (const char *)s->data, s->len }, STR_NULL, buf_view(&info), out, n);
}

static void
file_key(const struct secret *s, const char *name, struct secret *ret)
{
    unsigned char key[32];

    derive(s, "key file", name, key, sizeof(key));
    secret_set(ret, key, sizeof(key));
    mem_wipe(key, sizeof(key));
}

static bool
name_ok(struct str name)
{
    if (name.n == 0 || name.n > VAULT_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '/'))
            return false;
    }
    return true;
}

enum err
vault_seal(const struct secret *s, const char *set, const char *name, const struct key *k, struct buf *ret_text,
           struct why *why)
{
    AUTO(buf_free) struct buf head = BUF_BOUNDED(512), box = BUF_BOUNDED(VAULT_TEXT_MAX);
    AUTO(secret_done) struct secret key = SECRET_INIT, der = SECRET_INIT;
    enum err e;

    CHECK(name_ok(str_of(name)) && strlen(set) == SHARE_SET_LEN);
    if ((e = key_pkcs8(k, &der, why)) != OK)
        return e;
    file_key(s, name, &key);
    buf_addf(&head, FIRST_LINE "\nset %s\nname %s\n", set, name);
    e = box_seal((struct str){ (const char *)key.data, key.len }, buf_view(&head),
                 (struct str){ (const char *)der.data, der.len }, &box, why);
    if (e != OK)
        return e;
    buf_add_str(ret_text, buf_view(&head));
    buf_add_lit(ret_text, "box ");
    base64_encode(ret_text, box.data, box.len);
    buf_addc(ret_text, '\n');
    return buf_ok(ret_text) ? OK : why_set(why, ERR_INTERNAL, "no room for the key file");
}

/* A uuid, as rand_uuid() writes it. */
static bool
set_ok(struct str set)
{
    if (set.n != SHARE_SET_LEN)
        return false;
    for (size_t i = 0; i < set.n; i++) {
        const char c = set.p[i];
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

struct key_file {
    struct str head, set, name, box;     /* views into the text */
};

/* The value of a line "NAME VALUE\n" at the start of *text, which moves behind it. */
static bool
line_take(struct str *text, const char *name, struct str *ret)
{
    const size_t n = strlen(name);
    struct str rest, line;

    if (!str_starts(*text, name))
        return false;
    line = str_split(*text, '\n', &rest);
    if (rest.p == NULL)
        return false;
    *ret = (struct str){ line.p + n, line.n - n };
    *text = rest;
    return true;
}

static enum err
key_file_parse(struct str text, struct key_file *ret, struct why *why)
{
    const char *start = text.p;
    struct str empty;

    if (text.n > VAULT_TEXT_MAX || !line_take(&text, FIRST_LINE, &empty) || empty.n != 0 ||
        !line_take(&text, "set ", &ret->set) || !set_ok(ret->set) || !line_take(&text, "name ", &ret->name) ||
        !name_ok(ret->name))
        return why_set(why, ERR_INPUT, "not a sealed key file of this program");
    ret->head = (struct str){ start, (size_t)(text.p - start) };
    if (!line_take(&text, "box ", &ret->box) || text.n != 0)
        return why_set(why, ERR_INPUT, "sealed key file cut short, or with something behind it");
    return OK;
}

enum err
vault_read(struct str text, char ret_set[SHARE_SET_LEN + 1], char ret_name[VAULT_NAME_MAX + 1], struct why *why)
{
    struct key_file f;
    enum err e = key_file_parse(text, &f, why);

    if (e != OK)
        return e;
    memcpy(ret_set, f.set.p, SHARE_SET_LEN);
    ret_set[SHARE_SET_LEN] = '\0';
    memcpy(ret_name, f.name.p, f.name.n);
    ret_name[f.name.n] = '\0';
    return OK;
}

enum err
vault_open(const struct secret *s, struct str text, enum key_purpose purpose, struct key **ret, struct why *why)
{
    AUTO(buf_free) struct buf box = BUF_BOUNDED(VAULT_TEXT_MAX), der = BUF_SECRET(VAULT_TEXT_MAX);
    AUTO(secret_done) struct secret key = SECRET_INIT;
    char set[SHARE_SET_LEN + 1], name[VAULT_NAME_MAX + 1];
    struct key_file f;
    enum err e;

    if ((e = key_file_parse(text, &f, why)) != OK || (e = vault_read(text, set, name, why)) != OK)
        return e;
    if (base64_decode(f.box, false, &box) != OK)
        return why_set(why, ERR_INPUT, "sealed key file with a damaged last line");
    file_key(s, name, &key);
    if ((e = box_open((struct str){ (const char *)key.data, key.len }, f.head, buf_view(&box), &der, why)) != OK)
        return e;
    return key_from_pkcs8(buf_view(&der), purpose, ret, why);
}

void
vault_pin(const struct secret *s, const char *token_serial, struct secret *ret_pin)
{
    AUTO(buf_free) struct buf text = BUF_SECRET(VAULT_PIN_LEN);
    unsigned char octets[VAULT_PIN_LEN * 5 / 8];

    derive(s, "token", token_serial, octets, sizeof(octets));
    base32_encode(&text, octets, sizeof(octets));
    CHECK(text.len == VAULT_PIN_LEN);
    secret_set(ret_pin, text.data, text.len);
    mem_wipe(octets, sizeof(octets));
}

static enum err
token_key(const struct secret *s, const char *uri, enum key_purpose purpose, struct key **ret, struct why *why)
{
    AUTO(secret_done) struct secret pin = SECRET_INIT;
    char serial[TOKEN_SERIAL_SIZE];
    enum err e;

    if ((e = token_serial(uri, serial, why)) != OK)
        return e;
    vault_pin(s, serial, &pin);
    return key_load_token(uri, (struct str){ (const char *)pin.data, pin.len }, purpose, ret, why);
}

enum err
vault_key(const struct secret *s, const char *key_uri, enum key_purpose purpose, struct key **ret, struct why *why)
{
    AUTO(secret_done) struct secret text = SECRET_INIT;
    enum err e;

    if (strncmp(key_uri, "pkcs11:", 7) == 0)
        return token_key(s, key_uri, purpose, ret, why);
    if (strncmp(key_uri, "sealed:", 7) != 0)
        return why_set(why, ERR_INPUT, "a CA's key is named sealed:FILE or pkcs11:...");
    if ((e = secret_read_file(key_uri + 7, VAULT_TEXT_MAX, &text, why)) != OK)
        return e;
    if ((e = vault_open(s, (struct str){ (const char *)text.data, text.len }, purpose, ret, why)) != OK)
        why_prepend(why, "%s", key_uri + 7);
    return e;
}
