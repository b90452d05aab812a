/*
 * the judge: one good request for each family of profiles; every refusal beside the good request that differs in one thing;
 * the same request again, 64 at once, batches with bad ones among good ones and beside each other, a crash between the commits,
 * a clock moved back, a locked key, renewals.
 */
#include "tests/integration/pki_support.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/crypto/x509.h"
#include "pki/authority/issue-internal.h"

#define NOW (INT64_C(1795000000) * USEC_PER_SEC)

struct fixture {
    struct pki_world w;
    struct profile_set profiles;
    struct keyring *field;
    char folder[64];
    struct clock_guard clock;
    struct issue_ca cas[4];
    struct issue_context x;
};
enum { ROOT, CARDS, SOFT, SERVERS };

static int
setup(void **state)
{
    static const char *const names[] = { "root", "cards", "soft", "servers" };
    static struct key *rsa;              /* made once: it takes a while */
    struct fixture *f = calloc(1, sizeof(*f));
    char path[96], set[37];

    pki_world_begin(&f->w, NOW);
    assert_ok(profile_set_load(SOURCE_DIR "/pki/profiles", &f->profiles, &f->w.why), &f->w.why);
    snprintf(f->folder, sizeof(f->folder), "/tmp/beffroi-issue.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(path, sizeof(path), "%s/field", f->folder);
    assert_ok(keyring_create(path, &f->w.why), &f->w.why);
    assert_ok(keyring_load(path, &f->field, &f->w.why), &f->w.why);
    rand_uuid(set);
    for (size_t i = 0; i < 4; i++) {
        AUTO(buf_free) struct buf spki = BUF_BOUNDED(1024);

        if (i == SOFT && rsa == NULL)
            rsa = pki_key_make(KEY_RSA, 3072);
        f->cas[i].key = i == SOFT ? key_ref(rsa) : pki_key_make(KEY_P256, 0);
        key_spki(f->cas[i].key, &spki);
        assert_ok(key_public(buf_view(&spki), &f->cas[i].public_key, &f->w.why), &f->w.why);
        pki_ca_make(&f->w, names[i], f->cas[i].key, i == ROOT ? "offline" : "sealed:/nowhere", set,
                    i == ROOT ? 0 : f->cas[ROOT].ca.id, &f->cas[i].ca);
    }
    atomic_init(&f->clock.newest, 0);
    f->x = (struct issue_context){ .profiles = &f->profiles, .field = f->field, .base_url = "http://pki.example",
                                   .clock = &f->clock, .cas = f->cas, .ncas = 4, .actor = "signer" };
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    char path[128];

    for (size_t i = 0; i < 4; i++) {
        key_free(f->cas[i].key);
        key_free(f->cas[i].public_key);
    }
    keyring_free(f->field);
    profile_set_free(&f->profiles);
    pki_world_end(&f->w);
    snprintf(path, sizeof(path), "%s/field/v1", f->folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/field", f->folder);
    rmdir(path);
    rmdir(f->folder);
    free(f);
    return 0;
}

/* --- what requests are made of ------------------------------------------------------------------------------------------ */

/* What differs from a good request. */
struct wish {
    const char *profile, *holder;
    struct subject names;
    enum profile_support support;
    enum profile_proof proof;
};
static const struct wish card = { "citizen-card", "a-1", { .number = { "12345678", 8 } }, SUPPORT_CARD, PROOF_FACE_TO_FACE };

static struct registration
registered(struct fixture *f, const struct wish *wish)
{
    return pki_registration_make(&f->w, f->field, wish->profile, wish->holder, &wish->names, wish->support, wish->proof);
}

static enum err
judged(struct fixture *f, const char *id, utime now, struct issue_result *ret)
{
    f->w.why = (struct why)WHY_INIT;
    return issue_request(&f->x, f->w.pg, id, now, ret, &f->w.why);
}

/* A request that two approved, for a new P-256 key. */
static const char *
asked(struct fixture *f, const struct registration *r, enum request_kind kind, const char *replaces)
{
    AUTO(key_freep) struct key *k = pki_key_make(KEY_P256, 0);
    const char *id = pki_request_make(&f->w, r, k, kind, replaces);

    pki_approve_two(&f->w, f->field, id);
    return id;
}

static void
refused(struct fixture *f, const char *label, const char *id, utime now, const char *code)
{
    struct issue_result result;
    char query[256], reason[64];

    if (judged(f, id, now, &result) != ERR_DENIED)
        fail_msg("%s: not refused: %s", label, f->w.why.text);
    assert_row_string(label, f->w.why.code, code);
    snprintf(query, sizeof(query), "SELECT reason FROM pki.request WHERE id = '%s'", id);
    operator_run(query, reason, sizeof(reason));
    assert_row_string(label, reason, code);
    snprintf(query, sizeof(query), "SELECT count(*) FROM pki.audit_event WHERE object = 'request:%s' AND result = '%s'", id, code);
    assert_row(label, operator_count(query) == 1);
    snprintf(query, sizeof(query), "SELECT count(*) FROM pki.certificate WHERE request_id = '%s'", id);
    assert_row(label, operator_count(query) == 0);
    /* and again: the same answer, one row */
    assert_row(label, judged(f, id, now, &result) == ERR_DENIED);
    assert_row_string(label, f->w.why.code, code);
    snprintf(query, sizeof(query), "SELECT count(*) FROM pki.audit_event WHERE object = 'request:%s' AND result = '%s'", id, code);
    assert_row(label, operator_count(query) == 1);
}

static struct issue_result
issued(struct fixture *f, const char *id, utime now)
{
    struct issue_result result;

    assert_ok(judged(f, id, now, &result), &f->w.why);
    return result;
}

/* --- good ones ------------------------------------------------------------------------------------------------------------ */

static void
each_family(void **state)
{
    static const struct str dns[] = { { "idp.example", 11 }, { "www.idp.example", 15 } };
    static const struct {
        struct wish wish;
        size_t ca;
        const char *subject;
        bool erased;
    } rows[] = {
        { { "citizen-card", "a-1", { .number = { "12345678", 8 } }, SUPPORT_CARD, PROOF_FACE_TO_FACE }, CARDS,
          "CN=PSEUDO:12345678,C=FR", false },
        { { "citizen-soft", "a-1", { .number = { "12345678", 8 } }, SUPPORT_SOFTWARE, PROOF_NONE }, SOFT,
          "CN=PSEUDO:12345678,C=FR", false },
        { { "citizen-card-named", "a-1", { .given_name = { "Anne", 4 }, .surname = { "Lemoine", 7 },
            .serial_number = { "7f3a", 4 } }, SUPPORT_CARD, PROOF_SIGNED_FILE }, CARDS, "serialNumber=7f3a,GN=Anne,SN=Lemoine,C=FR",
          true },
        { { "server", "idp", { .common_name = STR_NULL, .dns = dns, .dns_n = 2 }, SUPPORT_SOFTWARE, PROOF_NONE }, SERVERS,
          "CN=idp.example,C=FR", false },
        { { "station", "cardops", { .common_name = { "cardops", 7 } }, SUPPORT_SOFTWARE, PROOF_NONE }, SERVERS,
          "CN=cardops,C=FR", false },
    };
    struct fixture *f = *state;

    operator_run("INSERT INTO pki.station VALUES ('00000000-0000-4000-8000-000000000001', 'cardops', '{citizen-card}', NULL, false, "
                 "'active', '2026-01-01')", NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct registration r = registered(f, &rows[i].wish);
        const struct issue_result result = issued(f, asked(f, &r, REQUEST_ENROLL, ""), NOW);
        AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
        const struct key *ca = f->cas[rows[i].ca].public_key;
        struct certificate_row row;
        struct registration after;
        struct str whole, tbs, in, alg, sig;
        unsigned tag;

        assert_true(result.fresh);
        assert_ok(certificate_find(f->w.pg, str_of(result.certificate), f->w.a, &row, &f->w.why), &f->w.why);
        assert_string_equal(row.state, "issued");
        assert_ok(x509_read(row.der, &cert, &f->w.why), &f->w.why);
        assert_row_string(rows[i].wish.profile, buf_cstr(&cert.subject), rows[i].subject);
        assert_true(cert.not_before == NOW && cert.not_after == row.not_after);
        /* signed by that authority over the text that was stored first */
        in = row.der;
        assert_int_equal(der_expect(&in, DER_SEQUENCE, &whole), OK);
        assert_int_equal(der_element(&whole, &tag, &tbs), OK);
        assert_int_equal(der_element(&whole, &tag, &alg), OK);
        assert_int_equal(der_expect(&whole, DER_BIT_STRING, &sig), OK);
        assert_ok(key_verify(ca, profile_sig_alg(key_algorithm(ca)), tbs, (struct str){ sig.p + 1, sig.n - 1 }, false, &f->w.why),
                  &f->w.why);
        assert_ok(registration_find(f->w.pg, r.id, f->w.a, &after, &f->w.why), &f->w.why);
        assert_row(rows[i].wish.profile, (after.subject.p == NULL) == rows[i].erased);
    }
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate_der WHERE der IS NOT NULL AND position(tbs IN der) = 5"), 5);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'certificate.reserve'"), 5);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'certificate.issue'"), 5);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.status_change WHERE state = 'issued' AND was = 'reserved'"), 5);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.status_change"), 5);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE station_id IS NOT NULL AND profile = 'station'"), 1);
}

