/* pki/profile: what is shipped loads; each rule is broken alone by one changed line of a profile that is otherwise good. */
#include "tests/unit/support.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "pki/profile/profile.h"
#include "pki/profile/subject.h"

static const char good_person[] =
    "title = Citizen\nholder = person\nuse = authentication\nlevel = 2\nca = cards\nsubject = pseudonym\npolicy = 2.999.1.1.2\n"
    "life = 5y\nkey_usage = digitalSignature\nextended_key_usage = clientAuth\nsupport = card\nproof = face_to_face\n"
    "acceptance = confirmed\n";
static const char good_local[] =
    "title = Citizen\nholder = person\nuse = authentication\nlevel = local\nca = cards\nsubject = named\npolicy = 2.999.1.1.0\n"
    "life = 5y\nkey_usage = digitalSignature\nextended_key_usage = clientAuth\nsupport = card\nproof = none\nsuspendable = yes\n"
    "suspend = hold\n";
static const char good_agent[] =
    "title = Agent\nholder = agent\nuse = signature\nlevel = 3\nca = cards\nsubject = agent\npolicy = 2.999.1.1.3\nlife = 3y\n"
    "key_usage = nonRepudiation\nextended_key_usage = emailProtection\nsupport = card\nproof = face_to_face\nacceptance = signed\n";
static const char good_server[] =
    "title = Server\nholder = server\nuse = server-tls\nlevel = 1\nca = servers\nsubject = server\npolicy = 2.999.1.1.1\nlife = 3y\n"
    "key_usage = digitalSignature, keyEncipherment\nextended_key_usage = serverAuth\nsupport = software\nproof = none\n";
static const char good_ca[] =
    "title = CA\nholder = ca\nuse = ca\nlevel = local\nca = root\nsubject = ca\npolicy = 2.5.29.32.0\nlife = 10y\npath_length = 0\n"
    "key_usage = keyCertSign, cRLSign\nsupport = software\nproof = none\nsuspend = immediate\n";
static const char good_root[] =
    "title = Root\nholder = ca\nuse = ca\nlevel = local\nca = self\nsubject = ca\nlife = 10y\ncrl = no\ncrl.freshest = no\n"
    "aia.ocsp = no\naia.ca_issuers = no\nkey_usage = keyCertSign, cRLSign\nsupport = software\nproof = none\nsuspend = immediate\n";
static const char good_responder[] =
    "title = Responder\nholder = responder\nuse = ocsp-signing\nlevel = local\nca = issuer\nsubject = responder\nlife = 30d\n"
    "crl = no\ncrl.freshest = no\naia.ocsp = no\nkey_usage = digitalSignature\nextended_key_usage = OCSPSigning\n"
    "support = software\nproof = none\n";

static const char good_card_secret[] =
    "title = Secrets\nholder = person\nuse = confidentiality\nlevel = 1\nca = cards\nsubject = pseudonym\npolicy = 2.999.1.1.4\n"
    "life = 3y\nkey_usage = keyEncipherment, keyAgreement\nextended_key_usage = emailProtection\nsupport = card\nproof = none\n";
#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* The text with the line of that setting replaced, or the line added. */
static char *
changed(const char *good, const char *line)
{
    const size_t name = strcspn(line, "=") + 1;
    char *text = calloc(1, strlen(good) + strlen(line) + 2);
    const char *rest = good;
    bool done = false;

    while (*rest != '\0') {
        const size_t n = strcspn(rest, "\n") + 1;

        if (strncmp(rest, line, name) == 0) {
            strcat(text, line);      /* lint: banned-call: room was made for both */
            strcat(text, "\n");      /* lint: banned-call: the same */
            done = true;
        } else {
            strncat(text, rest, n);  /* lint: banned-call: the same */
        }
        rest += n;
    }
    if (!done) {
        strcat(text, line);          /* lint: banned-call: the same */
        strcat(text, "\n");          /* lint: banned-call: the same */
    }
    return text;
}

