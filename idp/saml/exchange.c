/*
 * exchange: struct saml_exchange as text: `name=value` pairs joined by '&', percent-encoded, in this order. It is kept in
 * the flow's sealed address; a record that does not read back whole is our bug or another version's.
 */
#include <stdio.h>

#include "base/core/enc.h"
#include "idp/saml/judge.h"
#include "idp/signon/signon.h"

#define VALUE_MAX 4096

static void
add(struct buf *out, const char *name, const char *value)
{
    if (value == NULL)
        return;
    if (out->len > 0)
        buf_addc(out, '&');
    buf_adds(out, name);
    buf_addc(out, '=');
    url_encode(out, str_of(value));
}

void
saml_exchange_write(const struct saml_exchange *x, struct buf *out)
{
    char accept[16];

    add(out, "sp", x->sp);
    add(out, "request_id", x->request_id);
    add(out, "acs_url", x->acs_url);
    add(out, "relay_state", x->relay_state);
    add(out, "nameid", x->nameid == SAML_NAMEID_PERSISTENT ? "persistent" : "transient");
    (void)snprintf(accept, sizeof accept, "%u", x->accept);
    add(out, "accept", accept);
    add(out, "force_authn", x->force_authn ? "1" : NULL);
    add(out, "is_passive", x->is_passive ? "1" : NULL);
    add(out, "class_password", x->class_password ? "1" : NULL);
    add(out, "class_mfa", x->class_mfa ? "1" : NULL);
    add(out, "class_level", x->class_level ? "1" : NULL);
    add(out, "subject", x->subject);
}

static enum err
read_pair(struct str name, const char *value, struct saml_exchange *x)
{
    int64_t n;

    if (str_eqs(name, "sp"))
        x->sp = value;
    else if (str_eqs(name, "request_id"))
        x->request_id = value;
    else if (str_eqs(name, "acs_url"))
        x->acs_url = value;
    else if (str_eqs(name, "relay_state"))
        x->relay_state = value;
    else if (str_eqs(name, "nameid"))
        x->nameid = strcmp(value, "persistent") == 0 ? SAML_NAMEID_PERSISTENT : SAML_NAMEID_TRANSIENT;
    else if (str_eqs(name, "accept") && str_to_i64(str_of(value), 0, METHOD_ALL, &n) == OK)
        x->accept = (unsigned)n;
    else if (str_eqs(name, "force_authn"))
        x->force_authn = true;
    else if (str_eqs(name, "is_passive"))
        x->is_passive = true;
    else if (str_eqs(name, "class_password"))
        x->class_password = true;
    else if (str_eqs(name, "class_mfa"))
        x->class_mfa = true;
    else if (str_eqs(name, "class_level"))
        x->class_level = true;
    else if (str_eqs(name, "subject"))
        x->subject = value;
    else
        return ERR_INTERNAL;
    return OK;
}

enum err
saml_exchange_read(struct str text, struct arena *a, struct saml_exchange *ret, struct why *why)
{
    struct saml_exchange x = {0};
    struct str rest = text, value;

    while (rest.p != NULL && rest.n > 0) {
        AUTO(buf_free) struct buf plain = BUF_BOUNDED(VALUE_MAX);
        struct str name = str_split(str_split(rest, '&', &rest), '=', &value);

        if (value.p == NULL || url_decode(value, false, &plain) != OK || !buf_ok(&plain) ||
            read_pair(name, arena_strdup(a, buf_cstr(&plain)), &x) != OK)
            return why_code(why, ERR_INTERNAL, "saml.exchange", "a flow record that is not ours");
    }
    if (x.sp == NULL || x.acs_url == NULL || x.nameid == SAML_NAMEID_UNSAID)
        return why_code(why, ERR_INTERNAL, "saml.exchange", "a flow record that is not whole");
    *ret = x;
    return OK;
}
