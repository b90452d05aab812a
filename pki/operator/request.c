/* request: requests that an operator makes, and the two persons who approve them. */
#include "pki/authority/request.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "pki/authority/certificate.h"
#include "pki/operator/operator.h"
#include "pki/request/csr.h"
#include "pki/client/client.h"

#define PATIENCE (30 * USEC_PER_SEC)
#define LIST_MAX 1000

struct request_options {
    const char *config, *key, *answers, *state, *out;
    const char *profile, *holder, *town, *csr, *support, *proof, *proof_ref, *proof_at, *kind, *replaces, *by;
    const char *number, *given_name, *surname, *serial_number, *organization, *identifier, *common_name, *dns;
};

static const char *
or_empty(const char *s)
{
    return s != NULL ? s : "";
}

/* --- add ------------------------------------------------------------------------------------------------------------------ */

static void
names_read(const struct request_options *o, struct arena *a, struct subject *ret)
{
    struct str *dns = arena_alloc(a, SUBJECT_DNS_MAX * sizeof(*dns)), rest = str_of(o->dns);

    *ret = (struct subject){ .number = str_of(o->number), .given_name = str_of(o->given_name), .surname = str_of(o->surname),
                             .serial_number = str_of(o->serial_number), .organization = str_of(o->organization),
                             .identifier = str_of(o->identifier), .common_name = str_of(o->common_name), .dns = dns };
    while (rest.n > 0 && ret->dns_n < SUBJECT_DNS_MAX)
        dns[ret->dns_n++] = str_trim(str_split(rest, ',', &rest));
}

static enum err
registration_fill(const struct request_options *o, struct registration *ret, struct why *why)
{
    struct registration r = { .profile = o->profile, .town = or_empty(o->town), .holder = o->holder, .proof = PROOF_NONE,
                              .proof_ref = or_empty(o->proof_ref), .proof_at = UTIME_NULL, .state = REGISTRATION_OPEN };

    if (registration_support_parse(str_of(o->support != NULL ? o->support : "software"), &r.support) != OK)
        return why_set(why, ERR_INPUT, "--support is software or card");
    if (o->proof != NULL && registration_proof_parse(str_of(o->proof), &r.proof) != OK)
        return why_set(why, ERR_INPUT, "--proof is face_to_face, signed_file or none");
    if (o->proof_at != NULL && utime_parse(o->proof_at, &r.proof_at) != OK)
        return why_set(why, ERR_INPUT, "--proof-at is like 2026-11-21T22:04:05Z");
    if ((r.proof == PROOF_NONE) != (o->proof_at == NULL))
        return why_set(why, ERR_INPUT, "--proof and --proof-at go together");
    *ret = r;
    return OK;
}

/* Names that are given again are those that were registered: another person of that name of holder is not signed for. */
static enum err
names_agree(const struct pki *pki, const struct registration *r, const struct subject *given, struct arena *a, struct why *why)
{
    AUTO(buf_free) struct buf new_text = BUF_SECRET(REGISTRATION_SUBJECT_MAX), old_text = BUF_SECRET(REGISTRATION_SUBJECT_MAX);
    struct subject kept;
    enum err e;

    registration_subject_text(given, &new_text);
    if (new_text.len == 0)
        return OK;
    if (r->subject.p == NULL)
        return why_code(why, ERR_CONFLICT, "registration.names", "%s is registered, and the names were erased since: give none",
                        r->holder);
    if ((e = registration_open(pki->field, r, a, &kept, why)) != OK)
        return e;
    registration_subject_text(&kept, &old_text);
    if (!str_eq(buf_view(&new_text), buf_view(&old_text)))
        return why_code(why, ERR_CONFLICT, "registration.names", "%s is registered with other names: give none, or another holder",
                        r->holder);
    return OK;
}