static struct profile *
parse(const char *text)
{
    struct profile *p = NULL;
    struct why why = WHY_INIT;

    if (profile_parse(str_of(text), "dir/some.profile", &p, &why) != OK)
        fail_msg("%s", why.text);
    return p;
}

static void
test_shipped(void **state)
{
    static const char *const names[] = { "agent-card", "citizen-card", "citizen-card-local", "citizen-card-named",
                                         "citizen-card-sign", "citizen-soft", "citizen-soft-named", "issuing-ca", "responder",
                                         "root-ca", "server", "station", "town" };
    struct profile_set set = { NULL, 0 };
    struct why why = WHY_INIT;
    const struct profile *p;

    (void)state;
    if (profile_set_load(SOURCE_DIR "/pki/profiles", &set, &why) != OK)
        fail_msg("%s", why.text);
    assert_int_equal(set.n, ARRAY_LEN(names));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_row(names[i], (p = profile_set_find(&set, str_of(names[i]))) != NULL);
        assert_row(names[i], profile_check(p, NULL, 0) == 0);
        /* K2: only the local card is ever held; P-120: nothing in software above level 1 */
        assert_row(names[i], (p->suspend == SUSPEND_HOLD) == (strcmp(names[i], "citizen-card-local") == 0));
        assert_row(names[i], p->level < LEVEL_2 || p->support == SUPPORT_CARD);
    }
    p = profile_set_find(&set, STR_LIT("citizen-soft"));
    assert_int_equal(p->subject, SUBJECT_PSEUDONYM);
    assert_int_equal(p->level, LEVEL_1);
    assert_int_equal(p->key_usage, KU_DIGITAL_SIGNATURE);
    assert_int_equal(p->ext_key_usage, EKU_CLIENT_AUTH);
    assert_int_equal(p->life.years, 3);
    assert_false(p->crl_reasons);
    assert_null(profile_set_find(&set, STR_LIT("citizen")));
    profile_set_free(&set);
}

