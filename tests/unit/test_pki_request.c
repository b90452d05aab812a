/*
 * pki/request: requests are made here, and by openssl; each refusal changes one thing in one that is otherwise good. Keys with
 * each weakness: tests/data/pki/make-rsa-vectors.
 */
#include "tests/unit/pki_support.h"
#include "tests/unit/rsa_vectors.h"

#include "base/crypto/rsa_weak.h"
#include "pki/request/csr.h"
#include "pki/request/key_quality.h"
#include "pki/request/ocsp_request.h"

static struct tool_folder folder;

static int
setup(void **state)
{
    (void)state;
    tool_folder_make(&folder);
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = { "key.pem", "csr.der", "blacklist.RSA-2048", "other", "req.der", "root.pem", "ca.pem",
                                         "leaf.pem" };

    (void)state;
    tool_folder_remove(&folder, names, ARRAY_LEN(names));
    return 0;
}

static struct buf
file_read(const char *name)
{
    struct buf b = BUF_BOUNDED(65536);
    FILE *f = fopen(tool_file(&folder, name), "rb");
    char part[4096];
    size_t n;

    assert_non_null(f);
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_add(&b, part, n);
    fclose(f);
    return b;
}

/* --- requests that openssl makes -------------------------------------------------------------------------------------- */

