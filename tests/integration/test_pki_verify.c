/*
 * verify: a database in which everything happened through the program has no finding; each edit by hand beside the program has
 * the one that names it. Rows are put back after each edit.
 */
#include "tests/integration/pki_command.h"

#include <jansson.h>

#include "pki/authority/crl.h"
#include "pki/authority/station.h"

static const struct pg_stmts *const stmts_here[] = { &audit_stmts, &approval_stmts, &pki_person_stmts, &grant_stmts, &station_stmts,
    &ca_stmts, &registration_stmts, &request_stmts, &certificate_stmts, &issue_stmts, &crl_stmts, NULL };
enum { ROOT, CARDS, CAS };

struct fixture {
    struct pki_world w;
    struct pki_desk d;
    struct pg_config conf;
    struct pg *pg;
    struct profile_set profiles;
    struct keyring *field;
    struct clock_guard clock;
    struct issue_ca cas[CAS];
    struct issue_context x;
    char ids[4][37];
};

/* The record of the world's ceremony, naming its persons and signed by one of them. */
static void
record_sign(struct fixture *f)
{
    const struct pki_human *h = &f->w.humans[0];
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(80), octets = BUF_BOUNDED(128), sig = BUF_BOUNDED(64);
    unsigned char sha[SHA256_LEN];
    struct ceremony_row row = { .kind = "root", .ca_name = "root", .at = f->w.now };
    struct ceremony_sign sign = { .name = h->name, .public_key = buf_view(&h->spki) };

    sha256(buf_view(&h->spki), sha);
    hex_encode(&hex, sha, sizeof(sha));
    row.record = str_of(arena_printf(f->w.a, "beffroi-pki ceremony\nperson %s key %s role custodian\n", h->name, buf_cstr(&hex)));
    sha256(row.record, sha);
    buf_adds(&octets, "beffroi-pki ceremony record");
    buf_addc(&octets, '\0');
    buf_add(&octets, sha, sizeof(sha));
    assert_ok(key_sign(h->k, KEY_PERSON_SIGN, SIG_EDDSA, buf_view(&octets), false, &sig, &f->w.why), &f->w.why);
    sign.signature = buf_view(&sig);
    rand_uuid(row.id);
    assert_ok(ceremony_add(f->w.pg, &row, &sign, 1, &f->w.why), &f->w.why);
    operator_run(arena_printf(f->w.a, "ALTER TABLE pki.role_grant DISABLE TRIGGER "
        "USER; UPDATE pki.role_grant SET ceremony_id = '%s'; ALTER TABLE pki.role_grant ENABLE TRIGGER USER; DELETE FROM pki.ceremony "
        "WHERE id = '%s'", row.id, f->w.ceremony), NULL, 0);
    memcpy(f->w.ceremony, row.id, sizeof(row.id));
}

static const char *
issued(struct fixture *f, const char *profile, const char *number)
{
    const struct subject names = { .number = str_of(number) };
    AUTO(key_freep) struct key *k = pki_key_make(KEY_P256, 0);
    const struct registration r = pki_registration_make(&f->w, f->field, profile, number, &names, SUPPORT_CARD, PROOF_FACE_TO_FACE);
    const char *id = pki_request_make(&f->w, &r, k, REQUEST_ENROLL, "");
    struct issue_result result;
    struct certificate_row row;
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(64);

    pki_approve_two(&f->w, f->field, id);
    assert_ok(issue_request(&f->x, f->pg, id, f->w.now, &result, &f->w.why), &f->w.why);
    assert_ok(certificate_find(f->pg, str_of(result.certificate), f->w.a, &row, &f->w.why), &f->w.why);
    hex_encode(&hex, row.serial.p, row.serial.n);
    return arena_strdup(f->w.a, buf_cstr(&hex));
}

static void
list_make(struct fixture *f, bool delta, utime now)
{
    const struct crl_order order = { .ca_id = f->cas[CARDS].ca.id, .full = !delta, .delta = delta, .now = now,
                                     .base_url = "http://pki.example", .profiles = &f->profiles, .actor = "signer" };
    struct crl_made made;

    assert_ok(crl_make(f->pg, &order, f->cas[CARDS].key, &made, &f->w.why), &f->w.why);
    crl_made_done(&made);
}

static const char *
act(struct fixture *f, const char *person, const char *what, const char *serial, const char *more)
{
    return desk_run(&f->d, person, arena_printf(f->w.a, "%s --ca cards-g1 --serial %s%s", what, serial, more));
}

