/*
 * factor: rules of second factors; see factor.h.
 *
 * Recovery codes are twelve digits (40 bits) so that they cannot be taken for the program's six, are typed on any keyboard, and
 * have no bad words. What is kept is HMAC(pepper, account and code): equal codes of two accounts look different. The
 * program's key is sealed for its account's row, a passkey's name for its own.
 */
#include "idp/credential/factor-internal.h"

#include <stdio.h>

#include "base/core/enc.h"
#include "base/core/rand.h"
#include "base/crypto/totp.h"
#include "base/pg/audit.h"
#include "base/pg/job.h"

#define NOTICE_LIFE (24 * USEC_PER_HOUR)
#define CHALLENGE_LIFE (10 * USEC_PER_MIN)
#define CHALLENGE_LEN 43                     /* 32 bytes in base64url */
#define TOKEN_MAX 512
#define KEY_PLACE "factor_totp.key"
#define CHALLENGE_PLACE "factor.challenge"

/* --- proving --------------------------------------------------------------------------------------------------------------- */

static enum err
totp_key_open(const struct keyring *field, const char *account_id, const struct buf *sealed, struct secret *ret,
              struct why *why)
{
    AUTO(buf_free) struct buf plain = BUF_SECRET(64);
    enum err e = column_open(field, KEY_PLACE, account_id, buf_view(sealed), &plain, why);

    if (e == OK)
        secret_set(ret, plain.data, plain.len);
    return e;
}

enum err
factor_totp_use(struct pg *pg, const struct keyring *field, const char *account_id, const char *typed, utime now,
                struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(128);
    AUTO(secret_done) struct secret key = SECRET_INIT;
    int64_t last_step, step;
    enum err e;

    if ((e = factor_store_totp(pg, account_id, &sealed, &last_step, why)) != OK ||
        (e = totp_key_open(field, account_id, &sealed, &key, why)) != OK)
        return e;
    if ((e = totp_check(&key, typed, now, last_step, &step)) != OK)
        return why_code(why, e, "factor.wrong", "the code is wrong or was used");
    return factor_store_totp_used(pg, account_id, step, now, why);
}

/* Digits alone; false when there is anything else but spaces and dashes, or not as many as a code has. */
static bool
recovery_fold(const char *typed, char out[FACTOR_RECOVERY_LEN + 1])
{
    size_t n = 0;

    for (const char *p = typed; *p != '\0'; p++) {
        if (*p == ' ' || *p == '-' || *p == '\t')
            continue;
        if (*p < '0' || *p > '9' || n == FACTOR_RECOVERY_LEN)
            return false;
        out[n++] = *p;
    }
    out[n] = '\0';
    return n == FACTOR_RECOVERY_LEN;
}

bool
factor_is_recovery(const char *typed)
{
    char digits[FACTOR_RECOVERY_LEN + 1];
    bool is = recovery_fold(typed, digits);

    mem_wipe(digits, sizeof(digits));
    return is;
}

static enum err
recovery_mac(const struct keyring *pepper, int version, const char *account_id, const char *digits, unsigned char out[MAC_LEN])
{
    char value[64];
    enum err e;

    snprintf(value, sizeof(value), "%s %s", account_id, digits);
    e = mac_compute(pepper, version, "factor.recovery", str_of(value), out);
    mem_wipe(value, sizeof(value));
    return e;
}

enum err
factor_recovery_use(struct pg *pg, const struct keyring *pepper, const char *account_id, const char *typed, utime now,
                    struct why *why)
{
    char digits[FACTOR_RECOVERY_LEN + 1];
    unsigned char mac[MAC_LEN];
    bool used = false;
    enum err e;

    if (!recovery_fold(typed, digits))
        return why_code(why, ERR_INPUT, "factor.wrong", "not twelve digits");
    for (int v = keyring_current(pepper); !used && v >= keyring_oldest(pepper); v--) {
        if (recovery_mac(pepper, v, account_id, digits, mac) != OK)
            continue;                        /* a version that was taken away */
        if ((e = factor_store_code_use(pg, account_id, mac, v, now, &used, why)) != OK)
            return e;
    }
    mem_wipe(digits, sizeof(digits));
    return used ? OK : why_code(why, ERR_DENIED, "factor.wrong", "the recovery code is unknown or was used");
}