static void
the_same_again(void **state)
{
    struct fixture *f = *state;
    const struct registration r = registered(f, &card);
    const char *id = asked(f, &r, REQUEST_ENROLL, "");
    const struct issue_result first = issued(f, id, NOW), second = issued(f, id, NOW + DAY);

    assert_true(first.fresh && !second.fresh);
    assert_string_equal(first.certificate, second.certificate);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), 1);
    assert_err(judged(f, "00000000-0000-4000-8000-00000000dead", NOW, &(struct issue_result){ .fresh = false }), ERR_NOT_FOUND,
               &f->w.why);
}

struct racer {
    struct fixture *f;
    const char *id;
    char certificate[37];
    bool fresh;
};

static void *
race(void *arg)
{
    struct racer *r = arg;
    struct pg *pg = NULL;
    struct issue_result result;
    struct why why = WHY_INIT;
    enum err e = pg_open(&r->f->w.conf, &pg, &why);

    while (e == OK && (e = issue_request(&r->f->x, pg, r->id, NOW, &result, &why)) == ERR_UNAVAILABLE &&
           strcmp(why.code, "signer.busy") == 0) {
        usleep(2000);
        e = OK;
    }
    if (e == OK) {
        memcpy(r->certificate, result.certificate, sizeof(r->certificate));
        r->fresh = result.fresh;
    } else {
        fprintf(stderr, "%s: %s %s\n", err_name(e), why.code, why.text);
    }
    pg_close(pg);
    return NULL;
}

static void
many_at_once(void **state)
{
    struct fixture *f = *state;
    const struct registration r = registered(f, &card);
    const char *id = asked(f, &r, REQUEST_ENROLL, "");
    struct racer racers[64];
    pthread_t threads[64];
    int fresh = 0;

    for (size_t i = 0; i < 64; i++) {
        racers[i] = (struct racer){ f, id, "", false };
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < 64; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(strlen(racers[i].certificate), 36);
        assert_string_equal(racers[i].certificate, racers[0].certificate);
        fresh += racers[i].fresh;
    }
    assert_int_equal(fresh, 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), 1);
}

