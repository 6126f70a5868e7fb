/* SPDX-License-Identifier: Apache-2.0
 * fuzz/target.h: what the targets share. A target is one file, with the function that libFuzzer calls on each input; it
 * hands the input to a parser and checks what must hold whatever the input is.
 *
 * An input that consists of several files has lines "====" between them. */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Always 0. A finding ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process where the condition does not hold: a finding. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_finding(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_finding(const char *file, int line, const char *condition);

/* The path of a file with these bytes; it lives in memory until the slot is used again. */
enum { FUZZ_SLOTS = 4 };
const char *fuzz_file(int slot, const void *data, size_t size);

/* A folder of this process's own, which ends with it, and a file in it. */
const char *fuzz_folder(void);
void fuzz_write(const char *name, const void *data, size_t size);

/* The next part of the input; false at the end. There is always a first one. */
typedef struct fuzz_parts {
    const uint8_t *at;
    size_t size;
    int ended;
} fuzz_parts;
int fuzz_next(fuzz_parts *rest, const uint8_t **part, size_t *size);

#endif
