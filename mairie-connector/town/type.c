/* type: the three kinds of account, one row each. */
#include "mairie-connector/town/dossier.h"

static const struct {
    const char *name, *procedure;
    size_t on;                     /* the setting that switches it */
} types[] = {
    [TYPE_PASSWORD] = { "password", "password", offsetof(struct mairie_conf, account_password) },
    [TYPE_SOFT] = { "x509_soft", "certificate", offsetof(struct mairie_conf, account_certificate) },
    [TYPE_CARD] = { "x509_card", "card", offsetof(struct mairie_conf, account_card) },
};

const char *
dossier_type_name(enum dossier_type type)
{
    return types[type].name;
}

enum dossier_type
dossier_type_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(types[i].name, name) == 0)
            return (enum dossier_type)i;
    }
    panic("account type %s is not in the schema", name);
}

const char *
dossier_procedure(enum dossier_type type)
{
    return types[type].procedure;
}

bool
dossier_procedure_on(const struct mairie *m, enum dossier_type type)
{
    return *(const bool *)((const char *)&m->conf + types[type].on);
}

bool
dossier_procedure_find(const struct mairie *m, const char *name, enum dossier_type *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(types[i].procedure, name) == 0 && dossier_procedure_on(m, (enum dossier_type)i)) {
            *ret = (enum dossier_type)i;
            return true;
        }
    }
    return false;
}