/* --- several at once ---------------------------------------------------------------------------------------------------------- */

struct outcome {
    enum err e;
    int answers;
    char certificate[37], code[64];
    bool fresh;
};

static void
heard(void *arg, size_t i, enum err e, const struct issue_result *ret, const struct why *why)
{
    struct outcome *o = (struct outcome *)arg + i;

    o->e = e;
    o->answers++;
    o->fresh = ret->fresh;
    snprintf(o->certificate, sizeof(o->certificate), "%s", ret->certificate);
    snprintf(o->code, sizeof(o->code), "%s", e == OK ? "" : why->code);
}

static void
judged_together(struct fixture *f, const char *const *ids, size_t n, struct outcome *ret)
{
    memset(ret, 0, n * sizeof(*ret));
    issue_requests(&f->x, f->w.pg, ids, n, NOW, &(struct issue_hooks){ .answer = heard, .arg = ret });
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ret[i].answers, 1);
}

static const char *
asked_of(struct fixture *f, const char *holder, const char *number, struct key *k)
{
    struct wish w = card;
    struct registration r;
    const char *id;

    w.holder = holder;
    w.names.number = str_of(number);
    r = registered(f, &w);
    if (k == NULL)
        return asked(f, &r, REQUEST_ENROLL, "");
    id = pki_request_make(&f->w, &r, k, REQUEST_ENROLL, "");
    pki_approve_two(&f->w, f->field, id);
    return id;
}

/* Each is answered as if it had come alone, whatever stands beside it. */
static void
a_batch(void **state)
{
    struct fixture *f = *state;
    AUTO(key_freep) struct key *shared = pki_key_make(KEY_P256, 0);
    const struct registration twice = registered(f, &card);
    struct wish closed = card, soft = { "citizen-soft", "s-1", { .number = { "777", 3 } }, SUPPORT_SOFTWARE, PROOF_NONE };
    struct registration r;
    struct outcome o[16];
    const char *ids[16];
    size_t n = 0;

    ids[n++] = asked_of(f, "b-0", "100", NULL);
    ids[n++] = "00000000-0000-4000-8000-00000000dead";          /* 1: no such request */
    ids[n++] = "00000000-0000-4000-8000-00000000zzzz";          /* 2: not a UUID */
    closed.holder = "b-3";
    closed.names.number = STR_LIT("103");
    r = registered(f, &closed);
    ids[n++] = asked(f, &r, REQUEST_ENROLL, "");                  /* 3: closed */
    assert_ok(registration_close(f->w.pg, r.id, "operator:test", NOW, &f->w.why), &f->w.why);
    ids[n++] = ids[0];                                            /* 4: the same request again */
    ids[n++] = asked(f, &twice, REQUEST_ENROLL, "");              /* 5, 6, 7: one holder, three keys: a renewal, and one too many */
    ids[n++] = asked(f, &twice, REQUEST_ENROLL, "");
    ids[n++] = asked(f, &twice, REQUEST_ENROLL, "");
    ids[n++] = asked_of(f, "b-8", "108", shared);                 /* 8, 9: two holders, one key */
    ids[n++] = asked_of(f, "b-9", "109", shared);
    ids[n++] = asked_of(f, "b-10", "110", NULL);                  /* 10, 11: two holders, one name */
    ids[n++] = asked_of(f, "b-11", "110", NULL);
    r = registered(f, &soft);                                     /* 12: another authority */
    ids[n++] = asked(f, &r, REQUEST_ENROLL, "");
    f->cas[SERVERS].key = (key_free(f->cas[SERVERS].key), NULL);
    r = registered(f, &(struct wish){ "server", "idp", { .dns = (const struct str[]){ { "idp.example", 11 } }, .dns_n = 1 },
                                      SUPPORT_SOFTWARE, PROOF_NONE });
    ids[n++] = asked(f, &r, REQUEST_ENROLL, "");                  /* 13: a locked one */
    ids[n++] = asked_of(f, "b-14", "114", NULL);
    judged_together(f, ids, n, o);
    for (size_t i = 0; i < n; i++) {
        static const struct {
            enum err e;
            const char *code;
        } expected[] = {
            { OK, "" }, { ERR_NOT_FOUND, "request.unknown" }, { ERR_INPUT, NULL }, { ERR_DENIED, "pki.registration.state" }, { OK, "" },
            { OK, "" }, { OK, "" }, { ERR_DENIED, "pki.profile.renewals" }, { OK, "" }, { ERR_DENIED, "pki.key.used" }, { OK, "" },
            { ERR_DENIED, "pki.subject.taken" }, { OK, "" }, { ERR_UNAVAILABLE, "signer.locked" }, { OK, "" },
        };

        if (o[i].e != expected[i].e || (expected[i].code != NULL && strcmp(o[i].code, expected[i].code) != 0))
            fail_msg("%zu: %s, %s", i, err_name(o[i].e), o[i].code);
    }
    assert_string_equal(o[0].certificate, o[4].certificate);
    assert_true(o[0].fresh && !o[4].fresh);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'issued'"), 7);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), 7);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate_der WHERE der IS NOT NULL AND position(tbs IN der) = 5"), 7);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'certificate.reserve'"), 7);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event e JOIN pki.certificate c ON e.object = 'certificate:' || c.id "
                                    "WHERE verb = 'certificate.issue' AND detail->>'request' = c.request_id::text"), 7);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'request.refuse'"), 4);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.status_change WHERE state = 'issued' AND was = 'reserved'"), 7);
    assert_int_equal(operator_count("SELECT renewals FROM pki.registration WHERE holder = 'a-1'"), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.request WHERE state = 'issued'"), 7);
    /* the text of each is its own */
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate c JOIN pki.certificate_der d ON d.certificate_id = c.id "
                                    "WHERE position(c.serial IN d.tbs) > 0 AND position(c.serial IN d.der) > 0"), 7);
    /* and again: the same answers, nothing new */
    judged_together(f, ids, n, o);
    assert_true(o[0].e == OK && o[14].e == OK && !o[0].fresh && !o[14].fresh);
    assert_string_equal(o[9].code, "pki.key.used");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), 7);
}

