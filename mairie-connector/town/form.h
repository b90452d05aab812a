/* form: what a clerk types about a citizen; kept as a draft, checked, shown again. */
#ifndef MAIRIE_TOWN_FORM_H
#define MAIRIE_TOWN_FORM_H

#include "mairie-connector/town/counter.h"

#define FORM_TEXT_MAX (48 * 1024)

struct form_authz {
    const char *id, *until;        /* code of the right; ISO date as typed; "" : none */
};
struct form {
    enum dossier_type type;
    const char *birth_name, *usual_name, *given_names, *doc_type, *doc_expiry, *lang;
    const char *lines[ADDRESS_LINES];      /* TYPE_CARD: as typed; line 1 may be empty */
    bool named;                            /* TYPE_SOFT: the certificate bears the name */
    bool no_given_names, large;
    struct form_authz authz[DOSSIER_AUTHZ_MAX];
    size_t nauthz;
};

/* Nothing typed yet. */
void form_init(enum dossier_type type, struct form *ret);
void form_read(struct http_request *req, enum dossier_type type, struct form *ret);
void form_write(const struct form *f, struct buf *out);
/* A draft as it was kept: ours, so damage is our fault. */
MUST_USE enum err form_parse(struct str text, struct arena *a, struct form *ret, struct why *why);
/* Names in NFC, trimmed; what is wrong goes into d as field errors. */
bool form_check(struct form *f, const struct mairie *m, const struct authz_def *defs, size_t ndefs, utime now,
                struct arena *a, struct page_data *d);
void form_names(const struct form *f, struct person_names *ret);
/* As it goes on the envelope: an empty line 1 is the person. */
void form_address(const struct form *f, struct arena *a, struct address *ret);
/* The procedure of the path; replies that there is no such page and returns false when this town has it not. */
bool form_type(struct http_request *req, enum dossier_type *ret);
/* "/new/card<rest>?draft=<id>" */
const char *form_path(struct http_request *req, enum dossier_type type, const char *rest, const char *draft);
bool form_sensitive(const struct form *f, const struct authz_def *defs, size_t ndefs);
const struct authz_def *authz_def_of(const struct authz_def *defs, size_t n, const char *id);
/* End of that day in the town's zone, as the last moment of its UTC date. ERR_INPUT: no date. */
MUST_USE enum err date_end(const char *iso, utime *ret);

#endif