/* The registration of that holder: the one that is there, or a new one with these names. */
static enum err
registration_get(struct pg *pg, const struct pki *pki, const struct request_options *o, struct arena *a,
                 struct registration *ret, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(REGISTRATION_SUBJECT_MAX + COLUMN_OVERHEAD);
    const struct profile *p = profile_set_find(&pki->profiles, str_of(o->profile));
    struct subject names;
    enum err e;

    if (p == NULL)
        return why_set(why, ERR_INPUT, "no profile %s", o->profile);
    names_read(o, a, &names);
    e = registration_find_holder(pg, "", o->profile, o->holder, a, ret, why);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    if (e == OK && ret->state != REGISTRATION_CLOSED)
        return names_agree(pki, ret, &names, a, why);
    if ((e = registration_fill(o, ret, why)) != OK || (e = subject_check(p, &names, why)) != OK)
        return e;
    rand_uuid(ret->id);
    if ((e = registration_seal(pki->field, ret->id, &names, &sealed, why)) != OK)
        return e;
    ret->subject = buf_view(&sealed);
    e = registration_add(pg, ret, command_actor(), clock_now(), NULL, why);
    ret->subject = STR_NULL;
    return e;
}

/* "-----BEGIN CERTIFICATE REQUEST-----", or DER. */
static enum err
csr_decode(struct str text, struct buf *out, struct why *why)
{
    static const char begin[] = "-----BEGIN CERTIFICATE REQUEST-----", end[] = "-----END CERTIFICATE REQUEST-----";
    const char *from = memmem(text.p, text.n, begin, sizeof(begin) - 1), *to;

    if (from == NULL) {
        buf_add_str(out, text);
        return OK;
    }
    from += sizeof(begin) - 1;
    if ((to = memmem(from, text.n - (size_t)(from - text.p), end, sizeof(end) - 1)) == NULL ||
        base64_decode((struct str){ from, (size_t)(to - from) }, true, out) != OK)
        return why_set(why, ERR_INPUT, "the PEM request is damaged");
    return OK;
}

static enum err
request_make(struct pg *pg, const struct pki *pki, const struct request_options *o, char ret_id[37], struct why *why)
{
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    AUTO(buf_free) struct buf text = BUF_BOUNDED(4 * CSR_MAX), der = BUF_BOUNDED(2 * CSR_MAX);
    AUTO(csr_done) struct csr csr = { .key = NULL };
    struct request q = { .kind = REQUEST_ENROLL, .origin = REQUEST_OPERATOR };
    struct registration r;
    struct pki_person by;
    struct certificate_row replaced;
    enum err e;

    if (o->kind != NULL && request_kind_parse(str_of(o->kind), &q.kind) != OK)
        return why_set(why, ERR_INPUT, "--kind is enroll, renew or rekey");
    if ((e = command_read_file(o->csr, &text, why)) != OK || (e = csr_decode(buf_view(&text), &der, why)) != OK ||
        (e = csr_read(buf_view(&der), &csr, why)) != OK || (e = registration_get(pg, pki, o, a, &r, why)) != OK)
        return e;
    if (o->by != NULL) {
        if ((e = pki_person_find(pg, o->by, clock_now(), a, &by, why)) != OK)
            return e;
        memcpy(q.asked_by, by.id, sizeof(q.asked_by));
    }
    if (o->replaces != NULL) {
        if ((e = certificate_find(pg, str_of(o->replaces), a, &replaced, why)) != OK)
            return e;
        memcpy(q.replaces, replaced.id, sizeof(q.replaces));
    }
    rand_uuid(q.id);
    memcpy(q.registration, r.id, sizeof(q.registration));
    q.csr = buf_view(&der);
    sha256(csr.spki, q.spki_sha256);
    return request_add(pg, &q, command_actor(), clock_now(), ret_id, NULL, why);
}

static int
request_new(const struct request_options *o)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    struct why why = WHY_INIT;
    char id[37];
    enum err e;

    if ((e = operator_begin(o->config, PKI_NEED_PROFILES | PKI_NEED_FIELD, &pki, &pg, &why)) != OK ||
        (e = request_make(pg, pki, o, id, &why)) != OK)
        return command_fail("request add", e, &why);
    printf("%s\n", id);
    return 0;
}