/* --- challenges -------------------------------------------------------------------------------------------------------------- */

enum err
factor_challenge_new(const struct keyring *field, const char *place, const char *account_id, utime now, struct arena *a,
                     struct factor_challenge *ret, const char **ret_token, struct why *why)
{
    AUTO(buf_free) struct buf id = BUF_BOUNDED(64);
    AUTO(buf_free) struct buf plain = BUF_SECRET(TOKEN_MAX);
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(TOKEN_MAX + COLUMN_OVERHEAD);
    AUTO(buf_free) struct buf token = BUF_BOUNDED(2 * TOKEN_MAX);
    struct factor_challenge c = { .until = now + CHALLENGE_LIFE };

    rand_bytes(c.bytes, sizeof(c.bytes));
    base64url_encode(&id, c.bytes, sizeof(c.bytes));
    c.id = arena_strdup(a, buf_cstr(&id));
    buf_addf(&plain, "%s\n%s\n%lld", place, account_id, (long long)c.until);
    if (!buf_ok(&plain) || column_seal(field, CHALLENGE_PLACE, c.id, buf_view(&plain), &sealed) != OK)
        return why_set(why, ERR_INTERNAL, "the challenge cannot be sealed");
    buf_addf(&token, "%s.", c.id);
    base64url_encode(&token, sealed.data, sealed.len);
    CHECK(buf_ok(&token));
    *ret_token = arena_strdup(a, buf_cstr(&token));
    *ret = c;
    return OK;
}

static bool
challenge_read(struct str text, const char *place, const char *account_id, utime now, utime *ret_until)
{
    struct str rest, at_place = str_split(text, '\n', &rest), account;

    if (rest.p == NULL)
        return false;
    account = str_split(rest, '\n', &rest);
    return rest.p != NULL && str_eqs(at_place, place) && str_eqs(account, account_id) &&
           str_to_i64(rest, 0, INT64_MAX, ret_until) == OK && *ret_until > now && *ret_until <= now + 2 * CHALLENGE_LIFE;
}

enum err
factor_challenge_open(const struct keyring *field, const char *place, const char *account_id, const char *token, utime now,
                      struct arena *a, struct factor_challenge *ret, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(TOKEN_MAX + COLUMN_OVERHEAD);
    AUTO(buf_free) struct buf plain = BUF_SECRET(TOKEN_MAX);
    AUTO(buf_free) struct buf bytes = BUF_BOUNDED(WEBAUTHN_CHALLENGE_LEN);
    struct str rest, id = str_split(str_of(token), '.', &rest);
    struct factor_challenge c = { .id = arena_str(a, id) };

    if (id.n != CHALLENGE_LEN || rest.p == NULL || base64url_decode(id, &bytes) != OK ||
        bytes.len != sizeof(c.bytes) || base64url_decode(rest, &sealed) != OK ||
        column_open(field, CHALLENGE_PLACE, c.id, buf_view(&sealed), &plain, why) != OK ||
        !challenge_read(buf_view(&plain), place, account_id, now, &c.until))
        return why_code(why, ERR_DENIED, "factor.challenge", "the challenge is of another place or too old");
    memcpy(c.bytes, bytes.data, bytes.len);
    *ret = c;
    return OK;
}

/* --- what a change leaves behind --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *verb, *detail;
} changes[] = {
    [FACTOR_TOTP_ADDED] = { "totp_added", "factor.add", "{\"kind\":\"totp\"}" },
    [FACTOR_TOTP_REMOVED] = { "totp_removed", "factor.remove", "{\"kind\":\"totp\"}" },
    [FACTOR_PASSKEY_ADDED] = { "passkey_added", "factor.add", "{\"kind\":\"passkey\"}" },
    [FACTOR_PASSKEY_REMOVED] = { "passkey_removed", "factor.remove", "{\"kind\":\"passkey\"}" },
    [FACTOR_CODES_RENEWED] = { "codes_renewed", "factor.codes", "{}" },
    [FACTOR_PASSKEY_COPIED] = { "passkey_copied", "factor.copied", "{\"kind\":\"passkey\"}" },
    [FACTOR_CERTIFICATE_ADDED] = { "certificate_added", NULL, NULL },          /* audited in certificate.c */
    [FACTOR_CERTIFICATE_REMOVED] = { "certificate_removed", NULL, NULL },
};
_Static_assert(ARRAY_LEN(changes) == FACTOR_CHANGES, "each change has its words");

