/* SPDX-License-Identifier: Apache-2.0
 * Counts allocations of the whole process. A sanitizer has the allocator to itself, so there nothing is counted. */
#ifndef TEST_ALLOCATIONS_H
#define TEST_ALLOCATIONS_H

/* Fails the test if the net does not hold. */
void allocations_begin(void);
/* How many there were since. */
int allocations_end(void);

#endif