/* What the database refuses for one of them is not the others' trouble: in either commit. */
static void
a_row_that_fails(void **state)
{
    struct fixture *f = *state;
    struct outcome o[5];
    const char *ids[5];

    for (size_t i = 0; i < 5; i++)
        ids[i] = asked_of(f, arena_printf(f->w.a, "b-%zu", i), arena_printf(f->w.a, "%zu", 100 + i), NULL);
    operator_run("CREATE FUNCTION pki.fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$", NULL, 0);
    operator_run(arena_printf(f->w.a, "CREATE TRIGGER fails BEFORE INSERT ON pki.certificate FOR EACH ROW WHEN (NEW.request_id = '%s') "
                              "EXECUTE FUNCTION pki.fails()", ids[1]), NULL, 0);
    operator_run(arena_printf(f->w.a, "CREATE TRIGGER fails_late BEFORE UPDATE ON pki.certificate FOR EACH ROW WHEN "
                              "(NEW.request_id = '%s' AND NEW.state = 'issued') EXECUTE FUNCTION pki.fails()", ids[3]), NULL, 0);
    judged_together(f, ids, 5, o);
    for (size_t i = 0; i < 5; i++)
        if ((o[i].e == OK) != (i != 1 && i != 3))
            fail_msg("%zu: %s, %s", i, err_name(o[i].e), o[i].code);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'issued'"), 3);
    assert_int_equal(operator_count(arena_printf(f->w.a, "SELECT count(*) FROM pki.certificate WHERE state = 'reserved' AND "
                                                 "request_id = '%s'", ids[3])), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), 4);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate_der WHERE der IS NOT NULL"), 3);
    /* nothing was written of the one that could not be reserved: it may come again */
    operator_run("DROP TRIGGER fails ON pki.certificate", NULL, 0);
    issued(f, ids[1], NOW);
}

#define CROWD 8
#define CROWD_IDS 24

struct crowd {
    struct fixture *f;
    const char *const *ids;
    size_t turn;                   /* where it begins */
    int fresh;
};

/* Until each has a certificate. */
static void *
crowd_run(void *arg)
{
    struct crowd *c = arg;
    struct pg *pg = NULL;
    struct why why = WHY_INIT;
    size_t left = CROWD_IDS;

    if (pg_open(&c->f->w.conf, &pg, &why) != OK)
        return NULL;
    for (int tries = 0; left > 0 && tries < 1000; tries++) {
        struct outcome o[CROWD_IDS];
        const char *ids[CROWD_IDS];

        memset(o, 0, sizeof(o));
        for (size_t i = 0; i < CROWD_IDS; i++)      /* each in another order, half of them backwards */
            ids[i] = c->ids[(c->turn + (c->turn % 2 == 0 ? i : CROWD_IDS - i)) % CROWD_IDS];
        issue_requests(&c->f->x, pg, ids, CROWD_IDS, NOW, &(struct issue_hooks){ .answer = heard, .arg = o });
        left = 0;
        for (size_t i = 0; i < CROWD_IDS; i++) {
            c->fresh += o[i].fresh;
            left += o[i].e != OK;
            if (o[i].e != OK && strcmp(o[i].code, "signer.busy") != 0)
                fprintf(stderr, "%s %s\n", err_name(o[i].e), o[i].code);
        }
        usleep(2000);
    }
    pg_close(pg);
    return (void *)(uintptr_t)(left == 0);
}

static void
batches_at_once(void **state)
{
    struct fixture *f = *state;
    struct crowd crowd[CROWD];
    pthread_t threads[CROWD];
    const char *ids[CROWD_IDS];
    int fresh = 0;

    for (size_t i = 0; i < CROWD_IDS; i++)
        ids[i] = asked_of(f, arena_printf(f->w.a, "b-%zu", i), arena_printf(f->w.a, "%zu", 100 + i), NULL);
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = (struct crowd){ f, ids, 5 * i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &crowd[i]), 0);
    }
    for (size_t i = 0; i < CROWD; i++) {
        void *good = NULL;

        pthread_join(threads[i], &good);
        assert_non_null(good);
        fresh += crowd[i].fresh;
    }
    assert_int_equal(fresh, CROWD_IDS);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'issued'"), CROWD_IDS);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), CROWD_IDS);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'certificate.issue'"), CROWD_IDS);
}

/* Renewals are counted (P-117) among requests that come at the same moment too: each is judged after those before it. */
static void
renewals_at_once(void **state)
{
    struct fixture *f = *state;
    const struct registration r = registered(f, &card);
    struct racer racers[24];
    pthread_t threads[24];
    int fresh = 0;

    for (size_t i = 0; i < ARRAY_LEN(racers); i++)
        racers[i] = (struct racer){ f, asked(f, &r, REQUEST_ENROLL, ""), "", false };
    for (size_t i = 0; i < ARRAY_LEN(racers); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        pthread_join(threads[i], NULL);
        fresh += racers[i].fresh;
    }
    assert_int_equal(fresh, 2);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), 2);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.request WHERE reason = 'pki.profile.renewals'"), 22);
    assert_int_equal(operator_count("SELECT renewals FROM pki.registration"), 1);
}

