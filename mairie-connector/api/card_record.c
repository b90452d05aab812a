/*
 * card_record: what goes onto a card and its letters (P-009, P-014), on its way to card operations.
 *
 * The town sends name and address, we add the number, the PIN and the blocking code that we have just drawn, and seal the
 * six to the public key of card operations before anything is written: no key that opens it again is here.
 */
#include "mairie-connector/api/door-internal.h"

#include "base/core/secret.h"
#include "base/crypto/key.h"
#include "base/crypto/seal.h"
#include "idp/account/x509.h"

#define RECORD_MAX 8192

enum err
card_record_keep(struct pg *pg, const struct door *d, const struct account *account, const struct wire_card *card,
                 const struct account_codes *codes, struct why *why)
{
    AUTO(buf_free) struct buf plain = BUF_SECRET(RECORD_MAX);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(RECORD_MAX + SEAL_OVERHEAD);
    const struct wire_card_record m = {
        .surname = card->surname, .given_name = card->given_name, .address = card->address, .number = account->number,
        .reactivation_pin = codes->reactivation_pin, .revocation = codes->revocation,
    };
    char key_id[44];
    enum err e;

    wire_write_card_record(&plain, &m);
    CHECK(buf_ok(&plain));
    if ((e = seal_to(d->idp->card_key, STR_LIT(WIRE_CARD_SEAL_INFO), str_of(account->id), buf_view(&plain), &sealed, why)) !=
        OK)
        return e;
    key_thumbprint(d->idp->card_key, key_id);
    return card_record_add(pg, account->id, key_id, buf_view(&sealed), http_now(d->req), why);
}
