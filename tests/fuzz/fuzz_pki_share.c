/*
 * fuzz_pki_share: texts that a custodian types in or a medium brings: armored octets, shares, persons' keys (their heads), sealed key
 * files. Armor has check symbols that are hard to hit upon, so that the input is taken as text and as the octets of one.
 */
#include "tests/fuzz/fuzz.h"

#include "pki/custody/armor.h"
#include "pki/custody/phrase.h"
#include "pki/custody/share.h"
#include "pki/custody/vault.h"

static void
texts(struct str text)
{
    AUTO(buf_free) struct buf meta = BUF_BOUNDED(PHRASE_META_MAX);
    unsigned char sha[SHA256_LEN];
    struct share_info info;

    if (share_read(text, &info, sha, NULL) == OK) {
        CHECK(info.threshold >= 2 && info.threshold <= info.total && info.number >= 1 && info.number <= info.total);
        CHECK(strlen(info.set) == SHARE_SET_LEN && person_name_ok(str_of(info.person)));
    }
    if (phrase_read(PHRASE_PERSON, text, &meta, sha, NULL) == OK)
        CHECK(meta.len <= 255);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char octets[ACTIVATION_LEN] = { 7 };
    const struct str in = { (const char *)data, size };
    AUTO(secret_done) struct secret s = SECRET_INIT;
    AUTO(key_freep) struct key *k = NULL;
    AUTO(buf_free) struct buf plain = BUF_BOUNDED(ARMOR_OCTETS_MAX);
    char set[SHARE_SET_LEN + 1], name[VAULT_NAME_MAX + 1];
    struct why why = WHY_INIT;

    if (armor_decode(in, &plain, &why) != OK)
        CHECK(why.text[0] != '\0');
    texts(in);
    if (vault_read(in, set, name, NULL) == OK)
        CHECK(strlen(set) == SHARE_SET_LEN && name[0] != '\0');
    secret_set(&s, octets, sizeof(octets));
    CHECK(vault_open(&s, in, KEY_CA_SIGN, &k, NULL) != OK || k != NULL);
    if (size > 0 && size <= ARMOR_OCTETS_MAX) {
        AUTO(buf_free) struct buf text = BUF_BOUNDED(ARMOR_TEXT_MAX), back = BUF_BOUNDED(ARMOR_OCTETS_MAX);

        armor_encode(in, &text);
        CHECK(buf_ok(&text) && armor_decode(buf_view(&text), &back, NULL) == OK);
        CHECK(str_eq(buf_view(&back), in));
        texts(buf_view(&text));
    }
    return 0;
}