/* --- list, show ------------------------------------------------------------------------------------------------------------- */

static int
requests_list(const struct request_options *o)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(64 << 20);
    char at[UTIME_RFC3339_LEN + 1];
    struct why why = WHY_INIT;
    struct request *list;
    size_t n;
    enum err e;

    if ((e = operator_begin(o->config, 0, &pki, &pg, &why)) != OK ||
        (e = request_list(pg, o->state, LIST_MAX, a, &list, &n, &why)) != OK)
        return command_fail("request list", e, &why);
    for (size_t i = 0; i < n; i++) {
        utime_rfc3339(list[i].received_at, at);
        printf("{\"id\":\"%s\",\"registration\":\"%s\",\"kind\":\"%s\",\"origin\":\"%s\",\"state\":\"%s\",\"reason\":\"%s\","
               "\"received_at\":\"%s\"}\n", list[i].id, list[i].registration, request_kind_name(list[i].kind),
               request_origin_name(list[i].origin), request_state_name(list[i].state), list[i].reason, at);
    }
    return 0;
}

/* What is approved, as it is signed; names in clear while they are there. */
static enum err
approval_text(struct pg *pg, const struct pki *pki, const char *id, struct arena *a, struct request *ret_q, struct buf *out,
              unsigned char ret_subject[SHA256_LEN], struct why *why)
{
    AUTO(buf_free) struct buf names = BUF_SECRET(REGISTRATION_SUBJECT_MAX);
    struct registration r;
    struct subject s;
    enum err e;

    if ((e = request_find(pg, id, a, ret_q, why)) != OK || (e = registration_find(pg, ret_q->registration, a, &r, why)) != OK)
        return e;
    if (r.subject.p != NULL) {
        if ((e = registration_open(pki->field, &r, a, &s, why)) != OK)
            return e;
        registration_subject_text(&s, &names);
    }
    request_approval_text(ret_q, &r, buf_view(&names), out);
    request_subject(ret_q, &r, buf_view(&names), ret_subject);
    return OK;
}

static int
request_show(const struct request_options *o, const char *id)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    AUTO(buf_free) struct buf text = BUF_SECRET(APPROVAL_TEXT_MAX), hex = BUF_BOUNDED(2 * SHA256_LEN);
    unsigned char subject[SHA256_LEN];
    struct why why = WHY_INIT;
    struct request q;
    enum err e;

    if ((e = operator_begin(o->config, PKI_NEED_FIELD, &pki, &pg, &why)) != OK ||
        (e = approval_text(pg, pki, id, a, &q, &text, subject, &why)) != OK)
        return command_fail("request show", e, &why);
    hex_encode(&hex, subject, sizeof(subject));
    printf("%sstate %s\nreason %s\nsha256 %s\n", buf_cstr(&text), request_state_name(q.state), q.reason, buf_cstr(&hex));
    return 0;
}

/* --- approve, issue ------------------------------------------------------------------------------------------------------------ */

static int
approve(const struct request_options *o, const char *id)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new(1 << 20);
    AUTO(buf_free) struct buf text = BUF_SECRET(APPROVAL_TEXT_MAX), signature = BUF_BOUNDED(APPROVAL_SIGNATURE_MAX);
    AUTO(signatory_done) struct signatory s = { .key = NULL };
    unsigned char subject[SHA256_LEN];
    const utime now = operator_second();
    struct why why = WHY_INIT;
    struct signed_yes yes;
    struct request q;
    bool enough;
    enum err e;

    if ((e = operator_begin(o->config, PKI_NEED_FIELD, &pki, &pg, &why)) != OK ||
        (e = approval_text(pg, pki, id, a, &q, &text, subject, &why)) != OK)
        return command_fail("request approve", e, &why);
    fprintf(stderr, "%s", buf_cstr(&text));
    if ((e = signatory_come(pg, o->key, o->answers, now, &s, &why)) != OK ||
        (e = approval_sign(s.key, APPROVE_REQUEST, now, subject, &signature, &why)) != OK)
        return command_fail("request approve", e, &why);
    yes = (struct signed_yes){ s.person.id, buf_view(&signature), now };
    if ((e = request_approve(pg, pki->field, id, &yes, command_actor(), now, &enough, &why)) != OK)
        return command_fail("request approve", e, &why);
    printf("%s\n", enough ? "approved" : "one more person");
    return 0;
}

