/* person_key: see person_key.h. meta of the sealed text is the person's name. */
#include "pki/custody/person_key.h"

enum err
person_key_new(const char *name, struct str phrase, const struct password_cost *cost, struct buf *ret_text,
               struct key **ret, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(ret_text->max);
    AUTO(secret_done) struct secret der = SECRET_INIT;
    AUTO(key_freep) struct key *k = NULL;
    enum err e;

    if (!person_name_ok(str_of(name)))
        return why_set(why, ERR_INPUT, "a person's name is a-z, then a-z, 0-9, '.' and '-', 2 to %d characters",
                       PERSON_NAME_MAX);
    if (key_generate(KEY_ED25519, 0, KEY_PERSON_SIGN, &k) != OK)
        return why_set(why, ERR_INTERNAL, "a key cannot be made");
    if ((e = key_pkcs8(k, &der, why)) != OK)
        return e;
    buf_addf(&text, "# beffroi-pki: key of %s, for approvals and ceremony records\n# Sealed under %s's pass phrase.\n", name,
             name);
    e = phrase_seal(PHRASE_PERSON, str_of(name), (struct str){ (const char *)der.data, der.len }, phrase, cost, &text, NULL,
                    why);
    if (e != OK)
        return e;
    buf_add_str(ret_text, buf_view(&text));
    *ret = TAKE(k);
    return OK;
}

enum err
person_key_open(struct str text, struct str phrase, struct key **ret, char ret_name[PERSON_NAME_MAX + 1],
                struct why *why)
{
    AUTO(buf_free) struct buf name = BUF_BOUNDED(PHRASE_META_MAX);
    AUTO(secret_done) struct secret der = SECRET_INIT;
    AUTO(key_freep) struct key *k = NULL;
    enum err e;

    if ((e = phrase_open(PHRASE_PERSON, text, phrase, &name, &der, why)) != OK ||
        (e = key_from_pkcs8((struct str){ (const char *)der.data, der.len }, KEY_PERSON_SIGN, &k, why)) != OK)
        return e;
    if (key_algorithm(k) != KEY_ED25519 || !person_name_ok(buf_view(&name)))
        return why_set(why, ERR_INPUT, "not a person's key");
    if (ret_name != NULL)
        memcpy(ret_name, buf_cstr(&name), name.len + 1);
    *ret = TAKE(k);
    return OK;
}
