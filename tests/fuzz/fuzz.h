/*
 * fuzz: what every fuzz target includes.
 *
 * tests/fuzz/fuzz_X.c defines LLVMFuzzerTestOneInput(); it returns 0, and uses
 * CHECK() for what must hold whatever the bytes are. Its corpus is
 * tests/fuzz/corpus/X/, its dictionary, if any, tests/fuzz/X.dict.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Optional: called once before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

#endif