/* Who is called alike in two towns is two holders: neither has the other's name. */
static void
the_name_of_another_town(void **state)
{
    struct fixture *f = *state;
    const struct wish again = { "citizen-card", "a-2", card.names, SUPPORT_CARD, PROOF_FACE_TO_FACE };
    const struct registration a = registered(f, &card), b = registered(f, &again);

    operator_run("UPDATE pki.registration SET town = 'rivemont' WHERE holder = 'a-1'", NULL, 0);
    issued(f, asked(f, &a, REQUEST_ENROLL, ""), NOW);
    operator_run("UPDATE pki.registration SET state = 'closed' WHERE holder = 'a-1'", NULL, 0);
    operator_run("UPDATE pki.registration SET holder = 'a-1', town = 'valbourg' WHERE holder = 'a-2'", NULL, 0);
    refused(f, "of another town", asked(f, &b, REQUEST_ENROLL, ""), NOW, "pki.subject.taken");
    operator_run("UPDATE pki.registration SET town = 'rivemont' WHERE town = 'valbourg'", NULL, 0);
    issued(f, asked(f, &b, REQUEST_ENROLL, ""), NOW);
    /* one that was noted before towns were takes the first that comes */
    operator_run("UPDATE pki.subject_name SET town = NULL", NULL, 0);
    issued(f, asked(f, &b, REQUEST_REKEY, ""), NOW + DAY);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.subject_name WHERE town = 'rivemont'"), 1);
}

/* What persons would approve is one line each, and fits. */
static void
texts_of_a_registration(void **state)
{
    static const struct {
        const char *town, *holder, *proof_ref;
        bool good;
    } rows[] = {
        { "", "b-1", "dossier 12/é", true },     { "", "b-2\nprofile root-ca", "", false }, { "a\tb", "b-3", "", false },
        { "", "b-4", "pv\r", false },            { "", "", "", false },                     { "", "b-5\x7f", "", false },
        { "", "0123456789012345678901234567890123456789012345678901234567890123", "", true },
        { "", "01234567890123456789012345678901234567890123456789012345678901234", "", false },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct registration r = { .profile = "citizen-card", .town = rows[i].town, .holder = rows[i].holder, .support = SUPPORT_CARD,
                                  .proof = PROOF_NONE, .proof_ref = rows[i].proof_ref, .proof_at = UTIME_NULL,
                                  .state = REGISTRATION_OPEN };
        bool fresh = false;

        rand_uuid(r.id);
        f->w.why = (struct why)WHY_INIT;
        if (rows[i].good) {
            assert_ok(registration_add(f->w.pg, &r, "operator:test", NOW, &fresh, &f->w.why), &f->w.why);
            assert_true(fresh);
            assert_ok(registration_add(f->w.pg, &r, "operator:test", NOW, &fresh, &f->w.why), &f->w.why);
            assert_false(fresh);
        } else {
            assert_err(registration_add(f->w.pg, &r, "operator:test", NOW, &fresh, &f->w.why), ERR_INPUT, &f->w.why);
            assert_string_equal(f->w.why.code, "registration.text");
        }
    }
}

/* --- refusals -------------------------------------------------------------------------------------------------------------- */

static void
profile_and_registration(void **state)
{
    struct fixture *f = *state;
    struct wish w = card;
    struct registration r;
    const char *id;

    w.profile = "no-such";
    r = registered(f, &w);
    refused(f, "profile", asked(f, &r, REQUEST_ENROLL, ""), NOW, "pki.profile.unknown");
    w.profile = "issuing-ca";                             /* what ceremonies make */
    r = registered(f, &w);
    refused(f, "ceremony's", asked(f, &r, REQUEST_ENROLL, ""), NOW, "pki.profile.unknown");
    w = card;
    w.holder = "a-2";
    r = registered(f, &w);
    id = asked(f, &r, REQUEST_ENROLL, "");
    assert_ok(registration_close(f->w.pg, r.id, "operator:test", NOW, &f->w.why), &f->w.why);
    refused(f, "closed", id, NOW, "pki.registration.state");
    w.profile = "responder";                              /* an operator does not ask for it */
    w.names = (struct subject){ .common_name = STR_LIT("cards OCSP") };
    w.support = SUPPORT_SOFTWARE;
    w.proof = PROOF_NONE;
    r = registered(f, &w);
    refused(f, "responder", asked(f, &r, REQUEST_ENROLL, ""), NOW, "pki.station");
    w = card;
    r = registered(f, &w);
    issued(f, asked(f, &r, REQUEST_ENROLL, ""), NOW);
}

