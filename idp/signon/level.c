/* level: see level.h. */
#include "idp/signon/level.h"

#include "idp/signon/signon.h"

static const char *const names[][2] = {
    [LEVEL_NONE] = { NULL, NULL },
    [LEVEL_LOW] = { "http://eidas.europa.eu/LoA/low", "eidas1" },
    [LEVEL_SUBSTANTIAL] = { "http://eidas.europa.eu/LoA/substantial", "eidas2" },
    [LEVEL_HIGH] = { "http://eidas.europa.eu/LoA/high", "eidas3" },
};

void
levels_read(const struct idp_conf *conf, struct levels *ret)
{
    const struct {
        int level;
        unsigned methods;
    } claims[] = {
        { conf->eidas_password, METHOD_PASSWORD },
        { conf->eidas_second, METHOD_SECOND },
        { conf->eidas_software, METHOD_SOFT_CERT },
        { conf->eidas_card, METHOD_CARD },
    };

    *ret = (struct levels){ .at = { METHOD_ALL } };
    for (size_t i = 0; i < ARRAY_LEN(claims); i++)
        for (int l = LEVEL_LOW; l <= claims[i].level; l++)
            ret->at[l] |= claims[i].methods;
}

enum level
level_parse(struct str name, enum level_words *ret_words)
{
    for (int l = LEVEL_LOW; l <= LEVEL_HIGH; l++)
        for (int w = LEVEL_WORDS_EIDAS; w <= LEVEL_WORDS_FRANCE_CONNECT; w++)
            if (str_eqs(name, names[l][w])) {
                *ret_words = (enum level_words)w;
                return (enum level)l;
            }
    return LEVEL_NONE;
}

const char *
level_name(enum level level, enum level_words words)
{
    return names[level][words];
}

enum level
level_of(const struct levels *levels, unsigned methods)
{
    enum level found = LEVEL_NONE;

    for (int l = LEVEL_LOW; l <= LEVEL_HIGH; l++)
        if ((levels->at[l] & methods) != 0)
            found = (enum level)l;
    return found;
}
