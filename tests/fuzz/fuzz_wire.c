/* fuzz_wire: what towns send. A message that is taken is written, read and written again: the same text. */
#include "tests/fuzz/fuzz.h"

#include "mairie-connector/wire/wire.h"

#define MOST (4 * WIRE_BODY_MAX)       /* escapes make it longer */

#define ROUND_TRIP(name, type)                                                                                \
    static void                                                                                               \
    check_##name(struct str json, struct arena *a)                                                            \
    {                                                                                                         \
        AUTO(buf_free) struct buf once = BUF_BOUNDED(MOST);                                                   \
        AUTO(buf_free) struct buf twice = BUF_BOUNDED(MOST);                                                  \
        struct why why = WHY_INIT;                                                                            \
        struct type m;                                                                                        \
                                                                                                              \
        if (wire_read_##name(json, a, &m, &why) != OK) {                                                      \
            CHECK(why.code[0] != '\0');                                                                       \
            return;                                                                                           \
        }                                                                                                     \
        wire_write_##name(&once, &m);                                                                         \
        CHECK(buf_ok(&once));                                                                                 \
        CHECK(wire_read_##name(buf_view(&once), a, &m, &why) == OK);                                          \
        wire_write_##name(&twice, &m);                                                                        \
        CHECK(str_eq(buf_view(&once), buf_view(&twice)));                                                     \
    }
ROUND_TRIP(create, wire_create)
ROUND_TRIP(activate, wire_activate)
ROUND_TRIP(reactivate, wire_reactivate)
ROUND_TRIP(reissue, wire_reissue)
ROUND_TRIP(authz, wire_authz_list)
ROUND_TRIP(block, wire_block)
ROUND_TRIP(card_record, wire_card_record)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_freep) struct arena *a = arena_new(8 << 20);
    const struct str json = { (const char *)data, size };

    if (size > WIRE_BODY_MAX)
        return 0;
    check_create(json, a);
    check_activate(json, a);
    check_reactivate(json, a);
    check_reissue(json, a);
    check_authz(json, a);
    check_block(json, a);
    check_card_record(json, a);
    return 0;
}
