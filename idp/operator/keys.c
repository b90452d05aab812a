/*
 * keys: `keys init` makes the folder with every key (base/program), `keys give` copies from it what one process loads into
 * the folder of that process. Nothing is ever replaced.
 */
#include "idp/operator/operator.h"

#include <stdio.h>

#include "idp/keys.h"

static int
usage(void)
{
    return command_usage("keys init --config FILE\n"
                         "       beffroi-idp keys give web|worker|notifier FOLDER --config FILE");
}

static int
give(const char *config, const char *process, const char *to)
{
    AUTO(idp_freep) struct idp *idp = NULL;
    struct why why = WHY_INIT;
    unsigned need;
    enum err e;

    if (!idp_keys_process(process, &need))
        return usage();
    if ((e = idp_load(config, 0, &idp, &why)) != OK)
        return command_fail(config, e, &why);
    if ((e = keyfolder_give(idp->conf.keys, idp_key_files, idp_key_nfiles, need, to, &why)) != OK)
        return command_fail("keys give", e, &why);
    printf("%s: the keys of %s\n", to, process);
    return 0;
}

int
operator_keys(int argc, char **argv)
{
    const char *config = NULL, *words[3] = { NULL };
    const struct command_option options[] = { { "--config", &config, NULL } };
    size_t n;

    if (argc > 0 && strcmp(argv[0], "init") == 0)
        return program_keys(argc, argv);
    if (!command_options(argc, argv, options, ARRAY_LEN(options), words, 3, &n) || config == NULL || n != 3 ||
        !command_word_is(words, n, 0, "give"))
        return usage();
    return give(config, words[1], words[2]);
}
