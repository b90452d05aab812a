/* form: reading, keeping and checking. */
#include "mairie-connector/town/form.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/text.h"

static const char *
text_of(const char *s)
{
    return s == NULL ? "" : s;
}

void
form_init(enum dossier_type type, struct form *ret)
{
    *ret = (struct form){ .type = type, .birth_name = "", .usual_name = "", .given_names = "", .doc_type = "",
                          .doc_expiry = "", .lang = "fr", .lines = { "", "", "", "", "", "" } };
}

static const char *const line_names[ADDRESS_LINES] = { "line1", "line2", "line3", "line4", "line5", "line6" };

void
form_read(struct http_request *req, enum dossier_type type, struct form *ret)
{
    struct arena *a = http_arena(req);
    size_t n = http_form_count(req, "authz[]");

    *ret = (struct form){
        .type = type, .named = type == TYPE_SOFT && http_form(req, "named") != NULL,
        .birth_name = text_of(http_form(req, "birth_name")), .usual_name = text_of(http_form(req, "usual_name")),
        .given_names = text_of(http_form(req, "given_names")), .doc_type = text_of(http_form(req, "doc_type")),
        .doc_expiry = text_of(http_form(req, "doc_expiry")),
        .lang = strcmp(text_of(http_form(req, "lang")), "en") == 0 ? "en" : "fr",
        .no_given_names = http_form(req, "no_given_names") != NULL, .large = http_form(req, "large") != NULL,
    };
    for (size_t i = 0; i < ADDRESS_LINES; i++)
        ret->lines[i] = type == TYPE_CARD ? text_of(http_form(req, line_names[i])) : "";
    for (size_t i = 0; i < n && ret->nauthz < DOSSIER_AUTHZ_MAX; i++) {
        const char *code = http_form_nth(req, "authz[]", i);

        ret->authz[ret->nauthz++] = (struct form_authz){
            code, text_of(http_form(req, arena_printf(a, "until_%.80s", code))) };
    }
}

/* --- as a draft: name=value&…, percent-encoded ----------------------------------------------------------------------- */

static void
pair_write(struct buf *out, const char *name, const char *value)
{
    if (out->len > 0)
        buf_addc(out, '&');
    buf_addf(out, "%s=", name);
    url_encode(out, str_of(value));
}

void
form_write(const struct form *f, struct buf *out)
{
    pair_write(out, "type", dossier_type_name(f->type));
    pair_write(out, "birth_name", f->birth_name);
    pair_write(out, "usual_name", f->usual_name);
    pair_write(out, "given_names", f->given_names);
    pair_write(out, "doc_type", f->doc_type);
    pair_write(out, "doc_expiry", f->doc_expiry);
    pair_write(out, "lang", f->lang);
    if (f->no_given_names)
        pair_write(out, "no_given_names", "1");
    if (f->large)
        pair_write(out, "large", "1");
    if (f->named)
        pair_write(out, "named", "1");
    for (size_t i = 0; i < ADDRESS_LINES && f->type == TYPE_CARD; i++)
        pair_write(out, line_names[i], f->lines[i]);
    for (size_t i = 0; i < f->nauthz; i++) {
        pair_write(out, "authz", f->authz[i].id);
        pair_write(out, "until", f->authz[i].until);
    }
}

static void
pair_take(struct form *f, struct str name, const char *value)
{
    static const struct {
        const char *name;
        size_t offset;
    } texts[] = {
        { "birth_name", offsetof(struct form, birth_name) }, { "usual_name", offsetof(struct form, usual_name) },
        { "given_names", offsetof(struct form, given_names) }, { "doc_type", offsetof(struct form, doc_type) },
        { "doc_expiry", offsetof(struct form, doc_expiry) }, { "lang", offsetof(struct form, lang) },
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (str_eqs(name, texts[i].name))
            *(const char **)(void *)((char *)f + texts[i].offset) = value;
    }
    for (size_t i = 0; i < ADDRESS_LINES; i++) {
        if (str_eqs(name, line_names[i]))
            f->lines[i] = value;
    }
    if (str_eqs(name, "type"))
        f->type = dossier_type_of(value);
    else if (str_eqs(name, "named"))
        f->named = true;
    else if (str_eqs(name, "no_given_names"))
        f->no_given_names = true;
    else if (str_eqs(name, "large"))
        f->large = true;
    else if (str_eqs(name, "authz") && f->nauthz < DOSSIER_AUTHZ_MAX)
        f->authz[f->nauthz++] = (struct form_authz){ value, "" };
    else if (str_eqs(name, "until") && f->nauthz > 0)
        f->authz[f->nauthz - 1].until = value;
}

