/*
 * fuzz_der: what der_check() calls strict is written back element by element, with the writer that opens and closes, as
 * the same bytes; object identifiers, times and small numbers survive the way to their values and back.
 */
#include "tests/fuzz/fuzz.h"

#include "base/crypto/der.h"

#define MAX ((size_t)1 << 20)

static void
check_value(unsigned tag, struct str content, struct str whole)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(DER_OID_TEXT_MAX), again = BUF_BOUNDED(MAX);
    struct str in = whole;
    uint32_t number;
    utime t;

    if (tag == DER_OID && der_oid_text(content, &text) == OK) {
        CHECK(der_oid_parse(buf_view(&text), &again) == OK && str_eq(buf_view(&again), content));
    } else if (tag == DER_INTEGER && der_number(content, UINT32_MAX, &number) == OK) {
        der_add_number(&again, tag, number);
        CHECK(str_eq(buf_view(&again), whole));
    } else if (der_time(&in, &t) == OK) {
        CHECK(in.n == 0 && der_add_generalized_time(&again, DER_GENERALIZED_TIME, t) == OK);
    }
}

static void
rewrite(struct str in, struct buf *out, int depth)
{
    CHECK(depth <= DER_DEPTH_MAX + 1);
    while (in.n > 0) {
        const char *at = in.p;
        struct str content;
        unsigned tag;

        CHECK(der_next(&in, &tag, &content) == OK);
        if ((tag & 0x20) != 0) {
            const size_t begun = der_begin(out, tag);

            rewrite(content, out, depth + 1);
            if (tag == DER_SET)
                der_end_set_of(out, begun);
            else
                der_end(out, begun);
        } else {
            check_value(tag, content, (struct str){ at, (size_t)(in.p - at) });
            der_add(out, tag, content);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str in = { (const char *)data, size };
    AUTO(buf_free) struct buf out = BUF_BOUNDED(MAX), text = BUF_BOUNDED(DER_OID_TEXT_MAX), oid = BUF_BOUNDED(DER_OID_MAX);
    struct why why = WHY_INIT;

    if (der_oid_parse(in, &oid) == OK)
        CHECK(der_oid_text(buf_view(&oid), &text) == OK && str_eq(buf_view(&text), in));
    if (der_check(in, MAX, &why) != OK) {
        CHECK(why.text[0] != '\0');
        return 0;
    }
    rewrite(in, &out, 0);
    CHECK(str_eq(buf_view(&out), in));
    return 0;
}
