/* share: see share.h. meta of a sealed share: set (16 octets), number, threshold, total, person. */
#include "base/core/enc.h"
#include "pki/custody/share.h"

#define SET_OCTETS 16
#define META_FIXED (SET_OCTETS + 3)

void
share_done(struct share *s)
{
    secret_done(&s->value);
}

bool
person_name_ok(struct str name)
{
    if (name.n < 2 || name.n > PERSON_NAME_MAX || name.p[0] < 'a' || name.p[0] > 'z')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'))
            return false;
    }
    return true;
}

/* --- splitting and combining ------------------------------------------------------------------------------ */

static enum err
persons_check(const struct share *shares, size_t n, struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        if (!person_name_ok(str_of(shares[i].info.person)))
            return why_set(why, ERR_INPUT, "share without a person's name");
        for (size_t j = 0; j < i; j++)
            if (strcmp(shares[i].info.person, shares[j].info.person) == 0)
                return why_code(why, ERR_INPUT, "share.person", "two shares of one person: %s", shares[i].info.person);
    }
    return OK;
}

enum err
share_split(const struct secret *s, const char *set, int threshold, int total, struct share *shares, struct why *why)
{
    AUTO(secret_done) struct secret values = SECRET_INIT;
    enum err e;

    CHECK(s->len == ACTIVATION_LEN && strlen(set) == SHARE_SET_LEN);
    if ((e = shamir_split(s, threshold, total, &values, why)) != OK ||
        (e = persons_check(shares, (size_t)total, why)) != OK)
        return e;
    for (int i = 0; i < total; i++) {
        struct share_info *info = &shares[i].info;

        memcpy(info->set, set, SHARE_SET_LEN + 1);
        info->number = i + 1;
        info->threshold = threshold;
        info->total = total;
        secret_set(&shares[i].value, values.data + (size_t)i * ACTIVATION_LEN, ACTIVATION_LEN);
    }
    return OK;
}

enum err
share_combine(const struct share *shares, size_t n, struct secret *ret_s, struct why *why)
{
    AUTO(secret_done) struct secret values = SECRET_INIT;
    unsigned char numbers[SHAMIR_TOTAL_MAX];
    enum err e;

    if (n < 2 || n > SHAMIR_TOTAL_MAX || n < (size_t)shares[0].info.threshold)
        return why_code(why, ERR_INPUT, "share.few", "%zu shares: not enough", n);
    if (n > (size_t)shares[0].info.threshold)
        return why_set(why, ERR_INPUT, "%zu shares: more than the %d that are needed", n, shares[0].info.threshold);
    if ((e = persons_check(shares, n, why)) != OK)
        return e;
    secret_random(&values, n * ACTIVATION_LEN);
    for (size_t i = 0; i < n; i++) {
        const struct share_info *a = &shares[i].info, *b = &shares[0].info;

        if (strcmp(a->set, b->set) != 0 || a->threshold != b->threshold || a->total != b->total)
            return why_code(why, ERR_INPUT, "share.set", "shares of different sets");
        CHECK(shares[i].value.len == ACTIVATION_LEN);
        numbers[i] = (unsigned char)a->number;
        memcpy(values.data + i * ACTIVATION_LEN, shares[i].value.data, ACTIVATION_LEN);
    }
    return shamir_combine(numbers, &values, n, ACTIVATION_LEN, ret_s, why);
}

/* --- on paper ----------------------------------------------------------------------------------------------- */

static void
meta_write(const struct share_info *info, struct buf *out)
{
    AUTO(buf_free) struct buf hex = BUF_BOUNDED(2 * SET_OCTETS + 1);

    for (const char *p = info->set; *p != '\0'; p++)
        if (*p != '-')
            buf_addc(&hex, *p);
    CHECK(hex_decode(buf_view(&hex), out) == OK && out->len == SET_OCTETS);
    buf_addc(out, (char)info->number);
    buf_addc(out, (char)info->threshold);
    buf_addc(out, (char)info->total);
    buf_adds(out, info->person);
}