enum err
form_parse(struct str text, struct arena *a, struct form *ret, struct why *why)
{
    struct str rest = text;

    form_init(TYPE_PASSWORD, ret);
    while (rest.p != NULL && text.n > 0) {
        AUTO(buf_free) struct buf plain = BUF_SECRET(FORM_TEXT_MAX);
        struct str value, pair = str_split(rest, '&', &rest), name = str_split(pair, '=', &value);

        if (value.p == NULL || url_decode(value, false, &plain) != OK)
            return why_set(why, ERR_INTERNAL, "the draft is damaged");
        pair_take(ret, name, arena_strdup(a, buf_cstr(&plain)));
    }
    return OK;
}

/* --- dates ----------------------------------------------------------------------------------------------------------------- */

enum err
date_end(const char *iso, utime *ret)
{
    char text[32];
    utime t;

    if (strlen(iso) != 10 || strspn(iso, "0123456789-") != 10)
        return ERR_INPUT;
    snprintf(text, sizeof(text), "%sT00:00:00Z", iso);
    if (utime_parse(text, &t) != OK)
        return ERR_INPUT;
    *ret = t + USEC_PER_DAY - USEC_PER_SEC;
    return OK;
}

const char *
date_of(utime t, struct arena *a)
{
    char text[UTIME_RFC3339_LEN + 1];

    if (t == UTIME_NULL)
        return "";
    utime_rfc3339(t, text);
    return arena_printf(a, "%.10s", text);
}

/* --- rules --------------------------------------------------------------------------------------------------------------------- */

static const char *
name_clean(const char *typed, struct arena *a)
{
    AUTO(buf_free) struct buf nfc = BUF_SECRET(8192);

    if (text_nfc(str_trim(str_of(typed)), &nfc) != OK)
        return typed;
    return arena_strdup(a, buf_cstr(&nfc));
}

static bool
name_check(const char *field, const char *name, struct page_data *d)
{
    const char *problem = NULL;

    if (!text_is_clean(str_of(name), false))
        problem = "town.form.name_chars";
    else if (text_length(str_of(name)) > DOSSIER_NAME_MAX || strlen(name) > 4 * DOSSIER_NAME_MAX)
        problem = "town.form.name_long";
    if (problem != NULL)
        page_field_error(d, field, problem);
    return problem == NULL;
}

static bool
names_check(struct form *f, struct arena *a, struct page_data *d)
{
    bool good = true;

    f->birth_name = name_clean(f->birth_name, a);
    f->usual_name = name_clean(f->usual_name, a);
    f->given_names = name_clean(f->given_names, a);
    if (f->birth_name[0] == '\0') {
        page_field_error(d, "birth_name", "town.form.birth_name_empty");
        good = false;
    } else {
        good = name_check("birth_name", f->birth_name, d);
    }
    good = name_check("usual_name", f->usual_name, d) && good;
    if (f->given_names[0] == '\0' && !f->no_given_names) {
        page_field_error(d, "given_names", "town.form.given_names_empty");
        return false;
    }
    if (f->given_names[0] != '\0' && f->no_given_names) {
        page_field_error(d, "given_names", "town.form.given_names_both");
        return false;
    }
    return name_check("given_names", f->given_names, d) && good;
}

/* Characters as a person counts them, or as machines do where that is more: both must fit. */
static size_t
line_length(const char *line)
{
    size_t shown = text_length(str_of(line)), stored = 0;

    for (const char *p = line; *p != '\0'; p++)
        stored += ((unsigned char)*p & 0xc0) != 0x80;
    return shown > stored ? shown : stored;
}

static bool
address_check(struct form *f, struct arena *a, struct page_data *d)
{
    bool good = true;
    struct address shown;

    for (size_t i = 0; i < ADDRESS_LINES; i++)
        f->lines[i] = name_clean(f->lines[i], a);
    form_address(f, a, &shown);
    for (size_t i = 0; i < ADDRESS_LINES; i++) {
        const char *problem = NULL;

        if (!text_is_clean(str_of(f->lines[i]), false))
            problem = "town.form.line_chars";
        else if (line_length(shown.lines[i]) > ADDRESS_LINE_MAX)
            problem = arena_printf(a, "town.form.line_long%zu", i + 1);
        else if (i == ADDRESS_LINES - 1 && f->lines[i][0] == '\0')
            problem = "town.form.line_last";
        if (problem != NULL)
            page_field_error(d, line_names[i], problem);
        good = good && problem == NULL;
    }
    return good;
}

