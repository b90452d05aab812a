/* judge: see judge.h. Each rule is one function, named after what the specification calls it. */
#include "idp/saml/judge.h"

#include "idp/saml/proto.h"
#include "idp/signon/signon.h"

#define CLOCK_SKEW (3 * USEC_PER_MIN) /* a service's clock may run ahead by so much */

/* --- rules of every message ------------------------------------------------------------------------ */
static enum err
check_issue_instant(const struct saml_head *head, utime now, int64_t max_age, struct why *why)
{
    if (head->issue_instant > now + CLOCK_SKEW)
        return why_code(why, ERR_INPUT, "saml.message.future", "IssueInstant lies in the future");
    if (head->issue_instant < now - max_age - CLOCK_SKEW)
        return why_code(why, ERR_INPUT, "saml.message.old", "IssueInstant is too old");
    return OK;
}

static enum err
check_destination(const struct saml_head *head, const char *endpoint, bool is_signed, struct why *why)
{
    if (head->destination == NULL && !is_signed)
        return OK;
    if (head->destination == NULL)
        return why_code(why, ERR_INPUT, "saml.message.destination", "signed, but without Destination");
    if (strcmp(head->destination, endpoint) != 0)
        return why_code(why, ERR_INPUT, "saml.message.destination", "Destination is another endpoint");
    return OK;
}

enum err
saml_check_head(const struct saml_head *head, const char *endpoint, bool is_signed, utime now, int64_t max_age,
                struct why *why)
{
    enum err e;

    if ((e = check_issue_instant(head, now, max_age, why)) != OK)
        return e;
    return check_destination(head, endpoint, is_signed, why);
}

/* --- where the answer goes ------------------------------------------------------------------------- */
const struct saml_endpoint *
saml_default_acs(const struct saml_sp *sp)
{
    const struct saml_endpoint *first = NULL, *unsaid = NULL;
    size_t i;

    for (i = 0; i < sp->nacs; i++) {
        const struct saml_endpoint *acs = &sp->acs[i];

        if (acs->binding != SAML_POST)
            continue;
        if (acs->is_default == SAML_DEFAULT_YES)
            return acs;
        if (unsaid == NULL && acs->is_default == SAML_DEFAULT_UNSAID)
            unsaid = acs;
        if (first == NULL)
            first = acs;
    }
    return unsaid != NULL ? unsaid : first;
}

static const struct saml_endpoint *
acs_by_index(const struct saml_sp *sp, int index)
{
    size_t i;

    for (i = 0; i < sp->nacs; i++)
        if (sp->acs[i].index == index)
            return &sp->acs[i];
    return NULL;
}

/* Whole strings only. The same address may stand there with several bindings: POST is what we want. */
static const struct saml_endpoint *
acs_by_url(const struct saml_sp *sp, const char *url)
{
    const struct saml_endpoint *found = NULL;
    size_t i;

    for (i = 0; i < sp->nacs; i++)
        if (strcmp(sp->acs[i].location, url) == 0 && (found == NULL || sp->acs[i].binding == SAML_POST))
            found = &sp->acs[i];
    return found;
}

static enum err
find_acs(const struct saml_authn_request *r, const struct saml_sp *sp, const struct saml_endpoint **ret,
         struct why *why)
{
    if (r->acs_url != NULL) {
        *ret = acs_by_url(sp, r->acs_url);
        if (*ret == NULL)
            return why_code(why, ERR_INPUT, "saml.acs.url", "the ACS URL is none of the service's metadata");
        return OK;
    }
    if (r->acs_index >= 0) {
        *ret = acs_by_index(sp, r->acs_index);
        if (*ret == NULL)
            return why_code(why, ERR_INPUT, "saml.acs.index", "no ACS with index %d", r->acs_index);
        return OK;
    }
    *ret = saml_default_acs(sp);
    if (*ret == NULL)
        return why_code(why, ERR_INPUT, "saml.acs.none", "the service has no ACS with the HTTP-POST binding");
    return OK;
}

enum err
saml_choose_acs(const struct saml_authn_request *r, const struct saml_sp *sp, const struct saml_endpoint **ret,
                struct saml_status *ret_status, struct why *why)
{
    const struct saml_endpoint *acs;
    enum err e;

    if ((e = find_acs(r, sp, &acs, why)) != OK)
        return e;
    if (acs->binding != SAML_POST ||
        (r->protocol_binding != NULL && saml_binding_parse(r->protocol_binding) != SAML_POST)) {
        *ret_status = (struct saml_status){STATUS_RESPONDER, STATUS_UNSUPPORTED_BINDING};
        acs = saml_default_acs(sp);
        if (acs == NULL)
            return why_code(why, ERR_INPUT, "saml.acs.none", "the service has no ACS with the HTTP-POST binding");
    }
    *ret = acs;
    return OK;
}

/* --- NameID ---------------------------------------------------------------------------------------- */
/* Absent and unspecified mean: as agreed. The operator's word, then the metadata's, then what tells least. */
static enum saml_nameid
agreed_nameid(const struct saml_sp *sp)
{
    if (sp->policy.nameid != SAML_NAMEID_UNSAID)
        return sp->policy.nameid;
    return sp->nameid != SAML_NAMEID_UNSAID ? sp->nameid : SAML_NAMEID_TRANSIENT;
}

