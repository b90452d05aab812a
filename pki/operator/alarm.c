/* alarm: what a person must look at, as processes raised it and have not ended it. */
#include "pki/authority/alarm.h"

#include "pki/operator/operator.h"
#include "pki/operator/print-internal.h"

int
operator_alarm(int argc, char **argv)
{
    AUTO(pki_freep) struct pki *pki = NULL;
    AUTO(pg_closep) struct pg *pg = NULL;
    AUTO(arena_freep) struct arena *a = arena_new((size_t)16 << 20);
    const char *config = NULL, *words[1] = { NULL };
    const struct command_option options[] = { { "--config", &config, NULL } };
    struct why why = WHY_INIT;
    struct alarm *list;
    size_t n;
    enum err e;

    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 1, &n) || config == NULL ||
        !command_word_is(words, n, 0, "list"))
        return command_usage("alarm list --config FILE");
    if ((e = operator_begin(config, 0, &pki, &pg, &why)) != OK || (e = alarm_list(pg, a, &list, &n, &why)) != OK)
        return command_fail("alarm list", e, &why);
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_pack("{s:s,s:s,s:s,s:s}", "kind", list[i].kind, "object", list[i].object, "level",
                              list[i].level == ALARM_RED ? "red" : "warning", "text", list[i].text);

        print_time(o, "raised_at", list[i].raised_at);
        print_object(o);
    }
    return 0;
}