/* What a certificate's subject can hold (RFC 5280, Appendix A: ub-common-name). */
#define CERTIFICATE_NAME_MAX 64

static bool
named_check(const struct form *f, struct page_data *d)
{
    struct person_names names;
    bool good = true;

    form_names(f, &names);
    if (text_length(str_of(person_surname(&names))) > CERTIFICATE_NAME_MAX) {
        page_field_error(d, names.usual != NULL ? "usual_name" : "birth_name", "town.form.name_certificate");
        good = false;
    }
    if (names.given == NULL || text_length(str_of(names.given)) > CERTIFICATE_NAME_MAX) {
        page_field_error(d, "given_names", names.given == NULL ? "town.form.given_certificate" : "town.form.name_certificate");
        good = false;
    }
    return good;
}

const struct authz_def *
authz_def_of(const struct authz_def *defs, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(defs[i].id, id) == 0)
            return &defs[i];
    }
    return NULL;
}

/* An end date is compulsory for sensitive ones (P-008), in the future, and asked of no other. */
static const char *
authz_problem(struct form_authz *g, const struct authz_def *def, utime now)
{
    utime until;

    if (def == NULL)
        return "town.form.authz_denied";
    if (!def->sensitive) {
        g->until = "";
        return NULL;
    }
    if (g->until[0] == '\0' || date_end(g->until, &until) != OK)
        return "town.form.authz_until";
    return until <= now ? "town.form.authz_past" : NULL;
}

bool
form_check(struct form *f, const struct mairie *m, const struct authz_def *defs, size_t ndefs, utime now,
           struct arena *a, struct page_data *d)
{
    bool good = names_check(f, a, d);
    const char *problem = NULL;

    f->named = f->named && m->conf.certificate_named;      /* it was, when this draft was kept */
    if (f->named)
        good = good && named_check(f, d);
    if (f->type == TYPE_CARD)
        good = address_check(f, a, d) && good;
    good = identity_check(f->doc_type, f->doc_expiry, now, d) && good;
    for (size_t i = 0; i < f->nauthz && problem == NULL; i++) {
        problem = authz_problem(&f->authz[i], authz_def_of(defs, ndefs, f->authz[i].id), now);
        for (size_t k = 0; k < i && problem == NULL; k++)
            problem = strcmp(f->authz[k].id, f->authz[i].id) == 0 ? "town.form.authz_denied" : NULL;
    }
    if (problem != NULL)
        page_field_error(d, "authz", problem);
    return good && problem == NULL;
}

void
form_names(const struct form *f, struct person_names *ret)
{
    ret->birth = f->birth_name;
    ret->usual = f->usual_name[0] != '\0' ? f->usual_name : NULL;
    ret->given = f->given_names[0] != '\0' ? f->given_names : NULL;
}

void
form_address(const struct form *f, struct arena *a, struct address *ret)
{
    struct person_names names;

    form_names(f, &names);
    for (size_t i = 0; i < ADDRESS_LINES; i++)
        ret->lines[i] = f->lines[i];
    if (f->lines[0][0] == '\0')
        ret->lines[0] = arena_printf(a, "%s%s%s", names.given != NULL ? names.given : "", names.given != NULL ? " " : "",
                                     person_surname(&names));
}

const char *
form_path(struct http_request *req, enum dossier_type type, const char *rest, const char *draft)
{
    return arena_printf(http_arena(req), "/new/%s%s?draft=%s", dossier_procedure(type), rest, draft);
}

bool
form_type(struct http_request *req, enum dossier_type *ret)
{
    if (dossier_procedure_find(http_app(req), http_path_param(req, "procedure"), ret))
        return true;
    mairie_reply_error(req, 404, "error.not_found", NULL);
    return false;
}

bool
form_sensitive(const struct form *f, const struct authz_def *defs, size_t ndefs)
{
    for (size_t i = 0; i < f->nauthz; i++) {
        const struct authz_def *def = authz_def_of(defs, ndefs, f->authz[i].id);

        if (def != NULL && def->sensitive)
            return true;
    }
    return false;
}
