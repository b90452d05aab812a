/*
 * fuzz_lmtp: any bytes as the peer of an LMTP conversation. How the network cuts them must not matter: the same bytes
 * at once and one by one give the same replies and the same messages. And a message has no CRLF "." CRLF inside that
 * was not dot-stuffed, which is what smuggling is made of.
 */
#include "tests/fuzz/fuzz.h"

#include "base/mail/lmtp-internal.h"

static enum err
never(const struct lmtp_delivery *d, void *arg, struct why *why)
{
    (void)d;
    (void)arg;
    return why_set(why, ERR_INTERNAL, "no handler runs here");
}

static bool
known(const char *recipient, void *arg)
{
    (void)arg;
    return recipient[0] != 'u';
}

/* Runs the conversation in steps of at most step bytes; replies and messages go to log. */
static void
converse(const uint8_t *data, size_t size, size_t step, struct buf *log)
{
    const struct lmtp_config conf = { .listen = "", .message_max = 300, .threads = 1, .handler = never, .recipient_known = known };
    struct lmtp_session s;
    size_t at = 0;
    enum lmtp_need need = LMTP_MORE;

    lmtp_session_init(&s, &conf);
    while (need != LMTP_CLOSE && at < size) {
        size_t eaten = 0, n = size - at < step ? size - at : step;

        need = lmtp_session_feed(&s, (const char *)data + at, n, &eaten);
        CHECK(eaten <= n && (eaten > 0 || need == LMTP_CLOSE));
        at += eaten;
        buf_add(log, s.out.data, s.out.len);
        buf_reset(&s.out);
        if (need == LMTP_DELIVER) {
            enum err results[LMTP_RECIPIENTS_MAX];

            CHECK(s.data.len <= conf.message_max && s.recipient_n > 0 && s.recipient_n <= LMTP_RECIPIENTS_MAX);
            for (size_t i = 0; i < s.recipient_n; i++)
                results[i] = (enum err)(s.data.len % (ERR_INTERNAL + 1));
            buf_addf(log, "[%s %s %zu:", s.return_path, s.recipients[0], s.recipient_n);
            buf_add(log, s.data.data, s.data.len);
            buf_adds(log, "]");
            lmtp_session_delivered(&s, results);
        }
    }
    buf_add(log, s.out.data, s.out.len);
    lmtp_session_done(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_free) struct buf whole = BUF_BOUNDED(8 << 20);
    AUTO(buf_free) struct buf bytes = BUF_BOUNDED(8 << 20);
    AUTO(buf_free) struct buf thirds = BUF_BOUNDED(8 << 20);

    if (size > (64 << 10))
        return 0;
    converse(data, size, SIZE_MAX, &whole);
    converse(data, size, 1, &bytes);
    converse(data, size, 3, &thirds);
    CHECK(str_eq(buf_view(&whole), buf_view(&bytes)));
    CHECK(str_eq(buf_view(&whole), buf_view(&thirds)));
    return 0;
}