static void
approvals(void **state)
{
    struct fixture *f = *state;
    const struct registration r = registered(f, &card);
    AUTO(key_freep) struct key *k = pki_key_make(KEY_P256, 0);
    const char *id = pki_request_make(&f->w, &r, k, REQUEST_ENROLL, "");
    bool enough = true;

    refused(f, "nobody", id, NOW, "approval.few");
    assert_ok(pki_approve(&f->w, f->field, 2, id, &enough), &f->w.why);
    assert_false(enough);
    assert_err(pki_approve(&f->w, f->field, 2, id, &enough), ERR_CONFLICT, &f->w.why);      /* the same person again */
    assert_err(pki_approve(&f->w, f->field, 0, id, &enough), ERR_DENIED, &f->w.why);        /* a custodian */
    assert_int_equal(judged(f, id, NOW, &(struct issue_result){ .fresh = false }), ERR_DENIED);
    assert_string_equal(f->w.why.code, "approval.few");
    assert_ok(pki_approve(&f->w, f->field, 3, id, &enough), &f->w.why);
    assert_true(enough);
    /* what was approved is not what is there now */
    operator_run("UPDATE pki.registration SET holder = 'somebody-else'", NULL, 0);
    assert_int_equal(judged(f, id, NOW, &(struct issue_result){ .fresh = false }), ERR_DENIED);
    assert_string_equal(f->w.why.code, "approval.few");
    operator_run("UPDATE pki.registration SET holder = 'a-1'", NULL, 0);
    /* a row that says approved, by hand, with a signature that is not one */
    operator_run("UPDATE pki.approval SET signature = set_byte(signature, 3, (get_byte(signature, 3) + 1) % 256)", NULL, 0);
    assert_int_equal(judged(f, id, NOW, &(struct issue_result){ .fresh = false }), ERR_DENIED);
    operator_run("UPDATE pki.approval SET signature = set_byte(signature, 3, (get_byte(signature, 3) + 255) % 256)", NULL, 0);
    issued(f, id, NOW);
}

static void
keys(void **state)
{
    struct fixture *f = *state;
    const struct registration r = registered(f, &card);
    struct wish w = card;
    AUTO(key_freep) struct key *k = pki_key_make(KEY_P256, 0);
    AUTO(key_freep) struct key *edwards = pki_key_make(KEY_ED25519, 0);
    const char *id = pki_request_make(&f->w, &r, k, REQUEST_ENROLL, "");
    struct registration other;

    pki_approve_two(&f->w, f->field, id);
    operator_run("UPDATE pki.request SET csr = set_byte(csr, octet_length(csr) - 2, (get_byte(csr, octet_length(csr) - 2) + 1) % 256)", NULL, 0);
    refused(f, "proof of possession", id, NOW, "pki.csr.signature");
    w.holder = "a-3";
    w.names.number = STR_LIT("333");
    other = registered(f, &w);
    id = pki_request_make(&f->w, &other, edwards, REQUEST_ENROLL, "");
    pki_approve_two(&f->w, f->field, id);
    if (judged(f, id, NOW, &(struct issue_result){ .fresh = false }) != ERR_DENIED)
        fail_msg("a key of a kind that no profile has");
    /* the digest beside the request is another key's */
    w.holder = "a-4";
    w.names.number = STR_LIT("444");
    other = registered(f, &w);
    {
        AUTO(key_freep) struct key *mine = pki_key_make(KEY_P256, 0);

        id = pki_request_make(&f->w, &other, mine, REQUEST_ENROLL, "");
        operator_run("UPDATE pki.request SET spki_sha256 = sha256('x') WHERE state = 'received'", NULL, 0);
        pki_approve_two(&f->w, f->field, id);
        refused(f, "digest", id, NOW, "pki.key.changed");
        /* the same key for two holders */
        w.holder = "a-5";
        w.names.number = STR_LIT("555");
        other = registered(f, &w);
        id = pki_request_make(&f->w, &other, mine, REQUEST_ENROLL, "");
        pki_approve_two(&f->w, f->field, id);
        issued(f, id, NOW);
        w.holder = "a-6";
        w.names.number = STR_LIT("666");
        other = registered(f, &w);
        id = pki_request_make(&f->w, &other, mine, REQUEST_ENROLL, "");
        pki_approve_two(&f->w, f->field, id);
        refused(f, "used", id, NOW, "pki.key.used");
    }
    /* the key of an authority, though its holder has it in hand */
    w.holder = "a-7";
    w.names.number = STR_LIT("777");
    other = registered(f, &w);
    id = pki_request_make(&f->w, &other, f->cas[SERVERS].key, REQUEST_ENROLL, "");
    pki_approve_two(&f->w, f->field, id);
    refused(f, "of an authority", id, NOW, "pki.key.ca");
    issued(f, asked(f, &other, REQUEST_ENROLL, ""), NOW);
}

static void
level_life_and_authority(void **state)
{
    struct fixture *f = *state;
    struct wish w = card;
    struct registration r;
    int *life = NULL;

    w.support = SUPPORT_SOFTWARE;                         /* P-120 */
    r = registered(f, &w);
    refused(f, "level 2 in software", asked(f, &r, REQUEST_ENROLL, ""), NOW, "pki.profile.level");
    w = card;
    w.holder = "a-2";
    w.names.number = STR_LIT("222");
    w.proof = PROOF_NONE;                                 /* P-116 */
    r = registered(f, &w);
    refused(f, "no proof", asked(f, &r, REQUEST_ENROLL, ""), NOW, "pki.profile.proof");
    w.holder = "a-3";
    w.proof = PROOF_FACE_TO_FACE;
    r = registered(f, &w);
    operator_run("UPDATE pki.registration SET proof_at = '2030-01-01' WHERE holder = 'a-3'", NULL, 0);
    refused(f, "proof of the future", asked(f, &r, REQUEST_ENROLL, ""), NOW, "pki.proof.date");
    w.holder = "a-4";
    w.names.number = STR_LIT("12345678");
    r = registered(f, &w);
    f->cas[CARDS].ca.not_after = NOW + 2 * YEAR;          /* L2 */
    refused(f, "outlives its CA", asked(f, &r, REQUEST_ENROLL, ""), NOW, "pki.profile.ca_end");
    f->cas[CARDS].ca.not_after = NOW + 8 * YEAR;
    for (size_t i = 0; i < f->profiles.n; i++)             /* P-138: as if a profile had slipped through its own checks */
        if (strcmp(f->profiles.items[i]->name, "citizen-card") == 0)
            life = &f->profiles.items[i]->life.years;
    assert_non_null(life);
    *life += 3;
    refused(f, "longer than its kind", asked(f, &r, REQUEST_ENROLL, ""), NOW, "pki.profile.life");
    *life -= 3;
    issued(f, asked(f, &r, REQUEST_ENROLL, ""), NOW);
    w.holder = "a-5";                                      /* the name of a-4 */
    r = registered(f, &w);
    refused(f, "name of another", asked(f, &r, REQUEST_ENROLL, ""), NOW, "pki.subject.taken");
    w.names.number = STR_LIT("555");
    w.holder = "a-6";
    r = registered(f, &w);
    assert_ok(ca_state_change(f->w.pg, f->cas[CARDS].ca.id, CA_RETIRING, NOW, &f->w.why), &f->w.why);
    f->cas[CARDS].ca.state = CA_RETIRING;
    refused(f, "retiring CA", asked(f, &r, REQUEST_ENROLL, ""), NOW, "pki.ca.none");
}

