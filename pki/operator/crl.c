/* crl: lists of revoked certificates: have the signer make them now, and say how they stand. */
#include <inttypes.h>
#include <stdio.h>

#include "base/core/enc.h"
#include "pki/authority/crl_due.h"
#include "pki/client/client.h"
#include "pki/operator/operator.h"

#define PATIENCE (120 * USEC_PER_SEC)      /* each of many shards takes a second or two */

/* "crl LABEL SHARD NUMBER FULL DELTA", as JSON; nothing in it needs escaping. */
static void
made_line(struct str line)
{
    struct str w[6] = { STR_NULL }, rest = line;

    for (size_t i = 0; i < ARRAY_LEN(w); i++)
        w[i] = str_split(rest, ' ', &rest);
    printf("{\"ca\":\"%.*s\",\"shard\":%.*s,\"number\":%.*s,\"full\":%.*s,\"delta\":%.*s}\n", (int)w[1].n, w[1].p, (int)w[2].n,
           w[2].p, (int)w[3].n, w[3].p, (int)w[4].n, w[4].p, str_eqs(w[5], "-") ? 4 : (int)w[5].n,
           str_eqs(w[5], "-") ? "null" : w[5].p);
}

static int
make(const char *config, const char *label, const char *shard_text)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(signer_client_freep) struct signer_client *c = NULL;
    AUTO(buf_free) struct buf lines = BUF_BOUNDED(64 * 1024);
    struct why why = WHY_INIT;
    int64_t shard = -1;
    struct str rest, line;
    enum err e;

    if (shard_text != NULL && str_to_i64(str_of(shard_text), 0, INT16_MAX, &shard) != OK) {
        e = why_set(&why, ERR_INPUT, "--shard is a number");
        return command_fail("crl", e, &why);
    }
    if ((e = pki_load(config, 0, &pki, &why)) != OK)
        return command_fail(config, e, &why);
    c = signer_client_new(pki->conf.signer_socket, PATIENCE);
    if ((e = signer_crl(c, label, (int)shard, &lines, &why)) != OK)
        return command_fail("crl", e, &why);
    for (rest = buf_view(&lines); rest.n > 0;) {
        line = str_split(rest, '\n', &rest);
        made_line(line);
    }
    return 0;
}

static void
shard_print(const struct crl_shard *s)
{
    char label[CA_LABEL_SIZE], made[UTIME_RFC3339_LEN + 1], next[UTIME_RFC3339_LEN + 1];

    ca_label(s->name, s->generation, label);
    printf("{\"ca\":\"%s\",\"shard\":%d,", label, s->shard);
    if (!s->has_full) {
        printf("\"number\":null}\n");
        return;
    }
    utime_rfc3339(s->made_at, made);
    utime_rfc3339(s->next_update, next);
    printf("\"number\":%" PRId64 ",\"entries\":%" PRId64 ",\"made_at\":\"%s\",\"next_update\":\"%s\",\"changes_waiting\":%s,"
           "\"offered\":%s}\n", s->number, s->entries, made, next, s->behind ? "true" : "false",
           !s->offered ? "null" : s->unpublished == UTIME_NULL ? "true" : "false");
}

static int
list(const char *config)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new((size_t)8 << 20);
    struct crl_shard *shards;
    struct why why = WHY_INIT;
    size_t n;
    enum err e;

    if ((e = operator_begin(config, 0, &pki, &pg, &why)) != OK || (e = crl_shards(pg, a, &shards, &n, &why)) != OK)
        return command_fail("crl", e, &why);
    for (size_t i = 0; i < n; i++)
        shard_print(&shards[i]);
    return 0;
}

int
operator_crl(int argc, char **argv)
{
    const char *config = NULL, *shard = NULL, *words[2] = { NULL, NULL };
    const struct command_option options[] = { { "--config", &config, NULL }, { "--shard", &shard, NULL } };
    size_t n;

    if (command_options(argc, argv, options, ARRAY_LEN(options), words, ARRAY_LEN(words), &n) && config != NULL) {
        if (n == 2 && command_word_is(words, n, 0, "make"))
            return make(config, words[1], shard);
        if (n == 1 && command_word_is(words, n, 0, "list") && shard == NULL)
            return list(config);
    }
    return command_usage("crl make LABEL | crl list, with --config FILE [--shard N]");
}