/* Something of everything. */
static void
history_make(struct fixture *f)
{
    const char *good = issued(f, "citizen-card", "1001"), *dead = issued(f, "citizen-card", "1002"),
               *held = issued(f, "citizen-card-local", "1003"), *later = issued(f, "citizen-card", "1004"), *until, *said;
    char at[UTIME_RFC3339_LEN + 1];

    desk_person(&f->d, "rosa", ROLE_REVOCATION, f->ids[0]);
    desk_person(&f->d, "sara", ROLE_SECURITY, f->ids[1]);
    desk_person(&f->d, "remi", ROLE_SYSTEMS, f->ids[2]);
    desk_person(&f->d, "dora", ROLE_SERVICE_DESK, f->ids[3]);
    assert_says(act(f, "rosa", "revoke", dead, " --reason key_compromise"), "revoked");
    assert_says(act(f, "rosa", "suspend", held, ""), "held");
    list_make(f, false, f->w.now + 60 * USEC_PER_SEC);
    assert_says(act(f, "rosa", "revoke", later, " --reason superseded"), "revoked");
    list_make(f, true, f->w.now + 120 * USEC_PER_SEC);
    assert_true(strlen(good) == 32);
    assert_says(desk_run(&f->d, "remi", "station add idp --profile citizen-card --all-towns"), "one more person");
    assert_says(desk_run(&f->d, "sara", "station approve idp"), "active");
    utime_rfc3339(f->w.now + 100 * DAY, at);
    until = arena_printf(f->w.a, "role propose remi perso --until %s", at);
    assert_says(desk_run(&f->d, "sara", until), "1 ");               /* does not go with systems */
    said = desk_run(&f->d, "sara", arena_printf(f->w.a, "role propose rosa service_desk --until %s", at));
    assert_true(strlen(said) == 39);
    assert_says(desk_run(&f->d, "dora", arena_printf(f->w.a, "role approve %.36s", said + 2)), "is service_desk");
}

static int
setup(void **state)
{
    static const char *const names[] = { "root", "cards" };
    struct fixture *f = calloc(1, sizeof(*f));
    char set[37];

    pki_world_begin(&f->w, utime_seconds(clock_now()) * USEC_PER_SEC);
    f->conf = f->w.conf;
    f->conf.stmts = stmts_here;
    assert_ok(pg_open(&f->conf, &f->pg, &f->w.why), &f->w.why);
    record_sign(f);
    desk_begin(&f->d, &f->w);
    rand_uuid(set);
    assert_ok(profile_set_load(SOURCE_DIR "/pki/profiles", &f->profiles, &f->w.why), &f->w.why);
    assert_ok(keyring_load(arena_printf(f->w.a, "%s/keys/field", f->d.folder), &f->field, &f->w.why), &f->w.why);
    for (size_t i = 0; i < CAS; i++) {
        AUTO(buf_free) struct buf spki = BUF_BOUNDED(1024);

        f->cas[i].key = pki_key_make(KEY_P256, 0);
        key_spki(f->cas[i].key, &spki);
        assert_ok(key_public(buf_view(&spki), &f->cas[i].public_key, &f->w.why), &f->w.why);
        pki_ca_make(&f->w, names[i], f->cas[i].key, i == 0 ? "offline" : "sealed:/nowhere", set, i == 0 ? 0 : f->cas[0].ca.id,
                    &f->cas[i].ca);
        pki_ca_certify(&f->w, profile_set_find(&f->profiles, i == 0 ? STR_LIT("root-ca") : STR_LIT("issuing-ca")), &f->cas[i].ca,
                       &f->cas[0].ca, f->cas[0].key);
    }
    f->x = (struct issue_context){ .profiles = &f->profiles, .field = f->field, .base_url = "http://pki.example",
                                   .clock = &f->clock, .cas = f->cas, .ncas = CAS, .actor = "signer" };
    history_make(f);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < CAS; i++) {
        key_free(f->cas[i].key);
        key_free(f->cas[i].public_key);
    }
    keyring_free(f->field);
    profile_set_free(&f->profiles);
    pg_close(f->pg);
    desk_end(&f->d);
    pki_world_end(&f->w);
    operator_run("DROP SCHEMA IF EXISTS saved CASCADE", NULL, 0);
    free(f);
    return 0;
}

/* --- edits by hand ------------------------------------------------------------------------------------------------------------ */