static void
locked_or_late(void **state)
{
    struct fixture *f = *state;
    const struct registration r = registered(f, &card);
    const char *id = asked(f, &r, REQUEST_ENROLL, "");
    struct key *key = f->cas[CARDS].key;
    struct issue_result result;

    f->cas[CARDS].key = NULL;
    assert_err(judged(f, id, NOW, &result), ERR_UNAVAILABLE, &f->w.why);
    assert_string_equal(f->w.why.code, "signer.locked");
    f->x.ncas = 0;                                        /* a signer that has just locked knows none */
    assert_err(judged(f, id, NOW, &result), ERR_UNAVAILABLE, &f->w.why);
    assert_string_equal(f->w.why.code, "signer.locked");
    f->x.ncas = 4;
    f->cas[CARDS].key = key;
    clock_guard_note(&f->clock, NOW + 2 * CLOCK_SLACK);   /* L25: something was signed later than now */
    assert_err(judged(f, id, NOW, &result), ERR_UNAVAILABLE, &f->w.why);
    assert_string_equal(f->w.why.code, "signer.clock");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.request WHERE state = 'approved'"), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate"), 0);
    issued(f, id, NOW + 2 * CLOCK_SLACK);
    assert_ok(certificate_newest(f->w.pg, &(utime){ 0 }, &f->w.why), &f->w.why);
}

/* --- renewals ---------------------------------------------------------------------------------------------------------------- */

static void
renewals(void **state)
{
    struct fixture *f = *state;
    const struct registration r = registered(f, &card);
    const struct issue_result first = issued(f, asked(f, &r, REQUEST_ENROLL, ""), NOW);
    struct issue_result second;
    const char *id;

    refused(f, "nothing followed", asked(f, &r, REQUEST_RENEW, ""), NOW, "pki.renew.unknown");
    refused(f, "early", asked(f, &r, REQUEST_RENEW, first.certificate), NOW + DAY, "pki.renew.early");
    /* the same proof and a further key: the second is a renewal, the third one too many (P-117) */
    id = asked(f, &r, REQUEST_REKEY, "");
    second = issued(f, id, NOW + DAY);
    assert_true(second.fresh);
    assert_int_equal(operator_count("SELECT renewals FROM pki.registration"), 1);
    refused(f, "second renewal", asked(f, &r, REQUEST_ENROLL, ""), NOW + 2 * DAY, "pki.profile.renewals");
    /* identified anew: it begins again */
    assert_ok(registration_identify(f->w.pg, r.id, PROOF_FACE_TO_FACE, "pv-2", NOW + 2 * DAY, STR_NULL, "operator:test",
                                    NOW + 2 * DAY, &f->w.why), &f->w.why);
    issued(f, asked(f, &r, REQUEST_ENROLL, ""), NOW + 3 * DAY);
    assert_int_equal(operator_count("SELECT renewals FROM pki.registration"), 0);
    operator_run("UPDATE pki.certificate SET state = 'revoked', revoked_at = '2027-01-01', reason = 1 WHERE not_before = "
                 "(SELECT max(not_before) FROM pki.certificate)", NULL, 0);
    refused(f, "revoked since", asked(f, &r, REQUEST_ENROLL, ""), NOW + 4 * DAY, "pki.proof.revoked");
}

/* Names of a person are erased; a renewal takes them from the certificate, and nothing else may. */
static void
erased_names(void **state)
{
    static const struct wish named = { "citizen-card-named", "a-1", { .given_name = { "Anne", 4 }, .surname = { "Lemoine", 7 },
                                       .serial_number = { "7f3a", 4 } }, SUPPORT_CARD, PROOF_FACE_TO_FACE };
    struct fixture *f = *state;
    const struct registration r = registered(f, &named);
    const struct issue_result first = issued(f, asked(f, &r, REQUEST_ENROLL, ""), NOW);
    AUTO(x509_done) struct x509_cert cert = { .not_after = 0 };
    struct certificate_row row;
    struct issue_result second;
    char query[200];

    refused(f, "without names", asked(f, &r, REQUEST_REKEY, ""), NOW, "pki.registration.erased");
    snprintf(query, sizeof(query), "UPDATE pki.certificate SET not_after = '2026-12-31' WHERE id = '%s'", first.certificate);
    operator_run(query, NULL, 0);
    second = issued(f, asked(f, &r, REQUEST_RENEW, first.certificate), NOW);
    assert_ok(certificate_find(f->w.pg, str_of(second.certificate), f->w.a, &row, &f->w.why), &f->w.why);
    assert_ok(x509_read(row.der, &cert, &f->w.why), &f->w.why);
    assert_string_equal(buf_cstr(&cert.subject), "serialNumber=7f3a,GN=Anne,SN=Lemoine,C=FR");
    snprintf(query, sizeof(query), "UPDATE pki.certificate SET state = 'held', revoked_at = '2026-11-30', reason = 6 WHERE id = '%s'",
             second.certificate);
    operator_run(query, NULL, 0);
    refused(f, "follows a held one", asked(f, &r, REQUEST_RENEW, second.certificate), NOW, "pki.renew.state");
}