/*
 * saml-core 3.4.1.1. An explicit wish is met, but a service whose policy says transient gets no persistent one.
 * AllowCreate changes nothing here: our identifiers are computed, nothing is created by an exchange.
 */
static bool
judge_name_id_policy(const struct saml_authn_request *r, const struct saml_sp *sp, enum saml_nameid *ret)
{
    *ret = agreed_nameid(sp);
    if (!r->has_policy)
        return true;
    if (r->policy_sp_name_qualifier != NULL && r->policy_sp_name_qualifier[0] != 0 &&
        strcmp(r->policy_sp_name_qualifier, sp->entity_id) != 0)
        return false;
    if (r->policy_format == NULL || r->policy_format[0] == 0 || strcmp(r->policy_format, NAMEID_UNSPECIFIED) == 0)
        return true;
    if (strcmp(r->policy_format, NAMEID_TRANSIENT) == 0) {
        *ret = SAML_NAMEID_TRANSIENT;
        return true;
    }
    if (strcmp(r->policy_format, NAMEID_PERSISTENT) != 0 || sp->policy.nameid == SAML_NAMEID_TRANSIENT)
        return false;
    *ret = SAML_NAMEID_PERSISTENT;
    return true;
}

/* saml-core 3.4.1.4: the answer must be about that subject, or there is none. */
static bool
judge_subject(const struct saml_authn_request *r, const struct saml_sp *sp, const char *idp_entity_id,
              struct saml_exchange *x, struct saml_status *ret_status)
{
    const struct saml_name_id *s = &r->subject;

    if (!r->has_subject)
        return true;
    if (r->subject_confirmation || s->value == NULL) {
        *ret_status = (struct saml_status){STATUS_RESPONDER, STATUS_REQUEST_UNSUPPORTED};
        return false;
    }
    if ((s->format != NULL && strcmp(s->format, NAMEID_PERSISTENT) != 0 &&
         strcmp(s->format, NAMEID_UNSPECIFIED) != 0) ||
        (s->name_qualifier != NULL && strcmp(s->name_qualifier, idp_entity_id) != 0) ||
        (s->sp_name_qualifier != NULL && strcmp(s->sp_name_qualifier, sp->entity_id) != 0) ||
        x->nameid != SAML_NAMEID_PERSISTENT) {
        *ret_status = (struct saml_status){STATUS_RESPONDER, STATUS_UNKNOWN_PRINCIPAL};
        return false;
    }
    x->subject = s->value;
    return true;
}

/* --- authentication context ------------------------------------------------------------------------ */
#define METHOD_CERT (unsigned)(METHOD_SOFT_CERT | METHOD_CARD)
#define METHOD_PWD (unsigned)METHOD_PASSWORD

/*
 * saml-core 3.3.2.2.1: what meets each class, for each comparison. Between a software certificate and two factors there is no
 * order that services would agree on: neither is "better" than the other, and a card is better than both.
 */
static const struct class {
    const char *uri;
    unsigned exact, minimum, maximum, better;
} classes[] = {
    {CONTEXT_PASSWORD, METHOD_PWD, METHOD_ALL, METHOD_PWD, METHOD_SECOND | METHOD_CERT},
    {CONTEXT_PASSWORD_PROTECTED, METHOD_PWD, METHOD_ALL, METHOD_PWD, METHOD_SECOND | METHOD_CERT},
    {CONTEXT_REFEDS_MFA, METHOD_MULTI, METHOD_MULTI, METHOD_BY_PASSWORD, METHOD_CARD},
    {CONTEXT_SOFTWARE_PKI, METHOD_SOFT_CERT, METHOD_CERT, METHOD_PWD | METHOD_SOFT_CERT, METHOD_CARD},
    {CONTEXT_SMARTCARD_PKI, METHOD_CARD, METHOD_CARD, METHOD_ALL, 0},
};

/* A level of assurance is met by the methods for which the operator claims it. */
static struct class
class_of_level(const struct levels *levels, enum level level)
{
    const unsigned above = level < LEVEL_HIGH ? levels->at[level + 1] : 0;

    return (struct class){ NULL, levels->at[level] & ~above, levels->at[level], levels->at[LEVEL_LOW] & ~above, above };
}