const char *
factor_change_name(enum factor_change c)
{
    return changes[c].name;
}

enum err
factor_notice_add(struct pg *pg, const char *account_id, enum factor_change c, const char *key, utime now, struct why *why)
{
    char payload[96];

    snprintf(payload, sizeof(payload), "%s %lld %s", account_id, (long long)now, changes[c].name);
    return job_add(pg, FACTOR_CHANGED_JOB, key != NULL ? key : payload, str_of(payload), now, now, NOTICE_LIFE, why);
}

/* The audit row, and the citizen's notice; twice the same key is one notice. */
static enum err
change_told(struct pg *pg, const struct factor_who *who, enum factor_change c, const char *key, struct why *why)
{
    char object[64];
    enum err e;

    snprintf(object, sizeof(object), "account:%s", who->account_id);
    e = audit_add(pg, &(struct audit_entry){ .at = who->now, .actor = "citizen", .role = "session", .verb = changes[c].verb,
                                             .object = object, .result = "ok", .detail = changes[c].detail }, why);
    if (e != OK)
        return e;
    return factor_notice_add(pg, who->account_id, c, key, who->now, why);
}

enum err
factor_change_read(const char *payload, char ret_account[37], utime *ret_at, enum factor_change *ret, struct why *why)
{
    struct str rest, account = str_split(str_of(payload), ' ', &rest), at;

    if (account.n == 36 && rest.p != NULL) {
        at = str_split(rest, ' ', &rest);
        for (int c = 0; rest.p != NULL && c < FACTOR_CHANGES; c++) {
            if (!str_eqs(rest, changes[c].name) || str_to_i64(at, 0, INT64_MAX, ret_at) != OK)
                continue;
            snprintf(ret_account, 37, "%.*s", (int)account.n, account.p);
            *ret = (enum factor_change)c;
            return OK;
        }
    }
    return why_set(why, ERR_INTERNAL, "the payload is not one of ours");
}

/* --- recovery codes -------------------------------------------------------------------------------------------------------- */

void
factor_codes_done(struct factor_codes *c)
{
    mem_wipe(c, sizeof(*c));
}

void
factor_code_shown(const char *code, char ret[FACTOR_RECOVERY_LEN + 3])
{
    snprintf(ret, FACTOR_RECOVERY_LEN + 3, "%.4s %.4s %.4s", code, code + 4, code + 8);
}

static enum err
codes_draw(struct pg *pg, const struct factor_who *who, struct factor_codes *ret, struct why *why)
{
    int version = keyring_current(who->pepper);
    unsigned char mac[MAC_LEN];
    enum err e;

    ret->n = 0;
    if ((e = factor_store_codes_drop(pg, who->account_id, why)) != OK)
        return e;
    for (size_t i = 0; i < FACTOR_RECOVERY_CODES; i++) {
        for (size_t d = 0; d < FACTOR_RECOVERY_LEN; d++)
            ret->code[i][d] = (char)('0' + rand_below(10));
        ret->code[i][FACTOR_RECOVERY_LEN] = '\0';
        if ((e = recovery_mac(who->pepper, version, who->account_id, ret->code[i], mac)) != OK)
            return why_set(why, e, "no pepper of version %d", version);
        if ((e = factor_store_code_insert(pg, who->account_id, mac, version, who->now, why)) != OK)
            return e;
    }
    ret->n = FACTOR_RECOVERY_CODES;
    return OK;
}

/* The account, locked, by the word of a session that is there still. */
static enum err
who_lock(struct pg *pg, const struct factor_who *who, unsigned *ret_kinds, struct why *why)
{
    enum err e = factor_store_lock(pg, who->account_id, ret_kinds, why);

    return e != OK || who->still == NULL ? e : who->still(pg, who->arg, why);
}

/* --- adding ------------------------------------------------------------------------------------------------------------------ */

struct add {
    const struct factor_who *who;
    const struct secret *key;                            /* of the program, or … */
    const char *typed;
    const struct webauthn_credential *credential;        /* … a passkey */
    const char *name;
    const struct factor_challenge *challenge;
    const char *id;                                      /* to be removed; NULL: the program */
    struct factor_codes *codes;
};