static int
request_issue(const struct request_options *o, const char *id)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(signer_client_freep) struct signer_client *c = NULL;
    struct why why = WHY_INIT;
    char certificate[37];
    enum err e;

    if ((e = pki_load(o->config, 0, &pki, &why)) != OK)
        return command_fail(o->config, e, &why);
    c = signer_client_new(pki->conf.signer_socket, PATIENCE);
    if ((e = signer_issue(c, id, certificate, &why)) != OK)
        return command_fail("request issue", e, &why);
    printf("%s\n", certificate);
    return 0;
}

int
operator_request(int argc, char **argv)
{
    static const char line[] =
        "request add --config FILE --profile NAME --holder NAME --csr FILE [--support software|card]\n"
        "           [--proof face_to_face|signed_file --proof-at TIME] [--proof-ref TEXT] [--town NAME] [--by PERSON]\n"
        "           [--kind enroll|renew|rekey] [--replaces CERTIFICATE] [--number TEXT] [--given-name TEXT]\n"
        "           [--surname TEXT] [--serial-number TEXT] [--organization TEXT] [--identifier SIREN|SIRET]\n"
        "           [--common-name TEXT] [--dns NAME,NAME]\n"
        "       beffroi-pki request list --config FILE [--state received|approved|issued|refused]\n"
        "       beffroi-pki request show ID --config FILE\n"
        "       beffroi-pki request approve ID --config FILE --key FILE [--answers FILE]\n"
        "       beffroi-pki request issue ID --config FILE";
    struct request_options o = { .config = NULL };
    const char *words[2] = { NULL, NULL };
    const struct command_option options[] = {
        { "--config", &o.config, NULL },         { "--key", &o.key, NULL },
        { "--answers", &o.answers, NULL },       { "--state", &o.state, NULL },
        { "--profile", &o.profile, NULL },       { "--holder", &o.holder, NULL },
        { "--town", &o.town, NULL },             { "--csr", &o.csr, NULL },
        { "--support", &o.support, NULL },       { "--proof", &o.proof, NULL },
        { "--proof-ref", &o.proof_ref, NULL },   { "--proof-at", &o.proof_at, NULL },
        { "--kind", &o.kind, NULL },             { "--replaces", &o.replaces, NULL },
        { "--by", &o.by, NULL },                 { "--number", &o.number, NULL },
        { "--given-name", &o.given_name, NULL }, { "--surname", &o.surname, NULL },
        { "--serial-number", &o.serial_number, NULL }, { "--organization", &o.organization, NULL },
        { "--identifier", &o.identifier, NULL }, { "--common-name", &o.common_name, NULL },
        { "--dns", &o.dns, NULL },
    };
    size_t n;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 2, &n) || o.config == NULL)
        return command_usage(line);
    if (command_word_is(words, n, 0, "add") && n == 1 && o.profile != NULL && o.holder != NULL && o.csr != NULL)
        return request_new(&o);
    if (command_word_is(words, n, 0, "list") && n == 1)
        return requests_list(&o);
    if (command_word_is(words, n, 0, "show") && n == 2)
        return request_show(&o, words[1]);
    if (command_word_is(words, n, 0, "approve") && n == 2 && o.key != NULL)
        return approve(&o, words[1]);
    if (command_word_is(words, n, 0, "issue") && n == 2)
        return request_issue(&o, words[1]);
    return command_usage(line);
}