/* false: no class that we know. */
static bool
class_find(const char *uri, const struct levels *levels, struct class *ret, bool *ret_level)
{
    enum level_words words;
    const enum level level = level_parse(str_of(uri), &words);

    *ret_level = level != LEVEL_NONE && words == LEVEL_WORDS_EIDAS && levels->at[level] != 0;
    if (*ret_level) {
        *ret = class_of_level(levels, level);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (strcmp(uri, classes[i].uri) == 0) {
            *ret = classes[i];
            return true;
        }
    return false;
}

/* "better" is better than every class named, the others fit one of them. */
static unsigned
accept_by_comparison(enum saml_comparison comparison, unsigned so_far, const struct class *c)
{
    switch (comparison) {
    case COMPARE_EXACT:
        return so_far | c->exact;
    case COMPARE_MINIMUM:
        return so_far | c->minimum;
    case COMPARE_MAXIMUM:
        return so_far | c->maximum;
    case COMPARE_BETTER:
        return so_far & c->better;
    }
    return 0;
}

bool
saml_context_accept(const struct saml_authn_request *r, const struct levels *levels, struct saml_exchange *x)
{
    unsigned accept = r->comparison == COMPARE_BETTER ? METHOD_ALL : 0;
    bool known = false, protected = false, password = false, mfa = false, level;
    struct class class;
    size_t i;

    x->accept = METHOD_ANY;
    x->class_password = x->class_mfa = x->class_level = false;
    if (!r->has_context)
        return true;
    for (i = 0; i < r->nclasses; i++) {
        if (strcmp(r->classes[i], CONTEXT_UNSPECIFIED) == 0)
            return true;
        protected |= strcmp(r->classes[i], CONTEXT_PASSWORD_PROTECTED) == 0;
        password |= strcmp(r->classes[i], CONTEXT_PASSWORD) == 0;
        mfa |= strcmp(r->classes[i], CONTEXT_REFEDS_MFA) == 0;
        if (!class_find(r->classes[i], levels, &class, &level))
            continue;
        accept = accept_by_comparison(r->comparison, accept, &class);
        x->class_level |= level;
        known = true;
    }
    if (!known)
        return false;
    x->accept = accept;
    x->class_password = r->comparison == COMPARE_EXACT && password && !protected;
    x->class_mfa = mfa && r->comparison != COMPARE_BETTER;
    return accept != 0;
}

const char *
saml_context_class(unsigned method, const struct levels *levels, const struct saml_exchange *x)
{
    const unsigned proven = x->accept == METHOD_ANY ? method : method & x->accept;      /* "exact" hears of no more */
    const enum level level = x->class_level ? level_of(levels, proven) : LEVEL_NONE;

    if (level != LEVEL_NONE)
        return level_name(level, LEVEL_WORDS_EIDAS);
    /* By its own name where a service knows it, and where a password alone would not have done. */
    if ((method & METHOD_MULTI) != 0 && x->class_mfa)
        return CONTEXT_REFEDS_MFA;
    if ((method & METHOD_CARD) != 0)
        return CONTEXT_SMARTCARD_PKI;
    if ((method & METHOD_SOFT_CERT) != 0)
        return CONTEXT_SOFTWARE_PKI;
    if ((method & METHOD_SECOND) != 0 && x->accept != METHOD_ANY && (x->accept & METHOD_PASSWORD) == 0)
        return CONTEXT_REFEDS_MFA;
    return x->class_password ? CONTEXT_PASSWORD : CONTEXT_PASSWORD_PROTECTED;
}

/* --- the whole request ----------------------------------------------------------------------------- */
static bool
judge_version(const struct saml_authn_request *r, struct saml_status *ret_status)
{
    if (r->head.version == 0)
        return true;
    *ret_status = (struct saml_status){STATUS_VERSION_MISMATCH,
                                       r->head.version < 0 ? STATUS_VERSION_TOO_LOW : STATUS_VERSION_TOO_HIGH};
    return false;
}

/* saml-core 3.4.1.3: a list of identity providers that leaves us out. */
static bool
judge_scoping(const struct saml_authn_request *r, const char *idp_entity_id, struct saml_status *ret_status)
{
    size_t i;

    for (i = 0; i < r->nidps; i++)
        if (strcmp(r->idps[i], idp_entity_id) == 0)
            return true;
    if (!r->idp_list)
        return true;
    *ret_status = (struct saml_status){STATUS_RESPONDER, STATUS_NO_SUPPORTED_IDP};
    return false;
}

enum err
saml_judge(const struct saml_authn_request *r, const struct saml_sp *sp, const char *idp_entity_id,
           const struct levels *levels, struct saml_exchange *x, struct saml_status *ret_status, struct why *why)
{
    const struct saml_endpoint *acs;
    enum err e;

    *ret_status = (struct saml_status){NULL, NULL};
    *x = (struct saml_exchange){
        .sp = sp->entity_id,
        .request_id = r->head.id,
        .nameid = agreed_nameid(sp),
        .force_authn = r->force_authn,
        .is_passive = r->is_passive,
    };
    if ((e = saml_choose_acs(r, sp, &acs, ret_status, why)) != OK)
        return e;
    x->acs_url = acs->location;
    if (ret_status->status != NULL || !judge_version(r, ret_status) ||
        !judge_scoping(r, idp_entity_id, ret_status))
        return OK;
    if (!judge_name_id_policy(r, sp, &x->nameid)) {
        *ret_status = (struct saml_status){STATUS_REQUESTER, STATUS_INVALID_NAMEID_POLICY};
        return OK;
    }
    if (!judge_subject(r, sp, idp_entity_id, x, ret_status))
        return OK;
    if (!saml_context_accept(r, levels, x))
        *ret_status = (struct saml_status){STATUS_RESPONDER, STATUS_NO_AUTHN_CONTEXT};
    return OK;
}
