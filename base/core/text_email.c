/*
 * text_email: addresses that a citizen may give, and how they are shown.
 *
 * Narrower than RFC 5321 on purpose: no quoted local part, no address literal, no
 * comment. What passes can be put between < and > in an SMTP command and in a
 * header without any escaping.
 */
#include "base/core/text.h"
#include "base/core/clock.h"
#include "base/core/utf8.h"

#define EMAIL_MOST  254      /* RFC 5321 §4.5.3.1.3, less the angle brackets */
#define LOCAL_MOST  64       /* §4.5.3.1.1 */
#define LABEL_MOST  63       /* RFC 1035 §2.3.4 */

static bool
is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 5322 §3.2.3, dot-atom */
static bool
local_is_good(struct str s)
{
    if (s.n == 0 || s.n > LOCAL_MOST || s.p[0] == '.' || s.p[s.n - 1] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.' ? s.p[i - 1] == '.'
                          : !is_alnum(s.p[i]) && (s.p[i] == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", s.p[i]) == NULL))
            return false;
    }
    return true;
}

static bool
label_is_good(struct str s)
{
    if (s.n == 0 || s.n > LABEL_MOST || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '-')
            return false;
    return true;
}

static bool
is_number(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

static bool
domain_is_good(struct str s)
{
    struct str label = STR_NULL, rest = s;
    size_t labels = 0;

    if (str_ieqs(s, "localhost"))
        return clock_is_test();
    while (rest.p != NULL) {
        label = str_split(rest, '.', &rest);
        if (!label_is_good(label))
            return false;
        labels++;
    }
    return labels >= 2 && !is_number(label);      /* a last label of digits would be an IPv4 address */
}

bool
text_is_email(struct str s)
{
    struct str domain;
    struct str local = str_split(s, '@', &domain);

    return s.n <= EMAIL_MOST && domain.p != NULL && local_is_good(local) && domain_is_good(domain);
}

static void
add_masked(struct buf *out, struct str s)
{
    uint32_t c;
    size_t n = utf8_next(s, &c);

    buf_add(out, s.p, n);
    buf_adds(out, "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2");
}

void
text_mask_email(struct str s, struct buf *out)
{
    struct str domain, rest;
    struct str local = str_split(s, '@', &domain);
    const char *dot;

    if (domain.p == NULL || !text_is_utf8(s)) {
        add_masked(out, STR_NULL);
        return;
    }
    add_masked(out, local);
    buf_addc(out, '@');
    add_masked(out, str_split(domain, '.', &rest));
    if (rest.p == NULL)
        return;
    dot = memrchr(domain.p, '.', domain.n);
    buf_add(out, dot, (size_t)(domain.p + domain.n - dot));
}
