/* fuzz_mail: any bytes as a delivered message; what is read is bounded and clean, and survives being sent back. */
#include "tests/fuzz/fuzz.h"

#include "base/core/text.h"
#include "base/mail/message.h"

#define ID "mx.beffroi.example"

static void
check_strings(const struct mail_message *m)
{
    CHECK(strlen(m->subject) <= MAIL_SUBJECT_MAX && text_is_utf8(str_of(m->subject)));
    CHECK(strlen(m->text) <= MAIL_TEXT_MAX && text_is_utf8(str_of(m->text)));
    CHECK(strlen(m->message_id) <= MAIL_MESSAGE_ID_MAX);
    CHECK(m->from == NULL || text_is_email(str_of(m->from)));
    CHECK(m->automatic == (m->automatic_why != NULL));
    for (const char *p = m->subject; *p != '\0'; p++)
        CHECK((unsigned char)*p >= ' ' && *p != 0x7f);
    for (const char *p = m->text; *p != '\0'; p++)
        CHECK(((unsigned char)*p >= ' ' || *p == '\n') && *p != 0x7f);
}

/* An answer to it, quoting its subject and text: built or refused, but never with a header that is not ours. */
static void
check_answer(const struct mail_message *m, struct arena *a)
{
    static const char *const lines[] = { "\r\nBcc:", "\r\nbcc:", "\nBcc:" };
    const struct mail_draft d = { .from = "activation@beffroi.example", .from_name = m->subject, .to = m->from,
                                  .subject = m->subject, .text = m->text, .message_id = "<1@beffroi.example>",
                                  .in_reply_to = m->message_id[0] == '\0' ? NULL : m->message_id, .lang = "fr",
                                  .date = INT64_C(1763764445000000) };
    AUTO(buf_free) struct buf out = BUF_BOUNDED(1 << 20);
    struct mail_message back;
    const char *body;

    if (mail_build(&d, &out, NULL) != OK)
        return;
    for (size_t i = 0; i < out.len; i++)
        CHECK((unsigned char)out.data[i] < 0x80 && (out.data[i] != '\n' || out.data[i - 1] == '\r'));
    CHECK((body = strstr(out.data, "\r\n\r\n")) != NULL);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        const char *hit = strstr(out.data, lines[i]);

        CHECK(hit == NULL || hit > body);
    }
    CHECK(mail_parse(buf_view(&out), "", ID, a, &back, NULL) == OK);
    CHECK(back.from != NULL && strcmp(back.from, "activation@beffroi.example") == 0);
    CHECK(strcmp(back.subject, m->subject) == 0);
    CHECK(back.automatic && back.dmarc == MAIL_DMARC_NONE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_freep) struct arena *a = arena_new(128 << 10);
    struct mail_message m;

    if (mail_parse((struct str){ (const char *)data, size }, "jeanne@mail.example.fr", ID, a, &m, NULL) != OK)
        return 0;
    check_strings(&m);
    if (m.from != NULL)
        check_answer(&m, a);
    return 0;
}