static void
test_openssl(void **state)
{
    static const struct {
        const char *algorithm, *option, *digest;      /* of genpkey and req */
        const char *code;                             /* "": taken */
        enum key_alg alg;
    } rows[] = {
        { "RSA", "rsa_keygen_bits:2048", "-sha256", "", KEY_RSA },
        { "RSA", "rsa_keygen_bits:2048", "-sha512", "", KEY_RSA },
        { "EC", "ec_paramgen_curve:P-256", "-sha256", "", KEY_P256 },
        { "EC", "ec_paramgen_curve:P-384", "-sha384", "", KEY_P384 },
        { "ED25519", NULL, "-sha256", "", KEY_ED25519 },
        { "RSA", "rsa_keygen_bits:1024", "-sha256", "pki.csr.key_size", KEY_RSA },
        { "RSA", "rsa_keygen_bits:2048", "-sha1", "pki.csr.signature_algorithm", KEY_RSA },
        { "EC", "ec_paramgen_curve:P-256", "-sha384", "", KEY_P256 },
        { "EC", "ec_paramgen_curve:P-256", "-sha512", "", KEY_P256 },
        { "EC", "ec_paramgen_curve:P-384", "-sha256", "", KEY_P384 },
        { "EC", "ec_paramgen_curve:P-384", "-sha512", "", KEY_P384 },
        { "EC", "ec_paramgen_curve:P-384", "-sha224", "pki.csr.signature_algorithm", KEY_P384 },
        { "EC", "ec_paramgen_curve:P-256", "-sha1", "pki.csr.signature_algorithm", KEY_P256 },
        { "EC", "ec_paramgen_curve:P-521", "-sha512", "pki.csr.key_curve", KEY_P256 },
        { "EC", "ec_paramgen_curve:secp256k1", "-sha256", "pki.csr.key_curve", KEY_P256 },
        { "ED448", NULL, "-sha256", "pki.csr.key_algorithm", KEY_P256 },
        { "RSA-PSS", "rsa_keygen_bits:2048", "-sha256", "pki.csr.key_pss", KEY_RSA },
        { "EC", "explicit", "-sha256", "pki.csr.key_explicit", KEY_P256 },
    };
    char key[128], csr[128];

    (void)state;
    snprintf(key, sizeof(key), "%s", tool_file(&folder, "key.pem"));
    snprintf(csr, sizeof(csr), "%s", tool_file(&folder, "csr.der"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf said = BUF_BOUNDED(65536), der = BUF_BOUNDED(1);
        struct csr got = { .key = NULL };
        struct why why = WHY_INIT;
        char label[96];
        const char *option = rows[i].option;
        enum err e;

        snprintf(label, sizeof(label), "%s %s %s", rows[i].algorithm, option == NULL ? "" : option, rows[i].digest);
        if (option == NULL)
            assert_row(label, TOOL(true, &said, "openssl", "genpkey", "-algorithm", rows[i].algorithm, "-out", key) == 0);
        else if (strcmp(option, "explicit") == 0)
            assert_row(label, TOOL(true, &said, "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                                   "-pkeyopt", "ec_param_enc:explicit", "-out", key) == 0);
        else
            assert_row(label, TOOL(true, &said, "openssl", "genpkey", "-algorithm", rows[i].algorithm, "-pkeyopt", option, "-out",
                                   key) == 0);
        assert_row(label, TOOL(true, &said, "openssl", "req", "-new", "-config", "/dev/null", "-key", key, rows[i].digest,
                               "-subj", "/CN=Somebody Else", "-addext", "subjectAltName=DNS:evil.example", "-outform", "DER",
                               "-out", csr) == 0);
        der = file_read("csr.der");
        e = csr_read(buf_view(&der), &got, &why);
        assert_row_string(label, why.code, rows[i].code);
        assert_row(label, (e == OK) == (rows[i].code[0] == '\0'));
        if (e == OK) {
            assert_row(label, key_algorithm(got.key) == rows[i].alg && got.extension_request && !got.challenge_password);
            assert_row(label, key_quality_check(got.spki, NULL, NULL, &why) == OK);
            csr_done(&got);
        } else {
            assert_null(got.key);
        }
    }
}

/* --- requests made here ------------------------------------------------------------------------------------------------- */

/* What a request is made of; a test changes one part. */
struct parts {
    struct str version, name, spki, attributes, algorithm;
    bool no_attributes;
    struct key *signer;
    enum sig_alg alg;
    bool more_inside, more_behind, flip;
};

static void
csr_make(const struct parts *parts, struct buf *out)
{
    AUTO(buf_free) struct buf info = BUF_BOUNDED(32768), sig = BUF_BOUNDED(1024);
    size_t begun = der_begin(&info, DER_SEQUENCE);

    der_add(&info, DER_INTEGER, parts->version);
    buf_add_str(&info, parts->name);
    buf_add_str(&info, parts->spki);
    if (!parts->no_attributes)
        der_add(&info, DER_CONTEXT(0), parts->attributes);
    if (parts->more_inside)
        der_add_null(&info);
    der_end(&info, begun);
    assert_int_equal(key_sign(parts->signer, KEY_CA_SIGN, parts->alg, buf_view(&info), false, &sig, NULL), OK);
    if (parts->flip)
        sig.data[sig.len - 1] ^= 1;
    begun = der_begin(out, DER_SEQUENCE);
    buf_add_str(out, buf_view(&info));
    buf_add_str(out, parts->algorithm);
    der_add_bit_string(out, buf_view(&sig));
    der_end(out, begun);
    if (parts->more_behind)
        buf_addc(out, '\0');
}

static void
integer_add(struct buf *out, const char *hex)
{
    AUTO(buf_free) struct buf octets = BUF_BOUNDED(8192);

    assert_int_equal(hex_decode(str_of(hex), &octets), OK);
    der_add(out, DER_INTEGER, buf_view(&octets));
}

/* SubjectPublicKeyInfo of an RSA key; numbers are the content octets of the INTEGERs, in hexadecimal. */
static void
rsa_spki(struct buf *out, const char *n, const char *e)
{
    AUTO(buf_free) struct buf key = BUF_BOUNDED(8192);
    size_t outer, inner = der_begin(&key, DER_SEQUENCE);

    integer_add(&key, n);
    integer_add(&key, e);
    der_end(&key, inner);
    outer = der_begin(out, DER_SEQUENCE);
    inner = der_begin(out, DER_SEQUENCE);
    der_add_oid(out, OID_RSA_ENCRYPTION);
    der_add_null(out);
    der_end(out, inner);
    der_add_bit_string(out, buf_view(&key));
    der_end(out, outer);
}

static void
ec_spki(struct buf *out, struct str point)
{
    const size_t outer = der_begin(out, DER_SEQUENCE), inner = der_begin(out, DER_SEQUENCE);

    der_add_oid(out, OID_EC_PUBLIC_KEY);
    der_add_oid(out, OID_P256);
    der_end(out, inner);
    der_add_bit_string(out, point);
    der_end(out, outer);
}

static void
expect_code(const char *label, const struct parts *parts, const char *code)
{
    AUTO(buf_free) struct buf der = BUF_BOUNDED(32768);
    struct csr got = { .key = NULL };
    struct why why = WHY_INIT;

    csr_make(parts, &der);
    if (csr_read(buf_view(&der), &got, &why) == OK)
        csr_done(&got);
    assert_row_string(label, why.code, code);
}

static void
test_changed_requests(void **state)
{
    static const char es256[] = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
                      es256_null[] = "\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00",
                      challenge[] = "\x30\x12\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x31\x05\x0c\x03" "abc";
    static char large[17000];
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(1024), changed = BUF_BOUNDED(8192), der = BUF_BOUNDED(32768);
    struct key *key = NULL, *other = NULL;
    struct parts good, p;
    struct csr csr = { .key = NULL };
    char point[65];
    char *giant;

    (void)state;
    assert_int_equal(key_generate(KEY_P256, 0, KEY_CA_SIGN, &key), OK);
    assert_int_equal(key_generate(KEY_P256, 0, KEY_CA_SIGN, &other), OK);
    key_spki(key, &spki);
    memcpy(point, spki.data + spki.len - 65, 65);
    good = (struct parts){ .version = { "", 1 }, .name = STR_LIT("\x30\x00"), .spki = buf_view(&spki), .attributes = STR_LIT(challenge),
                           .algorithm = STR_LIT(es256), .signer = key, .alg = SIG_ES256 };
    csr_make(&good, &der);
    assert_int_equal(csr_read(buf_view(&der), &csr, NULL), OK);
    assert_true(csr.challenge_password && !csr.extension_request);
    assert_true(str_eq(csr.spki, buf_view(&spki)));
    csr_done(&csr);
    /* every cut is refused, and so is every request with one octet of its head changed to an indefinite length */
    for (size_t n = 0; n < der.len; n++)
        assert_int_not_equal(csr_read((struct str){ der.data, n }, &csr, NULL), OK);

#define CHANGED(label, change, code)                                                                \
    do {                                                                                            \
        p = good;                                                                                   \
        expect_code(label " (good)", &p, "");                                                       \
        change;                                                                                     \
        expect_code(label, &p, code);                                                               \
    } while (0)
    CHANGED("version 2", p.version = STR_LIT("\x01"), "pki.csr.version");
    CHANGED("version of two octets", p.version = ((struct str){ "\0\0", 2 }), "pki.csr.der");
    CHANGED("no attributes", p.no_attributes = true, "pki.csr.structure");
    CHANGED("attributes that are none", p.attributes = STR_LIT("\x05\x00"), "pki.csr.structure");
    CHANGED("name that is none", p.name = STR_LIT("\x05\x00"), "pki.csr.structure");
    CHANGED("more inside", p.more_inside = true, "pki.csr.structure");
    CHANGED("more behind", p.more_behind = true, "pki.csr.der");
    CHANGED("name with a long form", p.name = STR_LIT("\x30\x81\x00"), "pki.csr.der");
    CHANGED("signature altered", p.flip = true, "pki.csr.signature");
    CHANGED("signed by another key", p.signer = other, "pki.csr.signature");
    CHANGED("parameters of ECDSA", p.algorithm = STR_LIT(es256_null), "pki.csr.signature_algorithm");
    CHANGED("unknown signature", p.algorithm = STR_LIT("\x30\x05\x06\x03\x55\x04\x03"), "pki.csr.signature_algorithm");
    CHANGED("too large", p.name = ((struct str){ large, sizeof(large) }), "pki.csr.size");

#define SPKI(label, make, code)                                                                     \
    do {                                                                                            \
        p = good;                                                                                   \
        buf_reset(&changed);                                                                        \
        make;                                                                                       \
        p.spki = buf_view(&changed);                                                                \
        expect_code(label, &p, code);                                                               \
    } while (0)
    SPKI("negative modulus", rsa_spki(&changed, RSA_VECTOR_SOUND, "010001"), "pki.csr.key_number");
    SPKI("zero exponent", rsa_spki(&changed, "00" RSA_VECTOR_SOUND, "00"), "pki.csr.key_number");
    SPKI("negative exponent", rsa_spki(&changed, "00" RSA_VECTOR_SOUND, "ff"), "pki.csr.key_number");
    SPKI("giant exponent", rsa_spki(&changed, "00" RSA_VECTOR_SOUND, "010000000000000001"), "pki.csr.key_size");
    giant = calloc(1, 2 * 1030 + 1);
    memset(giant, '7', 2 * 1030);
    SPKI("giant modulus", rsa_spki(&changed, giant, "010001"), "pki.csr.key_size");
    free(giant);
    SPKI("small modulus", rsa_spki(&changed, "77777777", "010001"), "pki.csr.key_size");
    SPKI("RSA key, ECDSA signature", rsa_spki(&changed, "00" RSA_VECTOR_SOUND, "010001"), "pki.csr.signature_algorithm");
    point[64] ^= 1;
    SPKI("off the curve", ec_spki(&changed, ((struct str){ point, 65 })), "pki.csr.key_point");
    SPKI("compressed", point[0] = 2; ec_spki(&changed, ((struct str){ point, 33 })), "pki.csr.key_point");
    SPKI("at infinity", ec_spki(&changed, ((struct str){ "\0", 1 })), "pki.csr.key_point");
#undef SPKI
#undef CHANGED
    key_free(key);
    key_free(other);
}

/* --- quality of keys ---------------------------------------------------------------------------------------------------- */

static void
test_weak_rsa(void **state)
{
    static const struct {
        const char *label, *n, *e, *code;
    } rows[] = {
        { "sound", "00" RSA_VECTOR_SOUND, "010001", "" },
        { "even", "00" RSA_VECTOR_EVEN, "010001", "pki.key.even" },
        { "factor 3", "00" RSA_VECTOR_FACTOR_3, "010001", "pki.key.small_factor" },
        { "factor 751", "00" RSA_VECTOR_FACTOR_751, "010001", "pki.key.small_factor" },
        { "factor 757, beyond what is looked for", "00" RSA_VECTOR_FACTOR_757, "010001", "" },
        { "ROCA", "00" RSA_VECTOR_ROCA, "010001", "pki.key.roca" },
        { "square", "00" RSA_VECTOR_SQUARE, "010001", "pki.key.close_primes" },
        { "close, 1 round", "00" RSA_VECTOR_CLOSE_1, "010001", "pki.key.close_primes" },
        { "close, up to 100 rounds", "00" RSA_VECTOR_CLOSE_100, "010001", "pki.key.close_primes" },
        { "close, more than 100 rounds", "00" RSA_VECTOR_NOT_SO_CLOSE, "010001", "" },
        { "exponent 3", "00" RSA_VECTOR_SOUND, "03", "pki.key.exponent" },
        { "exponent 65535", "00" RSA_VECTOR_SOUND, "00ffff", "pki.key.exponent" },
        { "exponent 65536", "00" RSA_VECTOR_SOUND, "010000", "pki.key.exponent" },
        { "exponent 65539", "00" RSA_VECTOR_SOUND, "010003", "pki.key.exponent" },
        { "exponent 65537", "00" RSA_VECTOR_SOUND, "010001", "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf spki = BUF_BOUNDED(8192);
        struct why why = WHY_INIT;

        rsa_spki(&spki, rows[i].n, rows[i].e);
        assert_row(rows[i].label, key_quality_check(buf_view(&spki), NULL, NULL, &why) == (rows[i].code[0] == '\0' ? OK : ERR_DENIED));
        assert_row_string(rows[i].label, why.code, rows[i].code);
    }
    assert_int_equal(rsa_weakness_find(STR_NULL), RSA_EVEN);
    assert_int_equal(rsa_weakness_find(STR_LIT("\x01")), RSA_EVEN);
}

/* openssl's own keys pass, whatever their size. */
static void
test_real_keys(void **state)
{
    static const struct {
        enum key_alg alg;
        int bits;
    } rows[] = { { KEY_RSA, 2048 }, { KEY_RSA, 3072 }, { KEY_P256, 0 }, { KEY_P384, 0 }, { KEY_ED25519, 0 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_free) struct buf spki = BUF_BOUNDED(4096);
        struct key *key = NULL;

        assert_int_equal(key_generate(rows[i].alg, rows[i].bits, KEY_TLS, &key), OK);
        key_spki(key, &spki);
        assert_int_equal(key_quality_check(buf_view(&spki), NULL, NULL, NULL), OK);
        key_free(key);
    }
}

static void
test_ec_quality(void **state)
{
    AUTO(buf_free) struct buf spki = BUF_BOUNDED(1024), changed = BUF_BOUNDED(1024);
    struct key *key = NULL;
    struct why why = WHY_INIT;
    char point[65];

    (void)state;
    assert_int_equal(key_generate(KEY_P256, 0, KEY_TLS, &key), OK);
    key_spki(key, &spki);
    memcpy(point, spki.data + spki.len - 65, 65);
    ec_spki(&changed, (struct str){ point, 65 });
    assert_int_equal(key_quality_check(buf_view(&changed), NULL, NULL, &why), OK);
    buf_reset(&changed);
    point[33] ^= 0x40;
    ec_spki(&changed, (struct str){ point, 65 });
    assert_int_equal(key_quality_check(buf_view(&changed), NULL, NULL, &why), ERR_DENIED);
    assert_string_equal(why.code, "pki.key.key_point");
    assert_int_equal(key_quality_check(STR_LIT("\x30\x00"), NULL, NULL, &why), ERR_INPUT);
    assert_string_equal(why.code, "pki.key.structure");
    key_free(key);
}

/* The format of package openssl-blacklist: what `openssl rsa -modulus | sha1sum | cut -c21-40` prints. */
static void
test_blocklist(void **state)
{
    AUTO(buf_free) struct buf n = BUF_BOUNDED(512), text = BUF_BOUNDED(4096), line = BUF_BOUNDED(4096), hex = BUF_BOUNDED(64),
                              spki = BUF_BOUNDED(8192), other = BUF_BOUNDED(512);
    unsigned char digest[SHA1_LEN];
    struct key_blocklist *list = NULL;
    struct why why = WHY_INIT;
    char path[128];

    (void)state;
    buf_add_lit(&line, "Modulus=");
    for (const char *c = RSA_VECTOR_SOUND; *c != '\0'; c++)
        buf_addc(&line, *c >= 'a' ? (char)(*c - 'a' + 'A') : *c);
    buf_addc(&line, '\n');
    sha1(buf_view(&line), digest);
    hex_encode(&hex, digest + 10, 10);
    buf_addf(&text, "# list\n0123456789abcdef0123\n%s\n\nffffffffffffffffffff\n", buf_cstr(&hex));
    assert_int_equal(key_blocklist_parse(buf_view(&text), "text", &list, &why), OK);
    assert_int_equal(key_blocklist_count(list), 3);
    assert_int_equal(hex_decode(STR_LIT(RSA_VECTOR_SOUND), &n), OK);
    assert_int_equal(hex_decode(STR_LIT(RSA_VECTOR_FACTOR_757), &other), OK);
    assert_true(key_blocklist_has(list, buf_view(&n)));
    assert_false(key_blocklist_has(list, buf_view(&other)));
    rsa_spki(&spki, "00" RSA_VECTOR_SOUND, "010001");
    assert_int_equal(key_quality_check(buf_view(&spki), NULL, NULL, &why), OK);
    assert_int_equal(key_quality_check(buf_view(&spki), list, NULL, &why), ERR_DENIED);
    assert_string_equal(why.code, "pki.key.known_weak");
    key_blocklist_free(list);
    list = NULL;

    tool_write(&folder, "blacklist.RSA-2048", buf_view(&text));
    tool_write(&folder, "other", STR_LIT("not read\n"));
    assert_int_equal(key_blocklist_load(folder.path, &list, &why), OK);
    assert_int_equal(key_blocklist_count(list), 3);
    key_blocklist_free(list);
    list = NULL;
    snprintf(path, sizeof(path), "%s", tool_file(&folder, "other"));
    assert_int_equal(key_blocklist_load(path, &list, &why), ERR_INPUT);
    assert_non_null(strstr(why.text, "other:1: "));
    assert_int_equal(key_blocklist_load("/nonexistent", &list, &why), ERR_NOT_FOUND);
    assert_int_equal(key_blocklist_parse(STR_LIT("0123456789abcdef01234\n"), "text", &list, &why), ERR_INPUT);
    assert_int_equal(key_blocklist_parse(STR_NULL, "text", &list, &why), OK);
    assert_false(key_blocklist_has(list, buf_view(&n)));
    key_blocklist_free(list);
}

/* --- OCSP requests ------------------------------------------------------------------------------------------------------ */

struct ocsp_parts {
    struct str hash, name_hash, key_hash, serial, nonce, extension;
    size_t certificates;
    bool version, no_parameters, nonce_twice, more, signature, requestor, critical;
};

static void
ocsp_make(const struct ocsp_parts *o, struct buf *out)
{
    const size_t whole = der_begin(out, DER_SEQUENCE), tbs = der_begin(out, DER_SEQUENCE);
    size_t list, mark, inner;

    if (o->version) {
        mark = der_begin(out, DER_CONTEXT(0));
        der_add_number(out, DER_INTEGER, 0);
        der_end(out, mark);
    }
    if (o->requestor) {
        mark = der_begin(out, DER_CONTEXT(1));
        der_add(out, DER_CONTEXT_PRIMITIVE(2), STR_LIT("a.example"));
        der_end(out, mark);
    }
    list = der_begin(out, DER_SEQUENCE);
    for (size_t i = 0; i < o->certificates; i++) {
        const size_t request = der_begin(out, DER_SEQUENCE), id = der_begin(out, DER_SEQUENCE);

        mark = der_begin(out, DER_SEQUENCE);
        der_add_oid(out, o->hash);
        if (!o->no_parameters)
            der_add_null(out);
        der_end(out, mark);
        der_add(out, DER_OCTET_STRING, o->name_hash);
        der_add(out, DER_OCTET_STRING, o->key_hash);
        der_add(out, DER_INTEGER, o->serial);
        der_end(out, id);
        der_end(out, request);
    }
    der_end(out, list);
    if (o->nonce.p != NULL || o->extension.p != NULL) {
        mark = der_begin(out, DER_CONTEXT(2));
        list = der_begin(out, DER_SEQUENCE);
        for (int i = 0; i < 1 + o->nonce_twice; i++) {
            inner = der_begin(out, DER_SEQUENCE);
            der_add_oid(out, o->nonce.p != NULL ? OID_OCSP_NONCE : OID_CE_KEY_USAGE);
            if (o->critical)
                der_add_true(out, DER_BOOLEAN);
            if (o->nonce.p != NULL) {
                const size_t value = der_begin(out, DER_OCTET_STRING);

                der_add(out, DER_OCTET_STRING, o->nonce);
                der_end(out, value);
            } else {
                der_add(out, DER_OCTET_STRING, o->extension);
            }
            der_end(out, inner);
        }
        der_end(out, list);
        der_end(out, mark);
    }
    if (o->more)
        der_add_null(out);
    der_end(out, tbs);
    if (o->signature) {
        mark = der_begin(out, DER_CONTEXT(0));
        inner = der_begin(out, DER_SEQUENCE);
        der_end(out, inner);
        der_end(out, mark);
    }
    der_end(out, whole);
}

static void
test_ocsp_requests(void **state)
{
    static const char zeros[130];
    const struct ocsp_parts good = { .hash = OID_SHA1, .name_hash = { zeros, 20 }, .key_hash = { zeros, 20 },
                                     .serial = STR_LIT("\x5a\x01"), .certificates = 1 };
    struct ocsp_parts o;
    struct ocsp_request got;
    struct why why = WHY_INIT;

    (void)state;
#define OCSP(label, change, want)                                                                   \
    do {                                                                                            \
        AUTO(buf_free) struct buf der = BUF_BOUNDED(16384);                                         \
                                                                                                    \
        o = good;                                                                                   \
        change;                                                                                     \
        ocsp_make(&o, &der);                                                                        \
        why = (struct why)WHY_INIT;                                                                 \
        assert_row(label, ocsp_request_read(buf_view(&der), &got, &why) == (want[0] == '\0' ? OK : ERR_INPUT)); \
        assert_row_string(label, why.code, want);                                                   \
        for (size_t cut = 0; cut < der.len; cut++)                                                  \
            assert_row(label, ocsp_request_read((struct str){ der.data, cut }, &got, NULL) != OK);  \
    } while (0)
    OCSP("good", (void)o, "");
    OCSP("SHA-256", o.hash = OID_SHA256; o.name_hash.n = o.key_hash.n = 32, "");
    OCSP("no parameters", o.no_parameters = true, "");
    OCSP("nonce of one octet", o.nonce = STR_LIT("x"), "");
    OCSP("nonce of 128", o.nonce = ((struct str){ zeros, 128 }), "");
    OCSP("ten certificates", o.certificates = 10, "");
    OCSP("requestor", o.requestor = true, "");
    OCSP("signed", o.signature = true, "");
    OCSP("extension that is not critical", o.extension = STR_LIT("\x05\x00"), "");
    OCSP("serial with a high bit", o.serial = ((struct str){ "\0\xff", 2 }), "");
    OCSP("hash of another length", o.key_hash.n = 32, "pki.ocsp.hash");
    OCSP("SHA-256 of a wrong length", o.hash = OID_SHA256, "pki.ocsp.hash");
    OCSP("another hash", o.hash = OID_CE_KEY_USAGE, "pki.ocsp.hash");
    OCSP("no certificate", o.certificates = 0, "pki.ocsp.count");
    OCSP("eleven certificates", o.certificates = 11, "pki.ocsp.count");
    OCSP("negative serial", o.serial = STR_LIT("\xff"), "pki.ocsp.serial");
    OCSP("zero serial", o.serial = ((struct str){ "", 1 }), "pki.ocsp.serial");
    OCSP("giant serial", o.serial = STR_LIT("\x01" "01234567890123456789"), "pki.ocsp.serial");
    OCSP("padded serial", o.serial = ((struct str){ "\0\x01", 2 }), "pki.ocsp.der");
    OCSP("empty nonce", o.nonce = ((struct str){ "", 0 }), "pki.ocsp.nonce");
    OCSP("nonce of 129", o.nonce = ((struct str){ zeros, 129 }), "pki.ocsp.nonce");
    OCSP("nonce twice", o.nonce = STR_LIT("x"); o.nonce_twice = true, "pki.ocsp.nonce");
    OCSP("critical extension", o.extension = STR_LIT("\x05\x00"); o.critical = true, "pki.ocsp.critical");
    OCSP("version written out", o.version = true, "pki.ocsp.structure");
    OCSP("more", o.more = true, "pki.ocsp.structure");
#undef OCSP
}

/* What openssl asks is read, and says what was asked. */
static void
test_openssl_ocsp(void **state)
{
    AUTO(buf_free) struct buf said = BUF_BOUNDED(65536), name = BUF_BOUNDED(NAME_MAX_LEN), der = BUF_BOUNDED(CERTIFICATE_MAX),
                              request = BUF_BOUNDED(1);
    struct certificate_input in;
    struct ocsp_request got;
    unsigned char want[SHA256_LEN];
    char ca[128], leaf[128], req[128];
    struct pki pki;

    (void)state;
    pki_make(&pki, KEY_P256, 0);
    in = pki_input(&pki, pki_profile(&pki, "citizen-card"), &pki.issuing, &name);
    pki_issue(&in, &pki.issuing, &der);
    pki_write_pem(&folder, "ca.pem", "CERTIFICATE", buf_view(&pki.issuing.der));
    pki_write_pem(&folder, "leaf.pem", "CERTIFICATE", buf_view(&der));
    snprintf(ca, sizeof(ca), "%s", tool_file(&folder, "ca.pem"));
    snprintf(leaf, sizeof(leaf), "%s", tool_file(&folder, "leaf.pem"));
    snprintf(req, sizeof(req), "%s", tool_file(&folder, "req.der"));
    assert_int_equal(TOOL(true, &said, "openssl", "ocsp", "-issuer", ca, "-cert", leaf, "-sha256", "-cert", leaf, "-reqout", req), 0);
    request = file_read("req.der");
    assert_int_equal(ocsp_request_read(buf_view(&request), &got, NULL), OK);
    assert_int_equal(got.n, 2);
    assert_true(got.nonce.n >= 16);
    assert_int_equal(got.ids[0].serial.n, SERIAL_LEN);
    assert_memory_equal(got.ids[0].serial.p, pki_serial, SERIAL_LEN);
    assert_false(got.ids[0].sha256);
    assert_true(got.ids[1].sha256);
    assert_int_equal(key_hash_sha1(buf_view(&pki.issuing.spki), want, NULL), OK);
    assert_memory_equal(got.ids[0].key_hash.p, want, SHA1_LEN);
    sha256(buf_view(&pki.issuing.name), want);
    assert_memory_equal(got.ids[1].name_hash.p, want, SHA256_LEN);
    pki_done(&pki);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openssl),       cmocka_unit_test(test_changed_requests), cmocka_unit_test(test_weak_rsa),
        cmocka_unit_test(test_real_keys),     cmocka_unit_test(test_ec_quality),       cmocka_unit_test(test_blocklist),
        cmocka_unit_test(test_ocsp_requests), cmocka_unit_test(test_openssl_ocsp),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