static enum err
meta_parse(struct str meta, struct share_info *ret, struct why *why)
{
    static const size_t dashes[] = { 4, 6, 8, 10 };      /* octets before which a uuid has a dash */
    const unsigned char *p = (const unsigned char *)meta.p;
    struct share_info info;
    size_t at = 0;

    memset(&info, 0, sizeof(info));
    if (meta.n < META_FIXED || !person_name_ok((struct str){ meta.p + META_FIXED, meta.n - META_FIXED }))
        return why_set(why, ERR_INPUT, "share with a damaged head");
    for (size_t i = 0; i < SET_OCTETS; i++) {
        static const char digits[] = "0123456789abcdef";

        for (size_t d = 0; d < ARRAY_LEN(dashes); d++)
            if (dashes[d] == i)
                info.set[at++] = '-';
        info.set[at++] = digits[p[i] >> 4];
        info.set[at++] = digits[p[i] & 15];
    }
    info.number = p[SET_OCTETS];
    info.threshold = p[SET_OCTETS + 1];
    info.total = p[SET_OCTETS + 2];
    memcpy(info.person, meta.p + META_FIXED, meta.n - META_FIXED);
    if (info.threshold < 2 || info.total < info.threshold || info.total > SHAMIR_TOTAL_MAX || info.number < 1 ||
        info.number > info.total)
        return why_set(why, ERR_INPUT, "share with a damaged head");
    *ret = info;
    return OK;
}

enum err
share_seal(const struct share *s, struct str phrase, const struct password_cost *cost, struct buf *ret_text,
           unsigned char ret_sha256[SHA256_LEN], struct why *why)
{
    AUTO(buf_free) struct buf meta = BUF_BOUNDED(PHRASE_META_MAX), text = BUF_BOUNDED(ret_text->max);
    enum err e;

    CHECK(s->value.len == ACTIVATION_LEN);
    meta_write(&s->info, &meta);
    buf_addf(&text, "# beffroi-pki: share %d of %d, kept by %s; %d open\n# set %s\n", s->info.number, s->info.total,
             s->info.person, s->info.threshold, s->info.set);
    buf_add_lit(&text, "# Sealed under the custodian's pass phrase. To type it in: the numbered lines, with their numbers.\n");
    e = phrase_seal(PHRASE_SHARE, buf_view(&meta), (struct str){ (const char *)s->value.data, s->value.len }, phrase, cost,
                    &text, ret_sha256, why);
    if (e == OK)
        buf_add_str(ret_text, buf_view(&text));
    return e;
}

enum err
share_read(struct str text, struct share_info *ret, unsigned char ret_sha256[SHA256_LEN], struct why *why)
{
    AUTO(buf_free) struct buf meta = BUF_BOUNDED(PHRASE_META_MAX);
    enum err e;

    if ((e = phrase_read(PHRASE_SHARE, text, &meta, ret_sha256, why)) != OK)
        return e;
    return meta_parse(buf_view(&meta), ret, why);
}

enum err
share_open(struct str text, struct str phrase, struct share *ret, struct why *why)
{
    AUTO(buf_free) struct buf meta = BUF_BOUNDED(PHRASE_META_MAX);
    AUTO(secret_done) struct secret value = SECRET_INIT;
    struct share_info info;
    enum err e;

    if ((e = phrase_open(PHRASE_SHARE, text, phrase, &meta, &value, why)) != OK ||
        (e = meta_parse(buf_view(&meta), &info, why)) != OK)
        return e;
    if (value.len != ACTIVATION_LEN)
        return why_set(why, ERR_INPUT, "share of a wrong length");
    share_done(ret);
    ret->info = info;
    ret->value = value;
    value = (struct secret)SECRET_INIT;
    return OK;
}
