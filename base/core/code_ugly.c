/*
 * code_ugly: words that must not come out of the printer of a town hall (D-12).
 *
 * French and English, only those that A31 can spell (no I, L, O). Digits that look
 * like letters are read as those letters as well: PUT3 is PUTE. A word counts
 * wherever it stands, across groups too. The list costs a creation code about
 * 0.1 bit. It is for drawing only: reading a code never looks at it.
 */
#include "base/core/code-internal.h"
#include "base/core/secret.h"

/* In any place, digits read as letters. A word that contains a shorter one of the list is not repeated. */
static const char *const words[] = {
    /* French */
    "ARABE", "BARBARE", "BAVEUSE", "BRANQUE", "BURNE", "CADAVRE", "CANCER", "CHATTE", "CREVARD", "CREVE",
    "DECHET", "ENCU", "FDP", "FESSE", "GARCE", "GERBE", "GUEUX", "HAREM", "MACAQUE", "MERDE", "MEURS",
    "MEURTRE", "MRD", "NABE", "NEGR", "NTM", "PEDE", "PENDU", "PTN", "PUCEAU", "PUTE", "SPERME", "SUCE",
    "TANTE", "TAPETTE", "TARD", "TARE", "TEUB", "TUER", "VERGE", "ZEB", "ZGEG",
    /* English */
    "ANUS", "ARSE", "ASS", "BDSM", "BUTT", "CRAP", "CUM", "CUNT", "DAMN", "DEAD", "DEATH", "DUMB", "DYKE",
    "FAG", "FCK", "FKU", "FUCK", "FUK", "GAY", "HATE", "JAP", "JEW", "KAFFER", "KKK", "KYS", "NAZ", "PERV",
    "QUEER", "RAPE", "SATAN", "SEX", "SHAG", "SKANK", "SPAZ", "SUCK", "TRAMP", "TWAT", "WANK", "WTF", "XXX",
};

/* As they stand, no digit read as a letter: too short for that, or made of digits. */
static const char *const plain[] = { "PD", "SS", "TG", "HH", "1488" };

static char
looks_like(char c)
{
    static const char letters[] = "OIZEASGTBG";      /* for 0 1 2 3 4 5 6 7 8 9 */

    return c >= '0' && c <= '9' ? letters[c - '0'] : c;
}

bool
code_is_ugly(const char *folded)
{
    char read[CODE_FOLDED_MAX];
    size_t n = strlen(folded);
    bool ugly = false;

    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        ugly = ugly || strstr(folded, plain[i]) != NULL;
    if (strspn(folded, "0123456789") == n)
        return ugly;      /* nobody reads words in a number */
    CHECK(n < sizeof(read));
    for (size_t i = 0; i <= n; i++)
        read[i] = looks_like(folded[i]);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        ugly = ugly || strstr(read, words[i]) != NULL;
    mem_wipe(read, sizeof(read));
    return ugly;
}