/* The first factor brings the codes, and what the caller wants done then. */
static enum err
first_factor(struct pg *pg, const struct add *x, unsigned kinds, struct why *why)
{
    enum err e;

    if ((kinds & (FACTOR_TOTP | FACTOR_PASSKEY)) == 0) {
        if ((e = codes_draw(pg, x->who, x->codes, why)) != OK)
            return e;
        return x->who->also != NULL ? x->who->also(pg, x->who->arg, why) : OK;
    }
    return OK;
}

/* A second click on the same page: as if it had been the first, so that what it shows is true. */
static enum err
totp_again(struct pg *pg, const struct add *x, unsigned kinds, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(128);
    AUTO(secret_done) struct secret kept = SECRET_INIT;
    int64_t last_step;
    enum err e;

    if ((e = factor_store_totp(pg, x->who->account_id, &sealed, &last_step, why)) != OK ||
        (e = totp_key_open(x->who->field, x->who->account_id, &sealed, &kept, why)) != OK)
        return e;
    if (!mem_equal_ct(kept.data, kept.len, x->key->data, x->key->len))
        return why_code(why, ERR_CONFLICT, "factor.totp", "the account has another program");
    return (kinds & FACTOR_PASSKEY) != 0 ? OK : codes_draw(pg, x->who, x->codes, why);
}

static enum err
totp_add_body(struct pg *pg, void *arg, struct why *why)
{
    const struct add *x = arg;
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(128);
    unsigned kinds;
    int64_t step;
    enum err e;

    x->codes->n = 0;
    if ((e = who_lock(pg, x->who, &kinds, why)) != OK)
        return e;
    if ((kinds & FACTOR_TOTP) != 0)
        return totp_again(pg, x, kinds, why);
    if ((e = totp_check(x->key, x->typed, x->who->now, -1, &step)) != OK)
        return why_code(why, e, "factor.wrong", "the code is not one of this key");
    e = column_seal(x->who->field, KEY_PLACE, x->who->account_id, (struct str){ (const char *)x->key->data, x->key->len },
                    &sealed);
    if (e != OK)
        return why_set(why, e, "the key cannot be sealed");
    if ((e = factor_store_totp_insert(pg, x->who->account_id, &sealed, step, x->who->now, why)) != OK ||
        (e = first_factor(pg, x, kinds, why)) != OK)
        return e;
    return change_told(pg, x->who, FACTOR_TOTP_ADDED, NULL, why);
}

enum err
factor_totp_add(struct pg *pg, const struct factor_who *who, const struct secret *key, const char *typed,
                struct factor_codes *ret, struct why *why)
{
    struct add x = { .who = who, .key = key, .typed = typed, .codes = ret };

    return pg_tx(pg, totp_add_body, &x, why);
}

static enum err
passkey_insert(struct pg *pg, const struct add *x, struct why *why)
{
    AUTO(buf_free) struct buf sealed = BUF_BOUNDED(512);
    char id[UUID_TEXT_LEN + 1];
    bool fresh;
    enum err e;

    rand_uuid(id);
    if ((e = column_seal(x->who->field, "passkey.name", id, str_of(x->name), &sealed)) != OK)
        return why_set(why, e, "the name cannot be sealed");
    if ((e = factor_store_passkey_insert(pg, x->who->account_id, id, x->credential, &sealed, x->who->now, &fresh, why)) != OK)
        return e;
    return fresh ? OK : why_code(why, ERR_CONFLICT, "factor.known", "some account has this credential");
}

static enum err
passkey_add_body(struct pg *pg, void *arg, struct why *why)
{
    const struct add *x = arg;
    unsigned kinds;
    int64_t have;
    bool fresh;
    enum err e;

    x->codes->n = 0;
    if ((e = who_lock(pg, x->who, &kinds, why)) != OK ||
        (e = factor_store_passkey_count(pg, x->who->account_id, &have, why)) != OK ||
        (e = factor_store_challenge(pg, x->challenge->id, x->challenge->until, &fresh, why)) != OK)
        return e;
    if (!fresh)
        return why_code(why, ERR_DENIED, "factor.challenge", "the challenge was answered before");
    if (have >= FACTOR_PASSKEYS_MAX)
        return why_code(why, ERR_CONFLICT, "factor.full", "the account has %d passkeys", FACTOR_PASSKEYS_MAX);
    if ((e = passkey_insert(pg, x, why)) != OK || (e = first_factor(pg, x, kinds, why)) != OK)
        return e;
    return change_told(pg, x->who, FACTOR_PASSKEY_ADDED, x->challenge->id, why);
}

