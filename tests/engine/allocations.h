/* SPDX-License-Identifier: Apache-2.0
 * Counts allocations of the whole process, and guards aligned ones, such as an accelerator's. A sanitizer has the allocator to
 * itself, so there nothing is counted, and only its own guards stand. */
#ifndef TEST_ALLOCATIONS_H
#define TEST_ALLOCATIONS_H

#include <stdbool.h>

/* Fails the test if the net does not hold. */
void allocations_begin(void);
/* How many there were since. */
int allocations_end(void);

/* While on, what aligned_alloc gives is filled with bytes that make NaNs, and followed by guard words of the same. Returns
 * whether it is on now: not under a sanitizer. */
bool allocations_poison(bool on);
/* Fails the test, naming `what`, where guard words behind a block that still lives were written to. Returns how many blocks live.
 */
int allocations_check_guards(const char *what);

#endif
