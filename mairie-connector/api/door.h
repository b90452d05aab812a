/*
 * door: the town door, linked into beffroi-idp. REST/JSON over mutual TLS; a town is known by its client certificate
 * and never reaches another town's accounts: what is not its own does not exist (D-11). Messages are in ../wire.
 *
 * Creating and re-issuing carry an Idempotency-Key: the answer holds the codes sealed to the town's key and is kept,
 * for that key and 24 h at most, until the town acknowledges that it has stored them (K9). The same key with another
 * body is refused.
 *
 * Header "Beffroi-Clerk" (opaque, [A-Za-z0-9_-]{1,64}) names the clerk for the audit trail.
 */
#ifndef MAIRIE_CONNECTOR_API_DOOR_H
#define MAIRIE_CONNECTOR_API_DOOR_H

#include "base/http/server.h"

extern const struct http_routes town_door_routes;
extern const struct pg_stmts town_door_stmts;

#endif