/* --- between the commits ------------------------------------------------------------------------------------------------------- */

static void
a_reservation_left_behind(void **state)
{
    struct fixture *f = *state;
    const struct registration r = registered(f, &card);
    struct wish w = card;
    AUTO(key_freep) struct key *k = pki_key_make(KEY_P256, 0);
    const char *id = pki_request_make(&f->w, &r, k, REQUEST_ENROLL, ""), *again;
    struct issue_reservation res = { .profile = profile_set_find(&f->profiles, STR_LIT("citizen-card")), .ca = &f->cas[CARDS].ca,
                                     .not_before = NOW, .not_after = NOW + YEAR, .tbs = STR_LIT("text"), .der = STR_LIT("der"),
                                     .serial = { 0x11 } }, *list = &res;
    struct registration other;
    struct issue_result result;
    struct issue_case c;
    int n = 0;

    pki_approve_two(&f->w, f->field, id);
    assert_ok(issue_cases_load(f->w.pg, &id, 1, &f->w.a, &c, &f->w.why), &f->w.why);
    assert_true(c.found);
    res.c = &c;
    rand_uuid(res.id);
    assert_ok(issue_reserve(f->w.pg, &list, 1, "signer", NOW, &f->w.why), &f->w.why);
    assert_int_equal(res.outcome, ISSUE_RESERVED);
    assert_err(judged(f, id, NOW, &result), ERR_UNAVAILABLE, &f->w.why);
    assert_string_equal(f->w.why.code, "signer.busy");
    assert_ok(certificate_void_lost(f->w.pg, NOW - 1, NOW, &n, &f->w.why), &f->w.why);
    assert_int_equal(n, 0);                               /* still young */
    assert_ok(certificate_void_lost(f->w.pg, NOW, NOW + DAY, &n, &f->w.why), &f->w.why);
    assert_int_equal(n, 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.alarm WHERE kind = 'certificate.lost' AND ended_at IS NULL"), 1);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate WHERE state = 'void'"), 1);
    assert_err(judged(f, id, NOW, &result), ERR_DENIED, &f->w.why);
    assert_string_equal(f->w.why.code, "pki.request.lost");
    /* whoever signed meanwhile comes too late */
    assert_ok(issue_commit(f->w.pg, &list, 1, "signer", NOW, &f->w.why), &f->w.why);
    assert_false(res.issued);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.certificate_der WHERE der IS NOT NULL"), 0);
    /* its key stays used, for anybody */
    w.holder = "a-2";
    w.names.number = STR_LIT("222");
    other = registered(f, &w);
    again = pki_request_make(&f->w, &other, k, REQUEST_ENROLL, "");
    pki_approve_two(&f->w, f->field, again);
    refused(f, "spent key", again, NOW, "pki.key.used");
    issued(f, asked(f, &r, REQUEST_ENROLL, ""), NOW);      /* a new key is good, and no renewal */
    assert_int_equal(operator_count("SELECT renewals FROM pki.registration WHERE holder = 'a-1'"), 0);
}

static void
timers(void **state)
{
    struct fixture *f = *state;
    const struct registration r = registered(f, &card);
    const struct issue_result result = issued(f, asked(f, &r, REQUEST_ENROLL, ""), NOW);
    int n = 0;

    assert_ok(certificate_unaccepted_alarm(f->w.pg, "citizen-card", NOW - DAY, NOW, &f->w.why), &f->w.why);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.alarm"), 0);
    assert_ok(certificate_unaccepted_alarm(f->w.pg, "citizen-card", NOW + DAY, NOW + DAY, &f->w.why), &f->w.why);
    assert_ok(certificate_unaccepted_alarm(f->w.pg, "citizen-card", NOW + DAY, NOW + DAY, &f->w.why), &f->w.why);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.alarm WHERE kind = 'certificate.unaccepted'"), 1);
    assert_ok(certificate_expire_due(f->w.pg, NOW + YEAR, 10, &n, &f->w.why), &f->w.why);
    assert_int_equal(n, 0);
    assert_ok(certificate_expire_due(f->w.pg, NOW + 4 * YEAR, 10, &n, &f->w.why), &f->w.why);
    assert_int_equal(n, 1);
    assert_int_equal(strlen(result.certificate), 36);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.status_change WHERE state = 'expired'"), 1);
    assert_ok(certificate_changes_purge(f->w.pg, NOW + 5 * YEAR, &f->w.why), &f->w.why);
    assert_int_equal(operator_count("SELECT count(*) FROM pki.status_change"), 1);      /* the newest stays: the clock's */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_family, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_again, setup, teardown),
        cmocka_unit_test_setup_teardown(many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_that_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(batches_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(renewals_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_name_of_another_town, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_of_a_registration, setup, teardown),
        cmocka_unit_test_setup_teardown(profile_and_registration, setup, teardown),
        cmocka_unit_test_setup_teardown(approvals, setup, teardown),
        cmocka_unit_test_setup_teardown(keys, setup, teardown),
        cmocka_unit_test_setup_teardown(level_life_and_authority, setup, teardown),
        cmocka_unit_test_setup_teardown(locked_or_late, setup, teardown),
        cmocka_unit_test_setup_teardown(renewals, setup, teardown),
        cmocka_unit_test_setup_teardown(erased_names, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reservation_left_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(timers, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
