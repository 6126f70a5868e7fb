/* SPDX-License-Identifier: Apache-2.0
 * util/nearest.h: "did you mean ...?" */
#ifndef UTIL_NEAREST_H
#define UTIL_NEAREST_H

#include <stddef.h>

/* The choice that `word` was probably meant to be: the one with the fewest insertions, deletions, changes and swaps of
 * neighbours (optimal string alignment, letters compared without case); the first of equals. NULL when more than about
 * a third of the word would have to change, or a name is longer than 100 bytes. NULL choices are skipped. [any] */
const char *nearest(const char *word, const char *const *choices, size_t count);

#endif
