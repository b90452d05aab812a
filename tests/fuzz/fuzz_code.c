/* fuzz_code: what people type, and what they write in mails. The first byte chooses the kind. */
#include "tests/fuzz/fuzz.h"

#include "base/core/code.h"

/* A good code reads back to itself from every form in which we show it. */
static void
check_round_trip(enum code_kind kind, const char *folded)
{
    char shown[CODE_SHOWN_MAX], again[CODE_FOLDED_MAX];

    code_shown(kind, folded, shown);
    CHECK(code_read(kind, str_of(shown), again, NULL) == CODE_GOOD && strcmp(again, folded) == 0);
    CHECK(code_scan(kind, str_of(shown), again, NULL, NULL) == 1 && strcmp(again, folded) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folded[CODE_FOLDED_MAX];
    enum code_verdict near;
    enum code_kind kind, other;
    struct str text;
    int found;

    if (size == 0)
        return 0;
    kind = (enum code_kind)(data[0] % (CODE_SHEET + 1));
    text = (struct str){ (const char *)data + 1, size - 1 };
    switch (code_read(kind, text, folded, &other)) {
    case CODE_GOOD:
        check_round_trip(kind, folded);
        break;
    case CODE_OTHER_KIND:
        CHECK(other != kind);
        CHECK(code_read(other, text, folded, NULL) == CODE_GOOD);
        check_round_trip(other, folded);
        break;
    case CODE_EMPTY:
    case CODE_TOO_SHORT:
    case CODE_TOO_LONG:
    case CODE_BAD_CHAR:
    case CODE_TYPO:
        break;
    }
    found = code_scan(kind, text, folded, &near, &other);
    CHECK(found >= 0 && found <= 2);
    CHECK((found > 0) == (near == CODE_GOOD));
    if (found == 1)
        check_round_trip(kind, folded);
    return 0;
}
