/*
 * replay: runs the corpus of a fuzz target with the ordinary compiler.
 *
 * Linked with each tests/fuzz/fuzz_X.c in the ordinary build; the arguments are
 * files, or folders whose files are taken. With libFuzzer the same source has the
 * fuzzer's own main. A crash, a failed CHECK or a sanitizer's word is the failure;
 * a corpus that holds nothing is one, too, for such a test could not fail.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#include "base/core/buf.h"

#define FILE_MOST (16u << 20)

static unsigned long replayed;

static void
replay_file(const char *path)
{
    AUTO(buf_free) struct buf bytes = BUF_BOUNDED(FILE_MOST);
    char part[65536];
    FILE *f = fopen(path, "rb");
    uint8_t *exact;
    size_t n;

    if (f == NULL)
        panic("%s: cannot be read", path);
    while ((n = fread(part, 1, sizeof(part), f)) > 0)
        buf_add(&bytes, part, n);
    fclose(f);
    CHECK(buf_ok(&bytes));
    /* a block of exactly that size: reading one byte further is seen by the address sanitizer */
    exact = malloc(bytes.len == 0 ? 1 : bytes.len);
    CHECK(exact != NULL);
    if (bytes.len > 0)
        memcpy(exact, bytes.data, bytes.len);
    fprintf(stderr, "%s (%zu bytes)\n", path, bytes.len);
    LLVMFuzzerTestOneInput(exact, bytes.len);
    free(exact);
    replayed++;
}

static void
replay_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);

    if (n < 0)
        panic("%s: cannot be read", path);
    for (int i = 0; i < n; i++) {
        char file[4096];

        if (entries[i]->d_name[0] != '.') {
            CHECK((size_t)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name) < sizeof(file));
            replay_file(file);
        }
        free(entries[i]);
    }
    free(entries);
}

int
main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize != NULL)
        LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            replay_folder(argv[i]);
        else
            replay_file(argv[i]);
    }
    if (replayed == 0)
        panic("no file to replay");
    printf("%lu files replayed\n", replayed);
    return 0;
}
