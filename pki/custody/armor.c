/* armor: see armor.h. */
#include "base/crypto/digest.h"
#include "base/crypto/totp.h"
#include "pki/custody/armor.h"

#define LINE_SYMBOLS 25
#define GROUP 5
#define CHECKS 2
#define SUM_LEN 4

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* Two symbols, ten bits, of SHA-256 over the line's number and symbols. */
static void
line_check(unsigned number, struct str symbols, char out[CHECKS])
{
    AUTO(buf_free) struct buf text = BUF_SECRET(128);
    unsigned char digest[SHA256_LEN];

    buf_addf(&text, "beffroi-pki line %u ", number);
    buf_add_str(&text, symbols);
    sha256(buf_view(&text), digest);
    out[0] = alphabet[digest[0] >> 3];
    out[1] = alphabet[digest[1] >> 3];
}

void
armor_encode(struct str octets, struct buf *out)
{
    AUTO(buf_free) struct buf whole = BUF_SECRET(ARMOR_OCTETS_MAX + SUM_LEN), symbols = BUF_SECRET(ARMOR_TEXT_MAX);
    unsigned char digest[SHA256_LEN];
    unsigned number = 0;

    CHECK(octets.n > 0 && octets.n <= ARMOR_OCTETS_MAX);
    sha256(octets, digest);
    buf_add_str(&whole, octets);
    buf_add(&whole, digest, SUM_LEN);
    base32_encode(&symbols, whole.data, whole.len);
    for (size_t at = 0; at < symbols.len; at += LINE_SYMBOLS) {
        const size_t n = symbols.len - at < LINE_SYMBOLS ? symbols.len - at : LINE_SYMBOLS;
        char check[CHECKS];

        number++;
        line_check(number, (struct str){ symbols.data + at, n }, check);
        buf_addf(out, "%02u", number);
        for (size_t i = 0; i < n; i++) {
            if (i % GROUP == 0)
                buf_addc(out, ' ');
            buf_addc(out, symbols.data[at + i]);
        }
        buf_add_lit(out, "  ");
        buf_add(out, check, CHECKS);
        buf_addc(out, '\n');
    }
}

/* One line into symbols (checks left out). number: the one it must have. */
static enum err
line_read(struct str line, unsigned number, struct buf *symbols, struct why *why)
{
    char kept[LINE_SYMBOLS + CHECKS], check[CHECKS];
    struct str rest;
    int64_t said;
    size_t n = 0;

    if (str_to_i64(str_split(line, ' ', &rest), 1, 999, &said) != OK || rest.p == NULL)
        return why_set(why, ERR_INPUT, "line %u does not begin with its number and a space", number);
    if (said != (int64_t)number)
        return why_set(why, ERR_INPUT, "line %u is missing or out of order", number);
    for (size_t i = 0; i < rest.n; i++) {
        char c = rest.p[i];

        if (c == ' ' || c == '-' || c == '\t')
            continue;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (!((c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7')))
            return why_set(why, ERR_INPUT, "line %u: only the letters A to Z and the digits 2 to 7 are used", number);
        if (n == sizeof(kept))
            return why_set(why, ERR_INPUT, "line %u is too long", number);
        kept[n++] = c;
    }
    if (n <= CHECKS)
        return why_set(why, ERR_INPUT, "line %u is too short", number);
    n -= CHECKS;
    line_check(number, (struct str){ kept, n }, check);
    if (memcmp(check, kept + n, CHECKS) != 0)
        return why_set(why, ERR_INPUT, "line %u has a typing mistake", number);
    buf_add(symbols, kept, n);
    return OK;
}

static void
symbols_decode(struct str symbols, struct buf *out)
{
    uint32_t bits = 0;
    unsigned have = 0;

    for (size_t i = 0; i < symbols.n; i++) {
        const char c = symbols.p[i];

        bits = (bits << 5) | (uint32_t)(c >= 'A' ? c - 'A' : c - '2' + 26);
        if ((have += 5) >= 8) {
            have -= 8;
            buf_addc(out, (char)(bits >> have & 0xff));
        }
    }
}

enum err
armor_decode(struct str text, struct buf *out, struct why *why)
{
    AUTO(buf_free) struct buf symbols = BUF_SECRET(ARMOR_TEXT_MAX), whole = BUF_SECRET(ARMOR_OCTETS_MAX + SUM_LEN);
    unsigned char digest[SHA256_LEN];
    unsigned number = 0;
    struct str octets;
    enum err e;

    if (text.n > ARMOR_TEXT_MAX)
        return why_set(why, ERR_INPUT, "longer than %d characters", ARMOR_TEXT_MAX);
    while (text.p != NULL) {
        const struct str line = str_trim(str_split(text, '\n', &text));

        if (line.n == 0 || line.p[0] == '#')
            continue;
        if ((e = line_read(line, ++number, &symbols, why)) != OK)
            return e;
    }
    symbols_decode(buf_view(&symbols), &whole);
    if (whole.len <= SUM_LEN || !buf_ok(&whole))
        return why_set(why, ERR_INPUT, "the lines are not whole");
    octets = (struct str){ whole.data, whole.len - SUM_LEN };
    sha256(octets, digest);
    if (memcmp(digest, whole.data + octets.n, SUM_LEN) != 0)      /* lint: secret-compare: a checksum of what is printed */
        return why_set(why, ERR_INPUT, "damaged: a line is missing at the end, or the whole does not fit its checksum");
    buf_add_str(out, octets);
    return buf_ok(out) ? OK : why_set(why, ERR_INPUT, "too long");
}