enum err
factor_passkey_add(struct pg *pg, const struct factor_who *who, const struct webauthn_credential *c, const char *name,
                   const struct factor_challenge *challenge, struct factor_codes *ret, struct why *why)
{
    struct add x = { .who = who, .credential = c, .name = name, .challenge = challenge, .codes = ret };

    return pg_tx(pg, passkey_add_body, &x, why);
}

/* --- removing, renewing, warning ------------------------------------------------------------------------------------------- */

static enum err
remove_body(struct pg *pg, void *arg, struct why *why)
{
    const struct add *x = arg;
    unsigned kinds;
    enum err e;

    if ((e = who_lock(pg, x->who, &kinds, why)) != OK ||
        (e = factor_store_remove(pg, x->who->account_id, x->id, why)) != OK ||
        (e = factor_store_lock(pg, x->who->account_id, &kinds, why)) != OK)
        return e;
    if ((kinds & (FACTOR_TOTP | FACTOR_PASSKEY)) == 0 && (e = factor_store_codes_drop(pg, x->who->account_id, why)) != OK)
        return e;
    return change_told(pg, x->who, x->id != NULL ? FACTOR_PASSKEY_REMOVED : FACTOR_TOTP_REMOVED, x->id, why);
}

enum err
factor_remove(struct pg *pg, const struct factor_who *who, const char *id, struct why *why)
{
    struct add x = { .who = who, .id = id };

    return pg_tx(pg, remove_body, &x, why);
}

static enum err
renew_body(struct pg *pg, void *arg, struct why *why)
{
    const struct add *x = arg;
    unsigned kinds;
    enum err e;

    x->codes->n = 0;
    if ((e = who_lock(pg, x->who, &kinds, why)) != OK)
        return e;
    if ((kinds & (FACTOR_TOTP | FACTOR_PASSKEY)) == 0)
        return why_code(why, ERR_CONFLICT, "factor.none", "the account has no second factor");
    if ((e = codes_draw(pg, x->who, x->codes, why)) != OK)
        return e;
    return change_told(pg, x->who, FACTOR_CODES_RENEWED, NULL, why);
}

enum err
factor_codes_renew(struct pg *pg, const struct factor_who *who, struct factor_codes *ret, struct why *why)
{
    struct add x = { .who = who, .codes = ret };

    return pg_tx(pg, renew_body, &x, why);
}

static enum err
copied_body(struct pg *pg, void *arg, struct why *why)
{
    const struct add *x = arg;
    char key[64];

    /* One notice a day, however often it is tried. */
    snprintf(key, sizeof(key), "%s %lld", x->id, (long long)(x->who->now / USEC_PER_DAY));
    return change_told(pg, x->who, FACTOR_PASSKEY_COPIED, key, why);
}

enum err
factor_passkey_copied(struct pg *pg, const struct factor_who *who, const char *id, struct why *why)
{
    struct add x = { .who = who, .id = id };

    return pg_tx(pg, copied_body, &x, why);
}

/* --- names ------------------------------------------------------------------------------------------------------------------- */

const char *
factor_name_problem(const char *name)
{
    size_t n = 0;

    if (name == NULL || str_trim(str_of(name)).n == 0)
        return "citizen.factors.name_empty";
    for (const char *p = name; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return "citizen.factors.name_characters";
        n += ((unsigned char)*p & 0xc0) != 0x80;
    }
    return n > FACTOR_NAME_MAX ? "citizen.factors.name_long" : NULL;
}

enum err
factor_user_handle(const struct keyring *pepper, const char *account_id, unsigned char ret[MAC_LEN], struct why *why)
{
    enum err e = mac_compute(pepper, keyring_oldest(pepper), "passkey.user", str_of(account_id), ret);

    return e == OK ? OK : why_set(why, e, "no pepper");
}
