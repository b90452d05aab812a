/* fuzz_pki_front: the four bodies of the front, each read from the same octets. What is taken can be written down; what is not has
 * a code, and nothing of it was touched. */
#include "tests/fuzz/fuzz.h"

#include "pki/front/front-internal.h"

static void
refused(enum err e, const struct why *why)
{
    CHECK(e == ERR_INPUT && strncmp(why->code, "body.", 5) == 0 && why->text[0] != '\0');
}

static void
named(const struct subject *names)
{
    AUTO(buf_free) struct buf text = BUF_BOUNDED(1 << 20);

    registration_subject_text(names, &text);
    CHECK(buf_ok(&text) && names->dns_n <= SUBJECT_DNS_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str json = { (const char *)data, size };
    AUTO(arena_freep) struct arena *a = arena_new(8 << 20);
    struct registration_body registration = { .holder = "untouched" };
    struct identification_body identification;
    struct acceptance_body acceptance;
    struct revocation act = { .key = "untouched" };
    struct why why = WHY_INIT;
    enum err e;

    if (size > FRONT_BODY_MAX)
        return 0;
    if ((e = registration_body_read(json, a, &registration, &why)) == OK) {
        CHECK(registration.holder[0] != '\0' && strlen(registration.holder) <= 64 && registration.town != NULL);
        CHECK((registration.proof == PROOF_NONE) == (registration.proof_at == UTIME_NULL));
        named(&registration.names);
    } else {
        refused(e, &why);
        CHECK(strcmp(registration.holder, "untouched") == 0);
    }
    if ((e = identification_body_read(json, a, &identification, &why)) == OK) {
        CHECK(identification.proof != PROOF_NONE && identification.proof_at != UTIME_NULL);
        named(&identification.names);
    } else {
        refused(e, &why);
    }
    if ((e = acceptance_body_read(json, a, &acceptance, &why)) == OK)
        CHECK(strlen(acceptance.proof_ref) <= 128);
    else
        refused(e, &why);
    if ((e = revocation_body_read(json, a, &act, &why)) == OK) {
        CHECK((act.ca != NULL) == (act.serial.p != NULL) && (act.ca != NULL) != (act.holder != NULL) && act.town != NULL);
        CHECK(act.requester == BY_HOLDER || act.requester == BY_STATION || act.requester == BY_TOWN);
    } else {
        refused(e, &why);
        CHECK(strcmp(act.key, "untouched") == 0);
    }
    return 0;
}
