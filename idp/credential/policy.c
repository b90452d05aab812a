/*
 * policy: which user names and passwords a citizen may choose (P-044; CNIL 2022-100; ANSSI: 12 characters for users).
 * No composition rule: length, a list of refused ones, and zxcvbn's estimate. Every refusal names its sentence in the
 * catalogue.
 */
#include "idp/credential/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <zxcvbn.h>

#include "base/core/secret.h"
#include "base/core/text.h"

/* zxcvbn counts in bits of entropy here; 40 is "safely unguessable" for a throttled online attack on a slow hash. */
#define STRENGTH_MIN_BITS 40.0
/* zxcvbn is quadratic: only this much of a long passphrase is measured. */
#define STRENGTH_BYTES 72

static const char *const reserved[] = {
    "admin",   "administrateur", "administrator", "root",   "beffroi", "mairie",   "commune", "support", "aide",
    "help",    "contact",        "postmaster",    "security", "securite", "webmaster", "abuse", "info",   "noreply",
    "no-reply", "system",        "systeme",       "operator", "operateur", "test",   "null",   "anonymous", "maire",
};

enum err
login_fold(const char *login, char ret[LOGIN_FOLDED_MAX])
{
    AUTO(buf_free) struct buf folded = BUF_BOUNDED(LOGIN_FOLDED_MAX - 1);

    if (!text_is_utf8(str_of(login)) || text_nfkc_fold(str_of(login), &folded) != OK || !buf_ok(&folded) ||
        folded.len == 0)
        return ERR_INPUT;
    memcpy(ret, folded.data, folded.len);
    ret[folded.len] = '\0';
    return OK;
}

const char *
login_name_problem(const char *login)
{
    char folded[LOGIN_FOLDED_MAX];
    size_t length;

    if (login[0] == '\0')
        return "login.empty";
    if (!text_is_clean(str_of(login), false) || strpbrk(login, " \t/\\<>\"'&;,()[]{}") != NULL)
        return "login.chars";
    if (strchr(login, '@') != NULL)
        return "login.mail";
    length = text_length(str_of(login));
    if (length < LOGIN_MIN)
        return "login.short";
    if (length > LOGIN_MAX || login_fold(login, folded) != OK)
        return "login.long";
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (strcmp(folded, reserved[i]) == 0)
            return "login.reserved";
    }
    return NULL;
}

/* --- refused passwords ---------------------------------------------------------------------------------------------- */

struct deny_list {
    char **lines;      /* folded, sorted */
    size_t n;
};

static int
line_compare(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

enum err
deny_list_load(const char *path, struct deny_list **ret, struct why *why)
{
    AUTO(deny_list_freep) struct deny_list *d = mem_alloc(sizeof(*d));
    AUTO(mem_freep) char *line = NULL;
    char folded[LOGIN_FOLDED_MAX];
    size_t room = 0;
    FILE *f = fopen(path, "re");
    ssize_t n;

    if (f == NULL)
        return why_set(why, ERR_NOT_FOUND, "%s: %m", path);
    while ((n = getline(&line, &room, f)) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0' || login_fold(line, folded) != OK)
            continue;
        d->lines = mem_realloc_array(d->lines, d->n + 1, sizeof(*d->lines));
        d->lines[d->n++] = mem_strdup(folded);
    }
    fclose(f);
    if (d->n > 1)
        qsort(d->lines, d->n, sizeof(*d->lines), line_compare);
    *ret = TAKE(d);
    return OK;
}

void
deny_list_free(struct deny_list *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->n; i++)
        free(d->lines[i]);
    free(d->lines);
    free(d);
}

static bool
denied(const struct deny_list *deny, const char *folded)
{
    return deny != NULL && deny->n > 0 &&
           bsearch(&folded, deny->lines, deny->n, sizeof(*deny->lines), line_compare) != NULL;
}

/* --- passwords ------------------------------------------------------------------------------------------------------- */

static double
strength_bits(const char *password, const char *login)
{
    const char *words[] = { login, "beffroi", "mairie", NULL };
    char head[STRENGTH_BYTES + 1];
    double bits;

    snprintf(head, sizeof(head), "%.*s", STRENGTH_BYTES, password);
    bits = ZxcvbnMatch(head, words, NULL);
    mem_wipe(head, sizeof(head));
    return bits;
}

const char *
login_password_problem(const char *password, const char *login, const struct deny_list *deny)
{
    char folded[PASSWORD_MAX * 3 + 1], name[LOGIN_FOLDED_MAX];
    AUTO(buf_free) struct buf fold = BUF_SECRET(sizeof(folded) - 1);
    const char *problem = NULL;

    if (strlen(password) > PASSWORD_MAX)
        return "password.long";
    if (!text_is_utf8(str_of(password)))
        return "error.field_chars";
    if (text_length(str_of(password)) < PASSWORD_MIN)
        return "password.short";
    if (text_nfkc_fold(str_of(password), &fold) != OK || !buf_ok(&fold))
        return "error.field_chars";
    snprintf(folded, sizeof(folded), "%s", buf_cstr(&fold));
    if (login_fold(login, name) == OK && strstr(folded, name) != NULL)
        problem = "password.login";
    else if (denied(deny, folded))
        problem = "password.common";
    else if (strength_bits(password, login) < STRENGTH_MIN_BITS)
        problem = "password.weak";
    mem_wipe(folded, sizeof(folded));
    return problem;
}
