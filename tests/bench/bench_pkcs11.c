/*
 * bench_pkcs11: what a signature by a key in a token costs us, beside the bare C_Sign of the same module, key and
 * mechanism. SoftHSM, a token of the bench's own.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#include "base/crypto/digest.h"
#include "base/crypto/key.h"
#include "tests/bench/measure.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PIN "483921"
#define ROUNDS 5                   /* ours and the bare one in turn: a busy machine weighs on both alike */

struct work {
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE object;
    CK_MECHANISM mechanism;
    unsigned char digest[19 + SHA256_LEN];      /* RSA: a DigestInfo (RFC 8017 §9.2) */
    CK_ULONG digest_len;
    struct key *key;
    enum sig_alg alg;
    struct buf signature;
};

static void
token_make(const char *folder)
{
    char path[128], conf[512];
    FILE *out;
    int status;
    pid_t child;

    snprintf(path, sizeof(path), "%s/tokens", folder);
    CHECK(mkdir(path, 0700) == 0);
    snprintf(conf, sizeof(conf), "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", path);
    snprintf(path, sizeof(path), "%s/softhsm2.conf", folder);
    out = fopen(path, "w");
    CHECK(out != NULL && fputs(conf, out) >= 0 && fclose(out) == 0);
    CHECK(setenv("SOFTHSM2_CONF", path, 1) == 0);
    if ((child = fork()) == 0) {
        (void)dup2(STDERR_FILENO, STDOUT_FILENO);
        (void)execlp("softhsm2-util", "softhsm2-util", "--init-token", "--free", "--label", "bench", "--so-pin", "so-pin-1", "--pin",
                     PIN, (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* The bare side: a session, and the key's handle. */
static void
bare_begin(struct work *w, const char *label)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE named[] = { { CKA_CLASS, &class, sizeof(class) }, { CKA_LABEL, (void *)(uintptr_t)label, strlen(label) } };
    CK_RV (*get_list)(CK_FUNCTION_LIST **) = NULL;
    void *module = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);      /* as the key has loaded it */
    unsigned char pin[] = PIN;
    CK_SLOT_ID slots[8];
    CK_ULONG n = ARRAY_LEN(slots);
    CK_RV rv;

    CHECK(module != NULL);
    *(void **)&get_list = dlsym(module, "C_GetFunctionList");
    CHECK(get_list != NULL && get_list(&w->f) == CKR_OK);
    CHECK(w->f->C_GetSlotList(CK_TRUE, slots, &n) == CKR_OK && n > 0);
    CHECK(w->f->C_OpenSession(slots[0], CKF_SERIAL_SESSION, NULL, NULL, &w->session) == CKR_OK);
    rv = w->f->C_Login(w->session, CKU_USER, pin, strlen(PIN));
    CHECK(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN);
    CHECK(w->f->C_FindObjectsInit(w->session, named, ARRAY_LEN(named)) == CKR_OK);
    CHECK(w->f->C_FindObjects(w->session, &w->object, 1, &n) == CKR_OK && n == 1);
    CHECK(w->f->C_FindObjectsFinal(w->session) == CKR_OK);
}

static void
bare(void *arg)
{
    struct work *w = arg;
    unsigned char signature[512];
    CK_ULONG n = sizeof(signature);

    CHECK(w->f->C_SignInit(w->session, &w->mechanism, w->object) == CKR_OK);
    CHECK(w->f->C_Sign(w->session, w->digest, w->digest_len, signature, &n) == CKR_OK);
}

static void
ours(void *arg)
{
    struct work *w = arg;

    buf_reset(&w->signature);
    CHECK(key_sign(w->key, KEY_CA_SIGN, w->alg, STR_LIT("a certificate to be signed"), false, &w->signature, NULL) == OK);
}

static void
row(const char *label, enum key_alg alg, int bits)
{
    static const unsigned char digest_info[19] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                                   0x01, 0x05, 0x00, 0x04, 0x20 };
    struct work w = { .mechanism = { alg == KEY_RSA ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0 }, .signature = BUF_BOUNDED(1024) };
    double ours_usec = 0, bare_usec = 0;
    char uri[160];

    snprintf(uri, sizeof(uri), "pkcs11:token=bench;object=%s?module-path=%s", label, MODULE);
    CHECK(key_generate_token(uri, STR_LIT(PIN), alg, bits, KEY_CA_SIGN, &w.key, NULL) == OK);
    w.alg = key_default_alg(w.key);
    if (alg == KEY_RSA) {
        memcpy(w.digest, digest_info, sizeof(digest_info));
        w.digest_len = sizeof(digest_info);
    }
    sha256(STR_LIT("a certificate to be signed"), w.digest + w.digest_len);
    w.digest_len += SHA256_LEN;
    bare_begin(&w, label);
    for (int i = 0; i < ROUNDS; i++) {
        ours_usec += measure(ours, &w) / ROUNDS;
        bare_usec += measure(bare, &w) / ROUNDS;
    }
    printf("%-10s %9.1f %9.1f %11.2f\n", label, bare_usec, ours_usec, bare_usec / ours_usec);
    CHECK(w.f->C_CloseSession(w.session) == CKR_OK);
    buf_free(&w.signature);
    key_free(w.key);
}

int
main(void)
{
    char folder[] = "/tmp/beffroi-bench-XXXXXX", command[64];

    CHECK(mkdtemp(folder) != NULL);
    token_make(folder);
    printf("microseconds of CPU for one signature, SHA-256\n%-10s %9s %9s %11s\n", "key", "C_Sign", "ours", "bare/ours");
    row("P-256", KEY_P256, 0);
    row("RSA-3072", KEY_RSA, 3072);
    snprintf(command, sizeof(command), "rm -rf -- %s", folder);
    return system(command) == 0 ? 0 : 1;      /* lint: shell: the name is mkdtemp's */
}
