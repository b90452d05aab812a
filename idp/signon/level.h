/*
 * level: the levels of assurance (eIDAS, 2015/1502) that the operator claims for means of sign-in (DOMAIN 7.1). None is claimed
 * unless settings say which, and where that is published. A service that asks for a level is answered in the words it asked in;
 * others never hear of one.
 */
#ifndef IDP_SIGNON_LEVEL_H
#define IDP_SIGNON_LEVEL_H

#include "base/core/buf.h"
#include "idp/idp.h"

enum level { LEVEL_NONE, LEVEL_LOW, LEVEL_SUBSTANTIAL, LEVEL_HIGH };      /* the order of the settings' choices */
/* SAML eIDAS message format §3.1.1: "http://eidas.europa.eu/LoA/low" …; FranceConnect: "eidas1" to "eidas3". */
enum level_words { LEVEL_WORDS_EIDAS, LEVEL_WORDS_FRANCE_CONNECT };

/* at[l]: mask of enum signon_method: methods of level l or above. at[LEVEL_LOW] 0: none is claimed. */
struct levels {
    unsigned at[LEVEL_HIGH + 1];
};
void levels_read(const struct idp_conf *conf, struct levels *ret);
/* LEVEL_NONE: no name of a level. */
enum level level_parse(struct str name, enum level_words *ret_words);
/* NULL for LEVEL_NONE. */
const char *level_name(enum level level, enum level_words words);
/* The highest level of the methods that a session has. */
enum level level_of(const struct levels *levels, unsigned methods);

#endif
