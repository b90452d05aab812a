/* routes: the town door. wire/openapi.yaml says the same; tests compare them. */
#include "mairie-connector/api/door-internal.h"

#define GET_(path_, handler_, name_)                                                                          \
    { HTTP_GET, path_, handler_, HTTP_BODY_NONE, 0, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, name_, false, false }
#define JSON_(method_, path_, handler_, name_)                                                                \
    { method_, path_, handler_, HTTP_BODY_JSON, WIRE_BODY_MAX, HTTP_SESSION_NONE, HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, name_, false, false }
static const struct http_route list[] = {
    JSON_(HTTP_POST, "/v1/accounts", post_accounts, "town.accounts.create"),
    GET_("/v1/accounts/{handle}", get_account, "town.account"),
    { HTTP_POST, "/v1/accounts/{handle}/ack", post_account_ack, HTTP_BODY_RAW, WIRE_BODY_MAX, HTTP_SESSION_NONE,
      HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, "town.account.ack", false, false },
    JSON_(HTTP_PUT, "/v1/accounts/{handle}/authorisations", put_account_authorisations, "town.account.authorisations"),
    JSON_(HTTP_POST, "/v1/accounts/{handle}/reissue", post_account_reissue, "town.account.reissue"),
    JSON_(HTTP_POST, "/v1/accounts/{handle}/activate", post_account_activate, "town.account.activate"),
    JSON_(HTTP_POST, "/v1/accounts/{handle}/reactivate", post_account_reactivate, "town.account.reactivate"),
    JSON_(HTTP_POST, "/v1/accounts/{handle}/block", post_account_block, "town.account.block"),
    JSON_(HTTP_POST, "/v1/accounts/{handle}/close", post_account_close, "town.account.close"),
    { HTTP_POST, "/v1/accounts/{handle}/reopen", post_account_reopen, HTTP_BODY_RAW, WIRE_BODY_MAX, HTTP_SESSION_NONE,
      HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, "town.account.reopen", false, false },
    JSON_(HTTP_POST, "/v1/blocks", post_blocks, "town.blocks"),
    { HTTP_PUT, "/v1/authorisations", put_authorisations, HTTP_BODY_JSON, WIRE_LABELS_BODY_MAX, HTTP_SESSION_NONE,
      HTTP_CSRF_PROTOCOL, HTTP_POOL_EVENT, "town.authorisations", false, false },
    GET_("/v1/changes", get_changes, "town.changes"),
    GET_("/v1/health", get_health, "town.health"),
};
const struct http_routes town_door_routes = HTTP_ROUTES(list);