#define FLIP(column_) column_ " = set_byte(" column_ ", octet_length(" column_ ") - 1, get_byte(" column_ ", octet_length(" column_ ") - 1) # 1)"
#define ONE(state_) "id = (SELECT min(id::text)::uuid FROM pki.certificate WHERE state = '" state_ "')"
#define DER_OF(state_) "certificate_id = (SELECT min(id::text)::uuid FROM pki.certificate WHERE state = '" state_ "')"

static const struct {
    const char *rule, *table, *sql;
} edits[] = {
    { "ca.signature", "ca", "UPDATE pki.ca SET " FLIP("certificate") " WHERE name = 'cards'" },
    { "ca.certificate", "ca", "UPDATE pki.ca SET certificate = 'C' WHERE name = 'cards'" },
    { "ca.row", "ca", "UPDATE pki.ca SET not_after = not_after - interval '1 second' WHERE name = 'cards'" },
    { "certificate.signature", "certificate_der", "UPDATE pki.certificate_der SET " FLIP("der") " WHERE " DER_OF("issued") },
    { "certificate.octets", "certificate_der", "UPDATE pki.certificate_der SET der = NULL WHERE " DER_OF("issued") },
    { "certificate.octets", "certificate_der", "UPDATE pki.certificate_der SET der = der || '\\x00' WHERE " DER_OF("issued") },
    { "certificate.text", "certificate_der", "UPDATE pki.certificate_der SET " FLIP("tbs") " WHERE " DER_OF("issued") },
    { "certificate.row", "certificate", "UPDATE pki.certificate SET not_after = not_after + interval '1 year' WHERE " ONE("issued") },
    { "certificate.key", "certificate", "UPDATE pki.certificate SET spki_sha256 = sha256('x') WHERE " ONE("issued") },
    { "certificate.name", "subject_name", "UPDATE pki.subject_name SET holder = '1001' WHERE holder = '1002'" },
    { "certificate.name", "subject_name", "DELETE FROM pki.subject_name WHERE holder = '1003'" },
    { "certificate.state", "certificate", "UPDATE pki.certificate SET state = 'active' WHERE " ONE("issued") },
    { "certificate.state", "certificate", "UPDATE pki.certificate SET state = 'active', revoked_at = NULL, reason = NULL WHERE "
      ONE("revoked") },
    { "certificate.state", "certificate", "UPDATE pki.certificate SET reason = 4 WHERE reason = 1" },
    { "certificate.state", "status_change", "UPDATE pki.status_change SET serial = sha256('x') WHERE state = 'held'" },
    { "certificate.transition", "status_change", "UPDATE pki.status_change SET was = 'revoked' WHERE state = 'held'" },
    { "request.state", "request", "UPDATE pki.request SET state = 'approved' WHERE id = (SELECT min(id::text)::uuid FROM pki.request)" },
    { "crl.octets", "crl", "UPDATE pki.crl SET " FLIP("der") " WHERE kind = 'full'" },
    { "crl.signature", "crl", "UPDATE pki.crl SET " FLIP("der") ", sha256 = sha256('x') WHERE kind = 'full'" },
    { "crl.row", "crl", "UPDATE pki.crl SET entries = entries + 1 WHERE kind = 'delta'" },
    { "crl.order", "crl", "UPDATE pki.crl SET made_at = made_at - interval '1 hour' WHERE kind = 'delta'" },
    { "crl.base", "crl", "UPDATE pki.crl SET base = 0 WHERE kind = 'delta'" },
    { "crl.counter", "crl_counter", "UPDATE pki.crl_counter SET number = 1" },
    { "crl.counter", "crl_counter", "DELETE FROM pki.crl_counter" },
    { "crl.entry", "certificate", "UPDATE pki.certificate SET state = 'active', revoked_at = NULL, reason = NULL WHERE " ONE("held") },
    { "crl.missing", "certificate", "UPDATE pki.certificate SET state = 'revoked', revoked_at = '2026-01-01', reason = 1 WHERE "
      ONE("issued") },
    { "approval.signature", "approval", "UPDATE pki.approval SET " FLIP("signature") " WHERE act = 'station.change'" },
    { "approval.signature", "approval", "UPDATE pki.approval SET at = at - interval '1 second' WHERE act = 'request.approve'" },
    { "station.signature", "station", "UPDATE pki.station SET may_revoke = true" },
    { "station.signature", "station", "UPDATE pki.station SET profiles = profiles || '{agent-card}'" },
    { "station.signature", "approval", "DELETE FROM pki.approval WHERE act = 'station.change' AND person_id = (SELECT id FROM "
      "pki.person WHERE name = 'sara')" },
    { "grant.signature", "role_grant", "UPDATE pki.role_grant SET role = 'security' WHERE proposed_by IS NOT NULL" },
    { "request.signature", "registration", "UPDATE pki.registration SET town = 'valbourg' WHERE holder = '1001'" },
    { "registration.names", "registration", "UPDATE pki.registration SET " FLIP("subject") " WHERE holder = '1001'" },
    { "ceremony.record", "ceremony", "UPDATE pki.ceremony SET record = record || ' '" },
    { "ceremony.signature", "ceremony_signature", "UPDATE pki.ceremony_signature SET " FLIP("signature") },
    { "ceremony.unsigned", "ceremony_signature", "DELETE FROM pki.ceremony_signature" },
};

