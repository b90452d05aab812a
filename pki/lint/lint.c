/* lint: collecting, and reading what certificates and lists have in common; see lint-internal.h. */
#include <stdarg.h>
#include <stdio.h>

#include "base/crypto/der-oid.h"
#include "pki/lint/lint-internal.h"

#define Y2050 (INT64_C(2524608000) * USEC_PER_SEC)

void
lint_add(struct lint_report *r, const char *rule, const char *fmt, ...)
{
    if (r->n < LINT_FINDINGS_MAX) {
        struct lint_finding *f = &r->findings[r->n];
        va_list ap;

        f->rule = rule;
        va_start(ap, fmt);
        vsnprintf(f->text, sizeof(f->text), fmt, ap);
        va_end(ap);
    }
    r->n++;
}

enum err
lint_judge(const struct lint_report *report, struct why *why)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(8192);
    char code[48];

    if (report->n == 0)
        return OK;
    for (size_t i = 0; i < report->n && i < LINT_FINDINGS_MAX; i++)
        buf_addf(&text, "%s%s: %s", i == 0 ? "" : "; ", report->findings[i].rule, report->findings[i].text);
    snprintf(code, sizeof(code), "pki.lint.%s", report->findings[0].rule);
    return why_code(why, ERR_DENIED, code, "%s", buf_cstr(&text));
}

enum err
lint_extensions_read(struct str content, struct lint_extensions *ret)
{
    ret->n = 0;
    while (content.n > 0) {
        struct lint_extension *x = &ret->items[ret->n];
        struct str extension, truth;

        if (ret->n == LINT_EXTENSIONS_MAX)
            return ERR_INPUT;
        x->critical = x->seen = false;
        if (der_expect(&content, DER_SEQUENCE, &extension) != OK || der_expect(&extension, DER_OID, &x->oid) != OK)
            return ERR_INPUT;
        /* FALSE is the default and left out (X.690 §11.5) */
        if (der_optional(&extension, DER_BOOLEAN, &truth) && (der_truth(truth, &x->critical) != OK || !x->critical))
            return ERR_INPUT;
        if (der_expect(&extension, DER_OCTET_STRING, &x->value) != OK || extension.n != 0)
            return ERR_INPUT;
        ret->n++;
    }
    return ret->n > 0 ? OK : ERR_INPUT;
}

struct lint_extension *
lint_extension_find(struct lint_extensions *list, struct str oid)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->items[i].oid, oid)) {
            list->items[i].seen = true;
            return &list->items[i];
        }
    return NULL;
}

bool
lint_extensions_have_duplicates(const struct lint_extensions *list)
{
    for (size_t i = 0; i < list->n; i++)
        for (size_t k = 0; k < i; k++)
            if (str_eq(list->items[i].oid, list->items[k].oid))
                return true;
    return false;
}

struct lint_extension *
lint_extension_want(struct lint_report *r, struct lint_extensions *list, struct str oid, bool wanted, bool critical,
                    const char *rule, const char *criticality_rule)
{
    struct lint_extension *x = lint_extension_find(list, oid);

    if (x == NULL) {
        if (wanted)
            lint_add(r, rule, "missing");
        return NULL;
    }
    if (!wanted) {
        lint_add(r, rule, "must not be there");
        return NULL;
    }
    if (x->critical != critical)
        lint_add(r, criticality_rule, "%s: must %sbe critical", rule, critical ? "" : "not ");
    return x;
}

/* Written out octet by octet, not by the writer. */
bool
lint_sig_alg_is(struct str algorithm, enum sig_alg alg)
{
    switch (alg) {
    case SIG_RS256:
        return str_eq(algorithm, STR_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"));
    case SIG_RS384:
        return str_eq(algorithm, STR_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00"));
    case SIG_RS512:
        return str_eq(algorithm, STR_LIT("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00"));
    case SIG_ES256:
        return str_eq(algorithm, STR_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"));
    case SIG_ES384:
        return str_eq(algorithm, STR_LIT("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"));
    case SIG_PS256:
    case SIG_EDDSA:
        return false;
    }
    return false;
}

enum err
lint_time(struct str *in, utime *ret, bool *ret_form_good)
{
    const bool utc = in->n > 0 && (unsigned char)in->p[0] == DER_UTC_TIME;
    utime t;

    if (der_time(in, &t) != OK)
        return ERR_INPUT;
    *ret = t;
    *ret_form_good = utc == (t < Y2050);
    return OK;
}

bool
lint_is_authority_key_id(struct str value, struct str key_id)
{
    struct str content, id;

    return der_expect(&value, DER_SEQUENCE, &content) == OK && value.n == 0 &&
           der_expect(&content, DER_CONTEXT_PRIMITIVE(0), &id) == OK && content.n == 0 && str_eq(id, key_id);
}

bool
lint_is_point_name(struct str in, struct str url)
{
    struct str name, full_name, uri;

    return der_expect(&in, DER_CONTEXT(0), &name) == OK && in.n == 0 && der_expect(&name, DER_CONTEXT(0), &full_name) == OK &&
           name.n == 0 && der_expect(&full_name, DER_CONTEXT_PRIMITIVE(6), &uri) == OK && full_name.n == 0 && str_eq(uri, url) &&
           str_starts(uri, "http://");
}

bool
lint_is_distribution_points(struct str value, struct str url)
{
    struct str points, point;

    return der_expect(&value, DER_SEQUENCE, &points) == OK && value.n == 0 && der_expect(&points, DER_SEQUENCE, &point) == OK &&
           points.n == 0 && lint_is_point_name(point, url);
}
