/*
 * totp: see totp.h. SHA-1 here is HMAC-SHA-1 inside HOTP (RFC 4226), where its collisions do not matter; apps know
 * nothing else reliably. Throttling is the caller's: three codes of a million are good at any time.
 */
#include <stdio.h>

#include "base/core/enc.h"
#include "base/crypto/ossl-internal.h"
#include "base/crypto/totp.h"

#define STEP_USEC (30 * USEC_PER_SEC)
#define DIGITS 6
#define BASE32_MAX 256

static const char base32_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void
totp_key_new(struct secret *ret)
{
    secret_random(ret, TOTP_KEY_LEN);
}

/* RFC 4226 §5.3 with the time step as counter (RFC 6238 §4.2). */
static void
hotp(const struct secret *key, int64_t step, char out[DIGITS + 1])
{
    unsigned char counter[8], mac[20];
    const struct str message = str_from(counter, sizeof(counter));
    uint32_t bin;
    size_t at;

    for (size_t i = 0; i < sizeof(counter); i++)
        counter[i] = (unsigned char)((uint64_t)step >> (8 * (7 - i)));
    ossl_hmac(OSSL_MD_SHA1, str_from(key->data, key->len), &message, 1, mac);
    at = mac[19] & 0x0f;
    bin = ((uint32_t)(mac[at] & 0x7f) << 24) | ((uint32_t)mac[at + 1] << 16) | ((uint32_t)mac[at + 2] << 8) |
          mac[at + 3];
    (void)snprintf(out, DIGITS + 1, "%06u", (unsigned)(bin % 1000000u));
    mem_wipe(mac, sizeof(mac));
}

void
totp_code(const struct secret *key, utime now, char out[7])
{
    hotp(key, now / STEP_USEC, out);
}

static enum err
digits_read(const char *typed, char out[DIGITS + 1])
{
    size_t n = 0;

    for (; *typed != '\0'; typed++) {
        if (*typed == ' ' || *typed == '\t')
            continue;
        if (*typed < '0' || *typed > '9' || n == DIGITS)
            return ERR_INPUT;
        out[n++] = *typed;
    }
    out[n] = '\0';
    return n == DIGITS ? OK : ERR_INPUT;
}

enum err
totp_check(const struct secret *key, const char *typed, utime now, int64_t last_step, int64_t *ret_step)
{
    const int64_t current = now / STEP_USEC;
    char digits[DIGITS + 1], expected[DIGITS + 1];
    int64_t found = -1;

    if (digits_read(typed, digits) != OK)
        return ERR_INPUT;
    /* All three are computed and compared whatever matches. */
    for (int64_t step = current + 1; step >= current - 1; step--) {
        hotp(key, step, expected);
        if (mem_equal_ct(expected, DIGITS, digits, DIGITS) && step > last_step && step >= 0)
            found = step;
    }
    mem_wipe(expected, sizeof(expected));
    if (found < 0)
        return ERR_DENIED;
    *ret_step = found;
    return OK;
}

/* --- base32 ----------------------------------------------------------------------------------------- */

void
base32_encode(struct buf *out, const void *p, size_t n)
{
    const unsigned char *bytes = p;
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < n; i++) {
        bits = (bits << 8) | bytes[i];
        for (have += 8; have >= 5; have -= 5)
            buf_addc(out, base32_alphabet[(bits >> (have - 5)) & 31]);
    }
    if (have > 0)
        buf_addc(out, base32_alphabet[(bits << (5 - have)) & 31]);
}

static int
base32_value(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= '2' && c <= '7')
        return c - '2' + 26;
    return -1;
}

enum err
base32_decode(struct str in, struct secret *ret)
{
    unsigned char bytes[BASE32_MAX * 5 / 8];
    size_t symbols = 0, padding = 0, n = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    enum err e = OK;

    for (size_t i = 0; i < in.n && e == OK; i++) {
        const int value = base32_value(in.p[i]);

        if (in.p[i] == ' ')
            continue;
        if (in.p[i] == '=') {
            padding++;
        } else if (value < 0 || padding > 0 || symbols == BASE32_MAX) {
            e = ERR_INPUT;
        } else {
            symbols++;
            bits = (bits << 5) | (uint32_t)value;
            have += 5;
            if (have >= 8) {
                have -= 8;
                bytes[n++] = (unsigned char)(bits >> have);
            }
        }
    }
    /* RFC 4648 §6: 2, 4, 5 or 7 symbols in a last group, the left-over bits zero, padding to 8 if any. */
    if (symbols % 8 == 1 || symbols % 8 == 3 || symbols % 8 == 6 || (bits & ((1u << have) - 1)) != 0 ||
        (padding > 0 && (symbols % 8 == 0 || symbols % 8 + padding != 8)))
        e = ERR_INPUT;
    if (e == OK)
        secret_set(ret, bytes, n);
    mem_wipe(bytes, sizeof(bytes));
    return e;
}

void
totp_uri(const struct secret *key, const char *issuer, const char *account, struct buf *out)
{
    buf_add_lit(out, "otpauth://totp/");
    url_encode(out, str_of(issuer));
    buf_addc(out, ':');
    url_encode(out, str_of(account));
    buf_add_lit(out, "?secret=");
    base32_encode(out, key->data, key->len);
    buf_add_lit(out, "&issuer=");
    url_encode(out, str_of(issuer));
    buf_add_lit(out, "&algorithm=SHA1&digits=6&period=30");
}