static void
each_edit_is_named(void **state)
{
    struct fixture *f = *state;
    const char *good = desk_run(&f->d, NULL, "verify"), *said;

    assert_true(strncmp(good, "0 {", 3) == 0);
    assert_says(good, "{\"authorities\":2,\"certificates\":4,\"requests\":4,\"approvals\":12,\"grants\":9,\"stations\":1,"
                "\"ceremonies\":1,\"lists\":2,\"unproven\":0,\"findings\":0}");
    operator_run("DROP SCHEMA IF EXISTS saved CASCADE; CREATE SCHEMA saved", NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        const char *t = edits[i].table;

        /* the last column of certificate is generated: it is not written, and comes again by itself */
        operator_run(arena_printf(f->w.a, "CREATE TABLE IF NOT EXISTS saved.%s AS TABLE pki.%s; ALTER TABLE saved.%s DROP COLUMN IF EXISTS "
                                  "live; SET session_replication_role = replica; %s", t, t, t, edits[i].sql), NULL, 0);
        said = desk_run(&f->d, NULL, "verify");
        if (said[0] != '1' || strstr(said, arena_printf(f->w.a, "{\"rule\":\"%s\"", edits[i].rule)) == NULL)
            fail_msg("%s: %s: %s", edits[i].rule, edits[i].sql, said);
        operator_run(arena_printf(f->w.a, "SET session_replication_role = replica; DELETE FROM pki.%s; INSERT INTO pki.%s OVERRIDING "
                                  "SYSTEM VALUE SELECT * FROM saved.%s", t, t, t), NULL, 0);
    }
    assert_string_equal(desk_run(&f->d, NULL, "verify"), good);
}

