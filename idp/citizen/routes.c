/* routes: what citizen answers. /blocage is short because it stands on paper. */
#include "idp/citizen/factors.h"

#define FORM_MAX 4096
#define PASSKEY_FORM_MAX (48 * 1024)      /* its ceilings in base64, and the address of a sign-in that waits */
#define NEXT_FORM_MAX (16 * 1024)
#define CARD_FORM_MAX (16 * 1024)         /* a flow and a ticket */

static const struct http_route list[] = {
    { HTTP_GET, "/", get_home, HTTP_BODY_NONE, 0, HTTP_SESSION_OPTIONAL, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
      "citizen.home", true, false },
    { HTTP_GET, "/login", get_login, HTTP_BODY_NONE, 0, HTTP_SESSION_OPTIONAL, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
      "citizen.login", true, false },
    { HTTP_GET, "/blocage", get_block, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
      "citizen.block", true, true },
    { HTTP_POST, "/blocage", post_block, HTTP_BODY_FORM, FORM_MAX, HTTP_SESSION_NONE, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
      "citizen.block.post", true, false },
    { HTTP_GET, "/ma-page/blocage", get_my_block, HTTP_BODY_NONE, 0, HTTP_SESSION_REQUIRED, HTTP_CSRF_NONE,
      HTTP_POOL_EVENT, "citizen.my_block", true, false },
    { HTTP_POST, "/ma-page/blocage", post_my_block, HTTP_BODY_FORM, FORM_MAX, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "citizen.my_block.post", true, false },
    { HTTP_GET, "/ma-page/mot-de-passe", get_my_password, HTTP_BODY_NONE, 0, HTTP_SESSION_REQUIRED, HTTP_CSRF_NONE,
      HTTP_POOL_EVENT, "citizen.password", true, false },
    { HTTP_POST, "/ma-page/mot-de-passe", post_my_password, HTTP_BODY_FORM, 8192, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_SLOW, "citizen.password.post", true, false },
    { HTTP_POST, "/ma-page/adresse", post_my_address, HTTP_BODY_FORM, FORM_MAX, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "citizen.address.post", true, false },
    { HTTP_POST, "/ma-page/sessions", post_my_sessions, HTTP_BODY_FORM, FORM_MAX, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "citizen.sessions.post", true, false },
    { HTTP_POST, "/ma-page/accords", post_my_consents, HTTP_BODY_FORM, FORM_MAX, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "citizen.consents.post", true, false },
    { HTTP_GET, FACTORS_URL, get_my_factors, HTTP_BODY_NONE, 0, HTTP_SESSION_REQUIRED, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
      "citizen.factors", true, false },
    { HTTP_POST, FACTORS_URL "/retirer", post_my_factors_remove, HTTP_BODY_FORM, NEXT_FORM_MAX, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "citizen.factors.remove", true, false },
    { HTTP_POST, FACTORS_URL "/codes", post_my_factors_codes, HTTP_BODY_FORM, NEXT_FORM_MAX, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "citizen.factors.codes", true, false },
    { HTTP_GET, FACTORS_URL "/application", get_my_totp, HTTP_BODY_NONE, 0, HTTP_SESSION_REQUIRED, HTTP_CSRF_NONE,
      HTTP_POOL_EVENT, "citizen.totp", true, false },
    { HTTP_POST, FACTORS_URL "/application", post_my_totp, HTTP_BODY_FORM, NEXT_FORM_MAX, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "citizen.totp.post", true, false },
    { HTTP_GET, FACTORS_URL "/cle", get_my_passkey, HTTP_BODY_NONE, 0, HTTP_SESSION_REQUIRED, HTTP_CSRF_NONE,
      HTTP_POOL_EVENT, "citizen.passkey", true, false },
    { HTTP_POST, FACTORS_URL "/cle", post_my_passkey, HTTP_BODY_FORM, PASSKEY_FORM_MAX, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "citizen.passkey.post", true, false },
    { HTTP_GET, CARDS_URL, get_my_cards, HTTP_BODY_NONE, 0, HTTP_SESSION_REQUIRED, HTTP_CSRF_NONE, HTTP_POOL_EVENT,
      "citizen.cards", true, false },
    { HTTP_GET, CARDS_URL "/ajouter", get_my_cards_add, HTTP_BODY_NONE, 0, HTTP_SESSION_REQUIRED, HTTP_CSRF_NONE,
      HTTP_POOL_EVENT, "citizen.cards.add", true, false },
    { HTTP_POST, CARDS_URL "/lier", post_my_cards_link, HTTP_BODY_FORM, CARD_FORM_MAX, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "citizen.cards.link", true, false },
    { HTTP_POST, CARDS_URL "/retirer", post_my_cards_remove, HTTP_BODY_FORM, FORM_MAX, HTTP_SESSION_REQUIRED,
      HTTP_CSRF_CHECKED, HTTP_POOL_EVENT, "citizen.cards.remove", true, false },
    { HTTP_GET, "/ma-page/donnees", get_my_data, HTTP_BODY_NONE, 0, HTTP_SESSION_REQUIRED, HTTP_CSRF_NONE,
      HTTP_POOL_EVENT, "citizen.data", false, false },
};
const struct http_routes citizen_routes = HTTP_ROUTES(list);