static void
test_rules(void **state)
{
    static const struct {
        const char *good, *line, *rule;
    } rows[] = {
        { good_person, "use = server-tls\n# and all that goes with it", "holder.use" },
        { good_person, "subject = agent", "holder.subject" },
        { good_server, "subject = program", "use.subject" },
        { good_agent, "use = both\n# and all that goes with it", "use.level" },
        { good_person, "subject.country = fr", "subject.country" },
        { good_person, "subject.country = FRA", "subject.country" },
        { good_person, "ca = Cards", "ca.name" },
        { good_person, "ca = self", "ca.self" },
        { good_server, "key.curves = p384\nkey.rsa_min = 1024", "key.rsa_min" },
        { good_person, "key.rsa_min = 2050", "key.rsa_min" },
        { good_person, "key.rsa_min = 0\nkey.curves = none", "key.none" },
        { good_person, "crl = no\ncrl.freshest = no", "crl.missing" },
        { good_root, "crl.freshest = yes", "crl.freshest" },
        { good_server, "key_usage = keyEncipherment", "key_usage.missing" },
        { good_person, "key_usage = digitalSignature, nonRepudiation", "key_usage.unwanted" },
        { good_person, "key_usage = digitalSignature, keyCertSign", "key_usage.unwanted" },
        { good_server, "key.rsa_min = 0", "key_usage.key" },
        { good_person, "extended_key_usage = emailProtection", "extended_key_usage.missing" },
        { good_person, "extended_key_usage = clientAuth, serverAuth", "extended_key_usage.unwanted" },
        { good_agent, "extended_key_usage = emailProtection, clientAuth", "extended_key_usage.unwanted" },
        { good_person, "policy = 1.2.250.", "policy.oid" },
        { good_person, "policy = 2.5.29.32.0", "policy.any" },
        { good_ca, "policy = 2.999.1, 2.999.1", "policy.twice" },
        { good_person, "policy = 2.999.1, 2.999.2", "policy.one" },
        { good_ca, "policy = 2.999.1, 2.999.2, 2.999.3, 2.999.4, 2.999.5, 2.999.6, 2.999.7, 2.999.8, 2.999.9", "policy.many" },
        { good_person, "policy.cps = ftp://example.org", "policy.cps" },
        { good_root, "policy.cps = https://example.org/dpc", "policy.cps" },
        { good_responder, "aia.ocsp = yes", "responder.status" },
        { good_root, "aia.ocsp = yes", "root.publication" },
        { good_person, "path_length = 0", "path_length.end_entity" },
        { good_server, "permitted.dns = ville.example", "permitted.end_entity" },
        { good_ca, "path_length = -1", "path_length.missing" },
        { good_ca, "permitted.dns = .ville", "permitted.dns" },
        { good_ca, "test = yes", "test.ca" },
        { good_person, "title = " HUNDRED "and twenty-one characters", "title" },
        { good_card_secret, "key.curves = none", "key_usage.key" },
        { good_person, "life = 6y", "life.cap" },
        { good_person, "life = 5y1d", "life.cap" },
        { good_person, "life = 4y366d", "life.cap" },
        { good_person, "life = 1826d", "life.cap" },
        { good_agent, "life = 3y1d", "life.cap" },
        { good_server, "life = 3y1h", "life.cap" },
        { good_ca, "life = 11y", "life.cap" },
        { good_responder, "life = 31d", "life.cap" },
        { good_person, "support = software", "level.support" },
        { good_person, "proof = face_to_face, none", "level.proof" },
        { good_agent, "proof = face_to_face, signed_file", "level.proof" },
        { good_person, "renewals = 2", "level.renewals" },
        { good_person, "acceptance = tacit", "level.acceptance" },
        { good_agent, "acceptance = confirmed", "level.acceptance" },
        { good_person, "suspendable = yes", "suspend.level" },
        { good_local, "suspendable = no", "suspend.hold" },
        { good_ca, "suspend = defer", "suspend.ca" },
        { good_person, "suspend.defer = 25h", "suspend.defer" },
        { good_person, "acceptance.alert = 60d", "acceptance.order" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = changed(rows[i].good, rows[i].line), label[160], place[32];
        struct profile *p = parse(rows[i].good);
        struct why why = WHY_INIT;

        snprintf(label, sizeof(label), "%s (%s)", rows[i].line, rows[i].rule);
        profile_free(p);
        p = NULL;
        assert_row(label, profile_parse(str_of(text), "dir/some.profile", &p, &why) == ERR_INPUT);
        assert_null(p);
        assert_row(label, strcmp(why.code, "pki.profile.contradiction") == 0);
        snprintf(place, sizeof(place), "(%s)", rows[i].rule);
        assert_row(why.text, strstr(why.text, place) != NULL);
        if (strchr(rows[i].line, '\n') == NULL)
            assert_row(why.text, strstr(why.text, "); ") == NULL);      /* this rule alone */
        free(text);
    }
}

/* Several contradictions are all told, each with its line. */
static void
test_every_contradiction(void **state)
{
    char *once = changed(good_person, "life = 9y"), *text = changed(once, "support = software");
    struct profile *p = NULL;
    struct why why = WHY_INIT;

    (void)state;
    assert_int_equal(profile_parse(str_of(text), "dir/some.profile", &p, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "dir/some.profile:8: life: "));
    assert_non_null(strstr(why.text, "dir/some.profile:11: support: "));
    free(once);
    free(text);
}

static void
test_words(void **state)
{
    static const struct {
        const char *line, *says;
    } rows[] = {
        { "key_usage = digitalsignature", ":9: key_usage" },
        { "key_usage = digitalSignature, digitalSignature", "twice" },
        { "extended_key_usage = anyExtendedKeyUsage", "extended_key_usage" },
        { "key.curves = p521", "key.curves" },
        { "proof = word_of_honour", "proof" },
        { "life = 5", ":8: life" },
        { "life = 1d5y", ":8: life" },
        { "life = 0y", ":8: life" },
        { "life = 5y5y", ":8: life" },
        { "life = 99999999999999999999y", ":8: life" },
        { "holder = robot", ":2: holder" },
        { "level = 4", ":4: level" },
        { "colour = blue", "unknown setting" },
        { "include other.profile", "not of the form" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = changed(good_person, rows[i].line);
        struct profile *p = NULL;
        struct why why = WHY_INIT;

        assert_row(rows[i].line, profile_parse(str_of(text), "dir/some.profile", &p, &why) == ERR_INPUT);
        if (strncmp(rows[i].line, "include", 7) != 0)
            assert_row(why.text, strstr(why.text, rows[i].says) != NULL);
        free(text);
    }
}

static void
test_file_names(void **state)
{
    static const char *const bad[] = { "some.conf", ".profile", "dir/", "dir/Some.profile", "dir/so me.profile", "dir/1a.profile" };
    struct profile *p = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_row(bad[i], profile_parse(str_of(good_person), bad[i], &p, NULL) == ERR_INPUT);
    p = parse(good_person);
    assert_string_equal(p->name, "some");
    profile_free(p);
    p = NULL;
    assert_int_equal(profile_load("/nonexistent/some.profile", &p, NULL), ERR_NOT_FOUND);
}

/* The digest is that of the octets: a comment changes it. */
static void
test_digest(void **state)
{
    char *text = changed(good_person, "# remark = here");
    struct profile *a = parse(good_person), *b = parse(text);
    unsigned char want[SHA256_LEN];

    (void)state;
    sha256(str_of(good_person), want);
    assert_memory_equal(a->sha256, want, SHA256_LEN);
    assert_memory_not_equal(b->sha256, want, SHA256_LEN);
    profile_free(a);
    profile_free(b);
    free(text);
}

static utime
at(const char *text)
{
    utime t = 0;

    assert_int_equal(utime_parse(text, &t), OK);
    return t;
}

static void
test_not_after(void **state)
{
    static const struct {
        const char *life, *from, *to;
    } rows[] = {
        { "5y", "2026-11-21T12:00:00Z", "2031-11-21T11:59:59Z" },
        { "4y", "2028-02-29T00:00:00Z", "2032-02-28T23:59:59Z" },
        { "1y", "2028-02-29T00:00:00Z", "2029-02-27T23:59:59Z" },
        { "90d", "2026-11-21T12:00:00Z", "2027-02-19T11:59:59Z" },
        { "1y1d2h", "2026-11-21T12:00:00Z", "2027-11-22T13:59:59Z" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char line[32], *text, got[UTIME_RFC3339_LEN + 1];
        struct profile *p;

        snprintf(line, sizeof(line), "life = %s", rows[i].life);
        text = changed(good_person, line);
        p = parse(text);
        utime_rfc3339(profile_not_after(p, at(rows[i].from)), got);
        assert_string_equal(got, rows[i].to);
        profile_free(p);
        free(text);
    }
    assert_int_equal(profile_cap_not_after(HOLDER_CA, at("2026-01-01T00:00:00Z")), at("2035-12-31T23:59:59Z"));
    assert_int_equal(profile_cap_not_after(HOLDER_RESPONDER, at("2026-01-01T00:00:00Z")), at("2026-01-30T23:59:59Z"));
}

static void
test_keys(void **state)
{
    static const struct {
        const char *line;
        enum key_alg alg;
        int bits;
        const char *until, *code;
    } rows[] = {
        { "key.rsa_min = 2048", KEY_RSA, 2048, "2030-12-31T23:59:59Z", "" },
        { "key.rsa_min = 2048", KEY_RSA, 2048, "2031-01-01T00:00:00Z", "pki.key.size_2030" },
        { "key.rsa_min = 2048", KEY_RSA, 3064, "2031-01-01T00:00:00Z", "pki.key.size_2030" },
        { "key.rsa_min = 2048", KEY_RSA, 3072, "2031-01-01T00:00:00Z", "" },
        { "key.rsa_min = 3072", KEY_RSA, 2048, "2027-01-01T00:00:00Z", "pki.key.size" },
        { "key.rsa_min = 0", KEY_RSA, 4096, "2027-01-01T00:00:00Z", "pki.key.type" },
        { "key.curves = p256", KEY_P256, 256, "2035-01-01T00:00:00Z", "" },
        { "key.curves = p256", KEY_P384, 384, "2035-01-01T00:00:00Z", "pki.key.curve" },
        { "key.curves = p256, p384", KEY_P384, 384, "2035-01-01T00:00:00Z", "" },
        { "key.curves = p256", KEY_ED25519, 256, "2027-01-01T00:00:00Z", "pki.key.type" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = changed(good_person, rows[i].line);
        struct profile *p = parse(text);
        struct why why = WHY_INIT;
        const enum err e = profile_key_check(p, rows[i].alg, rows[i].bits, at(rows[i].until), &why);

        assert_row(rows[i].line, e == (rows[i].code[0] == '\0' ? OK : ERR_DENIED));
        assert_row(rows[i].line, strcmp(why.code, rows[i].code) == 0);
        profile_free(p);
        free(text);
    }
}

/* Each refusal changes one fact of a request that is otherwise granted. */
static void
test_issue(void **state)
{
    struct profile *p = parse(good_person);
    struct profile_issue good = { .support = SUPPORT_CARD, .proof = PROOF_FACE_TO_FACE, .alg = KEY_P256, .bits = 256 }, f;
    struct why why = WHY_INIT;

    (void)state;
    p->renewals = 1;
    good.not_before = at("2026-11-21T12:00:00Z");
    good.not_after = profile_not_after(p, good.not_before);
    good.ca_not_after = good.not_after;
    good.renewal = true;
    assert_int_equal(profile_issue_check(p, &good, &why), OK);

#define REFUSED(change, want)                                                                       \
    do {                                                                                            \
        f = good;                                                                                   \
        change;                                                                                     \
        assert_row(want, profile_issue_check(p, &f, &why) == ERR_DENIED);                           \
        assert_row(want, strcmp(why.code, want) == 0);                                              \
    } while (0)
    REFUSED(f.support = SUPPORT_SOFTWARE, "pki.profile.level");
    REFUSED(f.proof = PROOF_NONE, "pki.profile.proof");
    REFUSED(f.proof = PROOF_SIGNED_FILE, "pki.profile.proof");
    REFUSED(f.renewals = 1, "pki.profile.renewals");
    REFUSED(f.not_after += USEC_PER_SEC, "pki.profile.life");
    REFUSED(f.not_after = f.not_before - 1, "pki.profile.life");
    REFUSED(f.ca_not_after--, "pki.profile.ca_end");
    REFUSED(f.alg = KEY_P384, "pki.key.curve");
    p->support = SUPPORT_SOFTWARE;       /* however such a profile came about: asked again here (P-120) */
    REFUSED((void)f, "pki.profile.level");
    p->support = SUPPORT_CARD;
    p->level = LEVEL_LOCAL;
    REFUSED(f.support = SUPPORT_SOFTWARE, "pki.profile.support");
#undef REFUSED
    profile_free(p);
}

static void
test_shared_policy(void **state)
{
    char folder[] = "/tmp/beffroi-profiles-XXXXXX", path[64];
    static const char *const names[] = { "a.profile", "b.profile" };
    struct profile_set set = { NULL, 0 };
    struct why why = WHY_INIT;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(profile_set_load(folder, &set, &why), ERR_NOT_FOUND);
    for (size_t same = 0; same < 2; same++) {
        for (size_t i = 0; i < 2; i++) {
            char *text = changed(i == 0 ? good_person : good_local, same == 0 && i == 1 ? "policy = 2.999.2" : "policy = 2.999.1");
            int fd;

            snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
            fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
            assert_int_equal(write(fd, text, strlen(text)), strlen(text));
            close(fd);
            free(text);
        }
        if (same == 0) {
            assert_int_equal(profile_set_load(folder, &set, &why), OK);
            assert_int_equal(set.n, 2);
            profile_set_free(&set);
        } else {
            assert_int_equal(profile_set_load(folder, &set, &why), ERR_INPUT);
            assert_string_equal(why.code, "pki.profile.policy");
        }
    }
    chmod(path, 0666);
    assert_int_equal(profile_set_load(folder, &set, &why), ERR_DENIED);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* --- subjects ------------------------------------------------------------------------------------------------------- */

static void
test_identifiers(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        { "732829320", true },      { "73282932000074", true },  { "48146308100036", true }, { "28440002500011", true },
        { "35600000000048", true }, { "35600000049837", true },  /* La Poste: its seat by Luhn, an establishment by fives */
        { "732829321", false },     { "73282932000075", false }, { "73282932", false },      { "7328293200007a", false },
        { "000000000", false },     { "", false },               { "35600000000049", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(rows[i].text, subject_identifier_is_valid(str_of(rows[i].text)) == rows[i].good);
}

static void
test_dns_names(void **state)
{
    static const char label63[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk";
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        { "idp.ville.example", true }, { "localhost", true },        { "*.ville.example", true },  { "xn--e1afmkfd.example", true },
        { "a1.example", true },        { "ville", false },           { "*.example", false },       { "a.*.example", false },
        { "Idp.example", false },      { "-a.example", false },      { "a-.example", false },      { "a..example", false },
        { "a.example.", false },       { "127.0.0.1", false },       { "a_b.example", false },     { "", false },
        { "a\xc3\xa9.example", false }, { "*", false },
    };
    char name[70];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(rows[i].text, subject_dns_is_valid(str_of(rows[i].text)) == rows[i].good);
    snprintf(name, sizeof(name), "%s.fr", label63);
    assert_true(subject_dns_is_valid(str_of(name)));
    snprintf(name, sizeof(name), "%sl.fr", label63);
    assert_false(subject_dns_is_valid(str_of(name)));
    assert_false(subject_dns_is_valid((struct str){ "a\0.example", 10 }));
}

static void
test_texts(void **state)
{
    static const struct {
        const char *label;
        struct str text;
        bool good;
    } rows[] = {
        { "plain", STR_LIT("Marie-Ange"), true },
        { "accents", STR_LIT("Ga\xc3\xabtan d'\xc3\x94"), true },
        { "64 characters of two octets",
          STR_LIT("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                  "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"),
          true },
        { "empty", STR_LIT(""), false },
        { "NUL", STR_LIT("Marie\0Curie"), false },
        { "line end", STR_LIT("Marie\n"), false },
        { "space first", STR_LIT(" Marie"), false },
        { "space last", STR_LIT("Marie "), false },
        { "two spaces", STR_LIT("Marie  Curie"), false },
        { "not UTF-8", STR_LIT("Ga\xebtan"), false },
        { "not composed", STR_LIT("Gae\xcc\x88" "tan"), false },
        { "right to left override", STR_LIT("a\xe2\x80\xae" "b"), false },
        { "65 characters", STR_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_row(rows[i].label, (subject_text_fault(rows[i].text, SUBJECT_TEXT_MAX) == NULL) == rows[i].good);
}

static void
test_subjects(void **state)
{
    static const struct str dns[] = { STR_LIT("idp.ville.example"), STR_LIT("www.ville.example") },
                            twice[] = { STR_LIT("a.example"), STR_LIT("a.example") }, bad[] = { STR_LIT("ville") };
    const struct subject named = { .given_name = STR_LIT("Marie"), .surname = STR_LIT("Curie"), .serial_number = STR_LIT("7f3a") },
                         agent = { .given_name = STR_LIT("Marie"), .surname = STR_LIT("Curie"),
                                   .organization = STR_LIT("Commune de Ville"), .identifier = STR_LIT("73282932000074") },
                         server = { .dns = dns, .dns_n = 2 },
                         ca = { .common_name = STR_LIT("Beffroi Cartes"), .generation = 2 },
                         pseudonym = { .number = STR_LIT("7QX4-2M") };
    struct profile *p = parse(good_local);
    struct subject s;
    struct why why = WHY_INIT;

    (void)state;
#define GOOD(kind, value)                                                                           \
    do {                                                                                            \
        p->subject = (kind);                                                                        \
        s = (value);                                                                                \
        if (subject_check(p, &s, &why) != OK)                                                       \
            fail_msg("%s", why.text);                                                               \
    } while (0)
#define BAD(kind, value, change, want)                                                              \
    do {                                                                                            \
        GOOD(kind, value);                                                                          \
        change;                                                                                     \
        assert_row(want, subject_check(p, &s, &why) == ERR_INPUT);                                  \
        assert_row(want, strcmp(why.code, want) == 0);                                              \
    } while (0)
    BAD(SUBJECT_PSEUDONYM, pseudonym, s.number = STR_NULL, "pki.subject.missing");
    BAD(SUBJECT_PSEUDONYM, pseudonym, s.given_name = STR_LIT("Marie"), "pki.subject.unwanted");     /* A4c: pseudonym, then no names */
    BAD(SUBJECT_PSEUDONYM, pseudonym, s.number = STR_LIT("7 8"), "pki.subject.text");
    BAD(SUBJECT_NAMED, named, s.surname = STR_NULL, "pki.subject.missing");
    BAD(SUBJECT_NAMED, named, s.serial_number = STR_NULL, "pki.subject.missing");
    BAD(SUBJECT_NAMED, named, s.organization = STR_LIT("Ville"), "pki.subject.unwanted");
    BAD(SUBJECT_NAMED, named, s.surname = STR_LIT("Curie\n"), "pki.subject.text");
    BAD(SUBJECT_AGENT, agent, s.identifier = STR_NULL, "pki.subject.missing");
    BAD(SUBJECT_AGENT, agent, s.identifier = STR_LIT("73282932000075"), "pki.subject.identifier");
    BAD(SUBJECT_AGENT, agent, s.dns = dns; s.dns_n = 1, "pki.subject.unwanted");
    BAD(SUBJECT_SERVER, server, s.dns_n = 0, "pki.subject.missing");
    BAD(SUBJECT_SERVER, server, s.dns = twice, "pki.subject.dns");
    BAD(SUBJECT_SERVER, server, s.dns = bad; s.dns_n = 1, "pki.subject.dns");
    BAD(SUBJECT_SERVER, server, s.identifier = STR_LIT("73282932000074"), "pki.subject.identifier");
    BAD(SUBJECT_CA, ca, s.generation = 0, "pki.subject.generation");
    BAD(SUBJECT_NAMED, named, s.generation = 1, "pki.subject.generation");
#undef GOOD
#undef BAD
    profile_free(p);
}

static void
test_reference(void **state)
{
    AUTO(buf_free) struct buf out = BUF_BOUNDED(65536);
    size_t n;
    const struct conf_item *items = profile_settings(&n);

    (void)state;
    assert_int_equal(n, PROFILE_SETTINGS);
    conf_print_reference(items, n, &out);
    assert_non_null(strstr(buf_cstr(&out), "| `suspend` | choice | `defer` |"));
    for (size_t i = 0; i < n; i++)
        assert_row(items[i].name, items[i].help[0] != '\0');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),    cmocka_unit_test(test_rules),  cmocka_unit_test(test_every_contradiction),
        cmocka_unit_test(test_words),      cmocka_unit_test(test_file_names), cmocka_unit_test(test_digest),
        cmocka_unit_test(test_not_after),  cmocka_unit_test(test_keys),   cmocka_unit_test(test_issue),
        cmocka_unit_test(test_shared_policy), cmocka_unit_test(test_identifiers), cmocka_unit_test(test_dns_names),
        cmocka_unit_test(test_texts),      cmocka_unit_test(test_subjects), cmocka_unit_test(test_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