/* The same world: certificates against profiles. */
static void
lint_says(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf der = BUF_BOUNDED(CERTIFICATE_MAX);
    const char *file = arena_printf(f->w.a, "%s/one.pem", f->d.folder), *said;
    struct certificate_filter filter = CERTIFICATE_FILTER_ALL;
    struct certificate_row *rows, row;
    size_t n;

    said = desk_run(&f->d, NULL, "lint");
    assert_true(said[0] == '0');
    assert_says(said, "\"profile\":\"citizen-card\",\"ca\":\"cards-g1\",\"findings\":[]}");
    assert_says(said, "{\"certificate\":null,\"profile\":\"server\"}");
    filter.state = "issued";
    assert_ok(certificate_list(f->pg, &filter, 10, f->w.a, &rows, &n, &f->w.why), &f->w.why);
    assert_int_equal(n, 1);
    assert_says(desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate show %s --out %s", rows[0].id, file)), "0 {");
    assert_says(desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate lint %s --profile citizen-card", file)), "0 {");
    said = desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate lint %s --profile agent-card", file));
    assert_true(said[0] == '1');
    assert_says(said, "{\"rule\":\"cert.");
    /* DER, with another signature */
    assert_ok(certificate_find(f->pg, str_of(rows[0].id), f->w.a, &row, &f->w.why), &f->w.why);
    buf_add_str(&der, row.der);
    der.data[der.len - 1] ^= 1;
    desk_file(&f->d, "two.der", buf_view(&der));
    said = desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate lint %s/two.der --profile citizen-card", f->d.folder));
    assert_true(said[0] == '1');
    assert_says(said, "\"findings\":[{\"rule\":\"cert.signature\"");
    assert_says(desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate lint %s --profile no-such", file)), "1 beffroi-pki");
    assert_says(desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate lint %s/conf --profile citizen-card", f->d.folder)), "1 beffroi-pki");
    /* a profile that was edited since is not held against what it did not make */
    operator_run("UPDATE pki.certificate SET profile_sha256 = sha256('p') WHERE state = 'issued'", NULL, 0);
    assert_says(desk_run(&f->d, NULL, "lint"), "\"profile_changed\":true");
}

/* --- the archive -------------------------------------------------------------------------------------------------------------- */

static void
seal_all(struct fixture *f, struct key *k)
{
    static const struct pg_stmts *const seal[] = { &audit_seal_stmts, NULL };
    AUTO(pg_closep) struct pg *pg = NULL;
    struct pg_config conf = f->conf;
    int n = 1;

    conf.stmts = seal;
    assert_ok(pg_open(&conf, &pg, &f->w.why), &f->w.why);
    while (n > 0)
        assert_ok(audit_seal(pg, k, clock_now(), &n, &f->w.why), &f->w.why);
}

/* Writes the archive, signed as it stands. */
static void
archive_put(struct fixture *f, const json_t *root, struct key *k)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(128), sig = BUF_BOUNDED(64), b64 = BUF_BOUNDED(128);
    char *json = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    const char *file = arena_printf(f->w.a, "%s\n", json);
    unsigned char sha[SHA256_LEN];

    free(json);
    sha256(str_of(file), sha);
    buf_adds(&text, "beffroi-pki archive 1");
    buf_addc(&text, '\0');
    buf_add(&text, sha, sizeof(sha));
    assert_ok(key_sign(k, KEY_AUDIT_SIGN, SIG_EDDSA, buf_view(&text), false, &sig, &f->w.why), &f->w.why);
    base64_encode(&b64, sig.data, sig.len);
    desk_file(&f->d, "edited", str_of(file));
    desk_file(&f->d, "edited.sig", str_of(arena_printf(f->w.a, "{\"signature\":\"%s\"}\n", buf_cstr(&b64))));
}

static json_t *
at(json_t *root, const char *list, size_t i)
{
    return json_array_get(json_object_get(root, list), i);
}

static json_t *
audit_at(json_t *root, const char *list)
{
    return json_array_get(json_object_get(json_object_get(root, "audit"), list), 0);
}

static void
archive_edit(json_t *root, int which)
{
    switch (which) {
    case 0: json_object_set_new(audit_at(root, "rows"), "actor", json_string("somebody")); break;
    case 1: json_object_set_new(audit_at(root, "checkpoints"), "chain", json_string("AAAA")); break;
    case 2: json_object_set_new(json_object_get(root, "audit"), "rows", json_array()); break;
    case 3: json_object_set(json_object_get(root, "certificate"), "der", json_object_get(at(root, "authorities", 0), "der")); break;
    case 4: json_array_remove(json_object_get(root, "authorities"), 1); break;
    case 5: json_array_remove(json_object_get(root, "authorities"), 0); break;
    case 6: json_object_set_new(json_object_get(root, "request"), "csr", json_string("AAAA")); break;
    case 7: json_object_set_new(at(root, "approvals", 0), "at", json_string("2026-01-01T00:00:00Z")); break;
    case 8: json_object_set_new(root, "approvals", json_array()); break;
    case 9: json_object_set_new(at(root, "ceremonies", 0), "record", json_string("another")); break;
    case 10: json_object_set_new(at(root, "ceremonies", 0), "signatures", json_array()); break;
    case 11: json_object_set_new(at(root, "lists", 0), "listed", json_false()); break;
    case 12: json_object_set_new(at(root, "lists", 0), "sha256", json_string("00")); break;
    case 13: json_array_set(json_object_get(root, "approvals"), 1, at(root, "approvals", 0)); break;       /* one person, twice */
    default: fail();
    }
}

static void
a_life_is_archived(void **state)
{
    static const char *const rules[] = { "audit.proof", "audit.proof", "audit.none", "request.key", "certificate.root",
        "certificate.signature", "request.key", "approval.signature", "approval.few", "ceremony.signature", "ceremony.unsigned",
        "list.entry", "list.signature", "approval.few" };
    struct fixture *f = *state;
    const char *out = arena_printf(f->w.a, "%s/life", f->d.folder), *edited = arena_printf(f->w.a, "%s/edited", f->d.folder), *said;
    struct certificate_filter filter = { .state = "held", .ends_before = UTIME_NULL };
    AUTO(key_freep) struct key *k = NULL;
    struct certificate_row *rows;
    char rene[37];
    size_t n;
    json_t *root;

    desk_person(&f->d, "rene", ROLE_REGISTRATION, rene);
    assert_ok(key_load(arena_printf(f->w.a, "file:%s/keys/audit.pem", f->d.folder), KEY_AUDIT_SIGN, &k, &f->w.why), &f->w.why);
    assert_ok(certificate_list(f->pg, &filter, 10, f->w.a, &rows, &n, &f->w.why), &f->w.why);
    assert_int_equal(n, 1);
    seal_all(f, k);
    said = arena_printf(f->w.a, "certificate export %s --out %s", rows[0].id, out);
    assert_says(desk_run(&f->d, "rene", said), "no role");
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'archive.export' AND result = 'approval.roles'"), 1);
    assert_says(desk_run(&f->d, "sara", said), "one more person");
    assert_int_equal(access(out, F_OK), -1);
    assert_says(desk_run(&f->d, "remi", said), "exported");
    assert_says(desk_run(&f->d, "remi", said), "1 ");                /* a file that is there stays */
    assert_int_equal(operator_count("SELECT count(*) FROM pki.audit_event WHERE verb = 'archive.export' AND result = 'ok'"), 1);
    said = desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate verify-export %s", out));
    assert_says(said, "\"findings\":0}");
    assert_says(said, "\"unsealed\":1,");                            /* the refusal, a moment ago */
    assert_true(said[0] == '0');
    /* offline: no configuration at all */
    said = desk_exec(&f->d, PKI_BIN, (const char *const[]){ "beffroi-pki", "certificate", "verify-export", out, NULL });
    assert_true(said[0] == '0');
    root = json_load_file(out, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "approvals")), 2);
    assert_int_equal(json_array_size(json_object_get(root, "revocations")), 1);
    assert_int_equal(json_array_size(json_object_get(root, "lists")), 1);
    assert_true(json_is_true(json_object_get(at(root, "lists", 0), "listed")));
    assert_int_equal(json_array_size(json_object_get(root, "authorities")), 2);
    assert_true(json_array_size(json_object_get(json_object_get(root, "audit"), "rows")) >= 6);
    archive_put(f, root, k);                                         /* what the edits begin with is good */
    assert_says(desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate verify-export %s", edited)), "0 {");
    for (int i = 0; i < (int)ARRAY_LEN(rules); i++) {
        json_t *copy = json_deep_copy(root);

        archive_edit(copy, i);
        archive_put(f, copy, k);
        json_decref(copy);
        said = desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate verify-export %s", edited));
        if (said[0] != '1' || strstr(said, arena_printf(f->w.a, "{\"rule\":\"%s\"", rules[i])) == NULL)
            fail_msg("edit %d, %s: %s", i, rules[i], said);
    }
    /* good inside, and not what was signed */
    archive_put(f, root, k);
    json_object_set_new(root, "made_at", json_string("2026-01-01T00:00:00Z"));
    {
        char *json = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);

        desk_file(&f->d, "edited", str_of(json));
        free(json);
    }
    assert_says(desk_run(&f->d, NULL, arena_printf(f->w.a, "certificate verify-export %s", edited)), "archive.signature");
    json_decref(root);
}

/* More rows than one page has. */
static void
many_pages(void **state)
{
    struct fixture *f = *state;
    const char *said;

    operator_run("SET session_replication_role = replica; INSERT INTO pki.certificate (id, ca_id, serial, state, state_since, "
                 "registration_id, profile, profile_sha256, spki_sha256, not_before, not_after) SELECT gen_random_uuid(), c.ca_id, "
                 "substr(sha256(i::text::bytea), 1, 16), 'issued', c.state_since, c.registration_id, c.profile, c.profile_sha256, "
                 "sha256(('k' || i)::bytea), c.not_before, c.not_after FROM (SELECT * FROM pki.certificate WHERE state = 'issued' "
                 "LIMIT 1) c, generate_series(1, 2500) i", NULL, 0);
    said = desk_run(&f->d, NULL, "verify");
    assert_says(said, "\"certificates\":2504,");
    assert_says(said, "\"findings\":5000}");          /* neither text nor octets */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_edit_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(lint_says, setup, teardown),
        cmocka_unit_test_setup_teardown(a_life_is_archived, setup, teardown),
        cmocka_unit_test_setup_teardown(many_pages, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
