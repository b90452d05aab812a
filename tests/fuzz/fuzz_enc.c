/* fuzz_enc: decoders of outside text. What a strict decoder takes has one spelling: encoding it gives the text again. */
#include "tests/fuzz/fuzz.h"

#include "base/core/clock.h"
#include "base/core/enc.h"
#include "base/core/text.h"

#define MOST 65536

typedef enum err (*decoder)(struct str in, struct buf *out);
typedef void (*encoder)(struct buf *out, const void *p, size_t n);

static enum err
base64_strict(struct str in, struct buf *out)
{
    return base64_decode(in, false, out);
}

static void
check_one_spelling(decoder decode, encoder encode, struct str text)
{
    AUTO(buf_free) struct buf bytes = BUF_BOUNDED(MOST);
    AUTO(buf_free) struct buf again = BUF_BOUNDED(2 * MOST);

    if (decode(text, &bytes) != OK) {
        CHECK(bytes.len == 0);
        return;
    }
    encode(&again, bytes.data, bytes.len);
    CHECK(again.len == text.n);
    for (size_t i = 0; i < text.n; i++)      /* hexadecimal may be in capitals */
        CHECK(again.data[i] == text.p[i] || (again.data[i] >= 'a' && again.data[i] == (text.p[i] | 0x20)));
}

static void
check_lax_base64(struct str text)
{
    AUTO(buf_free) struct buf bytes = BUF_BOUNDED(MOST);
    AUTO(buf_free) struct buf clean = BUF_BOUNDED(MOST);
    AUTO(buf_free) struct buf again = BUF_BOUNDED(2 * MOST);

    if (base64_decode(text, true, &bytes) != OK)
        return;
    for (size_t i = 0; i < text.n; i++)
        if (strchr(" \t\r\n", text.p[i]) == NULL)
            buf_addc(&clean, text.p[i]);
    base64_encode(&again, bytes.data, bytes.len);
    CHECK(str_eq(buf_view(&again), buf_view(&clean)));
}

static void
check_url(struct str text, bool plus)
{
    AUTO(buf_free) struct buf bytes = BUF_BOUNDED(MOST);
    AUTO(buf_free) struct buf encoded = BUF_BOUNDED(3 * MOST);
    AUTO(buf_free) struct buf again = BUF_BOUNDED(MOST);

    if (url_decode(text, plus, &bytes) != OK)
        return;
    CHECK(bytes.len <= text.n && (bytes.len == 0 || memchr(bytes.data, '\0', bytes.len) == NULL));
    url_encode(&encoded, buf_view(&bytes));
    CHECK(url_decode(buf_view(&encoded), plus, &again) == OK && str_eq(buf_view(&bytes), buf_view(&again)));
}

static void
check_text(struct str text)
{
    AUTO(buf_free) struct buf shown = BUF_BOUNDED(8 * MOST);
    AUTO(buf_free) struct buf nfc = BUF_BOUNDED(8 * MOST);
    AUTO(buf_free) struct buf once = BUF_BOUNDED(64 * MOST);
    AUTO(buf_free) struct buf twice = BUF_BOUNDED(64 * MOST);
    AUTO(buf_free) struct buf ascii = BUF_BOUNDED(64 * MOST);
    bool utf8 = text_is_utf8(text);

    text_sanitized(text, 100, &shown);
    CHECK(shown.len <= 100 && text_is_clean(buf_view(&shown), false));
    CHECK((text_nfc(text, &nfc) == OK) == utf8);
    CHECK((text_nfkc_fold(text, &once) == OK) == utf8);
    CHECK((text_ascii_upper(text, &ascii) == OK) == utf8);
    if (!utf8)
        return;
    CHECK(text_nfkc_fold(buf_view(&once), &twice) == OK && str_eq(buf_view(&once), buf_view(&twice)));
    CHECK(text_length(text) <= text.n);
    for (size_t i = 0; i < ascii.len; i++)
        CHECK(ascii.data[i] >= 0x20 && ascii.data[i] < 0x7f && !(ascii.data[i] >= 'a' && ascii.data[i] <= 'z'));
}

static void
check_numbers(struct str text)
{
    AUTO(mem_freep) char *s = mem_strndup(text.p, text.n);
    char printed[UTIME_RFC3339_LEN + 1];
    int64_t value;
    utime t, again;

    if (str_to_i64(text, -1000, 1000, &value) == OK)
        CHECK(value >= -1000 && value <= 1000);
    if (duration_parse(s, &value) == OK)
        CHECK(value >= 0);
    if (utime_parse(s, &t) == OK) {
        utime_rfc3339(t, printed);
        CHECK(utime_parse(printed, &again) == OK);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    AUTO(buf_free) struct buf masked = BUF_BOUNDED(MOST);

    if (size == 0 || size > MOST / 2)
        return 0;
    check_one_spelling(hex_decode, hex_encode, text);
    check_one_spelling(base64_strict, base64_encode, text);
    check_one_spelling(base64url_decode, base64url_encode, text);
    check_lax_base64(text);
    check_url(text, false);
    check_url(text, true);
    check_text(text);
    check_numbers(text);
    text_mask_email(text, &masked);
    if (text_is_email(text))      /* may stand in an SMTP command and in a header as it is */
        for (size_t i = 0; i < size; i++)
            CHECK(data[i] > ' ' && data[i] < 0x7f && strchr("<>()[],;:\\\"", data[i]) == NULL);
    return 0;
}
